package connectors

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hopluu/hopluu/connectors/postgres"
	"github.com/hopluu/hopluu/connectors/postgres/pgoutput"
	"github.com/hopluu/hopluu/connectors/postgres/txn"
	"github.com/hopluu/hopluu/schemas/event"
)

// frame takes in one message of the stream. Nothing after a message that we
// cannot read or place may be confirmed (P3): the error ends the session.
func (f *follower) frame(ctx context.Context, frame *postgres.Frame) error {
	if frame.Data == nil {
		if !f.inTransaction {
			f.idle = max(f.idle, frame.WALEnd)
		}
		if frame.Reply {
			return f.source.Confirm(ctx, f.checkpoint.Confirmed)
		}
		return nil
	}
	step, err := f.assembler.Take(frame.Data)
	if err != nil {
		return f.unplaced(err)
	}
	switch step {
	case txn.Kept:
		return nil
	case txn.Commit:
		return f.committed(ctx)
	}
	return f.message(ctx, frame.Data)
}

// message takes in one message of a transaction that is sent whole, or was put
// together.
func (f *follower) message(ctx context.Context, data []byte) error {
	message, err := f.decoder.Decode(data)
	if err != nil {
		return f.broken("%w", err)
	}
	switch m := message.(type) {
	case *pgoutput.Begin:
		if f.inTransaction {
			return f.broken("a transaction begins within another")
		}
		f.inTransaction, f.begun, f.messageLSN = true, false, 0
		f.position = event.Position{Epoch: f.checkpoint.Epoch, LSN: m.FinalLSN}
		f.xid, f.micros = m.Xid, m.CommitMicros
	case *pgoutput.Commit:
		if !f.inTransaction || m.CommitLSN != f.position.LSN {
			return f.broken("the commit at %s is of no transaction that began", m.CommitLSN)
		}
		if err := f.end(ctx); err != nil {
			return err
		}
		f.inTransaction = false
		f.complete = m.EndLSN
	case *pgoutput.Relation:
		return f.relation(ctx, data, m)
	case *pgoutput.Insert:
		return f.row(ctx, data, m.Relation, event.Event{Op: event.Create, After: m.New})
	case *pgoutput.Update:
		return f.update(ctx, data, m)
	case *pgoutput.Delete:
		return f.row(ctx, data, m.Relation, event.Event{Op: event.Delete, Before: m.Old, BeforeKeyOnly: m.OldKind == pgoutput.OldKey})
	case *pgoutput.Truncate:
		for _, id := range m.Relations {
			if err := f.row(ctx, data, id, event.Event{Op: event.Truncate}); err != nil {
				return err
			}
		}
	case *pgoutput.LogicalMessage:
		return f.logicalMessage(ctx, data, m)
	case *pgoutput.Type, *pgoutput.Origin:
		// They carry nothing that a row needs.
	default:
		return f.broken("a message %T that was not asked for", message)
	}
	return nil
}

// broken is the error of a stream that cannot be what the server wrote.
func (f *follower) broken(format string, args ...any) error {
	return fmt.Errorf("replication stream, after %s: %w: the stream is broken, and nothing of it is confirmed", f.position, fmt.Errorf(format, args...))
}

// update takes a change of key apart, as Debezium does: the old key is deleted
// (with a tombstone), the new one created. An update with an old image always
// takes two places in its transaction, so that its ordinals depend on the
// message alone and not on what we hold for the key today (P6).
func (f *follower) update(ctx context.Context, frame []byte, m *pgoutput.Update) error {
	ev := event.Event{Op: event.Update, Before: m.Old, BeforeKeyOnly: m.OldKind == pgoutput.OldKey, After: m.New}
	t := f.tables[m.Relation]
	switch {
	case m.OldKind == pgoutput.OldNone:
	case t != nil && keyChanged(t, m.Old, m.New):
		if err := f.row(ctx, frame, m.Relation, event.Event{Op: event.Delete, Before: m.Old, BeforeKeyOnly: ev.BeforeKeyOnly}); err != nil {
			return err
		}
		ev = event.Event{Op: event.Create, After: m.New}
		if err := f.reselect(ctx, t, &ev); err != nil {
			return err
		}
	default:
		f.position.Ordinal++
		if t != nil {
			t.order.next(f.position.LSN)
		}
	}
	if t != nil && ev.Op == event.Update {
		if f.torn(t.name()) {
			if err := f.reselect(ctx, t, &ev); err != nil {
				return err
			}
		}
	}
	return f.row(ctx, frame, m.Relation, ev)
}

