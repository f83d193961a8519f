package checkpoint

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// Case 36: old rows that differ from what the stream showed ask for a new
// snapshot; what changes no row does not.
func TestCase36Outdated(t *testing.T) {
	id := Column{Name: "id", Number: 1, Type: 20, Typmod: -1}
	paid := Column{Name: "paid", Number: 2, Type: 1700, Typmod: 786438}
	known := Table{Complete: true, Relfilenode: 5, Published: 7, Columns: []Column{id, paid}}
	with := func(c Column, change func(*Column)) Column { change(&c); return c }
	for _, c := range []struct {
		name string
		now  Shape
		want string // empty: not outdated
	}{
		{"as it was", Shape{Relfilenode: 5, Published: 7, Columns: known.Columns}, ""},
		{"emptied or vacuumed full", Shape{Relfilenode: 6, Published: 7, Columns: known.Columns}, ""},
		{"a column added, null in old rows", Shape{Relfilenode: 5, Published: 7, Columns: []Column{id, paid, {Name: "n", Number: 3}}}, ""},
		{"a column dropped", Shape{Relfilenode: 5, Published: 7, Columns: []Column{id}}, ""},
		{"a type widened without a rewrite", Shape{Relfilenode: 5, Published: 7, Columns: []Column{id, with(paid, func(c *Column) { c.Typmod = -1 })}}, ""},
		{"a constant default", Shape{Relfilenode: 5, Published: 7, Columns: []Column{id, paid, {Name: "n", Number: 3, Filled: true}}}, "column n came with a default"},
		{"a computed default", Shape{Relfilenode: 6, Published: 7, Columns: []Column{id, paid, {Name: "n", Number: 3}}}, "rewritten for the new column n"},
		{"a rename", Shape{Relfilenode: 5, Published: 7, Columns: []Column{id, with(paid, func(c *Column) { c.Name = "owed" })}}, "paid is now called owed"},
		{"dropped and added under the same name", Shape{Relfilenode: 5, Published: 7, Columns: []Column{id, with(paid, func(c *Column) { c.Number = 3 })}}, "paid was dropped and made anew"},
		{"another type", Shape{Relfilenode: 6, Published: 7, Columns: []Column{id, with(paid, func(c *Column) { c.Type = 20 })}}, "another type of column paid"},
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
	require.Contains(t, dropped.Outdated(Shape{Relfilenode: 5, Published: 7, Columns: []Column{id, with(paid, func(c *Column) { c.Number = 3 })}}), "made anew")
	require.Empty(t, Table{}.Outdated(Shape{Relfilenode: 9, Published: 9, Columns: []Column{id}}), "nothing is known of an older checkpoint")
}

// Case 36: what is done to a partition as a whole is not in the stream.
func TestCase36Partitions(t *testing.T) {
	columns := []Column{{Name: "id", Number: 1, Type: 20, Typmod: -1}}
	known := Table{Complete: true, Published: 7, Columns: columns, Parts: []Part{{OID: 1, Relfilenode: 10}, {OID: 2, Relfilenode: 20}}}
	for _, c := range []struct {
		name  string
		parts []Part
		want  string
	}{
		{"as it was", []Part{{1, 10, true}, {2, 20, false}}, ""},
		{"one made", []Part{{1, 10, true}, {2, 20, true}, {3, 30, true}}, ""},
		{"one attached", []Part{{1, 10, true}, {2, 20, true}, {3, 30, false}}, "attached"},
		{"one truncated", []Part{{1, 11, true}, {2, 20, true}}, "truncated"},
		{"one dropped", []Part{{2, 20, true}}, "dropped"},
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
