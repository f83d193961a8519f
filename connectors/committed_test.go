package connectors

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/hopluu/hopluu/connectors/postgres"
	"github.com/hopluu/hopluu/connectors/postgres/spool"
	"github.com/hopluu/hopluu/schemas/event"
	"github.com/stretchr/testify/require"
)

func numbers(kind byte, all ...uint32) []byte {
	b := []byte{kind}
	for _, n := range all {
		b = binary.BigEndian.AppendUint32(b, n)
	}
	return b
}

// segment is a part of transaction 42, with the messages of subtransaction xid.
func segment(first bool, xid uint32, messages ...[]byte) [][]byte {
	head := append(numbers('S', 42), 0)
	if first {
		head[5] = 1
	}
	all := [][]byte{head}
	for _, m := range messages {
		all = append(all, append(numbers(m[0], xid), m[1:]...))
	}
	return append(all, []byte{'E'})
}

// streamCommit commits transaction 42 as commit(lsn) does.
func streamCommit(lsn event.LSN) []byte { return append(numbers('c', 42), commit(lsn)[1:]...) }

// P6: a transaction has the same events, byte for byte, whether it comes whole
// or in segments between which others commit; what ROLLBACK TO SAVEPOINT took
// back takes no place in it (case 3).
func TestSegmentsGiveTheSameEvents(t *testing.T) {
	a, b, c := insert(patientOID, "1", "a"), insert(patientOID, "2", "b"), insert(patientOID, "3", "c")
	lost := insert(patientOID, "9", "lost")
	other := func() [][]byte { return [][]byte{begin(150), insert(patientOID, "7", "other"), commit(150)} }

	f, whole := newTestFollower(t)
	require.NoError(t, f.frames(t.Context(), frames(other()...)))
	require.NoError(t, f.frames(t.Context(), frames(begin(200), a, b, c, commit(200))))

	f, w := newTestFollower(t)
	require.NoError(t, f.frames(t.Context(), frames(segment(true, 42, a)...)))
	require.NoError(t, f.frames(t.Context(), frames(segment(false, 43, lost, lost)...)))
	require.Empty(t, w.done, "nothing follows from a transaction in progress")
	require.NoError(t, f.frames(t.Context(), frames(other()...)))
	require.Equal(t, []string{"commit", "confirm 0/9B"}, w.done, "others are not held back")
	require.NoError(t, f.frames(t.Context(), frames(numbers('A', 42, 43))))
	require.NoError(t, f.frames(t.Context(), frames(segment(false, 44, b, c)...)))
	require.Len(t, w.in(patientTopic), 1)
	require.NoError(t, f.frames(t.Context(), frames(streamCommit(200))))
	require.Equal(t, whole.in(patientTopic), w.in(patientTopic))
	require.Equal(t, whole.saved(t), w.saved(t))
	require.Equal(t, event.LSN(205), w.saved(t).Confirmed)
	require.Zero(t, f.spool.Usage())
}

// A transaction that was in Kafka in part before a restart is completed, though
// it comes in another form then.
func TestSegmentsAfterARestart(t *testing.T) {
	const rows = transactionRows + 10
	var all [][]byte
	for n := range rows {
		all = append(all, insert(patientOID, fmt.Sprint(n), "a"))
	}
	f, w := newTestFollower(t)
	require.NoError(t, f.frames(t.Context(), frames(begin(200))))
	require.NoError(t, f.frames(t.Context(), frames(all...)))
	cut := w.saved(t)
	require.Equal(t, uint32(transactionRows), cut.Ordinal)

	again, v := newTestFollower(t)
	again.checkpoint.LSN, again.checkpoint.Ordinal = cut.LSN, cut.Ordinal
	require.NoError(t, again.frames(t.Context(), frames(segment(true, 42, all[:rows/2]...)...)))
	require.NoError(t, again.frames(t.Context(), frames(segment(false, 42, all[rows/2:]...)...)))
	require.NoError(t, again.frames(t.Context(), frames(streamCommit(200))))
	require.Equal(t, rows, len(w.in(patientTopic))+len(v.in(patientTopic)))
	require.Equal(t, event.LSN(205), v.saved(t).Confirmed)
}

