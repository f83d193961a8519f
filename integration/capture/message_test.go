package capture

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/hopluu/hopluu/connectors"
	"github.com/hopluu/hopluu/integration/harness"
	"github.com/hopluu/hopluu/schemas/topic"
	"github.com/jackc/pgx/v5"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
)

// metric is the sum of a metric's series with the labels, "name=value".
func metric(t *testing.T, registry *prometheus.Registry, name string, labels ...string) (sum float64) {
	t.Helper()
	families, err := registry.Gather()
	require.NoError(t, err)
	for _, f := range families {
		if f.GetName() != name {
			continue
		}
		for _, m := range f.GetMetric() {
			var have []string
			for _, l := range m.GetLabel() {
				have = append(have, l.GetName()+"="+l.GetValue())
			}
			if slices.ContainsFunc(labels, func(l string) bool { return !slices.Contains(have, l) }) {
				continue
			}
			sum += m.GetCounter().GetValue() + m.GetGauge().GetValue()
		}
	}
	return sum
}

// Case 10: heartbeats come back from an idle source and let its slot go on. No
// table is touched, and they are no events.
func TestCase10Heartbeat(t *testing.T) {
	r := newRig(t)
	r.config.Heartbeat, r.config.Transactions = 50*time.Millisecond, true
	before := r.checkpoint()
	c := r.start()
	r.ready(c)
	for n := range 3 {
		r.eventually(func() error {
			if got := metric(t, c.metrics, "hopluu_connector_heartbeats_total", "how=received"); got < float64(3*n+3) {
				return fmt.Errorf("%v heartbeats were received", got)
			}
			return nil
		})
		r.caughtUp()
	}
	after := r.checkpoint()
	require.Greater(t, after.Confirmed, before.Confirmed)
	require.Zero(t, after.LSN, "no event came")
	require.Positive(t, metric(t, c.metrics, "hopluu_connector_heartbeat_lag_seconds"))
	require.Zero(t, metric(t, c.metrics, "hopluu_connector_heartbeats_total", "how=failed"))
	require.Zero(t, metric(t, c.metrics, "hopluu_connector_messages_total"))
	r.exec(`INSERT INTO public.visit VALUES (1, '2026-01-01', 1)`)
	r.boundaries(2)
	require.NoError(t, c.stop())
}

// A role that may not write messages captures all the same, and says what is
// missing.
func TestHeartbeatThatMayNot(t *testing.T) {
	r := newRig(t)
	r.config.Heartbeat = 50 * time.Millisecond
	r.exec(`REVOKE EXECUTE ON FUNCTION pg_logical_emit_message(boolean, text, text, boolean) FROM PUBLIC`)
	c := r.start()
	r.eventually(func() error {
		if metric(t, c.metrics, "hopluu_connector_heartbeats_total", "how=failed") == 0 {
			return errors.New("no heartbeat failed")
		}
		return nil
	})
	r.exec(`INSERT INTO public.visit VALUES (1, '2026-01-01', 1)`)
	r.tail(r.public("visit")).shows(visits)
	require.NoError(t, c.Ready())
	require.NoError(t, c.stop())
}

// logical is a message of <source>.message as text.
func (r *rig) logical(m message) string {
	r.t.Helper()
	v := r.native(m.Value)
	require.Equal(r.t, "m", v["op"])
	source := v["source"].(map[string]any)
	body := v["message"].(map[string]any)
	prefix := body["prefix"].(map[string]any)["string"].(string)
	require.Equal(r.t, map[string]any{"prefix": map[string]any{"string": prefix}}, r.native(m.Key))
	kind := "alone"
	if source["txId"] != nil {
		kind = "in a transaction"
	}
	return fmt.Sprintf("%s %q %s", prefix, body["content"].(map[string]any)["bytes"], kind)
}

// Messages of an application go to a topic of their own when their prefix is
// asked for, each once, over restarts; what was rolled back is not among them,
// also of a large transaction.
func TestLogicalMessages(t *testing.T) {
	r := newStreamingRig(t)
	r.config.Messages = []string{"outbox"}
	r.config.Heartbeat = 50 * time.Millisecond
	r.config.MaxRowBytes = 64 << 10
	c := r.start()
	r.ready(c)
	r.exec(`SELECT pg_logical_emit_message(false, 'outbox', 'one')`)
	r.exec(`SELECT pg_logical_emit_message(false, 'other', 'left out')`)
	w := r.writer()
	w.exec(`BEGIN; SELECT pg_logical_emit_message(true, 'outbox', 'two')`)
	w.visits(1, 3000)
	w.exec(`SAVEPOINT s; SELECT pg_logical_emit_message(true, 'outbox', 'taken back')`)
	w.visits(10_001, 3000)
	w.exec(`ROLLBACK TO SAVEPOINT s; SELECT pg_logical_emit_message(true, 'outbox', 'three')`)
	require.NoError(t, c.stop())
	w.exec(`COMMIT`)
	r.exec(`BEGIN; SELECT pg_logical_emit_message(true, 'outbox', 'never'); ROLLBACK`)
	r.exec(`SELECT pg_logical_emit_message(true, 'outbox', repeat('x', 100000))`)
	c = r.start()
	r.exec(`SELECT pg_logical_emit_message(true, 'outbox', decode('00ff', 'hex'))`)
	tail := r.tail(topic.Messages(r.config.Source))
	tail.raw = true
	tail.records(4)
	r.tail(r.public("visit")).shows(visits)
	r.caughtUp()
	require.NoError(t, c.stop())
	c = r.start()
	r.ready(c)
	r.exec(`SELECT pg_logical_emit_message(true, 'outbox', 'last')`)
	tail.records(5)
	r.caughtUp()
	require.NoError(t, c.stop())
	var got []string
	for _, m := range tail.records(5) {
		got = append(got, r.logical(m))
	}
	require.Equal(t, []string{`outbox "one" alone`, `outbox "two" in a transaction`, `outbox "three" in a transaction`,
		`outbox "\x00\xff" in a transaction`, `outbox "last" in a transaction`}, got)
	letters := r.tail(topic.DeadLetter("vault." + topic.Messages(r.config.Source))).records(1)
	require.Equal(t, byte('M'), letters[0].Value[0])
	require.Contains(t, string(letters[0].Headers[0].Value), "max_row_bytes is 65536")
}

