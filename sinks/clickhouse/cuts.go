package clickhouse

import (
	"context"
	"fmt"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/hopluu/hopluu/schemas/event"
	"github.com/hopluu/hopluu/schemas/topic"
	"github.com/hopluu/hopluu/sinks/clickhouse/tables"
)

// cutAgain applies to silver what came after retried letters and speaks of the
// whole table: a TRUNCATE, or the end of a new snapshot. When these were applied
// the letters' rows were not there; now they would stay for good (P2).
func (b *batch) cutAgain(ctx context.Context, table *tables.Table) error {
	for _, p := range b.order {
		if !p.retry || p.rows == nil || p.rows.Rows() == 0 {
			continue
		}
		cuts, err := b.store.cuts(ctx, table, p.route, p.ID, fmt.Sprintf("_version > toUInt128('%s')", p.rows.Oldest()))
		if err != nil {
			return err
		}
		for _, c := range cuts {
			if err := b.store.shards.of(p.Partition).exec(ctx, table.Truncate(c)); err != nil {
				return err
			}
		}
	}
	return nil
}

// cuts reads from bronze the truncates and markers of a partition that meet a
// condition, in the order of their versions.
func (s *store) cuts(ctx context.Context, table *tables.Table, r *route, partition int32, where string) (cuts []tables.Truncation, err error) {
	p := topic.Partition{Topic: r.topic, ID: partition}
	sql := fmt.Sprintf("SELECT _op, toUInt64(bitShiftRight(_version, 64)), toUInt64(bitAnd(_version, toUInt128('18446744073709551615'))), toUnixTimestamp64Micro(_commit_time), _offset, _range\n"+
		"FROM %s WHERE _op IN ('t', 'm') AND _topic = %s AND _partition = %d AND %s ORDER BY _version",
		tables.Qualified(tables.Bronze, table.Dataset()), quote(p.Topic), p.ID, where)
	shard := s.shards.of(p)
	if err := shard.sync(ctx, tables.Bronze, table.Dataset()); err != nil {
		return nil, err
	}
	err = shard.query(ctx, sql, func(rows driver.Rows) error {
		var op string
		var hi, lo uint64
		var parts []string
		t := tables.Truncation{Op: event.Truncate, Source: r.source, Topic: p.Topic, Partition: p.ID}
		if err := rows.Scan(&op, &hi, &lo, &t.CommitMicros, &t.Offset, &parts); err != nil {
			return err
		}
		t.Position = event.PositionOf(hi, lo)
		if op == event.Marker.String() {
			t.Op = event.Marker
		}
		if r := tables.RangeOf(parts); r != nil {
			var err error
			if t.Within, err = table.Within(*r); err != nil {
				return err
			}
		}
		cuts = append(cuts, t)
		return nil
	})
	return cuts, err
}
