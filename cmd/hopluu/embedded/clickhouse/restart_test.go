package clickhouse_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hopluu/hopluu/integration/harness"
)

// What an INSERT was acknowledged for is there after a SIGKILL and after a
// graceful end (P2), on the same address.
func TestDataSurvive(t *testing.T) {
	server := harness.ClickHouse(t, harness.Own())
	conn := open(t, server, nil)
	require.NoError(t, conn.Exec(t.Context(), "CREATE TABLE kept (n Int64) ENGINE = MergeTree ORDER BY n SETTINGS non_replicated_deduplication_window = 100"))
	total := 0
	for _, end := range []func() error{
		server.Kill,
		func() error { return server.Stop(context.Background()) },
	} {
		for i := range 20 {
			batch, err := conn.PrepareBatch(t.Context(), "INSERT INTO kept")
			require.NoError(t, err)
			for n := range 100 {
				require.NoError(t, batch.Append(int64(total+i*100+n)))
			}
			require.NoError(t, batch.Send())
		}
		total += 2000
		require.NoError(t, end())
		require.NoError(t, server.Restart(t.Context()))
		harness.Eventually(t, time.Minute, func(ctx context.Context) error { return conn.Ping(ctx) })
		var count, distinct uint64
		require.NoError(t, conn.QueryRow(t.Context(), "SELECT count(), uniqExact(n) FROM kept").Scan(&count, &distinct))
		require.EqualValues(t, total, count)
		require.EqualValues(t, total, distinct)
	}
}
