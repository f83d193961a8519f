package sheet

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/xuri/excelize/v2"
)

// Whatever a file holds, it is read to its end or refused with a reason: no
// panic, no error that blames nobody, lines that grow, the same rows each time
// (the connector reads a file twice and relies on it).
func FuzzRead(f *testing.F) {
	files, err := filepath.Glob("testdata/*.csv")
	require.NoError(f, err)
	for _, name := range files {
		content, err := os.ReadFile(name)
		require.NoError(f, err)
		f.Add(content)
	}
	for _, text := range []string{"", "a", "\"", "a;\"b\n", "sep=;\na;b\r\n", "\xff\xfea\x00", "\xfe\xff\x00a", "a\rb\r", "PK\x03\x04", "\xd4\xb5;\xb8", "a,\"b\"\"c\",\n,,\n"} {
		f.Add([]byte(text))
	}
	book := excelize.NewFile()
	for cell, value := range map[string]any{"A1": "code", "B1": "amount", "A2": "001", "B2": 1.5, "A4": true} {
		require.NoError(f, book.SetCellValue("Sheet1", cell, value))
	}
	var out bytes.Buffer
	require.NoError(f, book.Write(&out))
	require.NoError(f, book.Close())
	f.Add(out.Bytes())
	f.Fuzz(func(t *testing.T, content []byte) {
		l := limits()
		l.RowBytes = 1 << 12
		format, rows, err := read(content, l)
		var unreadable *UnreadableError
		if err != nil {
			require.True(t, errors.As(err, &unreadable), "%v", err)
			require.NotEmpty(t, unreadable.En)
			require.NotEmpty(t, unreadable.Vi)
		}
		line := uint32(0)
		for _, r := range rows {
			require.Greater(t, r.Line, line)
			line = r.Line
			require.True(t, r.Fault != nil || !blank(r.Cells), "a blank row was given")
		}
		again, same, errAgain := read(content, l)
		require.Equal(t, format, again)
		require.Equal(t, rows, same)
		require.Equal(t, err, errAgain)
	})
}
