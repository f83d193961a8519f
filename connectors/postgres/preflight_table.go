package postgres

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/hopluu/hopluu/connectors/postgres/pgvalue"
	"github.com/hopluu/hopluu/schemas/sectors"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// heavy is a table's size in bytes from which on whole old rows in the log
// cost something.
const heavy = 128 << 20

// tableFacts is what the catalogue and the server's own functions say of a
// table, beyond its Relation.
type tableFacts struct {
	unlogged, hidden    bool // hidden: row-level security is active for our role
	usage, read, writes bool // schema, SELECT on the whole table, any right to change it
	granted             bool // writes were granted to our role by name
	bytes               int64
	children            bool // tables that inherit from it
	generated           []string
	readable            []string // columns, "ctid" too
	unique              []unique
	parts               []part
}

// unique is an index that a replica identity could use.
type unique struct {
	name    string
	columns []string
}

func (p *preflight) facts(ctx context.Context, relation Relation) (f tableFacts, err error) {
	err = p.conn.QueryRow(ctx, `
		SELECT c.relpersistence = 'u', CASE WHEN $3 THEN c.relrowsecurity ELSE row_security_active(c.oid) END, has_schema_privilege(c.relnamespace, 'USAGE'), has_table_privilege(c.oid, 'SELECT'),
		       has_table_privilege(c.oid, 'INSERT, UPDATE, DELETE, TRUNCATE'),
		       EXISTS (SELECT FROM aclexplode(c.relacl) g WHERE g.grantee = (SELECT oid FROM pg_roles WHERE rolname = current_user) AND g.privilege_type IN ('INSERT', 'UPDATE', 'DELETE', 'TRUNCATE')),
		       CASE WHEN $2 THEN 0 ELSE coalesce(pg_total_relation_size(c.oid), 0) END::bigint, EXISTS (SELECT FROM pg_inherits i JOIN pg_class k ON k.oid = i.inhrelid WHERE i.inhparent = c.oid AND NOT k.relispartition),
		       coalesce((SELECT array_agg(a.attname::text ORDER BY a.attnum) FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attgenerated <> '' AND NOT a.attisdropped), '{}'),
		       coalesce((SELECT array_agg(a.attname::text) FROM pg_attribute a WHERE a.attrelid = c.oid AND NOT a.attisdropped AND has_column_privilege(c.oid, a.attnum, 'SELECT')), '{}')
		FROM pg_class c WHERE c.oid = $1`, relation.OID, p.locked[relation.OID], p.absent).
		Scan(&f.unlogged, &f.hidden, &f.usage, &f.read, &f.writes, &f.granted, &f.bytes, &f.children, &f.generated, &f.readable)
	if err != nil {
		return f, err
	}
	f.unique, err = p.unique(ctx, relation.OID)
	if err != nil || !relation.Partitioned {
		return f, err
	}
	if f.parts, err = p.parts(ctx, relation.OID); err != nil {
		return f, err
	}
	for _, part := range f.parts {
		f.bytes += part.bytes
	}
	return f, nil
}

// unique lists the indexes of a table that a replica identity could use.
func (p *preflight) unique(ctx context.Context, oid uint32) (all []unique, err error) {
	rows, err := p.conn.Query(ctx, `
		SELECT k.relname::text, array_agg(a.attname::text)
		FROM pg_index i JOIN pg_class k ON k.oid = i.indexrelid JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey::int2[])
		WHERE i.indrelid = $1 AND i.indisunique AND i.indimmediate AND i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL AND i.indnatts = i.indnkeyatts
		GROUP BY 1 HAVING bool_and(a.attnotnull) ORDER BY 1`, oid)
	if err != nil {
		return nil, err
	}
	var u unique
	_, err = pgx.ForEachRow(rows, []any{&u.name, &u.columns}, func() error {
		all = append(all, unique{u.name, slices.Clone(u.columns)})
		return nil
	})
	return all, err
}

// part is a partition that holds rows, or leads to another server.
type part struct {
	Relation
	unlogged, foreign bool
	bytes             int64
}

