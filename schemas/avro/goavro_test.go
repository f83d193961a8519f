package avro

import (
	"math"
	"math/big"
	"strings"
	"testing"

	hamba "github.com/hamba/avro/v2"
	"github.com/linkedin/goavro/v2"
	"github.com/stretchr/testify/require"

	"github.com/hopluu/hopluu/schemas/event"
)

func union(branch string, v any) any { return map[string]any{branch: v} }

// fullNative is what goavro reads of fullRow.
func fullNative() map[string]any {
	return map[string]any{
		"id": int64(42), "hospital": "BV|115", "note": union("string", "ghi chú"), "on_day": union("int", int32(-25567)),
		"cost": union("bytes.decimal", big.NewRat(-123456, 100)), "weight": union("double", 61.5),
		"ratio": union("float", float32(0.25)), "urgent": union("boolean", true),
		"codes": union("array", []any{union("string", "a"), nil, union("string", "c")}),
		"small": union("int", int32(-7)), "scan": union("bytes", []byte("\x00\xff")),
	}
}

func nullNative() map[string]any {
	return map[string]any{
		"id": int64(-1), "hospital": "", "note": nil, "on_day": nil, "cost": nil, "weight": nil, "ratio": nil,
		"urgent": nil, "codes": nil, "small": nil, "scan": nil,
	}
}

const valueBranch = "health.public.visit.Value"

func natives() map[string]map[string]any {
	source := func(ev *event.Event, snapshot string, ms int64, ns any) map[string]any {
		var tx any
		if ev.TxID != 0 {
			tx = union("long", int64(ev.TxID))
		}
		return map[string]any{
			"version": "1", "connector": "postgresql", "name": "health", "ts_ms": ms, "snapshot": snapshot,
			"db": "health_db", "sequence": nil, "ts_us": union("long", ev.CommitMicros), "ts_ns": ns,
			"schema": "public", "table": "visit", "txId": tx, "lsn": union("long", int64(ev.Position.LSN)), "xmin": nil,
			"epoch": int64(ev.Position.Epoch), "commitLsn": int64(ev.Position.LSN), "ordinal": int64(ev.Position.Ordinal),
		}
	}
	after := fullNative()
	after["note"], after["codes"] = union("string", Placeholder), nil
	out := map[string]map[string]any{
		"create":   {"before": nil, "after": union(valueBranch, fullNative()), "unchanged": nil},
		"update":   {"before": union(valueBranch, nullNative()), "after": union(valueBranch, after), "unchanged": union("array", []any{"note", "codes"})},
		"delete":   {"before": union(valueBranch, nullNative()), "after": nil, "unchanged": nil},
		"read":     {"before": nil, "after": union(valueBranch, nullNative()), "unchanged": nil},
		"truncate": {"before": nil, "after": nil, "unchanged": nil},
		"marker":   {"before": nil, "after": nil, "unchanged": nil},
		"range":    {"before": nil, "after": nil, "unchanged": nil},
	}
	millis := map[string]int64{"create": 0, "marker": 0, "range": 0, "update": 1_700_000_000_123, "delete": -1, "read": 1_600_000_000_000, "truncate": 9_223_372_036_854_775}
	for name, ev := range events() {
		snapshot := "false"
		if name == "read" {
			snapshot = "true"
		}
		var ns any
		if name != "truncate" { // its commit is too late for nanoseconds
			ns = union("long", ev.CommitMicros*1000)
		}
		n := out[name]
		n["source"] = source(ev, snapshot, millis[name], ns)
		n["transaction"], n["op"], n["range"] = nil, ev.Op.String(), nil
		if name == "range" {
			n["range"] = union("hopluu.Range", map[string]any{"column": "hospital", "from": union("string", "BV|1"), "to": nil})
		}
		if name == "update" {
			n["transaction"] = union("event.block", map[string]any{"id": "4000000000:97500059720", "total_order": int64(7), "data_collection_order": int64(3)})
		}
		n["ts_ms"], n["ts_us"], n["ts_ns"] = union("long", millis[name]), union("long", ev.CommitMicros), ns
	}
	return out
}

// goavro is the reference: what we write it reads as the same value.
func TestGoavroReadsWhatWeWrite(t *testing.T) {
	e := mustCompile(t, visits())
	value, err := goavro.NewCodec(e.ValueSchema())
	require.NoError(t, err)
	key, err := goavro.NewCodec(e.KeySchema())
	require.NoError(t, err)
	want := natives()
	for name, ev := range events() {
		msg, err := e.AppendValue(nil, 77, ev)
		require.NoError(t, err, name)
		got, rest, err := value.NativeFromBinary(payloadOf(t, msg))
		require.NoError(t, err, name)
		require.Empty(t, rest, name)
		require.Equal(t, any(want[name]), got, name)
	}
	msg, err := e.AppendKey(nil, 78, fullRow())
	require.NoError(t, err)
	got, rest, err := key.NativeFromBinary(payloadOf(t, msg))
	require.NoError(t, err)
	require.Empty(t, rest)
	require.Equal(t, any(map[string]any{"hospital": "BV|115", "id": int64(42)}), got)
}

