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
// none that it does. failover makes it one that standbys keep a copy of.
func CreateSlot(ctx context.Context, conn *pgconn.PgConn, name string, failover bool) (Snapshot, error) {
	if failover {
		return createSlot(ctx, conn, name, "LOGICAL pgoutput (SNAPSHOT 'export', FAILOVER true)")
	}
	return createSlot(ctx, conn, name, "LOGICAL pgoutput EXPORT_SNAPSHOT")
}

// ExportSnapshot exports a snapshot at an exact LSN by way of a slot that goes
// with the connection. A plain transaction cannot do it: one that has written
// its commit record but is not yet visible would be below the LSN and yet
// missing.
func ExportSnapshot(ctx context.Context, conn *pgconn.PgConn, name string) (Snapshot, error) {
	return createSlot(ctx, conn, name, "TEMPORARY LOGICAL pgoutput EXPORT_SNAPSHOT")
}

func createSlot(ctx context.Context, conn *pgconn.PgConn, name, kind string) (Snapshot, error) {
	result, err := pglogrepl.ParseCreateReplicationSlot(conn.Exec(ctx, "CREATE_REPLICATION_SLOT "+name+" "+kind))
	if err != nil {
		return Snapshot{}, fmt.Errorf("create replication slot %s: %w", name, Mend(err))
	}
	lsn, err := event.ParseLSN(result.ConsistentPoint)
	if err != nil {
		return Snapshot{}, fmt.Errorf("create replication slot %s: %w", name, err)
	}
	return Snapshot{Name: result.SnapshotName, LSN: lsn}, nil
}

// ReleaseSlot ends the connection that still reads the slot, if there is one,
// and waits until it is gone. It is for a reader that is known to be dead or
// fenced: its half-open connection would hold the slot until the server gives
// it up.
func ReleaseSlot(ctx context.Context, conn *pgx.Conn, name string) error {
	for {
		// The second argument makes the server wait for the end.
		var ended bool
		err := conn.QueryRow(ctx, `SELECT pg_terminate_backend(active_pid, 5000) FROM pg_replication_slots WHERE slot_name = $1 AND active`, name).Scan(&ended)
		if errors.Is(err, pgx.ErrNoRows) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("replication slot %s is in use by another connection: %w", name, Mend(err))
		}
		if !ended {
			return fmt.Errorf("replication slot %s is in use by another connection, which does not end", name)
		}
	}
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
	var confirmed, elsewhere, reason *string
	var lost bool
	err = conn.QueryRow(ctx, `
		SELECT confirmed_flush_lsn::text, coalesce(wal_status = 'lost', false), to_jsonb(s) ->> 'invalidation_reason', active,
		       CASE WHEN plugin IS DISTINCT FROM 'pgoutput' OR database IS DISTINCT FROM current_database() THEN coalesce(database, 'no database') || ' (' || coalesce(plugin, 'physical') || ')' END
		FROM pg_replication_slots s WHERE slot_name = $1`, slot).Scan(&confirmed, &lost, &reason, &server.SlotActive, &elsewhere)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return server, nil
	case err != nil:
		return checkpoint.Server{}, fmt.Errorf("read the state of slot %s: %w", slot, err)
	}
	if elsewhere != nil {
		return checkpoint.Server{}, &ConfigError{Reason: fmt.Sprintf("replication slot %s belongs to %s: slots are shared by all databases of a server, so give this source another slot name", slot, *elsewhere)}
	}
	server.SlotExists, server.SlotLost = true, lost
	if lost {
		server.LostReason = lostReason(reason)
	}
	if confirmed != nil {
		if server.SlotConfirmed, err = event.ParseLSN(*confirmed); err != nil {
			return checkpoint.Server{}, err
		}
	}
	return server, nil
}

// lostReason says why a server gave a slot up; servers before 17 do not tell.
func lostReason(reason *string) string {
	switch {
	case reason == nil || *reason == "wal_removed":
		return "its WAL went beyond max_slot_wal_keep_size"
	case *reason == "rows_removed":
		return "rows that it needs were removed: set hot_standby_feedback = on on the standby"
	case *reason == "wal_level_insufficient":
		return "wal_level of the primary was not logical for a while"
	}
	return *reason
}

// SlotStatus is what a slot holds back.
type SlotStatus struct {
	Exists, Active, Lost bool
	// LostReason says why the server gave the slot up.
	LostReason string
	// BehindBytes of WAL were written after what we confirmed.
	BehindBytes int64
	// RetainedBytes of WAL are kept on the server's disk because of the slot.
	RetainedBytes int64
	// SafeBytes may still be written before the server gives the slot up; nil
	// when max_slot_wal_keep_size sets no limit.
	SafeBytes *int64
	// WrittenTo is the server's present position in its WAL.
	WrittenTo event.LSN
	// Confirmed is the slot's confirmed_flush_lsn.
	Confirmed event.LSN
}

// writtenTo is how far the server's log goes, as a table of one row: on a
// standby, what it has replayed.
const writtenTo = `(SELECT CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END) AS log(written)`

// ReadSlotStatus asks the server.
func ReadSlotStatus(ctx context.Context, conn *pgx.Conn, slot string) (SlotStatus, error) {
	var s SlotStatus
	var written, confirmed string
	var reason *string
	err := conn.QueryRow(ctx, `
		SELECT active, coalesce(wal_status = 'lost', false),
		       coalesce(pg_wal_lsn_diff(written, confirmed_flush_lsn), 0)::bigint,
		       coalesce(pg_wal_lsn_diff(written, restart_lsn), 0)::bigint, safe_wal_size, written::text,
		       coalesce(confirmed_flush_lsn, '0/0')::text, to_jsonb(s) ->> 'invalidation_reason'
		FROM pg_replication_slots s, `+writtenTo+` WHERE slot_name = $1`, slot).Scan(&s.Active, &s.Lost, &s.BehindBytes, &s.RetainedBytes, &s.SafeBytes, &written, &confirmed, &reason)
	if errors.Is(err, pgx.ErrNoRows) {
		return SlotStatus{}, nil
	}
	if err != nil {
		return SlotStatus{}, fmt.Errorf("read the status of slot %s: %w", slot, err)
	}
	s.Exists = true
	if s.Lost {
		s.LostReason = lostReason(reason)
	}
	if s.WrittenTo, err = event.ParseLSN(written); err != nil {
		return SlotStatus{}, err
	}
	if s.Confirmed, err = event.ParseLSN(confirmed); err != nil {
		return SlotStatus{}, err
	}
	return s, nil
}

// SystemID names the cluster that the server is of; empty when its owner lets
// not everyone ask (EXECUTE on pg_control_system), which no other question
// depends on.
func SystemID(ctx context.Context, conn *pgx.Conn) (id string, err error) {
	err = conn.QueryRow(ctx, "SELECT system_identifier::text FROM pg_control_system()").Scan(&id)
	var refused *pgconn.PgError
	if errors.As(err, &refused) && refused.Code == "42501" { // insufficient_privilege
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("ask for the system id: %w", err)
	}
	return id, nil
}

// WrittenTo is how far the server has written its log, or replayed it on a
// standby: a snapshot that is exported later is at or above it, and so is every
// change that commits later.
func WrittenTo(ctx context.Context, conn *pgx.Conn) (event.LSN, error) {
	var text string
	err := conn.QueryRow(ctx, `SELECT CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_insert_lsn() END::text`).Scan(&text)
	if err != nil {
		return 0, fmt.Errorf("read the position of the log: %w", err)
	}
	return event.ParseLSN(text)
}
