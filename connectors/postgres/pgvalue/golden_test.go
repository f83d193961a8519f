package pgvalue

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
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

// row is a line of the golden table: what PostgreSQL 18 prints under the
// settings of the package's documentation, and what we make of it. The types
// that are not built in are those of testdata/types.sql; they have the OID 0.
//
// A new line needs its type and a text that PostgreSQL reads: what the
// catalogue says of it and how PostgreSQL prints it is filled in by
//
//	go test ./integration/typetable -run TestGolden -update
//	go test ./connectors/postgres/pgvalue -run TestGolden -update
//	make generate
type row struct {
	Type   string          `json:"type"`
	Text   string          `json:"text"`
	Column Column          `json:"column"`
	Avro   json.RawMessage `json:"avro"`
	Value  json.RawMessage `json:"value,omitempty"` // as goavro decodes it
	// Refused is why the value cannot be carried, instead of Value: it
	// quarantines its table (P3).
	Refused string `json:"refused,omitempty"`
}

const goldenPath = "testdata/golden.jsonl"

// readGolden also gives the lines' columns as they are written.
func readGolden(t testing.TB) (rows []row, columns []json.RawMessage) {
	raw, err := os.ReadFile(goldenPath)
	require.NoError(t, err)
	for line := range bytes.Lines(raw) {
		var r row
		var c struct{ Column json.RawMessage }
		require.NoError(t, json.Unmarshal(line, &r), "%s", line)
		require.NoError(t, json.Unmarshal(line, &c))
		rows, columns = append(rows, r), append(columns, c.Column)
	}
	require.Greater(t, len(rows), 400)
	return rows, columns
}

// decode is the value as goavro reads it, in a form that JSON can hold.
func decode(t testing.TB, schema, b []byte, scale int) json.RawMessage {
	reference, err := goavro.NewCodec(string(schema))
	require.NoError(t, err)
	native, rest, err := reference.NativeFromBinary(b)
	require.NoError(t, err)
	require.Empty(t, rest)
	var value bytes.Buffer
	enc := json.NewEncoder(&value)
	enc.SetEscapeHTML(false)
	require.NoError(t, enc.Encode(plainJSON(native, scale)))
	return bytes.TrimSpace(value.Bytes())
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

// P3, P5: the one table from PostgreSQL's text to Avro. A row that changes here
// changes what every consumer reads.
func TestGoldenTable(t *testing.T) {
	rows, columns := readGolden(t)
	var out bytes.Buffer
	for i, r := range rows {
		codec, err := Lookup(r.Column)
		require.NoError(t, err)
		schema, err := json.Marshal(codec.Avro)
		require.NoError(t, err)
		in := []byte(r.Text)
		var value json.RawMessage
		refused := ""
		b, err := codec.Append([]byte("before"), in)
		require.Equal(t, r.Text, string(in), "the text is not changed")
		var textErr *TextError
		switch {
		case err == nil:
			require.Equal(t, "before", string(b[:6]))
			value = decode(t, schema, b[6:], scaleOf(codec.Avro))
		case errors.As(err, &textErr):
			refused = err.Error()
		default:
			require.NoError(t, err, "%s %q", r.Type, r.Text)
		}
		if *update {
			enc := json.NewEncoder(&out)
			enc.SetEscapeHTML(false)
			require.NoError(t, enc.Encode(struct {
				Type    string          `json:"type"`
				Text    string          `json:"text"`
				Column  json.RawMessage `json:"column"`
				Avro    json.RawMessage `json:"avro"`
				Value   json.RawMessage `json:"value,omitempty"`
				Refused string          `json:"refused,omitempty"`
			}{r.Type, r.Text, columns[i], schema, value, refused}))
			continue
		}
		require.JSONEq(t, string(r.Avro), string(schema), "%s", r.Type)
		require.Equal(t, r.Refused, refused, "%s %q", r.Type, r.Text)
		if refused == "" {
			require.JSONEq(t, string(r.Value), string(value), "%s %q", r.Type, r.Text)
		}
	}
	if *update {
		require.NoError(t, os.WriteFile(goldenPath, out.Bytes(), 0o644))
	}
}
