package capture

import (
	"context"
	"crypto/md5"
	"fmt"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hopluu/hopluu/schemas/avro"
	"github.com/hopluu/hopluu/schemas/event"
	"github.com/jackc/pgx/v5"
)

// row is a row's values as text, in the order of columns, which are shared by
// the rows of a schema. There are millions: a NULL and a value that was not sent
// are texts that no value has.
type row struct {
	columns []string
	values  []string
	partial bool // some values were not sent
}

const (
	null      = "\x00null"
	unchanged = "\x00unchanged"
	// unknown stands for a value that no event has.
	unknown = "\x00unknown"
)

func (r row) value(column string) string {
	if i := slices.Index(r.columns, column); i >= 0 && i < len(r.values) {
		return r.values[i]
	}
	return null
}

// short keeps large values small in memory.
func short(text string) string {
	if len(text) <= 64 {
		return text
	}
	return fmt.Sprintf("%d bytes, %x", len(text), md5.Sum([]byte(text)))
}

func rowOf(types []avro.Column, columns []string, d *avro.Decoded) row {
	cells := d.After
	if !d.HasAfter {
		cells = d.Before
	}
	r := row{columns: columns, values: make([]string, len(cells)), partial: len(d.Unchanged) > 0}
	for i, cell := range cells {
		r.values[i] = null
		if !cell.Null {
			r.values[i] = short(textOf(types[i].Type, cell))
		}
	}
	for _, i := range d.Unchanged {
		r.values[i] = unchanged
	}
	return r
}

// textOf writes a cell as PostgreSQL does, for the types of the ward.
func textOf(t avro.Type, cell avro.Cell) string {
	switch {
	case t.Logical == "decimal":
		n := new(big.Int).SetBytes(cell.B)
		if len(cell.B) > 0 && cell.B[0]&0x80 != 0 {
			n.Sub(n, new(big.Int).Lsh(big.NewInt(1), uint(8*len(cell.B))))
		}
		return new(big.Rat).SetFrac(n, new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(t.Scale)), nil)).FloatString(t.Scale)
	case t.Logical == "io.debezium.time.Date":
		return time.Unix(0, 0).UTC().AddDate(0, 0, int(cell.N)).Format(time.DateOnly)
	case t.Kind == avro.String, t.Kind == avro.Bytes:
		return string(cell.B)
	}
	return strconv.FormatInt(cell.N, 10)
}

// key is the hash that the ledger has of the row's key.
func (r row) key(table string) uint64 {
	var parts []string
	for _, name := range keys[table] {
		parts = append(parts, r.value(name))
	}
	return hashOf(parts)
}

// version is what a topic says of a key at a position.
type version struct {
	position event.Position
	op       event.Op
	row      row
}

// history is what must be kept of a key: its last whole version, and those
// above it that do not have all values.
type history struct {
	partition int32
	versions  []version
}

// rows are what the events add up to, in the order of their versions, which is
// what a sink does with them.
type rows struct {
	tables map[string]map[string]*history
	cuts   map[string]map[int32]event.Position // the last truncate or marker of each partition
}

func newRows() *rows {
	return &rows{map[string]map[string]*history{}, map[string]map[int32]event.Position{}}
}

func (r *rows) add(table string, partition int32, key string, v version) {
	if v.op == event.Truncate || v.op == event.Marker { // a marker stands where its snapshot began
		if r.cuts[table] == nil {
			r.cuts[table] = map[int32]event.Position{}
		}
		if v.position.Compare(r.cuts[table][partition]) > 0 {
			r.cuts[table][partition] = v.position
		}
		return
	}
	if r.tables[table] == nil {
		r.tables[table] = map[string]*history{}
	}
	h := r.tables[table][key]
	if h == nil {
		h = &history{partition: partition}
		r.tables[table][key] = h
	}
	h.versions = append(h.versions, v)
	whole := event.Position{}
	for _, v := range h.versions {
		if !v.row.partial && v.position.Compare(whole) > 0 {
			whole = v.position
		}
	}
	h.versions = slices.DeleteFunc(h.versions, func(v version) bool { return v.position.Compare(whole) < 0 })
}

// table gives the rows of a table, each as one text of the columns.
func (r *rows) table(name string, columns []string) []string {
	var all []string
	for _, h := range r.tables[name] {
		slices.SortStableFunc(h.versions, func(a, b version) int { return a.position.Compare(b.position) })
		var now *row
		for _, v := range h.versions {
			switch {
			case v.position.Compare(r.cuts[name][h.partition]) < 0:
			case v.op == event.Delete:
				now = nil
			default:
				for i, text := range v.row.values {
					switch {
					case text != unchanged:
					case now == nil:
						v.row.values[i] = unknown
					default:
						v.row.values[i] = now.value(v.row.columns[i])
					}
				}
				now = &v.row
			}
		}
		if now != nil {
			all = append(all, line(columns, now.value))
		}
	}
	slices.Sort(all)
	return all
}

func line(columns []string, value func(string) string) string {
	var b strings.Builder
	for _, c := range columns {
		if text := value(c); text != null {
			fmt.Fprintf(&b, "%s=%s ", c, text)
		}
	}
	return b.String()
}

// sourceTable gives the rows of a table as the database has them, in the same
// form, and its columns. Identifiers are left out: the topic has their tokens.
func sourceTable(ctx context.Context, conn *pgx.Conn, name string) (columns, all []string, err error) {
	result := conn.PgConn().Exec(ctx, "SELECT * FROM public."+name)
	for result.NextResult() {
		reader := result.ResultReader()
		fields := reader.FieldDescriptions()
		for _, f := range fields {
			if f.Name != "cccd" {
				columns = append(columns, f.Name)
			}
		}
		for reader.NextRow() {
			r := row{}
			for i, cell := range reader.Values() {
				r.columns = append(r.columns, fields[i].Name)
				if cell == nil {
					r.values = append(r.values, null)
				} else {
					r.values = append(r.values, short(string(cell)))
				}
			}
			all = append(all, line(columns, r.value))
		}
	}
	slices.Sort(all)
	return columns, all, result.Close()
}
