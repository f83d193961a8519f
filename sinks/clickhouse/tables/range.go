package tables

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hopluu/hopluu/schemas/event"
)

// rangeParts is how bronze keeps the range of a marker: its column, and each of
// its ends behind a '=', or nothing for an open one. A marker of the whole
// table, like every other event, has no parts.
func rangeParts(r *event.Range) []string {
	if r == nil {
		return nil
	}
	parts := []string{safeColumn(r.Column)}
	for _, end := range []*string{r.From, r.To} {
		if end == nil {
			parts = append(parts, "")
			continue
		}
		parts = append(parts, "="+*end)
	}
	return parts
}

// RangeOf reads what bronze keeps of a range, nil for none.
func RangeOf(parts []string) *event.Range {
	if len(parts) != 3 {
		return nil
	}
	r := &event.Range{Column: parts[0]}
	for i, end := range []**string{&r.From, &r.To} {
		if text, ok := strings.CutPrefix(parts[i+1], "="); ok {
			*end = &text
		}
	}
	return r
}

// Within is the condition that rows of a range meet. A range of a column that is
// not in the key, or has no order that the source shares, has none: its marker
// goes to the dead letters (P3).
func (t *Table) Within(r event.Range) (string, error) {
	i := t.column(safeColumn(r.Column))
	if i < 0 || !t.Columns[i].Key {
		return "", &RowError{t.Dataset(), r.Column, fmt.Errorf("a range of a column that is not in the key")}
	}
	c := &t.Columns[i]
	value, literal, ok := c.ordered(Ident(c.Name))
	if !ok {
		return "", &RowError{t.Dataset(), r.Column, fmt.Errorf("a range of a column of type %s, which has no order that the source shares", c.SQLType())}
	}
	conditions := []string{}
	for _, end := range []struct {
		operator string
		text     *string
	}{{">=", r.From}, {"<=", r.To}} {
		if end.text == nil {
			continue
		}
		if !c.canBe(*end.text) {
			return "", &RowError{t.Dataset(), r.Column, fmt.Errorf("a range with an end that is no %s", c.SQLType())}
		}
		conditions = append(conditions, fmt.Sprintf("%s %s %s", value, end.operator, literal(Quote(*end.text))))
	}
	if len(conditions) == 0 {
		return "1", nil
	}
	return strings.Join(conditions, " AND "), nil
}

// ordered gives how values of the column, and ends of a range that are texts in
// SQL, compare as the source compares them: integers and dates by value, texts
// byte by byte. Dates of ISO 8601 do so as texts, and unlike dates of ClickHouse
// these have no first and last day.
func (c *Column) ordered(column string) (value string, end func(text string) string, ok bool) {
	switch c.Type.Kind {
	case Int16, Int32, Int64:
		return column, func(text string) string { return "toInt64(" + text + ")" }, true
	case Date:
		return "toString(" + column + ")", func(text string) string { return text }, true
	case String, Enum:
		return column, func(text string) string { return text }, true
	}
	return "", nil, false
}

// canBe tells whether a text is a value of the column's type.
func (c *Column) canBe(text string) bool {
	var err error
	switch c.Type.Kind {
	case Int16, Int32, Int64:
		_, err = strconv.ParseInt(text, 10, 64)
	case Date:
		_, err = time.Parse(time.DateOnly, text)
	}
	return err == nil
}

// spoken is the condition of SQL under which a cut, whose range is the parts,
// speaks of a row e of bronze.
func (t *Table) spoken(parts string) string {
	conditions := []string{"empty(" + parts + ")"}
	for i := range t.Columns {
		c := &t.Columns[i]
		if !c.Key {
			continue
		}
		value, end, ok := c.ordered("e." + Ident(c.Name))
		if !ok {
			continue
		}
		part := func(n int) string { return fmt.Sprintf("%s[%d]", parts, n) }
		text := func(n int) string {
			s := "substring(" + part(n) + ", 2)"
			if slices.Contains([]Kind{Int16, Int32, Int64}, c.Type.Kind) {
				return "toInt64OrZero(" + s + ")" // other columns' ends are no numbers
			}
			return end(s)
		}
		conditions = append(conditions, fmt.Sprintf("%s = %s AND (%s = '' OR %s >= %s) AND (%s = '' OR %s <= %s)",
			part(1), Quote(c.Name), part(2), value, text(2), part(3), value, text(3)))
	}
	return "(" + strings.Join(conditions, " OR ") + ")"
}
