package capture

import (
	"context"
	"fmt"
	"testing"
	"time"

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
	harness.Eventually(t, 90*time.Second, func(ctx context.Context) error {
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

// The policy alert only tells: a slot that someone dropped stays a gap for a
// person to judge.
func TestAGapIsNotMendedWithoutThePolicy(t *testing.T) {
	r := newRig(t)
	r.config.Budget = walbudget.Budget{Warn: 1, Limit: 2, Policy: walbudget.Alert}
	c := r.start()
	r.ready(c)
	require.NoError(t, c.stop())
	r.exec("SELECT pg_drop_replication_slot('" + r.config.Slot + "')")
	var gap *connectors.GapError
	require.ErrorAs(t, r.ends(), &gap)
}
