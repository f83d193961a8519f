package tables

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/shopspring/decimal"

	"github.com/hopluu/hopluu/schemas/event"
)

// Gap is a cell whose value the event did not send (P4): an unchanged TOAST
// value. Bronze keeps it as it came, NULL and named in _unchanged; silver gets
// the last value that is known of it, first from the batch, then from bronze.
type Gap struct{ Row, Column int }

// Hole is the gaps of one row that no earlier row of the buffer fills.
type Hole struct {
	Record  string
	Row     int
	Columns []int
}

// unknown is the source of a gap that the buffer does not fill.
const unknown = -1

// sources gives for every gap the earlier row of the buffer that holds the
// value (or is itself a gap of the same cell, filled by then), or unknown.
// lost gaps are those of a record that began in this buffer without a value (a
// row whose key was changed, or a deleted one): what an earlier record of the
// same key held is not theirs.
func (b *Buffer) sources() (from map[Gap]int, lost map[Gap]bool) {
	from, lost = make(map[Gap]int, len(b.gaps)), map[Gap]bool{}
	columns := map[string][]int{}
	isGap := make(map[Gap]bool, len(b.gaps))
	for _, g := range b.gaps {
		isGap[g] = true
		r := string(b.records.bytes(g.Row))
		if !slices.Contains(columns[r], g.Column) {
			columns[r] = append(columns[r], g.Column)
		}
	}
	type cell struct {
		record string
		column int
	}
	last, gone := map[cell]int{}, map[cell]bool{}
	for row := range b.rows {
		r := string(b.records.bytes(row))
		for _, c := range columns[r] {
			at, g := cell{r, c}, Gap{row, c}
			switch {
			case b.deleted[row] == 1:
				delete(last, at)
				gone[at] = true
				continue
			case isGap[g]:
				source, ok := last[at]
				if begins := b.ops[row] != opNames[event.Update]; !ok || begins {
					source, lost[g] = unknown, begins || gone[at]
				}
				from[g] = source
			}
			last[at] = row
		}
	}
	return from, lost
}

// Holes are the gaps to be looked up in bronze.
func (b *Buffer) Holes() []Hole {
	if len(b.gaps) == 0 {
		return nil
	}
	from, lost := b.sources()
	var holes []Hole
	for _, g := range b.gaps {
		if from[g] != unknown || lost[g] {
			continue
		}
		if n := len(holes); n > 0 && holes[n-1].Row == g.Row {
			holes[n-1].Columns = append(holes[n-1].Columns, g.Column)
			continue
		}
		holes = append(holes, Hole{Record: string(b.records.bytes(g.Row)), Row: g.Row, Columns: []int{g.Column}})
	}
	return holes
}

// Lookup is the query for holes, some hundreds at most: a row a record with
// the last value below the event's version of each column, and whether there
// is one: 0 for none, 1 for one, 2 for an array that is NULL. Only what came since the record was last created (or deleted)
// counts: an earlier record of the same key was another one. A value is
// wrapped in a tuple, for argMax passes over NULLs, which are values here.
func (b *Buffer) Lookup(holes []Hole) (sql string, columns []int) {
	var records, versions []string
	for _, h := range holes {
		records = append(records, Quote(h.Record))
		versions = append(versions, "toUInt128('"+b.version(h.Row)+"')")
		for _, c := range h.Columns {
			if !slices.Contains(columns, c) {
				columns = append(columns, c)
			}
		}
	}
	slices.Sort(columns)
	list := strings.Join(records, ", ")
	var s strings.Builder
	fmt.Fprintf(&s, "WITH [%s] AS records, [%s] AS versions\nSELECT _record", list, strings.Join(versions, ", "))
	var names []string
	for _, c := range columns {
		col := &b.table.Columns[c]
		names = append(names, Ident(col.Name))
		known := fmt.Sprintf("_version >= began AND _is_deleted = 0 AND NOT has(_unchanged, %s)", Quote(col.Name))
		fmt.Fprintf(&s, ",\n    argMaxIf(tuple(%s), _version, %s).1, ", Ident(col.Name), known)
		if col.Type.Kind == Array {
			fmt.Fprintf(&s, "toUInt8(if(countIf(%[1]s) = 0, 0, if(argMaxIf(has(_arrays, %[2]s), _version, %[1]s), 1, 2)))", known, Quote(col.Name))
		} else {
			fmt.Fprintf(&s, "toUInt8(countIf(%s) > 0)", known)
		}
	}
	fmt.Fprintf(&s, "\nFROM\n(\n    SELECT _record, _version, _is_deleted, _unchanged, _arrays, %s,\n        max(if(_op = 'u', toUInt128(0), _version)) OVER (PARTITION BY _record) AS began", strings.Join(names, ", "))
	fmt.Fprintf(&s, "\n    FROM %s\n    WHERE _source = %s", Qualified(Bronze, b.table.Dataset()), Quote(b.source))
	for i := range b.table.Columns {
		// The sorting key finds the rows; _record, which is not in it, decides.
		if b.table.Columns[i].Key {
			if in, ok := b.keyList(i, holes); ok {
				fmt.Fprintf(&s, " AND %s IN (%s)", Ident(b.table.Columns[i].Name), in)
			}
		}
	}
	fmt.Fprintf(&s, "\n        AND _record IN (%s) AND _version < versions[indexOf(records, _record)]\n)\nGROUP BY _record", list)
	return s.String(), columns
}

