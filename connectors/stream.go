package connectors

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/hopluu/hopluu/connectors/postgres"
	"github.com/hopluu/hopluu/connectors/postgres/pgoutput"
	"github.com/hopluu/hopluu/connectors/postgres/spool"
	"github.com/hopluu/hopluu/connectors/postgres/txn"
	"github.com/hopluu/hopluu/schemas/event"
	"github.com/jackc/pgx/v5/pgconn"
)

const (
	// A Kafka transaction is cut at this many records or bytes, also within a
	// transaction of the source: memory stays bounded whatever its size (P8),
	// for full batches are sent while the transaction is open. A commit costs
	// some twenty milliseconds in which nothing is encoded, so transactions are
	// as large as what a crash may make us send again allows.
	transactionRows  = 100_000
	transactionBytes = 32 << 20
	// gatherWait is how long events that could be committed may wait for those
	// that have come meanwhile.
	gatherWait = 100 * time.Millisecond
	// transactionWait is how long an unfinished transaction of the source may
	// hold back events that are already encoded.
	transactionWait = 200 * time.Millisecond
	// idleCheckpoint is how often an idle source's progress is noted, so that
	// a quiet table in a busy database does not hold WAL (case 10).
	idleCheckpoint = time.Second
)

// stream is what a follower reads from and confirms to; its users are
// *postgres.Stream and the test of the follower's decisions.
type stream interface {
	Ready() <-chan struct{}
	Take(into []postgres.Frame) ([]postgres.Frame, error)
	Confirm(ctx context.Context, lsn event.LSN) error
}

// follower is the state of the stream between two messages.
type follower struct {
	*session
	source stream
	// assembler puts transactions together that come in pieces.
	assembler *txn.Assembler
	spool     *spool.Spool
	decoder   pgoutput.Decoder
	tables    map[uint32]*table // by relation OID
	// orders count the events of each table, by its name: a table keeps its
	// count when its definition changes within a transaction.
	orders map[string]*order

	// The source's transaction that is being taken in, whole.
	inTransaction bool
	position      event.Position // its commit LSN; Ordinal counts its events
	xid           uint32
	micros        int64
	// begun: an event of it is in Kafka, or on its way there.
	begun      bool
	boundaries boundaryLane
	// messageLSN is that of the last logical message that is in Kafka, or on
	// its way there, of the transaction at position.
	messageLSN  event.LSN
	messageLane messageLane

	// complete is the end of the last transaction that was received whole:
	// once Kafka has it, that is what may be confirmed.
	complete event.LSN
	// held is true while a prepared transaction keeps complete from being
	// confirmed.
	held bool
	// idle is how far the server says it has nothing more for us.
	idle event.LSN
	// opened is when the open Kafka transaction got its first event.
	opened time.Time
	dirty  bool
	// reading is the snapshot that is read beside the stream, nil when there is
	// none, and readingEnded when the last one ended.
	reading      *reading
	readingEnded time.Time
	// heard is when the server heard of us last, while a transaction that was
	// put together is taken in.
	heard time.Time
}

// stream follows the slot until something breaks or the context ends.
func (s *session) stream(ctx context.Context, repl *pgconn.PgConn) (err error) {
	protocol := s.Protocol
	if len(s.Messages) > 0 {
		// In a segment a logical message does not say of which subtransaction
		// it is, so one that ROLLBACK TO SAVEPOINT took back would be taken in.
		protocol = postgres.ProtocolWhole
	}
	source, err := postgres.Start(ctx, repl, postgres.Options{Slot: s.Slot, Publication: s.Publication, From: s.checkpoint.Confirmed, Protocol: protocol,
		Messages: len(s.Messages) > 0 || s.Heartbeat > 0, Origin: s.Origin})
	if err != nil {
		return err
	}
	f := newFollower(s, source)
	defer func() {
		f.reading.stop()
		err = errors.Join(err, source.Stop(), f.spool.Close())
	}()
	if err := f.spool.Try(); err != nil {
		return err
	}
	if err := errors.Join(f.registerBoundaries(ctx), f.registerMessages(ctx)); err != nil {
		return err
	}
	// What changes a table below this, its snapshot has.
	if f.readFrom, err = postgres.WrittenTo(ctx, s.sql); err != nil {
		return err
	}
	s.setState(nil)
	s.Log.Info("streaming", "slot", s.Slot, "from", s.checkpoint.Confirmed.String())
	beating, still := context.WithCancel(ctx)
	var beats sync.WaitGroup
	beats.Go(func() { s.beat(beating) })
	err = f.run(ctx)
	still()
	beats.Wait()
	var lost *txn.LostError
	if errors.Is(err, postgres.ErrNoPublication) || errors.As(err, &lost) {
		err = &GapError{Source: s.Source, Err: err}
	}
	return err
}

