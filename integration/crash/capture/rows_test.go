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

// row is a row's values as text by column. A NULL is absent, a value that was
// not sent is in unchanged.
type row struct {
	values    map[string]string
	unchanged []string
}

// short keeps large values small in memory.
func short(text string) string {
	if len(text) <= 64 {
		return text
	}
	return fmt.Sprintf("%d bytes, %x", len(text), md5.Sum([]byte(text)))
}

func rowOf(columns []avro.Column, d *avro.Decoded) row {
	cells := d.After
	if !d.HasAfter {
		cells = d.Before
	}
	r := row{values: make(map[string]string, len(cells))}
	for i, cell := range cells {
		if !cell.Null {
			r.values[columns[i].Name] = short(textOf(columns[i].Type, cell))
		}
	}
	for _, i := range d.Unchanged {
		delete(r.values, columns[i].Name)
		r.unchanged = append(r.unchanged, columns[i].Name)
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
		parts = append(parts, r.values[name])
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
		if len(v.row.unchanged) == 0 && v.position.Compare(whole) > 0 {
			whole = v.position
		}
	}
	h.versions = slices.DeleteFunc(h.versions, func(v version) bool { return v.position.Compare(whole) < 0 })
}

// unknown stands for a value that no event has.
const unknown = "?"

// table gives the rows of a table, each as one text of the columns.
func (r *rows) table(name string, columns []string) []string {
	var all []string
	for _, h := range r.tables[name] {
		slices.SortStableFunc(h.versions, func(a, b version) int { return a.position.Compare(b.position) })
		var now map[string]string
		for _, v := range h.versions {
			switch {
			case v.position.Compare(r.cuts[name][h.partition]) < 0:
			case v.op == event.Delete:
				now = nil
			default:
				for _, column := range v.row.unchanged {
					value, known := now[column]
					if !known && now == nil {
						value, known = unknown, true
					}
					if known {
						v.row.values[column] = value
					}
				}
				now = v.row.values
			}
		}
		if now != nil {
			all = append(all, line(columns, func(c string) (string, bool) { v, ok := now[c]; return v, ok }))
		}
	}
	slices.Sort(all)
	return all
}

func line(columns []string, value func(string) (string, bool)) string {
	var b strings.Builder
	for _, c := range columns {
		if text, ok := value(c); ok {
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
			values := map[string]string{}
			for i, cell := range reader.Values() {
				if cell != nil {
					values[fields[i].Name] = short(string(cell))
				}
			}
			all = append(all, line(columns, func(c string) (string, bool) { v, ok := values[c]; return v, ok }))
		}
	}
	slices.Sort(all)
	return columns, all, result.Close()
}
