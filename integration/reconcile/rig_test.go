package reconcile

import (
	"context"
	"crypto/sha256"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/hopluu/hopluu/cmd/hopluu/operations/reconcile"
	"github.com/hopluu/hopluu/connectors"
	"github.com/hopluu/hopluu/connectors/postgres"
	"github.com/hopluu/hopluu/integration/harness"
	"github.com/hopluu/hopluu/schemas/registry"
	"github.com/hopluu/hopluu/schemas/seal"
	"github.com/hopluu/hopluu/schemas/sectors"
	"github.com/hopluu/hopluu/schemas/token"
	"github.com/hopluu/hopluu/schemas/topic"
	sink "github.com/hopluu/hopluu/sinks/clickhouse"
	"github.com/jackc/pgx/v5"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
)

// rig carries tables of the test's own making, of one sector and any number of
// sources, into ClickHouse.
type rig struct {
	t       testing.TB
	sector  sectors.Sector
	sources []reconcile.Source
	config  reconcile.Config
	schemas *registry.Client
	vault   *seal.Ring // nil when connectors seal nothing
	log     *slog.Logger
}

// newRig makes a database with the tables for each source.
func newRig(t testing.TB, file, tables string, sources int) *rig {
	t.Helper()
	r := &rig{t: t, log: slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))}
	name := harness.Name("kinds")
	sector, err := sectors.Parse(name+".yaml", []byte("sector: "+name+"\n"+file))
	require.NoError(t, err)
	r.sector = *sector
	r.config.Kafka, err = topic.Dial(t.Context(), topic.Config{Brokers: harness.Kafka(t).Brokers(), ClientID: "test"})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, r.config.Kafka.Close()) })
	server, err := registry.NewServer(t.Context(), r.config.Kafka, registry.ServerConfig{Topic: harness.Name("_schemas"), Replication: 1})
	require.NoError(t, err)
	web := httptest.NewServer(server)
	t.Cleanup(func() { web.Close(); require.NoError(t, server.Close()) })
	r.schemas = registry.New(web.URL)
	r.config.Tokens = tokenizer(t, 1, name)
	r.config.Records = recordTokenizer(t, name)
	r.config.ClickHouse, err = clickhouse.Open(harness.ClickHouse(t).Options())
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, r.config.ClickHouse.Close()) })
	r.config.Group, r.config.CatchUp = harness.Name("sink"), within
	for range sources {
		source, dsn := harness.Postgres(t).NewDatabase(t)
		s := reconcile.Source{Name: source, DSN: dsn, Slot: "slot_" + source, Publication: "pub_" + source, Sector: r.sector}
		r.sources = append(r.sources, s)
		r.exec(s, tables)
		conn := r.connect(s)
		setup := postgres.Setup{Database: source, Role: "role_" + source, Slot: s.Slot, Publication: "pub_" + source, Tables: r.sector.Tables}
		require.NoError(t, postgres.Apply(t.Context(), conn, setup.EnableScript()))
		t.Cleanup(func() {
			ctx, cancel := context.WithTimeout(context.Background(), within)
			defer cancel()
			admin, err := postgres.Connect(ctx, dsn)
			require.NoError(t, err)
			require.NoError(t, postgres.Apply(ctx, admin, setup.DisableScript()))
			require.NoError(t, admin.Close(ctx))
		})
	}
	return r
}

// tokenizer is of a key that no other test has: all of them share one ledger of
// erasures, which knows people by their numbers' tokens, and a person who is
// erased in one test would be kept out of the next.
func tokenizer(t testing.TB, version uint8, of string) *token.Tokenizer {
	t.Helper()
	secret := sha256.Sum256([]byte(of))
	tokens, err := token.New(token.Key{Version: version, Secret: secret[:]})
	require.NoError(t, err)
	return tokens
}

// recordTokenizer is of a record key of a test's own.
func recordTokenizer(t testing.TB, of string) *token.Tokenizer {
	t.Helper()
	secret := sha256.Sum256([]byte(of + " records"))
	records, err := token.NewRecord(token.Key{Version: 1, Secret: secret[:]})
	require.NoError(t, err)
	return records
}

func (r *rig) connect(s reconcile.Source) *pgx.Conn {
	r.t.Helper()
	conn, err := postgres.Connect(r.t.Context(), s.DSN)
	require.NoError(r.t, err)
	r.t.Cleanup(func() { require.NoError(r.t, conn.Close(context.Background())) })
	return conn
}

func (r *rig) exec(s reconcile.Source, sql string) {
	r.t.Helper()
	conn, err := pgx.Connect(r.t.Context(), s.DSN)
	require.NoError(r.t, err)
	_, err = conn.PgConn().Exec(r.t.Context(), sql).ReadAll()
	require.NoError(r.t, err)
	require.NoError(r.t, conn.Close(r.t.Context()))
}

