package tables

import (
	"fmt"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"github.com/hopluu/hopluu/schemas/avro"
	"github.com/hopluu/hopluu/schemas/event"
)

var null = avro.Cell{Null: true}

func num(n int64) avro.Cell     { return avro.Cell{N: n} }
func text8(s string) avro.Cell  { return avro.Cell{B: []byte(s)} }
func float(f float64) avro.Cell { return avro.Cell{F: f} }

// everything has a column of each kind, once nullable and once in its array.
func everything(t testing.TB) (*Table, *Mapping, []avro.Column) {
	t.Helper()
	cols := []avro.Column{
		key("id", aLong), col("b", aBool), col("i16", aSmall), col("i32", aInt), col("f32", avro.Type{Kind: avro.Float}), col("f64", aDouble),
		col("s", aString), col("e", aEnum), col("u", aUUID), col("d", aDate), col("t", aMicro), col("z", aZoned),
		col("n", aDecimal(14, 2)), col("w", aDecimal(30, 3)), col("a", aStrings),
		col("az", avro.Type{Kind: avro.Array, Elem: &aZoned}), col("an", avro.Type{Kind: avro.Array, Elem: &avro.Type{Kind: avro.Bytes, Logical: "decimal", Precision: 5, Scale: 1}}),
	}
	tab, err := New(Description{Sector: "x", Name: "everything"}, cols)
	require.NoError(t, err)
	m, err := tab.Map(cols)
	require.NoError(t, err)
	return tab, m, cols
}

func meta(record string, ordinal uint32, op event.Op) *Meta {
	return &Meta{
		Record: []byte(record), Op: op, Position: event.Position{Epoch: 1, LSN: 0x16_B374D848, Ordinal: ordinal},
		TxID: 7, CommitMicros: 1_700_000_000_000_001, Offset: int64(ordinal) + 100, Deleted: op == event.Delete,
	}
}

func values(t testing.TB, in *Insert, b *Buffer, dictionary bool) map[string]any {
	t.Helper()
	got := map[string]any{}
	for i := range in.Columns {
		var s Scratch
		got[in.Columns[i].Name] = in.values(b, i, &s, dictionary)
	}
	return got
}

func ptr[T any](v T) *T { return &v }

