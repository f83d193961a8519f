package checkpoint

import (
	"fmt"
	"hash/fnv"
	"slices"
)

// Column is a column as pg_attribute has it. Its number stays when it is
// renamed and is never given again, which names do not promise.
type Column struct {
	Name   string `json:"name"`
	Number int16  `json:"number"`
	Type   uint32 `json:"type"`
	Typmod int32  `json:"typmod"`
	// Made is the transaction that wrote the column's entry in the catalogue
	// (pg_attribute.xmin); 0 is not known, as to checkpoints of older programs.
	Made uint32 `json:"made,omitempty"`
	// Generated columns are not captured.
	Generated bool `json:"generated,omitempty"`
	// Prints sums up what the text of the values depends on beside the type's
	// number: labels and fields of own types up to the number LastPrint (Print).
	// 0 is none, or not known.
	Prints    uint64 `json:"prints,omitempty"`
	LastPrint uint32 `json:"last_print,omitempty"`
	// Filled is true when rows older than the column read its default
	// (pg_attribute.atthasmissing).
	Filled bool `json:"-"`
}

// touched tells whether its entry was written since.
func (c Column) touched(now Column) bool { return c.Made != 0 && c.Made != now.Made }

// Part is a partition of a table that has rows of its own.
type Part struct {
	OID         uint32 `json:"oid"`
	Relfilenode uint32 `json:"relfilenode"`
	// Attached names the transactions that made it a partition, and those above
	// it (pg_inherits.xmin); empty is not known.
	Attached string `json:"attached,omitempty"`
	// Born is true when it was made as a partition, and so empty, and still has
	// the heap of that time: all its rows came as events. One that was attached
	// brought rows without.
	Born bool `json:"born,omitempty"`
}

// Print is an entry of the catalogue that the text of a type's values depends
// on: a label of an enum, by its number, or all the fields of a composite, by
// that of the type.
type Print struct {
	OID  uint32
	Text string
}

// printsUpTo sums up the entries up to a number. A value that is added to an
// enum changes no row, and has a higher number than the others.
func printsUpTo(prints []Print, last uint32) uint64 {
	sum := fnv.New64a()
	for _, p := range prints {
		if p.OID <= last {
			_, _ = fmt.Fprintf(sum, "%d %q,", p.OID, p.Text) // a hash takes all
		}
	}
	return sum.Sum64()
}

// Shape is what the database says of a table now.
type Shape struct {
	// OID is 0 when there is no such table.
	OID         uint32
	Relfilenode uint32
	// Published is 0 when the table is not in the publication.
	Published uint32
	// Unlogged is true when its changes are not in the log.
	Unlogged bool
	Columns  []Column
	// Prints are those of columns of own types, by the number of the column, in
	// the order of their numbers.
	Prints map[int16][]Print
	// Parts are the table's partitions, in the order of their OIDs.
	Parts []Part
}

// noted are the columns as a checkpoint keeps them.
func (s Shape) noted() []Column {
	columns := slices.Clone(s.Columns)
	for i := range columns {
		c := &columns[i]
		c.Filled = false
		if prints := s.Prints[c.Number]; len(prints) > 0 {
			c.LastPrint = prints[len(prints)-1].OID
			c.Prints = printsUpTo(prints, c.LastPrint)
		}
	}
	return columns
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
	if why := t.repartitioned(now); why != "" {
		return why
	}
	known := make(map[int16]Column, len(t.Columns))
	names := make(map[string]bool, len(t.Columns))
	for _, c := range t.Columns {
		known[c.Number] = c
		if !c.Generated {
			names[c.Name] = true
		}
	}
	rewritten := t.Relfilenode != now.Relfilenode
	for _, c := range now.Columns {
		was, ok := known[c.Number]
		switch {
		case c.Generated:
		case ok && was.Generated:
			return fmt.Sprintf("column %s is not generated any more, and has its values without an event", c.Name)
		case ok && was.Name != c.Name:
			return fmt.Sprintf("column %s is now called %s", was.Name, c.Name)
		case ok && (was.Type != c.Type && !sameText(was.Type, c.Type) || rewritten && (was.Type != c.Type || was.Typmod != c.Typmod)):
			return fmt.Sprintf("column %s has another type", c.Name)
		case ok && was.Prints != 0 && was.Prints != printsUpTo(now.Prints[c.Number], was.LastPrint):
			return fmt.Sprintf("the type of column %s prints in another way: a label or a field of it was changed", c.Name)
		case ok && rewritten && was.touched(c):
			return fmt.Sprintf("the table was rewritten, and column %s may have other values without an event", c.Name)
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

// sameText tells whether a change from one type to another that does not rewrite
// the table leaves the values as they were. Of the types that share their binary
// form some print it in another way: an address that was a cidr loses its /32.
func sameText(a, b uint32) bool {
	const text, varchar = 25, 1043 // src/include/catalog/pg_type.dat
	return (a == text || a == varchar) && (b == text || b == varchar)
}

// repartitioned tells which change of the partitions changed the table's rows:
// the stream has a partitioned table's changes under its root, and what is done
// to one partition as a whole is not among them.
func (t Table) repartitioned(now Shape) string {
	known := make(map[uint32]Part, len(t.Parts))
	for _, p := range t.Parts {
		known[p.OID] = p
	}
	for _, p := range now.Parts {
		was, ok := known[p.OID]
		delete(known, p.OID)
		switch {
		case !ok && !p.Born, ok && was.Attached != "" && was.Attached != p.Attached:
			return "a partition was attached, and its rows came without an event"
		case ok && was.Relfilenode != p.Relfilenode:
			return "a partition was truncated or rewritten, which leaves no event"
		}
	}
	if len(known) > 0 {
		return "a partition was detached or dropped, and its rows went without an event"
	}
	return ""
}

// Seen takes over how the table looks, when that outdates nothing. Dropped
// columns stay: what the topic says of them must not return under their name.
func (t Table) Seen(now Shape) Table {
	columns := now.noted()
	for _, was := range t.Columns {
		if !slices.ContainsFunc(columns, func(c Column) bool { return c.Number == was.Number }) {
			columns = append(columns, was)
		}
	}
	t.Relfilenode, t.Published, t.Columns, t.Parts = now.Relfilenode, now.Published, columns, nil
	for _, p := range now.Parts {
		t.Parts = append(t.Parts, Part{OID: p.OID, Relfilenode: p.Relfilenode, Attached: p.Attached})
	}
	return t
}

// Knows tells whether Seen would change nothing.
func (t Table) Knows(now Shape) bool {
	known := make(map[int16]Column, len(t.Columns))
	for _, c := range t.Columns {
		known[c.Number] = c
	}
	for _, c := range now.noted() {
		if known[c.Number] != c {
			return false
		}
	}
	return t.Relfilenode == now.Relfilenode && t.Published == now.Published &&
		slices.EqualFunc(t.Parts, now.Parts, func(a, b Part) bool {
			return a.OID == b.OID && a.Relfilenode == b.Relfilenode && a.Attached == b.Attached
		})
}
