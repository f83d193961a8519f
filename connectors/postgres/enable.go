package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/hopluu/hopluu/schemas/sectors"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
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
	Role              string
	Password          string // or its Verifier; empty to set none
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
// replicate and read the named tables, or of a private one the named columns,
// and a publication of the same. Run again, it changes what differs from the
// sector file and touches nothing else.
func (s Setup) EnableScript() []Statement {
	role := pgx.Identifier{s.Role}.Sanitize()
	publication := pgx.Identifier{s.Publication}.Sanitize()
	schemas := map[string]bool{}
	script := []Statement{
		{SQL: "SET lock_timeout = '" + setupLockTimeout + "'", Why: "no step waits longer than this for a lock"},
		{SQL: "SET search_path = pg_catalog", Why: "names mean what they say, whatever else is called so"},
		{SQL: do("IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = %[1]s) THEN CREATE ROLE %[2]s LOGIN REPLICATION; COMMENT ON ROLE %[2]s IS %[3]s; END IF;", literal(s.Role), role, literal(roleComment)), Why: "a role of its own; no lock on tables"},
	}
	if s.Password != "" {
		what := "its password"
		if strings.HasPrefix(s.Password, verifierPrefix) {
			what += ", hashed as the server keeps it"
		}
		script = append(script, Statement{SQL: do("IF EXISTS (%s) THEN ALTER ROLE %s PASSWORD %s; END IF;", ownRole(s.Role), role, literal(s.Password)), Why: what + ", if the role is ours; no lock on tables"})
	}
	script = append(script, Statement{SQL: fmt.Sprintf("GRANT CONNECT ON DATABASE %s TO %s", pgx.Identifier{s.Database}.Sanitize(), role), Why: "no lock on tables"})
	for _, t := range s.Tables {
		if !schemas[t.Schema] {
			schemas[t.Schema] = true
			script = append(script, Statement{SQL: fmt.Sprintf("GRANT USAGE ON SCHEMA %s TO %s", pgx.Identifier{t.Schema}.Sanitize(), role), Why: "no lock on tables"})
		}
		script = append(script, grant(t, role))
	}
	script = append(script,
		Statement{SQL: do("IF NOT EXISTS (SELECT FROM pg_publication WHERE pubname = %s) THEN CREATE PUBLICATION %s; END IF;", literal(s.Publication), publication), Why: "an empty publication; no lock on tables"},
		Statement{SQL: do("IF EXISTS (SELECT FROM pg_publication WHERE pubname = %s AND NOT (%s)) THEN ALTER PUBLICATION %s SET (%s); END IF;", literal(s.Publication), publishesEverything, publication, publishEverything), Why: "no kind of change is left out, also of a publication that was there; no lock on tables"},
		Statement{SQL: publishFunction, Why: "a function for the next steps, gone with this session; no lock on tables"},
	)
	for _, t := range s.Tables {
		script = append(script, s.publish(t))
	}
	return append(script, s.unpublishOthers())
}

// grantLock: before PostgreSQL 18 a GRANT locks nothing.
const grantLock = "ACCESS SHARE on this table for a moment, as a reader has (PostgreSQL 18; none before)"

// grant lets the role read a table, or of a private one its captured columns and
// the place of a row, by which the snapshot cuts it into ranges.
func grant(t sectors.Table, role string) Statement {
	name := pgx.Identifier{t.Schema, t.Name}.Sanitize()
	if !t.Private() {
		return Statement{SQL: fmt.Sprintf("GRANT SELECT ON TABLE %s TO %s", name, role), Why: "read only, this table only; " + grantLock}
	}
	columns := []string{"ctid"}
	for _, c := range t.Captured() {
		columns = append(columns, pgx.Identifier{c}.Sanitize())
	}
	return Statement{SQL: do("REVOKE SELECT ON TABLE %[1]s FROM %[2]s; GRANT SELECT (%[3]s) ON TABLE %[1]s TO %[2]s;", name, role, strings.Join(columns, ", ")),
		Why: "read only, these columns only; " + grantLock}
}

