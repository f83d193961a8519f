package avro

import (
	"testing"

	"github.com/linkedin/goavro/v2"
	"github.com/stretchr/testify/require"

	"github.com/hopluu/hopluu/schemas/event"
)

// Boundaries read as Debezium's to the reference library.
func TestBoundaries(t *testing.T) {
	keySchema, valueSchema, err := BoundarySchemas()
	require.NoError(t, err)
	key, err := goavro.NewCodec(keySchema)
	require.NoError(t, err)
	value, err := goavro.NewCodec(valueSchema)
	require.NoError(t, err)
	read := func(codec *goavro.Codec, msg []byte) any {
		id, payload, err := SplitWire(msg)
		require.NoError(t, err)
		require.EqualValues(t, 5, id)
		got, rest, err := codec.NativeFromBinary(payload)
		require.NoError(t, err)
		require.Empty(t, rest)
		return got
	}
	b := &Boundary{TxID: 571, LSN: 53195829, CommitMicros: -1}
	require.Equal(t, any(map[string]any{"id": "571:53195829"}), read(key, AppendBoundaryKey(nil, 5, b)))
	require.Equal(t, any(map[string]any{"status": "BEGIN", "id": "571:53195829", "event_count": nil, "data_collections": nil, "ts_ms": int64(-1)}),
		read(value, AppendBoundaryValue(nil, 5, b)))
	b = &Boundary{TxID: 1<<32 - 1, LSN: 1<<64 - 1, CommitMicros: 1_700_000_000_123_456, End: true, Tables: []TableEvents{{"public.a", 2}, {"public.b", 1}}}
	require.Equal(t, any(map[string]any{"status": "END", "id": "4294967295:18446744073709551615", "event_count": union("long", int64(3)),
		"data_collections": union("array", []any{
			map[string]any{"data_collection": "public.a", "event_count": int64(2)},
			map[string]any{"data_collection": "public.b", "event_count": int64(1)},
		}), "ts_ms": int64(1_700_000_000_123)}), read(value, AppendBoundaryValue(nil, 5, b)))
	b.Tables = nil
	require.Equal(t, union("array", []any{}), read(value, AppendBoundaryValue(nil, 5, b)).(map[string]any)["data_collections"])
}

// P6: an event's block depends on the event alone, not on the one that was
// encoded before it.
func TestTransactionBlockKnowsNoOrder(t *testing.T) {
	var all []*event.Event
	for _, p := range []transactionName{{7, 100}, {7, 200}, {8, 200}, {7, 100}} {
		ev := update1()
		ev.TxID, ev.Position.LSN = p.xid, p.lsn
		all = append(all, ev)
	}
	one := mustCompile(t, visits())
	for _, ev := range all {
		got, err := one.AppendValue(nil, 1, ev)
		require.NoError(t, err)
		want, err := mustCompile(t, visits()).AppendValue(nil, 1, ev)
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
}
