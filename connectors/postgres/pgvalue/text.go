package pgvalue

import (
	"encoding/hex"
	"unicode/utf8"

	"github.com/hopluu/hopluu/schemas/avro"
)

// Text is the TextError.Type of bytes that no string can hold, whatever their
// column's type.
const Text = "text"

// appendString writes a text as it is. Avro's strings are UTF-8; a database in
// SQL_ASCII may hold other bytes.
func appendString(dst, text []byte) ([]byte, error) {
	if !utf8.Valid(text) {
		return dst, &TextError{Text, "not UTF-8: is the database's encoding SQL_ASCII? correct the row, or convert the database"}
	}
	return avro.AppendBytes(dst, text), nil
}

// appendBytea reads the hex format: "\x" and two digits a byte.
func appendBytea(dst, text []byte) ([]byte, error) {
	if len(text) < 2 || text[0] != '\\' || text[1] != 'x' {
		return dst, &TextError{"bytea", `does not begin with \x: does the session set bytea_output to hex?`}
	}
	dst = avro.AppendLong(dst, int64(hex.DecodedLen(len(text)-2)))
	dst, err := hex.AppendDecode(dst, text[2:])
	if err != nil {
		return dst, &TextError{"bytea", "not hexadecimal"}
	}
	return dst, nil
}

// appendInterval writes an ISO 8601 duration ("P1Y2M3DT4H5M6.7S") as
// PostgreSQL prints it; PostgreSQL 17 has infinite ones too.
func appendInterval(dst, text []byte) ([]byte, error) {
	switch {
	case string(text) == infinity, string(text) == minusInfinity:
	case len(text) < 2 || text[0] != 'P':
		return dst, &TextError{"interval", "not ISO 8601: does the session set IntervalStyle to iso_8601?"}
	}
	return appendString(dst, text)
}

func appendBit(dst, text []byte) ([]byte, error) {
	if len(text) == 1 && (text[0] == '0' || text[0] == '1') {
		return avro.AppendBoolean(dst, text[0] == '1'), nil
	}
	return dst, &TextError{"bit(1)", "neither 0 nor 1"}
}

// appendBits writes n digits of 0 and 1 as the bytes of a number, the lowest
// first.
func appendBits(dst, text []byte, n int) ([]byte, error) {
	if len(text) != n {
		return dst, &TextError{"bit", "not as many bits as the column declares"}
	}
	dst = avro.AppendLong(dst, int64((n+7)/8))
	for end := n; end > 0; end -= 8 {
		var b byte
		for _, c := range text[max(0, end-8):end] {
			if c != '0' && c != '1' {
				return dst, &TextError{"bit", "neither 0 nor 1"}
			}
			b = b<<1 | c&1
		}
		dst = append(dst, b)
	}
	return dst, nil
}
