package identity

import (
	"bytes"
	"time"
)

// Date is a calendar date without a time zone: year<<9 | month<<5 | day, with
// month and day 0 when only the year is known; 0 is no date.
type Date uint32

// The years in which a person of today's registers may have been born or died.
const (
	firstYear = 1850
	lastYear  = 2150
)

// NewDate makes a date. A day that the month does not have (29 February of a
// common year) leaves the year alone, which is what it is evidence for; a year
// out of bounds is no date.
func NewDate(year, month, day int) Date {
	if year < firstYear || year > lastYear {
		return 0
	}
	if month < 1 || month > 12 || day < 1 || day > daysIn(year, month) {
		return Date(year << 9)
	}
	return Date(year<<9 | month<<5 | day)
}

// DateOfDays makes a date of days since 1970-01-01, Avro's logical type date.
func DateOfDays(days int64) Date {
	if days < -100_000 || days > 100_000 { // also PostgreSQL's infinities
		return 0
	}
	year, month, day := time.Unix(days*86400, 0).UTC().Date()
	return NewDate(year, int(month), day)
}

// Year is 0 for no date.
func (d Date) Year() int { return int(d >> 9) }

// Month is 0 when only the year is known.
func (d Date) Month() int { return int(d >> 5 & 15) }

// Day is 0 when only the year is known.
func (d Date) Day() int { return int(d & 31) }

// yearOnly tells dates of which only the year is to be believed: systems that
// must write a day write 1 January.
func (d Date) yearOnly() bool { return d.Month() == 0 || d.Month() == 1 && d.Day() == 1 }

func daysIn(year, month int) int {
	switch month {
	case 4, 6, 9, 11:
		return 30
	case 2:
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	}
	return 31
}

// ParseDate reads 1985-03-20 (also with a time after it), 20/03/1985,
// 20-03-1985, 20.03.1985, 19850320, 03/1985 and 1985; anything else is no date.
func ParseDate(text []byte) Date {
	text = bytes.TrimSpace(text)
	if i := bytes.IndexAny(text, " T"); i > 0 {
		text = text[:i]
	}
	var parts, widths [3]int
	n := 0
	for i := 0; i < len(text); {
		if n == 3 {
			return 0
		}
		start := i
		for i < len(text) && text[i] >= '0' && text[i] <= '9' {
			if i-start == 8 {
				return 0
			}
			parts[n] = parts[n]*10 + int(text[i]-'0')
			i++
		}
		widths[n] = i - start
		if widths[n] == 0 {
			return 0
		}
		n++
		if i < len(text) {
			if c := text[i]; c != '-' && c != '/' && c != '.' {
				return 0
			}
			i++
		}
	}
	switch {
	case n == 1 && widths[0] == 4:
		return NewDate(parts[0], 0, 0)
	case n == 1 && widths[0] == 8:
		return NewDate(parts[0]/10000, parts[0]/100%100, parts[0]%100)
	case n == 2 && widths[1] == 4:
		return NewDate(parts[1], 0, 0)
	case n == 3 && widths[0] == 4:
		return NewDate(parts[0], parts[1], parts[2])
	case n == 3 && widths[2] == 4:
		return NewDate(parts[2], parts[1], parts[0])
	}
	return 0
}
