package pgoutput

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hopluu/hopluu/schemas/event"
)

// captured reads the frames that a real server sent.
func captured(t testing.TB, name string) [][]byte {
	raw, err := os.ReadFile(filepath.Join("testdata", name))
	require.NoError(t, err)
	var frames [][]byte
	for line := range strings.Lines(string(raw)) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		b, err := hex.DecodeString(strings.TrimSpace(line))
		require.NoError(t, err)
		frames = append(frames, b)
	}
	require.Greater(t, len(frames), 50)
	return frames
}

// build writes a frame by hand: a byte, a string with its zero byte, numbers
// of their own size, big-endian, and tuples.
func build(parts ...any) []byte {
	var b []byte
	for _, p := range parts {
		switch p := p.(type) {
		case byte:
			b = append(b, p)
		case rune:
			b = append(b, byte(p))
		case uint16:
			b = binary.BigEndian.AppendUint16(b, p)
		case uint32:
			b = binary.BigEndian.AppendUint32(b, p)
		case uint64:
			b = binary.BigEndian.AppendUint64(b, p)
		case string:
			b = append(append(b, p...), 0)
		case []byte:
			b = append(b, p...)
		default:
			panic(fmt.Sprintf("%T", p))
		}
	}
	return b
}

func tuple(cells ...any) []byte {
	b := binary.BigEndian.AppendUint16(nil, uint16(len(cells)))
	for _, c := range cells {
		switch c := c.(type) {
		case nil:
			b = append(b, 'n')
		case byte:
			b = append(b, c)
		case string:
			b = append(b, 't')
			b = binary.BigEndian.AppendUint32(b, uint32(len(c)))
			b = append(b, c...)
		}
	}
	return b
}

const unchanged = byte('u')

func row(cells ...any) event.Row {
	r := event.Row{}
	for _, c := range cells {
		switch c := c.(type) {
		case nil:
			r = append(r, event.Value{})
		case byte:
			r = append(r, event.Value{State: event.Unchanged})
		case string:
			r = append(r, event.Value{State: event.Present, Text: []byte(c)})
		}
	}
	return r
}

// dump writes a message on one line.
func dump(m Message) string {
	s := fmt.Sprintf("%#v", m)
	_, s, _ = strings.Cut(s, "pgoutput.")
	for _, r := range rowsOf(m) {
		var b bytes.Buffer
		for _, v := range r {
			switch v.State {
			case event.Null:
				b.WriteString("null ")
			case event.Unchanged:
				b.WriteString("unchanged ")
			default:
				text := string(v.Text)
				if len(text) > 20 {
					text = fmt.Sprintf("%s... of %d", text[:10], len(text))
				}
				fmt.Fprintf(&b, "%q ", text)
			}
		}
		s = strings.Replace(s, fmt.Sprintf("%#v", r), "["+strings.TrimSpace(b.String())+"]", 1)
	}
	return s
}

func rowsOf(m Message) []event.Row {
	switch m := m.(type) {
	case *Insert:
		return []event.Row{m.New}
	case *Update:
		return []event.Row{m.Old, m.New}
	case *Delete:
		return []event.Row{m.Old}
	}
	return nil
}
