package tables

import (
	"math/big"
	"math/bits"
	"time"

	"github.com/hopluu/hopluu/schemas/avro"
	"github.com/hopluu/hopluu/schemas/event"
)

// Mapping leads from the columns of one event schema to a table's.
type Mapping struct {
	table *Table
	// from is, for each column of the table, the index of the schema's column,
	// or -1 where the schema has none.
	from  []int
	types []avro.Type // of the schema's columns
	to    []int       // for each column of the schema, the table's
}

// Map leads rows of the given columns to the table. The table must have been
// evolved to hold them.
func (t *Table) Map(cols []avro.Column) (*Mapping, error) {
	m := &Mapping{table: t, from: make([]int, len(t.Columns)), to: make([]int, len(cols))}
	for i := range m.from {
		m.from[i] = -1
	}
	for i := range cols {
		typ, err := TypeOf(cols[i].Type)
		if err != nil {
			return nil, err
		}
		at := t.holder(safeColumn(cols[i].Name), typ)
		if at < 0 {
			have := "missing"
			if at := t.column(safeColumn(cols[i].Name)); at >= 0 {
				have = t.Columns[at].SQLType()
			}
			return nil, &Incompatible{t.Dataset(), cols[i].Name, have, typ.String()}
		}
		m.from[at], m.to[i] = i, at
		m.types = append(m.types, cols[i].Type)
	}
	return m, nil
}

// Meta is what the sink knows of an event besides its row.
type Meta struct {
	Record       []byte // the record's name; empty for a table without a key
	Op           event.Op
	Position     event.Position
	TxID         int64
	CommitMicros int64
	Offset       int64
	Deleted      bool
	Unchanged    []int // indexes into the schema's columns (P4)
	// Range is what a marker speaks of; nil for the whole table.
	Range *event.Range
}

// Buffer holds rows of one data set from one Kafka partition, column by
// column.
type Buffer struct {
	table     *Table
	source    string
	topic     string
	partition int32

	columns []*vector
	records *vector
	ops     []string
	// hi and lo are the halves of the versions.
	hi, lo     []uint64
	deleted    []uint8
	unchanged  [][]string
	incomplete [][]string
	ranges     [][]string
	txs        []int64
	lsns       []uint64
	commits    []int64
	offsets    []int64
	rows       int
	// gaps are the cells whose value the event did not send, in order of rows.
	gaps []Gap
	// filled are the columns with their gaps completed, as silver gets them.
	filled map[int]*vector
}

// NewBuffer makes an empty buffer for one partition of a source's topic.
func (t *Table) NewBuffer(source, topic string, partition int32) *Buffer {
	b := &Buffer{table: t, source: source, topic: topic, partition: partition, records: newVector(Type{Kind: String}, false)}
	for i := range t.Columns {
		b.columns = append(b.columns, newVector(t.Columns[i].Type, t.Columns[i].Nullable))
	}
	return b
}

// Table is the shape that the buffer was made for.
func (b *Buffer) Table() *Table { return b.table }

// Rows is how many events the buffer holds.
func (b *Buffer) Rows() int { return b.rows }

// Bytes is about how much memory the rows take.
func (b *Buffer) Bytes() int {
	n := b.rows*150 + b.records.touched
	for _, v := range b.columns {
		n += v.touched
		if v.elems != nil {
			n += v.elems.touched
		}
	}
	return n
}