func TestCellsBecomeTheColumnsThatTheClientTakes(t *testing.T) {
	tab, m, _ := everything(t)
	b := tab.NewBuffer("his", "his.public.everything", 3)
	row := []avro.Cell{
		num(5), num(1), num(-2), num(70000), float(1.5), float(-2.25), text8("Nguyễn"), text8("poor"),
		text8("6F9619FF-8B86-D011-B42D-00C04FC964FF"), num(20000), num(1_700_000_000_123_456), text8("2024-02-29T23:59:59.5Z"),
		{B: []byte{0xff, 0x38}},                       // -200 -> -2.00
		{B: append([]byte{0x01}, make([]byte, 9)...)}, // 2^72, thousandths
		{Elems: []avro.Cell{text8("J18"), null}},
		{Elems: []avro.Cell{text8("1999-12-31T00:00:00Z")}},
		{Elems: []avro.Cell{{B: []byte{25}}, null}},
	}
	nulls := make([]avro.Cell, len(row))
	for i := range nulls {
		nulls[i] = null
	}
	nulls[0] = num(6)
	require.NoError(t, b.Append(m, row, meta("his.everything:5", 1, event.Create)))
	require.NoError(t, b.Append(m, nulls, meta("his.everything:6", 2, event.Delete)))
	require.Equal(t, 2, b.Rows())
	require.Positive(t, b.Bytes())

	id := uuid.MustParse("6f9619ff-8b86-d011-b42d-00c04fc964ff")
	wide := decimal.NewFromBigInt(new(big.Int).Lsh(big.NewInt(1), 72), -3)
	v1 := event.Position{Epoch: 1, LSN: 0x16_B374D848, Ordinal: 1}
	hi, lo := v1.Version()
	version := new(big.Int).Add(new(big.Int).Lsh(new(big.Int).SetUint64(hi), 64), new(big.Int).SetUint64(lo))

	got := values(t, tab.InsertBronze(), b, false)
	for name, want := range map[string]any{
		"id": []int64{5, 6}, "b": []*bool{ptr(true), nil}, "i16": []*int16{ptr(int16(-2)), nil}, "i32": []*int32{ptr(int32(70000)), nil},
		"f32": []*float32{ptr(float32(1.5)), nil}, "f64": []*float64{ptr(-2.25), nil}, "s": []*string{ptr("Nguyễn"), nil}, "e": []*string{ptr("poor"), nil},
		"u": []*uuid.UUID{&id, nil}, "d": []*time.Time{ptr(time.Date(2024, 10, 4, 0, 0, 0, 0, time.UTC)), nil},
		"t": []*time.Time{ptr(time.UnixMicro(1_700_000_000_123_456).UTC()), nil}, "z": []*time.Time{ptr(time.Date(2024, 2, 29, 23, 59, 59, 5e8, time.UTC)), nil},
		"a":       [][]*string{{ptr("J18"), nil}, {}},
		"az":      [][]*time.Time{{ptr(time.Date(1999, 12, 31, 0, 0, 0, 0, time.UTC))}, {}},
		"_record": []string{"his.everything:5", "his.everything:6"}, "_op": []string{"c", "d"}, "_is_deleted": []uint8{0, 1},
		"_tx": []int64{7, 7}, "_lsn": []uint64{0x16_B374D848, 0x16_B374D848}, "_offset": []int64{101, 102}, "_partition": []int32{3, 3},
		"_source": []string{"his", "his"}, "_topic": []string{"his.public.everything", "his.public.everything"},
		"_commit_time": []time.Time{time.UnixMicro(1_700_000_000_000_001).UTC(), time.UnixMicro(1_700_000_000_000_001).UTC()},
		"_unchanged":   [][]string{nil, nil},
	} {
		require.Equal(t, want, got[name], name)
	}
	require.True(t, decimal.RequireFromString("-2.00").Equal(*got["n"].([]*decimal.Decimal)[0]))
	require.Nil(t, got["n"].([]*decimal.Decimal)[1])
	require.True(t, wide.Equal(*got["w"].([]*decimal.Decimal)[0]))
	require.True(t, decimal.RequireFromString("2.5").Equal(*got["an"].([][]*decimal.Decimal)[0][0]))
	require.Zero(t, version.Cmp(got["_version"].([]*big.Int)[0]))
	require.Equal(t, []any{"poor", nil}, values(t, tab.InsertSilver(), b, true)["e"])
}

