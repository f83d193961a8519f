package commandline

import (
	"context"
	"encoding/json"
	"errors"
	"syscall"
	"testing"

	"github.com/hopluu/hopluu/integration/harness"
	"github.com/stretchr/testify/require"
)

// figures are those of a status that people act on.
type figures struct {
	State, Error string
	Lag          *float64 `json:"lag_seconds"`
	Behind       int64    `json:"behind_bytes"`
	Retained     int64    `json:"retained_wal_bytes"`
	PerSecond    *float64 `json:"wal_bytes_per_second"`
	Safe         *int64   `json:"bytes_until_slot_is_lost"`
	Left         *float64 `json:"seconds_until_slot_is_lost"`
	Budget       struct {
		Warn          int64 `json:"warn_bytes"`
		Limit         int64 `json:"limit_bytes"`
		Policy, Level string
	} `json:"wal_budget"`
	Unreachable bool `json:"database_unreachable"`
}

func (w *world) figures(arguments ...string) (figures, int) {
	w.t.Helper()
	d := w.run(append([]string{"connector", "status", "--json"}, arguments...)...)
	require.Empty(w.t, d.stderr)
	all := parse[[]figures](w.t, d.stdout)
	require.Len(w.t, all, 1)
	return all[0], d.code
}

// How far a source is, in bytes and in seconds, what its slot holds back and
// for how long that can go on; and what can still be told while a part is away.
func TestStatusFigures(t *testing.T) {
	w := newWorld(t, harness.Postgres(t, harness.Own(), harness.WithSetting("max_slot_wal_keep_size", "1GB")), harness.Kafka(t))
	w.registry()
	w.enable()
	connector := w.start("connector", "run")
	connector.ready()
	w.exec("INSERT INTO room VALUES (1, 1)")
	harness.Eventually(t, within, func(context.Context) error {
		f, code := w.figures()
		if code != 0 || f.State != "streaming" || f.Lag == nil || *f.Lag != 0 {
			text, err := json.Marshal(f)
			return errors.Join(err, errors.New(string(text)))
		}
		return nil
	})

	// Others write: the time that is left is what there is, by that rate.
	stop := make(chan struct{})
	done := make(chan struct{})
	go func() {
		defer close(done)
		conn := w.connect()
		for {
			select {
			case <-stop:
				require.NoError(t, conn.Close(context.Background()))
				return
			default:
				_, err := conn.Exec(context.Background(), "SELECT pg_logical_emit_message(false, 'load', repeat('x', 100000))")
				require.NoError(t, err)
			}
		}
	}()
	f, _ := w.figures("--interval", "2s")
	close(stop)
	<-done
	require.Positive(t, *f.PerSecond)
	require.Positive(t, *f.Safe)
	require.InEpsilon(t, float64(*f.Safe) / *f.PerSecond, *f.Left, 0.01)

	// A connector that stopped falls behind; the slot passes its budget.
	connector.stop(syscall.SIGTERM)
	w.exec("INSERT INTO room VALUES (2, 1)")
	w.set("wal", tree{"warn_bytes": 1, "limit_bytes": 100})
	f, code := w.figures()
	require.Equal(t, 1, code)
	require.Equal(t, "stopped", f.State)
	require.Positive(t, *f.Lag)
	require.Positive(t, f.Behind)
	require.Equal(t, []any{int64(1), int64(100), "alert", "over"}, []any{f.Budget.Warn, f.Budget.Limit, f.Budget.Policy, f.Budget.Level})
	text := w.run("connector", "status").stdout
	require.Contains(t, text, "beyond its budget (over): it warns at 1 B, the limit is 100 B, the policy is alert")
	for _, head := range []string{"LAG", "RETAINED WAL", "WAL/S", "LEFT UNTIL LOST"} {
		require.Contains(t, text, head)
	}
	w.set("wal", nil)
	_, code = w.figures()
	require.Zero(t, code)

	// Without Kafka the database is asked all the same; without the database,
	// Kafka.
	brokers := w.config["kafka"].(tree)["brokers"]
	w.set("kafka.brokers", []string{"127.0.0.1:1"})
	f, code = w.figures()
	require.Equal(t, 1, code)
	require.Equal(t, "unknown", f.State)
	require.Contains(t, f.Error, "kafka.brokers")
	require.Positive(t, f.Retained)
	require.False(t, f.Unreachable)
	dsn := w.config["sources"].([]any)[0].(tree)["dsn"]
	w.setSource("dsn", "postgres://a:secret@127.0.0.1:1/d")
	f, code = w.figures()
	require.Equal(t, 1, code)
	require.True(t, f.Unreachable)
	require.Contains(t, f.Error, "kafka.brokers")
	require.Contains(t, f.Error, "127.0.0.1:1/d cannot be reached")
	w.set("kafka.brokers", brokers)
	f, code = w.figures()
	require.Equal(t, 1, code)
	require.Equal(t, "unreachable", f.State)
	require.Positive(t, *f.Lag)
	require.NotContains(t, f.Error, "kafka.brokers")
	w.setSource("dsn", dsn).save() // for the clean-up
}

// A server without max_slot_wal_keep_size sets no limit, and status says so.
func TestStatusWithoutALimit(t *testing.T) {
	w := newWorld(t, harness.Postgres(t, harness.WithSetting("max_slot_wal_keep_size", "-1")), harness.Kafka(t))
	w.registry()
	w.enable()
	connector := w.start("connector", "run")
	connector.ready()
	f, _ := w.figures()
	require.Nil(t, f.Safe)
	require.Nil(t, f.Left)
	require.Contains(t, w.run("connector", "status").stdout, "no limit set")
	require.Contains(t, w.run("connector", "check").stdout, "max_slot_wal_keep_size is unlimited")
	connector.stop(syscall.SIGTERM)
}