// What goavro writes we read as the same event.
func TestWeReadWhatGoavroWrites(t *testing.T) {
	e := mustCompile(t, visits())
	codec, err := goavro.NewCodec(e.ValueSchema())
	require.NoError(t, err)
	env, err := ParseEnvelope(e.ValueSchema())
	require.NoError(t, err)
	var into Decoded
	for name, native := range natives() {
		payload, err := codec.BinaryFromNative(nil, native)
		require.NoError(t, err, name)
		require.NoError(t, env.Decode(payload, &into), name)
		requireEvent(t, events()[name], &into)
	}
}

// The schemas are Avro to a second library too, and to the registries that
// use one like it.
func TestHambaParsesOurSchemas(t *testing.T) {
	e := mustCompile(t, visits())
	for _, s := range []string{e.KeySchema(), e.ValueSchema()} {
		_, err := hamba.ParseBytesWithCache([]byte(s), "", &hamba.SchemaCache{})
		require.NoError(t, err)
	}
}

func requireEvent(t *testing.T, ev *event.Event, d *Decoded) {
	t.Helper()
	require.Equal(t, ev.Op, d.Op)
	require.Equal(t, ev.Position, d.Position)
	require.Equal(t, int64(ev.TxID), d.TxID)
	require.Equal(t, ev.CommitMicros, d.CommitMicros)
	require.Equal(t, ev.Snapshot, d.Snapshot)
	require.Equal(t, ev.Range, d.Range)
	require.Equal(t, []string{"health", "public", "visit"}, []string{d.Source, d.Schema, d.Table})
	require.Equal(t, ev.Before != nil, d.HasBefore)
	require.Equal(t, ev.After != nil, d.HasAfter)
	var want []int
	for i, v := range ev.After {
		if v.State == event.Unchanged {
			want = append(want, i)
		}
	}
	require.ElementsMatch(t, want, d.Unchanged)
	requireRow(t, ev.Before, d.Before)
	requireRow(t, ev.After, d.After)
}

func requireRow(t *testing.T, row event.Row, cells []Cell) {
	t.Helper()
	require.Len(t, cells, len(row))
	for i, v := range row {
		switch v.State {
		case event.Null:
			require.True(t, cells[i].Null, "column %d", i)
			continue
		case event.Unchanged:
			continue
		}
		c := cells[i]
		require.False(t, c.Null, "column %d", i)
		text := string(v.Text)
		switch i {
		case 1, 2, 10:
			require.Equal(t, text, string(c.B))
		case 5, 6:
			require.Equal(t, map[string]float64{"61.5": 61.5, "0.25": 0.25}[text], c.F)
		case 7:
			require.Equal(t, text == "t", c.N == 1)
		case 4:
			require.Equal(t, text, string(AppendDecimal(nil, c.B, 2)))
		case 8:
			require.Len(t, c.Elems, 3)
			require.Equal(t, "a", string(c.Elems[0].B))
			require.True(t, c.Elems[1].Null)
			require.Equal(t, "c", string(c.Elems[2].B))
		default:
			n, err := appendInteger(nil, v.Text)
			require.NoError(t, err)
			require.Equal(t, n, AppendLong(nil, c.N))
		}
	}
}

// A commit time past 2262 has no nanoseconds rather than wrong ones.
func TestLateCommitHasNoNanoseconds(t *testing.T) {
	require.Equal(t, byte(branchNull), appendTimes(nil, math.MaxInt64)[len(appendTimes(nil, math.MaxInt64))-1])
	require.Equal(t, int64(-2), floorMillis(-1001))
}

// Topics of an earlier release go on: the field range is new, those who read
// with it read what was written without it (BACKWARD), and a field of that name
// which is not ours is passed over.
func TestEnvelopesWithoutARange(t *testing.T) {
	e := mustCompile(t, visits())
	at := strings.LastIndex(e.ValueSchema(), `,{"name":"range"`)
	end := strings.LastIndex(e.ValueSchema(), `],"connect.name"`)
	require.Less(t, at, end)
	earlier := e.ValueSchema()[:at] + e.ValueSchema()[end:]
	now, err := hamba.ParseBytesWithCache([]byte(e.ValueSchema()), "", &hamba.SchemaCache{})
	require.NoError(t, err)
	was, err := hamba.ParseBytesWithCache([]byte(earlier), "", &hamba.SchemaCache{})
	require.NoError(t, err)
	require.NoError(t, hamba.NewSchemaCompatibility().Compatible(now, was))

	env, err := ParseEnvelope(earlier)
	require.NoError(t, err)
	var d Decoded
	msg, err := e.AppendValue(nil, 1, update1())
	require.NoError(t, err)
	payload := payloadOf(t, msg)
	require.Equal(t, byte(branchNull), payload[len(payload)-1], "one byte more")
	require.NoError(t, env.Decode(payload[:len(payload)-1], &d))
	requireEvent(t, update1(), &d)

	env, err = ParseEnvelope(strings.Replace(e.ValueSchema(), `"name":"Range","namespace":"hopluu"`, `"name":"Range","namespace":"other"`, 1))
	require.NoError(t, err)
	msg, err = e.AppendValue(nil, 1, events()["range"])
	require.NoError(t, err)
	d.Range = &event.Range{Column: "of the event before"}
	require.NoError(t, env.Decode(payloadOf(t, msg), &d))
	require.Nil(t, d.Range)
}
