package sink

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hopluu/hopluu/integration/harness"
	"github.com/hopluu/hopluu/schemas/event"
)

// Case 35: a new snapshot takes away what it did not find, and only once its
// rows have come: partition by partition, since one may be far behind another.
func TestCase35MarkerEndsASnapshot(t *testing.T) {
	set, sector := notes()
	w := newWorld(t, set)
	const partitions, rows = 3, 30
	f := w.feed(harness.Name("his"), sector, "note", partitions, shortColumns...)
	other := w.feed(harness.Name("his"), sector, "note", 1, shortColumns...)
	dataset := sector + "_note"
	other.create(1, "of the other source")
	other.commit()
	in := map[int][]int{} // ids by partition
	for id := range rows {
		f.create(id, "old")
		_, p := f.key(row(id, nil))
		in[int(p)] = append(in[int(p)], id)
	}
	f.commit()
	w.run()
	events := rows + 1
	w.noDuplicates(dataset, events)

	// Every third row went without an event, the others are read again. A
	// change that is newer than the snapshot comes before the marker.
	snapshot := event.Position{Epoch: 1, LSN: 5000}
	found := rows
	for p := range partitions {
		for i, id := range in[p] {
			if i%3 == 0 {
				found--
				continue
			}
			f.at(&event.Event{Op: event.Read, Snapshot: true, After: row(id, "read"), Position: snapshot, CommitMicros: commitMicros})
			events++
		}
		f.lsn = 6000
		f.update(in[p][1], "changed")
		f.whole(event.Marker, event.Position{Epoch: 1, LSN: snapshot.LSN - 1, Ordinal: math.MaxUint32}, int32(p))
		f.commit()
		events += 2
		w.noDuplicates(dataset, events)
		// What is short is gone from the source, too: partitions that are still
		// to come keep their rows.
		want := 0
		for q := range partitions {
			n := len(in[q])
			if q <= p {
				n -= (n + 2) / 3
			}
			want += n
		}
		w.expect("SELECT count() FROM silver."+dataset+" FINAL", fmt.Sprintf("(%d)", want+1))
	}
	require.Less(t, found, rows)
	state := "SELECT countIf(body = 'old'), countIf(body = 'read'), countIf(body = 'changed'), count() FROM "
	want := fmt.Sprintf("(0,%d,%d,%d)", found-partitions, partitions, found+1)
	w.expect(state+"silver."+dataset+" FINAL", want)
	w.expect(state+"silver."+dataset+"_history WHERE _valid_to IS NULL AND NOT _deleted", want)

	// Delivered again, the marker takes nothing away that is newer.
	f.create(in[0][0], "made again")
	for p := range int32(partitions) {
		f.whole(event.Marker, event.Position{Epoch: 1, LSN: snapshot.LSN - 1, Ordinal: math.MaxUint32}, p)
	}
	f.commit()
	w.noDuplicates(dataset, events+1+partitions)
	w.expect("SELECT count() FROM silver."+dataset+" FINAL", fmt.Sprintf("(%d)", found+2))
}

// Case 35 for a range: silver and history let go what a marker's range did not
// find, and nothing outside of it, for every type that a range may have; what
// bronze of an earlier release has no place for is added. A range that the key
// cannot have is a dead letter (P3).
func TestCase35MarkerOfARange(t *testing.T) {
	for name, c := range map[string]struct {
		sql      string
		keys     []any
		from, to string
		gone     []int
	}{
		"integers": {"integer", []any{-10, 9, 10, 20, 100}, "9", "20", []int{1, 2, 3}},
		"dates":    {"date", []any{"1900-01-01", "1999-12-31", "2000-01-01", "2026-01-31", "2299-12-31"}, "0001-01-01", "2000-01-01", []int{0, 1, 2}},
		"texts":    {"text", []any{"", "B", `a\'|`, "b", "đ"}, "B", `a\'|`, []int{1, 2}},
		"open end": {"bigint", []any{-10, 9, 10, 20, 100}, "10", "", []int{2, 3, 4}},
	} {
		t.Run(name, func(t *testing.T) {
			set, sector := notes()
			w := newWorld(t, set)
			// The range's column is not the first of the table's columns.
			f := w.feed(harness.Name("his"), sector, "note", 2, column{"body", "text", false}, column{"id", c.sql, true}, column{"second", "integer", true})
			dataset := sector + "_note"
			for i, key := range c.keys {
				f.create(fmt.Sprint("v", i), key, i)
			}
			f.commit()
			sink := w.run()
			w.noDuplicates(dataset, len(c.keys))
			require.NoError(t, sink.stop())
			require.NoError(t, w.conn.Exec(t.Context(), "ALTER TABLE bronze."+dataset+" DROP COLUMN _range"))

			w.run()
			of := &event.Range{Column: "id", From: &c.from}
			if c.to != "" {
				of.To = &c.to
			}
			// The last of them is read again.
			read := c.gone[len(c.gone)-1]
			f.at(&event.Event{Op: event.Read, Snapshot: true, After: row("read", c.keys[read], read), Position: event.Position{Epoch: 1, LSN: 5000}, CommitMicros: commitMicros + 1e6})
			for p := range int32(2) {
				f.part(event.Marker, of, event.Position{Epoch: 1, LSN: 4999, Ordinal: math.MaxUint32}, commitMicros+1e6, p)
			}
			f.part(event.Marker, &event.Range{Column: "body", From: &c.from}, event.Position{Epoch: 1, LSN: 4999, Ordinal: math.MaxUint32}, commitMicros+1e6, 0)
			f.commit()
			w.noDuplicates(dataset, len(c.keys)+3)
			var left, past []string
			for i := range c.keys {
				switch {
				case i == read:
					left = append(left, fmt.Sprintf("(%d,'read')", i))
					past = append(past, fmt.Sprintf("(%d,'v%d')", i, i))
				case slices.Contains(c.gone, i):
					past = append(past, fmt.Sprintf("(%d,'v%d')", i, i))
				default:
					left = append(left, fmt.Sprintf("(%d,'v%d')", i, i))
				}
			}
			w.expect("SELECT second, body FROM silver."+dataset+" FINAL ORDER BY second", left...)
			w.expect("SELECT second, body FROM silver."+dataset+"_history WHERE _valid_to IS NULL AND NOT _deleted ORDER BY second", left...)
			w.expect("SELECT second, body FROM silver."+dataset+"_history WHERE _valid_to IS NOT NULL ORDER BY second", past...)
			w.expect("SELECT _range FROM bronze."+dataset+" WHERE _op = 'm' ORDER BY _partition LIMIT 1", fmt.Sprintf("(%s)", list("id", "="+c.from, map[bool]string{true: "=" + c.to}[c.to != ""])))
			w.expect("SELECT count() FROM ops.dead_letter WHERE topic = '"+f.topic+"'", "(1)")
		})
	}
}

// list writes an array of texts as these tests show it.
func list(texts ...string) string {
	out := make([]string, len(texts))
	for i, text := range texts {
		out[i] = "'" + strings.NewReplacer(`\`, `\\`, "'", `\'`).Replace(text) + "'"
	}
	return "[" + strings.Join(out, ",") + "]"
}
