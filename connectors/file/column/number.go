package column

import (
	"regexp"
	"strings"

	"github.com/hopluu/hopluu/connectors/file/sheet"
)

var (
	reasonNumber    = reason("not a number", "không phải số")
	reasonWhole     = reason("not a whole number", "không phải số nguyên")
	reasonAmbiguous = reason("the number has two meanings (1.500 may be 1500 or 1.5): write it without thousands separators, the decimals after a point", "số có thể hiểu hai cách (1.500 có thể là 1500 hoặc 1,5): hãy ghi không có dấu phân cách hàng nghìn, phần thập phân sau dấu chấm")
	reasonDate      = reason("a date where a number belongs", "là ngày, trong khi cột này là số")
)

// number reads a number as PostgreSQL prints it, or as people in Viet Nam and
// elsewhere write it: 1.234.567,8 and 1,234,567.8 and 1 234 567. whole: the
// column has no decimals. scale is how many it has, -1 when it does not say.
func number(cell *sheet.Cell, whole bool, scale int) (string, *Reason) {
	switch cell.Kind {
	case sheet.Moment:
		return "", reasonDate
	case sheet.Bool:
		return "", reasonNumber
	}
	text, sign := cell.Text, ""
	for _, minus := range []string{"-", "−"} {
		if rest, ok := strings.CutPrefix(text, minus); ok {
			text, sign = rest, "-"
		}
	}
	text = strings.TrimPrefix(text, "+")
	if cell.Kind == sheet.Text && exponent.MatchString(text) {
		return "", reasonShortened
	}
	text, ok := withoutSpaces(text)
	if !ok {
		return "", reasonNumber
	}
	digits, fraction, r := decimal(text, whole, scale, cell.Kind == sheet.Number)
	if r != nil {
		return "", r
	}
	if whole {
		if strings.Trim(fraction, "0") != "" {
			return "", reasonWhole
		}
		fraction = ""
	}
	if digits = strings.TrimLeft(digits, "0"); digits == "" {
		digits = "0"
	}
	if fraction != "" {
		digits += "." + fraction
	}
	if strings.Trim(digits, "0.") == "" {
		sign = ""
	}
	return sign + digits, nil
}

// withoutSpaces takes out spaces that divide thousands.
func withoutSpaces(text string) (string, bool) {
	parts := strings.FieldsFunc(text, func(r rune) bool { return r == ' ' || r == '\u00a0' || r == '\u202f' || r == '\'' })
	if len(parts) == 0 {
		return "", false
	}
	for i, part := range parts {
		n := strings.IndexAny(part+".", ".,")
		if len(parts) > 1 && (i == 0 && n > 3 || i > 0 && n != 3 || i < len(parts)-1 && n != len(part)) {
			return "", false
		}
	}
	return strings.Join(parts, ""), true
}

// decimal divides a number without sign and spaces into its whole digits and
// its decimals, thousands separators taken out. plain: only a point can stand
// in it.
func decimal(text string, whole bool, scale int, plain bool) (digits, fraction string, r *Reason) {
	if strings.Trim(text, "0123456789.,") != "" || strings.Trim(text, ".,") == "" {
		return "", "", reasonNumber
	}
	points, commas := strings.Count(text, "."), strings.Count(text, ",")
	last := strings.LastIndexAny(text, ".,")
	switch {
	case last < 0:
		return text, "", nil
	case points > 0 && commas > 0:
		// The one that comes last, and once, is before the decimals.
		if strings.Count(text, text[last:last+1]) > 1 || !grouped(text[:last], otherOf(text[last])) {
			return "", "", reasonNumber
		}
		return strip(text[:last]), text[last+1:], nil
	case points+commas > 1:
		if !grouped(text, text[last]) {
			return "", "", reasonNumber
		}
		return strip(text), "", nil
	}
	digits, fraction = text[:last], text[last+1:]
	if plain {
		return digits, fraction, nil
	}
	switch thousands := len(fraction) == 3 && len(digits) <= 3 && strings.TrimLeft(digits, "0") != ""; {
	case !thousands:
		return digits, fraction, nil
	case whole:
		return digits + fraction, "", nil
	case text[last] == '.' && (scale == 3 || scale < 0):
		return digits, fraction, nil // as programs write it
	}
	return "", "", reasonAmbiguous
}

func otherOf(separator byte) byte {
	if separator == '.' {
		return ','
	}
	return '.'
}

// grouped tells whether the separator divides the digits by threes.
func grouped(text string, separator byte) bool {
	parts := strings.Split(text, string(separator))
	for i, p := range parts {
		if i == 0 && (len(p) == 0 || len(p) > 3) || i > 0 && len(p) != 3 {
			return false
		}
	}
	return true
}

func strip(s string) string { return strings.NewReplacer(".", "", ",", "").Replace(s) }

var scientific = regexp.MustCompile(`^[+-]?[0-9]+([.,][0-9]+)?[eE][+-]?[0-9]+$`)

// float reads a number for a column that has no exact one anyway.
func float(cell *sheet.Cell) (string, *Reason) {
	if cell.Kind == sheet.Text && scientific.MatchString(cell.Text) {
		return strings.ToLower(strings.TrimPrefix(strings.ReplaceAll(cell.Text, ",", "."), "+")), nil
	}
	return number(cell, false, -1)
}
