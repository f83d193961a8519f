package avro

import (
	"strings"
	"unicode/utf8"
)

// maxErrorText is how many bytes of a value a CellError keeps.
const maxErrorText = 64

// CellError says that a cell could not be encoded: its table has to stop or
// its event has to go to the dead letters, with this reason (P3).
type CellError struct {
	Table  string // "<source>.<schema>.<table>"
	Column string // empty when the row as a whole is at fault
	// Text is the beginning of the value, at most 64 bytes. It may be a
	// personal identifier: Error leaves it out, for errors end in logs (P11).
	Text string
	Err  error
}

func (e *CellError) Error() string {
	if e.Column == "" {
		return e.Table + ": " + e.Err.Error()
	}
	return e.Table + ", column " + e.Column + ": " + e.Err.Error()
}

func (e *CellError) Unwrap() error { return e.Err }

func shorten(text []byte) string {
	s := strings.ToValidUTF8(string(text[:min(len(text), maxErrorText+utf8.UTFMax)]), "\uFFFD")
	if len(s) <= maxErrorText {
		return s
	}
	cut := maxErrorText
	for cut > 0 && !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut]
}
