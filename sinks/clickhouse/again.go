package clickhouse

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/hopluu/hopluu/schemas/sectors"
	"github.com/hopluu/hopluu/schemas/topic"
	"github.com/hopluu/hopluu/sinks"
	"github.com/hopluu/hopluu/sinks/clickhouse/tables"
)

// Again applies events that the sink has been through once more, for a replay:
// to silver's table of one data set, or to a table of its shape beside it. It
// decodes, completes and writes rows as the sink does, under the versions that
// the events came with (P6), and what cannot be applied goes to the dead letters
// (P3). It never writes bronze.
//
// One goroutine uses it, but for AgainBatch.Write, which runs beside Add as the
// sink's does.
type Again struct {
	store   *store
	lane    *lane
	dataset string
}

// Feed is a topic that the sink reads.
type Feed struct {
	Topic, Source, Dataset string
	// Flat: a compacted topic of the matcher, which never holds all that it held.
	Flat bool
	// Table is how its sector file describes it, nil when it does not.
	Table *sectors.Table
}

// Feeds gives the topics that a sink of the configuration reads, in their order.
func Feeds(c Config) ([]Feed, error) {
	routes, err := newRoutes(c.Sectors, c.Sources)
	if err != nil {
		return nil, err
	}
	var feeds []Feed
	for _, name := range routes.topics() {
		r := routes[name]
		feeds = append(feeds, Feed{r.topic, r.source, r.dataset, r.flat, r.desc.Table})
	}
	return feeds, nil
}

// NewAgain connects to ClickHouse; Close ends it. c is the configuration of the
// sink, whose group names the transactions of dead letters.
func NewAgain(c Config, dataset string) (*Again, error) {
	routes, err := newRoutes(c.Sectors, c.Sources)
	if err != nil {
		return nil, err
	}
	r, ok := routes.datasets()[dataset]
	if !ok {
		return nil, fmt.Errorf("no topic feeds a table %s", dataset)
	}
	m, err := newMetrics(prometheus.NewRegistry())
	if err != nil {
		return nil, fmt.Errorf("replay metrics: %w", err)
	}
	server, shards, err := openAll(&c)
	if err != nil {
		return nil, err
	}
	l := &lane{dataset: dataset}
	s := &store{
		server: server, shards: shards, kafka: c.Kafka, registry: c.Registry, sectors: c.Sectors, group: cmp.Or(c.Group, defaultGroup) + ".replay",
		routes: routes, health: sinks.NewHealth(c.Log), log: c.Log, metrics: m,
		lanes:        map[string]*lane{dataset: l},
		descriptions: map[string]tables.Description{dataset: r.desc},
		held:         map[topic.Partition]int64{},
		letters:      newLetters(), values: map[schemaKey]*valueSchema{}, keys: map[uint32]*keySchema{},
		mark: sinks.Mark{}, gold: newGold(server, c.Log),
	}
	s.eraser = newEraser(s)
	return &Again{store: s, lane: l, dataset: dataset}, nil
}

// Close ends the connections.
func (a *Again) Close() error {
	return errors.Join(a.store.shards.close(), a.store.server.conn.Close())
}

// Into has the rows written to a table of silver's shape, quoted; to silver's own
// when it is empty. It learns how the tables look now, has that one follow
// silver's, and learns what of the partitions stands in the dead letters: those
// that are settled by nobody, or were given up, are not applied.
func (a *Again) Into(ctx context.Context, table string, parts []topic.Partition) error {
	s := a.store
	if err := s.refresh(ctx, a.dataset); err != nil {
		return err
	}
	if a.lane.table == nil {
		return fmt.Errorf("bronze.%s is not there: has the sink ever written it?", a.dataset)
	}
	if !a.lane.table.Keyed() {
		return fmt.Errorf("%s has no key: it is in bronze only, where nothing is written again", a.dataset)
	}
	s.into, s.reading = table, nil
	for _, p := range parts {
		if !slices.Contains(s.reading, p.Topic) {
			s.reading = append(s.reading, p.Topic)
		}
	}
	for _, sql := range erasureTables {
		if err := s.server.exec(ctx, sql); err != nil {
			return err
		}
	}
	// P12: what a replay brings is never of an erased person.
	if err := s.eraser.reload(ctx); err != nil {
		return err
	}
	s.letters = newLetters()
	if len(parts) > 0 {
		if err := s.readLetters(ctx, parts); err != nil {
			return err
		}
	}
	return s.follow(ctx, a.lane)
}

