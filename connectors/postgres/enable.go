package postgres

import (
	"context"
	"fmt"
	"strings"

	"github.com/hopluu/hopluu/schemas/sectors"
	"github.com/jackc/pgx/v5"
)

// Statement is one step of a set-up script, with the lock that it takes.
type Statement struct {
	SQL string `json:"sql"`
	// Why, and which lock it takes on whose tables (P7).
	Why string `json:"why"`
}

// Setup describes what a connector needs in its database.
type Setup struct {
	Database          string
	Role, Password    string
	Slot, Publication string
	Tables            []sectors.Table
}

// setupLockTimeout bounds how long a step may wait for a lock, and so how long
// it can make others wait behind it.
const setupLockTimeout = "5s"

// roleComment marks a role as made by EnableScript. DisableScript drops no
// other: the dsn may name a role that the database has for more than us (P7).
const roleComment = "hopluu connector"

// ownRole finds the role if EnableScript made it.
func ownRole(role string) string {
	return "SELECT rolname FROM pg_roles WHERE rolname = " + literal(role) + " AND shobj_description(oid, 'pg_authid') = " + literal(roleComment)
}

// EnableScript gives the least that a connector needs: a role that may
// replicate and read the named tables, and a publication of them. It can be run
// again.
func (s Setup) EnableScript() []Statement {
	role := pgx.Identifier{s.Role}.Sanitize()
	schemas := map[string]bool{}
	var tables []string
	script := []Statement{
		{SQL: "SET lock_timeout = '" + setupLockTimeout + "'", Why: "no step waits longer than this for a lock"},
		{SQL: do("IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = %[1]s) THEN CREATE ROLE %[2]s LOGIN REPLICATION; COMMENT ON ROLE %[2]s IS %[3]s; END IF;", literal(s.Role), role, literal(roleComment)), Why: "a role of its own; no lock on tables"},
	}
	if s.Password != "" {
		script = append(script, Statement{SQL: do("IF EXISTS (%s) THEN ALTER ROLE %s PASSWORD %s; END IF;", ownRole(s.Role), role, literal(s.Password)), Why: "its password, if the role is ours; no lock on tables"})
	}
	script = append(script, Statement{SQL: fmt.Sprintf("GRANT CONNECT ON DATABASE %s TO %s", pgx.Identifier{s.Database}.Sanitize(), role), Why: "no lock on tables"})
	for _, t := range s.Tables {
		name := pgx.Identifier{t.Schema, t.Name}.Sanitize()
		tables = append(tables, name)
		if !schemas[t.Schema] {
			schemas[t.Schema] = true
			script = append(script, Statement{SQL: fmt.Sprintf("GRANT USAGE ON SCHEMA %s TO %s", pgx.Identifier{t.Schema}.Sanitize(), role), Why: "no lock on tables"})
		}
		script = append(script, Statement{SQL: fmt.Sprintf("GRANT SELECT ON TABLE %s TO %s", name, role), Why: "read only, this table only; no lock that readers or writers notice"})
	}
	publication := pgx.Identifier{s.Publication}.Sanitize()
	list := strings.Join(tables, ", ")
	script = append(script,
		Statement{SQL: do("IF NOT EXISTS (SELECT FROM pg_publication WHERE pubname = %s) THEN CREATE PUBLICATION %s; END IF;", literal(s.Publication), publication), Why: "an empty publication; no lock on tables"},
		Statement{SQL: fmt.Sprintf("ALTER PUBLICATION %s SET (%s)", publication, publishEverything), Why: "nothing is left out, also of a publication that was there; no lock on tables"},
		Statement{SQL: fmt.Sprintf("ALTER PUBLICATION %s SET TABLE %s", publication, list), Why: "SHARE UPDATE EXCLUSIVE on each table for a moment: reads and writes go on, VACUUM and ALTER TABLE wait"},
	)
	return script
}

// DisableScript removes everything that a connector left in its database: the
// slot first, so that WAL is let go at once.
func (s Setup) DisableScript() []Statement {
	role := pgx.Identifier{s.Role}.Sanitize()
	return []Statement{
		{SQL: "SET lock_timeout = '" + setupLockTimeout + "'", Why: "no step waits longer than this for a lock"},
		{SQL: fmt.Sprintf("SELECT pg_terminate_backend(active_pid, 10000) FROM pg_replication_slots WHERE slot_name = %s AND active", literal(s.Slot)), Why: "ends a connector that still streams, and waits for its end"},
		{SQL: fmt.Sprintf("SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = %s", literal(s.Slot)), Why: "lets the WAL go that the slot kept"},
		{SQL: fmt.Sprintf("DROP PUBLICATION IF EXISTS %s", pgx.Identifier{s.Publication}.Sanitize()), Why: "no lock that readers or writers notice"},
		{SQL: do("IF EXISTS (%s) THEN DROP OWNED BY %[2]s; DROP ROLE %[2]s; END IF;", ownRole(s.Role), role), Why: "takes back its grants, then the role; only if 'hopluu connector enable' made it"},
	}
}

// do makes a block of PL/pgSQL, in a dollar quote that the body does not hold.
func do(format string, args ...any) string {
	body, quote := "BEGIN "+fmt.Sprintf(format, args...)+" END", "$$"
	for strings.Contains(body, quote) {
		quote = quote[:len(quote)-1] + "_$"
	}
	return "DO " + quote + " " + body + " " + quote
}

// literal quotes a string for SQL.
func literal(s string) string {
	if strings.Contains(s, `\`) {
		return " E'" + strings.ReplaceAll(strings.ReplaceAll(s, `\`, `\\`), "'", "''") + "'"
	}
	return "'" + strings.ReplaceAll(s, "'", "''") + "'"
}

// Apply runs a script over an administrator's connection; the first error ends
// it.
func Apply(ctx context.Context, conn *pgx.Conn, script []Statement) error {
	for _, s := range script {
		if _, err := conn.PgConn().Exec(ctx, s.SQL).ReadAll(); err != nil {
			return fmt.Errorf("%s: %w", firstLine(s.SQL), err)
		}
	}
	return nil
}

// firstLine names a statement without the password that it may hold.
func firstLine(sql string) string {
	sql, _, _ = strings.Cut(sql, " PASSWORD ")
	if len(sql) > 80 {
		sql = sql[:80] + "…"
	}
	return sql
}

// Leftovers lists what a disabled connector still has in the database; empty
// when it is gone.
func (s Setup) Leftovers(ctx context.Context, conn *pgx.Conn) ([]string, error) {
	rows, err := conn.Query(ctx, `
		SELECT 'replication slot ' || slot_name FROM pg_replication_slots WHERE slot_name = $1
		UNION ALL SELECT 'publication ' || pubname FROM pg_publication WHERE pubname = $2
		UNION ALL SELECT 'role ' || rolname FROM (`+ownRole(s.Role)+`) AS ours`, s.Slot, s.Publication)
	if err != nil {
		return nil, fmt.Errorf("look for leftovers: %w", err)
	}
	left, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, fmt.Errorf("look for leftovers: %w", err)
	}
	return left, nil
}
