package tables

import (
	"math/big"
	"time"
	"unsafe"

	"github.com/google/uuid"
	"github.com/shopspring/decimal"
)

// vector is the values of one column, row after row. Which slice holds them
// depends on the type's kind; a null keeps a zero there.
type vector struct {
	typ      Type
	nullable bool
	nulls    []bool // kept for nullable columns only; of an Array they go into _arrays

	bools   []bool
	i16     []int16
	i32     []int32 // Int32; Date in days since 1970-01-01
	i64     []int64 // Int64; DateTime in microseconds; Decimal of at most 18 digits, unscaled
	f32     []float32
	f64     []float64
	uuids   []uuid.UUID
	data    []byte  // String, Enum, and wider Decimals (unscaled, two's complement, big endian)
	ends    []int   // of each value in data, or of each Array in elems
	elems   *vector // an Array's elements, nullable
	touched int     // bytes held, about
}

// narrowDecimal is how many digits surely fit an int64.
const narrowDecimal = 18

func (t Type) narrow() bool { return t.Precision <= narrowDecimal }

func newVector(t Type, nullable bool) *vector {
	v := &vector{typ: t, nullable: nullable}
	if t.Kind == Array {
		v.elems = newVector(*t.Elem, true)
	}
	return v
}

func (v *vector) rows() int {
	switch v.typ.Kind {
	case Bool:
		return len(v.bools)
	case Int16:
		return len(v.i16)
	case Int32, Date:
		return len(v.i32)
	case Int64, DateTime:
		return len(v.i64)
	case Float32:
		return len(v.f32)
	case Float64:
		return len(v.f64)
	case UUID:
		return len(v.uuids)
	case Decimal:
		if v.typ.narrow() {
			return len(v.i64)
		}
	}
	return len(v.ends)
}

// appendNull adds a null, which in ClickHouse's Array is an empty one.
func (v *vector) appendNull() {
	switch v.typ.Kind {
	case Bool:
		v.bools = append(v.bools, false)
	case Int16:
		v.i16 = append(v.i16, 0)
	case Int32, Date:
		v.i32 = append(v.i32, 0)
	case Int64, DateTime:
		v.i64 = append(v.i64, 0)
	case Float32:
		v.f32 = append(v.f32, 0)
	case Float64:
		v.f64 = append(v.f64, 0)
	case UUID:
		v.uuids = append(v.uuids, uuid.UUID{})
	case Decimal:
		if v.typ.narrow() {
			v.i64 = append(v.i64, 0)
			break
		}
		v.ends = append(v.ends, len(v.data))
	case Array:
		v.ends = append(v.ends, v.elems.rows())
	default:
		v.ends = append(v.ends, len(v.data))
	}
	v.touched += 8
	if v.nullable {
		v.nulls = append(v.nulls, true)
	}
}

// present notes that the row just added is not null, and how many bytes it
// takes.
func (v *vector) present(bytes int) {
	v.touched += bytes
	if v.nullable {
		v.nulls = append(v.nulls, false)
	}
}

func (v *vector) appendBytes(b []byte) {
	v.data = append(v.data, b...)
	v.ends = append(v.ends, len(v.data))
	v.present(len(b) + 8)
}

// cut takes the vector back to its first n rows, of which it has at least as
// many; also when the next one was left half way.
func (v *vector) cut(n int) {
	if v.rows() < n {
		return
	}
	if v.nullable {
		v.nulls = v.nulls[:n]
	}
	switch v.typ.Kind {
	case Bool:
		v.bools = v.bools[:n]
	case Int16:
		v.i16 = v.i16[:n]
	case Int32, Date:
		v.i32 = v.i32[:n]
	case Int64, DateTime:
		v.i64 = v.i64[:n]
	case Float32:
		v.f32 = v.f32[:n]
	case Float64:
		v.f64 = v.f64[:n]
	case UUID:
		v.uuids = v.uuids[:n]
	case Decimal:
		if v.typ.narrow() {
			v.i64 = v.i64[:n]
			return
		}
		v.cutEnds(n)
	default:
		v.cutEnds(n)
	}
}

func (v *vector) cutEnds(n int) {
	end := 0
	if n > 0 {
		end = v.ends[n-1]
	}
	v.ends = v.ends[:n]
	if v.typ.Kind == Array {
		v.elems.cut(end)
		return
	}
	v.data = v.data[:end]
}

// span is where row i lies in data or elems.
func (v *vector) span(i int) (from, to int) {
	if i > 0 {
		from = v.ends[i-1]
	}
	return from, v.ends[i]
}

func (v *vector) bytes(i int) []byte {
	from, to := v.span(i)
	return v.data[from:to:to]
}

