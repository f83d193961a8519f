package checkpoint

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// Case 36: old rows that differ from what the stream showed ask for a new
// snapshot; what changes no row does not.
func TestCase36Outdated(t *testing.T) {
	id := Column{Name: "id", Number: 1, Type: 20, Typmod: -1, Made: 700}
	paid := Column{Name: "paid", Number: 2, Type: 1700, Typmod: 786438, Made: 700}
	twice := Column{Name: "twice", Number: 3, Type: 1700, Typmod: -1, Made: 700, Generated: true}
	known := Table{Complete: true, Relfilenode: 5, Published: 7, Columns: []Column{id, paid, twice}}
	with := func(c Column, change func(*Column)) Column { c.Made = 800; change(&c); return c }
	same := func(*Column) {}
	for _, c := range []struct {
		name string
		now  Shape
		want string // empty: not outdated
	}{
		{"as it was", Shape{Relfilenode: 5, Published: 7, Columns: known.Columns}, ""},
		{"emptied or vacuumed full", Shape{Relfilenode: 6, Published: 7, Columns: known.Columns}, ""},
		{"a column added, null in old rows", Shape{Relfilenode: 5, Published: 7, Columns: []Column{id, paid, twice, {Name: "n", Number: 4}}}, ""},
		{"a column dropped", Shape{Relfilenode: 5, Published: 7, Columns: []Column{id}}, ""},
		{"a type widened without a rewrite", Shape{Relfilenode: 5, Published: 7, Columns: []Column{id, with(paid, func(c *Column) { c.Typmod = -1 })}}, ""},
		{"a constant default", Shape{Relfilenode: 5, Published: 7, Columns: []Column{id, paid, {Name: "n", Number: 4, Filled: true}}}, "column n came with a default"},
		{"a computed default", Shape{Relfilenode: 6, Published: 7, Columns: []Column{id, paid, {Name: "n", Number: 4}}}, "rewritten for the new column n"},
		{"a rename", Shape{Relfilenode: 5, Published: 7, Columns: []Column{id, with(paid, func(c *Column) { c.Name = "owed" })}}, "paid is now called owed"},
		{"dropped and added under the same name", Shape{Relfilenode: 5, Published: 7, Columns: []Column{id, with(paid, func(c *Column) { c.Number = 4 })}}, "paid was dropped and made anew"},
		{"another type", Shape{Relfilenode: 6, Published: 7, Columns: []Column{id, with(paid, func(c *Column) { c.Type = 20 })}}, "column paid has another type"},
		{"another type that prints as the other does", Shape{Relfilenode: 5, Published: 7, Columns: []Column{id, with(paid, func(c *Column) { c.Type = 20 })}}, "column paid has another type"},
		{"the same type, by an expression", Shape{Relfilenode: 6, Published: 7, Columns: []Column{id, with(paid, same)}}, "paid may have other values"},
		{"another default", Shape{Relfilenode: 5, Published: 7, Columns: []Column{id, with(paid, same)}}, ""},
		{"a generated column added", Shape{Relfilenode: 6, Published: 7, Columns: []Column{id, paid, with(twice, func(c *Column) { c.Number = 4 })}}, ""},
		{"another generated value", Shape{Relfilenode: 6, Published: 7, Columns: []Column{id, paid, with(twice, same)}}, ""},
		{"generated no more", Shape{Relfilenode: 5, Published: 7, Columns: []Column{id, paid, with(twice, func(c *Column) { c.Generated = false })}}, "twice is not generated any more"},
		{"taken out of the publication and put back", Shape{Relfilenode: 5, Published: 8, Columns: known.Columns}, "out of the publication"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := known.Outdated(c.now)
			if c.want == "" {
				require.Empty(t, got)
				require.True(t, known.Seen(c.now).Knows(c.now))
				return
			}
			require.Contains(t, got, c.want)
		})
	}
	dropped := known.Seen(Shape{Relfilenode: 5, Published: 7, Columns: []Column{id}})
	require.Contains(t, dropped.Outdated(Shape{Relfilenode: 5, Published: 7, Columns: []Column{id, with(paid, func(c *Column) { c.Number = 4 })}}), "made anew")
	mood := Column{Name: "mood", Number: 1, Type: 16400, Typmod: -1, Made: 700}
	felt := func(prints ...Print) Shape {
		return Shape{Published: 7, Columns: []Column{mood}, Prints: map[int16][]Print{1: prints}}
	}
	moods := Table{Published: 7, Columns: []Column{mood}}
	was := felt(Print{16401, "vui"}, Print{16403, "buồn"})
	require.Empty(t, moods.Outdated(was), "not known so far")
	require.False(t, moods.Knows(was))
	moods = moods.Seen(was)
	require.True(t, moods.Knows(was))
	more := felt(Print{16401, "vui"}, Print{16403, "buồn"}, Print{16405, "lo"})
	require.Empty(t, moods.Outdated(more), "a value that no row has")
	require.False(t, moods.Knows(more))
	require.Contains(t, moods.Outdated(felt(Print{16401, "mừng"}, Print{16403, "buồn"})), "column mood prints in another way")
	require.Contains(t, moods.Seen(more).Outdated(was), "column mood prints in another way")
	require.Contains(t, moods.Outdated(Shape{Published: 7, Columns: []Column{mood}}), "column mood prints in another way")

	older := Table{Complete: true, Relfilenode: 5, Published: 7, Columns: []Column{{Name: "id", Number: 1, Type: 20, Typmod: -1}}}
	now := Shape{Relfilenode: 6, Published: 7, Columns: []Column{id, twice}}
	require.Empty(t, older.Outdated(now), "an older program did not note who made a column")
	require.False(t, older.Knows(now))
	text, varchar := Column{Name: "a", Number: 1, Type: 25, Typmod: -1, Made: 700}, Column{Name: "a", Number: 1, Type: 1043, Typmod: -1, Made: 800}
	require.Empty(t, Table{Published: 7, Columns: []Column{text}}.Outdated(Shape{Published: 7, Columns: []Column{varchar}}), "a text by another name")
	require.Empty(t, Table{}.Outdated(Shape{Relfilenode: 9, Published: 9, Columns: []Column{id}}), "nothing is known of an older checkpoint")
}

