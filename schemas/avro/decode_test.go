package avro

import (
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"github.com/linkedin/goavro/v2"
	"github.com/stretchr/testify/require"

	"github.com/hopluu/hopluu/schemas/event"
)

func TestColumns(t *testing.T) {
	e := mustCompile(t, visits())
	env, err := ParseEnvelope(e.ValueSchema())
	require.NoError(t, err)
	require.Equal(t, []Column{
		{Name: "id", Doc: "Mã lượt khám", Type: Type{Kind: Long}, Key: true},
		{Name: "hospital", Type: Type{Kind: String}, Key: true},
		{Name: "note", Doc: "Line one\nline \"two\"\u2028", Type: Type{Kind: String}, Nullable: true},
		{Name: "on_day", Type: Type{Kind: Int, Logical: "io.debezium.time.Date"}, Nullable: true},
		{Name: "cost", Type: Type{Kind: Bytes, Logical: "decimal", Precision: 18, Scale: 2}, Nullable: true},
		{Name: "weight", Type: Type{Kind: Double}, Nullable: true},
		{Name: "ratio", Type: Type{Kind: Float}, Nullable: true},
		{Name: "urgent", Type: Type{Kind: Boolean}, Nullable: true},
		{Name: "codes", Type: Type{Kind: Array, Elem: &Type{Kind: String}}, Nullable: true},
		{Name: "small", Type: Type{Kind: Int, Logical: "int16"}, Nullable: true},
		{Name: "scan", Type: Type{Kind: Bytes}, Nullable: true},
	}, env.Columns())
	key, err := ParseRecord(e.KeySchema())
	require.NoError(t, err)
	require.Equal(t, []Column{
		{Name: "hospital", Type: Type{Kind: String}, Key: true},
		{Name: "id", Doc: "Mã lượt khám", Type: Type{Kind: Long}, Key: true},
	}, key.Columns())
}

// debezium is an envelope as Debezium's own connector registers it: other
// order, other fields, defaults before null, no "unchanged".
const debezium = `{"type":"record","name":"Envelope","namespace":"pg.public.t","fields":[
 {"name":"ts_ms","type":["null","long"],"default":null},
 {"name":"op","type":"string"},
 {"name":"extra","type":{"type":"map","values":["null","long",{"type":"record","name":"X","fields":[
    {"name":"next","type":["null","X"],"default":null},{"name":"f","type":{"type":"fixed","name":"F","size":3}},
    {"name":"e","type":{"type":"enum","name":"E","symbols":["A","B"]}},{"name":"b","type":"boolean"},{"name":"d","type":"double"},{"name":"g","type":"float"},{"name":"y","type":"bytes"},{"name":"n","type":"null"}]}]}},
 {"name":"source","type":{"type":"record","name":"Source","namespace":"io.debezium.connector.postgresql","fields":[
   {"name":"version","type":"string"},{"name":"connector","type":"string"},{"name":"lsn","type":["null","long"],"default":null},
   {"name":"snapshot","type":[{"type":"string","connect.name":"io.debezium.data.Enum"},"null"],"default":"false"},
   {"name":"ts_ms","type":"long"},{"name":"name","type":"string"},{"name":"schema","type":"string"},{"name":"table","type":"string"},
   {"name":"txId","type":["null","string"],"default":null}],"connect.name":"io.debezium.connector.postgresql.Source"}},
 {"name":"after","type":["null",{"type":"record","name":"Value","fields":[
   {"name":"id","type":{"type":"int","connect.default":0},"default":0},{"name":"note","type":["null","string"],"default":null},
   {"name":"state","type":[{"type":"enum","name":"State","symbols":["ON","OFF"]},"null"],"default":"ON"},
   {"name":"code","type":{"type":"fixed","name":"Code","size":2}},
   {"name":"at","type":{"type":"long","logicalType":"timestamp-micros"}},
   {"name":"matrix","type":{"type":"array","items":{"type":"array","items":"int"}}}]}],"default":null},
 {"name":"before","type":["null","Value"],"default":null}]}`

