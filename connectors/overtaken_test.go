package connectors

import (
	"encoding/binary"
	"testing"

	"github.com/hopluu/hopluu/schemas/event"
	"github.com/stretchr/testify/require"
)

// P5: a row of a snapshot at 50 comes too late when the stream had a later
// change of its key, or of the whole table.
func TestOvertaken(t *testing.T) {
	o := newOvertaken([]string{"a", "b"})
	o.note("a", event.Update, []byte("k"), 50)
	require.False(t, o.has("a", []byte("k"), 50), "the snapshot sees it")
	o.note("a", event.Delete, []byte("k"), 51)
	require.True(t, o.has("a", []byte("k"), 50))
	require.False(t, o.has("a", []byte("k"), 51))
	require.False(t, o.has("b", []byte("k"), 50))
	o.note("b", event.Create, nil, 60)
	require.False(t, o.has("b", nil, 50), "rows without a key do not replace one another")
	o.note("b", event.Truncate, nil, 61)
	require.True(t, o.has("b", nil, 50))
	o.note("c", event.Update, []byte("k"), 70)
	require.False(t, o.watches("c"))
	require.NoError(t, o.holds(50))
	o.finish("a")
	o.finish("a")
	require.Zero(t, o.bytes)
	require.False(t, o.has("a", []byte("k"), 50))
	require.False(t, (*overtaken)(nil).watches("a"))
}

// P8: what is remembered is bounded. What was forgotten is known, and ends the
// reading of an older snapshot.
func TestOvertakenIsBounded(t *testing.T) {
	o := newOvertaken([]string{"a", "b"})
	key := make([]byte, 1000)
	lsn := event.LSN(100)
	for ; o.forgotten == 0; lsn++ {
		binary.BigEndian.PutUint64(key, uint64(lsn))
		o.note("a", event.Update, key, lsn)
		require.LessOrEqual(t, o.bytes, overtakenBytes)
		require.Less(t, int(lsn), 100+overtakenBytes/1000+1)
	}
	require.Empty(t, o.tables["a"].keys)
	require.ErrorIs(t, o.holds(99), errForgotten)
	require.NoError(t, o.holds(lsn), "a snapshot that was taken later")
}
