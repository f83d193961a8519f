package recordbatch

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"math"
)

// Header is one header of a record.
type Header struct {
	Key   string
	Value []byte
}

// Origin says which producer writes a batch and where the batch stands in
// what that producer sent to its partition. The broker knows a batch that
// comes twice by it.
type Origin struct {
	ProducerID    int64
	ProducerEpoch int16
	// Sequence is the number of the batch's first record among those that
	// the producer sent to the partition in this epoch.
	Sequence int32
	// Transactional batches show only when their transaction is committed.
	Transactional bool
}

// Layout of a batch: offset and size of each field in bytes.
const (
	offBaseOffset      = 0
	offLength          = 8
	offLeaderEpoch     = 12
	offMagic           = 16
	offCRC             = 17
	offAttributes      = 21
	offLastOffsetDelta = 23
	offBaseTimestamp   = 27
	offMaxTimestamp    = 35
	offProducerID      = 43
	offProducerEpoch   = 51
	offBaseSequence    = 53
	offCount           = 57
	// Overhead is the size of a batch without its records.
	Overhead = 61

	magic = 2
)

// Bits of the attributes.
const (
	attrCompression   = 7
	attrLogAppendTime = 1 << 3
	attrTransactional = 1 << 4
	attrControl       = 1 << 5
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Builder collects the records of one batch. Its memory is kept over Reset.
type Builder struct {
	records []byte
	scratch []byte
	count   int32
	baseMs  int64
	maxMs   int64
}

// Append adds a record; key and value are copied, nil is Kafka's null.
// timestampMs is in milliseconds since 1970-01-01 UTC.
func (b *Builder) Append(timestampMs int64, key, value []byte, headers []Header) {
	if b.count == 0 {
		b.baseMs, b.maxMs = timestampMs, timestampMs
	}
	b.maxMs = max(b.maxMs, timestampMs)

	// A record is preceded by its length; everything before the key is
	// short, so it is written aside first and only the rest is measured.
	head := append(b.scratch[:0], 0) // the record's attributes: none are defined
	head = binary.AppendVarint(head, timestampMs-b.baseMs)
	head = binary.AppendVarint(head, int64(b.count))
	b.scratch = head
	size := len(head) + sizeBytes(key) + sizeBytes(value) + sizeVarint(int64(len(headers)))
	for i := range headers {
		size += sizeVarint(int64(len(headers[i].Key))) + len(headers[i].Key) + sizeBytes(headers[i].Value)
	}

	b.records = binary.AppendVarint(b.records, int64(size))
	b.records = append(b.records, head...)
	b.records = appendBytes(b.records, key)
	b.records = appendBytes(b.records, value)
	b.records = binary.AppendVarint(b.records, int64(len(headers)))
	for i := range headers {
		b.records = binary.AppendVarint(b.records, int64(len(headers[i].Key)))
		b.records = append(b.records, headers[i].Key...)
		b.records = appendBytes(b.records, headers[i].Value)
	}
	b.count++
}

// Records is how many records were added since the last Reset.
func (b *Builder) Records() int { return int(b.count) }

// Len is the size of the batch in bytes, before compression.
func (b *Builder) Len() int { return Overhead + len(b.records) }

// Reset empties the builder.
func (b *Builder) Reset() {
	b.records = b.records[:0]
	b.count = 0
}

// ErrEmpty is the error of a batch without a record: Kafka refuses them.
var ErrEmpty = errors.New("a batch needs at least one record")

// AppendBatch appends the batch to dst. The base offset is left 0: the broker
// sets it.
func (b *Builder) AppendBatch(dst []byte, c Compression, from Origin) ([]byte, error) {
	if b.count == 0 {
		return nil, ErrEmpty
	}
	start := len(dst)
	var head [Overhead]byte
	dst = append(dst, head[:]...)
	dst, err := compress(dst, c, b.records)
	if err != nil {
		return nil, err
	}
	if len(dst)-start > math.MaxInt32 {
		return nil, ErrTooLarge
	}
	attributes := uint16(c)
	if from.Transactional {
		attributes |= attrTransactional
	}
	h := dst[start:]
	binary.BigEndian.PutUint64(h[offBaseOffset:], 0)
	binary.BigEndian.PutUint32(h[offLength:], uint32(len(h)-offLeaderEpoch))
	binary.BigEndian.PutUint32(h[offLeaderEpoch:], math.MaxUint32) // -1: the broker sets it
	h[offMagic] = magic
	binary.BigEndian.PutUint16(h[offAttributes:], attributes)
	binary.BigEndian.PutUint32(h[offLastOffsetDelta:], uint32(b.count-1))
	binary.BigEndian.PutUint64(h[offBaseTimestamp:], uint64(b.baseMs))
	binary.BigEndian.PutUint64(h[offMaxTimestamp:], uint64(b.maxMs))
	binary.BigEndian.PutUint64(h[offProducerID:], uint64(from.ProducerID))
	binary.BigEndian.PutUint16(h[offProducerEpoch:], uint16(from.ProducerEpoch))
	binary.BigEndian.PutUint32(h[offBaseSequence:], uint32(from.Sequence))
	binary.BigEndian.PutUint32(h[offCount:], uint32(b.count))
	binary.BigEndian.PutUint32(h[offCRC:], crc32.Checksum(h[offAttributes:], castagnoli))
	return dst, nil
}

// NextSequence is the sequence after n more records; Kafka's sequences go
// from the largest int32 back to 0.
func NextSequence(seq int32, n int) int32 {
	return int32((int64(seq) + int64(n)) & math.MaxInt32)
}

func appendBytes(dst, b []byte) []byte {
	if b == nil {
		return append(dst, 1) // -1 in zigzag
	}
	dst = binary.AppendVarint(dst, int64(len(b)))
	return append(dst, b...)
}

func sizeBytes(b []byte) int {
	if b == nil {
		return 1
	}
	return sizeVarint(int64(len(b))) + len(b)
}

// sizeVarint is the length of v in Kafka's variable-length zigzag form, which
// is encoding/binary's.
func sizeVarint(v int64) int {
	u := uint64(v)<<1 ^ uint64(v>>63)
	n := 1
	for u >= 0x80 {
		u >>= 7
		n++
	}
	return n
}
