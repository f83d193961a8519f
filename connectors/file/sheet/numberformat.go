package sheet

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// numberFormat is what we need to know of how a cell shows its number.
type numberFormat struct {
	moment bool // as a date, a time, or both
	day    bool // with a date in it
	zeros  int  // as so many digits and nothing else
}

// builtinFormat gives a format that a workbook does not spell out (ECMA-376
// part 1, 18.8.30; 27 to 36 and 50 to 58 are dates of East Asia).
func builtinFormat(id int) numberFormat {
	switch {
	case id >= 14 && id <= 17, id == 22, id >= 27 && id <= 31, id == 36, id >= 50 && id <= 58:
		return numberFormat{moment: true, day: true}
	case id >= 18 && id <= 21, id >= 32 && id <= 35, id >= 45 && id <= 47:
		return numberFormat{moment: true}
	}
	return numberFormat{}
}

// parseNumberFormat reads a format's code, its part for positive numbers.
func parseNumberFormat(code string) numberFormat {
	var plain strings.Builder
	for i := 0; i < len(code); i++ {
		switch c := code[i]; c {
		case '"': // letters to show
			for i++; i < len(code) && code[i] != '"'; i++ {
			}
		case '\\', '_', '*': // one letter to show, to leave room for, to fill with
			i++
		case '[': // a colour, a condition, a language; [h], [m], [s] count on past a day
			end := strings.IndexByte(code[i:], ']')
			if end < 0 {
				end = len(code) - i - 1
			}
			if inner := strings.ToLower(code[i+1 : i+end]); inner != "" && strings.Trim(inner, inner[:1]) == "" && strings.ContainsAny(inner, "hms") {
				plain.WriteString(inner)
			}
			i += end
		case ';':
			i = len(code)
		default:
			plain.WriteByte(c)
		}
	}
	p := strings.ToLower(plain.String())
	if p == "general" || p == "" {
		return numberFormat{}
	}
	if strings.Trim(p, "0") == "" {
		return numberFormat{zeros: len(p)}
	}
	f := numberFormat{moment: strings.ContainsAny(p, "dmyhs"), day: strings.ContainsAny(p, "dy")}
	if f.moment && !strings.ContainsAny(p, "dyhs") {
		f.day = true // "mm": months
	}
	return f
}

// maxExact is how many digits of a number Excel keeps.
const maxExact = 15

// numberCell makes a cell of a number as the file writes it.
func numberCell(text string, format numberFormat, date1904 bool) Cell {
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsInf(f, 0) || math.IsNaN(f) || strings.ContainsAny(text, "xXpP_") {
		return Cell{Kind: Broken, Text: text}
	}
	if format.moment {
		if shown, ok := moment(f, format.day, date1904); ok {
			return Cell{Kind: Moment, Text: shown}
		}
		return Cell{Kind: Broken, Text: text}
	}
	c := Cell{Kind: Number, Text: strconv.FormatFloat(f, 'f', -1, 64)}
	if c.Text == "-0" {
		c.Text = "0"
	}
	if format.zeros > 0 && f >= 0 && f == math.Trunc(f) && len(c.Text) <= maxExact {
		c.Padded = fmt.Sprintf("%0*s", format.zeros, c.Text)
	}
	return c
}

// moment writes a serial number as what it shows: days since the workbook's
// first day, and their fraction. The day that Excel puts before 1 March 1900
// and no calendar has is refused, as is what lies before the first day.
func moment(serial float64, day, date1904 bool) (string, bool) {
	const millisPerDay = 24 * 60 * 60 * 1000
	const lastSerial = 2958466 // 9999-12-31 and its hours
	if serial < 0 || serial >= lastSerial {
		return "", false
	}
	days := int(serial)
	// Excel's own precision of a time is a millisecond.
	millis := int64(math.Round((serial - float64(days)) * millisPerDay))
	if millis == millisPerDay {
		days, millis = days+1, 0
	}
	clock := time.UnixMilli(millis).UTC().Format("15:04:05.999")
	if !day && days == 0 {
		return clock, true
	}
	var first time.Time
	switch {
	case date1904:
		first = time.Date(1904, 1, 1, 0, 0, 0, 0, time.UTC)
	case days == 0 || days == 60:
		return "", false
	case days < 60:
		first = time.Date(1899, 12, 31, 0, 0, 0, 0, time.UTC)
	default:
		first = time.Date(1899, 12, 30, 0, 0, 0, 0, time.UTC)
	}
	date := first.AddDate(0, 0, days)
	if date.Year() > 9999 {
		return "", false
	}
	text := date.Format(time.DateOnly)
	if millis != 0 {
		text += " " + clock
	}
	return text, true
}
