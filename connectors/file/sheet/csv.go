package sheet

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"strings"

	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/unicode/norm"
)

// decoded gives the file's text as UTF-8 without a byte order mark. Bytes that
// are no UTF-8 stay as they are: the cell that holds them is refused later.
func (f Format) decoded(file File) io.Reader {
	raw := io.NewSectionReader(file, int64(f.Skip), file.Size()-int64(f.Skip))
	switch f.Encoding {
	case UTF16LE:
		return unicode.UTF16(unicode.LittleEndian, unicode.IgnoreBOM).NewDecoder().Reader(raw)
	case UTF16BE:
		return unicode.UTF16(unicode.BigEndian, unicode.IgnoreBOM).NewDecoder().Reader(raw)
	case Windows1258:
		// Tones are letters of their own there; composed they are what
		// everybody else writes.
		return norm.NFC.Reader(charmap.Windows1258.NewDecoder().Reader(raw))
	}
	return raw
}

// csvReader divides text into rows. It takes what RFC 4180 allows and what
// people and programs write besides: quotes within a field that does not begin
// with one, spaces around quoted fields, any line ends.
type csvReader struct {
	in        *bufio.Reader
	delimiter byte
	end       byte // of a line: '\n', or '\r' where no '\n' is
	max       int

	number uint32 // of the last line that was read from in
	again  []line // lines to be read again, before those of in

	// The row that is being read.
	text  []byte // its cells, one after another
	ends  []int  // where each cell ends in text
	lines []line
	row   Row
}

// line is a line without its end.
type line struct {
	text []byte
	long bool // longer than max: text is its beginning
}

func newCSV(in io.Reader, f Format, max int) *csvReader {
	c := &csvReader{in: bufio.NewReaderSize(in, 64<<10), delimiter: f.Delimiter, end: '\n', max: max}
	if f.Return {
		c.end = '\r'
	}
	return c
}

// Close has nothing to close.
func (c *csvReader) Close() error { return nil }

// separatorHint is Excel's first line that names the delimiter; it is no row.
const separatorHint = "sep="

var (
	faultLong  = Fault{"the row is longer than max_row_bytes", "dòng dài hơn mức cho phép (max_row_bytes)"}
	faultQuote = Fault{"a quotation mark is opened and never closed", "dấu nháy kép mở mà không đóng"}
	faultAfter = Fault{"text follows a closing quotation mark: write a quotation mark within a cell twice", "có chữ sau dấu nháy kép đóng: dấu nháy trong ô phải viết hai lần"}
	faultCells = Fault{"more than 16384 cells", "quá 16384 ô"}
)

// Next gives the next row that is not blank.
func (c *csvReader) Next() (*Row, error) {
	for {
		first, err := c.readLine()
		if err != nil {
			return nil, err
		}
		c.row = Row{Line: c.number - uint32(len(c.again)), Cells: c.row.Cells[:0]}
		if c.row.Line == 1 && isHint(first.text) {
			continue
		}
		if first.long {
			return c.fault(&faultLong, first), nil
		}
		if fault, err := c.record(first); err != nil {
			return nil, err
		} else if fault != nil {
			return c.fault(fault, first), nil
		}
		text, from := string(c.text), 0
		for _, end := range c.ends {
			c.row.Cells = append(c.row.Cells, Cell{Text: text[from:end]})
			from = end
		}
		if !blank(c.row.Cells) {
			return &c.row, nil
		}
	}
}

func isHint(line []byte) bool {
	return len(line) == len(separatorHint)+1 && strings.EqualFold(string(line[:len(separatorHint)]), separatorHint)
}

// faultBytes is how much of a line that cannot be divided is kept.
const faultBytes = 32 << 10

// fault gives the first line of a row that cannot be read; what follows it is
// read again, on its own, so that one quotation mark does not swallow the file.
func (c *csvReader) fault(f *Fault, first line) *Row {
	c.row.Fault = f
	c.row.Cells = append(c.row.Cells[:0], Cell{Text: string(first.text[:min(len(first.text), faultBytes)])})
	return &c.row
}

// record divides a row that begins with first into cells, reading on while a
// quotation mark is open. On a fault the lines after the first are given back.
func (c *csvReader) record(first line) (*Fault, error) {
	c.text, c.ends, c.lines = c.text[:0], c.ends[:0], c.lines[:0]
	p := fieldParser{csvReader: c}
	fault := p.line(first.text)
	for size := len(first.text); p.quoted && fault == nil; {
		next, err := c.readLine()
		if errors.Is(err, io.EOF) {
			fault = &faultQuote
			break
		}
		if err != nil {
			return nil, err
		}
		c.lines = append(c.lines, next)
		if size += len(next.text) + 1; next.long || size > c.max {
			fault = &faultQuote
			break
		}
		c.text = append(c.text, '\n')
		fault = p.line(next.text)
	}
	if fault == nil && len(c.ends) > maxCells {
		fault = &faultCells
	}
	if fault != nil {
		again := make([]line, 0, len(c.lines)+len(c.again))
		c.again = append(append(again, c.lines...), c.again...)
	}
	return fault, nil
}

// readLine gives the next line.
func (c *csvReader) readLine() (line, error) {
	if len(c.again) > 0 {
		next := c.again[0]
		c.again = c.again[1:]
		return next, nil
	}
	var l line
	for {
		part, err := c.in.ReadSlice(c.end)
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
		case errors.Is(err, io.EOF):
			if len(part) == 0 && l.text == nil {
				return l, io.EOF
			}
		case err != nil:
			return l, err
		}
		room := max(0, c.max+2-len(l.text)) // with the end of the line
		l.long = l.long || len(part) > room
		l.text = append(l.text, part[:min(len(part), room)]...)
		if errors.Is(err, bufio.ErrBufferFull) {
			continue
		}
		c.number++
		l.text = bytes.TrimSuffix(l.text, []byte{c.end})
		l.text = bytes.TrimSuffix(l.text, []byte{'\r'})
		l.long = l.long || len(l.text) > c.max
		return l, nil
	}
}

// fieldParser is the place within a row between two lines.
type fieldParser struct {
	*csvReader
	quoted bool // a quotation mark is open
}

// line takes one line in.
func (p *fieldParser) line(b []byte) *Fault {
	i := 0
	if !p.quoted {
		i = p.open(b, 0)
	}
	for {
		if p.quoted {
			n := bytes.IndexByte(b[i:], '"')
			if n < 0 {
				p.text = append(p.text, b[i:]...)
				return nil
			}
			p.text = append(p.text, b[i:i+n]...)
			i += n + 1
			if i < len(b) && b[i] == '"' {
				p.text = append(p.text, '"')
				i++
				continue
			}
			p.quoted = false
			for i < len(b) && b[i] == ' ' {
				i++
			}
			if i < len(b) && b[i] != p.delimiter {
				return &faultAfter
			}
		} else {
			n := bytes.IndexByte(b[i:], p.delimiter)
			if n < 0 {
				n = len(b) - i
			}
			p.text = append(p.text, b[i:i+n]...)
			i += n
		}
		p.ends = append(p.ends, len(p.text))
		if i == len(b) {
			return nil
		}
		i = p.open(b, i+1)
	}
}

// open begins a field at i and gives where its text begins.
func (p *fieldParser) open(b []byte, i int) int {
	j := i
	for j < len(b) && b[j] == ' ' {
		j++
	}
	if j < len(b) && b[j] == '"' {
		p.quoted = true
		return j + 1
	}
	return i
}
