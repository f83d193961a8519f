package column

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hopluu/hopluu/connectors/file/sheet"
	"github.com/hopluu/hopluu/schemas/event"
	"github.com/hopluu/hopluu/schemas/sectors"
	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write the golden file")

func described(name, typ string, meaning ...string) sectors.Column {
	c := sectors.Column{Name: name, Type: typ, Sensitivity: sectors.Internal, Meaning: sectors.Text{Vi: name + " vi", En: name + " en"}}
	if len(meaning) == 2 {
		c.Meaning = sectors.Text{Vi: meaning[0], En: meaning[1]}
	}
	return c
}

// household is a table as sector files describe them.
func household(t testing.TB) *Table {
	cccd := described("cccd", "text", "Số định danh cá nhân", "Personal identity number")
	cccd.Identifier, cccd.Match = sectors.CCCD, sectors.CCCD
	table, err := New(sectors.Table{Name: "household", Key: []string{"code", "year"}, Columns: []sectors.Column{
		described("code", "text", "Mã số hộ", "Code of the household"),
		described("year", "smallint", "Năm rà soát", "Year of the review"),
		cccd,
		described("category", "household_category", "Diện: poor là hộ nghèo, near_poor là hộ cận nghèo", "Category: poor, near poor, or escaped from poverty"),
		described("amount", "numeric(12,0)", "Mức trợ cấp hằng tháng (đồng)", "Monthly amount in dong"),
		described("decided_on", "date", "Ngày ra quyết định công nhận", "Date of the decision"),
	}}, nil)
	require.NoError(t, err)
	return table
}

func cells(text ...string) *sheet.Row {
	r := &sheet.Row{Line: 1}
	for _, s := range text {
		r.Cells = append(r.Cells, sheet.Cell{Text: s})
	}
	return r
}

// A heading is the column's name or its meaning, however it is written.
func TestHeader(t *testing.T) {
	table := household(t)
	for _, c := range []struct {
		title string
		row   *sheet.Row
		want  []int
	}{
		{"names", cells("code", "year", "cccd", "category", "amount", "decided_on"), []int{0, 1, 2, 3, 4, 5}},
		{"names in another order and writing", cells("DECIDED ON", " Code", "Year\u00a0"), []int{5, 0, 1}},
		{"Vietnamese", cells("Mã số hộ", "Năm rà soát", "Số định danh cá nhân", "Diện", "Mức trợ cấp hằng tháng", "Ngày ra quyết định công nhận"), []int{0, 1, 2, 3, 4, 5}},
		{"without tones, in capitals, spaces anywhere", cells("MA  SO HO", "nam\nra soat", "So dinh danh ca nhan"), []int{0, 1, 2}},
		{"decomposed letters", cells("Ma\u0303 so\u0302\u0301 ho\u0323\u0302", "Năm rà soát"), []int{0, 1}},
		{"English", cells("Code of the household", "YEAR OF THE REVIEW", "category"), []int{0, 1, 3}},
		{"a unit of its own", cells("code", "year", "Mức trợ cấp hằng tháng (VNĐ)"), []int{0, 1, 4}},
		{"with columns that nobody described", cells("STT", "code", "", "year", "Ghi chú"), []int{-1, 0, -1, 1, -1}},
	} {
		t.Run(c.title, func(t *testing.T) {
			h, missing, err := table.Match(c.row)
			require.NoError(t, err)
			require.Empty(t, missing)
			require.Equal(t, c.want, h.Of)
		})
	}
	h, _, err := table.Match(cells("STT", "code", "", "year", "Ghi chú"))
	require.NoError(t, err)
	require.Equal(t, []string{"STT", "Ghi chú"}, h.Unknown())
	require.Equal(t, []string{"cccd", "category", "amount", "decided_on"}, h.Missing)

	h, missing, err := table.Match(cells("DANH SÁCH HỘ NGHÈO", "Code of the household"))
	require.NoError(t, err)
	require.Nil(t, h)
	require.Equal(t, []string{"year"}, missing)
}

// P3: a heading that may name two columns, or a column with two headings, is
// not decided by us.
func TestHeaderInDoubt(t *testing.T) {
	table, err := New(sectors.Table{Name: "t", Columns: []sectors.Column{
		described("id", "bigint"), described("a", "text", "Mã (cũ)", "Old code"), described("b", "text", "Mã (mới)", "New code"),
	}}, []string{"id"})
	require.NoError(t, err)
	_, _, err = table.Match(cells("id", "Mã"))
	var unreadable *sheet.UnreadableError
	require.True(t, errors.As(err, &unreadable))
	require.ErrorContains(t, err, "the heading in column B may be a or b")
	h, _, err := table.Match(cells("id", "Mã (mới)"))
	require.NoError(t, err)
	require.Equal(t, []int{0, 2}, h.Of)
	_, _, err = table.Match(cells("id", "a", "x", "Old code"))
	require.ErrorContains(t, err, "column a has two headings, in columns B and D")
}