// P6: a message in the middle of a transaction that is cut by a kill is there
// once, and moves no row's place.
func TestLogicalMessagesAfterAKill(t *testing.T) {
	r := newRig(t)
	r.config.Messages = []string{"outbox"}
	process := r.startProcess()
	r.complete("public.patient")
	r.complete("public.visit")
	arrived, goOn := r.hold("room")
	const rows = 50_000
	r.exec(fmt.Sprintf(`BEGIN; SELECT pg_logical_emit_message(true, 'outbox', '0');
		DO $$ BEGIN FOR n IN 1..%d LOOP
			INSERT INTO public.patient VALUES (n, NULL, 'Người ' || n, repeat(md5(n::text), 30), n);
			IF n %% 1000 = 0 THEN PERFORM pg_logical_emit_message(true, 'outbox', n::text); END IF;
		END LOOP; END $$; `+stopsHere+`; COMMIT`, rows))
	arrived()
	require.NoError(t, process.Kill())
	goOn()
	cut := r.checkpoint()
	require.NotZero(t, cut.Ordinal, "the transaction is larger than one of Kafka's")
	require.Less(t, int(cut.Ordinal), rows)
	require.NotZero(t, cut.Message)
	c := r.start()
	r.caughtUp()
	once(t, r.tail(r.public("patient")).events(rows))
	tail := r.tail(topic.Messages(r.config.Source))
	tail.raw = true
	for n, m := range tail.records(rows/1000 + 1) {
		require.Equal(t, fmt.Sprintf(`outbox "%d" in a transaction`, n*1000), r.logical(m))
		source := r.native(m.Value)["source"].(map[string]any)
		require.EqualValues(t, n*1000, source["ordinal"], "it stands behind the row before it")
	}
	require.NoError(t, c.stop())
}

// What was replicated into the database is left out when asked, so that two
// databases that replicate to one another are not captured twice.
func TestOrigins(t *testing.T) {
	for origin, want := range map[string]string{"any": "cc", "none": "c"} {
		t.Run(origin, func(t *testing.T) {
			r := newRig(t)
			r.config.Origin = origin
			c := r.start()
			r.ready(c)
			name := "peer_" + r.config.Source
			r.exec(`SELECT pg_replication_origin_create('` + name + `')`)
			t.Cleanup(func() { r.dropOrigin(name) })
			conn := r.connect()
			for _, sql := range []string{`SELECT pg_replication_origin_session_setup('` + name + `')`,
				`INSERT INTO public.visit VALUES (1, '2026-01-01', 1)`, `SELECT pg_replication_origin_session_reset()`} {
				_, err := conn.Exec(t.Context(), sql)
				require.NoError(t, err)
			}
			r.exec(`INSERT INTO public.visit VALUES (2, '2026-01-01', 1)`)
			r.caughtUp()
			all := r.tail(r.public("visit")).events(len(want))
			require.Equal(t, want, ops(all))
			require.Equal(t, "c", ops(of(all, "2")))
			require.NoError(t, c.stop())
		})
	}
}

func (r *rig) dropOrigin(name string) {
	conn, err := pgx.Connect(context.Background(), r.admin)
	require.NoError(r.t, err)
	_, err = conn.Exec(context.Background(), `SELECT pg_replication_origin_drop($1)`, name)
	require.NoError(r.t, errors.Join(err, conn.Close(context.Background())))
}

// A server that cannot is not captured as if it could.
func TestOptionsThatNeedANewerServer(t *testing.T) {
	r := newRigOn(t, harness.Postgres(t, harness.WithVersion(harness.OldestPostgres)), harness.Kafka(t))
	r.config.Failover = true
	err := r.ends()
	require.ErrorContains(t, err, "failover: true needs PostgreSQL 17")
	require.True(t, connectors.Permanent(err))
	r.config.Failover, r.config.Origin = false, "none"
	err = r.ends()
	require.ErrorContains(t, err, "origin: none needs PostgreSQL 16")
	require.True(t, connectors.Permanent(err))
}
