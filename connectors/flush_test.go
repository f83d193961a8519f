package connectors

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/hopluu/hopluu/connectors/postgres"
	"github.com/hopluu/hopluu/schemas/event"
	"github.com/stretchr/testify/require"
)

// restarted is the next session after one that ended with an error: its
// producer has aborted what was open, its checkpoint is what Kafka has.
func restarted(t *testing.T, w *world) *follower {
	t.Helper()
	f, fresh := newTestFollower(t)
	*fresh = world{records: w.records}
	if saved := w.saved(t); saved.Started() {
		saved.Tables = f.checkpoint.Tables
		f.checkpoint = saved
		f.complete = saved.Confirmed
	}
	*w = *fresh
	f.producer, f.source = w, w
	return f
}

// Case 7: a flush that fails takes its batch with it. Nothing that succeeds
// later confirms past it: the session ends, and the next one gets the events
// again, whether or not Kafka had taken them (P1).
func TestCase07FailedFlushIsNotConfirmedPast(t *testing.T) {
	away := errors.New("broker away")
	insertAt := func(lsn event.LSN, id int) [][]byte {
		return [][]byte{begin(lsn), insert(patientOID, fmt.Sprint(id), "a"), commit(lsn)}
	}
	for name, fail := range map[string]func(*world){
		"the commit is refused":            func(w *world) { w.commitErr = away },
		"the commit's answer is lost":      func(w *world) { w.commitErr, w.committed = away, true },
		"a record of the batch is refused": func(w *world) { w.addErr, w.addAfter = away, 1 },
	} {
		t.Run(name, func(t *testing.T) {
			f, w := newTestFollower(t)
			require.NoError(t, f.frames(t.Context(), frames(insertAt(200, 1)...)))
			fail(w)
			failed := append(insertAt(300, 2), insertAt(400, 3)...)
			require.ErrorIs(t, f.frames(t.Context(), frames(failed...)), away)
			require.Equal(t, []string{"commit", "confirm 0/CD"}, w.done, "nothing is confirmed after the failure")

			f = restarted(t, w)
			require.NoError(t, f.frames(t.Context(), frames(append(failed, insertAt(500, 4)...)...)))
			require.Len(t, w.in(patientTopic), 4, "each once")
			require.Equal(t, event.LSN(505), w.saved(t).Confirmed)
		})
	}
}

// Case 20: a record that fails within a batch is not acknowledged with the
// others: what cannot be encoded is a dead letter of the same commit, what Kafka
// refuses ends the session with nothing of the batch confirmed (P1, P3).
func TestCase20FailedRecordInABatch(t *testing.T) {
	f, w := newTestFollower(t)
	batch := [][]byte{begin(200), insert(patientOID, "1", "a"), insert(patientOID, "no number", "b"), insert(patientOID, "3", "c"), commit(200)}
	require.NoError(t, f.frames(t.Context(), frames(batch...)))
	require.Len(t, w.in(patientTopic), 1)
	letters := w.in("vault.clinic.public.patient.dlq")
	require.Len(t, letters, 2, "the one that failed, and the one behind it: its table is set aside")
	require.Contains(t, string(letters[0].Value), "no number")
	require.Equal(t, []string{"commit", "confirm 0/CD"}, w.done, "the letters are in the commit that is confirmed")

	f, w = newTestFollower(t)
	f.MaxRowBytes = 1 << 10
	batch[2] = insert(patientOID, "2", strings.Repeat("x", 2<<10))
	require.NoError(t, f.frames(t.Context(), frames(batch...)))
	require.Len(t, w.in(patientTopic), 1)
	require.Len(t, w.in("vault.clinic.public.patient.dlq"), 2)

	f, w = newTestFollower(t)
	w.addErr, w.addAfter = errors.New("too large for the broker"), 2
	batch[2] = insert(patientOID, "2", "b")
	require.ErrorIs(t, f.frames(t.Context(), frames(batch...)), w.addErr)
	require.Empty(t, w.done)
	require.Empty(t, w.records, "the records around it are not there either")
	f = restarted(t, w)
	require.NoError(t, f.frames(t.Context(), frames(batch...)))
	require.Len(t, w.in(patientTopic), 3)
}

// Case 11: the periodic look at an idle source confirms what the checkpoint says
// and not what the server has sent, also in the middle of a transaction and when
// the checkpoint cannot be written.
func TestCase11PeriodicFlushStaysBehindTheCheckpoint(t *testing.T) {
	f, w := newTestFollower(t)
	confirmed := func() event.LSN {
		var last event.LSN
		for _, d := range w.done {
			if text, ok := strings.CutPrefix(d, "confirm "); ok {
				lsn, err := event.ParseLSN(text)
				require.NoError(t, err)
				last = lsn
			}
		}
		return last
	}
	keepalive := func() []postgres.Frame { return []postgres.Frame{{WALEnd: 9000, Reply: true}} }
	for _, step := range [][][]byte{
		{begin(200), insert(patientOID, "1", "a")}, // open
		{commit(200)}, {begin(300), insert(patientOID, "2", "b"), commit(300), begin(400)},
	} {
		require.NoError(t, f.frames(t.Context(), frames(step...)))
		require.NoError(t, f.frames(t.Context(), keepalive()))
		require.LessOrEqual(t, confirmed(), max(w.saved(t).Confirmed, startLSN))
		require.Less(t, confirmed(), event.LSN(9000))
	}
	require.NoError(t, f.frames(t.Context(), frames(commit(400))))
	require.NoError(t, f.frames(t.Context(), keepalive()))
	w.commitErr = errors.New("broker away")
	before := confirmed()
	require.ErrorIs(t, f.rest(t.Context()), w.commitErr)
	require.Equal(t, before, confirmed(), "the checkpoint was not written")
	w.commitErr = nil
	f = restarted(t, w)
	require.NoError(t, f.frames(t.Context(), keepalive()))
	require.NoError(t, f.rest(t.Context()))
	require.Equal(t, event.LSN(9000), confirmed())
	require.Equal(t, event.LSN(9000), w.saved(t).Confirmed)
}
