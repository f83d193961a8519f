package tables

import (
	"math"
	"testing"
	"time"

	"github.com/hopluu/hopluu/schemas/avro"
)

// The fast way to read a time agrees with the library's.
func FuzzParseZoned(f *testing.F) {
	for _, s := range []string{
		"2020-01-31T23:59:59.123456Z", "2024-02-29T00:00:00Z", "2023-02-29T00:00:00Z", "1900-01-01T00:00:00.1Z", "infinity",
		"2020-01-31T24:00:00Z", "2020-13-01T00:00:00Z", "2020-01-31T23:59:59.Z", "20200-01-31T23:59:59Z", "2020-01-31T23:59:59.1234567Z", "2020-01-31T23:59:60Z",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, ok := parseZonedFast([]byte(s))
		if !ok {
			return
		}
		want, err := time.Parse(time.RFC3339Nano, s)
		if err != nil {
			t.Fatalf("%q is read as %d, and is no time: %v", s, got, err)
		}
		if got != want.UnixMicro() {
			t.Fatalf("%q is read as %d, not %d", s, got, want.UnixMicro())
		}
	})
}

// No cell, whatever it holds, panics or leaves a column longer or shorter than
// its table.
func FuzzAppendCell(f *testing.F) {
	f.Add(int64(5), 1.5, []byte("2020-01-31T23:59:59Z"), false)
	f.Add(int64(-1<<63), math.Inf(-1), []byte{0x80, 0, 0, 0, 0, 0, 0, 0, 0}, false)
	f.Add(int64(0), 0.0, []byte{}, true)
	f.Fuzz(func(t *testing.T, n int64, x float64, b []byte, isNull bool) {
		tab, m, cols := everything(t)
		cells := make([]avro.Cell, len(cols))
		for i := range cells {
			cells[i] = avro.Cell{Null: isNull && i > 0, N: n, F: x, B: b, Elems: []avro.Cell{{N: n, F: x, B: b}, {Null: true}}}
		}
		buffer := tab.NewBuffer("s", "t", 0)
		rows := 0
		for i := range uint32(3) {
			if buffer.Append(m, cells, meta("r", i, 'c')) == nil {
				rows++
			}
			for c, v := range buffer.columns {
				if v.rows() != rows {
					t.Fatalf("column %s has %d values for %d rows", cols[c].Name, v.rows(), rows)
				}
			}
		}
		var s Scratch
		if err := tab.InsertBronze().Each(buffer, &s, false, func(int, any) error { return nil }); err != nil {
			t.Fatal(err)
		}
	})
}

// What is read of system.columns is a type that the sink makes, and is written
// as one again.
func FuzzParseType(f *testing.F) {
	for _, s := range []string{
		"Nullable(Decimal(12, 2))", "Array(Nullable(DateTime64(6, 'UTC')))", "LowCardinality(Nullable(String))", "LowCardinality(String)",
		"Array(Array(String))", "Decimal(", "Nullable(Nullable(Int64))", "Array(Nullable())", "Map(String, String)", "Decimal(-1, 99999999999999999999)",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		typ, nullable, ok := ParseType(s)
		if !ok {
			return
		}
		again, againNullable, ok := ParseType(typ.column(nullable))
		if !ok || !again.equal(typ) || againNullable != (nullable && typ.Kind != Array) {
			t.Fatalf("%q is %s, which is read as %s, %v", s, typ.column(nullable), again, ok)
		}
	})
}
