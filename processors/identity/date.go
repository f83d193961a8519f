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
	RegisteredYear = 1850
	lastYear       = 2150
)

// NewDate makes a date. A day that the month does not have (29 February of a
// common year) leaves the year alone, which is what it is evidence for; a year
// out of bounds is no date.
func NewDate(year, month, day int) Date {
	if year < RegisteredYear || year > lastYear {
		return 0
	}
	return newDate(year, month, day)
}

// newDate is NewDate of any year.
func newDate(year, month, day int) Date {
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

// ParseDate is ReadDate without its notes, the day before the month.
func ParseDate(text []byte) Date {
	d, _ := ReadDate(text, false)
	return d
}

// ReadDate reads 1985-03-20 (also with a time after it), 20/03/1985,
// 20-03-1985, 20.03.1985, 19850320, 03/1985 and 1985; anything else is no
// date. monthFirst reads 03/20/1985. A day that stands in the month's place is
// put in its own (1985-20-03); a day that the month does not have leaves the
// year alone; so does 00 for what is not known. 1 January 1900, which databases write for
// nothing, is none. The notes say what was found.
func ReadDate(text []byte, monthFirst bool) (Date, Notes) {
	return ReadDateFrom(text, monthFirst, RegisteredYear)
}

// FirstYear is the earliest that ReadDateFrom reads.
const FirstYear = 1000

// ReadDateFrom is ReadDate for people of earlier times, who were born in the
// year earliest or later.
func ReadDateFrom(text []byte, monthFirst bool, earliest int) (Date, Notes) {
	text = bytes.TrimSpace(text)
	if len(text) == 0 {
		return 0, 0
	}
	year, month, day, ok := dateParts(text, monthFirst)
	if !ok || year < max(earliest, FirstYear) || year > lastYear || year == 1900 && month == 1 && day == 1 {
		return 0, BirthRefused
	}
	var notes Notes
	if month > 12 && day >= 1 && day <= 12 {
		month, day, notes = day, month, BirthSwapped
	}
	d := newDate(year, month, day)
	switch {
	case d.Month() != 0:
		return d, notes
	case month == 0 || day == 0:
		return d, BirthYearOnly
	}
	return d, BirthImpossible
}

// dateParts takes a date apart; month and day are 0 where they are not
// written.
func dateParts(text []byte, monthFirst bool) (year, month, day int, ok bool) {
	if i := bytes.IndexAny(text, " T"); i > 0 {
		text = text[:i]
	}
	var parts, widths [3]int
	n := 0
	for i := 0; i < len(text); {
		if n == 3 {
			return 0, 0, 0, false
		}
		start := i
		for i < len(text) && text[i] >= '0' && text[i] <= '9' {
			if i-start == 8 {
				return 0, 0, 0, false
			}
			parts[n] = parts[n]*10 + int(text[i]-'0')
			i++
		}
		widths[n] = i - start
		if widths[n] == 0 {
			return 0, 0, 0, false
		}
		n++
		if i < len(text) {
			if c := text[i]; c != '-' && c != '/' && c != '.' {
				return 0, 0, 0, false
			}
			i++
		}
	}
	switch {
	case n == 1 && widths[0] == 4:
		return parts[0], 0, 0, true
	case n == 1 && widths[0] == 8:
		return parts[0] / 10000, parts[0] / 100 % 100, parts[0] % 100, true
	case n == 2 && widths[1] == 4:
		return parts[1], parts[0], 0, true
	case n == 3 && widths[0] == 4:
		return parts[0], parts[1], parts[2], true
	case n == 3 && widths[2] == 4 && monthFirst:
		return parts[2], parts[0], parts[1], true
	case n == 3 && widths[2] == 4:
		return parts[2], parts[1], parts[0], true
	}
	return 0, 0, 0, false
}

// YearOnly tells dates of which only the year is to be believed: systems that
// must write a day write 1 January.
func (d Date) YearOnly() bool { return d.Month() == 0 || d.Month() == 1 && d.Day() == 1 }