// parts lists them. Like partsOf it locks none.
func (p *preflight) parts(ctx context.Context, oid uint32) ([]part, error) {
	rows, err := p.conn.Query(ctx, `
		WITH RECURSIVE tree(oid) AS (
			SELECT $1::oid UNION ALL SELECT i.inhrelid FROM tree t JOIN pg_inherits i ON i.inhparent = t.oid AND NOT i.inhdetachpending)
		SELECT n.nspname::text, c.relname::text, c.relpersistence = 'u', c.relkind = 'f', CASE WHEN c.oid = ANY ($2) OR c.relkind = 'f' THEN 0 ELSE coalesce(pg_total_relation_size(c.oid), 0) END::bigint
		FROM tree t JOIN pg_class c ON c.oid = t.oid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'f') ORDER BY 1, 2`, oid, slices.Collect(maps.Keys(p.locked)))
	if err != nil {
		return nil, err
	}
	parts, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (q part, err error) {
		return q, row.Scan(&q.Schema, &q.Table, &q.unlogged, &q.foreign, &q.bytes)
	})
	for i := range parts {
		if err == nil && !parts[i].foreign {
			parts[i].Relation, err = p.catalog.Relation(ctx, parts[i].Schema, parts[i].Table)
		}
	}
	return parts, err
}

// table looks at one table; published tells whether it is in the publication,
// and publication whether there is one.
func (p *preflight) table(ctx context.Context, t sectors.Table, relation Relation, published, publication bool) error {
	f, err := p.facts(ctx, relation)
	if err != nil {
		return err
	}
	p.Disk.Captured += f.bytes
	name, quoted := relation.Name(), pgx.Identifier{t.Schema, t.Name}.Sanitize()
	if f.unlogged {
		p.add(Finding{Level: Fault, Check: "unlogged", Mend: "ALTER TABLE " + quoted + " SET LOGGED;", Advice: "it writes the table anew under ACCESS EXCLUSIVE"}, "table %s is unlogged: its changes are not in the log that capture reads", name)
	}
	if f.hidden {
		p.add(Finding{Level: Fault, Check: "row_security", Mend: "ALTER ROLE " + pgx.Identifier{p.role}.Sanitize() + " BYPASSRLS;", Advice: "it still reads only what it was granted"},
			"row-level security of table %s hides rows from role %s, which the stream sends all the same: such a snapshot is refused", name, p.role)
	}
	wanted := p.identity(t, relation, f, published)
	if err := p.partitions(ctx, t, relation, f, wanted); err != nil {
		return err
	}
	p.privileges(t, relation, f)
	if err := p.published(ctx, t, relation, published); err != nil {
		return err
	}
	if publication && !published {
		p.add(Finding{Level: Fault, Check: "publication", Mend: p.enable()}, "table %s is not in the publication: its changes would not be sent", name)
	}
	if relation.Partitioned {
		advice := "nothing is to be done; it costs the database a read of the table"
		if wanted != "DEFAULT" {
			advice += "; but no partition inherits REPLICA IDENTITY: each that is made later needs its own"
		}
		p.add(Finding{Level: Note, Check: "partitioned", Advice: advice}, "table %s is partitioned: TRUNCATE, ATTACH, DETACH and DROP of one partition are not in the stream, so the table is read anew after one", name)
	}
	if f.children {
		p.add(Finding{Level: Note, Check: "inheritance", Advice: "describe the others as tables of their own"}, "other tables inherit from %s: their rows are not captured with it", name)
	}
	p.columns(t, relation, f)
	return nil
}

// identityFor is the replica identity that makes old rows hold the columns, at
// the least cost.
func identityFor(columns []string, relation Relation, indexes []unique) string {
	if len(relation.Primary) > 0 && len(missing(columns, relation.Primary)) == 0 {
		return "DEFAULT"
	}
	for _, u := range indexes {
		if len(missing(columns, u.columns)) == 0 {
			return "USING INDEX " + pgx.Identifier{u.name}.Sanitize()
		}
	}
	return wholeRows
}

