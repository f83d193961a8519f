package sink

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hopluu/hopluu/integration/harness"
	"github.com/hopluu/hopluu/schemas/topic"
	"github.com/hopluu/hopluu/sinks"
)

// hopluu runs a command to its end against this world.
func (w *world) hopluu(args ...string) (stdout, stderr string, code int) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), 2*within)
	defer cancel()
	stdout, stderr, code, err := harness.Hopluu(w.t).Run(ctx, append(args, "--config", w.configure(w.clickhouse.Addr)))
	require.NoError(w.t, err, "%s%s", stdout, stderr)
	return stdout, stderr, code
}

// committed waits until the group goes on at the end of all partitions.
func (f *feeder) committed() {
	f.w.t.Helper()
	var parts []topic.Partition
	for id := range f.partitions {
		parts = append(parts, topic.Partition{Topic: f.topic, ID: id})
	}
	harness.Eventually(f.w.t, within, func(ctx context.Context) error {
		all, err := sinks.Standings(ctx, f.w.kafka, f.w.group, parts)
		if err != nil {
			return err
		}
		for _, s := range all {
			if s.Committed < s.End {
				return fmt.Errorf("%s: committed %d of %d", s.Partition, s.Committed, s.End)
			}
		}
		return nil
	})
}

// Case 26: an operator sets the sink back, by our command or by any tool of
// Kafka's. Silver is written again, bronze never twice; what cannot be is
// refused with the reason, and nothing is jumped over (case 24).
func TestCase26AnOperatorRewinds(t *testing.T) {
	set, sector := notes()
	w := newWorld(t, set)
	f := w.feed(harness.Name("his"), sector, "note", 2, shortColumns...)
	dataset := sector + "_note"
	for i := range 40 {
		f.create(i, "a")
		f.update(i, "b")
	}
	for i := range 10 {
		f.delete(i)
	}
	f.commit()
	silver := "SELECT count(), countIf(body = 'b') FROM silver." + dataset + " FINAL"
	lose := func() {
		t.Helper()
		require.NoError(t, w.conn.Exec(t.Context(), "TRUNCATE TABLE silver."+dataset))
		w.expect(silver, "(0,0)")
	}
	sink := w.run()
	w.noDuplicates(dataset, 90)
	f.committed()
	_, stderr, code := w.hopluu("sink", "rewind", "--topic", f.topic, "--to", "earliest")
	require.Equal(t, 2, code)
	require.Contains(t, stderr, "stop them first")
	require.NoError(t, sink.stop())

	for to, want := range map[string]string{
		"100000": "offset 100000 is past its end", "-5": "are gone", "soon": "neither earliest", "2030-01-01T00:00:00Z": "nothing to go back to",
	} {
		_, stderr, code := w.hopluu("sink", "rewind", "--topic", f.topic, "--to="+to)
		require.Equal(t, 2, code, to)
		require.Contains(t, stderr, want)
		require.Len(t, strings.Split(strings.TrimSpace(stderr), "\n"), 1, stderr)
	}
	lose()
	stdout, stderr, code := w.hopluu("sink", "rewind", "--topic", f.topic, "--to", "earliest", "--json")
	require.Zero(t, code, stderr)
	var told []struct {
		Committed int64
		To        *int64
	}
	require.NoError(t, json.Unmarshal([]byte(stdout), &told))
	require.Len(t, told, 2)
	require.EqualValues(t, 0, *told[0].To)
	require.Positive(t, told[0].Committed)
	sink = w.run()
	w.expect(silver, "(30,30)")
	f.create(100, "b")
	f.commit()
	w.expect(silver, "(31,31)")
	w.noDuplicates(dataset, 91)
	f.committed()
	require.NoError(t, sink.stop())

	// As kafka-consumer-groups does it: an offset without a note.
	lose()
	parts := map[topic.Partition]topic.Noted{{Topic: f.topic}: {}, {Topic: f.topic, ID: 1}: {}}
	require.NoError(t, w.kafka.SetOffsets(t.Context(), w.group, parts))
	sink = w.run()
	w.expect(silver, "(31,31)")
	w.noDuplicates(dataset, 91)
	f.committed()
	require.NoError(t, sink.stop())
	w.expect("SELECT count(), count(DISTINCT epoch) FROM ops.sink_epoch WHERE consumer_group = '"+w.group+"'", "(3,3)")

	for p := range parts {
		parts[p] = topic.Noted{Offset: 7777}
	}
	require.NoError(t, w.kafka.SetOffsets(t.Context(), w.group, parts))
	var gone *topic.OutOfRangeError
	require.ErrorAs(t, w.run().ended(), &gone)
	require.EqualValues(t, 7777, gone.Offset)
}

