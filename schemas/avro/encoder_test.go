package avro

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/linkedin/goavro/v2"
	"github.com/stretchr/testify/require"

	"github.com/hopluu/hopluu/schemas/event"
)

func TestCompileRefuses(t *testing.T) {
	for reason, change := range map[string]func(*Table){
		"no column":                  func(t *Table) { t.Fields, t.Key = nil, nil },
		"is no Avro name":            func(t *Table) { t.Fields[2].Name = "ghi chú" },
		"two columns have":           func(t *Table) { t.Fields[2].Name = "hospital" },
		"has no Append":              func(t *Table) { t.Fields[2].Append = nil },
		"has the index -1":           func(t *Table) { t.Fields[2].Column = -1 },
		"and only those":             func(t *Table) { t.Fields[2].Nullable = false },
		"column hospital: the colum": func(t *Table) { t.Fields[1].Nullable = true },
		"names field 11 of 11":       func(t *Table) { t.Key = []int{11} },
		"twice in the key":           func(t *Table) { t.Key = []int{0, 1, 0} },
		"unknown type \"varchar\"":   func(t *Table) { t.Fields[2].Type = "varchar" },
		"is not supported": func(t *Table) {
			t.Fields[2].Type = map[string]any{"type": "map", "values": "string"}
		},
		"is defined twice": func(t *Table) {
			enum := map[string]any{"type": "enum", "name": "mood", "symbols": []any{"a"}}
			t.Fields[2].Type, t.Fields[3].Type = enum, enum
		},
		"unsupported type": func(t *Table) { t.Fields[2].Type = func() {} },
	} {
		table := visits()
		change(&table)
		_, err := Compile(table)
		require.ErrorContains(t, err, reason)
		require.ErrorContains(t, err, "health.public.visit")
	}
}

func TestTableWithoutKey(t *testing.T) {
	table := visits()
	table.Key = nil
	table.Fields[0].Nullable, table.Fields[1].Nullable = true, true
	e := mustCompile(t, table)
	require.Empty(t, e.KeySchema())
	_, err := e.AppendKey(nil, 1, fullRow())
	require.ErrorContains(t, err, "no key")
	_, err = e.AppendValue(nil, 1, &event.Event{Op: event.Create, After: make(event.Row, 11)})
	require.NoError(t, err)
}

// Odd names of schemas and tables become Avro names; the source block keeps
// them as they are.
func TestOddNames(t *testing.T) {
	table := visits()
	table.Source, table.Schema, table.Name = "bv-115", "2024", `Lượt "khám"`
	e := mustCompile(t, table)
	require.Contains(t, e.ValueSchema(), `"namespace":"bv_115._2024.L__t__kh_m_"`)
	msg, err := e.AppendValue(nil, 1, update1())
	require.NoError(t, err)
	env, err := ParseEnvelope(e.ValueSchema())
	require.NoError(t, err)
	var d Decoded
	require.NoError(t, env.Decode(payloadOf(t, msg), &d))
	require.Equal(t, []string{"bv-115", "2024", `Lượt "khám"`}, []string{d.Source, d.Schema, d.Table})
	require.Equal(t, "_", SafeName(""))
	require.Equal(t, "_1a", SafeName("1a"))
	require.Equal(t, "a_b", SafeName("a.b"))
	require.Equal(t, "ok_1", SafeName("ok_1"))
}

// P3: what cannot be encoded says which table and column, and leaves no half
// of a message behind.
func TestCellErrors(t *testing.T) {
	e := mustCompile(t, visits())
	broken := fullRow()
	broken[3] = present("not a day " + strings.Repeat("ữ", 100))
	nullKey, missingKey := fullRow(), fullRow()
	nullKey[0], missingKey[0] = null, unchanged
	oldUnchanged := fullRow()
	oldUnchanged[2] = unchanged
	for name, c := range map[string]struct {
		ev     *event.Event
		column string
		reason string
	}{
		"a text that is no day": {&event.Event{Op: event.Create, After: broken}, "on_day", "invalid syntax"},
		"null in the key":       {&event.Event{Op: event.Create, After: nullKey}, "id", "replica identity"},
		"key not sent":          {&event.Event{Op: event.Update, After: missingKey}, "id", "replica identity"},
		"unchanged in the old":  {&event.Event{Op: event.Update, Before: oldUnchanged, After: fullRow()}, "note", "old image"},
		"short row":             {&event.Event{Op: event.Create, After: fullRow()[:10]}, "", "10 cells where the relation has 11"},
		"short old row":         {&event.Event{Op: event.Delete, Before: fullRow()[:1]}, "", "1 cells where"},
		"create without row":    {&event.Event{Op: event.Create}, "", "without a new row"},
		"delete without row":    {&event.Event{Op: event.Delete}, "", "without its old row"},
		"delete with a new row": {&event.Event{Op: event.Delete, Before: fullRow(), After: fullRow()}, "", "with a new row"},
		"truncate with a row":   {&event.Event{Op: event.Truncate, After: fullRow()}, "", "with a row"},
		"a range of a row":      {&event.Event{Op: event.Create, After: fullRow(), Range: &event.Range{Column: "id"}}, "", "of a range"},
		"marker with a row":     {&event.Event{Op: event.Marker, After: fullRow()}, "", "with a row"},
		"no operation":          {&event.Event{After: fullRow()}, "", "unknown operation"},
	} {
		dst, err := e.AppendValue([]byte("kept"), 1, c.ev)
		require.Equal(t, "kept", string(dst), name)
		var cell *CellError
		require.ErrorAs(t, err, &cell, name)
		require.Equal(t, "health.public.visit", cell.Table)
		require.Equal(t, c.column, cell.Column, name)
		require.ErrorContains(t, err, c.reason, name)
		require.LessOrEqual(t, len(cell.Text), maxErrorText)
	}
	dst, err := e.AppendKey([]byte("kept"), 1, nullKey)
	require.ErrorIs(t, err, errNull)
	require.Equal(t, "kept", string(dst))
	_, err = e.AppendKey(nil, 1, missingKey)
	require.ErrorIs(t, err, errUnchangedKey)
	_, err = e.AppendKey(nil, 1, nil)
	require.Error(t, err)
	// An encoder that failed encodes the next event right.
	want, err := mustCompile(t, visits()).AppendValue(nil, 1, update1())
	require.NoError(t, err)
	got, err := e.AppendValue(nil, 1, update1())
	require.NoError(t, err)
	require.Equal(t, want, got)
}

