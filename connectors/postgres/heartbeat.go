package postgres

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// MessagePrefix is the prefix of the logical messages that hopluu writes.
const MessagePrefix = "hopluu"

// Heartbeat writes a logical message to the database's log and to nothing else.
// It is a transaction of its own, so that the server writes it to the disk, and
// sends it, at once: an idle server would leave a message without one in memory
// for seconds. It costs the source a transaction number.
func Heartbeat(ctx context.Context, conn *pgx.Conn, content string) error {
	_, err := conn.Exec(ctx, `SELECT pg_logical_emit_message(true, $1, $2)`, MessagePrefix, content)
	var pgErr *pgconn.PgError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &pgErr) && pgErr.Code == "25006": // read_only_sql_transaction
		return errors.New("the server is a standby, which takes no heartbeat: give the primary's connection string as primary_dsn")
	case errors.As(err, &pgErr) && pgErr.Code == "42501": // insufficient_privilege
		return fmt.Errorf("the role may not write logical messages (%s): run GRANT EXECUTE ON FUNCTION pg_logical_emit_message TO it, or set heartbeat: 0s", pgErr.Message)
	}
	return fmt.Errorf("write a heartbeat: %w", err)
}