// Append adds an event with the cells of its image. An error is a *RowError;
// the buffer then is as it was before.
func (b *Buffer) Append(m *Mapping, cells []avro.Cell, meta *Meta) error {
	for i, v := range b.columns {
		from := m.from[i]
		if from < 0 || cells == nil {
			if b.table.Columns[i].Key {
				if cells != nil {
					b.cut()
					return &RowError{b.table.Dataset(), b.table.Columns[i].Name, errNull}
				}
			}
			v.appendNull() // in a key column, of a truncate or marker, a zero
			continue
		}
		if err := v.append(&cells[from], &m.types[from]); err != nil {
			b.cut()
			return &RowError{b.table.Dataset(), b.table.Columns[i].Name, b.table.Columns[i].mend(err)}
		}
	}
	b.records.appendBytes(meta.Record)
	var unchanged []string
	for _, i := range meta.Unchanged {
		at := m.to[i]
		b.columns[at].forget() // a placeholder is no value (P4)
		unchanged = append(unchanged, b.table.Columns[at].Name)
		if !meta.Deleted {
			b.gaps = append(b.gaps, Gap{Row: b.rows, Column: at})
		}
	}
	hi, lo := meta.Position.Version()
	b.ops = append(b.ops, opNames[meta.Op])
	b.hi, b.lo = append(b.hi, hi), append(b.lo, lo)
	b.deleted = append(b.deleted, oneIf(meta.Deleted))
	b.unchanged, b.incomplete = append(b.unchanged, unchanged), append(b.incomplete, nil)
	b.ranges = append(b.ranges, rangeParts(meta.Range))
	b.txs = append(b.txs, meta.TxID)
	b.lsns = append(b.lsns, uint64(meta.Position.LSN))
	b.commits = append(b.commits, meta.CommitMicros)
	b.offsets = append(b.offsets, meta.Offset)
	b.rows++
	return nil
}

var opNames = func() (names [256]string) {
	for _, o := range []event.Op{event.Create, event.Update, event.Delete, event.Read, event.Truncate, event.Marker} {
		names[o] = o.String()
	}
	return names
}()

func oneIf(b bool) uint8 {
	if b {
		return 1
	}
	return 0
}

// cut takes a row that was left half way out again.
func (b *Buffer) cut() {
	for _, v := range b.columns {
		v.cut(b.rows)
	}
}

// Oldest is the lowest version of the rows, of which there is at least one.
func (b *Buffer) Oldest() string {
	row := 0
	for i := range b.rows {
		if b.hi[i] < b.hi[row] || b.hi[i] == b.hi[row] && b.lo[i] < b.lo[row] {
			row = i
		}
	}
	return b.versionAt(row).String()
}

// Last tells the version and the commit time of the newest row.
func (b *Buffer) Last() (commitMicros int64, ok bool) {
	for i := range b.commits {
		commitMicros = max(commitMicros, b.commits[i])
	}
	return commitMicros, b.rows > 0
}

// Insert is one INSERT: its statement and the types that its columns are sent
// as.
type Insert struct {
	SQL     string
	Columns []InsertColumn
	silver  bool
}

// InsertColumn is a column of an INSERT with the type of the target table.
// Plain is the type without LowCardinality, as which the values may be sent
// where the server converts them (HTTP).
type InsertColumn struct{ Name, Type, Plain string }

// InsertBronze is the INSERT of events.
func (t *Table) InsertBronze() *Insert {
	return t.insert(Qualified(Bronze, t.Dataset()), false, func(c *ownColumn) bool { return c.bronze && c.def == "" })
}

// InsertSilver is the INSERT of rows.
func (t *Table) InsertSilver() *Insert { return t.InsertRows(Qualified(Silver, t.Dataset())) }

// InsertRows is the INSERT of rows into a table of silver's shape, quoted.
func (t *Table) InsertRows(into string) *Insert {
	return t.insert(into, true, func(c *ownColumn) bool { return c.silver && c.def == "" })
}

func (t *Table) insert(into string, silver bool, with func(*ownColumn) bool) *Insert {
	in := &Insert{silver: silver}
	for i := range t.Columns {
		c := &t.Columns[i]
		plain := c.Type
		if plain.Kind == Enum {
			plain.Kind = String
		}
		in.Columns = append(in.Columns, InsertColumn{c.Name, c.SQLType(), plain.column(c.Nullable)})
	}
	for i := range ownColumns {
		if c := &ownColumns[i]; with(c) {
			plain := c.sqlType
			if plain == "LowCardinality(String)" {
				plain = "String"
			}
			in.Columns = append(in.Columns, InsertColumn{c.name, c.sqlType, plain})
		}
	}
	list := ""
	for i, c := range in.Columns {
		if i > 0 {
			list += ", "
		}
		list += Ident(c.Name)
	}
	in.SQL = "INSERT INTO " + into + " (" + list + ")"
	return in
}