// Scratch is the room in which columns take the form that the ClickHouse
// client wants. What a Buffer's Each gives lies in it until the next column.
type Scratch struct {
	bools   []*bool
	i16     []*int16
	i32     []*int32
	i64     []*int64
	f32     []*float32
	f64     []*float64
	uuids   []*uuid.UUID
	strings []string
	texts   []*string
	anys    []any
	times   []time.Time
	timeps  []*time.Time
	decs    []decimal.Decimal
	decps   []*decimal.Decimal
}

// pointers makes the form of a nullable column: a pointer to each value, nil
// for a null.
func pointers[T any](room []*T, values []T, nulls []bool) []*T {
	room = room[:0]
	for i := range values {
		if nulls[i] {
			room = append(room, nil)
			continue
		}
		room = append(room, &values[i])
	}
	return room
}

// values gives the rows of the vector as the slice that the client's column of
// that type takes.
func (v *vector) values(s *Scratch) any {
	switch v.typ.Kind {
	case Bool:
		return column(&s.bools, v.bools, v)
	case Int16:
		return column(&s.i16, v.i16, v)
	case Int32:
		return column(&s.i32, v.i32, v)
	case Int64:
		return column(&s.i64, v.i64, v)
	case Float32:
		return column(&s.f32, v.f32, v)
	case Float64:
		return column(&s.f64, v.f64, v)
	case UUID:
		return column(&s.uuids, v.uuids, v)
	case Date:
		s.times = s.times[:0]
		for _, d := range v.i32 {
			s.times = append(s.times, time.Unix(int64(d)*86400, 0).UTC())
		}
		return column(&s.timeps, s.times, v)
	case DateTime:
		s.times = s.times[:0]
		for _, us := range v.i64 {
			s.times = append(s.times, time.UnixMicro(us).UTC())
		}
		return column(&s.timeps, s.times, v)
	case Decimal:
		s.decs = v.decimals(s.decs[:0])
		return column(&s.decps, s.decs, v)
	case Array:
		return v.arrays()
	}
	s.strings = v.appendStrings(s.strings[:0])
	return column(&s.texts, s.strings, v)
}

func column[T any](room *[]*T, values []T, v *vector) any {
	if !v.nullable {
		return values
	}
	*room = pointers(*room, values, v.nulls)
	return *room
}

// lowCardinality gives an Enum in the one form that the client's dictionary
// column takes with nulls.
func (v *vector) lowCardinality(s *Scratch) any {
	s.strings = v.appendStrings(s.strings[:0])
	if !v.nullable {
		return s.strings
	}
	s.anys = s.anys[:0]
	for i := range s.strings {
		if v.nulls[i] {
			s.anys = append(s.anys, nil)
			continue
		}
		s.anys = append(s.anys, s.strings[i])
	}
	return s.anys
}

// appendStrings gives the values as strings that lie in data: it must not be
// changed while they are in use.
func (v *vector) appendStrings(room []string) []string {
	for i := range v.ends {
		room = append(room, text(v.bytes(i)))
	}
	return room
}

func text(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

func (v *vector) decimals(room []decimal.Decimal) []decimal.Decimal {
	exp := -int32(v.typ.Scale)
	if v.typ.narrow() {
		for _, n := range v.i64 {
			room = append(room, decimal.New(n, exp))
		}
		return room
	}
	for i := range v.ends {
		room = append(room, decimal.NewFromBigInt(bigFromBytes(v.bytes(i)), exp))
	}
	return room
}

// arrays gives a slice of slices of pointers, as the client's Array column
// takes them. Arrays are rare; this allocates.
func (v *vector) arrays() any {
	var s Scratch
	e := v.elems
	switch e.typ.Kind {
	case Bool:
		return split(v, pointers(nil, e.bools, e.nulls))
	case Int16:
		return split(v, pointers(nil, e.i16, e.nulls))
	case Int32:
		return split(v, pointers(nil, e.i32, e.nulls))
	case Int64:
		return split(v, pointers(nil, e.i64, e.nulls))
	case Float32:
		return split(v, pointers(nil, e.f32, e.nulls))
	case Float64:
		return split(v, pointers(nil, e.f64, e.nulls))
	case UUID:
		return split(v, pointers(nil, e.uuids, e.nulls))
	case Date, DateTime:
		return split(v, e.values(&s).([]*time.Time))
	case Decimal:
		return split(v, e.values(&s).([]*decimal.Decimal))
	}
	return split(v, e.values(&s).([]*string))
}

func split[T any](v *vector, flat []*T) [][]*T {
	out := make([][]*T, len(v.ends))
	for i := range v.ends {
		from, to := v.span(i)
		out[i] = append([]*T{}, flat[from:to]...)
	}
	return out
}

func bigFromBytes(b []byte) *big.Int {
	n := new(big.Int).SetBytes(b)
	if len(b) > 0 && b[0] >= 0x80 {
		n.Sub(n, new(big.Int).Lsh(big.NewInt(1), uint(len(b))*8))
	}
	return n
}