// P2, case 26: the sink is set back while a block of it is still under way. When
// that arrives after all, bronze has its rows already, once.
func TestCase26ARewindLeavesWhatIsUnderWay(t *testing.T) {
	set, sector := notes()
	w := newWorld(t, set)
	f := w.feed(harness.Name("his"), sector, "note", 1, shortColumns...)
	dataset := sector + "_note"
	for i := range 30 {
		f.create(i, "a")
	}
	f.commit()
	first := w.run()
	w.noDuplicates(dataset, 30)
	f.committed()
	require.NoError(t, first.stop())
	for i := range 20 {
		f.update(i, "b")
	}
	f.commit()
	h := w.holder("INSERT INTO `bronze`.`" + dataset)
	second := w.run(at(h.addr))
	w.await(h.caught, "the second sink's insert")
	require.NoError(t, second.stop())
	for i := range 10 {
		f.delete(i)
	}
	f.commit()
	require.NoError(t, sinks.Rewind(t.Context(), w.kafka, w.group, map[topic.Partition]int64{{Topic: f.topic}: 5}))
	w.run()
	w.noDuplicates(dataset, 60)
	f.committed()
	close(h.release)
	w.await(h.arrived, "the late insert")
	w.noDuplicates(dataset, 60)
	w.expect("SELECT body, count() FROM silver."+dataset+" FINAL GROUP BY body ORDER BY body", "('a',10)", "('b',10)")
}

// Case 27: the epoch is never restarted in silence, whether ClickHouse lost it
// or everybody did; else a token that is known would swallow what it names.
func TestCase27TheEpochIsNotForgotten(t *testing.T) {
	set, sector := notes()
	w := newWorld(t, set, harness.Own())
	f := w.feed(harness.Name("his"), sector, "note", 1, shortColumns...)
	dataset := sector + "_note"
	n := 0
	some := func() {
		for range 10 {
			f.create(n, "a")
			n++
		}
		f.commit()
	}
	some()
	first := w.run()
	w.noDuplicates(dataset, n)
	f.committed()
	require.NoError(t, first.stop())
	w.expect("SELECT epoch FROM ops.sink_epoch", "(1)")

	// Bronze lost what it had of a range, and ClickHouse the epoch; the tokens
	// are still known to it. The clock's epoch is above all that there were.
	require.NoError(t, w.conn.Exec(t.Context(), "DROP TABLE ops.sink_epoch"))
	require.NoError(t, w.conn.Exec(t.Context(), "ALTER TABLE bronze."+dataset+" DELETE WHERE _offset >= 5 SETTINGS mutations_sync = 2"))
	w.expect("SELECT count() FROM bronze."+dataset, "(5)")
	require.NoError(t, sinks.Rewind(t.Context(), w.kafka, w.group, map[topic.Partition]int64{{Topic: f.topic}: 0}))
	second := w.run()
	w.noDuplicates(dataset, n)
	w.expect("SELECT min(epoch) > 1000000000 FROM ops.sink_epoch", "(1)")
	some()
	w.noDuplicates(dataset, n)
	f.committed()
	require.NoError(t, second.stop())

	// Restored from an old backup: the note beside the offset knows better.
	require.NoError(t, w.conn.Exec(t.Context(), "TRUNCATE TABLE ops.sink_epoch"))
	require.NoError(t, w.conn.Exec(t.Context(), "INSERT INTO ops.sink_epoch SELECT '"+w.group+"', 1, now64(6), 'restored'"))
	w.run()
	w.expect("SELECT count(), max(epoch) > 1000000000 FROM ops.sink_epoch", "(2,1)")
	some()
	w.noDuplicates(dataset, n)
}
