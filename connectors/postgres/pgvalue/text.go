package pgvalue

import (
	"encoding/hex"
	"unicode/utf8"

	"github.com/hopluu/hopluu/schemas/avro"
)

// appendString writes a text as it is. Avro's strings are UTF-8; a database in
// SQL_ASCII may hold other bytes.
func appendString(dst, text []byte) ([]byte, error) {
	if !utf8.Valid(text) {
		return dst, &TextError{"text", "not UTF-8: is the database's encoding SQL_ASCII? correct the row, or convert the database"}
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
