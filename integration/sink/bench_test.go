package sink

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hopluu/hopluu/integration/harness"
	"github.com/hopluu/hopluu/schemas/sectors"
	"github.com/hopluu/hopluu/sinks/clickhouse"
)

// BenchmarkSink is from Avro in Kafka to bronze and silver in ClickHouse's
// engine: 300,000 encounters of 12 columns, counted where they land. The
// engine and the broker share the machine with it.
func BenchmarkSink(b *testing.B) {
	const rows = 300_000
	set, err := sectors.Load()
	require.NoError(b, err)
	w := newWorldOn(b, set, harness.Kafka(b, harness.Own()), harness.Own())
	f := w.described("health", "encounter", 1)
	for i := range rows {
		f.create(fmt.Sprintf("00000000-0000-4000-8000-%012d", i), i, i%100, "outpatient", "2025-10-04 01:00:00+00", "2025-10-04 02:00:00.5+00",
			"J18.1", "{}", "Viêm phổi, không phân loại", "200000.00", "160000.00", "khám lại sau bảy ngày nếu còn sốt")
	}
	f.commit()
	for range b.N {
		w.group = harness.Name("sink")
		require.NoError(b, w.conn.Exec(b.Context(), "DROP TABLE IF EXISTS bronze.health_encounter"))
		require.NoError(b, w.conn.Exec(b.Context(), "DROP TABLE IF EXISTS silver.health_encounter"))
		start := time.Now()
		sink := w.run(func(c *clickhouse.Config) { c.BatchWait = time.Second })
		harness.Eventually(b, 3*time.Minute, func(ctx context.Context) error {
			var n uint64
			if err := w.conn.QueryRow(ctx, "SELECT count() FROM bronze.health_encounter").Scan(&n); err != nil || n < rows {
				return fmt.Errorf("%d rows: %w", n, err)
			}
			return nil
		})
		b.ReportMetric(rows/time.Since(start).Seconds(), "rows/s")
		require.NoError(b, sink.stop())
	}
}
