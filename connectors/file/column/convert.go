package column

import (
	"encoding/json"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/hopluu/hopluu/connectors/file/sheet"
)

// maxExact is how many digits of a number Excel keeps.
const maxExact = 15

var exponent = regexp.MustCompile(`^[0-9]([.,][0-9]+)?[eE]\+[0-9]+$`)

var reasonShortened = reason("Excel has shortened the number and digits are lost: give the column the format Text and enter it again", "Excel đã rút gọn số và làm mất chữ số: hãy định dạng cột là Text rồi nhập lại")

// shortened refuses an identifier that is no longer the number that was
// entered.
func shortened(cell *sheet.Cell, text string) *Reason {
	if cell.Kind == sheet.Number && len(text) > maxExact || cell.Kind == sheet.Text && exponent.MatchString(text) {
		return reasonShortened
	}
	return nil
}

// convert gives the text of a cell that is not empty as PostgreSQL prints it.
func (t *columnType) convert(cell *sheet.Cell) (string, *Reason) {
	switch t.class {
	case classWhole:
		return number(cell, true, 0)
	case classDecimal:
		return number(cell, t.scale == 0, t.scale)
	case classFloat:
		return float(cell)
	case classBool:
		return boolean(cell)
	case classDate, classTimestamp, classTimestamptz, classTime, classTimetz:
		return moment(cell, t.class)
	case classUUID:
		return uuid(cell.Text)
	case classJSON:
		if !json.Valid([]byte(cell.Text)) {
			return "", reason("not JSON", "không phải JSON")
		}
		return cell.Text, nil
	case classArray:
		return t.array(cell)
	}
	return t.text(cell)
}

// text gives what a person sees in the cell.
func (t *columnType) text(cell *sheet.Cell) (string, *Reason) {
	text := cell.Text
	switch cell.Kind {
	case sheet.Number:
		if cell.Padded != "" {
			text = cell.Padded
		}
		if len(strings.TrimLeft(text, "-0")) > maxExact && !strings.Contains(text, ".") {
			return "", reasonShortened
		}
	case sheet.Bool:
		text = map[string]string{"t": "true", "f": "false"}[text]
	}
	if t.length > 0 {
		n := utf8.RuneCountInString(text)
		if n > t.length {
			return "", reason("longer than "+t.codec.PGType+" holds", "dài hơn kiểu "+t.codec.PGType+" cho phép")
		}
		if t.padded {
			text += strings.Repeat(" ", t.length-n)
		}
	}
	return text, nil
}

func boolean(cell *sheet.Cell) (string, *Reason) {
	switch fold(cell.Text) {
	case "t", "true", "yes", "y", "1", "co", "dung", "x":
		return "t", nil
	case "f", "false", "no", "n", "0", "khong", "sai":
		return "f", nil
	}
	return "", reason("neither true nor false: write true or false, có or không, 1 or 0", "không phải giá trị đúng/sai: hãy ghi true hoặc false, có hoặc không, 1 hoặc 0")
}

var uuidForm = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$`)

func uuid(text string) (string, *Reason) {
	text = strings.ToLower(strings.TrimSuffix(strings.TrimPrefix(text, "{"), "}"))
	if !uuidForm.MatchString(text) {
		return "", reason("not a UUID (8-4-4-4-12 hexadecimal digits)", "không phải UUID (8-4-4-4-12 chữ số thập lục phân)")
	}
	return text, nil
}

// array takes PostgreSQL's own text, {a,b}, or what people write: a; b or a, b,
// or one a line.
func (t *columnType) array(cell *sheet.Cell) (string, *Reason) {
	text := cell.Text
	if strings.HasPrefix(text, "{") && strings.HasSuffix(text, "}") {
		return text, nil
	}
	divider := ","
	for _, d := range []string{"\n", ";"} {
		if strings.Contains(text, d) {
			divider = d
		}
	}
	var b strings.Builder
	b.WriteByte('{')
	for part := range strings.SplitSeq(text, divider) {
		if part = trim(part); part == "" {
			continue
		}
		value, r := t.elem.convert(&sheet.Cell{Kind: cell.Kind, Text: part})
		if r != nil {
			return "", r
		}
		if b.Len() > 1 {
			b.WriteByte(',')
		}
		b.WriteByte('"')
		for _, c := range []byte(value) {
			if c == '"' || c == '\\' {
				b.WriteByte('\\')
			}
			b.WriteByte(c)
		}
		b.WriteByte('"')
	}
	b.WriteByte('}')
	return b.String(), nil
}