// wholeRows is the replica identity that any table can have.
const wholeRows = "FULL"

// alterIdentity is the statement that gives a table a replica identity.
func alterIdentity(schema, table, identity string) string {
	return "ALTER TABLE " + pgx.Identifier{schema, table}.Sanitize() + " REPLICA IDENTITY " + identity + ";"
}

// keyOf are the columns that rows are known by; none when nothing says so.
func keyOf(t sectors.Table, relation Relation) []string {
	if len(t.Key) > 0 {
		return t.Key
	}
	return relation.Primary
}

// partitions looks at each: the server asks the partition, not the table, what
// old rows are sent with and whether it is in the log, and none inherits a
// replica identity. wanted is the
// replica identity of the table when it is as it should be.
func (p *preflight) partitions(ctx context.Context, t sectors.Table, relation Relation, f tableFacts, wanted string) error {
	key := keyOf(t, relation)
	var mends, faulty []string
	for _, part := range f.parts {
		if part.foreign {
			p.add(Finding{Level: Fault, Check: "foreign", Advice: "detach it, and capture it where it is"}, "partition %s of %s is a foreign table: its rows are in the snapshot, but their changes never in the stream", part.Name(), relation.Name())
			continue
		}
		if part.unlogged {
			p.add(Finding{Level: Fault, Check: "unlogged", Mend: "ALTER TABLE " + pgx.Identifier{part.Schema, part.Table}.Sanitize() + " SET LOGGED;", Advice: "it writes the partition anew under ACCESS EXCLUSIVE"}, "partition %s of %s is unlogged: its changes are not in the log that capture reads", part.Name(), relation.Name())
		}
		full := part.Identity == "f"
		if full && !t.Narrow() || !full && wanted != wholeRows && len(part.IdentityColumns) > 0 && len(missing(key, part.IdentityColumns)) == 0 {
			continue
		}
		identity := wholeRows
		if wanted != wholeRows {
			indexes, err := p.unique(ctx, part.OID)
			if err != nil {
				return err
			}
			identity = identityFor(key, part.Relation, indexes)
		}
		faulty, mends = append(faulty, part.Name()), append(mends, alterIdentity(part.Schema, part.Table, identity))
	}
	if len(faulty) > 0 {
		p.add(Finding{Level: Fault, Check: "replica_identity", Mend: strings.Join(mends, " "), Advice: "each statement takes ACCESS EXCLUSIVE on its partition for a moment"},
			"table %s has %d partitions whose replica identity does not hold what old rows must be sent with: %s; the application's own UPDATE and DELETE on one without any fail once it is published", relation.Name(), len(faulty), shortList(faulty))
	}
	return nil
}

// shortList names the first few.
func shortList(names []string) string {
	const few = 5
	if len(names) > few {
		return strings.Join(names[:few], ", ") + ", …"
	}
	return strings.Join(names, ", ")
}

