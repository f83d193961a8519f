package postgres

import (
	"bytes"
	"testing"

	"github.com/hopluu/hopluu/schemas/event"
	"github.com/stretchr/testify/require"
)

// However COPY's bytes are cut into messages, the rows are the same; what is no
// row is an error, and what is left of a line is known.
func FuzzLines(f *testing.F) {
	f.Add([]byte("1\ta\n2\t\\N\n"), uint8(3))
	f.Add([]byte("1\ta\\nb\n2\tx"), uint8(1))
	f.Add([]byte("\n\n\t\n"), uint8(2))
	f.Fuzz(func(t *testing.T, data []byte, size uint8) {
		read := func(step int) (rows []string, rest []byte, err error) {
			w := &lineWriter{columns: 2, row: func(row event.Row) error {
				text := ""
				for _, v := range row {
					text += string('0'+rune(v.State)) + string(v.Text) + "\x00"
				}
				rows = append(rows, text)
				return nil
			}}
			for part := range chunks(data, step) {
				n, err := w.Write(part)
				if err != nil {
					require.ErrorIs(t, err, w.err)
					return rows, nil, err
				}
				require.Equal(t, len(part), n)
			}
			return rows, w.rest, nil
		}
		whole, wholeRest, wholeErr := read(len(data) + 1)
		cut, cutRest, cutErr := read(int(size) + 1)
		require.Equal(t, whole, cut)
		require.Equal(t, string(wholeRest), string(cutRest))
		require.Equal(t, wholeErr == nil, cutErr == nil)
		if wholeErr == nil {
			require.Len(t, whole, bytes.Count(data, []byte("\n")))
		}
	})
}

func chunks(data []byte, step int) func(func([]byte) bool) {
	return func(yield func([]byte) bool) {
		for len(data) > 0 {
			n := min(step, len(data))
			if !yield(bytes.Clone(data[:n])) {
				return
			}
			data = data[n:]
		}
	}
}
