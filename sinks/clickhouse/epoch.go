package clickhouse

import (
	"context"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/hopluu/hopluu/sinks/clickhouse/tables"
)

// readEpoch reads the sink's epoch. A group that has none yet gets one that no
// other has had: tokens name an epoch, not a group, and ClickHouse may still
// know those of another group. It never begins at 1 beside a bronze that has
// rows: a token that is used again would swallow what it names (case 27).
func (s *store) readEpoch(ctx context.Context) error {
	var own, highest uint32
	err := s.server.query(ctx, "SELECT toUInt32(maxIf(epoch, consumer_group = "+quote(s.group)+")), toUInt32(max(epoch)) FROM ops.sink_epoch", func(rows driver.Rows) error {
		return rows.Scan(&own, &highest)
	})
	if err != nil {
		return err
	}
	switch {
	case own > 0:
		s.setEpoch(own)
		return nil
	case highest > 0:
		return s.writeEpoch(ctx, highest+1, "first start of the consumer group")
	}
	var rows uint64
	for _, shard := range s.shards.servers {
		err = shard.query(ctx, "SELECT toUInt64(sum(ifNull(total_rows, 0))) FROM system.tables WHERE database = "+quote(s.database(tables.Bronze)), func(r driver.Rows) error {
			var more uint64
			err := r.Scan(&more)
			rows += more
			return err
		})
		if err != nil {
			return err
		}
	}
	if rows == 0 {
		return s.writeEpoch(ctx, 1, "first start")
	}
	// Seconds since 1970 are more than any count of epochs came to.
	epoch := uint32(time.Now().Unix())
	s.log.Error("ops.sink_epoch is empty though bronze has rows: it was lost. A new epoch begins; if ClickHouse was restored, compare with `hopluu reconcile`",
		"epoch", epoch, "bronze_rows", rows)
	return s.writeEpoch(ctx, epoch, "ops.sink_epoch was lost")
}

// Epoch implements sinks.Store.
func (s *store) Epoch() uint32 { return s.epoch.Load() }

// NewEpoch implements sinks.Store. Two sinks that do so at once get the same
// number, which is new to both.
func (s *store) NewEpoch(ctx context.Context, above uint32, reason string) error {
	epoch := max(above, s.Epoch()) + 1
	s.log.Warn("a new epoch of the sink begins", "epoch", epoch, "reason", reason)
	return s.writeEpoch(ctx, epoch, reason)
}

func (s *store) writeEpoch(ctx context.Context, epoch uint32, reason string) error {
	err := s.server.append(ctx, "INSERT INTO ops.sink_epoch (consumer_group, epoch, at, reason)",
		[]string{s.group}, []uint32{epoch}, []time.Time{time.Now().UTC()}, []string{reason})
	if err == nil {
		s.setEpoch(epoch)
	}
	return err
}

func (s *store) setEpoch(epoch uint32) { s.epoch.Store(epoch) }
