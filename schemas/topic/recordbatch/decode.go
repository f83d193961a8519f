package recordbatch

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math"
)

// Record is one record of a batch. Key, Value and the headers alias the
// batch's bytes, or, when it was compressed, the memory that it was unfolded
// into; nil is Kafka's null.
type Record struct {
	Offset      int64
	TimestampMs int64
	Key, Value  []byte
	Headers     []Header
}

// Batch is a batch as it stands in a fetched log: its header, read and
// checked, and its records, still folded.
type Batch struct {
	// BaseOffset is the offset of the first record the batch was written
	// with, LastOffset of the last one. Compaction takes records out and
	// leaves both.
	BaseOffset, LastOffset int64
	Compression            Compression
	Transactional, Control bool
	ProducerID             int64
	ProducerEpoch          int16
	BaseSequence           int32
	// Count is the number of records that are still there.
	Count int32

	logAppendTime bool
	baseMs, maxMs int64
	records       []byte
}

// ErrIncomplete is the error of bytes that end inside a batch, as the last
// bytes of a fetch may.
var ErrIncomplete = errors.New("the bytes end inside a record batch")

// ErrCorrupt is what every error of a batch wraps that is not what a broker
// may store.
var ErrCorrupt = errors.New("corrupt record batch")

// Next reads the first batch in b and gives the bytes after it. With
// ErrIncomplete b holds the beginning of a batch only. io.EOF says that b is
// empty.
func Next(b []byte) (batch Batch, rest []byte, err error) {
	if len(b) == 0 {
		return Batch{}, nil, io.EOF
	}
	if len(b) <= offMagic {
		return Batch{}, nil, ErrIncomplete
	}
	length := int32(binary.BigEndian.Uint32(b[offLength:]))
	if b[offMagic] != magic {
		return Batch{}, nil, fmt.Errorf("%w: message format %d; the topic must be in format 2 (log.message.format.version of Kafka 0.11 or later)", ErrCorrupt, b[offMagic])
	}
	if length < Overhead-offLeaderEpoch {
		return Batch{}, nil, fmt.Errorf("%w: a length of %d bytes", ErrCorrupt, length)
	}
	end := offLeaderEpoch + int(length)
	if len(b) < end {
		return Batch{}, nil, ErrIncomplete
	}
	h := b[:end]
	if want, got := binary.BigEndian.Uint32(h[offCRC:]), crc32.Checksum(h[offAttributes:], castagnoli); want != got {
		return Batch{}, nil, fmt.Errorf("%w: checksum %08x, its bytes have %08x", ErrCorrupt, want, got)
	}
	attributes := binary.BigEndian.Uint16(h[offAttributes:])
	batch = Batch{
		BaseOffset:    int64(binary.BigEndian.Uint64(h[offBaseOffset:])),
		Compression:   Compression(attributes & attrCompression),
		Transactional: attributes&attrTransactional != 0,
		Control:       attributes&attrControl != 0,
		ProducerID:    int64(binary.BigEndian.Uint64(h[offProducerID:])),
		ProducerEpoch: int16(binary.BigEndian.Uint16(h[offProducerEpoch:])),
		BaseSequence:  int32(binary.BigEndian.Uint32(h[offBaseSequence:])),
		Count:         int32(binary.BigEndian.Uint32(h[offCount:])),
		logAppendTime: attributes&attrLogAppendTime != 0,
		baseMs:        int64(binary.BigEndian.Uint64(h[offBaseTimestamp:])),
		maxMs:         int64(binary.BigEndian.Uint64(h[offMaxTimestamp:])),
		records:       h[Overhead:],
	}
	delta := int32(binary.BigEndian.Uint32(h[offLastOffsetDelta:]))
	if batch.BaseOffset < 0 || batch.BaseOffset > math.MaxInt64-math.MaxInt32-1 || delta < 0 || batch.Count < 0 {
		return Batch{}, nil, fmt.Errorf("%w: base offset %d, last offset delta %d, %d records", ErrCorrupt, batch.BaseOffset, delta, batch.Count)
	}
	batch.LastOffset = batch.BaseOffset + int64(delta)
	return batch, b[end:], nil
}

