package sheet

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"testing"
	"unicode/utf16"

	"github.com/stretchr/testify/require"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/unicode/norm"
)

var update = flag.Bool("update", false, "write the golden files")

// memory is a Spill that forgets nothing.
type memory struct {
	bytes.Buffer
	closed bool
}

func (m *memory) ReadAt(p []byte, at int64) (int, error) {
	return bytes.NewReader(m.Bytes()).ReadAt(p, at)
}

func (m *memory) Close() error { m.closed = true; return nil }

func limits() Limits {
	return Limits{RowBytes: 1 << 20, Spill: func() (Spill, error) { return &memory{}, nil }}
}

// read gives all rows of a file, and how it ended.
func read(content []byte, l Limits) (f Format, rows []Row, err error) {
	file := bytes.NewReader(content)
	if f, err = Inspect(file); err != nil {
		return f, nil, err
	}
	in, err := f.Open(file, l)
	if err != nil {
		return f, nil, err
	}
	for {
		row, err := in.Next()
		if errors.Is(err, io.EOF) {
			return f, rows, in.Close()
		}
		if err != nil {
			return f, rows, errors.Join(err, in.Close())
		}
		kept := *row
		kept.Cells = append([]Cell(nil), row.Cells...)
		rows = append(rows, kept)
	}
}

func texts1(rows []Row) [][]string {
	var all [][]string
	for _, r := range rows {
		var cells []string
		for _, c := range r.Cells {
			cells = append(cells, c.Text)
		}
		all = append(all, cells)
	}
	return all
}

// windows1258 writes a text as that code page does: what it has no letter for
// is a letter and a tone.
func windows1258(t testing.TB, text string) []byte {
	var out []byte
	put := func(r rune) bool {
		b, ok := charmap.Windows1258.EncodeRune(r)
		if ok {
			out = append(out, b)
		}
		return ok
	}
	for _, r := range norm.NFC.String(text) {
		if put(r) {
			continue
		}
		var letter []rune
		tone := rune(0)
		for _, part := range norm.NFD.String(string(r)) {
			if isTone(part) {
				tone = part
			} else {
				letter = append(letter, part)
			}
		}
		for _, part := range norm.NFC.String(string(letter)) {
			require.True(t, put(part), "%q", part)
		}
		require.True(t, put(tone), "%q", r)
	}
	return out
}

func utf16Bytes(text string, little, mark bool) []byte {
	units := utf16.Encode([]rune(text))
	if mark {
		units = append([]uint16{0xfeff}, units...)
	}
	var out []byte
	for _, u := range units {
		if little {
			out = append(out, byte(u), byte(u>>8))
		} else {
			out = append(out, byte(u>>8), byte(u))
		}
	}
	return out
}

// golden compares what was read with a file, one JSON line a row.
func golden(t *testing.T, name string, f Format, rows []Row) {
	t.Helper()
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	require.NoError(t, encoder.Encode(f.String()))
	for _, r := range rows {
		require.NoError(t, encoder.Encode(r))
	}
	path := filepath.Join("testdata", name+".golden")
	if *update {
		require.NoError(t, os.WriteFile(path, out.Bytes(), 0o644))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, string(want), out.String())
}