// P3: what ClickHouse cannot hold is refused, never clamped, and leaves no
// trace in the batch.
func TestARowThatDoesNotFitLeavesTheBufferAsItWas(t *testing.T) {
	tab, m, cols := everything(t)
	good := make([]avro.Cell, len(cols))
	for i := range good {
		good[i] = null
	}
	good[0] = num(1)
	b := tab.NewBuffer("his", "t", 0)
	require.NoError(t, b.Append(m, good, meta("r:1", 1, event.Create)))
	for _, c := range []struct {
		column string
		cell   avro.Cell
	}{
		{"id", null},
		{"i16", num(40000)},
		{"i32", num(1 << 40)},
		{"u", text8("no uuid")},
		{"d", num(minDay - 1)},
		{"d", num(maxDay + 1)},
		{"d", num(2147483647)},
		{"d", num(-2147483648)},
		{"t", num(9223372036854775807)},
		{"t", num(-9223372036854775808)},
		{"z", text8("infinity")},
		{"z", text8("-infinity")},
		{"z", text8("1899-12-31T23:59:59.999999Z")},
		{"z", text8("2262-01-01T00:00:00Z")},
		{"z", text8("2024-02-30T00:00:00Z")},
		{"z", text8("yesterday")},
		{"n", avro.Cell{B: []byte{0x00, 0x5a, 0xf3, 0x10, 0x7a, 0x40, 0x00}}}, // 10^14
		{"n", avro.Cell{B: append([]byte{0x01}, make([]byte, 9)...)}},
		{"w", avro.Cell{B: append([]byte{0x01}, make([]byte, 20)...)}},
		{"az", avro.Cell{Elems: []avro.Cell{text8("2024-01-01T00:00:00Z"), text8("infinity")}}},
	} {
		row := append([]avro.Cell(nil), good...)
		for i := range cols {
			if cols[i].Name == c.column {
				row[i] = c.cell
			}
		}
		err := b.Append(m, row, meta("r:2", 2, event.Create))
		var rowErr *RowError
		require.ErrorAs(t, err, &rowErr, c.column)
		require.Equal(t, c.column, rowErr.Column)
		require.Equal(t, 1, b.Rows())
	}
	require.NoError(t, b.Append(m, good, meta("r:3", 3, event.Create)))
	in := tab.InsertBronze()
	require.Equal(t, []*time.Time{nil, nil}, values(t, in, b, false)["z"])
	require.Equal(t, [][]*time.Time{{}, {}}, values(t, in, b, false)["az"])
	require.Equal(t, []int64{101, 103}, values(t, in, b, false)["_offset"])
}

// The reason names the way that the sector file has for such a value, and only
// where it has one: pgvalue.Unfit knows no elements, and a key is in one field.
func TestTheReasonNamesAWayOnlyWhereThereIsOne(t *testing.T) {
	zones := avro.Type{Kind: avro.Array, Elem: &aZoned}
	cols := []avro.Column{key("day", aDate), col("d", aDate), col("z", aZoned), col("az", zones), col("i", aSmall)}
	tab, err := New(Description{Sector: "x", Name: "t"}, cols)
	require.NoError(t, err)
	m, err := tab.Map(cols)
	require.NoError(t, err)
	b := tab.NewBuffer("his", "t", 0)
	for i, c := range []struct {
		cell avro.Cell
		way  bool
	}{{num(maxDay + 1), false}, {num(maxDay + 1), true}, {text8("infinity"), true}, {avro.Cell{Elems: []avro.Cell{text8("infinity")}}, false}, {num(40000), false}} {
		row := []avro.Cell{num(1), null, null, null, null}
		row[i] = c.cell
		err := b.Append(m, row, meta("r:1", 1, event.Create))
		require.Error(t, err)
		require.Equal(t, c.way, strings.Contains(err.Error(), "unfit: text in the sector file"), err)
	}
}

func TestTheEdgesThatClickHouseHoldsAreKept(t *testing.T) {
	tab, m, cols := everything(t)
	row := make([]avro.Cell, len(cols))
	for i := range row {
		row[i] = null
	}
	b := tab.NewBuffer("his", "t", 0)
	row[0], row[9], row[10], row[11] = num(1), num(minDay), num(minMicro), text8("2261-12-31T23:59:59.999999Z")
	row[12] = avro.Cell{B: []byte{0x5a, 0xf3, 0x10, 0x7a, 0x3f, 0xff}} // 10^14 - 1
	require.NoError(t, b.Append(m, row, meta("r:1", 1, event.Create)))
	got := values(t, tab.InsertBronze(), b, false)
	require.Equal(t, "1900-01-01", got["d"].([]*time.Time)[0].Format(time.DateOnly))
	require.Equal(t, "2261-12-31T23:59:59.999999Z", got["z"].([]*time.Time)[0].Format(time.RFC3339Nano))
	require.Equal(t, "999999999999.99", got["n"].([]*decimal.Decimal)[0].String())
}

