package connectors

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hopluu/hopluu/connectors/postgres"
	"github.com/hopluu/hopluu/connectors/postgres/pgoutput"
	"github.com/hopluu/hopluu/connectors/postgres/pgvalue"
	"github.com/hopluu/hopluu/schemas/event"
	"github.com/jackc/pgx/v5/pgconn"
)

const (
	// A Kafka transaction is cut at this many records or bytes, also within a
	// transaction of the source: memory stays bounded whatever its size (P8).
	transactionRows  = 20_000
	transactionBytes = 8 << 20
	// transactionWait is how long an unfinished transaction of the source may
	// hold back events that are already encoded.
	transactionWait = 200 * time.Millisecond
	// idleCheckpoint is how often an idle source's progress is noted, so that
	// a quiet table in a busy database does not hold WAL (case 10).
	idleCheckpoint = time.Second
)

// follower is the state of the stream between two messages.
type follower struct {
	*session
	stream  *postgres.Stream
	decoder pgoutput.Decoder
	tables  map[uint32]*table // by relation OID

	// The source's transaction that is being received.
	inTransaction bool
	position      event.Position // its commit LSN; Ordinal counts its events
	xid           uint32
	micros        int64

	// complete is the end of the last transaction that was received whole:
	// once Kafka has it, that is what may be confirmed.
	complete event.LSN
	// idle is how far the server says it has nothing more for us.
	idle event.LSN
	// opened is when the open Kafka transaction got its first event.
	opened time.Time
	dirty  bool
}

// stream follows the slot until something breaks or the context ends.
func (s *session) stream(ctx context.Context, repl *pgconn.PgConn) error {
	stream, err := postgres.Start(ctx, repl, s.Slot, s.Publication, s.checkpoint.Confirmed)
	if err != nil {
		return err
	}
	f := &follower{session: s, stream: stream, tables: map[uint32]*table{}, complete: s.checkpoint.Confirmed}
	s.setState(nil)
	s.Log.Info("streaming", "slot", s.Slot, "from", s.checkpoint.Confirmed.String())
	err = f.run(ctx)
	return errors.Join(err, stream.Stop())
}

func (f *follower) run(ctx context.Context) error {
	tick := time.NewTicker(transactionWait)
	defer tick.Stop()
	lastIdle, lastStatus := time.Now(), time.Now()
	var frames []postgres.Frame
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-f.stream.Ready():
			taken, err := f.stream.Take(frames)
			if err != nil {
				return err
			}
			frames = taken
			for i := range frames {
				if err := f.frame(ctx, &frames[i]); err != nil {
					return err
				}
				frames[i] = postgres.Frame{}
			}
			// Everything that has come is encoded: commit now if it is whole.
			// What comes meanwhile makes the next batch, so that batches grow
			// with the load and latency stays that of one commit.
			if f.dirty && !f.inTransaction {
				if err := f.commit(ctx); err != nil {
					return err
				}
			}
		case now := <-tick.C:
			switch {
			case f.dirty && now.Sub(f.opened) >= transactionWait:
				if err := f.commit(ctx); err != nil {
					return err
				}
			case !f.dirty && !f.inTransaction && now.Sub(lastIdle) >= idleCheckpoint && max(f.idle, f.complete) > f.checkpoint.Confirmed:
				lastIdle = now
				f.complete = max(f.idle, f.complete)
				if err := f.commit(ctx); err != nil {
					return err
				}
			case now.Sub(lastStatus) >= 10*time.Second:
				lastStatus = now
				if err := f.stream.Confirm(ctx, f.checkpoint.Confirmed); err != nil {
					return err
				}
			}
		}
	}
}

// commit makes the open events durable together with the checkpoint that
// speaks of them, and only then confirms to PostgreSQL (P1). The checkpoint
// says what may be confirmed before it is, so a slot that stands higher was
// not moved by us.
func (f *follower) commit(ctx context.Context) error {
	if f.dirty {
		f.checkpoint.LSN, f.checkpoint.Ordinal = f.position.LSN, f.position.Ordinal
	}
	f.checkpoint.Confirmed = max(f.checkpoint.Confirmed, f.complete)
	began := time.Now()
	if err := saveCheckpoint(ctx, f.producer, f.Source, f.checkpoint); err != nil {
		return err
	}
	f.metrics.commits.Observe(time.Since(began).Seconds())
	if f.dirty {
		f.metrics.lag.Set(time.Since(time.UnixMicro(f.micros)).Seconds())
	}
	f.dirty = false
	f.metrics.confirmed.Set(float64(f.checkpoint.Confirmed))
	return f.stream.Confirm(ctx, f.checkpoint.Confirmed)
}

func (f *follower) frame(ctx context.Context, frame *postgres.Frame) error {
	if frame.Data == nil {
		if !f.inTransaction {
			f.idle = max(f.idle, frame.WALEnd)
		}
		if frame.Reply {
			return f.stream.Confirm(ctx, f.checkpoint.Confirmed)
		}
		return nil
	}
	message, err := f.decoder.Decode(frame.Data)
	if err != nil {
		// Nothing after a frame that we cannot read may be confirmed (P3).
		return fmt.Errorf("replication stream, after %s: %w", f.position, err)
	}
	switch m := message.(type) {
	case *pgoutput.Begin:
		f.inTransaction = true
		f.position = event.Position{Epoch: f.checkpoint.Epoch, LSN: m.FinalLSN}
		f.xid, f.micros = m.Xid, m.CommitMicros
	case *pgoutput.Commit:
		f.inTransaction = false
		f.complete = m.EndLSN
	case *pgoutput.Relation:
		return f.relation(ctx, m)
	case *pgoutput.Insert:
		return f.row(ctx, frame.Data, m.Relation, event.Event{Op: event.Create, After: m.New})
	case *pgoutput.Update:
		return f.update(ctx, frame.Data, m)
	case *pgoutput.Delete:
		return f.row(ctx, frame.Data, m.Relation, event.Event{Op: event.Delete, Before: m.Old, BeforeKeyOnly: m.OldKind == pgoutput.OldKey})
	case *pgoutput.Truncate:
		for _, id := range m.Relations {
			if err := f.row(ctx, frame.Data, id, event.Event{Op: event.Truncate}); err != nil {
				return err
			}
		}
	}
	// Type, Origin and Message carry nothing that a row needs.
	return nil
}

