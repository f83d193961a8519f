package sink

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/hopluu/hopluu/integration/harness"
	"github.com/hopluu/hopluu/schemas/event"
	"github.com/hopluu/hopluu/schemas/topic"
	"github.com/hopluu/hopluu/sinks/clickhouse"
)

// Case 15 and 17: delete then insert of a key, also within one batch and one
// transaction, and a compound key.
func TestCase15DeleteThenInsert(t *testing.T) {
	set, sector := notes()
	w := newWorld(t, set)
	f := w.feed(harness.Name("his"), sector, "note", 2, column{"a", "bigint", true}, column{"b", "date", true}, column{"body", "text", false})
	f.create(1, "2024-01-01", "x")
	f.create(1, "2024-02-01", "y")
	f.delete(1, "2024-01-01")
	f.create(1, "2024-01-01", "again")
	f.delete(1, "2024-02-01")
	// All in one transaction: the ordinal orders, not the commit.
	at := f.next()
	for i, e := range []event.Event{
		{Op: event.Create, After: row(2, "2024-01-01", "p")},
		{Op: event.Delete, Before: row(2, "2024-01-01", nil)},
		{Op: event.Create, After: row(2, "2024-01-01", "q")},
	} {
		e.Position = event.Position{Epoch: at.Epoch, LSN: at.LSN, Ordinal: uint32(i + 1)}
		e.CommitMicros = commitMicros
		f.at(&e)
	}
	f.commit()
	w.run()
	w.expect("SELECT a, b, body FROM silver."+sector+"_note FINAL ORDER BY a, b", "(1,'2024-01-01','again')", "(2,'2024-01-01','q')")
}

// Case 17: of rows with a compound key one is deleted, among changes of its
// neighbours in the same batch, which differ from it in one part of the key.
func TestCase17ACompoundKeyIsDeletedWithinABatch(t *testing.T) {
	set, sector := notes()
	w := newWorld(t, set)
	f := w.feed(harness.Name("his"), sector, "note", 2, column{"a", "bigint", true}, column{"b", "text", true}, column{"body", "text", false})
	for _, a := range []int{1, 2} {
		for _, b := range []string{"x", "x|y", "y"} {
			f.create(a, b, "first")
		}
	}
	f.update(1, "x", "second")
	f.delete(1, "x|y")
	f.update(2, "x|y", "second")
	f.delete(2, "x")
	f.commit()
	w.run()
	w.noDuplicates(sector+"_note", 10)
	w.expect("SELECT a, b, body FROM silver."+sector+"_note FINAL ORDER BY a, b",
		"(1,'x','second')", "(1,'y','first')", "(2,'x|y','second')", "(2,'y','first')")
}

// Case 16: a truncate takes its place in the order, whichever partition it
// comes in first, and of its own source only; a changed key is a delete and a
// create.
func TestCase16TruncateInItsPlace(t *testing.T) {
	set, sector := notes()
	w := newWorld(t, set)
	f := w.feed(harness.Name("his"), sector, "note", 3, shortColumns...)
	other := w.feed(harness.Name("his"), sector, "note", 1, shortColumns...)
	dataset := sector + "_note"
	other.create(1, "of the other source")
	other.commit()
	for i := range 30 {
		f.create(i, "before")
	}
	f.commit()
	sink := w.run()
	w.noDuplicates(dataset, 31)
	require.NoError(t, sink.stop())

	for i := range 10 {
		f.create(100+i, "also before")
	}
	f.truncate()
	f.create(1, "after")
	f.update(1, "after, changed")
	f.create(200, "after")
	f.commit()
	sink = w.run()
	w.noDuplicates(dataset, 31+10+3+3)
	want := []string{"(1,'after, changed')", "(1,'of the other source')", "(200,'after')"}
	w.expect("SELECT id, body FROM silver."+dataset+" FINAL ORDER BY id, body", want...)
	w.expect("SELECT count(), sum(_partition) FROM bronze."+dataset+" WHERE _op = 't'", "(3,3)")
	// As of now, the history says the same as the rows.
	w.expect("SELECT id, body FROM silver."+dataset+"_history WHERE _valid_to IS NULL AND NOT _deleted ORDER BY id, body", want...)
	require.NoError(t, sink.stop())

	// Again from the start, into the same silver.
	require.NoError(t, w.conn.Exec(t.Context(), "TRUNCATE TABLE bronze."+dataset))
	w.group = harness.Name("sink")
	w.run()
	w.noDuplicates(dataset, 47)
	w.expect("SELECT id, body FROM silver."+dataset+" FINAL ORDER BY id, body", want...)
}

