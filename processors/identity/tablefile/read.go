package tablefile

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/hopluu/hopluu/processors/identity/linkage"
)

// batchRows is how many rows go from the reading to the normalising at once.
const batchRows = 4096

// batch are rows that were read, or the error that ended the reading.
type batch struct {
	rows  [][]string
	lines []int
	err   error
}

// Read adds the rows of a CSV file to a table. The first line is the header;
// commas, semicolons and tabs separate, as the header has them. Rows are read
// ahead while earlier ones are normalised. told hears how many rows there are
// so far.
func Read(t *linkage.Table, name string, from io.Reader, told func(rows int64)) error {
	r, header, err := open(name, from)
	if err != nil {
		return err
	}
	file, err := t.File(name, header)
	if err != nil {
		return err
	}
	stop := make(chan struct{})
	defer close(stop)
	batches := make(chan batch, 2)
	go readAhead(r, batches, stop)
	var rows int64
	for b := range batches {
		for i, row := range b.rows {
			if err := file.Add(row); err != nil {
				return fmt.Errorf("line %d of %w", b.lines[i], err)
			}
		}
		if b.err != nil {
			return broken(name, b.err)
		}
		rows += int64(len(b.rows))
		if told != nil {
			told(rows)
		}
	}
	if rows == 0 {
		return fmt.Errorf("%s has a header and no row", name)
	}
	return nil
}

func readAhead(r *csv.Reader, batches chan<- batch, stop <-chan struct{}) {
	defer close(batches)
	for ended := false; !ended; {
		var b batch
		for len(b.rows) < batchRows {
			row, err := next(r)
			if errors.Is(err, io.EOF) {
				ended = true
				break
			}
			if err != nil {
				b.err, ended = err, true
				break
			}
			line, _ := r.FieldPos(0)
			b.rows, b.lines = append(b.rows, row), append(b.lines, line)
		}
		select {
		case batches <- b:
		case <-stop:
			return
		}
	}
}

// open reads the header of a CSV file, without a byte-order mark.
func open(name string, from io.Reader) (*csv.Reader, []string, error) {
	b := bufio.NewReaderSize(from, 1<<20)
	start, err := b.Peek(1 << 16)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, nil, fmt.Errorf("%s: %w", name, err)
	}
	if bytes.HasPrefix(start, []byte("\ufeff")) {
		start = start[len("\ufeff"):]
		if _, err := b.Discard(len("\ufeff")); err != nil {
			return nil, nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	if bytes.HasPrefix(start, []byte{0xff, 0xfe}) || bytes.HasPrefix(start, []byte{0xfe, 0xff}) || bytes.IndexByte(start, 0) >= 0 {
		return nil, nil, fmt.Errorf("%s is UTF-16 or no text: save it as CSV UTF-8", name)
	}
	if len(bytes.TrimSpace(start)) == 0 {
		return nil, nil, fmt.Errorf("%s is empty: its first line must name the columns", name)
	}
	r := csv.NewReader(b)
	line, _, _ := bytes.Cut(start, []byte("\n"))
	if !bytes.ContainsRune(line, ',') {
		for _, c := range ";\t" {
			if bytes.ContainsRune(line, c) {
				r.Comma = c
			}
		}
	}
	header, err := r.Read()
	if err != nil {
		return nil, nil, broken(name, err)
	}
	for i := range header {
		header[i] = strings.TrimSpace(header[i])
	}
	return r, header, nil
}

// fieldsError says how many fields a row has.
type fieldsError struct {
	err       error
	has, want int
}

func (e *fieldsError) Error() string { return e.err.Error() }
func (e *fieldsError) Unwrap() error { return e.err }

// next reads a row, and counts the fields of one that has not those of the header.
func next(r *csv.Reader) ([]string, error) {
	row, err := r.Read()
	if errors.Is(err, csv.ErrFieldCount) {
		return nil, &fieldsError{err, len(row), r.FieldsPerRecord}
	}
	return row, err
}

// broken names the line of a file that is no CSV.
func broken(name string, err error) error {
	var parse *csv.ParseError
	var fields *fieldsError
	switch {
	case !errors.As(err, &parse):
		return fmt.Errorf("%s: %w", name, err)
	case errors.As(err, &fields):
		return fmt.Errorf("line %d of %s has another number of fields than the header: %d, not %d", parse.Line, name, fields.has, fields.want)
	}
	if parse.StartLine != parse.Line {
		return fmt.Errorf("line %d of %s, in the row that begins on line %d: %w", parse.Line, name, parse.StartLine, parse.Err)
	}
	return fmt.Errorf("line %d of %s, column %d: %w", parse.Line, name, parse.Column, parse.Err)
}
