package reconcile

import (
	"context"
	"fmt"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/google/uuid"
)

// Save notes the results in ops.reconciliation, so that a difference is seen
// where figures are read (case 30).
func Save(ctx context.Context, conn driver.Conn, results []Result) error {
	batch, err := conn.PrepareBatch(ctx, "INSERT INTO ops.reconciliation (run_id, at, table, source_rows, clickhouse_rows, source_checksum, clickhouse_checksum, missing, extra, different, ok)")
	if err != nil {
		return fmt.Errorf("write ops.reconciliation: %w", err)
	}
	run, now := uuid.New(), time.Now()
	for _, r := range results {
		err := batch.Append(run, now, r.Source+"."+r.Table, uint64(r.SourceRows), uint64(r.ClickHouseRows), r.SourceChecksum, r.ClickHouseChecksum,
			uint64(r.Counts[missing]), uint64(r.Counts[extra]), uint64(r.Counts[different]), r.OK)
		if err != nil {
			return fmt.Errorf("write ops.reconciliation: %w", err)
		}
	}
	if err := batch.Send(); err != nil {
		return fmt.Errorf("write ops.reconciliation: %w", err)
	}
	return nil
}