func TestCellErrorText(t *testing.T) {
	inner := errors.New("reason")
	err := &CellError{Table: "t", Column: "c", Text: "012345678901", Err: inner}
	require.ErrorIs(t, err, inner)
	require.Equal(t, "t, column c: reason", err.Error(), "P11: the value stays out of logs")
	require.Equal(t, strings.Repeat("a", 64), shorten([]byte(strings.Repeat("a", 70))))
	require.Equal(t, strings.Repeat("ữ", 21), shorten([]byte(strings.Repeat("ữ", 30))), "cut between characters")
	require.Equal(t, "\uFFFD", shorten([]byte("\xff")))
}

// Case 13, P4: unchanged is neither null nor missing: the decoder names
// exactly the columns that were not sent, and a null stays a null.
func TestCase13UnchangedBothWays(t *testing.T) {
	e := mustCompile(t, visits())
	env, err := ParseEnvelope(e.ValueSchema())
	require.NoError(t, err)
	after := nullRow()
	after[2], after[4], after[8] = unchanged, unchanged, unchanged // a string, a decimal, an array
	after[1] = present(Placeholder)                                // a value that only looks so
	msg, err := e.AppendValue(nil, 1, &event.Event{Op: event.Update, After: after})
	require.NoError(t, err)
	var d Decoded
	require.NoError(t, env.Decode(payloadOf(t, msg), &d))
	require.Equal(t, []int{2, 4, 8}, d.Unchanged)
	require.Equal(t, Placeholder, string(d.After[2].B))
	require.True(t, d.After[4].Null)
	require.True(t, d.After[3].Null)
	// The next event of the same Decoded has none.
	msg, err = e.AppendValue(nil, 1, events()["create"])
	require.NoError(t, err)
	require.NoError(t, env.Decode(payloadOf(t, msg), &d))
	require.Empty(t, d.Unchanged)
}

// Case 14: a NULL is written and read as null, not as a default, a zero or an
// empty text; the reference reads it so too.
func TestCase14NullIsNoDefault(t *testing.T) {
	table := visits()
	e := mustCompile(t, table)
	env, err := ParseEnvelope(e.ValueSchema())
	require.NoError(t, err)
	codec, err := goavro.NewCodec(e.ValueSchema())
	require.NoError(t, err)
	msg, err := e.AppendValue(nil, 1, &event.Event{Op: event.Create, After: nullRow()})
	require.NoError(t, err)
	var d Decoded
	require.NoError(t, env.Decode(payloadOf(t, msg), &d))
	require.Empty(t, d.Unchanged)
	native, _, err := codec.NativeFromBinary(payloadOf(t, msg))
	require.NoError(t, err)
	var row map[string]any
	for _, branch := range native.(map[string]any)["after"].(map[string]any) {
		row = branch.(map[string]any)
	}
	nulls := 0
	for i, c := range env.Columns() {
		require.Equal(t, c.Nullable, d.After[i].Null, c.Name)
		value, there := row[c.Name]
		require.True(t, there, c.Name)
		if c.Nullable {
			nulls++
			require.Nil(t, value, c.Name)
		}
	}
	require.Positive(t, nulls)
	// The default that a reader takes for a column which a writer did not have
	// is null too, never a value.
	var schema struct {
		Fields []struct {
			Type any
		}
	}
	require.NoError(t, json.Unmarshal([]byte(e.ValueSchema()), &schema))
	fields := schema.Fields[0].Type.([]any)[1].(map[string]any)["fields"].([]any)
	require.Len(t, fields, len(env.Columns()))
	for i, c := range env.Columns() {
		value, there := fields[i].(map[string]any)["default"]
		require.Equal(t, c.Nullable, there, c.Name)
		require.Nil(t, value, c.Name)
	}
}

func TestNoAllocationOnceWarm(t *testing.T) {
	e := mustCompile(t, benchTable())
	ev := benchEvent()
	key, value := make([]byte, 0, 4096), make([]byte, 0, 4096)
	var err error
	require.Zero(t, testing.AllocsPerRun(100, func() {
		if key, err = e.AppendKey(key[:0], 1, ev.After); err != nil {
			panic(err)
		}
		if value, err = e.AppendValue(value[:0], 1, ev); err != nil {
			panic(err)
		}
	}))
	env, err := ParseEnvelope(e.ValueSchema())
	require.NoError(t, err)
	record, err := ParseRecord(e.KeySchema())
	require.NoError(t, err)
	var d Decoded
	var cells []Cell
	keyPayload, payload := payloadOf(t, key), payloadOf(t, value)
	require.Zero(t, testing.AllocsPerRun(100, func() {
		if err := env.Decode(payload, &d); err != nil {
			panic(err)
		}
		if cells, err = record.Decode(keyPayload, cells); err != nil {
			panic(err)
		}
	}))
}