// Each unfolds the batch and calls visit with each of its records, in order.
// The record is only valid during the call; what it points to stays.
func (b *Batch) Each(visit func(r *Record) error) error {
	if b.Count == 0 {
		return nil
	}
	plain, err := decompress(b.Compression, b.records)
	if err != nil {
		return fmt.Errorf("%w at offset %d: %w", ErrCorrupt, b.BaseOffset, err)
	}
	var r Record
	for i := range b.Count {
		if plain, err = b.record(plain, &r); err != nil {
			return fmt.Errorf("%w: record %d of %d at offset %d: %w", ErrCorrupt, i+1, b.Count, b.BaseOffset, err)
		}
		if err := visit(&r); err != nil {
			return err
		}
	}
	if len(plain) != 0 {
		return fmt.Errorf("%w at offset %d: %d bytes after its %d records", ErrCorrupt, b.BaseOffset, len(plain), b.Count)
	}
	return nil
}

func (b *Batch) record(plain []byte, r *Record) (rest []byte, err error) {
	c := cursor{b: plain}
	body := c.take(c.varint())
	if c.err != nil {
		return nil, c.err
	}
	rest = c.b
	c.b = body
	c.take(1) // the record's attributes: none are defined
	r.TimestampMs = b.baseMs + c.varint()
	if b.logAppendTime {
		r.TimestampMs = b.maxMs
	}
	r.Offset = b.BaseOffset + c.varint()
	r.Key = c.bytes()
	r.Value = c.bytes()
	n := c.varint()
	// A header takes at least two bytes, so that no count makes a slice
	// larger than the record.
	if n < 0 || n > int64(len(c.b)/2) {
		if c.err == nil {
			c.err = fmt.Errorf("%d headers in %d bytes", n, len(c.b))
		}
		return nil, c.err
	}
	r.Headers = nil
	if n > 0 {
		r.Headers = make([]Header, n)
	}
	for i := range r.Headers {
		r.Headers[i].Key = string(c.take(c.varint()))
		r.Headers[i].Value = c.bytes()
	}
	if c.err == nil && len(c.b) != 0 {
		c.err = fmt.Errorf("%d bytes after its headers", len(c.b))
	}
	if c.err == nil && (r.Offset < b.BaseOffset || r.Offset > b.LastOffset) {
		c.err = fmt.Errorf("offset %d outside %d..%d", r.Offset, b.BaseOffset, b.LastOffset)
	}
	return rest, c.err
}

// ControlType is what a control batch marks.
type ControlType int16

// The marks that end a transaction in a partition.
const (
	ControlAbort  ControlType = 0
	ControlCommit ControlType = 1
)

// ControlType reads the mark of a control batch: its record's key is a
// version and a type, two bytes each.
func (b *Batch) ControlType() (ControlType, error) {
	typ := ControlType(-1)
	err := b.Each(func(r *Record) error {
		if len(r.Key) < 4 {
			return fmt.Errorf("%w at offset %d: a control record with a key of %d bytes", ErrCorrupt, b.BaseOffset, len(r.Key))
		}
		typ = ControlType(binary.BigEndian.Uint16(r.Key[2:]))
		return nil
	})
	return typ, err
}

// cursor reads the fields of a record; after an error it gives zero values.
type cursor struct {
	b   []byte
	err error
}

func (c *cursor) varint() int64 {
	v, n := binary.Varint(c.b)
	if n <= 0 {
		c.fail()
		return 0
	}
	c.b = c.b[n:]
	return v
}

func (c *cursor) take(n int64) []byte {
	if c.err != nil || n < 0 || n > int64(len(c.b)) {
		c.fail()
		return nil
	}
	b := c.b[:n:n]
	c.b = c.b[n:]
	return b
}

func (c *cursor) bytes() []byte {
	n := c.varint()
	if n == -1 && c.err == nil {
		return nil
	}
	return c.take(n)
}

func (c *cursor) fail() {
	if c.err == nil {
		c.err = io.ErrUnexpectedEOF
	}
	c.b = nil
}