// Any envelope of Debezium's form is read: fields by name, unknown ones
// skipped, and its placeholder known for what it is (P4).
func TestForeignEnvelope(t *testing.T) {
	env, err := ParseEnvelope(debezium)
	require.NoError(t, err)
	codec, err := goavro.NewCodec(debezium)
	require.NoError(t, err)
	inner := map[string]any{"next": nil, "f": []byte("abc"), "e": "B", "b": true, "d": 1.5, "g": float32(2), "y": []byte("yy"), "n": nil}
	outer := map[string]any{"next": union("pg.public.t.X", inner), "f": []byte("abc"), "e": "A", "b": false, "d": 1.5, "g": float32(2), "y": []byte{}, "n": nil}
	native := map[string]any{
		"ts_ms": union("long", int64(5)), "op": "r",
		"extra": map[string]any{"one": union("long", int64(1)), "two": union("pg.public.t.X", outer), "three": nil},
		"source": map[string]any{"version": "3.3", "connector": "postgresql", "lsn": union("long", int64(99)), "snapshot": union("string", "first_in_data_collection"),
			"ts_ms": int64(1234), "name": "pg", "schema": "public", "table": "t", "txId": union("string", "7")},
		"after": union("pg.public.t.Value", map[string]any{"id": int32(-3), "note": union("string", Placeholder), "state": union("pg.public.t.State", "OFF"),
			"code": []byte("xy"), "at": int64(17), "matrix": []any{[]any{int32(1), int32(2)}, []any{}, []any{int32(3)}}}),
		"before": nil,
	}
	delete(native["after"].(map[string]any)["pg.public.t.Value"].(map[string]any), "at")
	payload := append([]byte(nil), encodeForeign(t, codec, native)...)
	var d Decoded
	require.NoError(t, env.Decode(payload, &d))
	require.Equal(t, event.Read, d.Op)
	require.True(t, d.Snapshot)
	require.Equal(t, event.Position{LSN: 99}, d.Position)
	require.Equal(t, int64(1_234_000), d.CommitMicros)
	require.Equal(t, int64(0), d.TxID, "a txId that is a string is not ours to read")
	require.True(t, d.HasAfter)
	require.False(t, d.HasBefore)
	require.Equal(t, []int{1}, d.Unchanged)
	require.Equal(t, int64(-3), d.After[0].N)
	require.Equal(t, "OFF", string(d.After[2].B))
	require.Equal(t, "xy", string(d.After[3].B))
	require.Equal(t, int64(17), d.After[4].N)
	require.Len(t, d.After[5].Elems, 3)
	require.Equal(t, int64(2), d.After[5].Elems[0].Elems[1].N)
	require.Empty(t, d.After[5].Elems[1].Elems)
	require.Equal(t, int64(3), d.After[5].Elems[2].Elems[0].N)
	require.False(t, env.Columns()[0].Key, "a foreign schema does not say what its key is")
	require.Equal(t, "timestamp-micros", env.Columns()[4].Type.Logical)
}

// encodeForeign fills in the timestamp, which goavro takes as a time.
func encodeForeign(t *testing.T, codec *goavro.Codec, native map[string]any) []byte {
	value := native["after"].(map[string]any)["pg.public.t.Value"].(map[string]any)
	value["at"] = unixMicro(17)
	payload, err := codec.BinaryFromNative(nil, native)
	require.NoError(t, err)
	return payload
}