// publishFunction publishes one table as it should be and tells what it did. It
// asks the server itself whether the application can still write: EXPLAIN makes
// the checks of a DELETE and runs none (P7). Two conditions are the same when
// they give the same plan. "ONLY", for tables that inherit have a place of
// their own.
const publishFunction = `CREATE OR REPLACE FUNCTION pg_temp.hopluu_publish(publication name, target regclass, listed name[], condition text) RETURNS text LANGUAGE plpgsql AS $hopluu$
DECLARE
  known boolean;
  columns name[];
  present text;
  wanted name[];
  plans text[] := '{}';
  plan text;
  part text;
  detail text;
BEGIN
  IF (listed IS NOT NULL OR condition IS NOT NULL) AND current_setting('server_version_num')::int < 150000 THEN
    RAISE EXCEPTION 'table % is to be published in part, which needs PostgreSQL 15', target;
  END IF;
  IF listed IS NOT NULL THEN
    -- The stream has no generated columns.
    wanted := array(SELECT l FROM unnest(listed) l WHERE NOT EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = target AND a.attname = l AND a.attgenerated <> '') ORDER BY l);
  END IF;
  known := EXISTS (SELECT FROM pg_publication_rel r JOIN pg_publication p ON p.oid = r.prpubid WHERE p.pubname = publication AND r.prrelid = target);
  IF current_setting('server_version_num')::int >= 150000 THEN
    EXECUTE 'SELECT (SELECT array_agg(a.attname ORDER BY a.attname) FROM pg_attribute a WHERE a.attrelid = r.prrelid AND a.attnum = ANY (r.prattrs::int2[])), pg_get_expr(r.prqual, r.prrelid)
      FROM pg_publication_rel r JOIN pg_publication p ON p.oid = r.prpubid WHERE p.pubname = $1 AND r.prrelid = $2' INTO columns, present USING publication, target;
  END IF;
  IF known AND columns IS NOT DISTINCT FROM wanted AND (present IS NULL) = (condition IS NULL) THEN
    IF condition IS NULL THEN
      RETURN target || ': published as it should be';
    END IF;
    FOREACH part IN ARRAY ARRAY[condition, present] LOOP
      EXECUTE format('EXPLAIN (VERBOSE, COSTS OFF, FORMAT JSON) SELECT FROM %s WHERE (%s)', target, part) INTO plan;
      plans := plans || plan;
    END LOOP;
    IF plans[1] = plans[2] THEN
      RETURN target || ': published as it should be';
    END IF;
  END IF;
  IF known THEN
    EXECUTE format('ALTER PUBLICATION %I DROP TABLE ONLY %s', publication, target);
  END IF;
  EXECUTE format('ALTER PUBLICATION %I ADD TABLE ONLY %s', publication, target)
    || coalesce(' (' || (SELECT string_agg(quote_ident(w), ', ') FROM unnest(wanted) w) || ')', '') || coalesce(' WHERE (' || condition || ')', '');
  BEGIN
    EXECUTE format('EXPLAIN DELETE FROM %s', target);
  EXCEPTION WHEN invalid_column_reference OR object_not_in_prerequisite_state THEN
    GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL;
    RAISE EXCEPTION 'published so, the application''s own UPDATE and DELETE on table % would fail, so it is left as it was: %', target, concat_ws(': ', SQLERRM, nullif(rtrim(detail, '.'), ''))
      USING HINT = 'It needs a replica identity that holds the columns of its row filter and is held by its column list: see ALTER TABLE ... REPLICA IDENTITY; hopluu connector check prints the statement';
  END;
  RETURN target || ': published anew';
END $hopluu$`

