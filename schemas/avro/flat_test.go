package avro

import (
	"testing"
	"time"

	hamba "github.com/hamba/avro/v2"
	"github.com/linkedin/goavro/v2"
	"github.com/stretchr/testify/require"
)

func unixMicro(n int64) time.Time { return time.UnixMicro(n).UTC() }

func linkFields() []FlatField {
	return []FlatField{
		{Name: "record", Type: "string", Doc: `name of the "record"`}, {Name: "person_id", Type: "string"},
		{Name: "citizen", Type: "string", Nullable: true}, {Name: "weight", Type: "double"}, {Name: "ratio", Type: "float"},
		{Name: "at", Type: "long"}, {Name: "version", Type: "int", Nullable: true}, {Name: "sure", Type: "boolean"}, {Name: "raw", Type: "bytes", Nullable: true},
	}
}

func TestFlat(t *testing.T) {
	f, err := CompileFlat("identity.link", "Value", linkFields())
	require.NoError(t, err)
	golden(t, "link-value.avsc", []byte(f.Schema()))
	cells := []Cell{{B: []byte("a:1")}, {B: []byte("p12")}, {Null: true}, {F: 1.5}, {F: 0.25}, {N: -9}, {N: 1<<31 - 1}, {N: 1}, {B: []byte{0, 255}}}
	msg, err := f.Append([]byte("x"), 9, cells)
	require.NoError(t, err)
	id, payload, err := SplitWire(msg[1:])
	require.NoError(t, err)
	require.Equal(t, uint32(9), id)
	codec, err := goavro.NewCodec(f.Schema())
	require.NoError(t, err)
	native, rest, err := codec.NativeFromBinary(payload)
	require.NoError(t, err)
	require.Empty(t, rest)
	require.Equal(t, any(map[string]any{"record": "a:1", "person_id": "p12", "citizen": nil, "weight": 1.5, "ratio": float32(0.25), "at": int64(-9),
		"version": union("int", int32(1<<31-1)), "sure": true, "raw": union("bytes", []byte{0, 255})}), native)
	_, err = hamba.ParseBytesWithCache([]byte(f.Schema()), "", &hamba.SchemaCache{})
	require.NoError(t, err)
	record, err := ParseRecord(f.Schema())
	require.NoError(t, err)
	got, err := record.Decode(payload, nil)
	require.NoError(t, err)
	requireCells(t, cells, got)
	require.Equal(t, `name of the "record"`, record.Columns()[0].Doc)
}

func TestFlatRefuses(t *testing.T) {
	for _, fields := range [][]FlatField{
		{{Name: "a", Type: "null"}}, {{Name: "a", Type: "date"}}, {{Name: "a b", Type: "int"}}, {{Name: "a", Type: "int"}, {Name: "a", Type: "int"}},
	} {
		_, err := CompileFlat("n", "R", fields)
		require.Error(t, err)
	}
	_, err := CompileFlat("n n", "R", nil)
	require.Error(t, err)
	f, err := CompileFlat("n", "R", []FlatField{{Name: "s", Type: "string"}, {Name: "i", Type: "int"}})
	require.NoError(t, err)
	for _, cells := range [][]Cell{{}, {{}, {}, {}}, {{Null: true}, {}}, {{B: []byte("\xff")}, {}}, {{}, {N: 1 << 31}}} {
		dst, err := f.Append([]byte("kept"), 1, cells)
		var cellErr *CellError
		require.ErrorAs(t, err, &cellErr)
		require.Equal(t, "kept", string(dst))
	}
}

func TestRecordID(t *testing.T) {
	for want, c := range map[string]struct {
		t    Type
		cell Cell
	}{
		"s.t:42": {Type{Kind: Long}, Cell{N: 42}}, "s.t:-1": {Type{Kind: Int}, Cell{N: -1}}, "s.t:true": {Type{Kind: Boolean}, Cell{N: 1}}, "s.t:false": {Type{Kind: Boolean}, Cell{}},
		`s.t:a\|b\\c`: {Type{Kind: String}, Cell{B: []byte(`a|b\c`)}}, "s.t:": {Type{Kind: String}, Cell{}}, `s.t:\N`: {Type{Kind: String}, Cell{Null: true}},
		`s.t:\\N`: {Type{Kind: String}, Cell{B: []byte(`\N`)}},
		"s.t:1.5": {Type{Kind: Double}, Cell{F: 1.5}}, "s.t:0.1": {Type{Kind: Float}, Cell{F: float64(float32(0.1))}}, "s.t:00ff": {Type{Kind: Bytes}, Cell{B: []byte{0, 255}}},
		"s.t:-0.01": {Type{Kind: Bytes, Logical: "decimal", Precision: 12, Scale: 2}, Cell{B: []byte{255}}},
		"s.t:{1,2}": {Type{Kind: Array, Elem: &Type{Kind: Int}}, Cell{Elems: []Cell{{N: 1}, {N: 2}}}},
	} {
		require.Equal(t, want, string(AppendRecordID(nil, "s", "t", []Column{{Type: c.t}}, []Cell{c.cell})))
	}
	key := []Column{{Type: Type{Kind: String}}, {Type: Type{Kind: Long}}}
	require.Equal(t, "xhealth.visit:BV115|7", string(AppendRecordID([]byte("x"), "health", "visit", key, []Cell{{B: []byte("BV115")}, {N: 7}})))
	// No two keys share a name.
	two := key[:1:1]
	two = append(two, key[0])
	name := func(a, b string) string {
		return string(AppendRecordID(nil, "s", "t", two, []Cell{{B: []byte(a)}, {B: []byte(b)}}))
	}
	require.NotEqual(t, name("a|", "b"), name("a", "|b"))
	require.NotEqual(t, name(`a\`, "b"), name("a", `\b`))
	list := func(elems ...Cell) string {
		return string(AppendRecordID(nil, "s", "t", []Column{{Type: Type{Kind: Array, Elem: &Type{Kind: String}}}}, []Cell{{Elems: elems}}))
	}
	require.NotEqual(t, list(Cell{B: []byte("a,b")}), list(Cell{B: []byte("a")}, Cell{B: []byte("b")}))
	require.NotEqual(t, list(Cell{B: []byte(`\N`)}), list(Cell{Null: true}))
	require.Equal(t, `s.t:{a\,b,\N}`, list(Cell{B: []byte("a,b")}, Cell{Null: true}))
}

func TestAppendDecimal(t *testing.T) {
	for want, c := range map[string]struct {
		unscaled []byte
		scale    int
	}{
		"0": {nil, 0}, "0.00": {[]byte{0}, 2}, "127": {[]byte{127}, 0}, "-128": {[]byte{128}, 0}, "-1.28": {[]byte{128}, 2}, "1.28": {[]byte{0, 128}, 2},
		"-9223372036854775808":  {[]byte{128, 0, 0, 0, 0, 0, 0, 0}, 0},
		"-92233720368547758.09": {[]byte{255, 127, 255, 255, 255, 255, 255, 255, 255}, 2},
		"184467440737095516.16": {[]byte{1, 0, 0, 0, 0, 0, 0, 0, 0}, 2},
		"0.001":                 {[]byte{1}, 3},
	} {
		require.Equal(t, want, string(AppendDecimal(nil, c.unscaled, c.scale)))
	}
}