// relation makes encoders for a table as it is from here on.
func (f *follower) relation(ctx context.Context, m *pgoutput.Relation) error {
	relation, err := f.describe(ctx, m)
	if err != nil {
		return err
	}
	t, err := f.compile(ctx, relation)
	var bad *QuarantineError
	if errors.As(err, &bad) {
		f.quarantine(t, err)
	} else if err != nil {
		return err
	}
	if t.quarantined != "" {
		f.metrics.quarantined.WithLabelValues(t.name()).Set(1)
	}
	f.tables[m.OID] = t
	return nil
}

// describe joins what the stream says of a relation (its columns at this point
// of the log) with what only the catalogue knows (its key, its types).
func (f *follower) describe(ctx context.Context, m *pgoutput.Relation) (postgres.Relation, error) {
	relation := postgres.Relation{OID: m.OID, Schema: m.Namespace, Table: m.Name}
	for _, c := range m.Columns {
		relation.Columns = append(relation.Columns, pgvalue.Column{Name: c.Name, OID: c.OID, Typmod: c.Typmod})
		// With the default identity the key flags are the primary key; with
		// FULL every column has one.
		if c.Key && m.ReplicaIdentity != 'f' {
			relation.Primary = append(relation.Primary, c.Name)
		}
	}
	if now, err := f.catalog.Relation(ctx, m.Namespace, m.Name); err == nil {
		relation.Primary = now.Primary
	} else if !errors.Is(err, postgres.ErrNoTable) {
		return postgres.Relation{}, err
	}
	if err := f.catalog.Resolve(ctx, relation.Columns); err != nil {
		return postgres.Relation{}, err
	}
	return relation, nil
}

// update takes a change of key apart, as Debezium does: the old key is deleted
// (with a tombstone), the new one created.
func (f *follower) update(ctx context.Context, frame []byte, m *pgoutput.Update) error {
	ev := event.Event{Op: event.Update, Before: m.Old, BeforeKeyOnly: m.OldKind == pgoutput.OldKey, After: m.New}
	t := f.tables[m.Relation]
	if t == nil || !keyChanged(t, m.Old, m.New) {
		return f.row(ctx, frame, m.Relation, ev)
	}
	if err := f.row(ctx, frame, m.Relation, event.Event{Op: event.Delete, Before: m.Old, BeforeKeyOnly: m.OldKind == pgoutput.OldKey}); err != nil {
		return err
	}
	created := event.Event{Op: event.Create, After: m.New}
	if err := f.reselect(ctx, t, &created); err != nil {
		return err
	}
	return f.row(ctx, frame, m.Relation, created)
}

func keyChanged(t *table, before, after event.Row) bool {
	if before == nil {
		return false
	}
	for _, i := range t.key {
		if after[i].State == event.Present && string(before[i].Text) != string(after[i].Text) {
			return true
		}
	}
	return false
}

// reselect fills in the values that a change of key did not send (P4).
func (f *follower) reselect(ctx context.Context, t *table, ev *event.Event) error {
	var columns []int
	for i, v := range ev.After {
		if v.State == event.Unchanged {
			columns = append(columns, i)
		}
	}
	if len(columns) == 0 || f.checkpoint.Produced(event.Position{Epoch: f.position.Epoch, LSN: f.position.LSN, Ordinal: f.position.Ordinal + 1}) {
		return nil
	}
	values, found, err := postgres.Reselect(ctx, f.sql, t.relation, t.key, ev.After, columns)
	if err != nil || !found {
		// Gone already: its delete follows in the stream.
		return err
	}
	for i, c := range columns {
		ev.After[c] = values[i]
	}
	return nil
}

// row takes one event of a table to Kafka, or to the dead letters when the
// table is set aside. Every event counts in its transaction, produced or not,
// so that it has the same ordinal whenever it is delivered (P6).
func (f *follower) row(ctx context.Context, frame []byte, relationID uint32, ev event.Event) error {
	t := f.tables[relationID]
	if t == nil {
		return fmt.Errorf("replication stream, after %s: relation %d was never described: the stream is broken, and nothing of it is confirmed", f.position, relationID)
	}
	f.position.Ordinal++
	ev.Position, ev.TxID, ev.CommitMicros = f.position, f.xid, f.micros
	if f.checkpoint.Produced(ev.Position) {
		return nil // sent again after a restart
	}
	if !f.dirty {
		f.dirty, f.opened = true, time.Now()
	}
	if err := f.produce(ctx, t, frame, &ev); err != nil {
		return err
	}
	if rows, bytes := f.producer.Pending(); rows >= transactionRows || bytes >= transactionBytes {
		return f.commit(ctx)
	}
	return nil
}

func (f *follower) produce(ctx context.Context, t *table, frame []byte, ev *event.Event) error {
	if t.quarantined == "" {
		var err error
		if ev.Op == event.Truncate {
			err = f.truncate(ctx, t, ev)
		} else {
			err = f.emit(ctx, t, ev)
		}
		var bad *QuarantineError
		if !errors.As(err, &bad) {
			return err
		}
		f.quarantine(t, err)
	}
	return f.letter(ctx, t, frame, ev.Position, ev.CommitMicros)
}

