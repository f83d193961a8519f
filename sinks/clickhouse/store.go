package clickhouse

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/hopluu/hopluu/schemas/avro"
	"github.com/hopluu/hopluu/schemas/registry"
	"github.com/hopluu/hopluu/schemas/sectors"
	"github.com/hopluu/hopluu/schemas/topic"
	"github.com/hopluu/hopluu/sinks"
	"github.com/hopluu/hopluu/sinks/clickhouse/cluster"
	"github.com/hopluu/hopluu/sinks/clickhouse/golden"
	"github.com/hopluu/hopluu/sinks/clickhouse/tables"
)

// store is ClickHouse as package sinks sees it. What is below lanes is used by
// the reading goroutine alone.
type store struct {
	server   *server // for what all servers have
	shards   *shards // for the rows of bronze and silver
	kafka    *topic.Client
	registry *registry.Client
	sectors  *sectors.Set
	group    string
	routes   routes
	health   *sinks.Health
	log      *slog.Logger
	metrics  *metrics
	gold     *gold
	eraser   *eraser
	logged   logged
	restater *restater
	epoch    atomic.Uint32 // of the sink; part of every deduplication token
	// into, of a replay, is the table that takes the rows instead of silver's,
	// quoted; empty for silver's own.
	into string
	// dry: tables stay as they are; an event that they have no room for fails.
	dry bool

	lanes map[string]*lane
	// descriptions are the sector files' of the data sets.
	descriptions map[string]tables.Description
	held         map[topic.Partition]int64 // below it bronze has the records of a partition
	retention    time.Duration             // of bronze, 0 for ever
	incarnations map[string]uint32         // of topics that were lost and made anew
	reading      []string                  // the topics of the generation's partitions
	letters      letters
	values       map[schemaKey]*valueSchema
	keys         map[uint32]*keySchema
	decoded      avro.Decoded
	cells        []avro.Cell
	keyRow       []avro.Cell
	record       []byte

	mu    sync.Mutex
	mark  sinks.Mark
	fresh map[topic.Partition]freshness
}

// lane is one data set as it stands in ClickHouse now.
type lane struct {
	dataset string
	table   *tables.Table // nil until its first event
	silver  *tables.Insert
	bronze  *tables.Insert
}

func (l *lane) become(t *tables.Table) {
	l.table, l.bronze = t, t.InsertBronze()
	if t.Keyed() {
		l.silver = t.InsertSilver()
	}
}

// start prepares ClickHouse: databases, our own tables, the catalogue, and the
// views of what is there already.
func (s *store) start(ctx context.Context) error {
	return s.health.Retry(ctx, "ClickHouse", func(ctx context.Context) error {
		if err := s.server.wrap(s.server.conn.Ping(ctx)); err != nil {
			return err
		}
		if err := s.checkRestored(ctx); err != nil {
			return err
		}
		for _, sql := range slices.Concat(tables.Databases(), opsTables, erasureTables) {
			if err := s.server.exec(ctx, sql); err != nil {
				return err
			}
		}
		if err := s.server.sync(ctx, tables.Ops, "sink_epoch"); err != nil {
			return err
		}
		if err := s.readEpoch(ctx); err != nil {
			return err
		}
		if err := s.writeCatalogue(ctx); err != nil {
			return err
		}
		return s.restore(ctx)
	})
}

// shapes reads what tables there are in bronze and silver, by database and
// table. Without data sets it reads all.
func (s *store) shapes(ctx context.Context, datasets ...string) (map[string]map[string][]tables.Existing, error) {
	existing := map[string]map[string][]tables.Existing{tables.Bronze: {}, tables.Silver: {}}
	only := ""
	for i, d := range datasets {
		only += map[bool]string{true: " AND c.table IN (", false: ", "}[i == 0] + quote(d)
	}
	if only != "" {
		only += ")"
	}
	err := s.shards.servers[0].query(ctx, `SELECT c.database, c.table, c.name, c.type, c.comment, c.is_in_sorting_key
FROM system.columns AS c
INNER JOIN system.tables AS t ON t.database = c.database AND t.name = c.table
WHERE c.database IN (`+quote(s.database(tables.Bronze))+`, `+quote(s.database(tables.Silver))+`) AND t.engine LIKE '%MergeTree'`+only+`
ORDER BY c.database, c.table, c.position`, func(rows driver.Rows) error {
		var database, table string
		var c tables.Existing
		var key uint8
		if err := rows.Scan(&database, &table, &c.Name, &c.Type, &c.Comment, &key); err != nil {
			return err
		}
		c.Key = key == 1
		database, _, _ = strings.Cut(database, cluster.Suffix)
		existing[database][table] = append(existing[database][table], c)
		return nil
	})
	return existing, err
}

