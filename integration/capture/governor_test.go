package capture

import (
	"context"
	"fmt"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/hopluu/hopluu/connectors"
	"github.com/hopluu/hopluu/connectors/postgres"
	"github.com/hopluu/hopluu/connectors/postgres/walbudget"
	"github.com/hopluu/hopluu/integration/harness"
)

// P7: while Kafka is away the WAL of the slot grows; past its limit the slot is
// let go, so the sector's disk never fills because of us. When Kafka is back
// the tables are read anew under the next epoch, and what was deleted meanwhile
// is gone.
func TestCase09StalledCaptureLetsTheSlotGo(t *testing.T) {
	broker := harness.Kafka(t, harness.Own())
	r := newRigOn(t, harness.Postgres(t), broker)
	r.config.Budget = walbudget.Budget{Warn: 1 << 20, Limit: 24 << 20, Policy: walbudget.Release}
	r.exec(`INSERT INTO public.visit SELECT i, date '2026-01-01', 1 FROM generate_series(1, 20) i`)
	c := r.start()
	r.ready(c)
	public := r.tail(r.public("visit"))
	public.shows(visits)
	require.NoError(t, broker.Kill())
	r.exec(`DELETE FROM public.visit WHERE patient_id <= 5`)
	conn, err := postgres.Connect(t.Context(), r.admin)
	require.NoError(t, err)
	defer func() { require.NoError(t, conn.Close(context.Background())) }()
	// Work of others fills the log; the slot holds it back.
	for range 3 {
		_, err = conn.Exec(t.Context(), "SELECT pg_logical_emit_message(false, 'load', repeat('x', 9000000)), pg_switch_wal()")
		require.NoError(t, err)
	}
	harness.Eventually(t, within, func(ctx context.Context) error {
		slot, err := postgres.ReadSlotStatus(ctx, conn, r.config.Slot)
		if err == nil && slot.Exists {
			err = fmt.Errorf("the slot still keeps %s", connectors.Bytes(slot.RetainedBytes))
		}
		return err
	})
	// No slot keeps this change: only the new snapshot can tell it.
	r.exec(`DELETE FROM public.visit WHERE patient_id BETWEEN 6 AND 10`)
	require.NoError(t, broker.Restart(t.Context()))
	public.shows(visits) // the ten are gone
	require.Equal(t, uint32(2), r.checkpoint().Epoch)
	require.NoError(t, c.stop())
}

// With the policy alert, a slot that passes its warning and its limit is told
// of by the metric that an alert watches, and kept: nothing is lost, and it comes
// back within its budget by itself.
func TestCase09StalledCaptureIsTold(t *testing.T) {
	broker := harness.Kafka(t, harness.Own())
	r := newRigOn(t, harness.Postgres(t), broker)
	r.config.Budget = walbudget.Budget{Warn: 12 << 20, Limit: 40 << 20, Policy: walbudget.Alert}
	// What every role may do by default, and not on a server that was hardened.
	r.exec(`REVOKE EXECUTE ON FUNCTION pg_control_system() FROM PUBLIC`)
	c := r.start()
	r.ready(c)
	level := func(want float64) {
		t.Helper()
		harness.Eventually(t, within, func(context.Context) error {
			if got := c.gauge("hopluu_connector_wal_budget_level"); got != want {
				return fmt.Errorf("the level is %v, the slot keeps %s", got, connectors.Bytes(int64(c.gauge("hopluu_connector_retained_wal_bytes"))))
			}
			return nil
		})
	}
	level(0)
	require.NoError(t, broker.Kill())
	r.exec(`INSERT INTO public.visit VALUES (1, '2026-01-01', 1)`)
	r.exec("SELECT pg_logical_emit_message(false, 'load', repeat('x', 15000000))")
	level(1)
	for range 3 {
		r.exec("SELECT pg_logical_emit_message(false, 'load', repeat('x', 15000000))")
	}
	level(2)
	require.NoError(t, broker.Restart(t.Context()))
	r.tail(r.public("visit")).shows(visits)
	require.Equal(t, uint32(1), r.checkpoint().Epoch, "the slot was kept")
	// The server moves the slot's restart_lsn when it notes its transactions.
	harness.Eventually(t, within, func(context.Context) error {
		r.exec("CHECKPOINT")
		if got := c.gauge("hopluu_connector_wal_budget_level"); got != 0 {
			return fmt.Errorf("the level is %v", got)
		}
		return nil
	})
	require.NoError(t, c.stop())
}

// gauge is what a metric of the connector says now.
func (c *running) gauge(name string) float64 {
	families, err := c.Metrics.(*prometheus.Registry).Gather()
	if err != nil {
		return -1 // the caller waits for another value
	}
	for _, f := range families {
		if f.GetName() == name {
			return f.GetMetric()[0].GetGauge().GetValue()
		}
	}
	return -1
}

// The policy alert only tells: a slot that someone dropped stays a gap for a
// person to judge.
func TestAGapIsNotMendedWithoutThePolicy(t *testing.T) {
	r := newRig(t)
	r.config.Budget = walbudget.Budget{Warn: 1, Limit: 2, Policy: walbudget.Alert}
	c := r.start()
	r.ready(c)
	require.NoError(t, c.stop())
	r.dropSlot()
	var gap *connectors.GapError
	require.ErrorAs(t, r.ends(), &gap)
}
