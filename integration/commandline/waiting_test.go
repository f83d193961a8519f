package commandline

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/hopluu/hopluu/integration/harness"
	"github.com/stretchr/testify/require"
)

// gate stands before a server: whoever comes is sent away until it is opened.
type gate struct {
	address string
	open    atomic.Bool
}

func newGate(t *testing.T, server string) *gate {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	g := &gate{address: listener.Addr().String()}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return // the end of the test
			}
			if !g.open.Load() {
				_ = conn.Close() // sent away, with or without a goodbye
				continue
			}
			behind, err := net.Dial("tcp", server)
			if err != nil {
				_ = conn.Close() // the server is away, as for who asks it directly
				continue
			}
			for _, way := range [][2]net.Conn{{conn, behind}, {behind, conn}} {
				all.Go(func() {
					// Either end may break off; then the other is told.
					_, _ = io.Copy(way[0], way[1])
					_ = errors.Join(way[0].Close(), way[1].Close())
				})
			}
		}
	})
	t.Cleanup(func() { require.NoError(t, listener.Close()); all.Wait() })
	return g
}

// waitsFor wants /readyz and, more than once, the log to say that the stage lives
// and waits.
func (s *stage) waitsFor(what string) {
	s.w.t.Helper()
	harness.Eventually(s.w.t, within, func(context.Context) error {
		status, text := s.get("/readyz")
		told := strings.Count(s.log(), `msg="waiting for `+what+`" for=`)
		if status != 503 || !strings.Contains(text, "waiting for "+what+" for ") || told < 2 {
			return fmt.Errorf("%s: /readyz is %d %q, and the log tells %d times that it waits", s.Name, status, text, told)
		}
		return nil
	})
	status, text := s.get("/healthz")
	require.Equal(s.w.t, 200, status, text)
	require.NotContains(s.w.t, s.log(), "secret")
}

// A stage that is started before the servers that it needs waits for them, says
// for which and for how long, can be ended meanwhile, and begins when they are
// there: nobody has to start things in an order.
func TestStagesWaitForTheirServers(t *testing.T) {
	house := harness.ClickHouse(t)
	w := shared(t)
	w.enable()
	w.exec("INSERT INTO room SELECT n, n FROM generate_series(1, 10) n")
	kafka, clickhouse := newGate(t, w.broker.Addr), newGate(t, house.Addr)
	dsn, err := url.Parse(w.config["sources"].([]any)[0].(tree)["dsn"].(string))
	require.NoError(t, err)
	database := newGate(t, dsn.Host)
	dsn.Host = database.address
	w.setSource("dsn", dsn.String())
	w.set("kafka", tree{"brokers": []string{kafka.address}})
	w.set("clickhouse.dsn", "http://default:secret@"+clickhouse.address+"/default")
	listen := "127.0.0.1:" + strconv.Itoa(harness.FreePort(t))
	w.set("registry.url", "http://"+listen)

	registry := w.startUntil("/healthz", "registry", "run", "--listen", listen)
	connector, processor, sink := w.startUntil("/healthz", "connector", "run"), w.startUntil("/healthz", "processor", "run"), w.startUntil("/healthz", "sink", "run")
	for _, s := range []*stage{registry, connector, processor} {
		s.waitsFor("Kafka")
	}
	sink.waitsFor("ClickHouse")
	processor.stop(syscall.SIGINT)
	processor = w.startUntil("/healthz", "processor", "run")

	clickhouse.open.Store(true)
	sink.waitsFor("Kafka")
	kafka.open.Store(true)
	registry.ready()
	processor.ready()
	connector.waitsFor("source " + w.source)
	database.open.Store(true)
	connector.ready()
	sink.ready()
	require.Contains(t, connector.log(), `msg="source `+w.source+` answers" after=`)
	for _, s := range []*stage{sink, processor, connector, registry} {
		s.stop(syscall.SIGTERM)
		require.Contains(t, s.log(), `msg="Kafka answers" after=`)
	}
}

// beforeItsBroker starts a stage while its broker is away, and the broker then.
func beforeItsBroker(t *testing.T, w *world, broker *harness.KafkaBroker) {
	t.Helper()
	require.NoError(t, broker.Kill())
	matcher := w.startUntil("/healthz", "processor", "run")
	matcher.waitsFor("Kafka")
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	require.NoError(t, broker.Restart(ctx))
	matcher.ready()
	matcher.stop(syscall.SIGINT)
}
