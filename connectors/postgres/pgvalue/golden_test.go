package pgvalue

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"math"
	"math/big"
	"os"
	"testing"

	"github.com/linkedin/goavro/v2"
	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write the golden table's Avro half")

// row is a line of the golden table: what PostgreSQL 15 printed under the
// settings of the package's documentation, and what we make of it. A type
// that is not built in has the OID 0.
type row struct {
	Type   string          `json:"type"`
	OID    uint32          `json:"oid"`
	Typmod int32           `json:"typmod"`
	Text   string          `json:"text"`
	Avro   json.RawMessage `json:"avro"`
	Value  json.RawMessage `json:"value"` // as goavro decodes it
}

// column is what the catalogue would say of the row's column.
func (r row) column() Column {
	c := Column{Name: "c", OID: r.OID, Typmod: r.Typmod, TypeName: r.Type}
	mood := Column{OID: 90001, Typmod: -1, TypeName: "mood", Enum: true}
	switch r.Type {
	case "mood":
		c.OID, c.Enum = 90001, true
	case "mood[]":
		c.OID, c.TypeName, c.Elem = 90002, "_mood", &mood
	case "positive":
		c.OID, c.Base = 90003, &Column{OID: 23, Typmod: -1}
	case "amount":
		c.OID, c.Base = 90004, &Column{OID: 1700, Typmod: 8<<16 + 2 + 4}
	case "tags":
		c.OID, c.Base = 90005, &Column{OID: 1009, Typmod: -1, Elem: &Column{OID: 25, Typmod: -1}}
	case "pair", "hstore", "citext":
		c.OID = 90006
	}
	return c
}

const goldenPath = "testdata/golden.jsonl"

func readGolden(t testing.TB) []row {
	raw, err := os.ReadFile(goldenPath)
	require.NoError(t, err)
	var rows []row
	for line := range bytes.Lines(raw) {
		var r row
		require.NoError(t, json.Unmarshal(line, &r), "%s", line)
		rows = append(rows, r)
	}
	require.Greater(t, len(rows), 150)
	return rows
}

// encode gives the schema of a column's value and the value as goavro reads it.
func encode(t testing.TB, c Column, text string) (schema []byte, value any) {
	codec, err := Lookup(c)
	require.NoError(t, err)
	schema, err = json.Marshal(codec.Avro)
	require.NoError(t, err)
	in := []byte(text)
	b, err := codec.Append([]byte("before"), in)
	require.NoError(t, err, "%s %q", c.TypeName, text)
	require.Equal(t, text, string(in), "the text is not changed")
	require.Equal(t, "before", string(b[:6]))
	reference, err := goavro.NewCodec(string(schema))
	require.NoError(t, err)
	value, rest, err := reference.NativeFromBinary(b[6:])
	require.NoError(t, err, "%s %q", c.TypeName, text)
	require.Empty(t, rest, "%s %q", c.TypeName, text)
	return schema, value
}

// plainJSON turns goavro's value into one that JSON can hold: decimals are
// digits, bytes hexadecimal, unions their value.
func plainJSON(v any, scale int) any {
	switch v := v.(type) {
	case *big.Rat:
		return v.FloatString(scale)
	case []byte:
		return hex.EncodeToString(v)
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) || v == 0 && math.Signbit(v) {
			return fmt.Sprint(v)
		}
	case float32:
		if f := float64(v); math.IsNaN(f) || math.IsInf(f, 0) || f == 0 && math.Signbit(f) {
			return fmt.Sprint(v)
		}
	case []any:
		list := []any{}
		for _, e := range v {
			list = append(list, plainJSON(e, scale))
		}
		return list
	case map[string]any:
		for _, branch := range v {
			return plainJSON(branch, scale)
		}
	}
	return v
}

func scaleOf(avro any) int {
	m, ok := avro.(map[string]any)
	if !ok {
		return 0
	}
	if items, ok := m["items"].([]any); ok {
		return scaleOf(items[1])
	}
	scale, _ := m["scale"].(int) // only decimals have one
	return scale
}

// P5: the one table from PostgreSQL's text to Avro. A row that changes here
// changes what every consumer reads.
func TestGoldenTable(t *testing.T) {
	rows := readGolden(t)
	var out bytes.Buffer
	for _, r := range rows {
		codec, err := Lookup(r.column())
		require.NoError(t, err)
		schema, native := encode(t, r.column(), r.Text)
		value, err := json.Marshal(plainJSON(native, scaleOf(codec.Avro)))
		require.NoError(t, err)
		if *update {
			r.Avro, r.Value = schema, value
			enc := json.NewEncoder(&out)
			enc.SetEscapeHTML(false)
			require.NoError(t, enc.Encode(r))
			continue
		}
		require.JSONEq(t, string(r.Avro), string(schema), "%s", r.Type)
		require.JSONEq(t, string(r.Value), string(value), "%s %q", r.Type, r.Text)
	}
	if *update {
		require.NoError(t, os.WriteFile(goldenPath, out.Bytes(), 0o644))
	}
}
