package commandline

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"syscall"
	"testing"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/hopluu/hopluu/integration/harness"
	"github.com/hopluu/hopluu/schemas/topic"
	"github.com/stretchr/testify/require"
)

// until waits until a stage is not ready for a reason that has all of the texts.
func (s *stage) until(texts ...string) {
	s.w.t.Helper()
	harness.Eventually(s.w.t, within, func(context.Context) error {
		_, text := s.get("/readyz")
		for _, part := range texts {
			if !strings.Contains(text, part) {
				return fmt.Errorf("%s says %q", s.Name, text)
			}
		}
		return nil
	})
}

// What is paused stands still in its process and in the next one, says who did it
// and why, and goes on with nothing lost: a source behind its slot (P7), a table
// beside it that does not hold the slot, a data set in the sink, the sink.
func TestPauseAndResume(t *testing.T) {
	w := shared(t)
	house := harness.ClickHouse(t)
	w.set("clickhouse.dsn", "http://default@"+house.Addr+"/default")
	conn, err := clickhouse.Open(house.Options())
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, conn.Close()) })
	shows := func(table, count string) {
		t.Helper()
		harness.Eventually(t, within, func(ctx context.Context) error {
			var got uint64
			err := conn.QueryRow(ctx, "SELECT count() FROM silver.clinic_"+table+" FINAL WHERE _source = '"+w.source+"'").Scan(&got)
			if fmt.Sprint(got) != count {
				return fmt.Errorf("silver has %d of %s, not %s %w", got, table, count, err)
			}
			return nil
		})
	}
	w.registry()
	w.enable()
	w.env = append(w.env, "HOPLUU_BY=an")
	w.exec("INSERT INTO room SELECT n, n FROM generate_series(1, 10) n; INSERT INTO patient VALUES (1, '079085012345', 'Nguyễn Văn An')")
	connector, sink := w.start("connector", "run"), w.start("sink", "run")
	connector.ready()
	shows("room", "10")
	shows("patient", "1")

	// A command that cannot be meant is refused.
	w.refused([]string{"pause", "connector", w.source}, "--why")
	w.refused([]string{"pause", "connector", "nobody", "--why", "x"}, "nobody is not in the configuration")
	w.refused([]string{"pause", "connector", w.source, "room", "--why", "x"}, "has no table room")
	w.refused([]string{"pause", "sink", "clinic_ward", "--why", "x"}, "no data set clinic_ward", "clinic_room")
	w.refused([]string{"resume", "connector", w.source}, "not paused")
	w.refused([]string{"resume", "connector", w.source, "public.room"}, "not paused")

	// The source: its slot keeps what is written, and the command says how much.
	text := w.good("pause", "connector", w.source, "--why", "the disk is changed")
	require.Contains(t, text, "Its slot keeps ")
	require.Contains(t, text, "a warning comes at 5.0 GiB")
	connector.until("paused by an since ", ": the disk is changed")
	s, code := w.awaitStatus(func(s status) bool { return s.State == "paused" })
	require.Zero(t, code, "a pause is no fault")
	w.exec("INSERT INTO room VALUES (11, 1)")
	require.Contains(t, w.run("connector", "status").stdout, "hopluu resume connector "+w.source)
	require.Len(t, connector.metric(`hopluu_paused_since_seconds{by="an",target="connector/`+w.source+`",why="the disk is changed"}`), 1)
	// The budget is watched over all the while (P7).
	harness.Eventually(t, within, func(context.Context) error {
		if len(connector.metric(`hopluu_connector_retained_wal_bytes{source="`+w.source+`"}`)) == 0 {
			return errors.New("nobody looks at the slot")
		}
		return nil
	})
	w.refused([]string{"pause", "connector", w.source, "--why", "again"}, "paused by an", "the disk is changed")
	// The next process stands still, too.
	connector.stop(syscall.SIGTERM)
	connector = w.start("connector", "run")
	connector.until("the disk is changed")
	require.Equal(t, s.Confirmed, func() string { s, _ := w.status(); return s.Confirmed }())
	w.good("resume", "connector", w.source)
	connector.ready()
	shows("room", "11")

	// A table: the others flow, and the slot goes on.
	w.good("pause", "connector", w.source, "public.room", "--why", "a wrong import")
	harness.Eventually(t, within, func(ctx context.Context) error {
		w.exec("INSERT INTO room SELECT max(room_id) + 1, 5 FROM room")
		return atLeast(ctx, w.kafka(), topic.DeadLetter(topic.Vault(w.source, "public", "room")), 1)
	})
	w.exec("DELETE FROM room WHERE room_id IN (1, 2); INSERT INTO patient VALUES (2, '079085012346', 'Lê Thị Mai')")
	shows("patient", "2")
	behind := "pg_current_wal_insert_lsn() <= (SELECT confirmed_flush_lsn FROM pg_replication_slots WHERE slot_name = 'hopluu_" + w.source + "')"
	harness.Eventually(t, within, func(context.Context) error {
		if w.value(behind) != "true" {
			return errors.New("the paused table holds the slot")
		}
		return nil
	})
	s, code = w.status()
	require.Zero(t, code, "a pause is no fault")
	require.Equal(t, []string{"public.room"}, s.Quarantined)
	require.Contains(t, s.Reasons["public.room"], "a wrong import")
	list := parse[[]map[string]any](t, w.good("pause", "list", "--json"))
	require.Condition(t, func() bool {
		for _, h := range list {
			if h["target"] == "connector/"+w.source+"/public.room" && h["by"] == "an" && h["why"] == "a wrong import" {
				return true
			}
		}
		return false
	}, "%v", list)
	w.good("resume", "connector", w.source, "public.room")
	shows("room", w.value("SELECT count(*) FROM room"))
	w.good("reconcile")

	// A data set in the sink waits in Kafka, in its order; the others go on, and a
	// sink that starts meanwhile leaves it alone, too.
	require.Contains(t, w.good("pause", "sink", "clinic_room", "--why", "a repair"), "resume before ")
	rooms := w.value("SELECT count(*) FROM room")
	paused := fmt.Sprintf(`hopluu_paused_since_seconds{by="an",target="sink/sink_%s/clinic_room",why="a repair"}`, w.source)
	harness.Eventually(t, within, func(context.Context) error {
		if len(sink.metric(paused)) == 0 {
			return errors.New("the sink does not know")
		}
		return nil
	})
	w.exec("UPDATE room SET beds = 1; UPDATE room SET beds = 2; INSERT INTO room VALUES (1000, 1); INSERT INTO patient VALUES (3, '079085012347', 'Trần Thị Hòa')")
	shows("patient", "3")
	require.Contains(t, w.run("sink", "status").stderr, "sink/sink_"+w.source+"/clinic_room: paused by an")
	top := w.good("top", "--once", "--metrics", strings.TrimPrefix(sink.http, "http://"))
	for _, part := range []string{"sink/sink_" + w.source + "/clinic_room", "a repair", "streaming", w.source + ".public.room", "sẵn sàng/ready"} {
		require.Contains(t, top, part)
	}
	require.NotContains(t, top, "away")
	sink.stop(syscall.SIGTERM)
	sink = w.start("sink", "run")
	sink.ready()
	w.exec("INSERT INTO patient VALUES (4, '079085012348', 'Đỗ Thị Lan')")
	shows("patient", "4")
	shows("room", rooms)
	w.good("resume", "sink", "clinic_room")
	shows("room", w.value("SELECT count(*) FROM room"))

	// The sink as a whole.
	w.good("pause", "sink", "--why", "ClickHouse is upgraded")
	sink.until("ClickHouse is upgraded")
	w.exec("INSERT INTO patient VALUES (5, '079085012349', 'Phạm Văn Bình')")
	shows("patient", "4")
	w.good("resume", "sink")
	shows("patient", "5")
	sink.ready()
	w.good("reconcile")

	var done []string
	for _, e := range w.actions() {
		if strings.HasPrefix(e.Command, "pause") || strings.HasPrefix(e.Command, "resume") {
			done = append(done, e.Command+" "+e.Outcome)
		}
	}
	require.Equal(t, []string{
		"resume connector failed", // of a table that was not paused: it was tried
		"pause connector done", "resume connector done", "pause connector done", "resume connector done",
		"pause sink done", "resume sink done", "pause sink done", "resume sink done",
	}, done)
	sink.stop(syscall.SIGTERM)
	connector.stop(syscall.SIGTERM)
}

// The matcher stands still, answers reviewers that it does, and goes on.
func TestPauseOfTheMatcher(t *testing.T) {
	w := shared(t)
	w.registry()
	w.good("topics", "create")
	matcher := w.start("processor", "run")
	matcher.ready()
	w.good("pause", "processor", "--why", "the model is judged", "--by", "binh")
	t.Cleanup(func() {
		if t.Failed() { // it is one for all tests of the broker
			w.run("resume", "processor")
		}
	})
	matcher.until("paused by binh", "the model is judged")
	status, text := matcher.get("/identity/reviews")
	require.Equal(t, 503, status)
	require.Contains(t, text, "the model is judged")
	w.good("resume", "processor")
	matcher.ready()
	matcher.stop(syscall.SIGTERM)
}