func TestSchemasThatAreRefused(t *testing.T) {
	env := func(columns string) string {
		return `{"type":"record","name":"E","fields":[{"name":"op","type":"string"},{"name":"after","type":["null",{"type":"record","name":"V","fields":[` + columns + `]}]}]}`
	}
	for schema, reason := range map[string]string{
		``:                             "no JSON",
		`{"type":"record"`:             "no JSON",
		`17`:                           "a type is",
		`"string"`:                     "not a record",
		`{"type":"record","name":"E"}`: "without fields",
		`{"name":"E"}`:                 "without \"type\"",
		`{"type":"record","name":"E","fields":[]}`:                                                                            "no change envelope",
		`{"type":"record","name":"E 1","fields":[]}`:                                                                          "no Avro name",
		`{"type":"record","name":"E","fields":[17]}`:                                                                          "no object",
		`{"type":"record","name":"E","fields":[{"type":"int"}]}`:                                                              "no name of a field",
		`{"type":"record","name":"E","fields":[{"name":"a"}]}`:                                                                "has no type",
		`{"type":"record","name":"E","fields":[{"name":"a","type":[]}]}`:                                                      "without a branch",
		`{"type":"record","name":"E","fields":[{"name":"a","type":[["null"]]}]}`:                                              "directly in a union",
		`{"type":"record","name":"E","fields":[{"name":"after","type":"string"},{"name":"op","type":"string"}]}`:              "not a record",
		env(`{"name":"a","type":"int"},{"name":"a","type":"int"}`):                                                            "is there twice",
		env(`{"name":"a","type":"Missing"}`):                                                                                  "unknown type",
		env(`{"name":"a","type":{"type":"map","values":"int"}}`):                                                              "not supported",
		env(`{"name":"a","type":["int","string"]}`):                                                                           "more than null and one",
		env(`{"name":"a","type":["null"]}`):                                                                                   "null alone",
		env(`{"name":"a","type":"null"}`):                                                                                     "not supported",
		env(`{"name":"a","type":{"type":"enum","name":"X","symbols":[]}}`):                                                    "without symbols",
		env(`{"name":"a","type":{"type":"enum","name":"X","symbols":[1]}}`):                                                   "no string",
		env(`{"name":"a","type":{"type":"fixed","name":"X","size":-1}}`):                                                      "whole number",
		env(`{"name":"a","type":{"type":"bytes","logicalType":"decimal"}}`):                                                   "precision",
		env(`{"name":"a","type":{"type":"bytes","logicalType":"decimal","precision":2,"scale":3}}`):                           "scale 3",
		env(`{"name":"a","type":` + strings.Repeat(`{"type":"array","items":`, 70) + `"int"` + strings.Repeat(`}`, 70) + `}`): "nested deeper",
		`{"type":"record","name":"E","fields":[{"name":"op","type":"string"},{"name":"before","type":{"type":"record","name":"A","fields":[{"name":"a","type":"int"}]}},{"name":"after","type":{"type":"record","name":"B","fields":[{"name":"a","type":"long"}]}}]}`: "differ",
	} {
		_, err := ParseEnvelope(schema)
		require.ErrorContains(t, err, reason, schema)
		var schemaErr *SchemaError
		require.ErrorAs(t, err, &schemaErr, schema)
	}
}

// P3, P8: bytes that are not what the schema says are an error with the field
// in it, and lengths that lie cost no memory.
func TestHostilePayloads(t *testing.T) {
	e := mustCompile(t, visits())
	env, err := ParseEnvelope(e.ValueSchema())
	require.NoError(t, err)
	msg, err := e.AppendValue(nil, 1, update1())
	require.NoError(t, err)
	payload := payloadOf(t, msg)
	var d Decoded
	for n := range len(payload) {
		var decodeErr *DecodeError
		require.ErrorAs(t, env.Decode(payload[:n:n], &d), &decodeErr, "cut at %d", n)
	}
	require.ErrorContains(t, env.Decode(append(payload[:len(payload):len(payload)], 0), &d), "left over")

	huge := AppendLong(nil, math.MaxInt64)
	row := `{"type":"record","name":"R","fields":[{"name":"a","type":`
	for name, c := range map[string]struct {
		schema  string
		payload []byte
	}{
		"a string of 2^63 bytes":          {row + `"string"}]}`, huge},
		"a string of -1 bytes":            {row + `"string"}]}`, AppendLong(nil, -1)},
		"an array of 2^63 items":          {row + `{"type":"array","items":"string"}}]}`, huge},
		"an array of -2^63 items":         {row + `{"type":"array","items":"string"}}]}`, AppendLong(nil, math.MinInt64)},
		"a block of 2^63 bytes":           {row + `{"type":"array","items":"int"}}]}`, append(AppendLong(nil, -1), huge...)},
		"an int of 64 bits":               {row + `"int"}]}`, huge},
		"a number of 11 bytes":            {row + `"long"}]}`, []byte("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01")},
		"a boolean of 2":                  {row + `"boolean"}]}`, []byte{2}},
		"a branch that is not there":      {row + `["null","int"]}]}`, []byte{4, 0}},
		"a negative branch":               {row + `["null","int"]}]}`, []byte{1, 0}},
		"a symbol that is not there":      {row + `{"type":"enum","name":"X","symbols":["A"]}}]}`, []byte{2}},
		"items of no bytes, many of them": {row + `{"type":"array","items":{"type":"fixed","name":"F","size":0}}}]}`, AppendLong(nil, 1<<40)},
	} {
		record, err := ParseRecord(c.schema)
		require.NoError(t, err, name)
		_, err = record.Decode(c.payload, nil)
		var decodeErr *DecodeError
		require.ErrorAs(t, err, &decodeErr, name)
		require.Equal(t, "a", decodeErr.Field, name)
	}

	// Skipped fields are bounded too: arrays of nulls, types without end.
	skipped := func(typ string) string {
		return `{"type":"record","name":"E","fields":[{"name":"x","type":` + typ + `},{"name":"op","type":"string"},{"name":"after","type":["null",{"type":"record","name":"V","fields":[]}]}]}`
	}
	for name, c := range map[string]struct {
		typ     string
		payload []byte
	}{
		"an array of 2^40 nulls": {`{"type":"array","items":"null"}`, AppendLong(nil, 1<<40)},
		"a record of itself":     {`{"type":"record","name":"L","fields":[{"name":"l","type":"L"}]}`, []byte{0}},
		"doubling records":       {`{"type":"record","name":"L","fields":[{"name":"l","type":"L"},{"name":"m","type":"L"}]}`, make([]byte, 1000)},
		"a list of 100 links":    {`{"type":"record","name":"L","fields":[{"name":"l","type":["null","L"]}]}`, append([]byte(strings.Repeat("\x02", 100)), 0)},
		"a map of long keys":     {`{"type":"map","values":"int"}`, append(AppendLong(nil, 1), huge...)},
	} {
		env, err := ParseEnvelope(skipped(c.typ))
		require.NoError(t, err, name)
		var decodeErr *DecodeError
		require.ErrorAs(t, env.Decode(c.payload, &d), &decodeErr, name)
		require.Equal(t, "x", decodeErr.Field, name)
	}
	env, err = ParseEnvelope(skipped(`"int"`))
	require.NoError(t, err)
	require.ErrorContains(t, env.Decode([]byte{0, 2, 'x', 0}, &d), "none of c, u, d, r, t and m")
	require.ErrorContains(t, env.Decode([]byte{0, 4, 'c', 'c', 0}, &d), "none of c, u, d, r, t and m")
}

