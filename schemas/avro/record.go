package avro

import "fmt"

// Record reads flat records: keys, and values such as identity.link's.
type Record struct{ row rowType }

// rowType is the way to read a record of columns.
type rowType struct {
	columns []Column
	cells   []cellType
}

func compileRow(n *node) (rowType, error) {
	var t rowType
	for _, f := range n.fields {
		cell, typ, err := compileCell(f.node, 0)
		if err != nil {
			return t, fmt.Errorf("%s, column %s: %w", n.name, f.name, err)
		}
		t.cells = append(t.cells, cell)
		t.columns = append(t.columns, Column{Name: f.name, Doc: f.doc, Type: typ, Nullable: cell.null >= 0, Key: f.key})
	}
	return t, nil
}

// read fills cells, which it grows to the number of columns and gives back.
func (t *rowType) read(r *reader, cells []Cell) []Cell {
	for len(cells) < len(t.cells) {
		if len(cells) < cap(cells) {
			cells = cells[:len(cells)+1]
		} else {
			cells = append(cells, Cell{})
		}
	}
	cells = cells[:len(t.cells)]
	for i := range t.cells {
		r.field = t.columns[i].Name
		r.cell(&t.cells[i], &cells[i])
	}
	return cells
}

// ParseRecord reads the schema of a flat record. Errors hold a *SchemaError.
func ParseRecord(schemaJSON string) (*Record, error) {
	n, err := parseSchema(schemaJSON)
	if err != nil {
		return nil, err
	}
	if n.typ != avroRecord {
		return nil, schemaErrorf("not a record")
	}
	row, err := compileRow(n)
	if err != nil {
		return nil, err
	}
	return &Record{row: row}, nil
}

// Columns are the record's fields in their order. They are not to be changed.
func (r *Record) Columns() []Column { return r.row.columns }

// Decode reads a payload into cells, which may be nil or what an earlier call
// gave, and gives them back, one for each column. The cells alias payload. The
// error is a *DecodeError.
func (r *Record) Decode(payload []byte, cells []Cell) ([]Cell, error) {
	rd := newReader(payload)
	cells = r.row.read(&rd, cells)
	return cells, rd.finish()
}