// identity looks at what old rows are sent with, and rows known by. It gives
// the replica identity that the table has, or should have.
func (p *preflight) identity(t sectors.Table, relation Relation, f tableFacts, published bool) (wanted string) {
	name, alter, key := relation.Name(), "ALTER TABLE "+pgx.Identifier{t.Schema, t.Name}.Sanitize()+" ", keyOf(t, relation)
	identity := func(columns []string) string {
		wanted = identityFor(columns, relation, f.unique)
		return alterIdentity(t.Schema, t.Name, wanted)
	}
	full := relation.Identity == "f"
	switch relation.Identity {
	case "f":
		wanted = wholeRows
	case "d":
		wanted = "DEFAULT"
	}
	switch lacking := missing(key, relation.IdentityColumns); {
	case !full && len(relation.IdentityColumns) == 0:
		means := "once published, the application's own UPDATE and DELETE on it fail"
		if published {
			means = "the application's own UPDATE and DELETE on it fail while it is published"
		}
		advice := "the statement takes ACCESS EXCLUSIVE for a moment"
		if len(relation.Primary) == 0 {
			advice = "a primary key is better still; " + advice
		}
		p.add(Finding{Level: Fault, Check: "replica_identity", Mend: identity(key), Advice: advice}, "table %s has no replica identity: %s", name, means)
	case !full && len(lacking) > 0:
		p.add(Finding{Level: Fault, Check: "replica_identity", Mend: identity(key), Advice: "the statement takes ACCESS EXCLUSIVE for a moment"}, "table %s has the key %v, but its old rows are sent by %v", name, key, relation.IdentityColumns)
	case full && t.Narrow():
		f := Finding{Level: Fault, Check: "replica_identity", Mend: identity(key), Advice: "the statement takes ACCESS EXCLUSIVE for a moment"}
		if wanted == wholeRows {
			f.Mend, f.Advice = "", "give it a primary key, or take privacy: drop out of the sector file"
		}
		p.add(f, "table %s sends whole old rows (REPLICA IDENTITY FULL), which a list of columns cannot: published so, the application's own UPDATE and DELETE on it fail", name)
	case full && f.bytes >= heavy && len(key) > 0 && identityFor(key, relation, f.unique) != wholeRows:
		// The partitions of a table may keep whole rows.
		p.add(Finding{Level: Warning, Check: "replica_identity_full", Mend: alterIdentity(t.Schema, t.Name, identityFor(key, relation, f.unique)), Advice: "keep it if large values of updates must be complete at once; the statement takes ACCESS EXCLUSIVE for a moment"},
			"table %s of %d MB has REPLICA IDENTITY FULL: every UPDATE and DELETE writes the whole old row to the log", name, f.bytes>>20)
	}
	if len(key) > 0 {
		return wanted
	}
	lacks := Finding{Level: Warning, Check: "key", Advice: "give it a primary key, or name `key` in the sector file"}
	// A partitioned index cannot become a constraint.
	if len(f.unique) > 0 && !relation.Partitioned {
		lacks.Mend, lacks.Advice = alter+"ADD PRIMARY KEY USING INDEX "+pgx.Identifier{f.unique[0].name}.Sanitize()+";", "or name `key` in the sector file; the statement takes ACCESS EXCLUSIVE for a moment"
	}
	if t.Vault() {
		lacks.Level = Fault
		p.add(lacks, "table %s has identifiers or matching columns but no key", name)
	} else {
		p.add(lacks, "table %s has no key: it lands in bronze only", name)
	}
	return wanted
}

// privileges looks for what the role lacks, and for what it has too much.
func (p *preflight) privileges(t sectors.Table, relation Relation, f tableFacts) {
	if p.absent {
		return
	}
	name := relation.Name()
	if !f.usage {
		p.add(Finding{Level: Fault, Check: "privilege", Mend: p.enable()}, "schema %s may not be used by role %s", t.Schema, p.role)
	}
	needed := []string{"ctid"}
	for _, c := range relation.Columns {
		if t.Captures(c.Name) {
			needed = append(needed, c.Name)
		}
	}
	if lacking := missing(needed, f.readable); !f.read && len(lacking) > 0 {
		p.add(Finding{Level: Fault, Check: "privilege", Mend: p.enable()}, "table %s may not be read by this role: it lacks SELECT on %s", name, strings.Join(lacking, ", "))
	}
	if p.super {
		return
	}
	if t.Private() {
		if kept := slices.DeleteFunc(slices.Clone(f.readable), func(c string) bool {
			_, column := find(relation.Columns, c)
			return !column || t.Captures(c)
		}); len(kept) > 0 {
			p.add(Finding{Level: Warning, Check: "privilege", Mend: p.enable()}, "role %s may read %s of %s, which the sector file keeps back", p.role, strings.Join(kept, ", "), name)
		}
	}
	if f.writes {
		found := Finding{Level: Warning, Check: "privilege", Advice: "see who grants it: a role that it belongs to, PUBLIC, or its being the owner"}
		if f.granted {
			found.Mend, found.Advice = "REVOKE INSERT, UPDATE, DELETE, TRUNCATE ON TABLE "+pgx.Identifier{t.Schema, t.Name}.Sanitize()+" FROM "+pgx.Identifier{p.role}.Sanitize()+";", ""
		}
		p.add(found, "role %s may change rows of %s: capture never does", p.role, name)
	}
}