func TestUnchangedNamesMustBeColumns(t *testing.T) {
	e := mustCompile(t, visits())
	env, err := ParseEnvelope(e.ValueSchema())
	require.NoError(t, err)
	msg, err := e.AppendValue(nil, 1, update1())
	require.NoError(t, err)
	payload := payloadOf(t, msg)
	payload[len(payload)-2] = 'X' // "codes" is "codeX"
	var d Decoded
	require.ErrorContains(t, env.Decode(payload, &d), "names a column")
}

func TestSplitWire(t *testing.T) {
	id, payload, err := SplitWire([]byte{0, 1, 2, 3, 4, 5, 6})
	require.NoError(t, err)
	require.Equal(t, uint32(0x01020304), id)
	require.Equal(t, []byte{5, 6}, payload)
	for _, msg := range [][]byte{nil, {}, {0, 1, 2, 3}, {1, 0, 0, 0, 1, 2}, []byte(`{"a":1}`)} {
		_, _, err := SplitWire(msg)
		require.ErrorIs(t, err, ErrNotWire)
	}
}

// kinds are columns of each kind: how to write them and random values, as the
// text that goes in and the cell that comes out.
var kinds = []struct {
	typ    any
	append func(dst, text []byte) ([]byte, error)
	value  func(*rand.Rand) (string, Cell)
}{
	{"long", appendInteger, func(r *rand.Rand) (string, Cell) {
		n := int64(r.Uint64()) >> r.IntN(64)
		return strconv.FormatInt(n, 10), Cell{N: n}
	}},
	{map[string]any{"type": "int", "connect.name": "io.debezium.time.Date"}, appendInteger, func(r *rand.Rand) (string, Cell) {
		n := int64(int32(r.Uint32())) >> r.IntN(32)
		return strconv.FormatInt(n, 10), Cell{N: n}
	}},
	{"double", appendDouble, func(r *rand.Rand) (string, Cell) {
		f := r.NormFloat64() * math.Pow(10, float64(r.IntN(600)-300))
		return strconv.FormatFloat(f, 'g', -1, 64), Cell{F: f}
	}},
	{"float", appendFloat, func(r *rand.Rand) (string, Cell) {
		f := float32(r.NormFloat64())
		return strconv.FormatFloat(float64(f), 'g', -1, 32), Cell{F: float64(f)}
	}},
	{"boolean", appendBool, func(r *rand.Rand) (string, Cell) {
		n := r.Int64N(2)
		return string("ft"[n]), Cell{N: n}
	}},
	{"string", appendText, func(r *rand.Rand) (string, Cell) {
		s := strings.Repeat("ạb", r.IntN(100))
		return s, Cell{B: []byte(s)}
	}},
	{"bytes", appendText, func(r *rand.Rand) (string, Cell) {
		b := make([]byte, r.IntN(20))
		for i := range b {
			b[i] = byte(r.Uint32())
		}
		return string(b), Cell{B: b}
	}},
	{map[string]any{"type": "array", "items": []any{"null", "string"}}, appendList, func(r *rand.Rand) (string, Cell) {
		var items []string
		c := Cell{}
		for range r.IntN(5) {
			if r.IntN(3) == 0 {
				items, c.Elems = append(items, "-"), append(c.Elems, Cell{Null: true})
			} else {
				items, c.Elems = append(items, "xy"), append(c.Elems, Cell{B: []byte("xy")})
			}
		}
		return strings.Join(items, ","), c
	}},
}

