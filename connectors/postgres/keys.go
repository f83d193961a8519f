package postgres

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/hopluu/hopluu/connectors/postgres/pgvalue"
	"github.com/hopluu/hopluu/schemas/event"
	"github.com/jackc/pgx/v5"
)

// Keys are single rows of a table: for each the texts of the columns.
type Keys struct {
	Columns []string
	Rows    [][]string
}

// uuidType is the number of uuid (src/include/catalog/pg_type.dat).
const uuidType = 2950

// CheckKeys tells why rows cannot be asked for by their keys: the columns are to
// be of types in which a value has one text only, and have the texts for values.
// A text that is not of its type would break the reading of the table.
func (r Relation) CheckKeys(k Keys) error {
	for i, name := range k.Columns {
		at := slices.IndexFunc(r.Columns, func(c pgvalue.Column) bool { return c.Name == name })
		if at < 0 {
			return fmt.Errorf("table %s has no column %s", r.Name(), name)
		}
		c := r.Columns[at]
		for _, row := range k.Rows {
			if len(row) != len(k.Columns) {
				return fmt.Errorf("a key of table %s has %d values, its columns are %s", r.Name(), len(row), strings.Join(k.Columns, ", "))
			}
			if err := checkKey(c, row[i]); err != nil {
				return fmt.Errorf("table %s: %w", r.Name(), err)
			}
		}
	}
	return nil
}

func checkKey(c pgvalue.Column, text string) error {
	bad := func(what string) error { return fmt.Errorf("%q is no value of column %s, %s", text, c.Name, what) }
	switch t := base(c); t {
	case int2Type, int4Type, int8Type:
		bits := map[uint32]int{int2Type: 16, int4Type: 32, int8Type: 64}[t]
		if n, err := strconv.ParseInt(text, 10, bits); err != nil || strconv.FormatInt(n, 10) != text {
			return bad(fmt.Sprintf("an integer of %d bits", bits))
		}
	case dateType:
		if day, err := time.Parse(time.DateOnly, text); err != nil || day.Year() < 1 {
			return bad("a date")
		}
	case textType, varcharType:
		if !utf8.ValidString(text) || strings.ContainsRune(text, 0) {
			return bad("a text in UTF-8")
		}
	case uuidType:
		if !isUUID(text) {
			return bad("a uuid")
		}
	default:
		return fmt.Errorf("column %s of the key is of type %s: only rows whose key is of integers, text, varchar, uuid and date can be read one by one; read the whole table", c.Name, c.TypeName)
	}
	return nil
}

// isUUID tells whether a text is a uuid as PostgreSQL prints it.
func isUUID(text string) bool {
	if len(text) != 36 {
		return false
	}
	for i := range len(text) {
		switch i {
		case 8, 13, 18, 23:
			if text[i] != '-' {
				return false
			}
		default:
			if !strings.ContainsRune("0123456789abcdef", rune(text[i])) {
				return false
			}
		}
	}
	return true
}

// ReadKeys reads the rows of keys of a table that was entered, as Read does, and
// hands gone each key of which
// there is none, or none that the stream would send (P5).
func (r *Reader) ReadKeys(ctx context.Context, relation Relation, e Extent, k Keys, row func(event.Row) error, gone func(key []string) error) error {
	if err := relation.CheckKeys(k); err != nil {
		return err
	}
	columns, table := relation.selected(e)
	for _, key := range k.Rows {
		var conditions []string
		for i, name := range k.Columns {
			column, literal := pgx.Identifier{name}.Sanitize(), "'"+strings.ReplaceAll(key[i], "'", "''")+"'"
			conditions = append(conditions, column+" = "+literal)
			at := slices.IndexFunc(relation.Columns, func(c pgvalue.Column) bool { return c.Name == name })
			if t := base(relation.Columns[at]); t == textType || t == varcharType {
				// That text, and none that a collation takes for the same.
				conditions = append(conditions, column+` COLLATE "C" = `+literal)
			}
		}
		found := false
		err := r.copy(ctx, relation, columns, table, conditions, func(values event.Row) error {
			found = true
			return row(values)
		})
		if err == nil && !found {
			err = gone(key)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