// published compares what the publication sends of a table with what the sector
// file lets go, once it is in the publication.
func (p *preflight) published(ctx context.Context, t sectors.Table, relation Relation, is bool) error {
	if (t.Narrow() || t.Where != "") && p.version < 150000 {
		p.add(Finding{Level: Fault, Check: "version", Advice: "upgrade the server, or take privacy: drop, undescribed and where out of the sector file"}, "table %s is to be published in part, which needs PostgreSQL 15", relation.Name())
		return nil
	}
	if !is {
		if t.Where != "" && !p.locked[relation.OID] {
			_, err := p.sameFilter(ctx, t, t.Where) // whether the server takes it
			return err
		}
		return nil
	}
	sent, err := p.catalog.Narrow(ctx, p.Publication, relation)
	if err != nil {
		return err
	}
	name, fault := relation.Name(), Finding{Level: Fault, Check: "publication", Mend: p.enable()}
	var stays, lacks []string
	for _, c := range relation.Columns {
		_, is := find(sent.Columns, c.Name)
		switch captured := t.Captures(c.Name); {
		case is && !captured && t.Narrow():
			stays = append(stays, c.Name)
		case !is && captured:
			lacks = append(lacks, c.Name)
		}
	}
	if len(lacks) > 0 {
		p.add(fault, "table %s is published without its column %s", name, strings.Join(lacks, ", "))
	}
	if len(stays) > 0 {
		p.add(Finding{Level: Warning, Check: "publication", Mend: p.enable()}, "table %s is published with its column %s, which the sector file keeps back: the connector leaves it out, but it should not leave the database", name, strings.Join(stays, ", "))
	}
	if lacking := missing(relation.IdentityColumns, names(sent.Columns)); len(lacking) > 0 {
		p.add(Finding{Level: Fault, Check: "publication", Mend: "ALTER PUBLICATION " + pgx.Identifier{p.Publication}.Sanitize() + " DROP TABLE ONLY " + pgx.Identifier{t.Schema, t.Name}.Sanitize() + ";", Advice: "then let the sector file capture the column, and enable again"},
			"table %s is published without column %s of its replica identity: the application's own UPDATE and DELETE on it fail", name, strings.Join(lacking, ", "))
	}
	switch {
	case t.Where == "" && sent.Filter != "":
		p.add(fault, "table %s is published with the row filter %s, which the sector file does not ask for", name, sent.Filter)
	case t.Where != "" && sent.Filter == "":
		p.add(fault, "table %s is published without the row filter %s: rows would leave that must stay", name, t.Where)
	case t.Where != "" && !p.locked[relation.OID]:
		same, err := p.sameFilter(ctx, t, sent.Filter)
		if err != nil {
			return err
		}
		if !same {
			p.add(fault, "table %s is published with the row filter %s, but the sector file says %s", name, sent.Filter, t.Where)
		}
	}
	return nil
}

// sameFilter tells whether two conditions give the same plan; it runs neither.
func (p *preflight) sameFilter(ctx context.Context, t sectors.Table, filter string) (bool, error) {
	var plans [2]string
	for i, condition := range []string{t.Where, filter} {
		err := p.conn.QueryRow(ctx, "EXPLAIN (VERBOSE, COSTS OFF, FORMAT JSON) SELECT FROM "+pgx.Identifier{t.Schema, t.Name}.Sanitize()+" WHERE ("+condition+")").Scan(&plans[i])
		var refused *pgconn.PgError
		if errors.As(err, &refused) {
			if refused.Code == "42501" { // insufficient_privilege, or row-level security: told already
				return true, nil
			}
			p.add(Finding{Level: Fault, Check: "where", Advice: "correct where in the sector file"}, "the row filter %s of table %s: %s", condition, t.Schema+"."+t.Name, refused.Message)
			return true, nil
		}
		if err != nil {
			return false, err
		}
	}
	return plans[0] == plans[1], nil
}