func TestRowsOfAnOlderSchemaFitAWiderTable(t *testing.T) {
	d := Description{Sector: "x", Name: "y"}
	old := []avro.Column{key("id", aLong), col("n", aSmall), col("debt", aDecimal(4, 1))}
	tab, err := New(d, old)
	require.NoError(t, err)
	tab, _, err = tab.Evolve(d, []avro.Column{col("new", aString), key("id", aLong), col("n", aLong), col("debt", aDecimal(12, 3))})
	require.NoError(t, err)
	m, err := tab.Map(old)
	require.NoError(t, err)
	b := tab.NewBuffer("s", "t", 0)
	require.NoError(t, b.Append(m, []avro.Cell{num(1), num(-3), {B: []byte{0x85}}}, meta("r:1", 1, event.Create)))
	got := values(t, tab.InsertSilver(), b, false)
	require.Equal(t, []*string{nil}, got["new"])
	require.Equal(t, []*int64{ptr(int64(-3))}, got["n"])
	require.Equal(t, "-12.3", got["debt"].([]*decimal.Decimal)[0].String())
}

func noteTable(t *testing.T) (*Table, *Mapping) {
	t.Helper()
	cols := []avro.Column{key("id", aLong), col("name", aString), col("notes", aString), col("tags", aStrings), col("cost", aDecimal(30, 2))}
	tab, err := New(Description{Sector: "x", Name: "y"}, cols)
	require.NoError(t, err)
	m, err := tab.Map(cols)
	require.NoError(t, err)
	return tab, m
}

// P4: a value that the update did not send is the last one known of it.
func TestUnchangedValuesAreCompleted(t *testing.T) {
	tab, m := noteTable(t)
	b := tab.NewBuffer("s", "t", 0)
	tags := func(s string) avro.Cell { return avro.Cell{Elems: []avro.Cell{text8(s)}} }
	put := func(ordinal uint32, id int64, op event.Op, name string, notes, tag avro.Cell, unchanged ...int) {
		mt := meta(fmt.Sprintf("s.y:%d", id), ordinal, op)
		mt.Unchanged = unchanged
		require.NoError(t, b.Append(m, []avro.Cell{num(id), text8(name), notes, tag, null}, mt))
	}
	placeholder := text8(avro.Placeholder)
	put(1, 1, event.Create, "a", text8("known"), tags("x"))
	put(2, 2, event.Update, "b", placeholder, null, 2, 3)     // looked up
	put(3, 1, event.Update, "a2", placeholder, null, 2, 3)    // from row 0
	put(4, 2, event.Update, "b2", placeholder, tags("y"), 2)  // from row 1, so looked up once
	put(5, 3, event.Update, "c", placeholder, tags("z"), 2)   // nothing known
	put(6, 3, event.Update, "c2", placeholder, tags("z"), 2)  // nothing known either
	put(7, 4, event.Update, "d", null, placeholder, 3)        // looked up: NULL is a value
	put(8, 1, event.Delete, "", null, null)                   //
	put(9, 1, event.Update, "a3", placeholder, tags("q"), 2)  // not from before the delete
	put(10, 1, event.Update, "a4", text8("new"), tags("q"))   //
	put(11, 1, event.Update, "a5", placeholder, tags("r"), 2) // from the row before
	put(12, 2, event.Update, "b3", text8(""), null, 3)        // the empty string is a value
	put(13, 5, event.Create, "e", placeholder, tags("s"), 2)  // a changed key: an older record 5 was another
	put(14, 5, event.Update, "e2", placeholder, tags("s"), 2) // likewise

	holes := b.Holes()
	require.Equal(t, []Hole{
		{Record: "s.y:2", Row: 1, Columns: []int{2, 3}},
		{Record: "s.y:3", Row: 4, Columns: []int{2}},
		{Record: "s.y:4", Row: 6, Columns: []int{3}},
	}, holes)
	sql, columns := b.Lookup(holes)
	golden(t, "lookup.sql", sql+"\n")
	require.Equal(t, []int{2, 3}, columns)

	found := map[Gap]any{}
	notes := b.Target(2).(**string)
	*notes = ptr("from bronze")
	found[Gap{1, 2}] = notes
	list := b.Target(3).(*[]*string)
	*list = []*string{ptr("old"), nil}
	found[Gap{1, 3}] = list
	found[Gap{6, 3}] = nil // a NULL array

	require.Equal(t, 5, b.Complete(found))
	silver := values(t, tab.InsertSilver(), b, false)
	require.Equal(t, []*string{ptr("known"), ptr("from bronze"), ptr("known"), ptr("from bronze"), nil, nil, nil, nil, nil, ptr("new"), ptr("new"), ptr(""), nil, nil}, silver["notes"])
	require.Equal(t, [][]*string{{ptr("x")}, {ptr("old"), nil}, {ptr("x")}, {ptr("y")}, {ptr("z")}, {ptr("z")}, {}, {}, {ptr("q")}, {ptr("q")}, {ptr("r")}, {ptr("y")}, {ptr("s")}, {ptr("s")}}, silver["tags"])
	require.Equal(t, [][]string{nil, nil, nil, nil, {"notes"}, {"notes"}, nil, nil, {"notes"}, nil, nil, nil, {"notes"}, {"notes"}}, silver["_incomplete"])
	require.Equal(t, [][]string{{"tags"}, {"tags"}, {"tags"}, {"tags"}, {"tags"}, {"tags"}, nil, nil, {"tags"}, {"tags"}, {"tags"}, {"tags"}, {"tags"}, {"tags"}}, silver["_arrays"], "ClickHouse has no NULL array: it is not named")

	bronze := values(t, tab.InsertBronze(), b, false)
	require.Equal(t, []*string{ptr("known"), nil, nil, nil, nil, nil, nil, nil, nil, ptr("new"), nil, ptr(""), nil, nil}, bronze["notes"], "bronze keeps what came")
	require.Equal(t, []string{"notes", "tags"}, bronze["_unchanged"].([][]string)[1])
	require.Equal(t, [][]string{{"tags"}, nil, nil, {"tags"}}, bronze["_arrays"].([][]string)[:4])
}

