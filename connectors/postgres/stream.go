package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/hopluu/hopluu/schemas/event"
	"github.com/jackc/pglogrepl"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"
)

// Stream receives the changes of a slot on a goroutine of its own, so that
// decoding and Kafka never stop the socket from being read until the queue is
// full.
type Stream struct {
	*frameQueue
	conn *pgconn.PgConn
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
	s := &Stream{frameQueue: newFrameQueue(), conn: conn, done: make(chan struct{})}
	go s.receive()
	return s, nil
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
			s.fail(fmt.Errorf("replication stream: %w", streamError(pgconn.ErrorResponseToPgError(msg))))
			return
		case *pgproto3.CopyDone:
			s.fail(errors.New("replication stream: the server ended it"))
			return
		}
	}
}

// ErrNoPublication says that the publication was not there when the changes
// that come next were written: servers before 18 cannot send them any more,
// even if it is there now.
var ErrNoPublication = errors.New("the publication was missing when the changes that come next were written, and the server cannot send them")

func streamError(err *pgconn.PgError) error {
	if err.Code == "42704" { // undefined_object: the slot is there, or this would not have started
		return fmt.Errorf("%w: %w", ErrNoPublication, err)
	}
	return Mend(err)
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
	s.stop()
	err := s.conn.Conn().Close()
	<-s.done
	return err
}
