package avro

import (
	"slices"
	"strconv"
	"strings"
)

// Rekey writes the key of a record in the form that another schema of the key
// gives it, in wire format: its bytes under a schema id of before, when the key
// was an int and is a long now. payload is the key's behind its header. It is
// false when no key of that schema names the same record (AppendRecordID).
func Rekey(dst []byte, payload []byte, now *Record, then *Record, thenID uint32) (key []byte, ok bool) {
	cells, err := now.Decode(payload, nil)
	if err != nil || len(cells) != len(then.row.columns) {
		return dst, false
	}
	start := len(dst)
	dst = appendHeader(dst, thenID)
	for i := range then.row.columns {
		to := &then.row.columns[i]
		from := slices.IndexFunc(now.row.columns, func(c Column) bool { return c.Name == to.Name })
		if from < 0 || to.Nullable || cells[from].Null {
			return dst[:start], false
		}
		if dst, ok = appendAs(dst, &cells[from], &now.row.columns[from].Type, &to.Type); !ok {
			return dst[:start], false
		}
	}
	return dst, true
}

// appendAs writes a cell in another type, if it has a value of the same text.
func appendAs(dst []byte, c *Cell, from, to *Type) ([]byte, bool) {
	number, text := c.N, c.B
	// Days and microseconds are no numbers: one in the place of the other is
	// another record.
	isNumber := func(t *Type) bool {
		return (t.Kind == Int || t.Kind == Long) && !strings.HasPrefix(t.Logical, "io.debezium.")
	}
	switch {
	case isNumber(from) && isNumber(to):
	case isNumber(from) && to.Kind == String:
		text = strconv.AppendInt(nil, c.N, 10)
	case from.Kind == String && isNumber(to):
		n, err := strconv.ParseInt(string(c.B), 10, 64)
		if err != nil || strconv.FormatInt(n, 10) != string(c.B) {
			return dst, false
		}
		number = n
	case from.Kind != to.Kind || from.Logical != to.Logical || from.Scale != to.Scale:
		if from.Kind != String || to.Kind != String { // a text is a text, whatever it means
			return dst, false
		}
	}
	switch to.Kind {
	case Int:
		if number != int64(int32(number)) {
			return dst, false // no such key was ever written
		}
		return AppendLong(dst, number), true
	case Long:
		return AppendLong(dst, number), true
	case String, Bytes:
		return AppendBytes(dst, text), true
	case Boolean:
		return AppendBoolean(dst, c.N != 0), true
	case Float:
		return AppendFloat(dst, float32(c.F)), true
	case Double:
		return AppendDouble(dst, c.F), true
	}
	return dst, false
}