// Dry has what is added be decoded only: nothing is altered, and nobody calls
// Write.
func (a *Again) Dry(ctx context.Context) error {
	a.store.dry = true
	return a.store.refresh(ctx, a.dataset)
}

// Shape is the data set's shape, known after Into.
func (a *Again) Shape() *tables.Table { return a.lane.table }

// follow brings the table that a replay fills to the lane's shape.
func (s *store) follow(ctx context.Context, l *lane) error {
	if s.into == "" || l.table == nil {
		return nil
	}
	columns, err := s.columns(ctx, s.into)
	if err != nil {
		return err
	}
	for _, sql := range l.table.Follow(s.into, columns) {
		if err := s.server.exec(ctx, sql); err != nil {
			return err
		}
	}
	return nil
}

// columns gives the columns of a table, quoted.
func (s *store) columns(ctx context.Context, table string) (columns []tables.Existing, err error) {
	err = s.server.query(ctx, "SELECT name, type FROM system.columns WHERE concat('`', database, '`.`', table, '`') = "+quote(table)+" ORDER BY position", func(rows driver.Rows) error {
		var c tables.Existing
		if err := rows.Scan(&c.Name, &c.Type); err != nil {
			return err
		}
		columns = append(columns, c)
		return nil
	})
	if err == nil && len(columns) == 0 {
		err = fmt.Errorf("the table %s is not there any more", table)
	}
	return columns, err
}

// AgainBatch is events on their way.
type AgainBatch struct{ b *batch }

// Open begins a batch.
func (a *Again) Open() *AgainBatch { return &AgainBatch{a.store.Open(a.dataset).(*batch)} }

// Add takes a record, as sinks.Batch does: sinks.ErrFull says that it belongs
// into the next one.
func (b *AgainBatch) Add(ctx context.Context, r *topic.Record) error { return b.b.Add(ctx, r) }

// Rows and Bytes are what the batch holds, about.
func (b *AgainBatch) Rows() int  { return b.b.rows }
func (b *AgainBatch) Bytes() int { return b.b.bytes }

// Dead is how many of its records go to the dead letters.
func (b *AgainBatch) Dead() (n int) {
	for _, p := range b.b.order {
		n += len(p.dead)
	}
	return n
}

// Write writes the batch: dead letters, then rows and truncations, in the order of
// batch.Write and for its reasons, but nothing into bronze. A server that is away
// is waited for.
func (b *AgainBatch) Write(ctx context.Context) error {
	s := b.b.store
	return s.health.Retry(ctx, "data set "+b.b.lane.dataset, func(ctx context.Context) error {
		err := b.b.writeAgain(ctx)
		var away *sinks.Unavailable
		if err != nil && ctx.Err() == nil && !errors.As(err, &away) {
			return &sinks.Permanent{Err: err} // an operator is there to be told
		}
		return err
	})
}

func (b *batch) writeAgain(ctx context.Context) error {
	if err := b.writeDeadLetters(ctx); err != nil {
		return err
	}
	table := b.table()
	if table != nil {
		if err := b.complete(ctx); err != nil {
			return err
		}
		if err := b.writeSilver(ctx, table); err != nil {
			return err
		}
	}
	// Which offsets leave no row the sink has noted, or the sweep that took it.
	b.store.eraser.ended(b)
	return nil
}

// Erase deletes the rows of erased people wherever they are: a copy of silver, or
// a table that was beside it for long, has those of people who were erased since
// (P12). The ledger is read anew.
func (a *Again) Erase(ctx context.Context) error {
	s := a.store
	if err := s.eraser.reload(ctx); err != nil {
		return err
	}
	ledger := s.eraser.ledger.Load()
	if ledger.Empty() {
		return nil
	}
	w := sweeper{s.server, s.shards, s.routes}
	shapes, err := w.shapes(ctx)
	if err != nil {
		return err
	}
	_, err = w.delete(ctx, shapes, ledger, ledger.Records())
	return err
}

