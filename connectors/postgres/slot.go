package postgres

import (
	"context"
	"errors"
	"fmt"

	"github.com/hopluu/hopluu/connectors/postgres/checkpoint"
	"github.com/hopluu/hopluu/schemas/event"
	"github.com/jackc/pglogrepl"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// Snapshot is an exported snapshot: what the database was at the LSN. It lives
// as long as the replication connection that made it runs no other command.
type Snapshot struct {
	Name string
	LSN  event.LSN
}

// CreateSlot makes the slot and exports the snapshot of its consistent point:
// every transaction that the snapshot does not see will be in the stream, and
// none that it does.
func CreateSlot(ctx context.Context, conn *pgconn.PgConn, name string) (Snapshot, error) {
	return createSlot(ctx, conn, name, false)
}

// ExportSnapshot exports a snapshot at an exact LSN by way of a slot that goes
// with the connection. A plain transaction cannot do it: one that has written
// its commit record but is not yet visible would be below the LSN and yet
// missing.
func ExportSnapshot(ctx context.Context, conn *pgconn.PgConn, name string) (Snapshot, error) {
	return createSlot(ctx, conn, name, true)
}

func createSlot(ctx context.Context, conn *pgconn.PgConn, name string, temporary bool) (Snapshot, error) {
	result, err := pglogrepl.CreateReplicationSlot(ctx, conn, name, "pgoutput", pglogrepl.CreateReplicationSlotOptions{
		Temporary: temporary, SnapshotAction: "EXPORT_SNAPSHOT", Mode: pglogrepl.LogicalReplication,
	})
	if err != nil {
		return Snapshot{}, fmt.Errorf("create replication slot %s: %w", name, Mend(err))
	}
	lsn, err := event.ParseLSN(result.ConsistentPoint)
	if err != nil {
		return Snapshot{}, fmt.Errorf("create replication slot %s: %w", name, err)
	}
	return Snapshot{Name: result.SnapshotName, LSN: lsn}, nil
}

// DropSlot removes the slot if it is there; one that is in use is an error.
func DropSlot(ctx context.Context, conn *pgx.Conn, name string) error {
	_, err := conn.Exec(ctx, `SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = $1`, name)
	if err != nil {
		return fmt.Errorf("drop replication slot %s: %w", name, err)
	}
	return nil
}

// Inspect asks the server who it is and how our slot stands.
func Inspect(ctx context.Context, repl *pgconn.PgConn, conn *pgx.Conn, slot string) (checkpoint.Server, error) {
	system, err := pglogrepl.IdentifySystem(ctx, repl)
	if err != nil {
		return checkpoint.Server{}, fmt.Errorf("identify system: %w", Mend(err))
	}
	server := checkpoint.Server{SystemID: system.SystemID, Timeline: system.Timeline}
	var confirmed *string
	var lost bool
	err = conn.QueryRow(ctx, `SELECT confirmed_flush_lsn::text, coalesce(wal_status = 'lost', false) FROM pg_replication_slots WHERE slot_name = $1`, slot).Scan(&confirmed, &lost)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return server, nil
	case err != nil:
		return checkpoint.Server{}, fmt.Errorf("read the state of slot %s: %w", slot, err)
	}
	server.SlotExists, server.SlotLost = true, lost
	if lost {
		server.LostReason = "its WAL went beyond max_slot_wal_keep_size"
	}
	if confirmed != nil {
		if server.SlotConfirmed, err = event.ParseLSN(*confirmed); err != nil {
			return checkpoint.Server{}, err
		}
	}
	return server, nil
}

// SlotStatus is what a slot holds back.
type SlotStatus struct {
	Exists, Active, Lost bool
	// BehindBytes of WAL were written after what we confirmed.
	BehindBytes int64
	// RetainedBytes of WAL are kept on the server's disk because of the slot.
	RetainedBytes int64
	// SafeBytes may still be written before the server gives the slot up; nil
	// when max_slot_wal_keep_size sets no limit.
	SafeBytes *int64
}

// ReadSlotStatus asks the server.
func ReadSlotStatus(ctx context.Context, conn *pgx.Conn, slot string) (SlotStatus, error) {
	var s SlotStatus
	err := conn.QueryRow(ctx, `
		SELECT active, coalesce(wal_status = 'lost', false),
		       coalesce(pg_wal_lsn_diff(pg_current_wal_lsn(), confirmed_flush_lsn), 0)::bigint,
		       coalesce(pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn), 0)::bigint, safe_wal_size
		FROM pg_replication_slots WHERE slot_name = $1`, slot).Scan(&s.Active, &s.Lost, &s.BehindBytes, &s.RetainedBytes, &s.SafeBytes)
	if errors.Is(err, pgx.ErrNoRows) {
		return SlotStatus{}, nil
	}
	if err != nil {
		return SlotStatus{}, fmt.Errorf("read the status of slot %s: %w", slot, err)
	}
	s.Exists = true
	return s, nil
}
