package reconcile

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/hopluu/hopluu/cmd/hopluu/dev"
	"github.com/hopluu/hopluu/cmd/hopluu/embedded"
	"github.com/hopluu/hopluu/deploy/local/generator"
	"github.com/hopluu/hopluu/integration/harness"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
)

func TestMain(m *testing.M) { os.Exit(harness.Main(m)) }

// within is how long a test waits for what must come: long, for a machine that
// is busy with other things.
const within = 3 * time.Minute

// sector is the one system of these tests: it has a key of uuid and one of
// bigint, an array, an enum, json and identifiers.
const sector = "construction"

// city is a small stack of one sector with its generator.
type city struct {
	t     *testing.T
	stack *dev.Stack
	gen   *generator.Generator
	house driver.Conn
}

func newCity(t *testing.T) *city {
	t.Helper()
	log := slog.New(slog.NewTextHandler(t.Output(), nil))
	stack, err := dev.Servers(t.Context(), dev.StackConfig{
		Dir: harness.TempDir(t), Parts: harness.Parts(t), Sectors: []string{sector}, Bin: harness.Hopluu(t).Bin, Log: log,
	})
	require.NoError(t, err)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), within)
		defer cancel()
		require.NoError(t, stack.Stop(ctx))
		if t.Failed() {
			for _, name := range []string{dev.Connector, dev.Sink} {
				p, ok := stack.Process(name)
				require.True(t, ok)
				data, err := os.ReadFile(p.Log)
				require.NoError(t, err)
				t.Logf("%s:\n%s", name, data[max(0, len(data)-4000):])
			}
		}
	})
	gen, err := generator.New(generator.Config{Seed: 7, Persons: 600, DSN: map[string]string{sector: stack.AdminDSN(sector)}, Rate: 400, Log: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	_, err = gen.Seed(t.Context())
	require.NoError(t, err)
	require.NoError(t, stack.Stages(t.Context(), dev.Registry, dev.Connector, dev.Sink))
	harness.Eventually(t, within, func(ctx context.Context) error {
		return embedded.ProbeHTTP("http://" + stack.Health(dev.Connector) + "/readyz")(ctx)
	})
	options, err := clickhouse.ParseDSN(stack.Settings.ClickHouse.DSN)
	require.NoError(t, err)
	house, err := clickhouse.Open(options)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, house.Close()) })
	return &city{t, stack, gen, house}
}

// result is what --json says of a table.
type result struct {
	Table, LSN     string
	SourceRows     int64 `json:"source_rows"`
	ClickHouseRows int64 `json:"clickhouse_rows"`
	Duplicates     int64
	Topic          struct {
		Events, Bronze, Duplicates int64
		Offsets                    struct{ Lost, Doubled, Unknown []string }
		OK                         bool
	}
	Ranges                    []struct{ From, To string }
	Missing, Extra, Different []string
	Keys, Changed             int
	UnderWay                  int    `json:"under_way"`
	SourceChecksum            string `json:"source_checksum"`
	ClickHouseChecksum        string `json:"clickhouse_checksum"`
	OK                        bool
}

// reconcile runs the command and wants an exit code.
func (c *city) reconcile(code int) map[string]result {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), 3*within)
	defer cancel()
	stdout, stderr, got, err := harness.Hopluu(c.t).Run(ctx, []string{"reconcile", "--json", "--catch-up", within.String(), "-c", c.stack.ConfigPath})
	require.NoError(c.t, err)
	require.Equal(c.t, code, got, "%s\n%s", stdout, stderr)
	var list []result
	require.NoError(c.t, json.Unmarshal([]byte(stdout), &list), stdout+stderr)
	results := map[string]result{}
	for _, r := range list {
		results[r.Table] = r
	}
	return results
}

// text runs the command as a person does.
func (c *city) text(code int) string {
	c.t.Helper()
	stdout, stderr, got, err := harness.Hopluu(c.t).Run(c.t.Context(), []string{"reconcile", sector, "--catch-up", within.String(), "-c", c.stack.ConfigPath})
	require.NoError(c.t, err)
	require.Equal(c.t, code, got, "%s\n%s", stdout, stderr)
	return stdout
}

// spoil changes ClickHouse by hand.
func (c *city) spoil(sql string) {
	c.t.Helper()
	require.NoError(c.t, c.house.Exec(synchronous(c.t.Context()), sql))
}

// synchronous has a mutation done when its statement returns.
func synchronous(ctx context.Context) context.Context {
	return clickhouse.Context(ctx, clickhouse.WithSettings(clickhouse.Settings{"mutations_sync": 2}))
}

// strings gives the first column of a query's rows.
func (c *city) strings(sql string) (all []string) {
	c.t.Helper()
	rows, err := c.house.Query(c.t.Context(), sql)
	require.NoError(c.t, err)
	for rows.Next() {
		var s string
		require.NoError(c.t, rows.Scan(&s))
		all = append(all, s)
	}
	require.NoError(c.t, errors.Join(rows.Err(), rows.Close()))
	return all
}

func (c *city) exec(sql string, args ...any) {
	c.t.Helper()
	conn, err := pgx.Connect(c.t.Context(), c.stack.AdminDSN(sector))
	require.NoError(c.t, err)
	_, err = conn.Exec(c.t.Context(), sql, args...)
	require.NoError(c.t, err)
	require.NoError(c.t, conn.Close(c.t.Context()))
}

func between(t *testing.T, key string, ranges []struct{ From, To string }) {
	t.Helper()
	require.True(t, slices.ContainsFunc(ranges, func(r struct{ From, To string }) bool {
		return strings.Compare(r.From, key) <= 0 && strings.Compare(key, r.To) <= 0
	}), "%s is in none of %v", key, ranges)
}