// run starts the connectors and a sink; they end with the test.
func (r *rig) run() {
	r.t.Helper()
	for _, s := range r.sources {
		c := r.connector(s, connectors.Load{})
		harness.Eventually(r.t, within, func(context.Context) error { return c.Ready() })
	}
	r.sink()
}

// connector starts a source's connector, until stop.
func (r *rig) connector(s reconcile.Source, load connectors.Load) running {
	r.t.Helper()
	c := r.newConnector(s, load)
	return running{c, r.until(c.Run)}
}

func (r *rig) newConnector(s reconcile.Source, load connectors.Load) *connectors.Connector {
	return connectors.New(connectors.Config{
		Source: s.Name, DSN: s.DSN, Slot: s.Slot, Publication: "pub_" + s.Name, Sector: s.Sector,
		Kafka: r.config.Kafka, Registry: r.schemas, Tokens: r.config.Tokens.Clone(), OldTokens: r.config.OldTokens, Records: r.config.Records.Clone(), Vault: r.vault,
		Topics: connectors.Topics{Partitions: 2, Replication: 1, MinISR: 1}, MaxRowBytes: 8 << 20,
		Snapshot: load, Log: r.log, Metrics: prometheus.NewRegistry(),
	})
}

// running is a connector until stop.
type running struct {
	*connectors.Connector
	stop func()
}

// until runs something until stop, which wants that it ended well, or the
// test's end.
func (r *rig) until(run func(context.Context) error) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		require.NoError(r.t, <-ended)
	})
	r.t.Cleanup(stop)
	return stop
}

// sink starts the sink; it ends with the test, or with stop.
func (r *rig) sink(change ...func(*sink.Config)) (stop func()) {
	r.t.Helper()
	var refs []sink.SourceRef
	for _, s := range r.sources {
		refs = append(refs, sink.SourceRef{Name: s.Name, Sector: s.Sector.Sector})
	}
	config := sink.Config{
		Kafka: r.config.Kafka, Registry: r.schemas, Sectors: &sectors.Set{Sectors: []sectors.Sector{r.sector}}, Sources: refs,
		ClickHouse: harness.ClickHouse(r.t).Options(), Group: r.config.Group, BatchWait: 50 * time.Millisecond,
		Log: r.log, Metrics: prometheus.NewRegistry(),
	}
	for _, c := range change {
		c(&config)
	}
	s, err := sink.New(config)
	require.NoError(r.t, err)
	return r.until(s.Run)
}

// compare compares a source, and gives its tables by name.
func (r *rig) compare(s reconcile.Source) map[string]reconcile.Result {
	r.t.Helper()
	list, err := reconcile.Run(r.t.Context(), r.config, s)
	require.NoError(r.t, err)
	results := map[string]reconcile.Result{}
	for _, result := range list {
		results[result.Table] = result
	}
	return results
}

// agree wants all tables of all sources to agree, with rows.
func (r *rig) agree() {
	r.t.Helper()
	for _, s := range r.sources {
		for name, result := range r.compare(s) {
			require.True(r.t, result.OK, "%s: %+v\n%s", name, result, r.explain(s, result))
			require.Positive(r.t, result.SourceRows, name)
			require.Equal(r.t, result.SourceChecksum, result.ClickHouseChecksum)
		}
	}
}

// explain shows silver's rows and the dead letters, for a failure.
func (r *rig) explain(s reconcile.Source, result reconcile.Result) string {
	var b strings.Builder
	for _, sql := range []string{
		"SELECT reason FROM ops.dead_letter WHERE dataset = '" + r.dataset(result.Table) + "'",
		"SELECT toString(tuple(*)) FROM silver." + r.dataset(result.Table) + " FINAL WHERE _source = '" + s.Name + "'",
	} {
		fmt.Fprintln(&b, strings.Join(texts(r.t, r.config.ClickHouse, sql), "\n"))
	}
	return b.String()
}

// dataset is the name of "public.<table>" in ClickHouse.
func (r *rig) dataset(table string) string {
	return r.sector.Sector + "_" + strings.TrimPrefix(table, "public.")
}

// texts gives the first column of a query's rows.
func texts(t testing.TB, house driver.Conn, sql string) (all []string) {
	t.Helper()
	rows, err := house.Query(t.Context(), sql)
	require.NoError(t, err)
	for rows.Next() {
		var s string
		require.NoError(t, rows.Scan(&s))
		all = append(all, s)
	}
	require.NoError(t, rows.Err())
	require.NoError(t, rows.Close())
	return all
}
