package clickhouse

import (
	"context"
	"fmt"
	"slices"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/hopluu/hopluu/schemas/topic"
	"github.com/hopluu/hopluu/sinks"
	"github.com/hopluu/hopluu/sinks/clickhouse/tables"
)

// lookupHoles is how many rows one lookup of unchanged values asks for.
const lookupHoles = 500

// Write implements sinks.Batch. The order is what keeps P2 and P3, together
// with Resume, which says why:
//
//  1. dead letters, durable before any offset can move past them (P3);
//  2. silver, which takes the same row again and again without a difference;
//  3. truncations, after the rows before them and whatever the order of those
//     after them: versions decide;
//  4. bronze, one block of one insert a partition, whose offsets prove 1 to 3;
//  5. freshness.
//
// The caller commits the offsets after that. After an error it calls Write
// again, and what is done is not done twice.
func (b *batch) Write(ctx context.Context, next map[topic.Partition]int64, ranges map[topic.Partition]sinks.Range) error {
	if err := b.writeDeadLetters(ctx); err != nil {
		return err
	}
	if err := b.writeErased(ctx); err != nil {
		return err
	}
	table := b.table()
	if table != nil && table.Keyed() {
		if err := b.complete(ctx); err != nil {
			return err
		}
		if err := b.writeSilver(ctx, table); err != nil {
			return err
		}
		if err := b.cutAgain(ctx, table); err != nil {
			return err
		}
	}
	if table != nil {
		if err := b.writeBronze(ctx, table, ranges); err != nil {
			return err
		}
	}
	if err := b.settle(ctx); err != nil {
		return err
	}
	b.store.eraser.ended(b)
	if b.lane.dataset == tables.IdentityEvent {
		b.store.restater.look()
	}
	return b.store.applied(ctx, b, next)
}

// table is the shape of the batch's rows, nil when all are dead letters. The
// lane's own may be a newer one by now.
func (b *batch) table() *tables.Table {
	for _, p := range b.order {
		if p.rows != nil {
			return p.rows.Table()
		}
		if p.truncates != nil {
			return p.truncates.Table()
		}
	}
	return nil
}

func (b *batch) writeSilver(ctx context.Context, table *tables.Table) error {
	if b.silverWritten {
		return nil
	}
	buffers := map[*server][]*tables.Buffer{}
	var truncations []tables.Truncation
	for _, p := range b.order {
		if p.rows != nil && p.rows.Rows() > 0 {
			shard := b.store.shards.of(p.Partition)
			buffers[shard] = append(buffers[shard], p.rows)
		}
		truncations = append(truncations, p.truncation...)
	}
	insert := table.InsertSilver()
	if b.store.into != "" {
		insert = table.InsertRows(b.store.into)
	}
	for _, shard := range b.store.shards.servers {
		if len(buffers[shard]) == 0 {
			continue
		}
		if err := shard.insert(ctx, insert, buffers[shard], ""); err != nil {
			return err
		}
	}
	slices.SortStableFunc(truncations, func(x, y tables.Truncation) int { return x.Position.Compare(y.Position) })
	for _, t := range truncations {
		t.Into = b.store.into
		if err := b.store.shards.of(topic.Partition{Topic: t.Topic, ID: t.Partition}).exec(ctx, table.Truncate(t)); err != nil {
			return err
		}
		b.store.metrics.truncates.WithLabelValues(b.lane.dataset).Inc()
	}
	b.silverWritten = true
	return nil
}

func (b *batch) writeBronze(ctx context.Context, table *tables.Table, ranges map[topic.Partition]sinks.Range) error {
	insert := table.InsertBronze()
	for _, p := range b.order {
		if p.written || p.again {
			continue
		}
		var buffers []*tables.Buffer
		for _, buffer := range []*tables.Buffer{p.rows, p.truncates} {
			if buffer != nil && buffer.Rows() > 0 {
				buffers = append(buffers, buffer)
			}
		}
		if len(buffers) > 0 {
			name := token(p.Partition, ranges[p.Partition])
			if p.retry {
				name = p.retryToken(b.store.Epoch())
			}
			if err := b.store.shards.of(p.Partition).insert(ctx, insert, buffers, name); err != nil {
				return err
			}
		}
		p.written = true
	}
	return nil
}

// token names a block, so that ClickHouse drops it when an insert that seemed
// to fail, or that an earlier owner of the partition had under way, is sent
// again. The epoch keeps a replay of the same offsets from being dropped too
// (case 27).
func token(p topic.Partition, r sinks.Range) string {
	return fmt.Sprintf("sink:%d:%s-%d:%d-%d", r.Epoch, p.Topic, p.ID, r.First, r.Next-1)
}

// complete gives unchanged values their last known ones (P4). The lane's
// earlier batches are in bronze by now.
func (b *batch) complete(ctx context.Context) error {
	if b.completed {
		return nil
	}
	for _, p := range b.order {
		if p.rows == nil {
			continue
		}
		found := map[tables.Gap]any{}
		for holes := range slices.Chunk(p.rows.Holes(), lookupHoles) {
			if err := b.lookUp(ctx, b.store.shards.of(p.Partition), p.rows, holes, found); err != nil {
				return err
			}
		}
		if n := p.rows.Complete(found); n > 0 {
			b.store.metrics.incomplete.WithLabelValues(b.lane.dataset).Add(float64(n))
			b.store.log.Warn("values that an update did not send are not known; they are NULL and named in silver's _incomplete until the row is written again, or a new snapshot is taken",
				"dataset", b.lane.dataset, "topic", p.Topic, "partition", p.ID, "cells", n)
		}
	}
	b.completed = true
	return nil
}

func (b *batch) lookUp(ctx context.Context, shard *server, rows *tables.Buffer, holes []tables.Hole, found map[tables.Gap]any) error {
	if err := shard.sync(ctx, tables.Bronze, rows.Table().Dataset()); err != nil {
		return err
	}
	sql, columns := rows.Lookup(holes)
	byRecord := make(map[string]tables.Hole, len(holes))
	for _, h := range holes {
		byRecord[h.Record] = h
	}
	return shard.query(ctx, sql, func(r driver.Rows) error {
		var record string
		known := make([]uint8, len(columns))
		targets := []any{&record}
		for i, c := range columns {
			targets = append(targets, rows.Target(c), &known[i])
		}
		if err := r.Scan(targets...); err != nil {
			return err
		}
		h := byRecord[record]
		for i, c := range columns {
			if known[i] == 0 || !slices.Contains(h.Columns, c) {
				continue
			}
			value := targets[1+2*i]
			if known[i] == 2 {
				value = nil // a NULL array
			}
			found[tables.Gap{Row: h.Row, Column: c}] = value
		}
		return nil
	})
}