// Case 14: an array that is NULL is told from an empty one, in a table that an
// earlier release made too.
func TestCase14NullArrayIsNoEmptyArray(t *testing.T) {
	tab, m := noteTable(t)
	b := tab.NewBuffer("s", "t", 0)
	for i, tags := range []avro.Cell{null, {}, {Elems: []avro.Cell{null}}} {
		require.NoError(t, b.Append(m, []avro.Cell{num(int64(i)), text8("a"), null, tags, null}, meta(fmt.Sprintf("s.y:%d", i), uint32(i), event.Create)))
	}
	for _, insert := range []*Insert{tab.InsertSilver(), tab.InsertBronze()} {
		got := values(t, insert, b, false)
		require.Equal(t, [][]*string{{}, {}, {nil}}, got["tags"])
		require.Equal(t, [][]string{nil, {"tags"}, {"tags"}}, got["_arrays"])
	}
	var old []Existing
	for _, c := range ownColumns {
		if c.name != "_arrays" {
			old = append(old, Existing{Name: c.name, Type: c.sqlType})
		}
	}
	statements := tab.Missing(Silver, old)
	require.Len(t, statements, 1)
	require.Contains(t, statements[0], "ALTER TABLE `silver`.`x_y` ADD COLUMN IF NOT EXISTS `_arrays` Array(String) DEFAULT arrayConcat(if(notEmpty(`tags`), ['tags'], [])) COMMENT")
	require.Empty(t, tab.Missing(Bronze, append(old, Existing{Name: "_arrays"})))
}

func TestATruncateHasNoRow(t *testing.T) {
	tab, m := noteTable(t)
	b := tab.NewBuffer("s", "t", 0)
	require.NoError(t, b.Append(m, nil, meta("", 4, event.Truncate)))
	got := values(t, tab.InsertBronze(), b, false)
	require.Equal(t, []int64{0}, got["id"])
	require.Equal(t, []*string{nil}, got["name"])
	require.Equal(t, []string{"t"}, got["_op"])
}
