package column

import (
	"fmt"
	"slices"

	"github.com/hopluu/hopluu/connectors/postgres/pgvalue"
	"github.com/hopluu/hopluu/schemas/sectors"
)

// Table is what files of a table are read with.
type Table struct {
	Columns []Column
	// Key are the columns of the key, as indexes into Columns.
	Key []int
}

// Column is one column that the sector file describes.
type Column struct {
	sectors.Column
	// IsKey tells that it is part of the key: its cells must not be empty.
	IsKey bool
	typ   columnType
	names names
}

// Codec carries the column's values to Avro.
func (c *Column) Codec() pgvalue.Codec { return c.typ.codec }

// New makes a table ready for reading. key overrides the sector file's.
func New(described sectors.Table, key []string) (*Table, error) {
	if len(key) == 0 {
		key = described.Key
	}
	if len(key) == 0 {
		return nil, fmt.Errorf("table %s has no key: name the columns that tell its rows apart, as `key` of the table in the source's configuration or in the sector file", described.Name)
	}
	if described.Where != "" {
		return nil, fmt.Errorf("table %s: where in its sector file is a condition for a database, which files cannot be asked: leave such rows out of the files, and where out of the sector file", described.Name)
	}
	t := &Table{}
	for _, d := range described.Columns {
		typ, err := parseType(d.Name, d.Type)
		if err != nil {
			return nil, fmt.Errorf("table %s: %w", described.Name, err)
		}
		t.Columns = append(t.Columns, Column{Column: d, typ: typ, names: namesOf(d)})
	}
	for _, name := range key {
		i := slices.IndexFunc(t.Columns, func(c Column) bool { return c.Name == name })
		if i < 0 {
			return nil, fmt.Errorf("table %s: key column %s is not described in the sector file", described.Name, name)
		}
		if t.Columns[i].IsKey {
			return nil, fmt.Errorf("table %s: key column %s is named twice", described.Name, name)
		}
		if p := t.Columns[i].Privacy; p == sectors.Drop || p == sectors.Mask {
			return nil, fmt.Errorf("table %s: key column %s has privacy %s in the sector file, but a row is known by its key: write token there, or name another key", described.Name, name, p)
		}
		t.Columns[i].IsKey = true
		t.Key = append(t.Key, i)
	}
	return t, nil
}
