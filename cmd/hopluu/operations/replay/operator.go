package replay

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/hopluu/hopluu/schemas/topic"
	"github.com/hopluu/hopluu/sinks"
	"github.com/hopluu/hopluu/sinks/clickhouse"
	"github.com/hopluu/hopluu/sinks/clickhouse/tables"
)

// Progress is how far a run is.
type Progress struct {
	Dataset     string
	Step        string // what is done now
	Done, Total int64  // offsets
	Events      int64
	Rate        float64 // events per second of this run
}

// Config is what replays need.
type Config struct {
	// Sink is the sink's own configuration.
	Sink       clickhouse.Config
	ClickHouse driver.Conn
	Log        *slog.Logger
	// Progress is called now and then, nil for nobody.
	Progress func(Progress)
	// Wait bounds the wait for the sink at an exchange.
	Wait time.Duration
}

// DefaultWait is how long a sink may take to commit what it has under way.
const DefaultWait = 2 * time.Minute

// Operator does what an operator asks of replays. One goroutine uses it.
type Operator struct {
	Config
	feeds []clickhouse.Feed
}

// New makes an Operator.
func New(c Config) (*Operator, error) {
	feeds, err := clickhouse.Feeds(c.Sink)
	if err != nil {
		return nil, err
	}
	c.Wait = cmp.Or(c.Wait, DefaultWait)
	c.Sink.BatchRows = cmp.Or(c.Sink.BatchRows, 100_000)
	c.Sink.BatchBytes = cmp.Or(c.Sink.BatchBytes, 64<<20)
	c.Sink.Group = cmp.Or(c.Sink.Group, "hopluu-sink")
	return &Operator{Config: c, feeds: feeds}, nil
}

func quote(s string) string { return tables.Quote(s) }

// silver and shadow are the two tables of a data set, quoted.
func silver(dataset string) string { return tables.Qualified(tables.Silver, dataset) }
func shadow(dataset string) string { return tables.Qualified(tables.Replay, dataset) }

func (o *Operator) exec(ctx context.Context, sql string) error {
	if err := o.ClickHouse.Exec(ctx, sql); err != nil {
		return fmt.Errorf("clickhouse: %w", err)
	}
	return nil
}

// query calls row for each row of the result, to scan it.
func (o *Operator) query(ctx context.Context, sql string, row func(driver.Rows) error) error {
	rows, err := o.ClickHouse.Query(ctx, sql)
	if err != nil {
		return fmt.Errorf("clickhouse: %w", err)
	}
	for rows.Next() {
		if err := row(rows); err != nil {
			return errors.Join(fmt.Errorf("clickhouse: %w", err), rows.Close())
		}
	}
	if err := rows.Err(); err != nil {
		return errors.Join(fmt.Errorf("clickhouse: %w", err), rows.Close())
	}
	return rows.Close()
}

// prepare makes what replays keep in ClickHouse.
func (o *Operator) prepare(ctx context.Context) error {
	for _, sql := range append(tables.Databases(),
		"CREATE DATABASE IF NOT EXISTS "+tables.Replay+" COMMENT 'Phát lại: bảng dựng lại bên cạnh silver — Replays: tables built again beside those of silver'",
		noteTable) {
		if err := o.exec(ctx, sql); err != nil {
			return err
		}
	}
	return nil
}

// uuid identifies a table whatever its name is now; empty when it is not there.
func (o *Operator) uuid(ctx context.Context, database, table string) (id string, err error) {
	err = o.query(ctx, fmt.Sprintf("SELECT toString(uuid) FROM system.tables WHERE database = %s AND name = %s", quote(database), quote(table)),
		func(rows driver.Rows) error { return rows.Scan(&id) })
	return id, err
}

// feeding gives the topics that feed a data set.
func (o *Operator) feeding(dataset string) (names []string) {
	for _, f := range o.feeds {
		if f.Dataset == dataset {
			names = append(names, f.Topic)
		}
	}
	return names
}

// partitions gives those of topics that are there, in their order.
func (o *Operator) partitions(ctx context.Context, names []string) ([]topic.Partition, error) {
	counts, err := o.Sink.Kafka.PartitionCounts(ctx, names...)
	if err != nil {
		return nil, err
	}
	var parts []topic.Partition
	for _, name := range names {
		for id := range counts[name] {
			parts = append(parts, topic.Partition{Topic: name, ID: id})
		}
	}
	return parts, nil
}

// standing is where the sink is in the partitions of a data set. Below done
// everything is in silver and in bronze; below sent something may be.
type standing struct{ done, sent offsets }

// standing asks the group's offsets and notes, and bronze: an offset that bronze
// holds proves all below it (see the store's Resume in sinks/clickhouse).
func (o *Operator) standing(ctx context.Context, dataset string, parts []topic.Partition) (standing, error) {
	at := standing{offsets{}, offsets{}}
	// Bronze is asked last: what it has by then was noted before.
	all, err := sinks.Standings(ctx, o.Sink.Kafka, o.Sink.Group, parts)
	if err != nil {
		return at, err
	}
	held, err := o.held(ctx, dataset)
	if err != nil {
		return at, err
	}
	for _, s := range all {
		at.done[s.Partition] = max(0, s.Committed, held[s.Partition].next)
		at.sent[s.Partition] = max(at.done[s.Partition], s.Pending)
	}
	return at, nil
}

// kept is what bronze holds of a partition.
type kept struct {
	first, next int64
	rows        int64
}

// held asks bronze. Of what it had of erased people, and of dead letters, other
// tables know where it was: a partition that begins with them begins there.
func (o *Operator) held(ctx context.Context, dataset string) (map[topic.Partition]kept, error) {
	held := map[topic.Partition]kept{}
	id, err := o.uuid(ctx, tables.Bronze, dataset)
	if err != nil || id == "" {
		return held, err
	}
	var topics []string
	for _, name := range o.feeding(dataset) {
		topics = append(topics, quote(name))
	}
	of := " WHERE topic IN (" + strings.Join(topics, ", ") + ") GROUP BY topic, partition"
	queries := []string{"SELECT _topic, _partition, min(_offset), max(_offset) + 1, toInt64(count()) FROM " + tables.Qualified(tables.Bronze, dataset) + " GROUP BY _topic, _partition"}
	for table, next := range map[string]string{"erased_offset": "maxIf(offset, deleted = 1) + 1", "dead_letter": "toInt64(0)"} {
		switch there, err := o.uuid(ctx, tables.Ops, table); {
		case err != nil:
			return nil, err
		case there != "":
			queries = append(queries, "SELECT topic, partition, min(offset), "+next+", toInt64(0) FROM ops."+table+of)
		}
	}
	err = o.query(ctx, strings.Join(queries, "\nUNION ALL\n"), func(rows driver.Rows) error {
		var p topic.Partition
		var k kept
		if err := rows.Scan(&p.Topic, &p.ID, &k.first, &k.next, &k.rows); err != nil {
			return err
		}
		if old, ok := held[p]; ok {
			k = kept{min(k.first, old.first), max(k.next, old.next), k.rows + old.rows}
		}
		held[p] = k
		return nil
	})
	return held, err
}