// P4, case 13: an unchanged value is the last known one, from the same batch,
// from an earlier one, from the old image, and never silently NULL.
func TestCase13UnchangedValues(t *testing.T) {
	set, sector := notes()
	w := newWorld(t, set)
	f := w.feed(harness.Name("his"), sector, "note", 2,
		column{"id", "bigint", true}, column{"n", "integer", false}, column{"body", "text", false}, column{"tags", "text[]", false}, column{"cost", "numeric(40,3)", false}, column{"doc", "jsonb", false})
	dataset := sector + "_note"
	metrics := prometheus.NewRegistry()
	sink := w.run(func(c *clickhouse.Config) { c.Metrics = metrics })
	f.create(1, 1, "long text", "{x,NULL}", "12345678901234567890123456789.125", `{"a": 1}`)
	f.create(2, 1, "two", "{}", "-0.001", nil)
	f.update(2, 2, unchanged, "{y}", unchanged, unchanged) // likely the same batch
	f.commit()
	w.noDuplicates(dataset, 3)
	f.update(1, 2, unchanged, unchanged, unchanged, unchanged) // an earlier batch
	f.update(2, 3, unchanged, unchanged, unchanged, unchanged)
	f.update(1, 3, unchanged, "{z}", unchanged, unchanged)
	f.commit()
	w.noDuplicates(dataset, 6)
	w.expect("SELECT id, n, body, tags, toString(cost), doc, _incomplete FROM silver."+dataset+" FINAL ORDER BY id",
		`(1,3,'long text',['z'],'12345678901234567890123456789.125','{"a": 1}',[])`, `(2,3,'two',['y'],'-0.001',NULL,[])`)
	w.expect("SELECT id, n, body, _unchanged FROM bronze."+dataset+" WHERE n = 2 ORDER BY id",
		"(1,2,NULL,['body','tags','cost','doc'])", "(2,2,NULL,['body','cost','doc'])")
	w.expect("SELECT n, body, tags FROM silver."+dataset+"_history WHERE id = 1 ORDER BY _version",
		"(1,'long text',['x',NULL])", "(2,'long text',['x',NULL])", "(3,'long text',['z'])")

	// A key that changes: what the old key had is not known under the new one,
	// and what an earlier row of the new key had is not its value.
	f.create(3, 1, "an older row 3", "{}", nil, nil)
	f.delete(3)
	f.delete(2)
	f.create(3, 4, unchanged, "{y}", nil, nil)
	f.commit()
	w.noDuplicates(dataset, 10)
	f.update(3, 5, unchanged, "{y}", nil, nil)
	// REPLICA IDENTITY FULL sends the old image.
	f.event(event.Update, row(1, 3, "long text", "{z}", nil, nil), row(1, 4, unchanged, "{z}", nil, nil))
	f.commit()
	w.expect("SELECT id, n, body, _incomplete FROM silver."+dataset+" FINAL ORDER BY id", "(1,4,'long text',[])", "(3,5,NULL,['body'])")
	require.InDelta(t, 2, counter(t, metrics, "hopluu_sink_incomplete_cells_total"), 0)
	require.NoError(t, sink.stop())
}

// counter sums a metric over its labels.
func counter(t *testing.T, r *prometheus.Registry, name string) (sum float64) {
	t.Helper()
	families, err := r.Gather()
	require.NoError(t, err)
	for _, f := range families {
		if f.GetName() == name {
			for _, m := range f.GetMetric() {
				sum += m.GetCounter().GetValue()
			}
		}
	}
	return sum
}

