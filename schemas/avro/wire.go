package avro

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// wireHeader is the length of Confluent's header: a zero byte and the schema
// id in four big-endian bytes.
const wireHeader = 5

// ErrNotWire is returned for bytes that are not in Confluent's wire format.
var ErrNotWire = errors.New("not in Confluent's wire format (a zero byte, four bytes of schema id, then Avro): was the topic written without a schema registry?")

// SplitWire parts a message into the id of its schema and its Avro payload,
// which aliases msg. A tombstone (an empty message) is an error here: whoever
// reads a topic looks for it first.
func SplitWire(msg []byte) (schemaID uint32, payload []byte, err error) {
	if len(msg) < wireHeader {
		return 0, nil, fmt.Errorf("%d bytes are too few: %w", len(msg), ErrNotWire)
	}
	if msg[0] != 0 {
		return 0, nil, fmt.Errorf("the first byte is %#02x: %w", msg[0], ErrNotWire)
	}
	return binary.BigEndian.Uint32(msg[1:]), msg[wireHeader:], nil
}

func appendHeader(dst []byte, schemaID uint32) []byte {
	dst = append(dst, 0)
	return binary.BigEndian.AppendUint32(dst, schemaID)
}

// AppendLong writes an Avro int or long: zig-zag, then base 128 with the
// least significant group first.
func AppendLong(dst []byte, v int64) []byte {
	return binary.AppendUvarint(dst, uint64(v)<<1^uint64(v>>63))
}

// AppendBoolean writes an Avro boolean: one byte.
func AppendBoolean(dst []byte, v bool) []byte {
	if v {
		return append(dst, 1)
	}
	return append(dst, 0)
}

// AppendFloat writes an Avro float: four little-endian bytes.
func AppendFloat(dst []byte, v float32) []byte {
	return binary.LittleEndian.AppendUint32(dst, math.Float32bits(v))
}

// AppendDouble writes an Avro double: eight little-endian bytes.
func AppendDouble(dst []byte, v float64) []byte {
	return binary.LittleEndian.AppendUint64(dst, math.Float64bits(v))
}

// AppendBytes writes Avro bytes, or an Avro string when b is UTF-8: the length
// as a long, then the bytes.
func AppendBytes[T []byte | string](dst []byte, b T) []byte {
	dst = AppendLong(dst, int64(len(b)))
	return append(dst, b...)
}
