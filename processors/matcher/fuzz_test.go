package matcher

import (
	"encoding/binary"
	"errors"
	"strings"
	"testing"

	"github.com/hopluu/hopluu/processors/identity/linkage"
	"github.com/hopluu/hopluu/schemas/event"
	"github.com/hopluu/hopluu/schemas/topic"
	"github.com/stretchr/testify/require"
)

// Case 19, P3: whatever a vault message holds, it is read and normalised, or is
// undecodable with a reason on one line.
func FuzzDecode(f *testing.F) {
	x := newFixture(f, everyMatch, plain("patient_id", false, "long"), plain("cccd", true, "string"), plain("cmnd", true, "long"), plain("full_name", true, "string"),
		plain("birth", true, aDate), plain("died", true, aTimestamp), plain("sex", true, "string"), plain("ward", true, "string"))
	for _, ev := range []event.Event{
		{Op: event.Create, After: cells("7", "079085001234", "24517348", "Nguyễn Văn An", "5557", "-1", "male", "26734")},
		{Op: event.Update, After: cells("7", "079085001234", "", "", "unchanged", "", "", "")},
		{Op: event.Delete, Before: cells("7", "", "", "", "", "", "", ""), BeforeKeyOnly: true},
		{Op: event.Truncate},
		{Op: event.Marker, Range: &event.Range{Column: "patient_id"}},
	} {
		rec := x.message(f, &ev)
		key := []byte{}
		if len(rec.Key) > 0 {
			key = rec.Key[5:]
		}
		f.Add(key, rec.Value[5:])
	}
	wire := func(id uint32, payload []byte) []byte {
		return append(binary.BigEndian.AppendUint32([]byte{0}, id), payload...)
	}
	model, err := linkage.Default(DefaultModel)
	require.NoError(f, err)
	engine, err := linkage.NewEngine(model, nil)
	require.NoError(f, err)
	f.Fuzz(func(t *testing.T, key, value []byte) {
		for _, rec := range []*topic.Record{{Key: wire(1, key), Value: wire(2, value)}, {Key: wire(1, key)}} {
			rec.Topic = x.lane.topic
			var msg message
			err := x.decoder.decode(t.Context(), x.lane, rec, &msg)
			var bad *undecodableError
			if err != nil {
				require.True(t, errors.As(err, &bad), "%v", err)
				require.False(t, strings.Contains(err.Error(), "\n"))
				continue
			}
			if !msg.tombstone && msg.op != event.Truncate && msg.op != event.Marker {
				require.NotEmpty(t, msg.raw.ID)
				engine.Upsert(&msg.raw) // it takes any text
			}
		}
	})
}
