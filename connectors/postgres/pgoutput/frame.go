package pgoutput

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"github.com/hopluu/hopluu/schemas/event"
)

// FrameError says that a frame is not a message of the protocol. The stream
// cannot go on past it without losing what it said (P3).
type FrameError struct {
	Kind   byte // the frame's first byte, 0 of an empty frame
	Offset int  // bytes into the frame
	Reason string
}

func (e *FrameError) Error() string {
	return fmt.Sprintf("pgoutput message %q, byte %d: %s", e.Kind, e.Offset, e.Reason)
}

// frame is a walk over a message. After the first failure it stays failed and
// reads zeros.
type frame struct {
	b   []byte
	p   int
	err *FrameError
}

func (f *frame) fail(reason string) {
	if f.err == nil {
		f.err = &FrameError{Offset: f.p, Reason: reason}
		if len(f.b) > 0 {
			f.err.Kind = f.b[0]
		}
		f.p = len(f.b)
	}
}

const short = "the frame ends too early"

func (f *frame) take(n int) []byte {
	if n < 0 || n > len(f.b)-f.p {
		f.fail(short)
		return nil
	}
	b := f.b[f.p : f.p+n : f.p+n]
	f.p += n
	return b
}

func (f *frame) int8() byte {
	if b := f.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (f *frame) int16() uint16 {
	if b := f.take(2); b != nil {
		return binary.BigEndian.Uint16(b)
	}
	return 0
}

func (f *frame) int32() uint32 {
	if b := f.take(4); b != nil {
		return binary.BigEndian.Uint32(b)
	}
	return 0
}

func (f *frame) int64() uint64 {
	if b := f.take(8); b != nil {
		return binary.BigEndian.Uint64(b)
	}
	return 0
}

func (f *frame) lsn() event.LSN { return event.LSN(f.int64()) }

// postgresEpoch is 2000-01-01 in microseconds since 1970-01-01.
const postgresEpoch = 946_684_800_000_000

func (f *frame) micros() int64 { return int64(f.int64()) + postgresEpoch }

// string reads up to the zero byte that ends it.
func (f *frame) string() string {
	n := bytes.IndexByte(f.b[f.p:], 0)
	if n < 0 {
		f.fail("a string without its end")
		return ""
	}
	s := string(f.b[f.p : f.p+n])
	f.p += n + 1
	return s
}

// flag reads a byte that is 0 or 1.
func (f *frame) flag() bool {
	b := f.int8()
	if b > 1 {
		f.p--
		f.fail("flags that this version does not know")
	}
	return b == 1
}

// expect reads a byte that must be this one.
func (f *frame) expect(want byte, reason string) {
	if f.int8() != want {
		f.fail(reason)
	}
}

// row reads a TupleData: "Int16 Number of columns", and of each "Byte1('n')
// Identifies the data as NULL value", "Byte1('u') Identifies unchanged TOASTed
// value (the actual value is not sent)", "Byte1('t') Identifies the data as
// text formatted value" with "Int32 Length of the column value" and its bytes,
// or 'b', binary, which we never ask for. The cells alias the frame.
func (f *frame) row(into event.Row) event.Row {
	n := int(f.int16())
	into = into[:0]
	if n > len(f.b)-f.p { // a column has a byte at least
		f.fail(short)
		return into
	}
	if into == nil || cap(into) < n { // a row of no columns is a row, not nil
		into = make(event.Row, 0, n)
	}
	into = into[:n]
	b, p := f.b, f.p
	for i := range into {
		if p >= len(b) {
			f.p = p
			f.fail(short)
			return into[:0]
		}
		v := &into[i]
		switch b[p] {
		case 't':
			if len(b)-p < 5 {
				f.p = p
				f.fail(short)
				return into[:0]
			}
			size := int(binary.BigEndian.Uint32(b[p+1:]))
			p += 5
			if size > len(b)-p {
				f.p = p
				f.fail("a value longer than the frame")
				return into[:0]
			}
			v.State, v.Text = event.Present, b[p:p+size:p+size]
			p += size
			continue
		case 'n':
			v.State, v.Text = event.Null, nil
		case 'u':
			v.State, v.Text = event.Unchanged, nil // P4
		case 'b':
			f.p = p
			f.fail("a binary value: the stream must be started without the option binary")
			return into[:0]
		default:
			f.p = p
			f.fail("a column that is neither null, unchanged nor text")
			return into[:0]
		}
		p++
	}
	f.p = p
	return into
}
