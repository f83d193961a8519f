package commandline

import (
	"context"
	"fmt"
	"syscall"
	"testing"

	"github.com/hopluu/hopluu/integration/harness"
	"github.com/stretchr/testify/require"
)

// Every long-running subcommand serves its health and metrics, is ready when
// its work goes on, and ends with 0 on SIGTERM and on Ctrl-C.
func TestLongRunningCommands(t *testing.T) {
	house := harness.ClickHouse(t)
	w := shared(t)
	w.set("clickhouse.dsn", "http://default@"+house.Addr+"/default")
	registry := w.registry()
	w.enable()
	w.exec("INSERT INTO room SELECT n, n FROM generate_series(1, 100) n; INSERT INTO patient VALUES (1, '079085012345', 'Nguyễn Văn An')")
	stages := []*stage{registry, w.start("connector", "run"), w.start("processor", "run"), w.start("sink", "run")}
	for i, name := range []string{"process_start_time_seconds", "hopluu_connector_events_total", "hopluu_", "hopluu_"} {
		s := stages[i]
		s.ready()
		status, text := s.get("/healthz")
		require.Equal(t, 200, status, text)
		harness.Eventually(t, within, func(context.Context) error {
			if len(s.metric(name)) == 0 {
				return fmt.Errorf("%s has no metric %s", s.Name, name)
			}
			return nil
		})
		require.NotEmpty(t, s.metric("go_goroutines"))
		status, _ = s.get("/nothing")
		require.Equal(t, 404, status)
	}
	// The readers before what they read from.
	for i := len(stages) - 1; i >= 0; i-- {
		signal := syscall.SIGTERM
		if i%2 == 0 {
			signal = syscall.SIGINT
		}
		stages[i].stop(signal)
		require.NotContains(t, stages[i].log(), "level=ERROR")
		require.NotContains(t, stages[i].log(), "hopluu: ")
	}
}
