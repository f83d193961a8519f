package connectors

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/hopluu/hopluu/connectors/postgres"
	"github.com/hopluu/hopluu/connectors/postgres/checkpoint"
	"github.com/hopluu/hopluu/schemas/event"
)

// Load limits what a snapshot asks of a source (P7).
type Load struct {
	// Connections is how many read at a time; 0 is 2.
	Connections int
	// RowsPerSecond is how many rows they read together; 0 sets no limit.
	RowsPerSecond int
}

func (l Load) connections() int {
	if l.Connections <= 0 {
		return 2
	}
	return l.Connections
}

// rangeBlocks is how many blocks a range has at most. A range that is read
// slowly is smaller, for its table stays locked until its end (P7).
func (l Load) rangeBlocks() uint32 {
	if l.RowsPerSecond <= 0 {
		return postgres.RangeBlocks
	}
	const rowsPerBlock, seconds = 50, 2
	return uint32(min(postgres.RangeBlocks, max(8, seconds*l.RowsPerSecond/rowsPerBlock)))
}

// readPause is how long to wait before tables are tried again that could not be
// read to their end.
const readPause = 2 * time.Second

// noSnapshotPause is how long to wait when no snapshot can be taken.
const noSnapshotPause = 10 * time.Second

// pending are the tables to read, in the sector's order. A quarantined one
// waits for a person.
func (s *session) pending() []string {
	var names []string
	for _, name := range s.checkpoint.Pending(s.names()) {
		if s.checkpoint.Tables[name].Quarantined == "" {
			names = append(names, name)
		}
	}
	return names
}

// snapshotFirst reads the tables as the new slot's own snapshot sees them,
// before the stream begins: the slot stays where it was made until the rows are
// acknowledged (case 05). What cannot be read yet is read beside the stream.
func (s *session) snapshotFirst(ctx context.Context, fresh *postgres.Snapshot) error {
	pending := s.pending()
	if len(pending) == 0 {
		return nil
	}
	s.setState(fmt.Errorf("snapshot: %d tables to read", len(pending)))
	r, err := s.read(ctx, pending, fresh)
	if err != nil {
		return err
	}
	defer r.stop()
	tick := time.NewTicker(transactionWait)
	defer tick.Stop()
	for !r.over() {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case rep := <-r.reports:
			if err := r.take(ctx, rep); err != nil {
				return err
			}
		case <-tick.C:
			s.showReading()
		}
		if s.full() || !s.waiting.IsZero() && time.Since(s.waiting) >= rowsWait {
			if err := s.save(ctx); err != nil {
				return err
			}
		}
	}
	s.showReading()
	if err := s.markers(ctx, 0); err != nil {
		return err
	}
	return s.save(ctx)
}

// rowsWait is how long rows of a snapshot may wait in an open transaction.
const rowsWait = time.Second

// full tells whether the open transaction is as large as one may be (P8).
func (s *session) full() bool {
	rows, bytes := s.producer.Pending()
	return rows >= transactionRows || bytes >= transactionBytes
}

// markers ends the new snapshots of tables of which readers may hold rows: what
// they hold below a snapshot's first row is gone (case 35). At the end, and not
// a truncate at the beginning: no reader is short of a row meanwhile. The
// marker's place is before every row of the snapshot and after every change
// that commits below its LSN. When ranges were read at several LSNs, a row that
// moved between them is in the stream alone, so the marker waits until the
// stream has reached the last of them.
func (s *session) markers(ctx context.Context, reached event.LSN) error {
	for _, name := range slices.Sorted(maps.Keys(s.checkpoint.Tables)) {
		state := s.checkpoint.Tables[name]
		if !state.Restart || !state.Complete || state.Quarantined != "" || state.From < state.To && reached < state.To {
			continue
		}
		err := s.mark(ctx, name, state)
		var bad *QuarantineError
		switch {
		case errors.As(err, &bad):
			s.quarantine(name, err)
			continue
		case errors.Is(err, postgres.ErrNoTable):
			continue // watch says it
		case err != nil:
			return err
		}
		state.Restart = false
		s.setTable(name, state)
		s.Log.Info("the new snapshot is whole: rows that it did not find are gone", "table", name)
	}
	return nil
}

