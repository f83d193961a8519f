package column

import (
	"errors"
	"strings"
	"unicode/utf8"

	"github.com/hopluu/hopluu/connectors/file/sheet"
	"github.com/hopluu/hopluu/connectors/postgres/pgvalue"
	"github.com/hopluu/hopluu/schemas/avro"
	"github.com/hopluu/hopluu/schemas/event"
	"github.com/hopluu/hopluu/schemas/token"
)

// Reason says why a cell is refused, in the languages of those who mend it. It
// never holds the cell's text: reasons end in logs (P11).
type Reason struct{ En, Vi string }

func (r *Reason) Error() string { return r.En }

func reason(en, vi string) *Reason { return &Reason{en, vi} }

// Refusal is why a row is refused: one cell, or the row when Column is empty.
type Refusal struct {
	Column string
	Reason
}

// Record is a row that was read.
type Record struct {
	// Row has a value for each of the table's columns; a column without a
	// heading is NULL.
	Row event.Row
	// Content is the row in a form that is the same for the same values,
	// however they were written: what a change is told by. It holds personal
	// data as it is.
	Content []byte
	// Keyed tells whether the key could be read, also of a refused row.
	Keyed bool

	texts, scratch []byte
}

// Read makes a row of the file into a row of the table. The Record is reused;
// what it gives is valid until the next call. With refusals only Keyed, and the
// key's values in Row if it is true, are of use.
func (t *Table) Read(h *Header, in *sheet.Row, out *Record) []Refusal {
	out.texts, out.Content = out.texts[:0], out.Content[:0]
	if len(out.Row) != len(t.Columns) {
		out.Row = make(event.Row, len(t.Columns))
	}
	clear(out.Row)
	out.Keyed = false
	if in.Fault != nil {
		return []Refusal{{Reason: Reason(*in.Fault)}}
	}
	var refusals []Refusal
	for i := range in.Cells {
		if i < len(h.Titles) && (h.Titles[i] != "" || h.Of[i] >= 0) || trim(in.Cells[i].Text) == "" {
			continue
		}
		refusals = append(refusals, Refusal{Column: letters(i), Reason: Reason{
			"a value in a column without a heading: too many cells in the row, or a heading is missing",
			"có giá trị ở cột không có tiêu đề: dòng thừa ô, hoặc thiếu tiêu đề",
		}})
		break
	}
	for cell, i := range h.Of {
		if i < 0 || cell >= len(in.Cells) {
			continue
		}
		if r := t.Columns[i].read(&in.Cells[cell], out, &out.Row[i]); r != nil {
			refusals = append(refusals, Refusal{t.Columns[i].Name, *r})
		}
	}
	out.Keyed = true
	for _, i := range t.Key {
		if out.Row[i].State == event.Present {
			continue
		}
		if out.Keyed = false; !refused(refusals, t.Columns[i].Name) {
			refusals = append(refusals, Refusal{t.Columns[i].Name, Reason{"the key is empty: this column must have a value", "khóa bị trống: cột này phải có giá trị"}})
		}
	}
	if len(refusals) == 0 {
		t.content(out)
	}
	return refusals
}

func refused(all []Refusal, column string) bool {
	for _, r := range all {
		if r.Column == column {
			return true
		}
	}
	return false
}

// read makes one cell into a value.
func (c *Column) read(cell *sheet.Cell, out *Record, value *event.Value) *Reason {
	text, r := c.convert(cell)
	if r != nil || text == "" {
		return r
	}
	if c.IsKey && c.Identifier != "" && len(token.AppendCanonical(nil, c.Identifier, []byte(text))) == 0 {
		// Dashes for "none" have no token of their own: all of them would be
		// one row.
		return nil
	}
	start := len(out.texts)
	out.texts = append(out.texts, text...)
	own := out.texts[start:len(out.texts):len(out.texts)]
	var err error
	if out.scratch, err = c.typ.codec.Append(out.scratch[:0], own); err != nil {
		return c.notOfType(err)
	}
	*value = event.Value{State: event.Present, Text: own}
	return nil
}

// notOfType is the reason of a value that the type cannot hold.
func (c *Column) notOfType(err error) *Reason {
	r := reason("not a value of type "+c.typ.codec.PGType, "giá trị không hợp với kiểu "+c.typ.codec.PGType)
	var text *pgvalue.TextError
	if c.typ.class != classText && errors.As(err, &text) { // of texts the codec says what a session must set
		r.En += ": " + text.Reason
	}
	return r
}

// content writes the values that are not NULL with their columns' names, each
// as its type carries it, so that 1.5 and 1,50 are one content, and so that a
// column that is added empty changes no row.
func (t *Table) content(out *Record) {
	for i := range out.Row {
		if out.Row[i].State != event.Present {
			continue
		}
		// read has tried that it can be carried.
		out.scratch, _ = t.Columns[i].typ.codec.Append(out.scratch[:0], out.Row[i].Text)
		out.Content = avro.AppendBytes(out.Content, t.Columns[i].Name)
		out.Content = avro.AppendBytes(out.Content, out.scratch)
	}
}

var (
	reasonBroken = reason("Excel has no value here but an error or an uncomputed formula: open the file in Excel, mend the cell and save it", "ô không có giá trị mà là lỗi hoặc công thức chưa được tính: hãy mở bằng Excel, sửa ô và lưu lại")
	reasonUTF8   = reason("letters that are not in the file's encoding: save the file as CSV UTF-8", "có ký tự sai bảng mã: hãy lưu tệp thành CSV UTF-8")
	reasonNUL    = reason("a NUL character", "có ký tự NUL")
)

// convert gives a cell's text as PostgreSQL would print its value; "" is NULL.
func (c *Column) convert(cell *sheet.Cell) (string, *Reason) {
	if cell.Text == "" {
		return "", nil
	}
	if cell.Kind == sheet.Broken || cell.Kind == sheet.Text && isExcelError(cell.Text) {
		return "", reasonBroken
	}
	text := trim(cell.Text)
	switch {
	case !utf8.ValidString(text) || strings.ContainsRune(text, utf8.RuneError):
		return "", reasonUTF8
	case strings.IndexByte(text, 0) >= 0:
		return "", reasonNUL
	case text == "":
		return "", nil
	}
	if c.Identifier != "" {
		if r := shortened(cell, text); r != nil {
			return "", r
		}
	}
	plain := *cell
	plain.Text = text
	return c.typ.convert(&plain)
}

// isExcelError tells the error values that Excel writes into CSV, too.
func isExcelError(s string) bool {
	switch s {
	case "#N/A", "#REF!", "#DIV/0!", "#VALUE!", "#NAME?", "#NUM!", "#NULL!", "#SPILL!", "#CALC!":
		return true
	}
	return false
}
