package postgres

import (
	"sync"

	"github.com/hopluu/hopluu/schemas/event"
)

// Frame is one message of the stream: pgoutput's bytes, or a keepalive (Data
// nil).
type Frame struct {
	Data []byte
	// WALEnd of a keepalive: everything before it that concerns us was sent.
	WALEnd event.LSN
	// Reply is true when the server asks for a status now.
	Reply bool
}

const (
	// queueBytes bounds what the socket reads ahead of the encoder (P8).
	queueBytes = 8 << 20
	// frameBytes is what a frame takes besides its data.
	frameBytes = 64
)

// frameQueue holds what the socket gave and the encoder did not take yet. One
// goroutine puts, one takes.
type frameQueue struct {
	mu      sync.Mutex
	space   sync.Cond
	frames  []Frame
	bytes   int
	offered bool // the encoder knows that frames are there
	err     error
	stopped bool
	ready   chan struct{} // has room for one: frames or an error are there
}

func newFrameQueue() *frameQueue {
	q := &frameQueue{ready: make(chan struct{}, 1)}
	q.space.L = &q.mu
	return q
}

// Ready has something to receive when Take will give frames or an error.
func (q *frameQueue) Ready() <-chan struct{} { return q.ready }

// Take gives all frames that have come, in order, and the error that ended the
// stream once they are all taken. into is used again.
func (q *frameQueue) Take(into []Frame) ([]Frame, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	frames := q.frames
	q.frames, q.bytes, q.offered = into[:0], 0, false
	q.space.Signal()
	if len(frames) == 0 && q.err != nil {
		return nil, q.err
	}
	if q.err != nil {
		q.signal() // the error is still to be taken
	}
	return frames, nil
}

func (q *frameQueue) signal() {
	select {
	case q.ready <- struct{}{}:
	default:
	}
}

// put waits while the queue is full; it gives false when the queue was stopped.
// What is put is offered later: waking the encoder for each frame would cost
// more than encoding it.
func (q *frameQueue) put(frame Frame) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	for q.bytes > queueBytes && !q.stopped {
		q.offerLocked()
		q.space.Wait()
	}
	if q.stopped {
		return false
	}
	q.frames = append(q.frames, frame)
	q.bytes += len(frame.Data) + frameBytes
	return true
}

// offer tells the encoder of what was put. busy is true when it has not taken
// yet what it was offered before.
func (q *frameQueue) offer() (busy bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	busy = q.offered
	q.offerLocked()
	return busy
}

func (q *frameQueue) offerLocked() {
	if len(q.frames) > 0 && !q.offered {
		q.offered = true
		q.signal()
	}
}

// fail ends the queue with an error, behind the frames that are in it.
func (q *frameQueue) fail(err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.err = err
	q.signal()
}

// stop ends the waiting of put.
func (q *frameQueue) stop() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.stopped = true
	q.space.Signal()
}
