package capture

import (
	"strings"
	"testing"

	"github.com/hopluu/hopluu/connectors/postgres"
	"github.com/stretchr/testify/require"
)

// preflight looks with the connector's own role.
func (r *rig) preflight() postgres.Report {
	r.t.Helper()
	conn, err := postgres.Connect(r.t.Context(), r.config.DSN)
	require.NoError(r.t, err)
	report, err := postgres.Preflight(r.t.Context(), conn, r.config.Source, r.config.Slot, r.config.Publication, r.config.Sector)
	require.NoError(r.t, err)
	require.NoError(r.t, conn.Close(r.t.Context()))
	return report
}

func requireFinding(t *testing.T, report postgres.Report, level postgres.Level, what, mend string) {
	t.Helper()
	for _, f := range report.Findings {
		if f.Level == level && strings.Contains(f.What, what) {
			require.Contains(t, f.Mend, mend)
			return
		}
	}
	require.Fail(t, "no such finding", "%s %q in %+v", level, what, report.Findings)
}

// A database as enable leaves it can be captured.
func TestPreflightOfAReadyDatabase(t *testing.T) {
	r := newRig(t)
	report := r.preflight()
	require.True(t, report.OK(), "%+v", report)
	require.Equal(t, 2, report.Tables)
	require.Empty(t, report.Findings)
}

// Each fault is found, with what mends it, and the connector's own refusal
// agrees.
func TestPreflightFindings(t *testing.T) {
	for name, c := range map[string]struct {
		sql        string
		level      postgres.Level
		what, mend string
	}{
		"no replica identity":    {`ALTER TABLE public.visit REPLICA IDENTITY NOTHING`, postgres.Fault, "table public.visit has no replica identity", `ALTER TABLE "public"."visit" ADD PRIMARY KEY`},
		"no primary key":         {`ALTER TABLE public.visit DROP CONSTRAINT visit_pkey`, postgres.Fault, "table public.visit has no replica identity", "REPLICA IDENTITY USING INDEX"},
		"no key":                 {`ALTER TABLE public.visit DROP CONSTRAINT visit_pkey, REPLICA IDENTITY FULL`, postgres.Warning, "table public.visit has no key: it lands in bronze only", "ADD PRIMARY KEY"},
		"no key but a vault":     {`ALTER TABLE public.patient DROP CONSTRAINT patient_pkey, REPLICA IDENTITY FULL`, postgres.Fault, "has identifiers or matching columns but no key", "ADD PRIMARY KEY"},
		"another identity":       {`ALTER TABLE public.visit ALTER cost SET NOT NULL; CREATE UNIQUE INDEX u ON public.visit (cost); ALTER TABLE public.visit REPLICA IDENTITY USING INDEX u`, postgres.Fault, "its old rows are sent by [cost]", "REPLICA IDENTITY USING INDEX"},
		"undescribed column":     {`ALTER TABLE public.visit ADD COLUMN room text`, postgres.Warning, "column room of public.visit is not described", "describe it"},
		"column that is gone":    {`ALTER TABLE public.visit DROP COLUMN cost`, postgres.Warning, "column cost of public.visit is described in the sector file but not in the database", ""},
		"unreadable":             {`REVOKE SELECT ON public.visit FROM ROLE`, postgres.Fault, "table public.visit may not be read by this role", "hopluu connector enable"},
		"table missing":          {`DROP TABLE public.visit`, postgres.Fault, "table public.visit is described in the sector file but not in the database", ""},
		"table not published":    {`ALTER PUBLICATION PUB DROP TABLE public.visit`, postgres.Fault, "table public.visit is not in the publication", "hopluu connector enable"},
		"publication missing":    {`DROP PUBLICATION PUB`, postgres.Fault, "is missing", "hopluu connector enable"},
		"publication of inserts": {`ALTER PUBLICATION PUB SET (publish = 'insert')`, postgres.Fault, "leaves out changes", "SET (publish = 'insert, update, delete, truncate'"},
		"a column list":          {`ALTER PUBLICATION PUB SET TABLE public.patient, public.visit (patient_id, day)`, postgres.Fault, "table public.visit is published with a row filter or a column list", "hopluu connector enable"},
		"a row filter":           {`ALTER PUBLICATION PUB SET TABLE public.patient, public.visit WHERE (patient_id > 5)`, postgres.Fault, "table public.visit is published with a row filter or a column list", "hopluu connector enable"},
		"may not replicate":      {`ALTER ROLE ROLE NOREPLICATION`, postgres.Fault, "may not replicate", "REPLICATION"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.exec(strings.NewReplacer("FROM ROLE", "FROM "+r.setup.Role, "ROLE ROLE", "ROLE "+r.setup.Role, "PUB ", r.config.Publication+" ").Replace(c.sql + " "))
			report := r.preflight()
			requireFinding(t, report, c.level, c.what, c.mend)
			require.Equal(t, c.level != postgres.Fault, report.OK())
		})
	}
}

// What enable makes, disable removes; run twice, both do no harm.
func TestEnableAndDisable(t *testing.T) {
	r := newRig(t)
	conn := r.connect()
	require.NoError(t, postgres.Apply(t.Context(), conn, r.setup.EnableScript()))
	c := r.start()
	r.ready(c)
	left, err := r.setup.Leftovers(t.Context(), conn)
	require.NoError(t, err)
	require.Len(t, left, 3)
	require.NoError(t, c.stop())
	for range 2 {
		require.NoError(t, postgres.Apply(t.Context(), conn, r.setup.DisableScript()))
		left, err = r.setup.Leftovers(t.Context(), conn)
		require.NoError(t, err)
		require.Empty(t, left)
	}
	_, err = postgres.Connect(t.Context(), r.config.DSN)
	require.Error(t, err, "the role is gone")
}

// P7: the connector's role reads the named tables and nothing else, and changes
// nothing.
func TestLeastPrivilege(t *testing.T) {
	r := newRig(t)
	r.exec(`CREATE TABLE public.secret (n int)`)
	conn, err := postgres.Connect(t.Context(), r.config.DSN)
	require.NoError(t, err)
	for _, sql := range []string{`SELECT FROM public.secret`, `DELETE FROM public.visit`, `CREATE TABLE public.x (n int)`} {
		_, err := conn.Exec(t.Context(), sql)
		require.ErrorContains(t, err, "permission denied", sql)
	}
	_, err = conn.Exec(t.Context(), `SELECT FROM public.visit`)
	require.NoError(t, err)
	require.NoError(t, conn.Close(t.Context()))
}