// FromBronze writes rows anew from bronze: of every record that has an event
// which meets the condition, the latest version below the end. Both are
// expressions over bronze's columns. What an update did not send is completed
// from bronze, as the sink does (P4).
func (a *Again) FromBronze(ctx context.Context, of, below string) error {
	into := cmp.Or(a.store.into, tables.Qualified(tables.Silver, a.dataset))
	return a.store.server.exec(ctx, a.lane.table.FromBronze(into, of, below))
}

// Cut applies the truncates and markers of the topics that bronze has and that
// meet a condition, those of a partition in their order.
func (a *Again) Cut(ctx context.Context, topics []string, where string) error {
	s := a.store
	for _, name := range topics {
		counts, err := s.kafka.PartitionCounts(ctx, name)
		if err != nil {
			return err
		}
		for id := range counts[name] {
			cuts, err := s.cuts(ctx, a.lane.table, s.routes[name], id, where)
			if err != nil {
				return err
			}
			for _, c := range cuts {
				c.Into, c.Last = s.into, id+1 == counts[name]
				if err := s.server.exec(ctx, a.lane.table.Truncate(c)); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// Retried gives the offsets of dead letters that were applied since a time (an
// expression), by partition.
func (a *Again) Retried(ctx context.Context, topics []string, since string) (map[topic.Partition][]int64, error) {
	found := map[topic.Partition][]int64{}
	err := a.store.server.query(ctx, fmt.Sprintf("SELECT topic, partition, offset FROM ops.dead_letter FINAL WHERE state = '%s' AND at >= %s AND topic IN (%s)",
		LetterRetried, since, quotedList(topics)), func(rows driver.Rows) error {
		var p topic.Partition
		var offset int64
		if err := rows.Scan(&p.Topic, &p.ID, &offset); err != nil {
			return err
		}
		found[p] = append(found[p], offset)
		return nil
	})
	return found, err
}

// Asked tells that dead letters of the topics are about to be applied, or given
// up, by the sink: that it may be writing them.
func (a *Again) Asked(ctx context.Context, topics []string) (asked bool, err error) {
	err = a.store.server.query(ctx, fmt.Sprintf("SELECT count() > 0 FROM ops.dead_letter FINAL WHERE state IN ('%s', '%s') AND topic IN (%s)",
		letterRetrying, letterDiscarding, quotedList(topics)), func(rows driver.Rows) error { return rows.Scan(&asked) })
	return asked, err
}

// Unsettled counts the open dead letters of events that bronze has: a replay could
// not apply them, and the sink, which has been through them, will not.
func (a *Again) Unsettled(ctx context.Context, topics []string) (n int64, err error) {
	list := quotedList(topics)
	err = a.store.server.query(ctx, fmt.Sprintf("SELECT toInt64(count()) FROM ops.dead_letter FINAL WHERE state = '%s' AND topic IN (%s) AND (topic, partition, offset) IN (SELECT _topic, _partition, _offset FROM %s WHERE _topic IN (%s))",
		LetterOpen, list, tables.Qualified(tables.Bronze, a.dataset), list), func(rows driver.Rows) error { return rows.Scan(&n) })
	return n, err
}

// Span is a condition over bronze's, or silver's, columns: events of a partition
// from offset first to before next.
func Span(p topic.Partition, first, next int64) string {
	return fmt.Sprintf("(_topic = %s AND _partition = %d AND _offset >= %d AND _offset < %d)", quote(p.Topic), p.ID, first, next)
}

// At is a condition over bronze's columns: the events of a partition at offsets.
func At(p topic.Partition, offsets []int64) string {
	return fmt.Sprintf("(_topic = %s AND _partition = %d AND _offset IN (%s))", quote(p.Topic), p.ID, numbers(offsets))
}

// Any joins conditions, of which there is at least one.
func Any(conditions ...string) string { return "(" + strings.Join(conditions, " OR ") + ")" }
