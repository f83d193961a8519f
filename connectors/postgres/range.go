package postgres

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/hopluu/hopluu/connectors/postgres/checkpoint"
	"github.com/hopluu/hopluu/connectors/postgres/pgvalue"
	"github.com/hopluu/hopluu/schemas/event"
	"github.com/jackc/pgx/v5"
)

// The types whose values are in an order that all readers know, by their fixed
// numbers (src/include/catalog/pg_type.dat).
const (
	int8Type    = 20
	int2Type    = 21
	int4Type    = 23
	textType    = 25
	varcharType = 1043
	dateType    = 1082
)

// base is a column's type without the domains around it.
func base(c pgvalue.Column) uint32 {
	for c.Base != nil {
		c = *c.Base
	}
	return c.OID
}

// CheckRange tells why the rows of a range of the relation cannot be read: its
// column is to be of an integer, text or date type, and have the ends for
// values. encoding is that of the server's texts (server_encoding).
func (r Relation) CheckRange(of event.Range, encoding string) error {
	i := slices.IndexFunc(r.Columns, func(c pgvalue.Column) bool { return c.Name == of.Column })
	if i < 0 {
		return fmt.Errorf("table %s has no column %s", r.Name(), of.Column)
	}
	var check func(string) error
	var compare func(a, b string) int
	switch c := r.Columns[i]; base(c) {
	case int2Type, int4Type, int8Type:
		bits := map[uint32]int{int2Type: 16, int4Type: 32, int8Type: 64}[base(c)]
		check = func(end string) error {
			if n, err := strconv.ParseInt(end, 10, bits); err != nil || strconv.FormatInt(n, 10) != end {
				return fmt.Errorf("%q is no value of column %s, an integer of %d bits: write it as 123 or -123", end, of.Column, bits)
			}
			return nil
		}
		compare = func(a, b string) int {
			x, _ := strconv.ParseInt(a, 10, 64) // both were checked
			y, _ := strconv.ParseInt(b, 10, 64)
			return cmp.Compare(x, y)
		}
	case dateType:
		check = func(end string) error {
			if t, err := time.Parse(time.DateOnly, end); err != nil || t.Year() < 1 {
				return fmt.Errorf("%q is no value of column %s, a date: write it as 2026-01-31", end, of.Column)
			}
			return nil
		}
		compare = strings.Compare
	case textType, varcharType:
		if encoding != "UTF8" {
			return fmt.Errorf("texts of this database are in %s, whose bytes have another order than those of UTF-8: read the whole table", encoding)
		}
		check = func(end string) error {
			if !utf8.ValidString(end) || strings.ContainsRune(end, 0) {
				return fmt.Errorf("an end of the range is no text in UTF-8: write it as column %s has it", of.Column)
			}
			return nil
		}
		compare = strings.Compare
	default:
		return fmt.Errorf("a range is over the first column of the key, which in table %s is %s of type %s: only integers, text, varchar and date have an order that all readers share; read the whole table", r.Name(), of.Column, c.TypeName)
	}
	for _, end := range []*string{of.From, of.To} {
		if end == nil {
			continue
		}
		if err := check(*end); err != nil {
			return err
		}
	}
	if of.From != nil && of.To != nil && compare(*of.From, *of.To) > 0 {
		return fmt.Errorf("the range begins at %q, after its end %q: exchange them", *of.From, *of.To)
	}
	return nil
}

// conditions are those of SQL that the rows of a piece meet.
func (p Piece) conditions(relation Relation, e Extent) ([]string, error) {
	var all []string
	if p.Range == nil {
		if e.Whole {
			return nil, nil
		}
		all = append(all, fmt.Sprintf("ctid >= '(%d,0)'", p.Blocks.From))
		if p.Blocks.To != checkpoint.End {
			all = append(all, fmt.Sprintf("ctid < '(%d,0)'", p.Blocks.To))
		}
		return all, nil
	}
	i := slices.IndexFunc(relation.Columns, func(c pgvalue.Column) bool { return c.Name == p.Range.Column })
	if i < 0 {
		return nil, fmt.Errorf("table %s has no column %s", relation.Name(), p.Range.Column)
	}
	column := pgx.Identifier{p.Range.Column}.Sanitize()
	if t := base(relation.Columns[i]); t == textType || t == varcharType {
		column += ` COLLATE "C"` // byte by byte, as all readers of the marker do
	}
	for _, end := range []struct {
		operator string
		text     *string
	}{{" >= ", p.Range.From}, {" <= ", p.Range.To}} {
		if end.text != nil {
			all = append(all, column+end.operator+"'"+strings.ReplaceAll(*end.text, "'", "''")+"'")
		}
	}
	return all, nil
}