// columns looks at each column: its type, its description.
func (p *preflight) columns(t sectors.Table, relation Relation, f tableFacts) {
	name := relation.Name()
	var texts []string
	for _, column := range relation.Columns {
		described, ok := t.Column(column.Name)
		codec, err := pgvalue.Lookup(column)
		switch {
		case !t.Captures(column.Name):
		case err != nil:
			p.add(Finding{Level: Fault, Check: "type"}, "column %s of %s: %v", column.Name, name, err)
		case (!ok || described.Privacy == "") && isText(codec):
			texts = append(texts, fmt.Sprintf("%s (%s)", column.Name, codec.PGType))
		}
		switch {
		case !ok && t.Private():
			p.add(Finding{Level: Note, Check: "description", Advice: "describe it in the sector file if it should be captured"}, "column %s of %s is not described: as the table is private, it stays in the database", column.Name, name)
		case !ok:
			p.add(Finding{Level: Warning, Check: "description", Advice: "describe it in the sector file"}, "column %s of %s is not described: it is captured as internal data, in plain text", column.Name, name)
		}
		if ok && slices.Contains(relation.Primary, column.Name) && len(t.Key) == 0 && (described.Privacy == sectors.Drop || described.Privacy == sectors.Mask) {
			p.add(Finding{Level: Fault, Check: "key", Advice: "give it privacy: token in the sector file, or name another key there"}, "column %s of %s has privacy %s, but rows are known by it", column.Name, name, described.Privacy)
		}
		if !ok || described.Unfit == "" {
			continue
		}
		if slices.Contains(relation.Primary, column.Name) && len(t.Key) == 0 {
			p.add(Finding{Level: Fault, Check: "key", Advice: "take unfit out of the sector file, or name another key there"}, "column %s of %s has unfit, but rows are known by it", column.Name, name)
		}
		if _, taken := find(relation.Columns, described.UnfitName()); taken {
			p.add(Finding{Level: Fault, Check: "description", Advice: "rename that column, or take unfit out of the sector file"}, "column %s of %s has unfit, whose values go to %s, and the table has a column of that name", column.Name, name, described.UnfitName())
		}
	}
	if len(texts) > 0 {
		p.add(Finding{Level: Note, Check: "type"}, "columns of %s whose types have no Avro form of their own are carried as their text: %s", name, strings.Join(texts, ", "))
	}
	for _, column := range f.generated {
		p.add(Finding{Level: Note, Check: "generated", Advice: "the database computes it from other columns, and so can who reads them"}, "column %s of %s is generated: it is not captured", column, name)
	}
	for _, column := range t.Columns {
		if _, ok := find(relation.Columns, column.Name); !ok && !slices.Contains(f.generated, column.Name) {
			advice := "take it out of the sector file, or correct its name"
			if t.Private() {
				advice += ": 'enable' cannot grant it"
			}
			p.add(Finding{Level: Warning, Check: "description", Advice: advice}, "column %s of %s is described in the sector file but not in the database", column.Name, name)
		}
	}
}

// isText tells whether a type is carried as its text under a name of ours.
func isText(codec pgvalue.Codec) bool {
	named, ok := codec.Avro.(map[string]any)
	if !ok {
		return false
	}
	connect, ok := named["connect.name"].(string)
	return ok && strings.HasPrefix(connect, "hopluu.") && named["type"] == "string"
}

func find(columns []pgvalue.Column, name string) (pgvalue.Column, bool) {
	i := slices.IndexFunc(columns, func(c pgvalue.Column) bool { return c.Name == name })
	if i < 0 {
		return pgvalue.Column{}, false
	}
	return columns[i], true
}

func names(columns []pgvalue.Column) (all []string) {
	for _, c := range columns {
		all = append(all, c.Name)
	}
	return all
}

// missing are the names that are not among those that are there.
func missing(names, there []string) []string {
	return slices.DeleteFunc(slices.Clone(names), func(n string) bool { return slices.Contains(there, n) })
}