func TestNew(t *testing.T) {
	columns := []sectors.Column{described("id", "bigint"), described("n", "numeric[][]")}
	for want, key := range map[string][]string{
		"has no key": nil, "key column x is not described": {"x"}, "named twice": {"id", "id"},
	} {
		_, err := New(sectors.Table{Name: "t", Columns: columns[:1]}, key)
		require.ErrorContains(t, err, want)
	}
	_, err := New(sectors.Table{Name: "t", Columns: columns}, []string{"id"})
	require.ErrorContains(t, err, "array of arrays")
}

func TestRead(t *testing.T) {
	table := household(t)
	h, _, err := table.Match(cells("STT", "code", "year", "cccd", "amount", "decided_on"))
	require.NoError(t, err)
	var r Record
	require.Empty(t, table.Read(h, cells("1", " H-01 ", "2025", "079201001234", "1.500.000", "31/01/2025"), &r))
	require.True(t, r.Keyed)
	require.Equal(t, event.Row{
		{State: event.Present, Text: []byte("H-01")}, {State: event.Present, Text: []byte("2025")}, {State: event.Present, Text: []byte("079201001234")},
		{}, {State: event.Present, Text: []byte("1500000")}, {State: event.Present, Text: []byte("2025-01-31")},
	}, r.Row)
	content := bytes.Clone(r.Content)

	// The same values, written otherwise: no change.
	require.Empty(t, table.Read(h, cells("2", "H-01", "2025", "079201001234", "1500000", "2025-01-31", "", ""), &r))
	require.Equal(t, content, r.Content)
	// NULL and another value are changes, and not the same one.
	require.Empty(t, table.Read(h, cells("2", "H-01", "2025", "079201001234", "1500001", "2025-01-31"), &r))
	require.NotEqual(t, content, r.Content)
	require.Empty(t, table.Read(h, cells("2", "H-01", "2025"), &r))
	require.NotEqual(t, content, r.Content)
	require.Equal(t, event.Null, r.Row[4].State)

	// All that is wrong with a row is told at once, and the key is known.
	refusals := table.Read(h, cells("1", "H-01", "2025", "7.9201E+10", "nhiều", "30/02/2025", "", "dư"), &r)
	require.True(t, r.Keyed)
	var columns []string
	for _, f := range refusals {
		columns = append(columns, f.Column)
		require.NotEmpty(t, f.Vi)
		require.NotContains(t, f.En, "nhiều")
	}
	require.Equal(t, []string{"H", "cccd", "amount", "decided_on"}, columns)

	for _, row := range []*sheet.Row{cells("1", "H-01", ""), cells("1", "", "2025"), cells("Tổng cộng"), cells("1", "H-01", "năm nay")} {
		require.NotEmpty(t, table.Read(h, row, &r))
		require.False(t, r.Keyed)
	}
	refusals = table.Read(h, &sheet.Row{Fault: &sheet.Fault{En: "en", Vi: "vi"}}, &r)
	require.Equal(t, []Refusal{{Reason: Reason{"en", "vi"}}}, refusals)
	require.False(t, r.Keyed)
}

// A key of dashes is no key: the token of "-" is that of every other dash.
func TestKeyWithoutIdentity(t *testing.T) {
	c := described("cccd", "text")
	c.Identifier = sectors.CCCD
	table, err := New(sectors.Table{Name: "t", Columns: []sectors.Column{c}}, []string{"cccd"})
	require.NoError(t, err)
	h, _, err := table.Match(cells("cccd"))
	require.NoError(t, err)
	var r Record
	require.Equal(t, "the key is empty: this column must have a value", table.Read(h, cells("- - -"), &r)[0].En)
	require.Empty(t, table.Read(h, cells("079201001234"), &r))
}

// The golden file shows what every type makes of what people write.
func TestGoldenCells(t *testing.T) {
	in, err := os.ReadFile(filepath.Join("testdata", "cells.txt"))
	require.NoError(t, err)
	var out strings.Builder
	for line := range strings.SplitSeq(strings.TrimSuffix(string(in), "\n"), "\n") {
		typ, text, ok := strings.Cut(line, "\t")
		require.True(t, ok, line)
		fmt.Fprintf(&out, "%s\t%s\t%s\n", typ, text, outcome(t, typ, text))
	}
	path := filepath.Join("testdata", "cells.golden")
	if *update {
		require.NoError(t, os.WriteFile(path, []byte(out.String()), 0o644))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, string(want), out.String())
}

