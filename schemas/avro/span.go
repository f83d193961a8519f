package avro

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hopluu/hopluu/schemas/event"
)

// Span tells of records which are in a range, by their names (AppendRecordID)
// alone. It may be used by many goroutines.
type Span struct {
	prefix string
	text   bool
	// The ends, as the column's type has them; nil for an open one.
	fromText, toText     *string
	fromNumber, toNumber *int64
}

// CompileSpan makes the span of a range of a table whose rows have these
// columns: its column has to be the first of the key, and an integer, a text or
// a date.
func CompileSpan(source, table string, columns []Column, r event.Range) (*Span, error) {
	i := slices.IndexFunc(columns, func(c Column) bool { return c.Name == r.Column && c.Key })
	if i < 0 {
		return nil, fmt.Errorf("the range %s is of a column that is not in the key", r)
	}
	s := &Span{prefix: source + "." + table + ":"}
	number := func(text string) (int64, error) { return strconv.ParseInt(text, 10, 64) }
	switch t := columns[i].Type; {
	case t.Kind == String && t.Logical == "":
		s.text, s.fromText, s.toText = true, r.From, r.To
		return s, nil
	case t.Kind == Int && t.Logical == "io.debezium.time.Date":
		number = dayOf
	case (t.Kind == Int || t.Kind == Long) && (t.Logical == "" || t.Logical == "int16"):
	default:
		return nil, fmt.Errorf("the range %s is of a column of type %s %s, which has none", r, t.Kind, t.Logical)
	}
	for _, end := range []struct {
		text   *string
		number **int64
	}{{r.From, &s.fromNumber}, {r.To, &s.toNumber}} {
		if end.text == nil {
			continue
		}
		n, err := number(*end.text)
		if err != nil {
			return nil, fmt.Errorf("the range %s has an end that its column cannot have", r)
		}
		*end.number = &n
	}
	return s, nil
}

// dayOf reads "2026-01-31" as days since 1970-01-01.
func dayOf(text string) (int64, error) {
	t, err := time.Parse(time.DateOnly, text)
	return t.Unix() / 86400, err // a day begins at midnight: there is no rest
}

// Has tells whether the record of a name is in the range.
func (s *Span) Has(record string) bool {
	key, ok := strings.CutPrefix(record, s.prefix)
	if !ok {
		return false
	}
	first := firstPart(key)
	if s.text {
		return (s.fromText == nil || first >= *s.fromText) && (s.toText == nil || first <= *s.toText)
	}
	n, err := strconv.ParseInt(first, 10, 64)
	return err == nil && (s.fromNumber == nil || n >= *s.fromNumber) && (s.toNumber == nil || n <= *s.toNumber)
}

// firstPart is the first of the parts of a key, without their escapes.
func firstPart(key string) string {
	var b strings.Builder
	for i := 0; i < len(key) && key[i] != '|'; i++ {
		if key[i] == '\\' && i+1 < len(key) {
			i++
		}
		b.WriteByte(key[i])
	}
	return b.String()
}
