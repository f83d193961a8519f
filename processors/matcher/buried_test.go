package matcher

import (
	"testing"

	"github.com/hopluu/hopluu/processors/identity/linkage"
	"github.com/hopluu/hopluu/schemas/event"
	"github.com/hopluu/hopluu/schemas/topic"
	"github.com/stretchr/testify/require"
)

// P2: a tombstone under a former form of a key lies in another partition than what
// came of the record since, so it may be read before or after that: it says that
// the record was deleted then, and takes nothing newer away.
func TestATombstoneUnderAFormerKeyTakesNothingNewer(t *testing.T) {
	x := newFixture(t, everyMatch, plain("patient_id", false, "long"), plain("full_name", true, "string"))
	at := func(lsn event.LSN) event.Position { return event.Position{Epoch: 1, LSN: lsn, Ordinal: 1} }
	row := func(lsn event.LSN) *topic.Record {
		return x.message(t, &event.Event{Op: event.Create, Position: at(lsn), After: cells("7", "Nguyễn Văn An")})
	}
	buried := func(lsn event.LSN) *topic.Record {
		rec := row(lsn)
		rec.Value, rec.Headers = nil, []topic.Header{topic.DeletedAt(at(lsn))}
		return rec
	}
	for name, c := range map[string]struct {
		records []*topic.Record
		there   bool
	}{
		"the stale row, then its tombstone":        {[]*topic.Record{row(10), buried(20)}, false},
		"the tombstone, then the stale row":        {[]*topic.Record{buried(20), row(10)}, false},
		"a row of later, then the tombstone":       {[]*topic.Record{row(30), buried(20)}, true},
		"the tombstone, then a row of later":       {[]*topic.Record{buried(20), row(30)}, true},
		"both, and the stale row in between":       {[]*topic.Record{row(30), row(10), buried(20)}, true},
		"one that was deleted again since it came": {[]*topic.Record{row(30), buried(20), buried(40)}, false},
	} {
		t.Run(name, func(t *testing.T) {
			model, err := linkage.Default(DefaultModel)
			require.NoError(t, err)
			engine, err := linkage.NewEngine(model, nil)
			require.NoError(t, err)
			m := &Matcher{engine: engine, staleDelete: map[topic.Partition]string{}}
			for i, rec := range c.records {
				rec.ID = int32(i)
				var msg message
				require.NoError(t, x.decoder.decode(t.Context(), x.lane, rec, &msg))
				m.take(rec.Partition, x.lane, &msg)
			}
			require.Equal(t, c.there, engine.Forget("health.patient:7"), "whether it was known")
		})
	}
}
