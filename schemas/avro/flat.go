package avro

import (
	"fmt"
	"unicode/utf8"
)

// FlatField is a field of a flat record.
type FlatField struct {
	Name     string
	Type     string // boolean, int, long, float, double, bytes or string
	Nullable bool
	Doc      string
}

// Flat writes flat records, such as identity.link's and dead letters'. It may
// be used by many goroutines.
type Flat struct {
	schema string
	name   string
	fields []FlatField
	types  []avroType
}

// CompileFlat makes the writer of a record namespace.name.
func CompileFlat(namespace, name string, fields []FlatField) (*Flat, error) {
	f := &Flat{name: namespace + "." + name, fields: append([]FlatField(nil), fields...)}
	if !validFullName(f.name) {
		return nil, fmt.Errorf("%q is no Avro name", f.name)
	}
	list := []object{}
	for _, field := range fields {
		t, ok := primitives[field.Type]
		if !ok || t == avroNull {
			return nil, fmt.Errorf("%s, field %s: a flat record has no type %q", f.name, field.Name, field.Type)
		}
		f.types = append(f.types, t)
		o := required(field.Name, field.Type)
		if field.Nullable {
			o = optional(field.Name, field.Type)
		}
		if field.Doc != "" {
			o = append(o, member{"doc", field.Doc})
		}
		list = append(list, o)
	}
	var err error
	if f.schema, err = schemaText(record(namespace, name, "", list)); err != nil {
		return nil, fmt.Errorf("%s: %w", f.name, err)
	}
	// Names that Avro does not know, or twice the same, show here.
	if _, err := ParseRecord(f.schema); err != nil {
		return nil, err
	}
	return f, nil
}

// Schema is the record's Avro schema.
func (f *Flat) Schema() string { return f.schema }

// Append writes a record in wire format, a cell for each field. On an error
// (*CellError) dst is given back as it was.
func (f *Flat) Append(dst []byte, schemaID uint32, cells []Cell) ([]byte, error) {
	if len(cells) != len(f.fields) {
		return dst, &CellError{Table: f.name, Err: fmt.Errorf("%d cells for %d fields", len(cells), len(f.fields))}
	}
	start := len(dst)
	dst = appendHeader(dst, schemaID)
	for i := range cells {
		c := &cells[i]
		if f.fields[i].Nullable {
			if c.Null {
				dst = append(dst, branchNull)
				continue
			}
			dst = append(dst, branchValue)
		} else if c.Null {
			return dst[:start], &CellError{Table: f.name, Column: f.fields[i].Name, Err: fmt.Errorf("null in a field that may not be")}
		}
		switch f.types[i] {
		case avroBoolean:
			dst = AppendBoolean(dst, c.N != 0)
		case avroInt:
			if c.N != int64(int32(c.N)) {
				return dst[:start], &CellError{Table: f.name, Column: f.fields[i].Name, Err: fmt.Errorf("%d does not fit an int", c.N)}
			}
			dst = AppendLong(dst, c.N)
		case avroLong:
			dst = AppendLong(dst, c.N)
		case avroFloat:
			dst = AppendFloat(dst, float32(c.F))
		case avroDouble:
			dst = AppendDouble(dst, c.F)
		case avroString:
			if !utf8.Valid(c.B) {
				return dst[:start], &CellError{Table: f.name, Column: f.fields[i].Name, Text: shorten(c.B), Err: fmt.Errorf("a string that is not UTF-8")}
			}
			dst = AppendBytes(dst, c.B)
		default:
			dst = AppendBytes(dst, c.B)
		}
	}
	return dst, nil
}
