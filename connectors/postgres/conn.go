package postgres

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// session are the settings under which values have the one text that pgvalue
// reads, on every connection of ours, snapshot and stream alike (P5).
var session = map[string]string{
	"DateStyle":                   "ISO",
	"IntervalStyle":               "iso_8601",
	"TimeZone":                    "UTC",
	"extra_float_digits":          "1",
	"bytea_output":                "hex",
	"client_encoding":             "UTF8",
	"standard_conforming_strings": "on",
	"search_path":                 "pg_catalog",
	"application_name":            "hopluu",
	// Row-level security would hide rows from the snapshot that the stream
	// sends: with it off, such a table is refused, not read in part (P5).
	"row_security": "off",
	// The connection that exports a snapshot is idle in its transaction while
	// others read.
	"statement_timeout":                   "0",
	"idle_session_timeout":                "0",
	"idle_in_transaction_session_timeout": "0",
}

// sessionQuery sets what a connection cannot begin with: transaction_timeout,
// which servers before 17 do not know, and lc_monetary, whose value for others
// tells how many digits their money has (Catalog.moneyDigits).
const sessionQuery = `SELECT set_config('lc_monetary', 'C', false)
	UNION ALL SELECT set_config(name, '0', false) FROM pg_settings WHERE name = 'transaction_timeout'`

// Connect opens an ordinary connection for SQL.
func Connect(ctx context.Context, dsn string) (*pgx.Conn, error) {
	config, err := pgx.ParseConfig(dsn)
	if err != nil {
		return nil, &ConfigError{Reason: "dsn is not a PostgreSQL connection string", Err: err}
	}
	set(config.RuntimeParams)
	// A new column while a statement is prepared would make it fail once; the
	// connector's few statements gain nothing from being prepared.
	config.DefaultQueryExecMode = pgx.QueryExecModeExec
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return nil, connectError(config.Host, config.Port, config.Database, config.User, err)
	}
	if _, err := conn.Exec(ctx, sessionQuery); err != nil {
		return nil, closing(conn, fmt.Errorf("set up the session: %w", err))
	}
	return conn, nil
}

// ConnectReplication opens a connection that speaks the replication protocol
// (https://www.postgresql.org/docs/current/protocol-replication.html).
func ConnectReplication(ctx context.Context, dsn string) (*pgconn.PgConn, error) {
	config, err := pgconn.ParseConfig(dsn)
	if err != nil {
		return nil, &ConfigError{Reason: "dsn is not a PostgreSQL connection string", Err: err}
	}
	set(config.RuntimeParams)
	config.RuntimeParams["replication"] = "database"
	config.DialFunc = dialReadAhead(config.DialFunc)
	conn, err := pgconn.ConnectConfig(ctx, config)
	if err != nil {
		return nil, connectError(config.Host, config.Port, config.Database, config.User, err)
	}
	if _, err := conn.Exec(ctx, sessionQuery).ReadAll(); err != nil {
		return nil, errors.Join(fmt.Errorf("set up the session: %w", err), conn.Close(ctx))
	}
	return conn, nil
}

func set(params map[string]string) {
	for k, v := range session {
		params[k] = v
	}
}

// ConfigError is something that only a person can mend: trying again will not
// help (case 21).
type ConfigError struct {
	Reason string
	Err    error
	// Refused is the role that the server does not let in, which may not be there
	// yet; empty when that is not what is wrong.
	Refused string
}

func (e *ConfigError) Error() string {
	if e.Err == nil {
		return e.Reason
	}
	return e.Reason + ": " + strings.ReplaceAll(e.Err.Error(), "\n", " ")
}

func (e *ConfigError) Unwrap() error { return e.Err }

func connectError(host string, port uint16, database, user string, err error) error {
	where := fmt.Sprintf("PostgreSQL %s:%d/%s", host, port, database)
	var pgErr *pgconn.PgError
	if errors.As(err, &pgErr) {
		switch {
		case strings.HasPrefix(pgErr.Code, "28"):
			return &ConfigError{Reason: fmt.Sprintf("%s refuses user %s (%s): set the right user and password in the source's dsn, and a pg_hba.conf line that lets it in", where, user, pgErr.Message), Refused: user}
		case pgErr.Code == "42501": // a replication connection of a role that may not
			return &ConfigError{Reason: fmt.Sprintf("%s: user %s may not replicate: run 'hopluu connector enable' for this source", where, user), Err: err}
		case pgErr.Code == "3D000":
			return &ConfigError{Reason: fmt.Sprintf("%s: %s: set the right database in the source's dsn", where, pgErr.Message)}
		}
	}
	var certificate *tls.CertificateVerificationError
	if errors.As(err, &certificate) {
		return &ConfigError{Reason: where + " shows a certificate that sslrootcert of the source's dsn does not vouch for: name the authority that signed it", Err: certificate}
	}
	return &unreachable{where, err}
}

// unreachable is a server that cannot be reached, in one line: with several
// hosts the library writes a line for each.
type unreachable struct {
	where string
	err   error
}

func (e *unreachable) Error() string {
	return e.where + " cannot be reached: " + strings.Join(strings.Fields(e.err.Error()), " ")
}

func (e *unreachable) Unwrap() error { return e.err }

// Away tells whether the server could not be reached, or went away meanwhile:
// what is asked may be answered later.
func Away(err error) bool {
	var config *ConfigError
	if errors.As(err, &config) {
		return false
	}
	var pgErr *pgconn.PgError
	if errors.As(err, &pgErr) {
		// Connection exceptions, too many of them, and a server that starts or stops
		// (https://www.postgresql.org/docs/current/errcodes-appendix.html).
		return slices.Contains([]string{"08", "53"}, pgErr.Code[:min(2, len(pgErr.Code))]) || strings.HasPrefix(pgErr.Code, "57P")
	}
	var away *unreachable
	var network net.Error
	return errors.As(err, &away) || errors.As(err, &network) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, context.DeadlineExceeded)
}

// Mend gives a PostgreSQL error that only a person can mend as a *ConfigError
// that says what to do, and every other error as it is.
func Mend(err error) error {
	var pgErr *pgconn.PgError
	if !errors.As(err, &pgErr) {
		return err
	}
	switch pgErr.Code {
	case "42501": // insufficient_privilege
		return &ConfigError{Reason: "a privilege is missing: run 'hopluu connector enable' for this source", Err: err}
	case "53400": // configuration_limit_exceeded
		return &ConfigError{Reason: "all replication slots are in use: raise max_replication_slots, or drop a slot that nobody reads", Err: err}
	}
	return err
}
