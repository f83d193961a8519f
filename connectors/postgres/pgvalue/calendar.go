package pgvalue

// The calendar is PostgreSQL's: the Gregorian one, also before 1582
// (https://www.postgresql.org/docs/current/datetime-units-history.html), with
// years counted as astronomers do here: 1 BC is 0, 2 BC is -1.

// civil is a date.
type civil struct {
	year       int64
	month, day int
}

const (
	secondsPerDay  = 24 * 60 * 60
	microsPerDay   = secondsPerDay * 1_000_000
	bcSuffix       = " BC"
	infinity       = "infinity"
	minusInfinity  = "-infinity"
	maxYearDigits  = 7 // the last year of a date is 5874897
	maxFracDigits  = 6
	lastDayOfMonth = "\x1f\x1d\x1f\x1e\x1f\x1e\x1f\x1f\x1e\x1f\x1e\x1f"
)

// cutBC takes " BC" off the end of a date or timestamp.
func cutBC(text []byte) ([]byte, bool) {
	if n := len(text) - len(bcSuffix); n >= 0 && string(text[n:]) == bcSuffix {
		return text[:n], true
	}
	return text, false
}

// parseDate reads "YYYY-MM-DD" at the start of text, with four digits of the
// year or more, and gives the rest.
func parseDate(text []byte, bc bool) (d civil, rest []byte, ok bool) {
	i := 0
	for ; i < len(text) && i <= maxYearDigits && isDigit(text[i]); i++ {
		d.year = d.year*10 + int64(text[i]-'0')
	}
	if i < 4 || i > maxYearDigits || len(text) < i+6 || text[i] != '-' || text[i+3] != '-' {
		return d, nil, false
	}
	var okMonth, okDay bool
	d.month, okMonth = twoDigits(text[i+1:])
	d.day, okDay = twoDigits(text[i+4:])
	if !okMonth || !okDay || d.year == 0 || d.month < 1 || d.month > 12 || d.day < 1 || d.day > int(lastDayOfMonth[d.month-1]) {
		return d, nil, false
	}
	if bc {
		d.year = 1 - d.year
	}
	if d.month == 2 && d.day == 29 && !leap(d.year) {
		return d, nil, false
	}
	return d, text[i+6:], true
}

func leap(year int64) bool { return year%4 == 0 && (year%100 != 0 || year%400 == 0) }

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// twoDigits reads the two digits at the start of text.
func twoDigits(text []byte) (int, bool) {
	if len(text) < 2 || !isDigit(text[0]) || !isDigit(text[1]) {
		return 0, false
	}
	return int(text[0]-'0')*10 + int(text[1]-'0'), true
}

// parseClock reads "HH:MM:SS" and up to six digits of a fraction at the start
// of text, and gives the microseconds of the day and the rest. 24:00:00 is a
// time of its own in PostgreSQL.
func parseClock(text []byte) (micros int64, rest []byte, ok bool) {
	if len(text) < 8 || text[2] != ':' || text[5] != ':' {
		return 0, nil, false
	}
	h, okH := twoDigits(text)
	m, okM := twoDigits(text[3:])
	s, okS := twoDigits(text[6:])
	if !okH || !okM || !okS || m > 59 || s > 59 {
		return 0, nil, false
	}
	micros = int64(h*3600+m*60+s) * 1_000_000
	rest = text[8:]
	if len(rest) > 0 && rest[0] == '.' {
		i, unit := 1, int64(100_000)
		for ; i < len(rest) && isDigit(rest[i]); i++ {
			if i > maxFracDigits {
				return 0, nil, false
			}
			micros += int64(rest[i]-'0') * unit
			unit /= 10
		}
		if i == 1 {
			return 0, nil, false
		}
		rest = rest[i:]
	}
	return micros, rest, micros <= microsPerDay
}

// parseOffset reads "+HH", "+HH:MM" or "+HH:MM:SS", all of text, in seconds
// east of Greenwich.
func parseOffset(text []byte) (seconds int64, ok bool) {
	if len(text) < 3 || text[0] != '+' && text[0] != '-' {
		return 0, false
	}
	unit := int64(3600)
	for i := 1; i < len(text); i += 3 {
		n, ok := twoDigits(text[i:])
		if !ok || unit == 0 || unit < 3600 && n > 59 || i > 1 && text[i-1] != ':' {
			return 0, false
		}
		seconds += int64(n) * unit
		unit /= 60
	}
	if (len(text)-3)%3 != 0 {
		return 0, false
	}
	if text[0] == '-' {
		seconds = -seconds
	}
	return seconds, true
}

// days counts from 1970-01-01. It works on eras of 400 years that begin in
// March, so that the leap day is the last of its year.
func (d civil) days() int64 {
	y, m := d.year, int64(d.month)
	if m <= 2 {
		y--
		m += 12
	}
	era := floorDiv(y, 400)
	ofEra := y - era*400
	ofYear := (153*(m-3)+2)/5 + int64(d.day) - 1
	return era*146097 + ofEra*365 + ofEra/4 - ofEra/100 + ofYear - 719468
}

// civilOf is the date of a day counted from 1970-01-01.
func civilOf(days int64) civil {
	days += 719468
	era := floorDiv(days, 146097)
	ofEra := days - era*146097
	year := (ofEra - ofEra/1460 + ofEra/36524 - ofEra/146096) / 365
	ofYear := ofEra - (365*year + year/4 - year/100)
	m := (5*ofYear + 2) / 153
	d := civil{year: year + era*400, month: int(m) + 3, day: int(ofYear-(153*m+2)/5) + 1}
	if d.month > 12 {
		d.month -= 12
		d.year++
	}
	return d
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}
