package postgres

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/hopluu/hopluu/connectors/postgres/pgvalue"
	"github.com/hopluu/hopluu/schemas/sectors"
	"github.com/jackc/pgx/v5"
)

// Level of a finding.
type Level string

// A Fault stops capture or harms the database; a Warning may later; a Note is
// to be known.
const (
	Fault   Level = "fault"
	Warning Level = "warning"
	Note    Level = "note"
)

// Finding is one thing that preflight saw, and the statement that mends it.
type Finding struct {
	Level Level  `json:"level"`
	What  string `json:"what"`
	Mend  string `json:"mend,omitempty"`
}

// Report is what preflight says of one source.
type Report struct {
	Source   string    `json:"source"`
	Version  string    `json:"version"`
	Tables   int       `json:"tables"`
	Findings []Finding `json:"findings"`
}

// OK tells whether capture can start.
func (r Report) OK() bool {
	return !slices.ContainsFunc(r.Findings, func(f Finding) bool { return f.Level == Fault })
}

func (r *Report) add(level Level, mend, format string, args ...any) {
	r.Findings = append(r.Findings, Finding{Level: level, What: fmt.Sprintf(format, args...), Mend: mend})
}

// Preflight looks at the database without changing anything.
func Preflight(ctx context.Context, conn *pgx.Conn, source, slot, publication string, sector sectors.Sector) (Report, error) {
	r := Report{Source: source}
	if err := r.server(ctx, conn, slot); err != nil {
		return r, fmt.Errorf("preflight: %w", err)
	}
	if err := r.role(ctx, conn); err != nil {
		return r, fmt.Errorf("preflight: %w", err)
	}
	published, err := publishedTables(ctx, conn, publication)
	if err != nil {
		return r, fmt.Errorf("preflight: %w", err)
	}
	state, err := readPublication(ctx, conn, publication)
	if err != nil {
		return r, fmt.Errorf("preflight: %w", err)
	}
	if !state.exists {
		r.add(Fault, "hopluu connector enable "+source, "publication %s is missing", publication)
	} else if !state.everything {
		r.add(Fault, "ALTER PUBLICATION "+pgx.Identifier{publication}.Sanitize()+" SET ("+publishEverything+");", "publication %s leaves out changes", publication)
	}
	catalog := NewCatalog(conn)
	for _, t := range sector.Tables {
		if err := r.table(ctx, conn, catalog, t, published); err != nil {
			return r, fmt.Errorf("preflight: %w", err)
		}
	}
	return r, nil
}

func (r *Report) server(ctx context.Context, conn *pgx.Conn, slot string) error {
	var number, slotsFree, sendersFree int
	var walLevel, keep string
	err := conn.QueryRow(ctx, `
		SELECT current_setting('server_version'), current_setting('server_version_num')::int, current_setting('wal_level'),
		       current_setting('max_slot_wal_keep_size'),
		       current_setting('max_replication_slots')::int - (SELECT count(*) FROM pg_replication_slots WHERE slot_name <> $1)::int,
		       current_setting('max_wal_senders')::int - (SELECT count(*) FROM pg_stat_replication)::int`, slot).
		Scan(&r.Version, &number, &walLevel, &keep, &slotsFree, &sendersFree)
	if err != nil {
		return err
	}
	if number < 140000 {
		r.add(Fault, "", "PostgreSQL %s is too old: 14 or newer is needed", r.Version)
	}
	if walLevel != "logical" {
		r.add(Fault, "ALTER SYSTEM SET wal_level = 'logical'; -- then restart the server", "wal_level is %s", walLevel)
	}
	if keep == "-1" {
		r.add(Warning, "ALTER SYSTEM SET max_slot_wal_keep_size = '20GB'; SELECT pg_reload_conf();", "max_slot_wal_keep_size is unlimited: a connector that is down for long lets WAL fill the disk")
	}
	// One slot for the stream, one for a moment while tables are read anew.
	if slotsFree < 2 {
		r.add(Fault, "ALTER SYSTEM SET max_replication_slots = 10; -- then restart the server", "%d replication slots are free, 2 are needed", slotsFree)
	}
	if sendersFree < 2 {
		r.add(Fault, "ALTER SYSTEM SET max_wal_senders = 10; -- then restart the server", "%d WAL senders are free, 2 are needed", sendersFree)
	}
	return nil
}

func (r *Report) role(ctx context.Context, conn *pgx.Conn) error {
	var role string
	var replication bool
	if err := conn.QueryRow(ctx, `SELECT rolname::text, rolreplication OR rolsuper FROM pg_roles WHERE rolname = current_user`).Scan(&role, &replication); err != nil {
		return err
	}
	if !replication {
		r.add(Fault, "ALTER ROLE "+pgx.Identifier{role}.Sanitize()+" REPLICATION;", "role %s may not replicate", role)
	}
	return nil
}