// Case 14: an array that is NULL is not silently an empty one, though
// ClickHouse has no NULL array: not when it comes, not when an update does not
// send it, not in rows older than the column, and in tables that an earlier
// release made.
func TestCase14NullArrays(t *testing.T) {
	set, sector := notes()
	w := newWorld(t, set)
	id := column{"id", "bigint", true}
	f := w.feed(harness.Name("his"), sector, "note", 1, id, column{"tags", "text[]", false})
	dataset := sector + "_note"
	f.create(1, nil)
	f.create(2, "{}")
	f.create(3, "{x,NULL}")
	f.commit()
	sink := w.run()
	w.expect("SELECT id, tags, _arrays FROM silver."+dataset+" FINAL ORDER BY id", "(1,[],[])", "(2,[],['tags'])", "(3,['x',NULL],['tags'])")
	f.shape(id, column{"tags", "text[]", false}, column{"later", "text[]", false})
	f.update(1, unchanged, nil)
	f.update(2, unchanged, "{}")
	f.commit()
	want := []string{"(1,[],[],[])", "(2,[],[],['tags','later'])", "(3,['x',NULL],[],['tags'])"}
	w.noDuplicates(dataset, 5)
	w.expect("SELECT id, tags, later, _arrays FROM silver."+dataset+" FINAL ORDER BY id", want...)
	w.expect("SELECT id, tags, later, _arrays FROM silver.v_"+dataset+" ORDER BY id", want...)
	w.expect("SELECT id, tags, later, _arrays FROM silver."+dataset+"_history WHERE _valid_to IS NULL ORDER BY id", want...)
	w.expect("SELECT id, _unchanged, _arrays FROM bronze."+dataset+" WHERE _op = 'u' ORDER BY id", "(1,['tags'],[])", "(2,['tags'],['later'])")
	require.NoError(t, sink.stop())

	for _, database := range []string{"bronze", "silver"} {
		require.NoError(t, w.conn.Exec(t.Context(), "ALTER TABLE "+database+"."+dataset+" DROP COLUMN _arrays"))
	}
	w.run()
	f.create(4, "{}", nil)
	f.commit()
	w.expect("SELECT id, _arrays FROM silver."+dataset+" FINAL ORDER BY id", "(1,[])", "(2,[])", "(3,['tags'])", "(4,['tags'])")
}

// Case 22: columns come, go and widen while rows flow.
func TestCase22ASchemaThatChangesWhileRowsFlow(t *testing.T) {
	set, sector := notes()
	w := newWorld(t, set)
	id := column{"id", "integer", true}
	f := w.feed(harness.Name("his"), sector, "note", 2, id, column{"gone", "text", false}, column{"n", "smallint", false})
	dataset := sector + "_note"
	f.create(1, "x", 7)
	f.create(2, "y", 8)
	f.commit()
	sink := w.run()
	w.noDuplicates(dataset, 2)
	f.create(3, "z", 9)
	id = column{"id", "bigint", true} // a key ran out of integers: its table has room for it
	f.shape(id, column{"n", "bigint", false}, column{"new", "date", false})
	f.create(4, "5000000000", "2024-05-01")
	f.update(1, "6", nil)
	f.commit()
	w.noDuplicates(dataset, 5)
	want := []string{"(1,NULL,6,NULL)", "(2,'y',8,NULL)", "(3,'z',9,NULL)", "(4,NULL,5000000000,'2024-05-01')"}
	w.expect("SELECT id, gone, n, new FROM silver."+dataset+" FINAL ORDER BY id", want...)
	w.expect("SELECT id, new FROM silver.v_"+dataset+" WHERE id = 4", "(4,'2024-05-01')")
	require.NoError(t, sink.stop())

	// A type that the column cannot take goes on in a new column, and the view
	// keeps the old name; where the registry lets it in at all.
	require.NoError(t, w.registry.SetCompatibility(t.Context(), f.topic+"-value", "NONE"))
	f.shape(id, column{"n", "bigint", false}, column{"new", "boolean", false})
	f.create(5, "1", "t")
	f.commit()
	w.run()
	w.noDuplicates(dataset, 6)
	f.shape(id, column{"n", "numeric(12,2)", false}, column{"new", "text", false})
	f.create(6, "12.5", "long")
	f.update(5, "2.25", nil)
	f.commit()
	w.noDuplicates(dataset, 8)
	w.expect("SELECT id, gone, n, toString(n__v2), new, new__v2, new__v3 FROM silver."+dataset+" FINAL ORDER BY id",
		"(1,NULL,6,NULL,NULL,NULL,NULL)", "(2,'y',8,NULL,NULL,NULL,NULL)", "(3,'z',9,NULL,NULL,NULL,NULL)", "(4,NULL,5000000000,NULL,'2024-05-01',NULL,NULL)",
		"(5,NULL,NULL,'2.25',NULL,NULL,NULL)", "(6,NULL,NULL,'12.5',NULL,NULL,'long')")
	w.expect("SELECT id, toString(n), n__v1, new, new__v1 FROM silver.v_"+dataset+" ORDER BY id",
		"(1,'6',6,NULL,NULL)", "(2,'8',8,NULL,NULL)", "(3,'9',9,NULL,NULL)", "(4,'5000000000',5000000000,'2024-05-01','2024-05-01')",
		"(5,'2.25',NULL,NULL,NULL)", "(6,'12.5',NULL,'long',NULL)")
	w.expect("SELECT id, toString(n), new FROM silver."+dataset+"_history WHERE id = 5 ORDER BY _version", "(5,'1','true')", "(5,'2.25',NULL)")
	w.expect("SELECT count() FROM ops.dead_letter FINAL WHERE dataset = '"+dataset+"'", "(0)")

	// A key is not followed: its rows are dead letters, and other rows go on.
	require.NoError(t, w.registry.SetCompatibility(t.Context(), f.topic+"-key", "NONE"))
	f.shape(column{"id", "text", true}, column{"n", "numeric(12,2)", false}, column{"new", "text", false})
	f.create("seven", "1", "x")
	f.commit()
	w.expect("SELECT count() FROM ops.dead_letter FINAL WHERE dataset = '"+dataset+"' AND reason LIKE '%column id%'", "(1)")
}