func (s Setup) publish(t sectors.Table) Statement {
	columns, condition := "NULL", "NULL"
	if t.Narrow() {
		var names []string
		for _, c := range t.Captured() {
			names = append(names, literal(c))
		}
		columns = "ARRAY[" + strings.Join(names, ", ") + "]"
	}
	if t.Where != "" {
		condition = literal(t.Where)
	}
	return Statement{
		SQL: fmt.Sprintf("SELECT pg_temp.hopluu_publish(%s, %s, %s, %s)", literal(s.Publication), literal(pgx.Identifier{t.Schema, t.Name}.Sanitize()), columns, condition),
		Why: "unless it is published so already: SHARE UPDATE EXCLUSIVE on this table for a moment (reads and writes go on, VACUUM and ALTER TABLE wait), and ROW EXCLUSIVE, as a writer has",
	}
}

// unpublishOthers takes out what the sector file does not name any more.
func (s Setup) unpublishOthers() Statement {
	names := make([]string, len(s.Tables))
	for i, t := range s.Tables {
		names[i] = fmt.Sprintf("(%s, %s)", literal(t.Schema), literal(t.Name))
	}
	others := ""
	if len(names) > 0 {
		others = " AND (n.nspname, c.relname) NOT IN (" + strings.Join(names, ", ") + ")"
	}
	return Statement{
		SQL: doDeclare("other text;", "FOR other IN SELECT format('%%I.%%I', n.nspname, c.relname) FROM pg_publication_rel r JOIN pg_publication p ON p.oid = r.prpubid JOIN pg_class c ON c.oid = r.prrelid JOIN pg_namespace n ON n.oid = c.relnamespace"+
			" WHERE p.pubname = %s%s LOOP EXECUTE format('ALTER PUBLICATION %%I DROP TABLE ONLY %%s', %s, other); END LOOP;", literal(s.Publication), others, literal(s.Publication)),
		Why: "tables that the sector file does not name leave the publication: SHARE UPDATE EXCLUSIVE on each of them for a moment",
	}
}

// DisableScript removes everything that a connector left in its database: the
// slot first, so that WAL is let go at once. A role that owns something, or has
// a place in another database of the server, stays.
func (s Setup) DisableScript() []Statement {
	role := pgx.Identifier{s.Role}.Sanitize()
	return []Statement{
		{SQL: "SET lock_timeout = '" + setupLockTimeout + "'", Why: "no step waits longer than this for a lock"},
		{SQL: "SET search_path = pg_catalog", Why: "names mean what they say, whatever else is called so"},
		{SQL: fmt.Sprintf("SELECT pg_terminate_backend(active_pid, 10000) FROM pg_replication_slots WHERE slot_name = %s AND active", literal(s.Slot)), Why: "ends a connector that still streams, and waits for its end"},
		{SQL: fmt.Sprintf("SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = %s", literal(s.Slot)), Why: "lets the WAL go that the slot kept"},
		{SQL: fmt.Sprintf("DROP PUBLICATION IF EXISTS %s", pgx.Identifier{s.Publication}.Sanitize()), Why: "no lock on tables"},
		{SQL: doDeclare("owned text;", "IF EXISTS (%[1]s) THEN "+
			"SELECT string_agg(CASE WHEN d.dbid IN (0, b.oid) THEN pg_describe_object(d.classid, d.objid, d.objsubid) ELSE 'an object of database ' || (SELECT datname FROM pg_database WHERE oid = d.dbid) END, ', ') INTO owned"+
			" FROM pg_shdepend d, pg_database b WHERE b.datname = current_database() AND d.refclassid = 'pg_authid'::regclass AND d.refobjid = (SELECT oid FROM pg_roles WHERE rolname = %[2]s) AND d.deptype = 'o'; "+
			"IF owned IS NOT NULL THEN RAISE EXCEPTION 'role %% owns %%: it is kept, with all that it may do', %[2]s, owned USING HINT = 'Give that to another role, as with REASSIGN OWNED, and run this again'; END IF; "+
			"IF NOT %[4]s THEN DROP OWNED BY %[3]s; DROP ROLE %[3]s; ELSE "+
			// DROP OWNED would take its place in the other databases too.
			"FOR owned IN SELECT DISTINCT CASE d.classid WHEN 'pg_class'::regclass THEN 'TABLE ' || d.objid::regclass WHEN 'pg_namespace'::regclass THEN 'SCHEMA ' || d.objid::regnamespace WHEN 'pg_proc'::regclass THEN 'FUNCTION ' || d.objid::regprocedure ELSE 'DATABASE ' || quote_ident(b.datname) END"+
			" FROM pg_shdepend d, pg_database b WHERE b.datname = current_database() AND d.refclassid = 'pg_authid'::regclass AND d.refobjid = (SELECT oid FROM pg_roles WHERE rolname = %[2]s) AND d.deptype = 'a' AND (d.dbid = b.oid OR d.classid = 'pg_database'::regclass AND d.objid = b.oid)"+
			" LOOP EXECUTE 'REVOKE ALL ON ' || owned || %[5]s; END LOOP; "+
			"RAISE NOTICE 'role %% is kept, for another database of the server', %[2]s; END IF; END IF;",
			ownRole(s.Role), literal(s.Role), role, usedElsewhere(s.Role), literal(" FROM "+role)),
			Why: "takes back its grants in this database, then the role; only if 'hopluu connector enable' made it, it owns nothing and no other database knows it"},
	}
}