// Each gives the buffer's columns in the order of the INSERT, each as the
// slice that the client's column takes; it is valid until the next one. With
// dictionary, LowCardinality columns come in the form of a dictionary column
// of the client, else as text.
func (in *Insert) Each(b *Buffer, s *Scratch, dictionary bool, take func(i int, values any) error) error {
	for i := range in.Columns {
		if err := take(i, in.values(b, i, s, dictionary)); err != nil {
			return err
		}
	}
	return nil
}

func (in *Insert) values(b *Buffer, i int, s *Scratch, dictionary bool) any {
	if i < len(b.columns) {
		v := b.columns[i]
		if filled, ok := b.filled[i]; ok && in.silver {
			v = filled
		}
		if dictionary && v.typ.Kind == Enum {
			return v.lowCardinality(s)
		}
		return v.values(s)
	}
	switch in.Columns[i].Name {
	case "_record":
		return b.records.values(s)
	case "_op":
		return b.ops
	case "_version":
		return b.versions()
	case "_is_deleted":
		return b.deleted
	case "_unchanged":
		return b.unchanged
	case "_incomplete":
		return b.incomplete
	case "_arrays":
		return b.arrays(in.silver)
	case "_range":
		return b.ranges
	case "_tx":
		return b.txs
	case "_lsn":
		return b.lsns
	case "_commit_time":
		s.times = s.times[:0]
		for _, us := range b.commits {
			s.times = append(s.times, time.UnixMicro(us).UTC())
		}
		return s.times
	case "_source":
		return repeat(s, b.source, b.rows)
	case "_topic":
		return repeat(s, b.topic, b.rows)
	case "_partition":
		out := make([]int32, b.rows)
		for i := range out {
			out[i] = b.partition
		}
		return out
	}
	return b.offsets // "_offset", the last of them
}

// arrays names each row's arrays that are not NULL: ClickHouse has no NULL
// array, and an empty one is another value (case 14).
func (b *Buffer) arrays(silver bool) [][]string {
	out := make([][]string, b.rows)
	for i, v := range b.columns {
		if v.typ.Kind != Array {
			continue
		}
		if filled, ok := b.filled[i]; ok && silver {
			v = filled
		}
		for row := range out {
			if !v.nullable || !v.nulls[row] {
				out[row] = append(out[row], b.table.Columns[i].Name)
			}
		}
	}
	return out
}

func repeat(s *Scratch, value string, n int) []string {
	s.strings = s.strings[:0]
	for range n {
		s.strings = append(s.strings, value)
	}
	return s.strings
}

// versions are the events' versions as 128-bit numbers, in three allocations
// whatever their count.
func (b *Buffer) versions() []*big.Int {
	const words = 128 / bits.UintSize
	digits := make([]big.Word, words*b.rows)
	numbers := make([]big.Int, b.rows)
	out := make([]*big.Int, b.rows)
	for i := range out {
		out[i] = number(&numbers[i], digits[i*words:(i+1)*words:(i+1)*words], b.hi[i], b.lo[i])
	}
	return out
}

func (b *Buffer) versionAt(row int) *big.Int {
	return number(new(big.Int), make([]big.Word, 128/bits.UintSize), b.hi[row], b.lo[row])
}

// number sets n to hi and lo, with w as its digits.
func number(n *big.Int, w []big.Word, hi, lo uint64) *big.Int {
	for k := range w {
		half := lo
		if k >= len(w)/2 {
			half = hi
		}
		w[k] = big.Word(half >> (uint(k%(len(w)/2)) * bits.UintSize))
	}
	return n.SetBits(w)
}