func (b *Buffer) version(row int) string {
	return b.versionAt(row).String()
}

// keyList writes the values of a key column at the holes as literals, for the
// kinds that keys usually have.
func (b *Buffer) keyList(column int, holes []Hole) (string, bool) {
	v := b.columns[column]
	var out []string
	for _, h := range holes {
		switch v.typ.Kind {
		case Int16:
			out = append(out, strconv.FormatInt(int64(v.i16[h.Row]), 10))
		case Int32:
			out = append(out, strconv.FormatInt(int64(v.i32[h.Row]), 10))
		case Int64:
			out = append(out, strconv.FormatInt(v.i64[h.Row], 10))
		case UUID:
			out = append(out, "'"+v.uuids[h.Row].String()+"'")
		case String, Enum:
			out = append(out, Quote(string(v.bytes(h.Row))))
		default:
			return "", false
		}
	}
	return strings.Join(out, ", "), true
}

// Target is where a column's looked-up value is scanned to: a pointer to the
// form in which the client gives it.
func (b *Buffer) Target(column int) any {
	t := b.columns[column].typ
	if t.Kind == Array {
		return arrayTarget(*t.Elem)
	}
	switch t.Kind {
	case Bool:
		return new(*bool)
	case Int16:
		return new(*int16)
	case Int32:
		return new(*int32)
	case Int64:
		return new(*int64)
	case Float32:
		return new(*float32)
	case Float64:
		return new(*float64)
	case UUID:
		return new(*uuid.UUID)
	case Date, DateTime:
		return new(*time.Time)
	case Decimal:
		return new(*decimal.Decimal)
	}
	return new(*string)
}

func arrayTarget(elem Type) any {
	switch elem.Kind {
	case Bool:
		return new([]*bool)
	case Int16:
		return new([]*int16)
	case Int32:
		return new([]*int32)
	case Int64:
		return new([]*int64)
	case Float32:
		return new([]*float32)
	case Float64:
		return new([]*float64)
	case UUID:
		return new([]*uuid.UUID)
	case Date, DateTime:
		return new([]*time.Time)
	case Decimal:
		return new([]*decimal.Decimal)
	}
	return new([]*string)
}

// Complete gives the buffer's gaps their values: found holds the scanned
// Target of each hole's cell that has one, nil for an array that is NULL. What stays unknown is NULL and
// named in _incomplete; Complete returns how many cells that are. Only silver
// sees the values.
func (b *Buffer) Complete(found map[Gap]any) (incomplete int) {
	if len(b.gaps) == 0 {
		return 0
	}
	from, _ := b.sources()
	byColumn := map[int][]Gap{}
	for _, g := range b.gaps {
		byColumn[g.Column] = append(byColumn[g.Column], g)
	}
	b.filled = map[int]*vector{}
	b.incomplete = make([][]string, b.rows)
	for c, gaps := range byColumn {
		old, filled := b.columns[c], newVector(b.table.Columns[c].Type, b.table.Columns[c].Nullable)
		missing := map[int]bool{}
		next := 0
		for row := range b.rows {
			if next == len(gaps) || gaps[next].Row != row {
				filled.copy(old, row)
				continue
			}
			g := gaps[next]
			next++
			source := from[g]
			value, ok := found[g]
			switch {
			case source != unknown && !missing[source]:
				filled.copy(filled, source)
			case source == unknown && ok:
				filled.scanned(value)
			default:
				filled.appendNull()
				missing[row] = true
				b.incomplete[row] = append(b.incomplete[row], b.table.Columns[c].Name)
				incomplete++
			}
		}
		b.filled[c] = filled
	}
	for row := range b.incomplete {
		slices.Sort(b.incomplete[row])
	}
	return incomplete
}

