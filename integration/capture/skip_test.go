package capture

import (
	"errors"
	"strings"
	"testing"

	"github.com/hopluu/hopluu/connectors/postgres"
	"github.com/hopluu/hopluu/integration/harness"
	"github.com/stretchr/testify/require"
)

// P7, P11: with `undescribed: skip` for all tables of a sector the role may read
// the named columns and no other, and what the application adds is left out,
// read or streamed; and the application still drops its columns when it likes.
func TestUndescribedColumnsAreSkipped(t *testing.T) {
	t.Parallel()
	r := newRigOf(t, source(t), harness.Kafka(t), strings.Replace(clinic, "system: 5\n", "system: 5\nundescribed: skip\n", 1), clinicSQL)
	report := r.preflight()
	require.True(t, report.OK(), "%+v", report)
	require.Empty(t, report.Findings)
	r.exec(`ALTER TABLE public.visit ADD secret text; INSERT INTO public.visit VALUES (1, '2026-01-01', 1, 'secret-plain')`)
	conn, err := postgres.Connect(t.Context(), r.config.DSN)
	require.NoError(t, err)
	_, err = conn.Exec(t.Context(), `SELECT secret FROM public.visit`)
	require.ErrorContains(t, err, "permission denied")
	require.NoError(t, conn.Close(t.Context()))

	c := r.start()
	r.ready(c)
	public := r.tail(r.public("visit"))
	once(t, public.shows(visits))
	r.exec(`INSERT INTO public.visit VALUES (2, '2026-01-02', 2, 'secret-plain'); UPDATE public.visit SET secret = 'secret-plain too'`)
	r.exec(`ALTER TABLE public.visit ADD more text DEFAULT 'secret-plain', DROP secret; INSERT INTO public.visit VALUES (3, '2026-01-03', 3)`)
	public.shows(visits)
	r.exec(`ALTER TABLE public.visit DROP cost; INSERT INTO public.visit VALUES (4, '2026-01-04')`)
	public.shows(`SELECT patient_id, day FROM public.visit`)
	require.NoError(t, c.stop())
	r.nowhere("secret-plain")

	// A right that someone gave on top is seen, and enable takes it back.
	r.exec(`ALTER TABLE public.visit ADD cost numeric(12,2); GRANT SELECT ON public.visit TO ` + r.setup.Role)
	f := found(r.preflight(), "may read more of public.visit, which the sector file keeps back")
	require.NotNil(t, f)
	r.mend(*f)
	require.Nil(t, found(r.preflight(), "may read"))

	// What is described and gone cannot be granted: check says so, and so does
	// enable, which leaves all as it is.
	r.exec(`ALTER TABLE public.visit DROP cost`)
	f = found(r.preflight(), "column cost of public.visit is described in the sector file but not in the database")
	require.NotNil(t, f)
	require.Contains(t, f.Advice, "cannot grant it")
	var refused interface{ SQLState() string }
	require.True(t, errors.As(r.enable(), &refused))
	require.Equal(t, "42703", refused.SQLState())
}
