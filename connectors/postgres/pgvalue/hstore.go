package pgvalue

import (
	"unicode/utf8"

	"github.com/hopluu/hopluu/schemas/avro"
)

// appendHstore writes an hstore as the JSON object that its cast to json gives,
// byte for byte: {"key": "value", "other": null}. An hstore has each key once,
// and its texts hold no zero byte, so that nothing is lost.
func appendHstore(dst, text []byte) ([]byte, error) {
	if !utf8.Valid(text) {
		return appendString(dst, text) // tells why
	}
	start := len(dst)
	dst = append(dst, '{')
	for rest := text; len(rest) > 0; {
		if len(dst) > start+1 {
			if len(rest) < 2 || rest[0] != ',' || rest[1] != ' ' {
				return dst, errHstore
			}
			dst, rest = append(dst, ", "...), rest[2:]
		}
		var ok bool
		if dst, rest, ok = appendHstoreText(dst, rest); !ok || len(rest) < 2 || rest[0] != '=' || rest[1] != '>' {
			return dst, errHstore
		}
		dst, rest = append(dst, ": "...), rest[2:]
		if len(rest) >= 4 && string(rest[:4]) == "NULL" {
			dst, rest = append(dst, "null"...), rest[4:]
			continue
		}
		if dst, rest, ok = appendHstoreText(dst, rest); !ok {
			return dst, errHstore
		}
	}
	return withLength(append(dst, '}'), start), nil
}

var errHstore = &TextError{"hstore", "not the text of an hstore"}

// appendHstoreText reads a text in quotes, in which a backslash goes before a
// quote and a backslash, and writes it as JSON does.
func appendHstoreText(dst, text []byte) (out, rest []byte, ok bool) {
	const hex = "0123456789abcdef"
	if len(text) == 0 || text[0] != '"' {
		return dst, text, false
	}
	dst = append(dst, '"')
	for i := 1; i < len(text); i++ {
		c := text[i]
		switch c {
		case '"':
			return append(dst, '"'), text[i+1:], true
		case '\\':
			if i++; i == len(text) || text[i] != '"' && text[i] != '\\' {
				return dst, text, false
			}
			dst = append(dst, '\\', text[i])
		case '\b':
			dst = append(dst, `\b`...)
		case '\f':
			dst = append(dst, `\f`...)
		case '\n':
			dst = append(dst, `\n`...)
		case '\r':
			dst = append(dst, `\r`...)
		case '\t':
			dst = append(dst, `\t`...)
		default:
			if c < ' ' {
				dst = append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
			} else {
				dst = append(dst, c)
			}
		}
	}
	return dst, text, false
}

// withLength puts the length of what stands from start on before it, as Avro
// writes bytes.
func withLength(dst []byte, start int) []byte {
	end := len(dst)
	dst = avro.AppendLong(dst, int64(end-start))
	var head [10]byte
	n := copy(head[:], dst[end:])
	copy(dst[start+n:], dst[start:end])
	copy(dst[start:], head[:n])
	return dst
}
