package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/hopluu/hopluu/schemas/event"
	"github.com/jackc/pglogrepl"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"
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

// queueBytes bounds what the socket reads ahead of the encoder (P8).
const queueBytes = 8 << 20

// Stream receives the changes of a slot on a goroutine of its own, so that
// decoding and Kafka never stop the socket from being read until the queue is
// full.
type Stream struct {
	conn *pgconn.PgConn

	mu      sync.Mutex
	space   sync.Cond
	frames  []Frame
	bytes   int
	err     error
	stopped bool
	ready   chan struct{} // has room for one: frames or an error are there

	done chan struct{}
}

// Start asks the server to send what follows the LSN. The connection belongs
// to the stream from here on.
func Start(ctx context.Context, conn *pgconn.PgConn, slot, publication string, from event.LSN) (*Stream, error) {
	err := pglogrepl.StartReplication(ctx, conn, slot, pglogrepl.LSN(from), pglogrepl.StartReplicationOptions{
		Mode: pglogrepl.LogicalReplication,
		PluginArgs: []string{
			"proto_version '1'",
			"publication_names '\"" + strings.ReplaceAll(strings.ReplaceAll(publication, `"`, `""`), "'", "''") + "\"'",
		},
	})
	if err != nil {
		return nil, fmt.Errorf("start replication from slot %s: %w", slot, Mend(err))
	}
	s := &Stream{conn: conn, ready: make(chan struct{}, 1), done: make(chan struct{})}
	s.space.L = &s.mu
	go s.receive()
	return s, nil
}

// Ready has something to receive when Take will give frames or an error.
func (s *Stream) Ready() <-chan struct{} { return s.ready }

// Take gives all frames that have come, in order, and the error that ended the
// stream once they are all taken. into is used again.
func (s *Stream) Take(into []Frame) ([]Frame, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	frames := s.frames
	s.frames, s.bytes = into[:0], 0
	s.space.Signal()
	if len(frames) == 0 && s.err != nil {
		return nil, s.err
	}
	if s.err != nil {
		s.signal() // the error is still to be taken
	}
	return frames, nil
}

func (s *Stream) signal() {
	select {
	case s.ready <- struct{}{}:
	default:
	}
}

// slabBytes is the size of the pieces of memory that frames are copied into:
// one allocation for hundreds of rows.
const slabBytes = 256 << 10

func (s *Stream) receive() {
	defer close(s.done)
	var slab []byte
	for {
		// No context: Stop closes the socket, which ends the read. A context
		// would cost a goroutine's wake-up a row.
		msg, err := s.conn.ReceiveMessage(context.Background())
		if err != nil {
			s.fail(fmt.Errorf("replication stream: %w", Mend(err)))
			return
		}
		switch msg := msg.(type) {
		case *pgproto3.CopyData:
			frame, data, err := parseFrame(msg.Data)
			if err != nil {
				s.fail(err)
				return
			}
			if data != nil {
				if len(slab)+len(data) > cap(slab) {
					slab = make([]byte, 0, max(slabBytes, len(data)))
				}
				start := len(slab)
				slab = append(slab, data...)
				frame.Data = slab[start:len(slab):len(slab)]
			}
			if !s.put(frame) {
				return
			}
		case *pgproto3.ErrorResponse:
			s.fail(fmt.Errorf("replication stream: %w", Mend(pgconn.ErrorResponseToPgError(msg))))
			return
		case *pgproto3.CopyDone:
			s.fail(errors.New("replication stream: the server ended it"))
			return
		}
	}
}

// parseFrame reads the outer message: 'w' XLogData or 'k' keepalive.
func parseFrame(data []byte) (Frame, []byte, error) {
	if len(data) == 0 {
		return Frame{}, nil, errors.New("replication stream: empty message")
	}
	switch data[0] {
	case pglogrepl.XLogDataByteID:
		x, err := pglogrepl.ParseXLogData(data[1:])
		if err != nil {
			return Frame{}, nil, fmt.Errorf("replication stream: %w", err)
		}
		if len(x.WALData) == 0 {
			return Frame{}, nil, errors.New("replication stream: empty XLogData")
		}
		return Frame{}, x.WALData, nil
	case pglogrepl.PrimaryKeepaliveMessageByteID:
		k, err := pglogrepl.ParsePrimaryKeepaliveMessage(data[1:])
		if err != nil {
			return Frame{}, nil, fmt.Errorf("replication stream: %w", err)
		}
		return Frame{WALEnd: event.LSN(k.ServerWALEnd), Reply: k.ReplyRequested}, nil, nil
	}
	return Frame{}, nil, fmt.Errorf("replication stream: unknown message %q", data[0])
}

// put gives false when the stream was stopped.
func (s *Stream) put(frame Frame) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.bytes > queueBytes && !s.stopped {
		s.space.Wait()
	}
	if s.stopped {
		return false
	}
	s.frames = append(s.frames, frame)
	s.bytes += len(frame.Data) + 64
	s.signal()
	return true
}

func (s *Stream) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err = err
	s.signal()
}

// Confirm tells the server that everything up to the LSN is durable elsewhere
// and need not be kept. Package connectors is the only caller (P1).
func (s *Stream) Confirm(ctx context.Context, lsn event.LSN) error {
	err := pglogrepl.SendStandbyStatusUpdate(ctx, s.conn, pglogrepl.StandbyStatusUpdate{WALWritePosition: pglogrepl.LSN(lsn)})
	if err != nil {
		return fmt.Errorf("confirm %s: %w", lsn, err)
	}
	return nil
}

// Stop ends the stream and waits for its goroutine.
func (s *Stream) Stop() error {
	s.mu.Lock()
	s.stopped = true
	s.space.Signal()
	s.mu.Unlock()
	err := s.conn.Conn().Close()
	<-s.done
	return err
}