// P3, case 19: what cannot be decoded, or held, goes to the dead letters with its
// bytes and its reason, and the rest goes on.
func TestCase19WhatCannotBeDecodedIsADeadLetter(t *testing.T) {
	set, sector := notes()
	w := newWorld(t, set)
	f := w.feed(harness.Name("his"), sector, "note", 1, column{"id", "bigint", true}, column{"born", "date", false})
	dataset := sector + "_note"
	f.create(1, "2024-01-01")
	f.add(0, []byte("no key of ours"), []byte("rubbish"))
	key, _ := f.key(row(2, nil))
	f.add(0, key, []byte{0, 0x7f, 0xff, 0xff, 0xff, 1, 2, 3}) // a schema that nobody registered
	f.create(3, "infinity")
	f.create(4, "2024-01-04")
	f.commit()
	metrics := prometheus.NewRegistry()
	sink := w.run(func(c *clickhouse.Config) { c.Metrics = metrics })
	w.expect("SELECT id FROM silver."+dataset+" FINAL ORDER BY id", "(1)", "(4)")
	w.expect("SELECT offset, topic = '"+f.topic+"', length(value) > 0 FROM ops.dead_letter FINAL WHERE dataset = '"+dataset+"' ORDER BY offset", "(1,1,1)", "(2,1,1)", "(3,1,1)")
	w.expect("SELECT value FROM ops.dead_letter FINAL WHERE dataset = '"+dataset+"' AND offset = 1", "('rubbish')")

	var letters []topic.Record
	harness.Eventually(t, within, func(ctx context.Context) error { // what is committed shows a moment later
		letters = nil
		err := w.kafka.ReadAll(ctx, topic.DeadLetter(f.topic), func(r topic.Record) error {
			letters = append(letters, r)
			return nil
		})
		if err == nil && len(letters) < 3 {
			err = fmt.Errorf("%d of 3 dead letters", len(letters))
		}
		return err
	})
	require.Len(t, letters, 3)
	require.Equal(t, "rubbish", string(letters[0].Value))
	for i, want := range []string{"wire format", "registry does not know schema 2147483647", "born"} {
		headers := map[string]string{}
		for _, h := range letters[i].Headers {
			headers[h.Key] = string(h.Value)
		}
		require.Contains(t, headers["hopluu.reason"], want)
		require.Equal(t, f.topic, headers["hopluu.topic"])
		require.Equal(t, fmt.Sprint(i+1), headers["hopluu.offset"])
	}
	require.InDelta(t, 3, counter(t, metrics, "hopluu_sink_dead_letters_total"), 0)
	harness.Eventually(t, within, func(ctx context.Context) error {
		done, err := w.kafka.Committed(ctx, w.group, topic.Partition{Topic: f.topic})
		if err == nil && done[topic.Partition{Topic: f.topic}] < 5 {
			err = errors.New("the offset has not moved past the dead letters")
		}
		return err
	})
	require.NoError(t, sink.stop())
}

// A registry that is away is waited for: nothing becomes a dead letter.
func TestARegistryThatIsAway(t *testing.T) {
	set, sector := notes()
	w := newWorld(t, set)
	f := w.feed(harness.Name("his"), sector, "note", 1, shortColumns...)
	f.create(1, "a")
	f.commit()
	w.down.set(true)
	sink := w.run()
	harness.Eventually(t, within, func(context.Context) error {
		if err := sink.Ready(); err == nil || !strings.Contains(err.Error(), "schema registry") {
			return fmt.Errorf("the sink does not wait for the registry: %w", err)
		}
		return nil
	})
	w.down.set(false)
	w.expect("SELECT id FROM silver."+sector+"_note FINAL", "(1)")
	w.expect("SELECT count() FROM ops.dead_letter WHERE dataset = '"+sector+"_note'", "(0)")
	harness.Eventually(t, within, func(context.Context) error { return sink.Ready() })
}

