package postgres

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

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

// Options say what to stream.
type Options struct {
	Slot, Publication string
	// From is the LSN that what is sent follows.
	From event.LSN
	// Protocol is the highest version of pgoutput's protocol to ask for; 0 is
	// the highest that both sides speak. With 1 the server keeps a transaction
	// until it is committed, on its own disk if it is large; from 2 on it sends
	// it while it is in progress.
	Protocol int
	// Messages asks for logical messages too.
	Messages bool
	// Origin "none" leaves out what was replicated into the database; servers
	// before 16 cannot.
	Origin string
}

// Versions of pgoutput's protocol.
const (
	ProtocolWhole     = 1 // transactions come whole, at their commit
	protocolStreaming = 2 // large ones in segments while they are in progress: PostgreSQL 14
	protocolPrepared  = 3 // two_phase: PostgreSQL 15
	protocolParallel  = 4 // more is told of a rollback: PostgreSQL 16
)

const (
	originNone  = "none"
	originsFrom = 16
)

// protocol gives the version to ask a server for, which names its own version
// as "15.4 (Debian 15.4-1)". An unknown server is asked for the least.
func protocol(server string, highest int) int {
	major := majorVersion(server)
	offered := ProtocolWhole
	switch {
	case major >= 16:
		offered = protocolParallel
	case major == 15:
		offered = protocolPrepared
	case major == 14:
		offered = protocolStreaming
	}
	if highest > 0 {
		return min(offered, highest)
	}
	return offered
}

// majorVersion reads how a server names its version; 0 for what it cannot read.
func majorVersion(server string) int {
	digits := strings.IndexFunc(server, func(r rune) bool { return r < '0' || r > '9' })
	if digits < 0 {
		digits = len(server)
	}
	major, err := strconv.Atoi(server[:digits])
	if err != nil {
		return 0
	}
	return major
}

// Start asks the server to send what follows an LSN. The connection belongs to
// the stream from here on.
func Start(ctx context.Context, conn *pgconn.PgConn, o Options) (*Stream, error) {
	ahead := readAheadOf(conn.Conn())
	if ahead == nil {
		return nil, errors.New("a stream needs a connection that ConnectReplication made")
	}
	server := conn.ParameterStatus("server_version")
	version := protocol(server, o.Protocol)
	args := []string{
		"proto_version '" + strconv.Itoa(version) + "'",
		"publication_names '\"" + strings.ReplaceAll(strings.ReplaceAll(o.Publication, `"`, `""`), "'", "''") + "\"'",
	}
	if version >= protocolStreaming {
		// Not 'parallel': who applies transactions one after another in the
		// order of their commits gains nothing by what it tells of rollbacks.
		args = append(args, "streaming 'on'")
	}
	if o.Messages {
		args = append(args, "messages 'true'")
	}
	if o.Origin == originNone {
		if majorVersion(server) < originsFrom {
			return nil, &ConfigError{Reason: fmt.Sprintf("origin: none needs PostgreSQL %d, the server has %s: take it out of the source's configuration", originsFrom, server)}
		}
		args = append(args, "origin 'none'")
	}
	err := pglogrepl.StartReplication(ctx, conn, o.Slot, pglogrepl.LSN(o.From), pglogrepl.StartReplicationOptions{
		Mode: pglogrepl.LogicalReplication, PluginArgs: args,
	})
	if err != nil {
		return nil, fmt.Errorf("start replication from slot %s: %w", o.Slot, Mend(err))
	}
	s := &Stream{frameQueue: newFrameQueue(), conn: conn, done: make(chan struct{})}
	pause := s.pause
	ahead.pause.Store(&pause)
	go s.receive()
	return s, nil
}

// gather is how long the socket is left to fill while the encoder has work in
// hand anyway.
const gather = 500 * time.Microsecond

// pause is called before the socket is asked for more: what came before goes to
// the encoder now. The server sends each change by itself; asked again at once,
// the socket would give one row a read, and wake us and keep the server for
// each.
func (s *Stream) pause() {
	if s.offer() {
		time.Sleep(gather)
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
