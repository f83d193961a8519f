package column

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/hopluu/hopluu/connectors/file/sheet"
)

// localOffset is the time zone of a time that names none: Viet Nam's, which
// has known no summer time since 1975.
const localOffset = "+07"

var (
	reasonNotDate  = reason("not a date: write 2024-01-31 or 31/01/2024", "không phải ngày: hãy ghi 31/01/2024 hoặc 2024-01-31")
	reasonNoDay    = reason("no such day in the calendar (the day stands before the month: 31/01/2024)", "ngày không có trong lịch (ngày đứng trước tháng: 31/01/2024)")
	reasonSerial   = reason("a number where a date belongs: give the cells a date format in Excel, or write 31/01/2024", "là số, trong khi cột này là ngày: hãy định dạng ô là ngày trong Excel, hoặc ghi 31/01/2024")
	reasonNotTime  = reason("not a time of day: write 13:30 or 13:30:00", "không phải giờ: hãy ghi 13:30 hoặc 13:30:00")
	reasonHasTime  = reason("a time of day in a column of dates", "có giờ, trong khi cột này chỉ là ngày")
	reasonZone     = reason("a time zone in a column of times without one", "có múi giờ, trong khi cột này không có múi giờ")
	reasonFraction = reason("finer than a microsecond", "nhỏ hơn một phần triệu giây")
)

// moment reads a date, a time, or both.
func moment(cell *sheet.Cell, class class) (string, *Reason) {
	switch cell.Kind {
	case sheet.Number:
		return "", reasonSerial
	case sheet.Bool:
		return "", reasonNotDate
	}
	if class == classTime || class == classTimetz {
		clock, zone, r := timeOfDay(cell.Text)
		if r != nil {
			return "", r
		}
		return withZone(clock, zone, class == classTimetz)
	}
	day, rest, r := calendarDay(cell.Text)
	if r != nil {
		return "", r
	}
	clock, zone := "00:00:00", ""
	if rest != "" {
		if clock, zone, r = timeOfDay(rest); r != nil {
			return "", r
		}
	}
	if class == classDate {
		if strings.Trim(clock, "0:.") != "" || zone != "" {
			return "", reasonHasTime
		}
		return day, nil
	}
	text, r := withZone(clock, zone, class == classTimestamptz)
	return day + " " + text, r
}

func withZone(clock, zone string, zoned bool) (string, *Reason) {
	switch {
	case !zoned && zone != "":
		return "", reasonZone
	case !zoned:
		return clock, nil
	case zone == "":
		return clock + localOffset, nil
	}
	return clock + zone, nil
}

var (
	yearFirst = regexp.MustCompile(`^([0-9]{4})([-/.])([0-9]{1,2})([-/.])([0-9]{1,2})(?:[ T]+(.+))?$`)
	dayFirst  = regexp.MustCompile(`^([0-9]{1,2})([-/.])([0-9]{1,2})([-/.])([0-9]{4})(?:[ T]+(.+))?$`)
)

// calendarDay reads the date at the start of a text and gives it as
// "2024-01-31", with what follows.
func calendarDay(text string) (day, rest string, r *Reason) {
	if len(text) == len(time.DateOnly) && text[4] == '-' {
		// As programs write it, and as it is printed.
		if _, err := time.Parse(time.DateOnly, text); err == nil && text[:4] != "0000" {
			return text, "", nil
		}
	}
	m := yearFirst.FindStringSubmatch(text)
	year, month, date := 1, 3, 5
	if m == nil {
		m = dayFirst.FindStringSubmatch(text)
		year, date = date, year
	}
	if m == nil || m[2] != m[4] {
		return "", "", reasonNotDate
	}
	number := func(group int) int {
		n, _ := strconv.Atoi(m[group]) // digits, as the pattern says
		return n
	}
	y, mo, d := number(year), number(month), number(date)
	t := time.Date(y, time.Month(mo), d, 0, 0, 0, 0, time.UTC)
	if y == 0 || t.Year() != y || int(t.Month()) != mo || t.Day() != d {
		return "", "", reasonNoDay
	}
	return fmt.Sprintf("%04d-%02d-%02d", y, mo, d), strings.TrimSpace(m[6]), nil
}

// clockForm: hours, minutes, seconds, fraction, half of the day (SA and CH are
// Vietnamese for AM and PM), zone.
var clockForm = regexp.MustCompile(`^([0-9]{1,2}):([0-9]{2})(?::([0-9]{2})(?:[.,]([0-9]+))?)?(?: ?([AaPp][Mm]|SA|CH|sa|ch))?(?: ?(Z|[+-][0-9]{2}(?::?[0-9]{2})?))?$`)

// timeOfDay reads a time of day and gives it as "13:30:00.5", and its zone as
// "+07" or "+07:00", "" for none.
func timeOfDay(text string) (clock, zone string, r *Reason) {
	m := clockForm.FindStringSubmatch(text)
	if m == nil {
		return "", "", reasonNotTime
	}
	number := func(s string) int {
		n, _ := strconv.Atoi(s) // digits or nothing, as the pattern says
		return n
	}
	h, mi, s := number(m[1]), number(m[2]), number(m[3])
	if half := strings.ToLower(m[5]); half != "" {
		if h < 1 || h > 12 {
			return "", "", reasonNotTime
		}
		if h %= 12; half == "pm" || half == "ch" {
			h += 12
		}
	}
	if h > 23 || mi > 59 || s > 59 {
		return "", "", reasonNotTime
	}
	clock = fmt.Sprintf("%02d:%02d:%02d", h, mi, s)
	if fraction := strings.TrimRight(m[4], "0"); fraction != "" {
		if len(fraction) > 6 {
			return "", "", reasonFraction
		}
		clock += "." + fraction
	}
	switch zone = m[6]; {
	case zone == "Z":
		zone = "+00"
	case len(zone) == len("+0700"):
		zone = zone[:3] + ":" + zone[3:]
	}
	if zone != "" && (number(zone[1:3]) > 15 || len(zone) > 3 && number(zone[4:]) > 59) {
		return "", "", reasonNotTime
	}
	return clock, zone, nil
}
