package pgvalue

import (
	"github.com/hopluu/hopluu/schemas/avro"
)

// The branches of an element's union ["null", T], as Avro writes them.
const (
	elementNull  = 0
	elementValue = 2
)

// arrayCodec carries a one-dimensional array as an Avro array of null | elem. A
// column that is declared with more dimensions is carried as text (Lookup).
func arrayCodec(elem Codec, delimiter byte) Codec {
	name := elem.PGType + "[]"
	return Codec{
		Avro: map[string]any{"type": "array", "items": []any{"null", elem.Avro}},
		Append: func(dst, text []byte) ([]byte, error) {
			return appendArray(dst, text, elem.Append, delimiter, name)
		},
		PGType: name,
	}
}

// appendArray reads PostgreSQL's text of an array
// (https://www.postgresql.org/docs/current/arrays.html#ARRAYS-IO). More than
// one dimension, and bounds that do not begin at 1 ("[0:1]={a,b}"), are
// refused: an Avro array would lose them without a word.
func appendArray(dst, text []byte, elem func(dst, text []byte) ([]byte, error), delimiter byte, name string) ([]byte, error) {
	count, reason := countElements(text, delimiter)
	if reason != "" {
		return dst, &TextError{name, reason}
	}
	if count == 0 {
		return append(dst, 0), nil
	}
	dst = avro.AppendLong(dst, int64(count))
	var err error
	for i := 1; i < len(text); i++ { // each turn ends on a delimiter or on the closing brace
		start := i
		if text[i] != '"' {
			for text[i] != delimiter && text[i] != '}' {
				i++
			}
			if isNull(text[start:i]) {
				dst = append(dst, elementNull)
				continue
			}
			dst = append(dst, elementValue)
			if dst, err = elem(dst, text[start:i]); err != nil {
				return dst, err
			}
			continue
		}
		escaped := false
		for i++; text[i] != '"'; i++ {
			if text[i] == '\\' {
				escaped = true
				i++
			}
		}
		dst = append(dst, elementValue)
		if dst, err = appendQuoted(dst, text[start+1:i], escaped, elem); err != nil {
			return dst, err
		}
		i++
	}
	return append(dst, 0), nil
}

// appendQuoted takes the backslashes out of an element. The plain text is
// made at the end of dst and moved out again, so that no row needs memory of
// its own.
func appendQuoted(dst, text []byte, escaped bool, elem func(dst, text []byte) ([]byte, error)) ([]byte, error) {
	if !escaped {
		return elem(dst, text)
	}
	start := len(dst)
	for i := 0; i < len(text); i++ {
		if text[i] == '\\' {
			i++
		}
		dst = append(dst, text[i])
	}
	end := len(dst)
	dst, err := elem(dst, dst[start:end:end])
	if err != nil {
		return dst, err
	}
	return append(dst[:start], dst[end:]...), nil
}

func isNull(text []byte) bool {
	return len(text) == 4 && text[0]|0x20 == 'n' && text[1]|0x20 == 'u' && text[2]|0x20 == 'l' && text[3]|0x20 == 'l'
}

// countElements checks the whole form of an array, so that whoever reads it
// after need not, and counts its elements.
func countElements(text []byte, delimiter byte) (count int, reason string) {
	const broken = "not the text of an array"
	switch {
	case len(text) > 0 && text[0] == '[':
		return 0, "an array whose bounds do not begin at 1: Avro has no place for them; store it from 1, or as jsonb"
	case len(text) < 2 || text[0] != '{' || text[len(text)-1] != '}':
		return 0, broken
	case len(text) == 2:
		return 0, ""
	}
	for i := 1; ; i++ {
		start := i
		switch text[i] {
		case '{':
			return 0, "an array of more than one dimension in a column declared with one: declare it with a [] for each, which is carried as text, or store it as jsonb"
		case '"':
			for i++; i < len(text) && text[i] != '"'; i++ {
				if text[i] == '\\' {
					i++
				}
			}
			if i++; i >= len(text) {
				return 0, broken
			}
		default:
			for text[i] != delimiter && text[i] != '}' {
				if text[i] == '"' || text[i] == '{' || text[i] == '\\' {
					return 0, broken
				}
				i++
			}
			if i == start {
				return 0, broken
			}
		}
		count++
		switch {
		case text[i] == delimiter && i < len(text)-1:
		case text[i] == '}' && i == len(text)-1:
			return count, ""
		default:
			return 0, broken
		}
	}
}
