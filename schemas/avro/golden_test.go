package avro

import (
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The bytes of every shape of event, and the schemas, as files. P6: the same
// event has the same bytes, today and in the next release.
func TestGolden(t *testing.T) {
	e := mustCompile(t, visits())
	golden(t, "visit-value.avsc", []byte(e.ValueSchema()))
	golden(t, "visit-key.avsc", []byte(e.KeySchema()))
	for name, ev := range events() {
		msg, err := e.AppendValue(nil, 0x01020304, ev)
		require.NoError(t, err)
		golden(t, "visit-"+name+".hex", []byte(hexLines(msg)))
	}
	msg, err := e.AppendKey(nil, 0x01020304, fullRow())
	require.NoError(t, err)
	golden(t, "visit-key.hex", []byte(hexLines(msg)))
}

// hexLines writes 32 bytes a line.
func hexLines(b []byte) string {
	var s strings.Builder
	for len(b) > 0 {
		n := min(32, len(b))
		fmt.Fprintln(&s, hex.EncodeToString(b[:n]))
		b = b[n:]
	}
	return s.String()
}

// The same table gives the same schema each time, and a new encoder the same
// bytes (P6).
func TestSchemasAreDeterministic(t *testing.T) {
	first := mustCompile(t, visits())
	want, err := first.AppendValue(nil, 1, update1())
	require.NoError(t, err)
	for range 20 {
		e := mustCompile(t, visits())
		require.Equal(t, first.ValueSchema(), e.ValueSchema())
		require.Equal(t, first.KeySchema(), e.KeySchema())
		got, err := e.AppendValue(nil, 1, update1())
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
}
