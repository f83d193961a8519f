package sheet

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// tokenSlack is what one piece of XML may take besides a row's own bytes: the
// decoder reads ahead.
const tokenSlack = 64 << 10

// worksheet reads the rows of a sheet as its XML streams by.
type worksheet struct {
	*workbook
	name    string
	part    io.ReadCloser
	in      *bounded
	decoder *xml.Decoder
	last    uint32 // the row that was read last
	row     Row
	done    bool
}

var faultRow = Fault{"the row is larger than max_row_bytes", "dòng lớn hơn mức cho phép (max_row_bytes)"}

func (w *workbook) openSheet(name string) (*worksheet, error) {
	part, err := w.part(name)
	if err != nil {
		return nil, err
	}
	s := &worksheet{workbook: w, name: name, part: part, in: &bounded{in: part}}
	s.decoder = xml.NewDecoder(s.in)
	return s, nil
}

// Close ends the reading.
func (s *worksheet) Close() error { return errors.Join(s.part.Close(), s.texts.close()) }

// token gives the next piece of XML within bounds: a piece of XML cannot take
// more memory than a row may have (P8).
func (s *worksheet) token() (xml.Token, error) {
	s.in.left = int64(s.limits.RowBytes) + tokenSlack
	token, err := s.decoder.Token()
	if err == nil && s.decoder.InputOffset() > maxSheetBytes {
		err = errTooLarge
	}
	return token, err
}

// fail says that the sheet is damaged, unless the temporary file is at fault.
func (s *worksheet) fail(err error) error {
	var spill *spillError
	var unreadable *UnreadableError
	if errors.As(err, &spill) || errors.As(err, &unreadable) {
		return err
	}
	return s.blame(damaged(s.name, unexpected(err)))
}

// Next gives the next row that is not blank. The sheet has to be whole up to
// its last tag: rows that are cut off must not look like rows that are gone.
func (s *worksheet) Next() (*Row, error) {
	for !s.done {
		token, err := s.token()
		if err == io.EOF && s.last == 0 {
			// The decoder gives the end only of a whole document.
			s.done = true
			break
		}
		if err != nil {
			return nil, s.fail(err)
		}
		switch t := token.(type) {
		case xml.StartElement:
			if t.Name.Local != "row" {
				continue
			}
			if err := s.readRow(t); err != nil {
				return nil, s.fail(err)
			}
			if s.row.Fault != nil || !blank(s.row.Cells) {
				return &s.row, nil
			}
		case xml.EndElement:
			if t.Name.Local == "sheetData" {
				if err := s.finish(); err != nil {
					return nil, err
				}
			}
		}
	}
	return nil, io.EOF
}

// finish reads what follows the rows, and with it the check sum of the part.
func (s *worksheet) finish() error {
	for {
		switch _, err := s.token(); {
		case err == io.EOF:
			s.done = true
			return nil
		case err != nil:
			return s.fail(err)
		}
	}
}

func attribute(e xml.StartElement, name string) string {
	for _, a := range e.Attr {
		if a.Name.Local == name && a.Name.Space == "" {
			return a.Value
		}
	}
	return ""
}

// readRow reads up to the row's end tag.
func (s *worksheet) readRow(start xml.StartElement) error {
	line := uint64(s.last) + 1
	if r := attribute(start, "r"); r != "" {
		var err error
		if line, err = strconv.ParseUint(r, 10, 32); err != nil || line <= uint64(s.last) {
			return fmt.Errorf("row %d is followed by row %q", s.last, r)
		}
	}
	s.last = uint32(line)
	s.row = Row{Line: s.last, Cells: s.row.Cells[:0]}
	size := 0
	for {
		token, err := s.token()
		if err != nil {
			return unexpected(err)
		}
		switch t := token.(type) {
		case xml.StartElement:
			if t.Name.Local != "c" {
				if err := s.decoder.Skip(); err != nil {
					return unexpected(err)
				}
				continue
			}
			column := len(s.row.Cells)
			if r := attribute(t, "r"); r != "" {
				if column = columnOf(r); column < len(s.row.Cells) {
					return fmt.Errorf("row %d: cell %q is out of place", s.last, r)
				}
			}
			if column >= maxCells {
				return fmt.Errorf("row %d has more than %d cells", s.last, maxCells)
			}
			cell, err := s.readCell(t)
			if err != nil {
				return err
			}
			if size += len(cell.Text); size > s.limits.RowBytes {
				s.row.Fault = &faultRow
				cell.Text = ""
			}
			if cell.Text == "" {
				continue
			}
			for len(s.row.Cells) < column {
				s.row.Cells = append(s.row.Cells, Cell{})
			}
			s.row.Cells = append(s.row.Cells, cell)
		case xml.EndElement:
			return nil
		}
	}
}

// columnOf gives the column of "AB12", from 0, or -1.
func columnOf(reference string) int {
	n, i := 0, 0
	for ; i < len(reference) && i < 4; i++ {
		c := reference[i] &^ 0x20
		if c < 'A' || c > 'Z' {
			break
		}
		n = n*26 + int(c-'A') + 1
	}
	if i == 0 || i == len(reference) || reference[i] < '1' || reference[i] > '9' {
		return -1
	}
	return n - 1
}

// readCell reads up to the cell's end tag.
func (s *worksheet) readCell(start xml.StartElement) (Cell, error) {
	var value strings.Builder
	var inline string
	hasValue, hasFormula, hasInline := false, false, false
	for open := true; open; {
		token, err := s.token()
		if err != nil {
			return Cell{}, unexpected(err)
		}
		switch t := token.(type) {
		case xml.StartElement:
			switch t.Name.Local {
			case "v":
				hasValue = true
				for inside := true; inside; {
					token, err := s.token()
					if err != nil {
						return Cell{}, unexpected(err)
					}
					switch t := token.(type) {
					case xml.CharData:
						value.Write(t)
					case xml.StartElement:
						return Cell{}, fmt.Errorf("row %d: a value with <%s> in it", s.last, t.Name.Local)
					case xml.EndElement:
						inside = false
					}
				}
			case "is":
				hasInline = true
				s.in.left = int64(s.limits.RowBytes) + tokenSlack
				if inline, err = readText(s.decoder); err != nil {
					return Cell{}, err
				}
			default:
				hasFormula = hasFormula || t.Name.Local == "f"
				if err := s.decoder.Skip(); err != nil {
					return Cell{}, unexpected(err)
				}
			}
		case xml.EndElement:
			open = false
		}
	}
	kind, v := attribute(start, "t"), value.String()
	switch {
	case hasInline:
		return Cell{Text: inline}, nil
	case !hasValue && hasFormula:
		// A program wrote the formula and nobody has computed it yet: the
		// cell is not empty, its value is unknown.
		return Cell{Kind: Broken, Text: "="}, nil
	case v == "":
		return Cell{}, nil
	}
	switch kind {
	case "s":
		text, err := s.texts.get(v)
		return Cell{Text: text}, err
	case "str":
		return Cell{Text: unescape(v)}, nil
	case "b":
		switch strings.TrimSpace(v) {
		case "1", "true":
			return Cell{Kind: Bool, Text: "t"}, nil
		case "0", "false":
			return Cell{Kind: Bool, Text: "f"}, nil
		}
		return Cell{Kind: Broken, Text: v}, nil
	case "d": // ISO 8601, which the strict form writes
		return Cell{Text: strings.TrimSpace(v)}, nil
	case "", "n":
		return numberCell(strings.TrimSpace(v), s.style(attribute(start, "s")), s.date1904), nil
	}
	return Cell{Kind: Broken, Text: v}, nil // "e", and what no version of Excel writes
}