// forget makes the last row a null.
func (v *vector) forget() {
	v.cut(v.rows() - 1)
	v.appendNull()
}

// copy adds row i of a vector of the same type.
func (v *vector) copy(o *vector, i int) {
	if o.nullable && o.nulls[i] {
		v.appendNull()
		return
	}
	switch v.typ.Kind {
	case Bool:
		v.bools = append(v.bools, o.bools[i])
	case Int16:
		v.i16 = append(v.i16, o.i16[i])
	case Int32, Date:
		v.i32 = append(v.i32, o.i32[i])
	case Int64, DateTime:
		v.i64 = append(v.i64, o.i64[i])
	case Float32:
		v.f32 = append(v.f32, o.f32[i])
	case Float64:
		v.f64 = append(v.f64, o.f64[i])
	case UUID:
		v.uuids = append(v.uuids, o.uuids[i])
	case Decimal:
		if v.typ.narrow() {
			v.i64 = append(v.i64, o.i64[i])
			break
		}
		v.appendBytes(o.bytes(i))
		return
	case Array:
		first, end := o.span(i)
		for e := first; e < end; e++ {
			v.elems.copy(o.elems, e)
		}
		v.ends = append(v.ends, v.elems.rows())
	default:
		v.appendBytes(o.bytes(i))
		return
	}
	v.present(16)
}

// scanned adds what was scanned into a Target.
func (v *vector) scanned(target any) {
	switch p := target.(type) {
	case nil:
		v.appendNull()
	case **bool:
		add(v, *p, func(x bool) { v.bools = append(v.bools, x) })
	case **int16:
		add(v, *p, func(x int16) { v.i16 = append(v.i16, x) })
	case **int32:
		add(v, *p, func(x int32) { v.i32 = append(v.i32, x) })
	case **int64:
		add(v, *p, func(x int64) { v.i64 = append(v.i64, x) })
	case **float32:
		add(v, *p, func(x float32) { v.f32 = append(v.f32, x) })
	case **float64:
		add(v, *p, func(x float64) { v.f64 = append(v.f64, x) })
	case **uuid.UUID:
		add(v, *p, func(x uuid.UUID) { v.uuids = append(v.uuids, x) })
	case **time.Time:
		add(v, *p, v.addTime)
	case **decimal.Decimal:
		add(v, *p, v.addDecimal)
	case **string:
		add(v, *p, func(x string) { v.data = append(v.data, x...); v.ends = append(v.ends, len(v.data)) })
	default:
		v.scannedArray(target)
	}
}

func (v *vector) scannedArray(target any) {
	switch p := target.(type) {
	case *[]*bool:
		addAll(v, *p)
	case *[]*int16:
		addAll(v, *p)
	case *[]*int32:
		addAll(v, *p)
	case *[]*int64:
		addAll(v, *p)
	case *[]*float32:
		addAll(v, *p)
	case *[]*float64:
		addAll(v, *p)
	case *[]*uuid.UUID:
		addAll(v, *p)
	case *[]*time.Time:
		addAll(v, *p)
	case *[]*decimal.Decimal:
		addAll(v, *p)
	case *[]*string:
		addAll(v, *p)
	}
}

func add[T any](v *vector, p *T, put func(T)) {
	if p == nil {
		v.appendNull()
		return
	}
	put(*p)
	v.present(16)
}

func addAll[T any](v *vector, list []*T) {
	for i := range list {
		v.elems.scanned(&list[i])
	}
	v.ends = append(v.ends, v.elems.rows())
	v.present(8)
}

func (v *vector) addTime(t time.Time) {
	if v.typ.Kind == Date {
		v.i32 = append(v.i32, int32(t.Unix()/86400))
		return
	}
	v.i64 = append(v.i64, t.UnixMicro())
}

func (v *vector) addDecimal(d decimal.Decimal) {
	n := d.Shift(int32(v.typ.Scale)).BigInt()
	if v.typ.narrow() {
		v.i64 = append(v.i64, n.Int64())
		return
	}
	v.data = appendTwosComplement(v.data, n)
	v.ends = append(v.ends, len(v.data))
}
