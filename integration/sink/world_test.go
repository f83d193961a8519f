package sink

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	ch "github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/hopluu/hopluu/integration/harness"
	"github.com/hopluu/hopluu/schemas/registry"
	"github.com/hopluu/hopluu/schemas/sectors"
	"github.com/hopluu/hopluu/schemas/topic"
	"github.com/hopluu/hopluu/sinks/clickhouse"
)

// within is how long anything may take to show up: long, for a machine that is
// busy with other things.
const within = 3 * time.Minute

// world is the parts that one test uses: the broker and the engine are shared
// with the other tests unless it asks for its own.
type world struct {
	t          testing.TB
	kafka      *topic.Client
	registry   *registry.Client
	down       *gate // in front of the registry
	clickhouse *harness.ClickHouseServer
	conn       driver.Conn
	sectors    *sectors.Set
	sources    []clickhouse.SourceRef
	group      string
	log        *slog.Logger
	// where the parts are, for programs
	brokers []string
	// answer speaks for the registry where it wants to
	answer      atomic.Pointer[answerer]
	registryURL string
}

// answerer gives what a registry answers to a path.
type answerer func(path string) (text string, ok bool)

// gate lets requests through while it is open.
type gate struct {
	mu     sync.Mutex
	closed bool
	next   http.Handler
}

func (g *gate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	g.mu.Lock()
	closed := g.closed
	g.mu.Unlock()
	if closed {
		http.Error(w, "out for lunch", http.StatusServiceUnavailable)
		return
	}
	g.next.ServeHTTP(w, r)
}

func (g *gate) set(closed bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closed = closed
}

func newWorld(t testing.TB, set *sectors.Set, opts ...harness.Option) *world {
	t.Helper()
	return newWorldOn(t, set, harness.Kafka(t), opts...)
}

func newWorldOn(t testing.TB, set *sectors.Set, kafka *harness.KafkaBroker, opts ...harness.Option) *world {
	t.Helper()
	w := &world{t: t, sectors: set, group: harness.Name("sink")}
	w.log = slog.New(slog.NewTextHandler(testWriter{t}, &slog.HandlerOptions{Level: slog.LevelInfo}))
	w.clickhouse = harness.ClickHouse(t, opts...)
	var err error
	w.kafka, err = topic.Dial(t.Context(), topic.Config{Brokers: kafka.Brokers(), ClientID: "test"})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, w.kafka.Close()) })
	server, err := registry.NewServer(t.Context(), w.kafka, registry.ServerConfig{Topic: harness.Name("schemas"), Log: w.log})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, server.Close()) })
	w.down = &gate{next: http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if answer := w.answer.Load(); answer != nil {
			if text, ok := (*answer)(r.URL.Path); ok {
				rw.Header().Set("Content-Type", "application/vnd.schemaregistry.v1+json")
				_, _ = rw.Write([]byte(text)) // a client that has gone
				return
			}
		}
		server.ServeHTTP(rw, r)
	})}
	front := httptest.NewServer(w.down)
	t.Cleanup(front.Close)
	w.registry = registry.New(front.URL)
	w.brokers, w.registryURL = kafka.Brokers(), front.URL
	w.conn, err = ch.Open(w.clickhouse.Options())
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, w.conn.Close()) })
	return w
}

// testWriter logs into the test.
type testWriter struct{ t testing.TB }

func (w testWriter) Write(p []byte) (int, error) {
	if w.t.Context().Err() == nil {
		w.t.Log(string(p[:len(p)-1]))
	}
	return len(p), nil
}

// config is a sink's configuration on this world; options change it.
func (w *world) config(options ...func(*clickhouse.Config)) clickhouse.Config {
	c := clickhouse.Config{
		Kafka: w.kafka, Registry: w.registry, Sectors: w.sectors, Sources: w.sources, ClickHouse: w.clickhouse.Options(),
		Group: w.group, BatchWait: 50 * time.Millisecond, Log: w.log, Metrics: prometheus.NewRegistry(),
	}
	for _, o := range options {
		o(&c)
	}
	return c
}

// running is a sink at work.
type running struct {
	*clickhouse.Sink
	t      testing.TB
	cancel context.CancelFunc
	done   chan error
	once   sync.Once
	err    error
}

func (w *world) run(options ...func(*clickhouse.Config)) *running {
	w.t.Helper()
	s, err := clickhouse.New(w.config(options...))
	require.NoError(w.t, err)
	ctx, cancel := context.WithCancel(context.Background())
	r := &running{Sink: s, t: w.t, cancel: cancel, done: make(chan error, 1)}
	go func() { r.done <- s.Run(ctx) }()
	w.t.Cleanup(func() { r.stop() })
	return r
}

// stop ends the sink and gives what Run returned.
func (r *running) stop() error {
	r.once.Do(func() {
		r.cancel()
		select {
		case r.err = <-r.done:
		case <-time.After(within):
			r.err = errors.New("the sink does not stop")
		}
	})
	return r.err
}

// ended waits for Run to return by itself.
func (r *running) ended() error {
	r.once.Do(func() {
		select {
		case r.err = <-r.done:
		case <-time.After(within):
			r.err = errors.New("the sink does not end")
		}
		r.cancel()
	})
	return r.err
}

// rows runs a query and gives its rows as text, tab-separated.
func (w *world) rows(ctx context.Context, sql string) ([]string, error) {
	return rowsOf(ctx, w.conn, sql)
}

func rowsOf(ctx context.Context, conn driver.Conn, sql string) ([]string, error) {
	rows, err := conn.Query(ctx, "SELECT toString(tuple(*)) FROM ("+sql+")")
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }() // Err below tells
	var out []string
	for rows.Next() {
		var s string
		if err := rows.Scan(&s); err != nil {
			return nil, err
		}
		out = append(out, s)
	}
	return out, rows.Err()
}

// expect waits until a query gives these rows.
func (w *world) expect(sql string, want ...string) {
	w.t.Helper()
	harness.Eventually(w.t, within, func(ctx context.Context) error {
		got, err := w.rows(ctx, sql)
		if err != nil {
			return err
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			return fmt.Errorf("%s\ngives %q\nwanted %q", sql, got, want)
		}
		return nil
	})
}
