package capture

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Case 10: an idle table next to a busy one that nobody captures does not hold
// the WAL: the slot goes on.
func TestCase10IdleTable(t *testing.T) {
	t.Parallel()
	r := started(t)
	r.exec(`INSERT INTO public.visit VALUES (1, '2026-01-01', 1)`)
	r.tail(r.public("visit")).shows(visits)
	before := r.checkpoint()
	r.exec(`CREATE TABLE public.busy (n int); INSERT INTO public.busy SELECT generate_series(1, 10000)`)
	r.exec(`UPDATE public.busy SET n = n + 1`)
	r.caughtUp()
	after := r.checkpoint()
	require.Greater(t, after.Confirmed, before.Confirmed)
	require.Equal(t, before.LSN, after.LSN, "no event came")
	require.LessOrEqual(t, r.confirmed(), r.checkpoint().Confirmed, "case 11: the slot never stands above the checkpoint")
}

// Case 11: whatever moves the slot - commits, the periodic look of an idle
// source, heartbeats, a stop - the checkpoint in Kafka said so before.
func TestCase11SlotNeverPastTheCheckpoint(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.config.Heartbeat = 50 * time.Millisecond
	c := r.start()
	r.ready(c)
	r.exec(`CREATE TABLE public.busy (n int)`)
	wait, total := r.load(t.Context(), 2, 50, 20)
	moved := map[string]bool{}
	look := func() error {
		slot := r.confirmed() // first: the checkpoint may only be ahead
		moved[slot.String()] = true
		if saved := r.checkpoint().Confirmed; slot > saved {
			return fmt.Errorf("the slot stands at %s, the checkpoint at %s", slot, saved)
		}
		return nil
	}
	for round := range 3 {
		for n := range 8 {
			r.exec(`INSERT INTO public.busy SELECT generate_series(1, 2000)`)
			require.NoError(t, look(), n)
		}
		require.NoError(t, c.stop())
		require.NoError(t, look(), round)
		c = r.start()
	}
	require.NoError(t, wait())
	public := r.tail(r.public("patient"))
	all := public.shows(patients)
	require.Equal(t, total, len(events(all)))
	once(t, all)
	r.eventually(func() error {
		require.NoError(t, look())
		if len(moved) < 4 {
			return fmt.Errorf("the slot was seen at %d places", len(moved))
		}
		return nil
	})
	require.NoError(t, c.stop())
	require.NoError(t, look())
}
