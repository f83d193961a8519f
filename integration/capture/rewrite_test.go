package capture

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// A snapshot finds a table empty that was rewritten after it was taken, and the
// stream does not send the rows again: such a table is read from a new
// snapshot.
func TestTableRewrittenUnderTheSnapshot(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.exec(`INSERT INTO public.patient VALUES (1, NULL, 'An', NULL, 1); INSERT INTO public.visit SELECT n, '2026-01-01', n FROM generate_series(1, 100) n`)
	// The connector has its snapshot and stops at the first table's schema.
	arrived, goOn := r.hold("public.patient")
	r.start()
	arrived()
	r.exec(`ALTER TABLE public.visit ALTER COLUMN cost TYPE numeric(12,2) USING cost + 1`)
	goOn()
	r.tail(r.public("visit")).shows(visits)
	r.complete("public.visit")
	require.Equal(t, int64(100), r.checkpoint().Tables["public.visit"].Rows)
}