// P1: a prepared transaction is kept in this process only, so nothing from its
// PREPARE on is confirmed until it is committed and Kafka has it.
func TestPreparedHoldsBackWhatIsConfirmed(t *testing.T) {
	prepare := func(kind byte, lsn uint64) []byte {
		b := binary.BigEndian.AppendUint64([]byte{kind, 0}, lsn)
		b = binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(b, lsn+5), 0)
		return append(binary.BigEndian.AppendUint32(b, 42), "gid\x00"...)
	}
	beginPrepare := append([]byte{'b'}, prepare('P', 300)[2:]...)
	f, w := newTestFollower(t)
	require.NoError(t, f.frames(t.Context(), frames(beginPrepare, insert(patientOID, "1", "a"), prepare('P', 300))))
	require.NoError(t, f.frames(t.Context(), frames(begin(400), insert(patientOID, "2", "b"), commit(400))))
	require.NoError(t, f.frames(t.Context(), []postgres.Frame{{WALEnd: 5000}}))
	require.NoError(t, f.rest(t.Context()))
	require.Equal(t, event.LSN(300), w.saved(t).Confirmed)
	before := len(w.done)
	require.NoError(t, f.rest(t.Context()))
	require.Len(t, w.done, before, "nothing new, nothing written")
	require.Len(t, w.in(patientTopic), 1)

	require.NoError(t, f.frames(t.Context(), frames(prepare('K', 6000))))
	require.Len(t, w.in(patientTopic), 2)
	require.Equal(t, event.LSN(6005), w.saved(t).Confirmed)
	require.Equal(t, event.LSN(6000), w.saved(t).LSN, "its position is that of its commit")
}

// A slot whose former reader confirmed the changes of a prepared transaction
// has a gap, and says so.
func TestPreparedThatIsLost(t *testing.T) {
	f, w := newTestFollower(t)
	b := binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64([]byte{'K', 0}, 300), 305)
	b = append(binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint64(b, 0), 42), "gid\x00"...)
	require.ErrorContains(t, f.frames(t.Context(), frames(b)), "were confirmed by another reader of the slot")
	require.Empty(t, w.done)
}

// Case 18: what fits neither into memory nor on the disk stops the stream, and
// nothing of it is confirmed.
func TestCase18NoRoomConfirmsNothing(t *testing.T) {
	f, w := newTestFollower(t)
	dir := t.TempDir() + "/spool"
	require.NoError(t, os.Mkdir(dir, 0o700))
	f.SpoolDir = dir
	f = newFollower(f.session, w)
	require.NoError(t, f.spool.Try())
	require.NoError(t, os.Remove(dir))
	large := insert(patientOID, "1", string(bytes.Repeat([]byte("x"), spool.DefaultMemoryBytes/4)))
	err := f.frames(t.Context(), frames(segment(true, 42, large, large, large, large, large)...))
	var disk *spool.DiskError
	require.ErrorAs(t, err, &disk)
	require.ErrorContains(t, err, dir)
	require.NotContains(t, err.Error(), "broken")
	require.False(t, Permanent(err), "room may be made")
	require.Empty(t, w.done)
	require.NoError(t, f.spool.Close())
}

// The server hears of us while a long transaction is taken in, and nothing but
// what Kafka has; a connector that is to end does so in its middle.
func TestAliveInALongTransaction(t *testing.T) {
	f, w := newTestFollower(t)
	f.heard = time.Now()
	require.NoError(t, f.alive(t.Context(), f.heard.Add(statusInterval-1)))
	require.Empty(t, w.done)
	require.NoError(t, f.alive(t.Context(), f.heard.Add(statusInterval)))
	require.NoError(t, f.alive(t.Context(), f.heard.Add(1)))
	require.Equal(t, []string{"confirm 0/64"}, w.done)

	var all [][]byte
	for n := range statusMessages {
		all = append(all, insert(patientOID, fmt.Sprint(n), "a"))
	}
	require.NoError(t, f.frames(t.Context(), frames(segment(true, 42, all...)...)))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, f.frames(ctx, frames(streamCommit(200))), context.Canceled)
	require.Equal(t, []string{"confirm 0/64"}, w.done)
	require.NoError(t, f.spool.Close())
}
