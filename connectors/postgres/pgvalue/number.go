package pgvalue

import (
	"errors"
	"math"
	"strconv"
	"unsafe"

	"github.com/hopluu/hopluu/schemas/avro"
)

func appendBool(dst, text []byte) ([]byte, error) {
	if len(text) == 1 && (text[0] == 't' || text[0] == 'f') {
		return avro.AppendBoolean(dst, text[0] == 't'), nil
	}
	return dst, &TextError{"bool", "neither t nor f"}
}

func appendInt2(dst, text []byte) ([]byte, error) {
	return appendInteger(dst, text, math.MinInt16, math.MaxInt16, "int2")
}

func appendInt4(dst, text []byte) ([]byte, error) {
	return appendInteger(dst, text, math.MinInt32, math.MaxInt32, "int4")
}

func appendInt8(dst, text []byte) ([]byte, error) {
	return appendInteger(dst, text, math.MinInt64, math.MaxInt64, "int8")
}

// appendUint4 is for oid and xid, unsigned numbers of 32 bits.
func appendUint4(dst, text []byte) ([]byte, error) {
	return appendInteger(dst, text, 0, math.MaxUint32, "oid")
}

func appendInteger(dst, text []byte, low, high int64, name string) ([]byte, error) {
	n, ok := parseInt(text)
	if !ok {
		return dst, &TextError{name, "not a whole number"}
	}
	if n < low || n > high {
		return dst, &TextError{name, "a number outside the type's range"}
	}
	return avro.AppendLong(dst, n), nil
}

// parseInt reads an optional minus and digits that fit 64 bits.
func parseInt(text []byte) (int64, bool) {
	digits, negative := text, false
	if len(text) > 0 && text[0] == '-' {
		digits, negative = text[1:], true
	}
	if len(digits) == 0 || len(digits) > 19 {
		return 0, false
	}
	var u uint64 // 19 digits always fit
	for _, c := range digits {
		if c < '0' || c > '9' {
			return 0, false
		}
		u = u*10 + uint64(c-'0')
	}
	if negative {
		return -int64(u), u <= 1<<63
	}
	return int64(u), u <= math.MaxInt64
}

func appendFloat4(dst, text []byte) ([]byte, error) {
	f, err := parseFloat(text, 32, "float4")
	if err != nil {
		return dst, err
	}
	return avro.AppendFloat(dst, float32(f)), nil
}

func appendFloat8(dst, text []byte) ([]byte, error) {
	f, err := parseFloat(text, 64, "float8")
	if err != nil {
		return dst, err
	}
	return avro.AppendDouble(dst, f), nil
}

// parseFloat reads what PostgreSQL prints: digits, a point, an exponent, NaN,
// Infinity and -Infinity. Go's parser reads more (hexadecimal, underscores,
// "inf"), which is refused first.
func parseFloat(text []byte, bits int, name string) (float64, error) {
	switch string(text) {
	case "NaN":
		return math.NaN(), nil
	case "Infinity":
		return math.Inf(1), nil
	case "-Infinity":
		return math.Inf(-1), nil
	}
	for _, c := range text {
		if (c < '0' || c > '9') && c != '.' && c != '-' && c != '+' && c != 'e' {
			return 0, &TextError{name, "not a number"}
		}
	}
	// ParseFloat does not keep its string, so that the bytes need no copy.
	f, err := strconv.ParseFloat(unsafe.String(unsafe.SliceData(text), len(text)), bits)
	if errors.Is(err, strconv.ErrRange) {
		return 0, &TextError{name, "a number outside the type's range"}
	}
	if err != nil {
		return 0, &TextError{name, "not a number"}
	}
	return f, nil
}
