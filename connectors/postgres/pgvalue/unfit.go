package pgvalue

import (
	"errors"
	"slices"
	"strings"

	"github.com/hopluu/hopluu/schemas/avro"
)

// The years that ClickHouse's Date32 and DateTime64 hold to their last
// microsecond.
const (
	firstYear        = 1900
	lastYearOfDates  = 2299
	lastYearOfStamps = 2261
)

// Unfit divides a column in two, each of which says avro.ErrAbsent of the
// other's values: typed are those that its type in the topic and in ClickHouse
// can hold, and text is, as PostgreSQL prints it, what does not fit there: NaN
// in a numeric(p,s), infinity and far years of dates and timestamps, arrays of
// another shape than an Avro array has. A value is in one of the two.
func Unfit(c Codec) (typed, text Codec) {
	beyond := beyondOf(c)
	typed, text = c, textCodec("unfit")
	typed.Append = func(dst, value []byte) ([]byte, error) {
		if beyond(value) {
			return dst, avro.ErrAbsent
		}
		out, err := c.Append(dst, value)
		if unfit := (*TextError)(nil); errors.As(err, &unfit) {
			return dst, avro.ErrAbsent
		}
		return out, err
	}
	text.Append = func(dst, value []byte) ([]byte, error) {
		if !beyond(value) {
			_, err := c.Append(dst, value) // behind dst, where it is written over
			if unfit := (*TextError)(nil); !errors.As(err, &unfit) {
				return dst, errors.Join(err, avro.ErrAbsent)
			}
		}
		return appendString(dst, value)
	}
	return typed, text
}

// beyondOf tells of a date or a timestamp whether the topic can hold it and
// ClickHouse cannot.
func beyondOf(c Codec) func(text []byte) bool {
	name, _, _ := strings.Cut(c.PGType, "(")
	last := map[string]int64{"date": lastYearOfDates, "timestamp": lastYearOfStamps, "timestamptz": lastYearOfStamps}[name]
	if last == 0 {
		return func([]byte) bool { return false }
	}
	return func(text []byte) bool {
		if slices.Contains([]string{infinity, minusInfinity}, string(text)) {
			return true
		}
		plain, bc := cutBC(text)
		d, _, ok := parseDate(plain, bc)
		return ok && (d.year < firstYear || d.year > last)
	}
}
