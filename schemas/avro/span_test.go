package avro

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hopluu/hopluu/schemas/event"
)

func end(text string) *string { return &text }

// A span finds by its name what AppendRecordID named, whatever is in the key.
func TestSpan(t *testing.T) {
	day := Type{Kind: Int, Logical: "io.debezium.time.Date"}
	for name, c := range map[string]struct {
		typ      Type
		from, to *string
		in, out  []Cell
	}{
		"integers, both ends": {Type{Kind: Long}, end("-5"), end("10"), []Cell{{N: -5}, {N: 9}, {N: 10}}, []Cell{{N: -6}, {N: 11}, {N: 100}}},
		"integers from":       {Type{Kind: Int, Logical: "int16"}, end("9"), nil, []Cell{{N: 9}, {N: 10}}, []Cell{{N: 8}, {N: -9}}},
		"dates to":            {day, nil, end("1969-12-31"), []Cell{{N: -1}, {N: -40000}}, []Cell{{N: 0}}},
		"dates":               {day, end("0001-01-01"), end("2026-01-02"), []Cell{{N: 0}, {N: 20455}}, []Cell{{N: 20456}, {N: -719163}}},
		"texts, byte by byte": {Type{Kind: String}, end("B"), end("a|\\"), []Cell{{B: []byte("B")}, {B: []byte("a|")}, {B: []byte(`a|\`)}, {B: []byte("Z")}},
			[]Cell{{B: []byte("A")}, {B: []byte("b")}, {B: []byte(`a|\|`)}, {B: []byte("đ")}}},
		"the empty text": {Type{Kind: String}, nil, end(""), []Cell{{B: []byte("")}}, []Cell{{B: []byte(" ")}}},
	} {
		columns := []Column{{Name: "id", Type: c.typ, Key: true}, {Name: "second", Type: Type{Kind: String}, Key: true}}
		s, err := CompileSpan("tax", "payer", columns, event.Range{Column: "id", From: c.from, To: c.to})
		require.NoError(t, err, name)
		for _, cells := range []struct {
			all  []Cell
			want bool
		}{{c.in, true}, {c.out, false}} {
			for _, cell := range cells.all {
				id := string(AppendRecordID(nil, "tax", "payer", columns, []Cell{cell, {B: []byte("|7")}}))
				require.Equal(t, cells.want, s.Has(id), "%s: %s", name, id)
				require.False(t, s.Has("health."+id))
			}
		}
	}
}

func TestSpanRefuses(t *testing.T) {
	columns := []Column{{Name: "id", Type: Type{Kind: Long}, Key: true}, {Name: "name", Type: Type{Kind: String}}, {Name: "uid", Type: Type{Kind: String, Logical: "io.debezium.data.Uuid"}, Key: true}}
	for reason, r := range map[string]event.Range{
		"not in the key":         {Column: "name"},
		"an end that its":        {Column: "id", From: end("x")},
		"which has none":         {Column: "uid", To: end("x")},
		`"nobody" from "1" is o`: {Column: "nobody", From: end("1")},
	} {
		_, err := CompileSpan("tax", "payer", columns, r)
		require.ErrorContains(t, err, reason)
	}
}