// outcome reads a cell; before its text may stand its kind, as "number:".
func outcome(t testing.TB, typ, text string) string {
	parsed, err := parseType("c", typ)
	require.NoError(t, err)
	cell := sheet.Cell{Text: text}
	for prefix, kind := range map[string]sheet.Kind{"number:": sheet.Number, "moment:": sheet.Moment, "bool:": sheet.Bool, "broken:": sheet.Broken} {
		if rest, ok := strings.CutPrefix(text, prefix); ok {
			cell = sheet.Cell{Kind: kind, Text: rest}
		}
	}
	if shown, ok := strings.CutPrefix(text, "padded:"); ok {
		cell = sheet.Cell{Kind: sheet.Number, Text: strings.TrimLeft(shown, "0"), Padded: shown}
	}
	column := Column{Column: described("c", typ), typ: parsed}
	var value event.Value
	if r := column.read(&cell, &Record{}, &value); r != nil {
		return "REFUSED: " + r.En
	}
	if value.State == event.Null {
		return "NULL"
	}
	return string(value.Text)
}

// The types have the codecs that a database's columns have.
func TestTypesAreTheDatabases(t *testing.T) {
	for name, want := range map[string]string{
		"bigint": "int8", "integer": "int4", "smallint": "int2", "boolean": "bool", "text": "text", "date": "date",
		"numeric(12,2)": "numeric(12,2)", "numeric(12)": "numeric(12,0)", "numeric": "numeric", "double precision": "float8",
		"timestamp with time zone": "timestamptz", "timestamp(3) with time zone": "timestamptz(3)", "timestamp without time zone": "timestamp",
		"character varying(20)": "varchar(20)", "character(3)": "bpchar(3)", "uuid": "uuid", "jsonb": "jsonb", "text[]": "text[]",
		"numeric(4,1)[]": "numeric(4,1)[]", "inet": "inet", "bit varying": "varbit", "household_category": "household_category", "TIME (0)": "time(0)",
	} {
		parsed, err := parseType("c", name)
		require.NoError(t, err, name)
		require.Equal(t, want, parsed.codec.PGType, name)
	}
	// Every type of the sector files is known, or an enum.
	set, err := sectors.Load()
	require.NoError(t, err)
	for _, s := range set.Sectors {
		for _, table := range s.Tables {
			_, err := New(table, []string{table.Columns[0].Name})
			require.NoError(t, err, s.Sector)
		}
	}
}

// P3: whatever is accepted is what PostgreSQL prints: read again it stays as it
// is, and its codec carries it.
func FuzzCell(f *testing.F) {
	types := []string{"bigint", "numeric(12,2)", "numeric(12,0)", "numeric", "double precision", "boolean", "date", "timestamp", "timestamp with time zone", "time", "time with time zone", "uuid", "jsonb", "text", "varchar(5)", "char(5)", "text[]", "integer[]", "bytea", "interval"}
	for i, text := range []string{"1.234.567", "1,5", "31/01/2024", "2024-01-31 10:00:00.5+07", "có", "{a,b}", "a; b", "1e5", "−5", "12:30 CH", "P1D", `\x00`, "{}", "1 234", "\xff"} {
		f.Add(uint8(i), text, uint8(0))
		f.Add(uint8(i+5), text, uint8(1))
	}
	f.Fuzz(func(t *testing.T, which uint8, text string, kind uint8) {
		typ := types[int(which)%len(types)]
		parsed, err := parseType("c", typ)
		require.NoError(t, err)
		c := Column{Column: described("c", typ), typ: parsed}
		cell := sheet.Cell{Text: text, Kind: sheet.Text}
		if kind%2 == 1 && strings.Trim(text, "0123456789.") == "" {
			cell.Kind = sheet.Number
		}
		var first, again event.Value
		if c.read(&cell, &Record{}, &first) != nil || first.State == event.Null {
			return
		}
		if typ == "char(5)" {
			return // its padding is taken off again as white space
		}
		require.Nil(t, c.read(&sheet.Cell{Text: string(first.Text)}, &Record{}, &again), "%s %q", typ, first.Text)
		require.Equal(t, string(first.Text), string(again.Text), typ)
	})
}