// What is encoded is decoded: random tables, random rows, one Decoded and one
// encoder for many rows, so that nothing of one row shows in the next.
func TestEncodeThenDecodeGivesTheSameCells(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	for range 100 {
		table := Table{Source: "s", Database: "d", Schema: "p", Name: "t"}
		values := []func(*rand.Rand) (string, Cell){}
		for i := range 1 + r.IntN(12) {
			k := kinds[r.IntN(len(kinds))]
			isKey := r.IntN(4) == 0
			if isKey {
				table.Key = append(table.Key, i)
			}
			table.Fields = append(table.Fields, Field{Name: "c" + strconv.Itoa(i), Column: i, Type: k.typ, Nullable: !isKey, Append: k.append})
			values = append(values, k.value)
		}
		e := mustCompile(t, table)
		env, err := ParseEnvelope(e.ValueSchema())
		require.NoError(t, err)
		var d Decoded
		for range 30 {
			ev := &event.Event{Op: []event.Op{event.Create, event.Update, event.Delete, event.Read}[r.IntN(4)],
				Position: event.Position{Epoch: r.Uint32(), LSN: event.LSN(r.Uint64()), Ordinal: r.Uint32()},
				TxID:     r.Uint32(), CommitMicros: int64(r.Uint64()) >> 8, Snapshot: r.IntN(2) == 0}
			var before, after []Cell
			var missing []int
			image := func(toast bool) (event.Row, []Cell) {
				row, cells := event.Row{}, []Cell{}
				for i, f := range table.Fields {
					text, cell := values[i](r)
					switch v := r.IntN(4); {
					case f.Nullable && v == 0:
						row, cells = append(row, event.Value{}), append(cells, Cell{Null: true})
					case f.Nullable && v == 1 && toast:
						row, cells = append(row, event.Value{State: event.Unchanged}), append(cells, Cell{})
						missing = append(missing, i)
					default:
						row, cells = append(row, present(text)), append(cells, cell)
					}
				}
				return row, cells
			}
			if ev.Op == event.Delete || ev.Op == event.Update && r.IntN(2) == 0 {
				ev.Before, before = image(false)
			}
			if ev.Op != event.Delete {
				ev.After, after = image(ev.Op == event.Update)
			}
			msg, err := e.AppendValue(nil, 5, ev)
			require.NoError(t, err)
			require.NoError(t, env.Decode(payloadOf(t, msg), &d))
			require.Equal(t, ev.Op, d.Op)
			require.Equal(t, ev.Position, d.Position)
			require.Equal(t, ev.Snapshot, d.Snapshot)
			require.Equal(t, int64(ev.TxID), d.TxID)
			require.Equal(t, ev.CommitMicros, d.CommitMicros)
			require.ElementsMatch(t, missing, d.Unchanged)
			for _, i := range missing { // their cells hold nothing of worth
				d.After[i] = Cell{}
			}
			requireCells(t, before, d.Before)
			requireCells(t, after, d.After)
		}
	}
}

func requireCells(t *testing.T, want, got []Cell) {
	t.Helper()
	require.Len(t, got, len(want))
	for i := range want {
		require.Equal(t, want[i].Null, got[i].Null)
		require.Equal(t, want[i].N, got[i].N)
		require.Equal(t, want[i].F, got[i].F)
		require.Equal(t, string(want[i].B), string(got[i].B))
		requireCells(t, want[i].Elems, got[i].Elems)
	}
}
