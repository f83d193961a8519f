package avro

import (
	"flag"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hopluu/hopluu/schemas/event"
)

// update writes golden files; without it a missing one is a failure.
var update = flag.Bool("update", false, "write the golden files")

// golden compares got with testdata/name.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		require.NoError(t, os.WriteFile(path, got, 0o644))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err, "a golden file is missing: go test -update writes it")
	require.Equal(t, string(want), string(got))
}

func appendText(dst, text []byte) ([]byte, error) { return AppendBytes(dst, text), nil }

func appendInteger(dst, text []byte) ([]byte, error) {
	n, err := strconv.ParseInt(string(text), 10, 64)
	if err != nil {
		return dst, err
	}
	return AppendLong(dst, n), nil
}

func appendDouble(dst, text []byte) ([]byte, error) {
	f, err := strconv.ParseFloat(string(text), 64)
	if err != nil {
		return dst, err
	}
	return AppendDouble(dst, f), nil
}

func appendFloat(dst, text []byte) ([]byte, error) {
	f, err := strconv.ParseFloat(string(text), 32)
	if err != nil {
		return dst, err
	}
	return AppendFloat(dst, float32(f)), nil
}

func appendBool(dst, text []byte) ([]byte, error) {
	return AppendBoolean(dst, string(text) == "t"), nil
}

// appendUnits writes "12.34" as a decimal of scale 2, for texts of up to 18
// digits.
func appendUnits(dst, text []byte) ([]byte, error) {
	var digits []byte
	for _, c := range text {
		if c != '.' {
			digits = append(digits, c)
		}
	}
	n, err := strconv.ParseInt(string(digits), 10, 64)
	if err != nil {
		return dst, err
	}
	b := make([]byte, 8)
	for i := range b {
		b[i] = byte(n >> (8 * (7 - i)))
	}
	return AppendBytes(dst, b), nil
}

// appendList writes a text such as "a,b" as an array of null | string; "-" is
// a null element, and the empty text the empty array.
func appendList(dst, text []byte) ([]byte, error) {
	var items [][]byte
	if len(text) > 0 {
		start := 0
		for i := range len(text) + 1 {
			if i == len(text) || text[i] == ',' {
				items = append(items, text[start:i])
				start = i + 1
			}
		}
		dst = AppendLong(dst, int64(len(items)))
	}
	for _, item := range items {
		if string(item) == "-" {
			dst = append(dst, branchNull)
			continue
		}
		dst = append(dst, branchValue)
		dst = AppendBytes(dst, item)
	}
	return append(dst, 0), nil
}

// visits is a table with a column of every kind.
func visits() Table {
	return Table{
		Source: "health", Database: "health_db", Schema: "public", Name: "visit",
		Doc: `Lượt khám "ngoại trú" <outpatient visit> \ & more`,
		Fields: []Field{
			{Name: "id", Column: 0, Type: "long", Append: appendInteger, Doc: "Mã lượt khám"},
			{Name: "hospital", Column: 1, Type: "string", Append: appendText},
			{Name: "note", Column: 2, Type: "string", Nullable: true, Append: appendText, Doc: "Line one\nline \"two\"\u2028"},
			{Name: "on_day", Column: 3, Type: map[string]any{"type": "int", "connect.version": 1, "connect.name": "io.debezium.time.Date"}, Nullable: true, Append: appendInteger},
			{Name: "cost", Column: 4, Type: map[string]any{"type": "bytes", "logicalType": "decimal", "precision": 18, "scale": 2, "connect.name": "org.apache.kafka.connect.data.Decimal"}, Nullable: true, Append: appendUnits},
			{Name: "weight", Column: 5, Type: "double", Nullable: true, Append: appendDouble},
			{Name: "ratio", Column: 6, Type: "float", Nullable: true, Append: appendFloat},
			{Name: "urgent", Column: 7, Type: "boolean", Nullable: true, Append: appendBool},
			{Name: "codes", Column: 8, Type: map[string]any{"type": "array", "items": []any{"null", "string"}}, Nullable: true, Append: appendList},
			{Name: "small", Column: 9, Type: map[string]any{"type": "int", "connect.type": "int16"}, Nullable: true, Append: appendInteger},
			{Name: "scan", Column: 10, Type: "bytes", Nullable: true, Append: appendText},
		},
		Key: []int{1, 0},
	}
}

func present(text string) event.Value { return event.Value{State: event.Present, Text: []byte(text)} }

var (
	null      = event.Value{}
	unchanged = event.Value{State: event.Unchanged}
)

func fullRow() event.Row {
	return event.Row{
		present("42"), present("BV|115"), present("ghi chú"), present("-25567"), present("-1234.56"),
		present("61.5"), present("0.25"), present("t"), present("a,-,c"), present("-7"), present("\x00\xff"),
	}
}

func nullRow() event.Row {
	return event.Row{present("-1"), present(""), null, null, null, null, null, null, null, null, null}
}

func update1() *event.Event {
	after := fullRow()
	after[2], after[8] = unchanged, unchanged
	return &event.Event{
		Op: event.Update, Before: nullRow(), BeforeKeyOnly: true, After: after,
		Position: event.Position{Epoch: 3, LSN: 0x16B374D848, Ordinal: 7},
		TxID:     4_000_000_000, TableOrder: 3, CommitMicros: 1_700_000_000_123_456,
	}
}

// events is one of every shape.
func events() map[string]*event.Event {
	return map[string]*event.Event{
		"create": {Op: event.Create, After: fullRow(), Position: event.Position{Epoch: 1, LSN: 1, Ordinal: 1}, TxID: 700, CommitMicros: 1},
		"update": update1(),
		"delete": {Op: event.Delete, Before: nullRow(), BeforeKeyOnly: true, Position: event.Position{Epoch: 1, LSN: 1<<63 - 1, Ordinal: 1<<32 - 1}, TxID: 1, CommitMicros: -1},
		"read":   {Op: event.Read, After: nullRow(), Snapshot: true, Position: event.Position{Epoch: 1<<32 - 1, LSN: 5}, CommitMicros: 1_600_000_000_000_000},
		"truncate": {Op: event.Truncate, Position: event.Position{Epoch: 1, LSN: 9, Ordinal: 2}, TxID: 9,
			CommitMicros: 9_223_372_036_854_775_000},
		"marker": {Op: event.Marker, Position: event.Position{Epoch: 1, LSN: 9, Ordinal: 1<<32 - 1}, CommitMicros: 1},
		"range": {Op: event.Marker, Position: event.Position{Epoch: 1, LSN: 9, Ordinal: 1<<32 - 1}, CommitMicros: 1,
			Range: &event.Range{Column: "hospital", From: end("BV|1")}},
	}
}

func mustCompile(t testing.TB, table Table) *Encoder {
	e, err := Compile(table)
	require.NoError(t, err)
	return e
}

func payloadOf(t testing.TB, msg []byte) []byte {
	_, payload, err := SplitWire(msg)
	require.NoError(t, err)
	return payload
}
