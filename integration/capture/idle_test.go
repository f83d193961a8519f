package capture

import (
	"testing"

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
