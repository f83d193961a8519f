package sink

import (
	"fmt"
	"math"
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