// usedElsewhere is a condition: another database of the server knows the role.
func usedElsewhere(role string) string {
	return "EXISTS (SELECT FROM pg_shdepend d JOIN pg_database b ON b.oid = CASE WHEN d.classid = 'pg_database'::regclass THEN d.objid ELSE d.dbid END" +
		" WHERE d.refclassid = 'pg_authid'::regclass AND d.refobjid = (SELECT oid FROM pg_roles WHERE rolname = " + literal(role) + ") AND b.datname <> current_database())"
}

// do makes a block of PL/pgSQL, in a dollar quote that the body does not hold.
func do(format string, args ...any) string { return doDeclare("", format, args...) }

func doDeclare(variables, format string, args ...any) string {
	if variables != "" {
		variables = "DECLARE " + variables + " "
	}
	body, quote := variables+"BEGIN "+fmt.Sprintf(format, args...)+" END", "$$"
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
			var refused *pgconn.PgError
			if errors.As(err, &refused) && refused.Code == raised {
				// Our own words, which need no statement beside them.
				return errors.New(strings.TrimSpace(refused.Message + ". " + refused.Hint))
			}
			if refused != nil && refused.Code == lockNotAvailable {
				return fmt.Errorf("another session held a lock for longer than %s, so this step gave up: %s; 'hopluu connector check' names who holds it: run this again at its end, what is done already is not done twice", setupLockTimeout, firstLine(s.SQL))
			}
			return fmt.Errorf("%s: %w", firstLine(s.SQL), err)
		}
	}
	return nil
}

// lockNotAvailable is the SQLSTATE of a lock_timeout that passed.
const lockNotAvailable = "55P03"

// raised is the SQLSTATE of RAISE EXCEPTION: raise_exception.
const raised = "P0001"

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
		UNION ALL SELECT 'role ' || rolname FROM (`+ownRole(s.Role)+`) AS ours WHERE NOT `+usedElsewhere(s.Role)+`
		UNION ALL SELECT DISTINCT 'grants of role ' || rolname FROM (`+ownRole(s.Role)+`) AS ours, pg_shdepend d JOIN pg_database b ON b.datname = current_database() AND (d.dbid = b.oid OR d.classid = 'pg_database'::regclass AND d.objid = b.oid)
		          WHERE d.refclassid = 'pg_authid'::regclass AND d.refobjid = (SELECT oid FROM pg_roles WHERE pg_roles.rolname = ours.rolname) AND `+usedElsewhere(s.Role)+``, s.Slot, s.Publication)
	if err != nil {
		return nil, fmt.Errorf("look for leftovers: %w", err)
	}
	left, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, fmt.Errorf("look for leftovers: %w", err)
	}
	return left, nil
}
