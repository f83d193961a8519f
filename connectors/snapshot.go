package connectors

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"

	"github.com/hopluu/hopluu/connectors/postgres"
	"github.com/hopluu/hopluu/connectors/postgres/checkpoint"
	"github.com/hopluu/hopluu/schemas/event"
	"github.com/jackc/pgx/v5/pgconn"
)

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

// snapshot reads the tables that are not complete. fresh is the snapshot of a
// slot that was just made; otherwise a new one is exported at an exact LSN, and
// the rows are stamped with that: changes that commit before it order before
// the row, changes after it after, whatever the order in which they are
// delivered (P5).
func (s *session) snapshot(ctx context.Context, repl *pgconn.PgConn, fresh *postgres.Snapshot) error {
	pending := s.pending()
	if len(pending) == 0 {
		return nil
	}
	s.setState(fmt.Errorf("snapshot: %d tables to read", len(pending)))
	snapshot := fresh
	if snapshot == nil {
		var exported postgres.Snapshot
		err := s.making(ctx, func() (err error) {
			exported, err = postgres.ExportSnapshot(ctx, repl, s.Slot+"_snapshot")
			return err
		})
		if err != nil {
			return err
		}
		snapshot = &exported
	}
	if err := s.readTables(ctx, *snapshot, pending); err != nil {
		return err
	}
	if fresh == nil {
		// The slot of the exported snapshot must not outlive it: it would hold
		// WAL back (P7).
		return dropTemporary(ctx, repl, s.Slot+"_snapshot")
	}
	return nil
}

func dropTemporary(ctx context.Context, repl *pgconn.PgConn, slot string) error {
	if _, err := repl.Exec(ctx, "DROP_REPLICATION_SLOT "+slot).ReadAll(); err != nil {
		return fmt.Errorf("drop the snapshot's slot: %w", err)
	}
	return nil
}

// readTables reads each table in a transaction of its own on the one snapshot:
// its lock is let go as soon as it is read, and an ALTER TABLE waits for one
// table at the most (P7).
func (s *session) readTables(ctx context.Context, snapshot postgres.Snapshot, pending []string) error {
	for _, name := range pending {
		reader, err := postgres.OpenReader(ctx, s.DSN, snapshot)
		if err != nil {
			return err
		}
		err = s.readTable(ctx, reader, snapshot, name)
		var bad *QuarantineError
		if errors.As(err, &bad) {
			s.quarantine(name, err)
			// The rows read so far stay in the open transaction; they are right.
			err = s.save(ctx)
		}
		bound, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeBound)
		err = errors.Join(err, reader.Close(bound))
		cancel()
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *session) readTable(ctx context.Context, reader *postgres.Reader, snapshot postgres.Snapshot, name string) error {
	schema, tableName, _ := strings.Cut(name, ".")
	extent, err := reader.Hold(ctx, schema, tableName)
	if errors.Is(err, postgres.ErrNoTable) {
		return &postgres.ConfigError{Reason: fmt.Sprintf("sector %s describes table %s, which database %s does not have: create it, or take it out of the sector file", s.Sector.Sector, name, s.database)}
	}
	if err != nil {
		return err
	}
	relation, err := s.catalog.Relation(ctx, schema, tableName)
	if err != nil {
		return err
	}
	shapes, err := s.catalog.Shapes(ctx, s.Publication, name)
	if err != nil {
		return err
	}
	if shapes[name].Published == 0 {
		return &postgres.ConfigError{Reason: fmt.Sprintf("table %s is not in publication %s, so its changes would not be sent: run 'hopluu connector enable %s'", name, s.Publication, s.Source)}
	}
	if relation, err = s.narrow(ctx, relation); err != nil {
		return err
	}
	t, err := s.compile(ctx, relation)
	if err != nil {
		return err
	}
	shape := shapes[name]
	shape.Parts = extent.Parts // not one that was attached since
	return s.readRanges(ctx, reader, snapshot, t, extent, shape)
}

// begun is where the reading of a table stands: where it was left, or at its
// beginning when the blocks that were read are no longer these blocks, or their
// rows no longer these rows.
func begun(state checkpoint.Table, extent postgres.Extent, shape checkpoint.Shape, lsn event.LSN) checkpoint.Table {
	if state.NextBlock == 0 || state.Relfilenode != extent.Relfilenode || state.Outdated(shape) != "" {
		state = checkpoint.Table{Restart: state.Restart, From: lsn}
	}
	state = state.Seen(shape)
	state.Relfilenode, state.To = extent.Relfilenode, lsn
	return state
}

func (s *session) readRanges(ctx context.Context, reader *postgres.Reader, snapshot postgres.Snapshot, t *table, extent postgres.Extent, shape checkpoint.Shape) error {
	state := begun(s.checkpoint.Tables[t.name()], extent, shape, snapshot.LSN)
	ev := event.Event{Op: event.Read, Snapshot: true, CommitMicros: reader.Micros,
		Position: event.Position{Epoch: s.checkpoint.Epoch, LSN: snapshot.LSN}}
	log := s.Log.With("table", t.name())
	log.Info("snapshot of a table", "lsn", snapshot.LSN.String(), "from_block", state.NextBlock, "blocks", extent.Blocks)
	for !state.Complete {
		to := state.NextBlock + postgres.RangeBlocks
		last := extent.Whole || to >= extent.Blocks
		if last {
			to = 0
		}
		err := reader.Read(ctx, t.relation, extent, state.NextBlock, to, func(row event.Row) error {
			ev.After = row
			if err := s.emit(ctx, t, &ev); err != nil {
				return err
			}
			state.Rows++
			if rows, bytes := s.producer.Pending(); rows >= transactionRows || bytes >= transactionBytes {
				// The range is not done: the checkpoint still says so, and after
				// a crash its rows are read again with a later LSN.
				return s.save(ctx)
			}
			return nil
		})
		if err != nil {
			return err
		}
		state.NextBlock, state.Complete = to, last
		if last && state.Restart {
			if err := s.mark(ctx, t, state, reader.Micros); err != nil {
				return err
			}
			state.Restart = false
		}
		s.setTable(t.name(), state)
		if err := s.save(ctx); err != nil {
			return err
		}
	}
	log.Info("snapshot of a table complete", "rows", state.Rows)
	return nil
}

// mark ends a snapshot of a table of which readers may hold rows: what they
// hold below its first row is gone (case 35). At the end, and not a truncate at
// the beginning: no reader is short of a row meanwhile. The marker's place is
// before every row of the snapshot and after every change that commits below
// its LSN.
func (s *session) mark(ctx context.Context, t *table, state checkpoint.Table, micros int64) error {
	ev := event.Event{Op: event.Marker, CommitMicros: micros,
		Position: event.Position{Epoch: s.checkpoint.Epoch, LSN: state.From - 1, Ordinal: math.MaxUint32}}
	return s.everywhere(ctx, t, &ev)
}
