package sheet

import (
	"bytes"
	"encoding/csv"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The golden files show what becomes of files as they are met.
func TestGoldenCSV(t *testing.T) {
	files, err := filepath.Glob("testdata/*.csv")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, name := range files {
		t.Run(filepath.Base(name), func(t *testing.T) {
			content, err := os.ReadFile(name)
			require.NoError(t, err)
			f, rows, err := read(content, Limits{RowBytes: 200})
			require.NoError(t, err)
			golden(t, filepath.Base(name), f, rows)
		})
	}
}

// What encoding/csv writes is read back, whatever stands in it.
func TestCSVReadsWhatOthersWrite(t *testing.T) {
	letters := []string{"a", "ễ", "\"", ",", ";", "\n", " ", "0", "", "\t"}
	random := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		var want [][]string
		for range 1 + random.IntN(5) {
			row := []string{"x"} // no row is blank
			for range 3 {
				var b strings.Builder
				for range random.IntN(6) {
					b.WriteString(letters[random.IntN(len(letters))])
				}
				row = append(row, b.String())
			}
			want = append(want, row)
		}
		var out bytes.Buffer
		w := csv.NewWriter(&out)
		w.UseCRLF = random.IntN(2) == 0
		require.NoError(t, w.WriteAll(want))
		in := newCSV(&out, Format{Delimiter: ','}, 1<<20)
		var got [][]string
		for range want {
			row, err := in.Next()
			require.NoError(t, err)
			require.Nil(t, row.Fault)
			got = append(got, texts1([]Row{*row})...)
		}
		require.Equal(t, want, got)
	}
}

// P3, P8: one quotation mark that is never closed costs its own row, not the
// file, and not the memory of the file.
func TestUnclosedQuote(t *testing.T) {
	content := "id,name\n1,\"never closed\n" + strings.Repeat("2,fine\n", 1000)
	_, rows, err := read([]byte(content), Limits{RowBytes: 100})
	require.NoError(t, err)
	require.Len(t, rows, 1002)
	require.Equal(t, &faultQuote, rows[1].Fault)
	require.EqualValues(t, 2, rows[1].Line)
	require.Equal(t, "1,\"never closed", rows[1].Cells[0].Text)
	for i, r := range rows[2:] {
		require.Nil(t, r.Fault)
		require.EqualValues(t, i+3, r.Line)
	}
}

// P8: of a line without an end only the beginning is kept.
func TestLineWithoutEnd(t *testing.T) {
	content := "id,name\n" + strings.Repeat("x", 1<<20) + "\n1,fine\n"
	_, rows, err := read([]byte(content), Limits{RowBytes: 1000})
	require.NoError(t, err)
	require.Len(t, rows, 3)
	require.Equal(t, &faultLong, rows[1].Fault)
	require.LessOrEqual(t, len(rows[1].Cells[0].Text), 1002)
	require.EqualValues(t, 3, rows[2].Line)
	require.Nil(t, rows[2].Fault)
}

// No input makes the reader panic, hang, go back, or keep more than a row may
// have; and every line is in some row unless it is blank.
func FuzzCSV(f *testing.F) {
	for _, seed := range []string{
		"a,b\n1,2\n", "\"a\"\"b\",c\n", "a;b\r\n\"x\ny\";2\r\n", "\"open\n1,2\n", "\"a\"b,c\n", "sep=;\na;b\n",
		"\xff\xfea\x00,\x00b\x00\n\x00", "a\rb\r", " \"x\" ,y\n", ",,,\n", "\"\n\"\n\"", "a\tb\n", people,
	} {
		f.Add([]byte(seed))
	}
	f.Add(windows1258(f, people))
	f.Fuzz(func(t *testing.T, content []byte) {
		const max = 64
		_, rows, err := read(content, Limits{RowBytes: max, Spill: func() (Spill, error) { return &memory{}, nil }})
		if err != nil {
			return
		}
		last := uint32(0)
		for _, r := range rows {
			require.Greater(t, r.Line, last)
			last = r.Line
			size := 0
			for _, c := range r.Cells {
				size += len(c.Text)
			}
			require.LessOrEqual(t, size, 2*max)
		}
	})
}
