package sheet

import (
	"encoding/xml"
	"errors"
	"io"
	"strconv"
	"strings"
)

// memoryTexts is how many bytes of a workbook's texts are kept in memory; what
// exceeds it goes to a temporary file (P8).
const memoryTexts = 8 << 20

// texts are the shared strings of a workbook. Each takes 8 bytes of memory
// besides its place; a workbook of the most cells that a sheet can show has
// some millions.
type texts struct {
	ends   []int64 // where each ends, in memory first and then in the spill
	memory []byte
	inFile int64
	spill  Spill
	open   func() (Spill, error)
	buf    []byte // of the spill, not written yet
}

// maxTexts bounds the places: more than a worksheet has cells that differ in
// practice.
const maxTexts = 16 << 20

var errTooMany = errors.New("it has too many texts")

func (t *texts) add(text string) error {
	if len(t.ends) >= maxTexts {
		return errTooMany
	}
	if t.inFile == 0 && len(t.memory)+len(text) <= memoryTexts {
		t.memory = append(t.memory, text...)
		t.ends = append(t.ends, int64(len(t.memory)))
		return nil
	}
	if t.spill == nil {
		var err error
		if t.spill, err = t.open(); err != nil {
			return &spillError{err}
		}
	}
	t.buf = append(t.buf, text...)
	t.inFile += int64(len(text))
	t.ends = append(t.ends, int64(len(t.memory))+t.inFile)
	if len(t.buf) >= 256<<10 {
		return t.flush()
	}
	return nil
}

func (t *texts) flush() error {
	if len(t.buf) == 0 {
		return nil
	}
	if _, err := t.spill.Write(t.buf); err != nil {
		return &spillError{err}
	}
	t.buf = t.buf[:0]
	return nil
}

// spillError is a failure of the temporary file: the workbook is not to blame,
// and reading it may work later.
type spillError struct{ err error }

func (e *spillError) Error() string { return "temporary file for a workbook: " + e.err.Error() }
func (e *spillError) Unwrap() error { return e.err }

// get gives a text by the number that a cell holds.
func (t *texts) get(number string) (string, error) {
	n, err := strconv.Atoi(strings.TrimSpace(number))
	if err != nil || t == nil || n < 0 || n >= len(t.ends) {
		return "", damaged("shared strings", errors.New("a cell names a text that is not there"))
	}
	var from int64
	if n > 0 {
		from = t.ends[n-1]
	}
	to, inMemory := t.ends[n], int64(len(t.memory))
	if to <= inMemory {
		return string(t.memory[from:to]), nil
	}
	b := make([]byte, to-from)
	if _, err := t.spill.ReadAt(b, from-inMemory); err != nil {
		return "", &spillError{err}
	}
	return string(b), nil
}

func (t *texts) close() error {
	if t == nil || t.spill == nil {
		return nil
	}
	return t.spill.Close()
}

// readTexts reads the shared strings.
func (w *workbook) readTexts(name string) error {
	part, err := w.part(name)
	if err != nil {
		return err
	}
	w.texts = &texts{open: w.limits.Spill}
	in := &bounded{in: part}
	decoder := xml.NewDecoder(in)
	total := int64(maxTextsBytes)
	for err == nil {
		in.left = int64(w.limits.RowBytes) + tokenSlack
		before := decoder.InputOffset()
		var token xml.Token
		if token, err = decoder.Token(); err != nil {
			break
		}
		if start, ok := token.(xml.StartElement); ok && start.Name.Local == "si" {
			var text string
			if text, err = readText(decoder); err == nil {
				err = w.texts.add(text)
			}
		}
		if total -= decoder.InputOffset() - before; total < 0 && err == nil {
			err = errTooLarge
		}
	}
	if errors.Is(err, io.EOF) {
		err = w.texts.flush()
	}
	err = errors.Join(err, part.Close())
	var spill *spillError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &spill):
		return spill
	}
	return damaged(name, err)
}

// readText reads a text up to its end tag: <t>, or several within <r>, without
// how they are read aloud (<rPh>).
func readText(decoder *xml.Decoder) (string, error) {
	var b strings.Builder
	inText := false
	for depth := 1; depth > 0; {
		token, err := decoder.Token()
		if err != nil {
			return "", unexpected(err)
		}
		switch t := token.(type) {
		case xml.StartElement:
			if t.Name.Local == "rPh" {
				if err := decoder.Skip(); err != nil {
					return "", unexpected(err)
				}
				continue
			}
			depth++
			inText = t.Name.Local == "t"
		case xml.EndElement:
			depth--
			inText = false
		case xml.CharData:
			if inText {
				b.Write(t)
			}
		}
	}
	return unescape(b.String()), nil
}

// unexpected makes an end within an element an error of its own: io.EOF would
// look like the end of the rows.
func unexpected(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// unescape reads the letters that XML cannot hold and SpreadsheetML writes as
// "_x000D_" (ECMA-376 part 1, 22.9.2.19).
func unescape(s string) string {
	if !strings.Contains(s, "_x") {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); {
		if strings.HasPrefix(s[i:], "_x") && len(s) >= i+7 && s[i+6] == '_' {
			if r, err := strconv.ParseUint(s[i+2:i+6], 16, 16); err == nil {
				b.WriteRune(rune(r))
				i += 7
				continue
			}
		}
		b.WriteByte(s[i])
		i++
	}
	return b.String()
}
