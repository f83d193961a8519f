package postgres

import (
	"errors"
	"testing"

	"github.com/hopluu/hopluu/schemas/event"
	"github.com/stretchr/testify/require"
)

func data(n int) Frame { return Frame{Data: make([]byte, n)} }

func TestQueueKeepsOrderAndGivesItsErrorLast(t *testing.T) {
	q := newFrameQueue()
	broken := errors.New("broken")
	require.True(t, q.put(data(1)))
	require.True(t, q.put(data(2)))
	q.fail(broken)
	<-q.Ready()
	frames, err := q.Take(nil)
	require.NoError(t, err, "frames that came before the error are taken first")
	require.Len(t, frames, 2)
	require.Len(t, frames[0].Data, 1)
	<-q.Ready() // the error is announced too
	_, err = q.Take(frames)
	require.ErrorIs(t, err, broken)
}

// P8: what the socket reads ahead is bounded; one more frame waits until the
// encoder takes what is there.
func TestQueueIsBounded(t *testing.T) {
	q := newFrameQueue()
	const size = 1 << 20
	n := 0
	for ; q.bytes <= queueBytes; n++ {
		require.True(t, q.put(data(size)))
	}
	require.LessOrEqual(t, n*size, queueBytes+size)
	put := make(chan bool, 1)
	go func() { put <- q.put(data(size)) }()
	select {
	case <-put:
		t.Fatal("a full queue took a frame")
	case <-q.Ready():
	}
	frames, err := q.Take(nil)
	require.NoError(t, err)
	require.True(t, <-put, "there is room again")
	require.Len(t, frames, n)
	frames, err = q.Take(frames)
	require.NoError(t, err)
	require.Len(t, frames, 1)
}

// Frames are offered together, and once: a wake-up a row would cost more than
// the row.
func TestQueueOffersTogether(t *testing.T) {
	q := newFrameQueue()
	require.False(t, q.offer(), "nothing is there")
	require.True(t, q.put(data(1)))
	require.True(t, q.put(data(2)))
	require.Empty(t, q.Ready(), "not offered yet")
	require.False(t, q.offer(), "the encoder was idle")
	require.True(t, q.put(data(3)))
	require.True(t, q.offer(), "it has not taken the first two")
	<-q.Ready()
	frames, err := q.Take(nil)
	require.NoError(t, err)
	require.Len(t, frames, 3)
	require.Empty(t, q.Ready())
	require.True(t, q.put(data(4)))
	require.False(t, q.offer(), "it took what it was offered")
	<-q.Ready()
}

func TestQueueStopEndsTheWaiting(t *testing.T) {
	q := newFrameQueue()
	for q.bytes <= queueBytes {
		require.True(t, q.put(data(1<<20)))
	}
	put := make(chan bool, 1)
	go func() { put <- q.put(data(1)) }()
	q.stop()
	require.False(t, <-put)
	require.False(t, q.put(data(1)))
}

// P3: an outer message that is not what the protocol says is an error.
func TestParseFrame(t *testing.T) {
	frame, rest, err := parseFrame(append([]byte("w0123456789abcdef01234567"), "BODY"...))
	require.NoError(t, err)
	require.Equal(t, "BODY", string(rest))
	require.False(t, frame.Reply)
	frame, rest, err = parseFrame([]byte{'k', 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 1})
	require.NoError(t, err)
	require.Nil(t, rest)
	require.Equal(t, event.LSN(1<<32|2), frame.WALEnd)
	require.True(t, frame.Reply)
	for name, bad := range map[string]string{"empty": "", "unknown": "z", "short data": "w01", "no data": "w0123456789abcdef01234567", "short keepalive": "k01"} {
		_, _, err := parseFrame([]byte(bad))
		require.ErrorContains(t, err, "replication stream", name)
	}
}
