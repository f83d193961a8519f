package dev

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/hopluu/hopluu/connectors/postgres"
	"github.com/hopluu/hopluu/schemas/sectors"
	"github.com/hopluu/hopluu/schemas/topic"
	"github.com/jackc/pgx/v5"
)

// tableStats is one line of the live view.
type tableStats struct {
	Source, Table string
	SourceRows    int64
	// Offsets is the sum of the topic's end offsets.
	Offsets int64
	// Landed are silver's living rows; -1 before the table is made.
	Landed int64
	// Lag is how old the newest landed change is while more is waiting; 0 when
	// everything has landed.
	Lag time.Duration
	// Linked of Persons records are linked to a citizen; Persons is 0 for
	// tables that are no persons' records.
	Linked, Persons int64
}

// observer asks all parts how far they are.
type observer struct {
	stack *Stack
	set   *sectors.Set
	kafka *topic.Client
	house driver.Conn
	conns map[string]*pgx.Conn
}

func newObserver(ctx context.Context, stack *Stack) (*observer, error) {
	set, err := sectors.Load()
	if err != nil {
		return nil, err
	}
	o := &observer{stack: stack, set: set, conns: map[string]*pgx.Conn{}}
	if o.kafka, err = topic.Dial(ctx, topic.Config{Brokers: stack.Settings.Kafka.Brokers, ClientID: "hopluu-dev"}); err != nil {
		return nil, err
	}
	options, err := clickhouse.ParseDSN(stack.Settings.ClickHouse.DSN)
	if err != nil {
		return nil, err
	}
	if o.house, err = clickhouse.Open(options); err != nil {
		return nil, err
	}
	return o, nil
}

func (o *observer) close() error {
	var errs []error
	for _, c := range o.conns {
		errs = append(errs, c.Close(context.Background()))
	}
	return errors.Join(append(errs, o.kafka.Close(), o.house.Close())...)
}

func (o *observer) conn(ctx context.Context, source string) (*pgx.Conn, error) {
	if c := o.conns[source]; c != nil && !c.IsClosed() {
		return c, nil
	}
	c, err := postgres.Connect(ctx, o.stack.AdminDSN(source))
	if err == nil {
		o.conns[source] = c
	}
	return c, err
}

// observe gives one line a table. A part that does not answer leaves its
// numbers at zero; the error says which.
func (o *observer) observe(ctx context.Context) ([]tableStats, error) {
	var all []tableStats
	var errs []error
	existing, err := o.existing(ctx)
	errs = append(errs, err)
	linked, err := o.linked(ctx, existing)
	errs = append(errs, err)
	fresh, err := o.fresh(ctx, existing)
	errs = append(errs, err)
	for _, source := range o.stack.Settings.Sources {
		sector, ok := o.set.Sector(source.Sector)
		if !ok {
			continue
		}
		counts, err := o.sourceRows(ctx, source.Name, sector.Tables)
		errs = append(errs, err)
		for i, t := range sector.Tables {
			s := tableStats{Source: source.Name, Table: t.Name, Landed: -1}
			if counts != nil {
				s.SourceRows = counts[i]
			}
			name := topic.Public(source.Name, t.Schema, t.Name)
			behind, err := o.offsets(ctx, name, &s.Offsets)
			errs = append(errs, err)
			landed := sector.Sector + "_" + t.Name
			if existing["silver."+landed] {
				var n uint64
				errs = append(errs, o.house.QueryRow(ctx, "SELECT count() FROM silver."+landed+" FINAL WHERE _is_deleted = 0").Scan(&n))
				s.Landed = int64(n)
			}
			if at, ok := fresh[name]; ok && behind > 0 {
				s.Lag = time.Since(at)
			}
			s.Persons, s.Linked = linked[source.Name+"."+t.Name][0], linked[source.Name+"."+t.Name][1]
			all = append(all, s)
		}
	}
	return all, errors.Join(errs...)
}

func (o *observer) existing(ctx context.Context) (map[string]bool, error) {
	rows, err := o.house.Query(ctx, "SELECT database || '.' || name FROM system.tables WHERE database IN ('silver', 'ops')")
	if err != nil {
		return nil, fmt.Errorf("ClickHouse: %w", err)
	}
	names := map[string]bool{}
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return nil, errors.Join(err, rows.Close())
		}
		names[name] = true
	}
	return names, errors.Join(rows.Err(), rows.Close())
}

// linked gives {records, linked} by "source.table".
func (o *observer) linked(ctx context.Context, existing map[string]bool) (map[string][2]int64, error) {
	out := map[string][2]int64{}
	if !existing["silver.identity_link"] {
		return out, nil
	}
	rows, err := o.house.Query(ctx, "SELECT source, table, count(), countIf(citizen IS NOT NULL) FROM silver.identity_link FINAL WHERE _is_deleted = 0 GROUP BY source, table")
	if err != nil {
		return out, fmt.Errorf("ClickHouse: %w", err)
	}
	for rows.Next() {
		var source, table string
		var n, linked uint64
		if err := rows.Scan(&source, &table, &n, &linked); err != nil {
			return out, errors.Join(err, rows.Close())
		}
		out[source+"."+table] = [2]int64{int64(n), int64(linked)}
	}
	return out, errors.Join(rows.Err(), rows.Close())
}

// fresh gives the newest applied commit time by topic.
func (o *observer) fresh(ctx context.Context, existing map[string]bool) (map[string]time.Time, error) {
	out := map[string]time.Time{}
	if !existing["ops.freshness"] {
		return out, nil
	}
	rows, err := o.house.Query(ctx, "SELECT topic, max(commit_time) FROM ops.freshness GROUP BY topic")
	if err != nil {
		return out, fmt.Errorf("ClickHouse: %w", err)
	}
	for rows.Next() {
		var name string
		var at time.Time
		if err := rows.Scan(&name, &at); err != nil {
			return out, errors.Join(err, rows.Close())
		}
		out[name] = at
	}
	return out, errors.Join(rows.Err(), rows.Close())
}

func (o *observer) sourceRows(ctx context.Context, source string, tables []sectors.Table) ([]int64, error) {
	conn, err := o.conn(ctx, source)
	if err != nil {
		return nil, err
	}
	parts := make([]string, len(tables))
	counts := make([]int64, len(tables))
	targets := make([]any, len(tables))
	for i, t := range tables {
		parts[i] = "(SELECT count(*) FROM " + pgx.Identifier{t.Schema, t.Name}.Sanitize() + ")"
		targets[i] = &counts[i]
	}
	if err := conn.QueryRow(ctx, "SELECT "+strings.Join(parts, ", ")).Scan(targets...); err != nil {
		return nil, fmt.Errorf("source %s: %w", source, err)
	}
	return counts, nil
}

// offsets adds up a topic's end offsets and gives how many the sink has yet to
// commit.
func (o *observer) offsets(ctx context.Context, name string, sum *int64) (behind int64, err error) {
	counts, err := o.kafka.PartitionCounts(ctx, name)
	if err != nil || counts[name] == 0 {
		return 0, err
	}
	var parts []topic.Partition
	for id := range counts[name] {
		parts = append(parts, topic.Partition{Topic: name, ID: id})
	}
	ends, err := o.kafka.EndOffsets(ctx, parts...)
	if err != nil {
		return 0, err
	}
	committed, err := o.kafka.Committed(ctx, o.stack.Settings.Sink.Group, parts...)
	if err != nil {
		return 0, err
	}
	for _, p := range parts {
		*sum += ends[p]
		behind += max(0, ends[p]-max(0, committed[p]))
	}
	return behind, nil
}
