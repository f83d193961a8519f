package postgres

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// SlotBlockers names the transactions for whose end the making of a slot waits,
// by process and user. Anyone may see that much of others, though not how long
// they are open. It is empty when the server waits for nobody.
func SlotBlockers(ctx context.Context, conn *pgx.Conn, slot string) ([]string, error) {
	rows, err := conn.Query(ctx, `
		SELECT DISTINCT CASE WHEN by = 0 THEN 'a prepared transaction (see pg_prepared_xacts)'
		                     ELSE format('process %s of %s in %s', by, coalesce(b.usename, '?'), coalesce(b.datname, '?')) END
		FROM pg_stat_activity w CROSS JOIN unnest(pg_blocking_pids(w.pid)) AS by LEFT JOIN pg_stat_activity b ON b.pid = by
		WHERE w.usename = current_user AND starts_with(w.query, 'CREATE_REPLICATION_SLOT ' || $1) ORDER BY 1`, slot)
	if err != nil {
		return nil, fmt.Errorf("ask for whom the slot waits: %w", err)
	}
	all, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, fmt.Errorf("ask for whom the slot waits: %w", err)
	}
	return all, nil
}
