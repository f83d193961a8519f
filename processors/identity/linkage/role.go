package linkage

import (
	"strings"

	"github.com/hopluu/hopluu/processors/identity"
)

// kind is how the values of a column are kept and compared.
type kind uint8

const (
	textKind kind = iota
	dateKind
	numberKind
)

// role is what a column means, and so how its values are made equal.
type role struct {
	kind kind
	// name reads a personal name: placeholders of newborns are none.
	name bool
}

var roles = map[string]role{
	"full_name":  {kind: textKind, name: true},
	"given_name": {kind: textKind, name: true},
	"surname":    {kind: textKind, name: true},
	"address":    {kind: textKind},
	"street":     {kind: textKind},
	"place":      {kind: textKind},
	"ward":       {kind: textKind},
	"postcode":   {kind: textKind},
	"category":   {kind: textKind},
	"text":       {kind: textKind},
	"identifier": {kind: textKind}, // letters and digits
	"date":       {kind: dateKind},
	"number":     {kind: numberKind}, // an identifier of digits
	"phone":      {kind: numberKind},
}

// maxDigits is how long a number may be.
const maxDigits = 15

// canonicalText gives the canonical form of a text and the same without
// diacritics; both are empty when it says nothing.
func canonicalText(r role, text string) (canonical, toneless string) {
	canonical, toneless, placeholder := identity.Fold(text)
	if placeholder && r.name {
		return "", ""
	}
	return canonical, toneless
}

// parseNumber reads an identifier of digits. What is no digit is passed over;
// fillers (one digit repeated, digits in a row) are none. restored tells that
// leading zeros were put back.
func parseNumber(c *ColumnSpec, text string) (value uint64, restored bool) {
	var d [2 * maxDigits]byte
	n := 0
	for i := 0; i < len(text); i++ {
		if text[i] >= '0' && text[i] <= '9' {
			if n == len(d) {
				return 0, false
			}
			d[n] = text[i] - '0'
			n++
		}
	}
	digits := d[:n]
	switch {
	case n < 4 || filler(digits):
		return 0, false
	case c.Last > 0 && n > c.Last:
		digits = digits[n-c.Last:]
	case n > maxDigits:
		return 0, false
	}
	if c.Digits > 0 {
		if len(digits) > c.Digits || len(digits) < c.Digits-2 {
			return 0, false
		}
		restored = len(digits) < c.Digits
	}
	for _, x := range digits {
		value = value*10 + uint64(x)
	}
	return value, restored
}

// filler tells what people write when they have no number.
func filler(d []byte) bool {
	same, up, down := true, true, true
	for i := 1; i < len(d); i++ {
		same = same && d[i] == d[0]
		up = up && d[i] == (d[i-1]+1)%10
		down = down && d[i] == (d[i-1]+9)%10
	}
	return same || up || down
}

// parseDate reads a date in the order of the column.
func parseDate(c *ColumnSpec, text string) identity.Date {
	if c.Order == "mdy" {
		if month, rest, ok := strings.Cut(text, "/"); ok {
			if day, year, ok := strings.Cut(rest, "/"); ok {
				text = day + "/" + month + "/" + year
			}
		}
	}
	return identity.ParseDate([]byte(text))
}
