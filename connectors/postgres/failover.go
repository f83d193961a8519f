package postgres

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/hopluu/hopluu/schemas/event"
	"github.com/jackc/pglogrepl"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// failoverFrom is the first version of PostgreSQL whose standbys keep copies of
// logical slots.
const failoverFrom = 17

// CheckFailover refuses servers that cannot make a slot of which standbys keep a
// copy.
func CheckFailover(ctx context.Context, conn *pgx.Conn) error {
	version := conn.PgConn().ParameterStatus("server_version")
	if majorVersion(version) < failoverFrom {
		return &ConfigError{Reason: fmt.Sprintf("failover: true needs PostgreSQL %d, the server has %s: take it out of the source's configuration", failoverFrom, version)}
	}
	standby, err := InRecovery(ctx, conn)
	if err != nil {
		return err
	}
	if standby {
		return &ConfigError{Reason: "failover: true is for a slot on the primary, and the dsn leads to a standby: take it out of the source's configuration, or give the primary's dsn"}
	}
	return nil
}

// KeepFailover makes a slot that nobody reads one of which standbys keep a copy,
// if it is not.
func KeepFailover(ctx context.Context, repl *pgconn.PgConn, conn *pgx.Conn, slot string) error {
	var failover bool
	err := conn.QueryRow(ctx, `SELECT coalesce((to_jsonb(s) ->> 'failover')::boolean, false) FROM pg_replication_slots s WHERE slot_name = $1`, slot).Scan(&failover)
	if err != nil {
		return fmt.Errorf("read the state of slot %s: %w", slot, err)
	}
	if failover {
		return nil
	}
	if _, err := repl.Exec(ctx, "ALTER_REPLICATION_SLOT "+slot+" (FAILOVER true)").ReadAll(); err != nil {
		return fmt.Errorf("let standbys keep a copy of slot %s: %w", slot, Mend(err))
	}
	return nil
}

// StandbysAway lists the slots of synchronized_standby_slots that no standby
// reads: as long as there is one, the server sends a failover slot nothing new.
func StandbysAway(ctx context.Context, conn *pgx.Conn) ([]string, error) {
	rows, err := conn.Query(ctx, `
		SELECT DISTINCT name FROM (SELECT trim(both ' "' FROM unnest(string_to_array(current_setting('synchronized_standby_slots'), ','))) AS name) AS named
		WHERE name <> '' AND NOT EXISTS (SELECT FROM pg_replication_slots WHERE slot_name = name AND active)
		ORDER BY name`)
	var names []string
	if err == nil {
		names, err = pgx.CollectRows(rows, pgx.RowTo[string])
	}
	if err != nil {
		return nil, fmt.Errorf("read synchronized_standby_slots: %w", err)
	}
	return names, nil
}

// InRecovery tells whether the server is a standby.
func InRecovery(ctx context.Context, conn *pgx.Conn) (standby bool, err error) {
	if err = conn.QueryRow(ctx, `SELECT pg_is_in_recovery()`).Scan(&standby); err != nil {
		return false, fmt.Errorf("ask whether the server is a standby: %w", err)
	}
	return standby, nil
}

// Timeline is that of a server which is no standby; false for a standby.
func Timeline(ctx context.Context, conn *pgx.Conn) (timeline int32, primary bool, err error) {
	var hex *string // the first eight digits of a WAL file's name
	if err := conn.QueryRow(ctx, `SELECT CASE WHEN NOT pg_is_in_recovery() THEN left(pg_walfile_name(pg_current_wal_lsn()), 8) END`).Scan(&hex); err != nil {
		return 0, false, fmt.Errorf("ask for the timeline: %w", err)
	}
	if hex == nil {
		return 0, false, nil
	}
	n, err := strconv.ParseInt(*hex, 16, 32)
	if err != nil {
		return 0, false, fmt.Errorf("ask for the timeline: %w", err)
	}
	return int32(n), true, nil
}

// TimelineEnd asks where the history of the server's timeline left another one;
// 0 when it does not come from there.
func TimelineEnd(ctx context.Context, repl *pgconn.PgConn, timeline, of int32) (event.LSN, error) {
	if timeline <= 1 || of >= timeline {
		return 0, nil // the first has no history
	}
	result, err := pglogrepl.TimelineHistory(ctx, repl, timeline)
	if err != nil {
		return 0, fmt.Errorf("read the history of timeline %d: %w", timeline, Mend(err))
	}
	return timelineEnd(result.Content, of)
}

// timelineEnd reads a history file: a line a timeline, with its number, where
// it ends, and why.
func timelineEnd(history []byte, of int32) (event.LSN, error) {
	lines := bufio.NewScanner(bytes.NewReader(history))
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		if len(fields) < 2 || strings.HasPrefix(fields[0], "#") {
			continue
		}
		n, err := strconv.ParseInt(fields[0], 10, 32)
		if err != nil {
			return 0, fmt.Errorf("the history of a timeline has the line %q", lines.Text())
		}
		if int32(n) == of {
			return event.ParseLSN(fields[1])
		}
	}
	return 0, lines.Err()
}

// LogRunning makes a primary write down which transactions run, which a slot
// that is made on its standby waits for. A role that may not do that writes a
// heartbeat: the server then writes it down by itself within a quarter of a
// minute.
func LogRunning(ctx context.Context, primary *pgx.Conn) error {
	_, err := primary.Exec(ctx, `SELECT pg_log_standby_snapshot()`)
	var pgErr *pgconn.PgError
	if errors.As(err, &pgErr) && pgErr.Code == "42501" {
		return Heartbeat(ctx, primary, "a slot is being made on a standby")
	}
	if err != nil {
		return fmt.Errorf("ask the primary to log its running transactions: %w", err)
	}
	return nil
}