// place is how a table stands in the publication.
type place struct {
	// narrowed by a row filter or a column list.
	narrowed bool
}

// publishedTables gives the publication's tables by "schema.table", nil when
// there is no such publication.
func publishedTables(ctx context.Context, conn *pgx.Conn, publication string) (map[string]place, error) {
	// Servers before 15 know neither filter nor list.
	rows, err := conn.Query(ctx, `
		SELECT t.schemaname || '.' || t.tablename, coalesce(to_jsonb(r) ->> 'prqual', to_jsonb(r) ->> 'prattrs') IS NOT NULL
		FROM pg_publication p
		LEFT JOIN pg_publication_tables t ON t.pubname = p.pubname
		LEFT JOIN (pg_publication_rel r JOIN pg_class c ON c.oid = r.prrelid JOIN pg_namespace n ON n.oid = c.relnamespace)
		       ON r.prpubid = p.oid AND n.nspname = t.schemaname AND c.relname = t.tablename
		WHERE p.pubname = $1`, publication)
	if err != nil {
		return nil, err
	}
	var published map[string]place
	var name *string
	var at place
	_, err = pgx.ForEachRow(rows, []any{&name, &at.narrowed}, func() error {
		if published == nil {
			published = map[string]place{}
		}
		if name != nil {
			published[*name] = at
		}
		return nil
	})
	return published, err
}

func (r *Report) table(ctx context.Context, conn *pgx.Conn, catalog *Catalog, t sectors.Table, published map[string]place) error {
	name := t.Schema + "." + t.Name
	relation, err := catalog.Relation(ctx, t.Schema, t.Name)
	if errors.Is(err, ErrNoTable) {
		r.add(Fault, "", "table %s is described in the sector file but not in the database: create it or take it out of the file", name)
		return nil
	}
	if err != nil {
		return err
	}
	r.Tables++
	quoted := pgx.Identifier{t.Schema, t.Name}.Sanitize()
	if at, ok := published[name]; !ok && published != nil {
		r.add(Fault, "hopluu connector enable "+r.Source, "table %s is not in the publication: its changes would not be sent", name)
	} else if at.narrowed {
		r.add(Fault, "hopluu connector enable "+r.Source, "table %s is published with a row filter or a column list, which the snapshot would not keep to", name)
	}
	var readable bool
	if err := conn.QueryRow(ctx, `SELECT has_table_privilege($1::oid, 'SELECT')`, relation.OID).Scan(&readable); err != nil {
		return err
	}
	if !readable {
		r.add(Fault, "hopluu connector enable "+r.Source, "table %s may not be read by this role", name)
	}
	key := t.Key
	if len(key) == 0 {
		key = relation.Primary
	}
	switch lacking := missing(key, relation.IdentityColumns); {
	case relation.Identity != "f" && len(relation.IdentityColumns) == 0:
		r.add(Fault, "ALTER TABLE "+quoted+" ADD PRIMARY KEY (…);  -- or REPLICA IDENTITY USING INDEX a unique index",
			"table %s has no replica identity: once published, the application's own UPDATE and DELETE on it fail", name)
	case len(key) == 0 && t.Vault():
		r.add(Fault, "ALTER TABLE "+quoted+" ADD PRIMARY KEY (…);  -- or name `key` in the sector file", "table %s has identifiers or matching columns but no key", name)
	case len(key) == 0:
		r.add(Warning, "ALTER TABLE "+quoted+" ADD PRIMARY KEY (…);  -- or name `key` in the sector file", "table %s has no key: it lands in bronze only", name)
	case relation.Identity != "f" && len(lacking) > 0:
		r.add(Fault, "ALTER TABLE "+quoted+" REPLICA IDENTITY USING INDEX <a unique index on the key>;", "table %s has the key %v, but its old rows are sent by %v", name, key, relation.IdentityColumns)
	}
	if relation.Partitioned {
		r.add(Note, "", "table %s is partitioned: TRUNCATE, ATTACH and DETACH of one partition are not in the stream; run 'hopluu connector resnapshot %s %s' after one", name, r.Source, name)
	}
	for _, column := range relation.Columns {
		if _, err := pgvalue.Lookup(column); err != nil {
			r.add(Fault, "", "column %s of %s: %v", column.Name, name, err)
		}
		if _, ok := t.Column(column.Name); !ok {
			r.add(Warning, "describe it in the sector file", "column %s of %s is not described: it is captured as internal data, in plain text", column.Name, name)
		}
	}
	for _, column := range t.Columns {
		if !slices.ContainsFunc(relation.Columns, func(c pgvalue.Column) bool { return c.Name == column.Name }) {
			r.add(Warning, "", "column %s of %s is described in the sector file but not in the database", column.Name, name)
		}
	}
	return nil
}

// missing are the names that are not among those that are there.
func missing(names, there []string) []string {
	return slices.DeleteFunc(slices.Clone(names), func(n string) bool { return slices.Contains(there, n) })
}
