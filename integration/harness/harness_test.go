package harness_test

import (
	"context"
	"errors"
	"net"
	"os"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/hopluu/hopluu/integration/harness"
)

func TestMain(m *testing.M) { os.Exit(harness.Main(m)) }

func TestPostgresIsSharedAndLogical(t *testing.T) {
	server := harness.Postgres(t)
	require.Same(t, server, harness.Postgres(t))
	_, dsn := server.NewDatabase(t)
	conn, err := pgx.Connect(t.Context(), dsn)
	require.NoError(t, err)
	var level string
	require.NoError(t, conn.QueryRow(t.Context(), "SHOW wal_level").Scan(&level))
	require.Equal(t, "logical", level)
	require.NoError(t, conn.Close(t.Context()))

	other := harness.Postgres(t, harness.WithSetting("wal_level", "replica"))
	require.NotSame(t, server, other)
	conn, err = pgx.Connect(t.Context(), other.DSN("postgres"))
	require.NoError(t, err)
	require.NoError(t, conn.QueryRow(t.Context(), "SHOW wal_level").Scan(&level))
	require.Equal(t, "replica", level)
	require.NoError(t, conn.Close(t.Context()))
}

func TestKafkaAnswers(t *testing.T) {
	broker := harness.Kafka(t)
	require.Same(t, broker, harness.Kafka(t))
	conn, err := net.Dial("tcp", broker.Addr)
	require.NoError(t, err)
	require.NoError(t, conn.Close())
}

func TestClickHouseAnswers(t *testing.T) {
	server := harness.ClickHouse(t)
	conn, err := clickhouse.Open(server.Options())
	require.NoError(t, err)
	var n uint64
	require.NoError(t, conn.QueryRow(t.Context(), "SELECT count() FROM numbers(1000)").Scan(&n))
	require.EqualValues(t, 1000, n)
	require.NoError(t, conn.Close())
}

func TestPollGivesTheConditionsOwnError(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Millisecond)
	defer cancel()
	mine := errors.New("three of four")
	asked := false
	err := harness.Poll(ctx, func(ctx context.Context) error {
		if !asked {
			asked = true
			return mine
		}
		<-ctx.Done()
		return ctx.Err()
	})
	require.ErrorIs(t, err, mine)
	require.ErrorIs(t, err, context.DeadlineExceeded)

	tries := 0
	harness.Eventually(t, time.Minute, func(context.Context) error {
		if tries++; tries < 3 {
			return mine
		}
		return nil
	})
	require.Equal(t, 3, tries)
}