func (s *session) mark(ctx context.Context, name string, state checkpoint.Table) error {
	schema, table, _ := strings.Cut(name, ".")
	relation, err := s.catalog.Relation(ctx, schema, table)
	if err != nil {
		return err
	}
	if relation, err = s.narrow(ctx, relation); err != nil {
		return err
	}
	t, err := s.compile(ctx, relation)
	if err != nil {
		return err
	}
	ev := event.Event{Op: event.Marker, CommitMicros: state.Micros,
		Position: event.Position{Epoch: s.checkpoint.Epoch, LSN: state.From - 1, Ordinal: math.MaxUint32}}
	return s.everywhere(ctx, t, &ev)
}

// readBehind is how far behind the end of the log the stream may be when a
// snapshot is taken: it waits for the stream, and holds back VACUUM meanwhile.
const readBehind = 16 << 20

// reached is how far everything was received.
func (f *follower) reached() event.LSN { return max(f.complete, f.idle) }

// beginReading begins to read what is to be read, beside the stream.
func (f *follower) beginReading(ctx context.Context) error {
	if f.reading != nil || time.Since(f.readingEnded) < readPause {
		return nil
	}
	pending := f.pending()
	if len(pending) == 0 {
		return nil
	}
	end, err := postgres.WrittenTo(ctx, f.sql)
	if err != nil || end > f.reached()+readBehind {
		return err
	}
	f.reading, err = f.read(ctx, pending, nil)
	return err
}

// reports are the readers', nil when nothing is read.
func (f *follower) reports() <-chan report {
	if f.reading == nil {
		return nil
	}
	return f.reading.reports
}

// readers takes a report in, and ends the reading when it was the last.
func (f *follower) readers(ctx context.Context, rep report) error {
	err := f.reading.take(ctx, rep)
	var none *noSnapshotError
	if errors.As(err, &none) && ctx.Err() == nil {
		// The tables wait; the stream of the others does not.
		f.Log.Error("tables that are to be read wait, the stream goes on", "tables", len(f.reading.works), "error", err, "again_in", noSnapshotPause.String())
		f.endReading()
		f.readingEnded = time.Now().Add(noSnapshotPause - readPause)
		return nil
	}
	if errors.Is(err, errForgotten) {
		f.Log.Info("the snapshot goes on with a newer one", "why", err)
		f.endReading()
		return nil
	}
	if err != nil {
		return err
	}
	if f.full() {
		if err := f.commit(ctx); err != nil {
			return err
		}
	}
	f.reading.start(f.reached())
	if f.reading.over() {
		f.endReading()
	}
	return nil
}

func (f *follower) endReading() {
	f.reading.stop()
	f.reading, f.readingEnded = nil, time.Now()
	f.showReading()
}

// readOn does what is due of the snapshots that are read beside the stream.
func (f *follower) readOn(ctx context.Context, now time.Time) error {
	f.showReading()
	if err := f.beginReading(ctx); err != nil {
		return err
	}
	f.reading.start(f.reached())
	if f.inTransaction {
		return nil
	}
	if err := f.markers(ctx, f.reached()); err != nil {
		return err
	}
	if !f.dirty && !f.waiting.IsZero() && now.Sub(f.waiting) >= transactionWait {
		return f.commit(ctx)
	}
	return nil
}

// torn tells whether the stream alone may have the row of the change that is
// being received: the snapshot then does not give what the change does not
// send (P4).
func (f *follower) torn(table string) bool {
	return f.reading.beside(table, f.position.LSN) || f.checkpoint.Tables[table].Torn(f.position.LSN)
}

// superseded tells whether the table was read whole, or will be, after the
// transaction that is being received: what cannot be encoded of it is kept as a
// dead letter, but the table is right without it and need not be set aside
// again.
func (f *follower) superseded(t *table) bool {
	state := f.checkpoint.Tables[t.name()]
	if state.Complete || state.Quarantined != "" || state.From > 0 {
		return state.Superseded(f.position.LSN)
	}
	return slices.Contains(f.names(), t.name()) && f.position.LSN < f.readFrom
}
