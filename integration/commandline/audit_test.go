package commandline

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/hopluu/hopluu/integration/harness"
	"github.com/hopluu/hopluu/schemas/audit"
	"github.com/stretchr/testify/require"
)

// actions are those that touched the world's source, or what else is named, oldest
// first: the broker, and so the record, is shared by many tests.
func (w *world) actions(names ...string) (all []audit.Entry) {
	w.t.Helper()
	for _, e := range parse[[]audit.Entry](w.t, w.good("audit", "--json")) {
		text := strings.Join(append(e.Args, e.Touched...), " ")
		if slices.ContainsFunc(append(names, w.source), func(name string) bool { return strings.Contains(text, name) }) {
			all = append(all, e)
		}
	}
	return all
}

// Every action is recorded with who, what, on what, and how it ended, whichever
// of Kafka and ClickHouse is away, and no secret is in it.
func TestActionsAreRecorded(t *testing.T) {
	w := shared(t)
	house := harness.ClickHouse(t)
	dsn := "http://default@" + house.Addr + "/default"
	conn, err := clickhouse.Open(house.Options())
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, conn.Close()) })
	began := time.Now()
	w.env = append(w.env, "HOPLUU_BY=an")

	// ClickHouse is away: the topic has it.
	w.good("connector", "enable", w.source, "--run", "--admin", w.admin)
	d := w.run("audit", "--json", "--since", "1h")
	require.Zero(t, d.code, d.stderr)
	require.Contains(t, d.stderr, "not all may be here: ")
	enabled := w.actions()
	require.Len(t, enabled, 1)
	e := enabled[0]
	require.Equal(t, "connector enable", e.Command)
	require.Equal(t, "an", e.Who)
	require.Contains(t, e.User, "@")
	require.Equal(t, []string{w.source, "--admin=***", "--run=true"}, e.Args)
	require.Contains(t, e.Touched, "slot hopluu_"+w.source)
	require.Equal(t, audit.Done, e.Outcome)
	require.False(t, e.At.Before(began.Add(-time.Second)) || e.Ended.Before(e.At), "%+v", e)

	// A running sink lands it.
	w.set("clickhouse.dsn", dsn)
	w.registry()
	sink := w.start("sink", "run")
	count := fmt.Sprintf("SELECT toString(count()) FROM ops.audit FINAL WHERE id = '%s' AND who = 'an' AND outcome = 'done' AND touched[1] = 'database %s' AND offset >= 0", e.ID, w.source)
	harness.Eventually(t, within, func(ctx context.Context) error {
		var got string
		if err := conn.QueryRow(ctx, count).Scan(&got); err != nil || got != "1" {
			return fmt.Errorf("%q %w", got, err)
		}
		return nil
	})
	require.Len(t, w.actions(), 1, "what both have is one action")
	sink.stop(syscall.SIGTERM)

	// Kafka is away: ops.audit has it, and `audit` says what is away.
	brokers := w.broker.Brokers()
	w.set("kafka.brokers", []string{"127.0.0.1:1"})
	w.good("connector", "enable", w.source, "--run", "--admin", w.admin, "--by", "binh")
	d = w.run("audit", "--json")
	require.Zero(t, d.code, d.stderr)
	require.Contains(t, d.stderr, "not all may be here: kafka.brokers")
	recorded := w.actions()
	require.Len(t, recorded, 2)
	require.Equal(t, "binh", recorded[1].Who)
	require.Equal(t, audit.Done, recorded[1].Outcome)

	// Both are away: it is done, and the record is on standard error.
	w.set("clickhouse.dsn", "http://default@127.0.0.1:1/default")
	d = w.run("connector", "disable", w.source, "--run", "--admin", w.admin)
	require.Zero(t, d.code, d.stderr)
	require.Equal(t, 2, strings.Count(d.stderr, "the record of actions cannot be written"), d.stderr)
	require.Contains(t, d.stderr, `"command":"connector disable"`)
	require.NotContains(t, d.stderr, w.admin)
	w.refused([]string{"audit"}, "kafka.brokers")

	// Both are back: what failed is there with its reason; nothing is lost.
	w.set("clickhouse.dsn", dsn).set("kafka.brokers", brokers)
	d = w.run("connector", "resnapshot", w.source)
	require.Equal(t, 2, d.code, "it was never captured")
	recorded = w.actions()
	require.Len(t, recorded, 2, "nothing was touched")
	w.refused([]string{"audit", "--since", "yesterday"}, "neither a duration")
	require.Contains(t, w.good("audit"), "connector enable "+w.source)
}