// Case 36: what is done to a partition as a whole is not in the stream.
func TestCase36Partitions(t *testing.T) {
	columns := []Column{{Name: "id", Number: 1, Type: 20, Typmod: -1}}
	known := Table{Complete: true, Published: 7, Columns: columns, Parts: []Part{{1, 10, "7.", false}, {2, 20, "8.", false}}}
	for _, c := range []struct {
		name  string
		parts []Part
		want  string
	}{
		{"as it was", []Part{{1, 10, "7.", true}, {2, 20, "8.", false}}, ""},
		{"one made", []Part{{1, 10, "7.", true}, {2, 20, "8.", true}, {3, 30, "9.", true}}, ""},
		{"one attached", []Part{{1, 10, "7.", true}, {2, 20, "8.", true}, {3, 30, "9.", false}}, "attached"},
		{"one truncated", []Part{{1, 11, "7.", true}, {2, 20, "8.", true}}, "truncated"},
		{"one detached and attached again", []Part{{1, 10, "7.", true}, {2, 20, "9.", false}}, "attached"},
		{"one dropped", []Part{{2, 20, "8.", true}}, "dropped"},
		{"all dropped", nil, "dropped"},
	} {
		now := Shape{Published: 7, Columns: columns, Parts: c.parts}
		if c.want != "" {
			require.Contains(t, known.Outdated(now), c.want, c.name)
			require.False(t, known.Knows(now), c.name)
			continue
		}
		require.Empty(t, known.Outdated(now), c.name)
		require.True(t, known.Seen(now).Knows(now), c.name)
	}
}
