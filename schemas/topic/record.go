package topic

import (
	"cmp"
	"strconv"
	"strings"

	"github.com/hopluu/hopluu/schemas/topic/recordbatch"
)

// Partition names one partition of a topic.
type Partition struct {
	Topic string
	ID    int32
}

// Compare orders partitions by topic and number.
func (p Partition) Compare(q Partition) int {
	return cmp.Or(strings.Compare(p.Topic, q.Topic), cmp.Compare(p.ID, q.ID))
}

func (p Partition) String() string { return p.Topic + "/" + strconv.Itoa(int(p.ID)) }

// Header is one header of a record.
type Header = recordbatch.Header

// Record is one record as it was read. Key, Value and the headers' values
// stay valid and are not shared with later reads, but keeping one of them
// keeps the whole batch in memory: copy what is kept for long. A nil Value is
// a tombstone.
type Record struct {
	Partition
	Offset      int64
	TimestampMs int64 // milliseconds since 1970-01-01 UTC
	Key, Value  []byte
	Headers     []Header
}

// Compression is the codec of what a Producer writes.
type Compression uint8

// The codecs. The zero value is the client's, and LZ4 where that names none.
const (
	LZ4 Compression = iota + 1
	Zstd
	None
)

func (c Compression) codec() recordbatch.Compression {
	switch c {
	case Zstd:
		return recordbatch.Zstd
	case None:
		return recordbatch.None
	}
	return recordbatch.LZ4
}
