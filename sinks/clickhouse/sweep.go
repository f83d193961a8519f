package clickhouse

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/hopluu/hopluu/schemas/erasure"
	"github.com/hopluu/hopluu/sinks/clickhouse/cluster"
	"github.com/hopluu/hopluu/sinks/clickhouse/tables"
)

// named are the columns that hold names of records, in whatever table of bronze
// and silver, a shadow of a replay's among them.
var named = []string{"_record", "record", "record_a", "record_b"}

// namesAtOnce is how many names one statement has.
const namesAtOnce = 2000

// sweeper deletes rows of erased people.
type sweeper struct {
	server *server
	shards *shards
	routes routes
}

// erasedTable is a table that may have some.
type erasedTable struct {
	database, name string
	names          []string // its columns of named
	bronze         bool     // its rows have offsets
	letters        bool     // ops.dead_letter, whose have, too
	// through is the name of the record through which a row speaks of its
	// person; "" when its own is.
	through string
}

// shapes finds the tables.
func (w sweeper) shapes(ctx context.Context) (found []erasedTable, err error) {
	columns := map[[2]string][]string{}
	err = w.server.query(ctx, `SELECT c.database, c.table, c.name FROM system.columns AS c
INNER JOIN system.tables AS t ON t.database = c.database AND t.name = c.table
WHERE t.engine LIKE '%MergeTree' AND t.name NOT IN ('`+tables.IdentityAudit+`') -- its rows are kept, without the names (forgetLogs)
    AND (t.database IN ('bronze', 'silver', '`+tables.Replay+`', 'bronze`+cluster.Suffix+`', 'silver`+cluster.Suffix+`') OR t.database = 'ops' AND t.name = 'dead_letter')
    AND (c.name IN (`+quotedList(named)+`) OR c.name IN ('_topic', '_partition', '_offset')) AND c.type IN ('String', 'Nullable(String)', 'LowCardinality(String)', 'Int32', 'Int64')
ORDER BY c.database, c.table, c.name`, func(rows driver.Rows) error {
		var database, table, column string
		if err := rows.Scan(&database, &table, &column); err != nil {
			return err
		}
		// In a cluster the rows are the shards', and a statement on the table of
		// all of them reaches them.
		at := [2]string{strings.TrimSuffix(database, cluster.Suffix), table}
		if !slices.Contains(columns[at], column) {
			columns[at] = append(columns[at], column)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	through, err := w.throughs(ctx)
	if err != nil {
		return nil, err
	}
	for _, at := range slices.SortedFunc(maps.Keys(columns), func(a, b [2]string) int { return slices.Compare(a[:], b[:]) }) {
		t := erasedTable{database: at[0], name: at[1], letters: at == [2]string{"ops", "dead_letter"}}
		for _, c := range columns[at] {
			if slices.Contains(named, c) {
				t.names = append(t.names, c)
			}
		}
		t.bronze = at[0] == "bronze" && len(columns[at]) == len(t.names)+3
		if at[0] == tables.Bronze || at[0] == tables.Silver || at[0] == tables.Replay {
			t.through = through[at[1]]
		}
		if len(t.names) > 0 {
			found = append(found, t)
		}
	}
	return found, nil
}

// throughs gives, for each data set whose rows speak of a person through a
// record of another, the expression for that record's name.
func (w sweeper) throughs(ctx context.Context) (map[string]string, error) {
	s := &store{server: w.server, shards: w.shards}
	existing, err := s.shapes(ctx)
	if err != nil {
		return nil, err
	}
	shapes := map[string]*tables.Table{}
	for dataset, r := range w.routes.datasets() {
		if columns := existing[tables.Bronze][dataset]; len(columns) > 0 {
			if shapes[dataset], err = tables.Restore(r.desc, columns); err != nil {
				return nil, err
			}
		}
	}
	out := map[string]string{}
	for dataset, t := range shapes {
		if t.Person == nil || t.Person.Direct {
			continue
		}
		// Without the table of the record there is no record that is erased.
		if to := shapes[t.Sector+"_"+t.Person.To]; to != nil {
			record, err := t.PersonRecord(to)
			if err != nil {
				continue // no view is made of it either, and the log has said why
			}
			out[dataset] = record
		}
	}
	return out, nil
}

// look finds the records that speak of erased ones, and of nobody else now.
func (w sweeper) look(ctx context.Context, found []erasedTable, records []string) (more []string, err error) {
	seen := map[string]struct{}{}
	for _, t := range found {
		if t.through == "" || t.database != tables.Bronze {
			continue
		}
		keyed := slices.ContainsFunc(found, func(o erasedTable) bool { return o.database == tables.Silver && o.name == t.name })
		for chunk := range slices.Chunk(records, namesAtOnce) {
			list := quotedList(chunk)
			sql := fmt.Sprintf("SELECT DISTINCT t._record FROM %s AS t WHERE %s IN (%s)", tables.Qualified(t.database, t.name), t.through, list)
			if keyed {
				sql += fmt.Sprintf(" AND t._record NOT IN (SELECT t._record FROM %s AS t FINAL WHERE %s NOT IN (%s))", tables.Qualified(tables.Silver, t.name), t.through, list)
			}
			err := w.query(ctx, t.database, t.name, sql, func(rows driver.Rows) error {
				var name string
				err := rows.Scan(&name)
				if name != "" {
					seen[name] = struct{}{}
				}
				return err
			})
			if err != nil {
				return nil, err
			}
		}
	}
	for _, r := range records {
		delete(seen, r)
	}
	return slices.Sorted(maps.Keys(seen)), nil
}

// delete takes the rows of records away for good, and those that speak through
// them, and the names of the ledger's out of the matcher's logs and of other
// people's rows. It gives how many, by table.
func (w sweeper) delete(ctx context.Context, found []erasedTable, ledger *erasure.Ledger, records []string) (map[string]int64, error) {
	counts := map[string]int64{}
	for chunk := range slices.Chunk(records, namesAtOnce) {
		for _, t := range found {
			n, err := w.deleteWhere(ctx, t, t.of(chunk))
			if missing(err) {
				continue // gone since: a shadow that a replay swapped
			}
			if err != nil {
				return nil, err
			}
			if n > 0 {
				counts[t.database+"."+t.name] += n
			}
		}
	}
	if err := w.blankRows(ctx, ledger, counts); err != nil {
		return nil, err
	}
	return counts, w.forgetLogs(ctx, ledger, counts)
}

// unaliased takes the alias out of an expression over silver.x AS t: a mutation
// has none.
func unaliased(expression string) string {
	return strings.NewReplacer("t.`", "`", "t._source", "_source").Replace(expression)
}

// of is the condition of the rows that are some records', or speak through them.
func (t *erasedTable) of(records []string) string {
	list := quotedList(records)
	var conditions []string
	for _, column := range t.names {
		conditions = append(conditions, tables.Ident(column)+" IN ("+list+")")
	}
	if t.through != "" {
		conditions = append(conditions, unaliased(t.through)+" IN ("+list+")")
	}
	return strings.Join(conditions, " OR ")
}

func (w sweeper) count(ctx context.Context, t erasedTable, where string) (int64, error) {
	all := uint64(0)
	err := w.query(ctx, t.database, t.name, "SELECT count() FROM "+tables.Qualified(t.database, t.name)+" WHERE "+where, func(rows driver.Rows) error {
		var n uint64
		err := rows.Scan(&n)
		all += n
		return err
	})
	return int64(all), err
}

// holders are the servers that have a table's rows: in a cluster the shards, each
// of which is asked for its own, of which no replica that lags lacks any.
func (w sweeper) holders(ctx context.Context, database, table string) ([]*server, error) {
	if database != tables.Bronze && database != tables.Silver {
		return []*server{w.server}, w.server.sync(ctx, database, table)
	}
	for _, one := range w.shards.servers {
		if err := one.sync(ctx, database, table); err != nil {
			return nil, err
		}
	}
	return w.shards.servers, nil
}

// query asks all who have rows of a table. A partition is on one shard, and with
// it all that is said of a record.
func (w sweeper) query(ctx context.Context, database, table, sql string, row func(driver.Rows) error) error {
	holders, err := w.holders(ctx, database, table)
	for _, one := range holders {
		if err == nil {
			err = one.query(ctx, sql, row)
		}
	}
	return err
}

func (w sweeper) deleteWhere(ctx context.Context, t erasedTable, where string) (int64, error) {
	name := tables.Qualified(t.database, t.name)
	n, err := w.count(ctx, t, where)
	if err != nil || n == 0 {
		return 0, err
	}
	// What bronze had proves how far it is written, also when it is gone.
	switch {
	case t.bronze:
		for _, one := range w.shards.servers {
			err = errors.Join(err, one.exec(ctx, "INSERT INTO ops.erased_offset (topic, partition, offset, deleted) SELECT _topic, _partition, _offset, 1 FROM "+name+" WHERE "+where))
		}
	case t.letters:
		err = w.server.exec(ctx, "INSERT INTO ops.erased_offset (topic, partition, offset) SELECT topic, partition, offset FROM "+name+" FINAL WHERE state != '"+LetterRetried+"' AND ("+where+")")
	}
	if err != nil {
		return 0, err
	}
	// Not a lightweight DELETE, which would only hide them until a merge.
	return n, w.server.exec(ctx, "ALTER TABLE "+name+" DELETE WHERE "+where+" SETTINGS mutations_sync = 2")
}

// Erase deletes what ClickHouse has of the people whom a ledger says to be
// erased, in whatever table of it: for a restore, or a replay, before anybody
// reads what came of it (P12). Of the configuration it needs ClickHouse, the
// sectors and the sources. It gives how many rows went, by table.
func Erase(ctx context.Context, c *Config, ledger *erasure.Ledger) (deleted map[string]int64, err error) {
	routes, err := newRoutes(c.Sectors, c.Sources)
	if err != nil {
		return nil, err
	}
	server, shards, err := openAll(c)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, shards.close(), server.conn.Close()) }()
	for _, sql := range append(tables.Databases(), erasureTables...) {
		if err := server.exec(ctx, sql); err != nil {
			return nil, err
		}
	}
	w := sweeper{server, shards, routes}
	shapes, err := w.shapes(ctx)
	if err != nil {
		return nil, err
	}
	records := ledger.Records()
	if more, err := w.look(ctx, shapes, records); err != nil {
		return nil, err
	} else if records = append(records, more...); len(records) == 0 {
		return nil, nil
	}
	return w.delete(ctx, shapes, ledger, records)
}

// Count tells what Erase would delete of some records, by table.
func Count(ctx context.Context, c *Config, records []string) (counts map[string]int64, err error) {
	routes, err := newRoutes(c.Sectors, c.Sources)
	if err != nil {
		return nil, err
	}
	server, shards, err := openAll(c)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, shards.close(), server.conn.Close()) }()
	w := sweeper{server, shards, routes}
	found, err := w.shapes(ctx)
	if err != nil {
		return nil, err
	}
	more, err := w.look(ctx, found, records)
	if err != nil {
		return nil, err
	}
	counts = map[string]int64{}
	for chunk := range slices.Chunk(append(slices.Clone(records), more...), namesAtOnce) {
		for _, t := range found {
			n, err := w.count(ctx, t, t.of(chunk))
			if err != nil {
				return nil, err
			}
			if n > 0 {
				counts[t.database+"."+t.name] += n
			}
		}
	}
	events, _, err := w.logs(ctx)
	if err != nil || !events {
		return counts, err
	}
	for chunk := range slices.Chunk(slices.Clone(records), namesAtOnce) {
		n, err := w.count(ctx, erasedTable{database: tables.Bronze, name: tables.IdentityEvent}, eventsOf(chunk))
		if err != nil {
			return nil, err
		}
		if n > 0 {
			counts["bronze."+tables.IdentityEvent] += n
		}
	}
	return counts, nil
}

// ReadLedger takes ClickHouse's copy of the erasure ledger into a ledger.
func ReadLedger(ctx context.Context, c *Config, into *erasure.Ledger) error {
	server, shards, err := openAll(c)
	if err != nil {
		return err
	}
	return errors.Join(readCopy(ctx, server, into), shards.close(), server.conn.Close())
}