// Case 22: another sink of the group has made a column wider than this one
// remembers. A schema that this one meets now does not make it narrow again.
func TestCase22AnotherSinkWidenedTheColumn(t *testing.T) {
	set, sector := notes()
	w := newWorld(t, set)
	id := column{"id", "bigint", true}
	f := w.feed(harness.Name("his"), sector, "note", 1, id, column{"n", "smallint", false})
	dataset := sector + "_note"
	f.create(1, "7")
	f.commit()
	w.run()
	w.noDuplicates(dataset, 1)
	for _, database := range []string{"silver", "bronze"} {
		require.NoError(t, w.conn.Exec(t.Context(), "ALTER TABLE "+database+"."+dataset+" MODIFY COLUMN n Nullable(Int64) SETTINGS mutations_sync = 2"))
		require.NoError(t, w.conn.Exec(t.Context(), "INSERT INTO "+database+"."+dataset+" (id, n, _source, _version, _offset) VALUES (2, 5000000000, 'another', 1, 1000)"))
	}
	f.shape(id, column{"n", "integer", false})
	f.create(3, "70000")
	f.commit()
	w.expect("SELECT id, n FROM silver."+dataset+" FINAL ORDER BY id", "(1,7)", "(2,5000000000)", "(3,70000)")
	w.expect("SELECT DISTINCT type FROM system.columns WHERE database IN ('silver', 'bronze') AND table = '"+dataset+"' AND name = 'n'", "('Nullable(Int64)')")
}

// Case 33: what a transaction wrote that was aborted does not land.
func TestCase33AbortedTransactionsDoNotLand(t *testing.T) {
	set, sector := notes()
	w := newWorld(t, set)
	f := w.feed(harness.Name("his"), sector, "note", 1, shortColumns...)
	f.create(1, "committed")
	f.commit()
	f.create(1, "aborted")
	f.create(2, "aborted")
	require.NoError(t, f.producer.Abort(t.Context()))
	f.create(3, "committed")
	f.commit()
	w.run()
	w.noDuplicates(sector+"_note", 2)
	w.expect("SELECT id, body FROM silver."+sector+"_note FINAL ORDER BY id", "(1,'committed')", "(3,'committed')")
}

// A table that has a schema and no events yet is there, empty.
func TestATableWithoutEvents(t *testing.T) {
	set, sector := notes()
	w := newWorld(t, set)
	f := w.feed(harness.Name("his"), sector, "note", 1, shortColumns...)
	w.run()
	w.expect("SELECT count() FROM silver.v_"+sector+"_note", "(0)")
	w.expect("SELECT name, type, is_in_sorting_key FROM system.columns WHERE database = 'silver' AND table = '"+sector+"_note' AND name IN ('id', 'body') ORDER BY position",
		"('id','Int64',1)", "('body','Nullable(String)',0)")
	f.create(1, "a")
	f.commit()
	w.noDuplicates(sector+"_note", 1)
}

// A table without a key is kept in bronze alone.
func TestATableWithoutAKey(t *testing.T) {
	set, sector := notes()
	w := newWorld(t, set)
	f := w.feed(harness.Name("his"), sector, "note", 1, column{"line", "text", false})
	f.create("a")
	f.create("a")
	f.truncate()
	f.commit()
	w.run()
	w.expect("SELECT line, _op FROM bronze."+sector+"_note ORDER BY _offset", "('a','c')", "('a','c')", "(NULL,'t')")
	w.expect("SELECT count() FROM system.tables WHERE database = 'silver' AND name = '"+sector+"_note'", "(0)")
}

// P10: a data set is as fresh as the least fresh of its partitions; a quiet
// table is as fresh as its source.
func TestAsOf(t *testing.T) {
	set, sector := notes()
	quiet := set.Sectors[0].Tables[0]
	quiet.Name = "quiet"
	set.Sectors[0].Tables = append(set.Sectors[0].Tables, quiet)
	w := newWorld(t, set)
	source := harness.Name("his")
	f := w.feed(source, sector, "note", 4, shortColumns...)
	w.feed(source, sector, "quiet", 2, shortColumns...)
	sink := w.run()
	harness.Eventually(t, within, func(context.Context) error { return sink.Ready() })
	asOf := func(table string) string {
		return "SELECT toString(as_of) FROM ops.as_of WHERE dataset = '" + sector + "_" + table + "'"
	}
	w.expect(asOf("note"), "('1970-01-01 08:00:00.000000')")
	f.create(1, "a") // in one partition of four
	f.commit()
	w.expect(asOf("note"), "('2025-10-09 15:53:20.000000')")
	w.expect(asOf("quiet"), "('2025-10-09 15:53:20.000000')")
}
