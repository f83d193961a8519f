package checkpoint

import (
	"fmt"
	"slices"
)

// Column is a column as pg_attribute has it. Its number stays when it is
// renamed and is never given again, which names do not promise.
type Column struct {
	Name   string `json:"name"`
	Number int16  `json:"number"`
	Type   uint32 `json:"type"`
	Typmod int32  `json:"typmod"`
	// Filled is true when rows older than the column read its default
	// (pg_attribute.atthasmissing).
	Filled bool `json:"-"`
}

// Shape is what the database says of a table now.
type Shape struct {
	// OID is 0 when there is no such table.
	OID         uint32
	Relfilenode uint32
	// Published is 0 when the table is not in the publication.
	Published uint32
	Columns   []Column
}

// Outdated tells why the topic no longer says what the table holds although
// every event of the stream went there: some changes of a table change its rows
// without an event (case 36). It is empty when the topic is right.
func (t Table) Outdated(now Shape) string {
	if t.Columns == nil {
		return ""
	}
	if t.Published != 0 && now.Published != t.Published {
		return "the table was out of the publication for a while, and what changed meanwhile was not sent"
	}
	known := make(map[int16]Column, len(t.Columns))
	names := make(map[string]bool, len(t.Columns))
	for _, c := range t.Columns {
		known[c.Number] = c
		names[c.Name] = true
	}
	rewritten := t.Relfilenode != now.Relfilenode
	for _, c := range now.Columns {
		was, ok := known[c.Number]
		switch {
		case ok && was.Name != c.Name:
			return fmt.Sprintf("column %s is now called %s", was.Name, c.Name)
		case ok && rewritten && (was.Type != c.Type || was.Typmod != c.Typmod):
			return fmt.Sprintf("the table was rewritten for another type of column %s", c.Name)
		case !ok && names[c.Name]:
			return fmt.Sprintf("column %s was dropped and made anew: older rows lost its value without an event", c.Name)
		case !ok && c.Filled:
			return fmt.Sprintf("column %s came with a default, which older rows have without an event", c.Name)
		case !ok && rewritten:
			return fmt.Sprintf("the table was rewritten for the new column %s", c.Name)
		}
	}
	return ""
}

// Seen takes over how the table looks, when that outdates nothing. Dropped
// columns stay: what the topic says of them must not return under their name.
func (t Table) Seen(now Shape) Table {
	columns := slices.Clone(now.Columns)
	for i := range columns {
		columns[i].Filled = false
	}
	for _, was := range t.Columns {
		if !slices.ContainsFunc(columns, func(c Column) bool { return c.Number == was.Number }) {
			columns = append(columns, was)
		}
	}
	t.Relfilenode, t.Published, t.Columns = now.Relfilenode, now.Published, columns
	return t
}

// Knows tells whether Seen would change nothing.
func (t Table) Knows(now Shape) bool {
	known := make(map[int16]Column, len(t.Columns))
	for _, c := range t.Columns {
		known[c.Number] = c
	}
	for _, c := range now.Columns {
		c.Filled = false
		if known[c.Number] != c {
			return false
		}
	}
	return t.Relfilenode == now.Relfilenode && t.Published == now.Published
}