// database is the one in which the rows of bronze or silver are.
func (s *store) database(name string) string {
	if s.shards.cluster != nil {
		return name + cluster.Suffix
	}
	return name
}

// refresh learns what other sinks of the group did to tables that this one
// knows, so that nothing is altered, or written, by a shape that is old.
func (s *store) refresh(ctx context.Context, datasets ...string) error {
	existing, err := s.shapes(ctx, datasets...)
	if err != nil {
		return err
	}
	for _, dataset := range datasets {
		columns, ok := existing[tables.Bronze][dataset]
		if !ok {
			continue
		}
		l := s.lanes[dataset]
		t, err := tables.Restore(s.descriptions[dataset], columns)
		if err != nil {
			return &sinks.Permanent{Err: err}
		}
		if l.table == nil || !l.table.SameColumns(t) {
			l.become(t)
		}
	}
	return nil
}

// restore learns the tables that exist.
func (s *store) restore(ctx context.Context) error {
	existing, err := s.shapes(ctx)
	if err != nil {
		return err
	}
	s.lanes = map[string]*lane{}
	s.descriptions = map[string]tables.Description{}
	datasets := s.routes.datasets()
	for dataset, r := range datasets {
		s.descriptions[dataset] = r.desc
		l := &lane{dataset: dataset}
		s.lanes[dataset] = l
		columns, ok := existing[tables.Bronze][dataset]
		if !ok {
			continue
		}
		t, err := tables.Restore(r.desc, columns)
		if err != nil {
			return &sinks.Permanent{Err: err}
		}
		if _, ok := existing[tables.Silver][dataset]; !ok && t.Keyed() {
			// Silver is made before bronze, so somebody took it away. To make
			// an empty one would look like a source without rows.
			return &sinks.Permanent{Err: fmt.Errorf("silver.%s is gone while bronze.%s is there: restore it from a backup, or rename bronze.%s away and take a new snapshot", dataset, dataset, dataset)}
		}
		l.become(t)
		statements := t.Missing(tables.Bronze, columns)
		if t.Keyed() {
			statements = append(statements, t.Missing(tables.Silver, existing[tables.Silver][dataset])...)
		}
		for _, sql := range append(statements, t.Comments(columns)...) {
			if err := s.server.exec(ctx, sql); err != nil {
				return err
			}
		}
	}
	for _, dataset := range slices.Sorted(maps.Keys(s.lanes)) {
		if l, r := s.lanes[dataset], datasets[dataset]; l.table == nil && r.shape != nil {
			if err := s.reshape(ctx, l, r.shape(), nil); err != nil {
				return err
			}
		}
	}
	for _, dataset := range slices.Sorted(maps.Keys(s.lanes)) {
		if l := s.lanes[dataset]; l.table != nil {
			if err := s.retain(ctx, l); err != nil {
				return err
			}
			if err := s.views(ctx, l); err != nil {
				return err
			}
		}
	}
	s.applyGold()
	return nil
}

// reshape makes a data set's tables, or alters them, and then its views. It can
// be repeated.
func (s *store) reshape(ctx context.Context, l *lane, t *tables.Table, changes []tables.Change) error {
	statements := t.Alter(changes)
	if l.table == nil {
		statements = t.Create()
	}
	for _, sql := range statements {
		if err := s.server.exec(ctx, sql); err != nil {
			return err
		}
	}
	l.become(t)
	if err := s.retain(ctx, l); err != nil {
		return err
	}
	if err := s.views(ctx, l); err != nil {
		return err
	}
	s.applyGold()
	return nil
}

// views makes the views of a data set, and those that wait for it.
func (s *store) views(ctx context.Context, l *lane) error {
	if !l.table.Keyed() {
		if v, ok := tables.LogView(l.dataset); ok {
			return s.view(ctx, v.Name, v.SQL)
		}
		return nil
	}
	if err := s.view(ctx, "silver."+l.dataset+"_history", l.table.HistoryView()); err != nil {
		return err
	}
	if l.dataset == tables.IdentityLink {
		if err := s.view(ctx, "silver.identity_link_at", l.table.LinkAt()); err != nil {
			return err
		}
	}
	if err := s.currentView(ctx, l.table); err != nil {
		return err
	}
	for _, dataset := range slices.Sorted(maps.Keys(s.lanes)) {
		other := s.lanes[dataset].table
		if other != nil && other != l.table && other.Sector == l.table.Sector && other.Person != nil && other.Person.To == l.table.Name {
			if err := s.currentView(ctx, other); err != nil {
				return err
			}
		}
	}
	return nil
}