func newFollower(s *session, source stream) *follower {
	inProgress := spool.New(spool.Config{Dir: s.SpoolDir})
	return &follower{session: s, source: source, spool: inProgress, assembler: txn.New(inProgress),
		tables: map[uint32]*table{}, orders: map[string]*order{}, complete: s.checkpoint.Confirmed}
}

func (f *follower) run(ctx context.Context) error {
	tick := time.NewTicker(transactionWait)
	defer tick.Stop()
	lastIdle, lastWatch := time.Now(), time.Now()
	var frames []postgres.Frame
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-f.source.Ready():
			taken, err := f.source.Take(frames)
			if err != nil {
				return err
			}
			frames = taken
			if err := f.frames(ctx, frames); err != nil {
				return err
			}
		case rep := <-f.reports():
			if err := f.readers(ctx, rep); err != nil {
				return err
			}
		case now := <-tick.C:
			if err := f.readOn(ctx, now); err != nil {
				return err
			}
			f.showSpool()
			if f.dirty && now.Sub(f.opened) >= transactionWait {
				if err := f.commit(ctx); err != nil {
					return err
				}
			}
			if !f.dirty && !f.inTransaction && now.Sub(lastIdle) >= idleCheckpoint {
				lastIdle = now
				if err := f.rest(ctx); err != nil {
					return err
				}
			}
			if now.Sub(lastWatch) >= watchInterval {
				lastWatch = now
				if err := f.look(ctx, f.names()...); err != nil {
					return err
				}
				if err := f.commit(ctx); err != nil {
					return err
				}
			}
		}
	}
}

// frames takes in what has come. When it is whole and nothing more has come
// meanwhile it is committed at once: what comes during the commit makes the next
// batch, so that batches grow with the load and latency stays that of one
// commit. Under a load that never ends it is committed every gatherWait.
func (f *follower) frames(ctx context.Context, frames []postgres.Frame) error {
	for i := range frames {
		if err := f.frame(ctx, &frames[i]); err != nil {
			return err
		}
		frames[i] = postgres.Frame{} // its memory may go
	}
	more := len(f.source.Ready()) > 0
	if f.dirty && !f.inTransaction && (!more || time.Since(f.opened) >= gatherWait) {
		return f.commit(ctx)
	}
	return nil
}

// rest notes how far an idle source is: everything before it was received, and
// nothing of it is open.
func (f *follower) rest(ctx context.Context) error {
	f.complete = max(f.idle, f.complete)
	if f.confirmable() <= f.checkpoint.Confirmed && !f.tablesChanged {
		return nil
	}
	f.checkpoint.At = time.Now().UnixMicro()
	return f.commit(ctx)
}

// confirmable is how far the server need not keep the log for us once Kafka has
// what was received.
func (f *follower) confirmable() event.LSN {
	held, ok := f.assembler.Held()
	if ok && !f.held {
		f.Log.Warn("a prepared transaction keeps the slot where it is", "lsn", held.String(),
			"mend", "COMMIT PREPARED or ROLLBACK PREPARED what pg_prepared_xacts shows; a slot without two_phase does not wait for it")
	}
	if f.held = ok; ok {
		return min(f.complete, held)
	}
	return f.complete
}

// look watches tables while they are streamed.
func (f *follower) look(ctx context.Context, names ...string) error {
	if err := f.watch(ctx, names...); err != nil {
		return err
	}
	for _, t := range f.tables {
		if state := f.checkpoint.Tables[t.name()]; state.Quarantined != "" {
			t.reason, t.provisional = state.Quarantined, false
		}
	}
	return nil
}

// commit makes the open events durable together with the checkpoint that
// speaks of them, and only then confirms to PostgreSQL (P1). The checkpoint
// says what may be confirmed before it is, so a slot that stands higher was
// not moved by us.
func (f *follower) commit(ctx context.Context) error {
	if f.dirty {
		f.checkpoint.LSN, f.checkpoint.Ordinal, f.checkpoint.Message = f.position.LSN, f.position.Ordinal, f.messageLSN
		f.checkpoint.At = max(f.checkpoint.At, f.micros)
	}
	f.checkpoint.Confirmed = max(f.checkpoint.Confirmed, f.confirmable())
	if err := f.save(ctx); err != nil {
		return err
	}
	if f.dirty {
		f.metrics.lag.Set(time.Since(time.UnixMicro(f.micros)).Seconds())
	}
	f.dirty = false
	f.metrics.confirmed.Set(float64(f.checkpoint.Confirmed))
	return f.source.Confirm(ctx, f.checkpoint.Confirmed)
}
