package commandline

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"os/exec"
	"strings"
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
	token := sha256.Sum256([]byte("an's"))
	w.set("identity", tree{"token": "an's", "reviewers": []any{tree{"name": "an", "token_sha256": hex.EncodeToString(token[:]), "decides": true}}})
	// What they tell of lineage is advice: a server that answers no connector
	// holds none.
	told := newLineageServer(t)
	w.set("openlineage", tree{"url": told.URL, "namespace": w.source})
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
	// A reviewer asks the matcher.
	w.set("identity.url", stages[2].http)
	require.Contains(t, w.good("identity", "review", "--list", "--json"), `"you": "an"`)
	require.Contains(t, w.good("identity", "review"), "nothing else waits for you")
	w.refused([]string{"identity", "decide", "a:1", "b:1", "same", "--reason", "x"}, "there is no record", "identity.link")
	w.set("identity.token", "binh's")
	w.refused([]string{"identity", "decisions"}, "nobody has this token")
	told.began(t, "connector."+w.source, "matcher", "sink")
	for _, s := range stages[2:] { // what they tell at their end waits for nothing else
		harness.Eventually(t, within, func(context.Context) error {
			if n := s.metric("hopluu_lineage_events_waiting"); len(n) != 1 || n[0] != "hopluu_lineage_events_waiting 0" {
				return fmt.Errorf("%s has events waiting: %v", s.Name, n)
			}
			return nil
		})
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
	require.Contains(t, stages[1].log(), "stopped; the next start goes on from here")
	told.told(t, w)
}

// A command that is stopped before it has begun ends as cleanly: one that runs
// until stopped with 0, one that was to answer with the shells' code of an
// interrupt.
func TestInterruptedWhileConnecting(t *testing.T) {
	w := shared(t)
	for _, c := range []struct {
		args []string
		code int
	}{
		{[]string{"processor", "run"}, 0},
		{[]string{"connector", "run"}, 0},
		{[]string{"registry", "run"}, 0},
		{[]string{"topics", "check"}, 130},
		{[]string{"connector", "status"}, 130},
	} {
		// Its own, so that nothing that another one left is taken for a sign of it.
		silent, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		w.set("kafka.brokers", []string{silent.Addr().String()})
		p := w.program.Start(t, strings.Join(c.args, "-"), append(c.args, "-c", w.save()))
		conn, err := silent.Accept()
		require.NoError(t, err)
		require.NoError(t, p.Signal(syscall.SIGINT))
		<-p.Done()
		require.NoError(t, errors.Join(conn.Close(), silent.Close()))
		var exit *exec.ExitError
		if err := p.Wait(); errors.As(err, &exit) {
			require.Equal(t, c.code, exit.ExitCode(), "%v: %v", c.args, err)
		} else {
			require.NoError(t, err)
			require.Zero(t, c.code, c.args)
		}
	}
}
