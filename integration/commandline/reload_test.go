package commandline

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"syscall"
	"testing"

	"github.com/hopluu/hopluu/integration/harness"
	"github.com/hopluu/hopluu/processors/identity/linkage"
	"github.com/hopluu/hopluu/schemas/topic"
	"github.com/stretchr/testify/require"
)

// A table comes to running stages by SIGHUP: the same processes go on with the
// sector file as it is now, read the new table beside the stream, and nothing of
// the others again. What cannot be taken is told, and what runs goes on.
func TestATableComesToRunningStages(t *testing.T) {
	w := shared(t)
	w.set("clickhouse.dsn", "http://default@"+harness.ClickHouse(t).Addr+"/default")
	w.registry()
	w.enable()
	w.exec("INSERT INTO room SELECT n, n FROM generate_series(1, 100) n")
	connector, sink := w.start("connector", "run"), w.start("sink", "run")
	pids := []int{connector.PID(), sink.PID()}
	connector.ready()
	w.awaitStatus(func(s status) bool { return s.State == "streaming" && s.TablesComplete == 2 })

	const ward = `
  - name: ward
    meaning: {vi: Khoa, en: Wards}
    columns:
      - {name: ward_id, type: bigint, meaning: {vi: Mã, en: Id}, sensitivity: internal}
`
	hangup := func(s *stage, says string) {
		before := strings.Count(s.log(), says)
		require.NoError(t, s.Signal(syscall.SIGHUP))
		harness.Eventually(t, within, func(context.Context) error {
			if strings.Count(s.log(), says) == before {
				return errors.New(s.log())
			}
			return nil
		})
	}
	const refused, taken = "the configuration cannot be taken; what runs goes on", "the configuration is read again; going on with it"
	w.write("sectors/clinic.yaml", clinic+"nonsense: 1\n")
	hangup(connector, refused)
	hangup(sink, refused)
	w.write("sectors/clinic.yaml", clinic+ward[1:])
	hangup(connector, refused) // the database has no such table
	require.Contains(t, connector.log(), "ward")
	w.exec("INSERT INTO room VALUES (101, 1)")
	rooms := topic.Public(w.source, "public", "room")
	kafka := w.kafka()
	harness.Eventually(t, within, func(ctx context.Context) error { return atLeast(ctx, kafka, rooms, 101) })

	w.exec("CREATE TABLE public.ward (ward_id bigint PRIMARY KEY); INSERT INTO ward SELECT generate_series(1, 50)")
	w.good("connector", "enable", w.source, "--run", "--admin", w.admin)
	hangup(connector, taken)
	hangup(sink, taken)
	w.exec("INSERT INTO ward VALUES (51); INSERT INTO room VALUES (102, 1)")
	_, code := w.awaitStatus(func(s status) bool { return s.State == "streaming" && s.TablesComplete == 3 })
	require.Zero(t, code)
	w.good("reconcile")
	require.Equal(t, pids, []int{connector.PID(), sink.PID()})
	require.True(t, connector.Running() && sink.Running())
	count := 0
	require.NoError(t, kafka.ReadAll(t.Context(), rooms, func(topic.Record) error { count++; return nil }))
	require.Equal(t, 102, count, "nothing is read again")
	reloads := map[string]int{}
	harness.Eventually(t, within, func(context.Context) error {
		clear(reloads)
		for _, e := range w.actions(fmt.Sprintf("connector run, process %d", pids[0]), fmt.Sprintf("sink run, process %d", pids[1])) {
			if e.Command == "reload" {
				reloads[e.Args[0]+" "+e.Outcome]++
			}
		}
		if len(reloads) < 4 {
			return fmt.Errorf("%v", reloads)
		}
		return nil
	})
	require.Equal(t, map[string]int{"connector run failed": 2, "connector run done": 1, "sink run failed": 1, "sink run done": 1}, reloads)
	sink.stop(syscall.SIGTERM)
	connector.stop(syscall.SIGTERM)
}

// Another model that comes by SIGHUP changes no link: the matcher waits for a
// word, says for which, and goes on with the model of before when it is back.
func TestAnotherModelComesToARunningMatcher(t *testing.T) {
	w := shared(t)
	w.registry()
	w.enable()
	w.exec("INSERT INTO patient VALUES (1, '079085012345', 'Nguyễn Văn An')")
	city, err := linkage.Default("city")
	require.NoError(t, err)
	connector, matcher := w.start("connector", "run"), w.start("processor", "run")
	matcher.ready()
	// The topic is one for all tests of the broker: the links of others go when the
	// matcher does not know their records, ours comes.
	harness.Eventually(t, within, func(context.Context) error {
		models := parse[struct{ Links map[string]int }](t, w.good("identity", "model", "show", "--json")).Links
		if len(models) != 1 || models[city.Version] != 1 {
			return fmt.Errorf("links are of %v", models)
		}
		return nil
	})
	own := w.ownModel()
	w.set("identity", tree{"model": own.path}).save()
	require.NoError(t, matcher.Signal(syscall.SIGHUP))
	matcher.until("hopluu identity model accept " + own.version)
	require.Contains(t, matcher.log(), "hopluu identity model accept "+own.version)
	w.set("identity", nil).save()
	require.NoError(t, matcher.Signal(syscall.SIGHUP))
	matcher.ready()
	require.NoError(t, w.kafka().ReadAll(t.Context(), topic.IdentityLink, func(r topic.Record) error {
		require.NotContains(t, string(r.Value), own.version)
		return nil
	}))
	matcher.stop(syscall.SIGTERM)
	connector.stop(syscall.SIGTERM)
}
