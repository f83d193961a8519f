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

// snapshot reads the tables that are not complete. fresh is the snapshot of a
// slot that was just made; otherwise a new one is exported at an exact LSN, and
// the rows are stamped with that: changes that commit before it order before
// the row, changes after it after, whatever the order in which they are
// delivered (P5).
func (s *session) snapshot(ctx context.Context, repl *pgconn.PgConn, fresh *postgres.Snapshot) error {
	var names []string
	for _, t := range s.Sector.Tables {
		names = append(names, t.Schema+"."+t.Name)
	}
	pending := s.checkpoint.Pending(names)
	if len(pending) == 0 {
		return nil
	}
	s.setState(fmt.Errorf("snapshot: %d tables to read", len(pending)))
	snapshot := fresh
	if snapshot == nil {
		exported, err := postgres.ExportSnapshot(ctx, repl, s.Slot+"_snapshot")
		if err != nil {
			return err
		}
		snapshot = &exported
	}
	reader, err := postgres.OpenReader(ctx, s.DSN, *snapshot)
	if err != nil {
		return err
	}
	err = s.readTables(ctx, reader, *snapshot, pending)
	closeCtx, cancel := context.WithTimeout(context.Background(), closeBound)
	defer cancel()
	if err = errors.Join(err, reader.Close(closeCtx)); err != nil {
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

func (s *session) readTables(ctx context.Context, reader *postgres.Reader, snapshot postgres.Snapshot, pending []string) error {
	for _, name := range pending {
		if s.checkpoint.Tables[name].Quarantined != "" {
			continue
		}
		err := s.readTable(ctx, reader, snapshot, name)
		var bad *QuarantineError
		if errors.As(err, &bad) {
			// The rows read so far stay in the open transaction; they are right.
			if err := saveCheckpoint(ctx, s.producer, s.Source, s.checkpoint); err != nil {
				return err
			}
			continue
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *session) readTable(ctx context.Context, reader *postgres.Reader, snapshot postgres.Snapshot, name string) error {
	schema, tableName, _ := strings.Cut(name, ".")
	relation, err := s.catalog.Relation(ctx, schema, tableName)
	if errors.Is(err, postgres.ErrNoTable) {
		return &postgres.ConfigError{Reason: fmt.Sprintf("sector %s describes table %s, which database %s does not have (or hides from this role): create it, grant it with 'hopluu connector enable', or take it out of the sector file", s.Sector.Sector, name, s.database)}
	}
	if err != nil {
		return err
	}
	t, err := s.compile(ctx, relation)
	if err == nil {
		err = s.readRanges(ctx, reader, snapshot, t)
	}
	var bad *QuarantineError
	if errors.As(err, &bad) {
		s.quarantine(t, err)
	}
	return err
}

func (s *session) readRanges(ctx context.Context, reader *postgres.Reader, snapshot postgres.Snapshot, t *table) error {
	extent, err := reader.Extent(ctx, t.relation)
	if err != nil {
		return err
	}
	state := s.checkpoint.Tables[t.name()]
	if state.Relfilenode != extent.Relfilenode {
		// Rewritten since: the blocks that were read are not these blocks.
		state = checkpoint.Table{Relfilenode: extent.Relfilenode, Restart: state.Restart}
	}
	ev := event.Event{Op: event.Read, Snapshot: true, CommitMicros: reader.Micros,
		Position: event.Position{Epoch: s.checkpoint.Epoch, LSN: snapshot.LSN}}
	if state.Restart {
		// Before every row of this snapshot, after every change that commits
		// below its LSN.
		empty := event.Event{Op: event.Truncate, CommitMicros: reader.Micros,
			Position: event.Position{Epoch: s.checkpoint.Epoch, LSN: snapshot.LSN - 1, Ordinal: math.MaxUint32}}
		if err := s.truncate(ctx, t, &empty); err != nil {
			return err
		}
		state.Restart = false
	}
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
				// a crash its rows are read again with the same or a later LSN.
				return saveCheckpoint(ctx, s.producer, s.Source, s.checkpoint)
			}
			return nil
		})
		if err != nil {
			return err
		}
		state.NextBlock, state.Complete = to, last
		s.checkpoint.Tables[t.name()] = state
		if err := saveCheckpoint(ctx, s.producer, s.Source, s.checkpoint); err != nil {
			return err
		}
	}
	log.Info("snapshot of a table complete", "rows", state.Rows)
	return nil
}