// currentView makes v_<data set>. The view of a table whose person is found
// through another table is made when that is there.
func (s *store) currentView(ctx context.Context, t *tables.Table) error {
	if !t.Keyed() || t.Dataset() == tables.IdentityLink {
		return nil
	}
	var to *tables.Table
	if t.Person != nil && !t.Person.Direct {
		l, ok := s.lanes[t.Sector+"_"+t.Person.To]
		if !ok || l.table == nil {
			s.log.Debug("the view waits for the table through which its person is found", "view", "silver.v_"+t.Dataset(), "table", t.Person.To)
			return nil
		}
		to = l.table
	}
	sql, err := t.View(to)
	if err != nil {
		s.log.Error("the view cannot be made; correct the sector file", "view", "silver.v_"+t.Dataset(), "error", err)
		return nil
	}
	return s.view(ctx, "silver.v_"+t.Dataset(), sql)
}

// applyGold has the views of gold made over the tables as they are now.
func (s *store) applyGold() {
	shapes := map[string]*tables.Table{}
	for dataset, l := range s.lanes {
		if l.table != nil {
			shapes[dataset] = l.table
		}
	}
	master, err := golden.Compile(s.sectors, shapes)
	if err != nil {
		s.log.Error("the views of master data are not made anew; correct the sector file", "error", err)
	}
	s.gold.apply(master)
	s.restater.shape(shapes)
}

// view runs a view's DDL. One that ClickHouse refuses is told and left out: its
// table's rows land all the same, and it is tried again at the next start and
// the next change of shape. Waiting would not mend it, and would hold the rows.
func (s *store) view(ctx context.Context, name, sql string) error {
	err := s.server.exec(ctx, sql)
	if code(err) != 0 {
		s.log.Error("ClickHouse refuses a view; its table's rows land without it", "view", name, "error", err)
		return nil
	}
	return err
}

// Lane implements sinks.Store.
func (s *store) Lane(topicName string) string { return s.routes[topicName].dataset }

// Resume implements sinks.Store: the offset after the last that bronze holds.
//
// Why that is enough (P2): a batch is written to silver first and to bronze
// last, and a partition's part of it goes into bronze as one block of one
// insert, so all of it is there or nothing. An offset that bronze holds
// therefore proves that every record up to it is in bronze and in silver, and
// one within a pending range proves the whole range; so does one that was there
// and is erased (P12). What silver has beyond it,
// from a batch that did not get as far as bronze, is read again and changes
// nothing there: a row's version comes from its source. Records that leave no
// row in bronze (tombstones, dead letters) are read again at worst up to the
// committed offset.
func (s *store) Resume(ctx context.Context, parts []topic.Partition) (map[topic.Partition]int64, error) {
	s.held, s.reading, s.letters = map[topic.Partition]int64{}, nil, newLetters()
	s.restater.own(parts)
	if len(parts) == 0 {
		return map[topic.Partition]int64{}, nil // a member may be assigned nothing
	}
	topics := map[string][]string{}
	for _, p := range parts {
		dataset := s.routes[p.Topic].dataset
		if !slices.Contains(topics[dataset], p.Topic) {
			topics[dataset] = append(topics[dataset], p.Topic)
			s.reading = append(s.reading, p.Topic)
		}
	}
	if err := s.refresh(ctx, slices.Sorted(maps.Keys(topics))...); err != nil {
		return nil, err
	}
	if err := s.eraser.resume(ctx); err != nil {
		return nil, err
	}
	if err := s.readLetters(ctx, parts); err != nil {
		return nil, err
	}
	if err := s.readFreshness(ctx); err != nil {
		return nil, err
	}
	for dataset, names := range topics {
		if t := s.lanes[dataset].table; t != nil {
			if err := s.shards.held(ctx, t, names, s.held); err != nil {
				return nil, err
			}
		}
	}
	if err := s.heldErased(ctx); err != nil {
		return nil, err
	}
	if err := s.readIncarnations(ctx); err != nil {
		return nil, err
	}
	ids, err := s.checkTopics(ctx, parts)
	if err != nil {
		return nil, err
	}
	return maps.Clone(s.held), s.notePartitions(ctx, parts, ids)
}

// Hold implements sinks.Store.
func (s *store) Hold(p topic.Partition, next int64) { s.held[p] = next }
