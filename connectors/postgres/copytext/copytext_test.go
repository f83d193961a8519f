package copytext

import (
	"bytes"
	"testing"

	"github.com/hopluu/hopluu/schemas/event"
	"github.com/stretchr/testify/require"
)

func TestRow(t *testing.T) {
	var p Parser
	row, err := p.Row([]byte("1\t\\N\t\ta\\tb\\\\N\\n\tĐà Nẵng"), 5)
	require.NoError(t, err)
	require.Equal(t, event.Null, row[1].State)
	require.Equal(t, event.Present, row[2].State)
	require.Empty(t, row[2].Text)
	require.Equal(t, "a\tb\\N\n", string(row[3].Text))
	require.Equal(t, "Đà Nẵng", string(row[4].Text))

	row, err = p.Row([]byte(`\\N`), 1)
	require.NoError(t, err)
	require.Equal(t, `\N`, string(row[0].Text))
}

// P3: a line that is not what the table has is an error, never a shorter row.
func TestRowRefuses(t *testing.T) {
	var p Parser
	for line, columns := range map[string]int{"1\t2": 3, "1\t2\t3": 2, "x": 0, `a\`: 1, `a\q`: 1} {
		_, err := p.Row([]byte(line), columns)
		require.Error(t, err, line)
	}
}

// What escape writes, Row reads back; and no input makes it panic.
func FuzzRow(f *testing.F) {
	f.Add([]byte("a\tb"))
	f.Add([]byte("\\N\t\\\\\t\\x"))
	f.Add([]byte{0xff, '\\', '\n'})
	escaper := map[byte]string{'\b': `\b`, '\f': `\f`, '\n': `\n`, '\r': `\r`, '\t': `\t`, '\v': `\v`, '\\': `\\`}
	f.Fuzz(func(t *testing.T, data []byte) {
		var p Parser
		if row, err := p.Row(data, bytes.Count(data, []byte("\t"))+1); err == nil {
			require.NotEmpty(t, row)
		}
		var line []byte
		for _, c := range data {
			if e, ok := escaper[c]; ok {
				line = append(line, e...)
			} else {
				line = append(line, c)
			}
		}
		row, err := p.Row(line, 1)
		require.NoError(t, err)
		require.Equal(t, string(data), string(row[0].Text))
	})
}
