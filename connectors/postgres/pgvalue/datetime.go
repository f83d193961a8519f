package pgvalue

import (
	"math"
	"strconv"

	"github.com/hopluu/hopluu/schemas/avro"
)

const isoHint = "not as DateStyle ISO prints it: does the session set DateStyle to ISO?"

// Infinity in types that are numbers in Avro: numbers that no finite value has.
// Those of timestamps are the ones that Debezium documents. A sink that cannot
// hold them must say so (P3).
const (
	DateInfinity           = math.MaxInt32
	DateMinusInfinity      = math.MinInt32
	TimestampInfinity      = 9223372036825200000
	TimestampMinusInfinity = -9223372036832400000
)

// appendDate writes the days since 1970-01-01.
func appendDate(dst, text []byte) ([]byte, error) {
	switch string(text) {
	case infinity:
		return avro.AppendLong(dst, DateInfinity), nil
	case minusInfinity:
		return avro.AppendLong(dst, DateMinusInfinity), nil
	}
	text, bc := cutBC(text)
	d, rest, ok := parseDate(text, bc)
	if !ok || len(rest) > 0 {
		return dst, &TextError{"date", isoHint}
	}
	days := d.days()
	if days <= DateMinusInfinity || days >= DateInfinity {
		return dst, &TextError{"date", "a date outside the type's range"}
	}
	return avro.AppendLong(dst, days), nil
}

// parseTimestamp reads a date, a space and a time of day, and gives what
// follows them.
func parseTimestamp(text []byte, bc bool) (d civil, micros int64, rest []byte, ok bool) {
	d, rest, ok = parseDate(text, bc)
	if !ok || len(rest) == 0 || rest[0] != ' ' {
		return d, 0, nil, false
	}
	micros, rest, ok = parseClock(rest[1:])
	return d, micros, rest, ok
}

// appendTimestamp writes the microseconds since 1970-01-01 00:00:00 of a
// timestamp without time zone.
func appendTimestamp(dst, text []byte) ([]byte, error) {
	switch string(text) {
	case infinity:
		return avro.AppendLong(dst, TimestampInfinity), nil
	case minusInfinity:
		return avro.AppendLong(dst, TimestampMinusInfinity), nil
	}
	text, bc := cutBC(text)
	d, micros, rest, ok := parseTimestamp(text, bc)
	if !ok || len(rest) > 0 {
		return dst, &TextError{"timestamp", isoHint}
	}
	days := d.days()
	// PostgreSQL's range ends some years after that of 64 bits from 1970.
	const last = math.MaxInt64/microsPerDay - 1
	if days > last || days < -last {
		return dst, &TextError{"timestamp", "later than the year 294246: microseconds since 1970 do not fit 64 bits; correct the row, or use infinity"}
	}
	return avro.AppendLong(dst, days*microsPerDay+micros), nil
}

// appendTimestamptz writes an instant as ISO 8601 in UTC,
// "2020-01-31T23:59:59.123456Z", with the digits of the fraction that
// PostgreSQL prints. Years outside 0000 to 9999 have a sign, and 1 BC is 0000,
// as ISO 8601 and Java have it.
func appendTimestamptz(dst, text []byte) ([]byte, error) {
	switch string(text) {
	case infinity, minusInfinity:
		return avro.AppendBytes(dst, text), nil
	}
	body, bc := cutBC(text)
	d, micros, zone, ok := parseTimestamp(body, bc)
	if !ok {
		return dst, &TextError{"timestamptz", isoHint}
	}
	offset, ok := parseOffset(zone)
	if !ok {
		return dst, &TextError{"timestamptz", isoHint}
	}
	if offset == 0 && !bc && text[4] == '-' && micros < microsPerDay {
		// The common case: only the separators differ.
		n := len(body) - len(zone)
		dst = avro.AppendLong(dst, int64(n+1))
		at := len(dst) + len("2020-01-31")
		dst = append(dst, body[:n]...)
		dst[at] = 'T'
		return append(dst, 'Z'), nil
	}
	days := d.days()
	micros -= offset * 1_000_000
	days += floorDiv(micros, microsPerDay)
	micros -= floorDiv(micros, microsPerDay) * microsPerDay
	start := len(dst)
	dst = append(dst, 0) // the length: below 64, so of one byte
	dst = appendISODate(dst, civilOf(days))
	dst = append(dst, 'T')
	dst = appendISOClock(dst, micros)
	dst = append(dst, 'Z')
	dst[start] = byte(len(dst)-start-1) << 1
	return dst, nil
}

func appendISODate(dst []byte, d civil) []byte {
	year := d.year
	switch {
	case year < 0:
		dst = append(dst, '-')
		year = -year
	case year > 9999:
		dst = append(dst, '+')
	}
	if year < 1000 {
		dst = append(dst, "000"[:3-len(strconv.Itoa(int(year)))+1]...)
	}
	dst = strconv.AppendInt(dst, year, 10)
	dst = append(dst, '-', byte('0'+d.month/10), byte('0'+d.month%10))
	return append(dst, '-', byte('0'+d.day/10), byte('0'+d.day%10))
}

// appendISOClock writes a time of day without the zeros at the end of its
// fraction, as PostgreSQL does.
func appendISOClock(dst []byte, micros int64) []byte {
	s := micros / 1_000_000
	for i, n := range [...]int64{s / 3600, s / 60 % 60, s % 60} {
		if i > 0 {
			dst = append(dst, ':')
		}
		dst = append(dst, byte('0'+n/10), byte('0'+n%10))
	}
	fraction := micros % 1_000_000
	if fraction == 0 {
		return dst
	}
	dst = append(dst, '.')
	for unit := int64(100_000); fraction > 0; unit /= 10 {
		dst = append(dst, byte('0'+fraction/unit))
		fraction %= unit
	}
	return dst
}

// appendTime writes the microseconds since midnight; 24:00:00 is one day.
func appendTime(dst, text []byte) ([]byte, error) {
	micros, rest, ok := parseClock(text)
	if !ok || len(rest) > 0 {
		return dst, &TextError{"time", isoHint}
	}
	return avro.AppendLong(dst, micros), nil
}

// appendTimetz writes a time of day with its own offset as ISO 8601:
// "07:10:32.5+07:00", "07:10:32Z". It is not turned into UTC: the offset is
// part of the value.
func appendTimetz(dst, text []byte) ([]byte, error) {
	_, zone, ok := parseClock(text)
	if !ok {
		return dst, &TextError{"timetz", isoHint}
	}
	offset, ok := parseOffset(zone)
	if !ok {
		return dst, &TextError{"timetz", isoHint}
	}
	start := len(dst)
	dst = append(dst, 0) // the length: below 64, so of one byte
	dst = append(dst, text[:len(text)-len(zone)]...)
	switch {
	case offset == 0:
		dst = append(dst, 'Z')
	case len(zone) == len("+07"):
		dst = append(append(dst, zone...), ":00"...)
	default:
		dst = append(dst, zone...)
	}
	dst[start] = byte(len(dst)-start-1) << 1
	return dst, nil
}
