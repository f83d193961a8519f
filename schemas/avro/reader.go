package avro

import (
	"encoding/binary"
	"fmt"
	"math"
)

// DecodeError says that bytes are not what their schema says. The message goes
// to the dead letters with this reason (P3).
type DecodeError struct {
	Field  string // the field being read, "" for the record as a whole
	Offset int    // bytes into the payload
	Reason string
}

func (e *DecodeError) Error() string {
	if e.Field == "" {
		return fmt.Sprintf("Avro payload, byte %d: %s", e.Offset, e.Reason)
	}
	return fmt.Sprintf("Avro payload, field %s, byte %d: %s", e.Field, e.Offset, e.Reason)
}

// reader walks over a payload. After the first failure it stays failed and
// reads nothing more.
type reader struct {
	b     []byte
	p     int
	items int // array items that the payload may still claim
	steps int // values that it may still make us skip
	field string
	err   *DecodeError
}

// newReader bounds the work that a payload can ask for by its own length: an
// array that claims more items than there are bytes is refused before anything
// is allocated, and items of no bytes (nulls) do not run for ever (P8). What is
// honestly written stays below: an item has a byte at least, and a byte is at
// most maxDepth values deep.
func newReader(b []byte) reader {
	return reader{b: b, items: len(b), steps: maxDepth * (len(b) + maxDepth)}
}

func (r *reader) fail(reason string) {
	if r.err == nil {
		r.err = &DecodeError{Field: r.field, Offset: r.p, Reason: reason}
		r.p = len(r.b)
	}
}

// finish gives the error of the walk; bytes that are left over are one.
func (r *reader) finish() error {
	if r.err == nil && r.p != len(r.b) {
		r.field = ""
		r.fail("bytes are left over after the record: was it written with another schema?")
	}
	if r.err != nil {
		return r.err
	}
	return nil
}

func (r *reader) long() int64 {
	if r.p < len(r.b) && r.b[r.p] < 0x80 {
		u := uint64(r.b[r.p])
		r.p++
		return int64(u>>1) ^ -int64(u&1)
	}
	u, n := binary.Uvarint(r.b[r.p:])
	switch {
	case n > 0:
		r.p += n
		return int64(u>>1) ^ -int64(u&1)
	case n == 0:
		r.fail("the payload ends in a number")
	default:
		r.fail("a number of more than 64 bits")
	}
	return 0
}

func (r *reader) int() int64 {
	v := r.long()
	if v != int64(int32(v)) {
		r.fail("an int of more than 32 bits")
		return 0
	}
	return v
}

func (r *reader) take(n int64) []byte {
	if n < 0 || n > int64(len(r.b)-r.p) {
		r.fail("a length beyond the end of the payload")
		return nil
	}
	b := r.b[r.p : r.p+int(n) : r.p+int(n)]
	r.p += int(n)
	return b
}

// bytes reads a length and that many bytes; never nil unless it failed.
func (r *reader) bytes() []byte { return r.take(r.long()) }

func (r *reader) boolean() int64 {
	b := r.take(1)
	if b == nil {
		return 0
	}
	if b[0] > 1 {
		r.p--
		r.fail("a boolean that is neither 0 nor 1")
		return 0
	}
	return int64(b[0])
}

func (r *reader) float() float64 {
	if b := r.take(4); b != nil {
		return float64(math.Float32frombits(binary.LittleEndian.Uint32(b)))
	}
	return 0
}

func (r *reader) double() float64 {
	if b := r.take(8); b != nil {
		return math.Float64frombits(binary.LittleEndian.Uint64(b))
	}
	return 0
}

// block reads the head of a block of an array or a map: the number of items in
// it, 0 at the end. A negative count is followed by the block's size in bytes.
func (r *reader) block() int {
	n := r.long()
	if n < 0 {
		if n == math.MinInt64 {
			r.fail("a block of more items than a number holds")
			return 0
		}
		n = -n
		if size := r.long(); size < 0 || size > int64(len(r.b)-r.p) {
			r.fail("a block beyond the end of the payload")
			return 0
		}
	}
	if n > int64(r.items) {
		r.fail("a block of more items than the payload has bytes")
		return 0
	}
	r.items -= int(n)
	if r.err != nil {
		return 0
	}
	return int(n)
}

func (r *reader) cell(t *cellType, c *Cell) {
	c.reset()
	if t.union {
		switch i := r.long(); {
		case r.err != nil:
			return
		case i == t.null:
			c.Null = true
			return
		case i != t.value:
			r.fail("a union branch that the schema does not have")
			return
		}
	}
	switch t.avro {
	case avroBoolean:
		c.N = r.boolean()
	case avroInt:
		c.N = r.int()
	case avroLong:
		c.N = r.long()
	case avroFloat:
		c.F = r.float()
	case avroDouble:
		c.F = r.double()
	case avroBytes, avroString:
		c.B = r.bytes()
	case avroFixed:
		c.B = r.take(int64(t.size))
	case avroEnum:
		c.B = r.symbol(t.symbols)
	default: // compileCell lets nothing else through
		r.array(t, c)
	}
}

func (r *reader) symbol(symbols [][]byte) []byte {
	i := r.long()
	if i < 0 || i >= int64(len(symbols)) {
		r.fail("an enum symbol that the schema does not have")
		return nil
	}
	return symbols[i]
}

func (r *reader) array(t *cellType, c *Cell) {
	for n := r.block(); n > 0; n = r.block() {
		for ; n > 0 && r.err == nil; n-- {
			// Reslicing keeps the memory that an inner array had.
			if len(c.Elems) < cap(c.Elems) {
				c.Elems = c.Elems[:len(c.Elems)+1]
			} else {
				c.Elems = append(c.Elems, Cell{})
			}
			r.cell(t.elem, &c.Elems[len(c.Elems)-1])
		}
	}
}

// skip walks over a value that nobody asked for.
func (r *reader) skip(n *node, depth int) {
	if r.err != nil {
		return
	}
	if r.steps--; depth > maxDepth || r.steps < 0 {
		r.fail("nested too deep")
		return
	}
	switch n.typ {
	case avroNull: // no bytes
	case avroBoolean:
		r.boolean()
	case avroInt, avroLong, avroEnum:
		r.long()
	case avroFloat:
		r.take(4)
	case avroDouble:
		r.take(8)
	case avroBytes, avroString:
		r.bytes()
	case avroFixed:
		r.take(int64(n.size))
	case avroRecord:
		for i := range n.fields {
			r.skip(n.fields[i].node, depth+1)
		}
	case avroUnion:
		i := r.long()
		if i < 0 || i >= int64(len(n.branches)) {
			r.fail("a union branch that the schema does not have")
			return
		}
		r.skip(n.branches[i], depth+1)
	case avroArray, avroMap:
		for c := r.block(); c > 0; c = r.block() {
			for ; c > 0 && r.err == nil; c-- {
				if n.typ == avroMap {
					r.bytes()
				}
				r.skip(n.items, depth+1)
			}
		}
	}
}