func keyChanged(t *table, before, after event.Row) bool {
	for _, i := range t.key {
		if i < len(before) && i < len(after) && before[i].State == event.Present && after[i].State == event.Present && !bytes.Equal(before[i].Text, after[i].Text) {
			return true
		}
	}
	return false
}

// reselect fills in the values that the event, the next of its transaction,
// does not have (P4).
func (f *follower) reselect(ctx context.Context, t *table, ev *event.Event) error {
	var columns []int
	for i, v := range ev.After {
		if v.State == event.Unchanged && t.sector.Captures(t.relation.Columns[i].Name) {
			columns = append(columns, i)
		}
	}
	next := f.position
	next.Ordinal++
	if len(columns) == 0 || t.reason != "" || f.checkpoint.Produced(next) {
		return nil
	}
	values, found, err := postgres.Reselect(ctx, f.sql, f.xid, t.relation, t.key, ev.After, columns)
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
		return f.broken("relation %d was never described", relationID)
	}
	if !f.inTransaction {
		return f.broken("a change outside a transaction")
	}
	f.position.Ordinal++
	ev.Position, ev.TxID, ev.CommitMicros = f.position, f.xid, f.micros
	ev.TableOrder = t.order.next(f.position.LSN)
	t.order.events++
	if f.checkpoint.Produced(ev.Position) {
		f.begun = true
		return nil // sent again after a restart
	}
	if err := f.begin(ctx); err != nil {
		return err
	}
	f.touch()
	if err := f.produce(ctx, t, frame, &ev); err != nil {
		return err
	}
	if f.full() {
		return f.commit(ctx)
	}
	return nil
}

// touch notes that the open Kafka transaction has something to be committed.
func (f *follower) touch() {
	if !f.dirty {
		f.dirty, f.opened = true, time.Now()
	}
}

func (f *follower) produce(ctx context.Context, t *table, frame []byte, ev *event.Event) error {
	was := ev.Op
	if ev.Op != event.Truncate && (!t.guard.Admit(ev) || t.reason != "" && ev.Op != was) {
		// P12: no topic has it, that of the dead letters neither.
		f.keptOut(t.name(), 1)
		return nil
	}
	if t.reason == "" {
		var key []byte
		var err error
		if ev.Op == event.Truncate {
			err = f.everywhere(ctx, t, ev)
		} else {
			key, err = f.emit(ctx, t, ev)
		}
		if err == nil {
			f.reading.note(t.name(), ev.Op, key, ev.Position.LSN)
		}
		var bad *QuarantineError
		if !errors.As(err, &bad) {
			return err
		}
		if f.superseded(t) {
			return f.letter(ctx, t, frame, ev.Position, ev.CommitMicros, err.Error())
		}
		t.reason = err.Error()
		f.quarantine(t.name(), err)
	} else if t.provisional && !f.superseded(t) {
		if _, ok := f.sectorTable(t.relation); !ok {
			// What comes of it is kept, not skipped (P3), until a person decides.
			if _, err := f.Kafka.Ensure(ctx, f.Topics.deadLetterSpec(DeadLetters(f.Source, t.sector))); err != nil {
				return err
			}
		}
		t.provisional = false
		f.quarantine(t.name(), errors.New(t.reason))
	}
	return f.letter(ctx, t, frame, ev.Position, ev.CommitMicros, t.reason)
}
