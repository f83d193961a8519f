package copytext

import (
	"bytes"
	"fmt"

	"github.com/hopluu/hopluu/schemas/event"
)

// Parser splits COPY lines into rows. Its row and its scratch space are used
// again by the next line: whoever keeps a cell copies it.
type Parser struct {
	row     event.Row
	scratch []byte
}

// Row reads one line, without its newline, of the given number of columns. The
// cells alias line, or the parser's scratch where an escape had to be undone.
func (p *Parser) Row(line []byte, columns int) (event.Row, error) {
	p.row = p.row[:0]
	// Unescaped text is never longer than its source: one growth now keeps the
	// cells that already point into the scratch where they are.
	if cap(p.scratch) < len(line) {
		p.scratch = make([]byte, 0, 2*len(line))
	}
	p.scratch = p.scratch[:0]
	if columns == 0 {
		if len(line) != 0 {
			return nil, fmt.Errorf("COPY line of a table without columns is not empty")
		}
		return p.row, nil
	}
	for more := true; more; {
		var field []byte
		if i := bytes.IndexByte(line, '\t'); i >= 0 {
			field, line = line[:i], line[i+1:]
		} else {
			field, more = line, false
		}
		value, err := p.value(field)
		if err != nil {
			return nil, err
		}
		p.row = append(p.row, value)
	}
	if len(p.row) != columns {
		return nil, fmt.Errorf("COPY line has %d columns, the table has %d", len(p.row), columns)
	}
	return p.row, nil
}

func (p *Parser) value(field []byte) (event.Value, error) {
	if len(field) == 2 && field[0] == '\\' && field[1] == 'N' {
		return event.Value{State: event.Null}, nil
	}
	if bytes.IndexByte(field, '\\') < 0 {
		return event.Value{State: event.Present, Text: field}, nil
	}
	start := len(p.scratch)
	for i := 0; i < len(field); i++ {
		c := field[i]
		if c != '\\' {
			p.scratch = append(p.scratch, c)
			continue
		}
		i++
		if i == len(field) {
			return event.Value{}, fmt.Errorf("COPY cell ends in a lone backslash")
		}
		switch field[i] {
		case 'b':
			c = '\b'
		case 'f':
			c = '\f'
		case 'n':
			c = '\n'
		case 'r':
			c = '\r'
		case 't':
			c = '\t'
		case 'v':
			c = '\v'
		case '\\':
			c = '\\'
		default:
			// COPY TO writes no other escape: one here means that the stream is
			// not what we think it is (P3).
			return event.Value{}, fmt.Errorf("COPY cell has the unknown escape \\%c", field[i])
		}
		p.scratch = append(p.scratch, c)
	}
	return event.Value{State: event.Present, Text: p.scratch[start:len(p.scratch):len(p.scratch)]}, nil
}
