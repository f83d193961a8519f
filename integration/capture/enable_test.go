package capture

import (
	"fmt"
	"strings"
	"testing"

	"github.com/hopluu/hopluu/connectors/postgres"
	"github.com/hopluu/hopluu/integration/harness"
	"github.com/stretchr/testify/require"
)

// enable runs the script as an administrator.
func (r *rig) enable() error {
	r.t.Helper()
	return postgres.Apply(r.t.Context(), r.connect(), r.setup.EnableScript())
}

// places are the publication's tables with the rows of the catalogue that say
// so: another row means that the table was touched.
func (r *rig) places() map[string]string {
	r.t.Helper()
	conn := r.connect()
	rows, err := conn.Query(r.t.Context(), `
		SELECT c.relname::text, p.oid || ' ' || p.xmin || ' ' || coalesce(p.prattrs::text, '*') || ' ' || coalesce(pg_get_expr(p.prqual, p.prrelid), '')
		FROM pg_publication_rel p JOIN pg_class c ON c.oid = p.prrelid JOIN pg_publication u ON u.oid = p.prpubid WHERE u.pubname = $1`, r.config.Publication)
	require.NoError(r.t, err)
	places := map[string]string{}
	for rows.Next() {
		var table, place string
		require.NoError(r.t, rows.Scan(&table, &place))
		places[table] = place
	}
	require.NoError(r.t, rows.Err())
	return places
}

// Run again, enable changes what differs and touches nothing else: a capture
// that runs is not disturbed, and nobody waits for a lock.
func TestEnableChangesWhatDiffers(t *testing.T) {
	r := newRigOf(t, source(t), harness.Kafka(t), private, privateSQL)
	before := r.places()
	require.Len(t, before, 2)
	require.Contains(t, before["person"], "(person_id < 1000)")
	// As another session holds a lock that every change would wait for.
	other := r.connect()
	_, err := other.PgConn().Exec(t.Context(), "BEGIN; LOCK TABLE public.person, public.card IN SHARE UPDATE EXCLUSIVE MODE").ReadAll()
	require.NoError(t, err)
	require.NoError(t, r.enable())
	require.Equal(t, before, r.places())

	// What differs waits for it, and no longer than it said.
	r.setup.Tables[0].Where = "person_id < 500"
	require.ErrorContains(t, r.enable(), "another session held a lock for longer than 5s")
	require.Equal(t, before, r.places())
	_, err = other.Exec(t.Context(), "COMMIT")
	require.NoError(t, err)
	require.NoError(t, r.enable())
	after := r.places()
	require.Contains(t, after["person"], "(person_id < 500)")
	require.Equal(t, before["card"], after["card"])

	// The same condition in other words is no other.
	r.setup.Tables[0].Where = "NOT (person_id >= 500)"
	require.NoError(t, r.enable())
	require.Equal(t, after, r.places())

	// A table that the file does not name any more leaves; one that it names
	// whole has no list.
	person := r.setup.Tables[0]
	person.Where, person.Columns = "", person.Columns[:1]
	r.setup.Tables = r.setup.Tables[:1]
	r.setup.Tables[0] = person
	require.NoError(t, r.enable())
	require.Len(t, r.places(), 1)
	require.True(t, strings.HasSuffix(r.places()["person"], " * "), r.places()["person"])
}

// P7: a table is never published so that the application's own writes fail.
func TestEnableLeavesTheApplicationAlone(t *testing.T) {
	for name, c := range map[string]struct{ sql, where, why string }{
		"no replica identity":            {`ALTER TABLE public.card REPLICA IDENTITY NOTHING`, "", "does not have a replica identity and publishes deletes"},
		"no primary key":                 {`ALTER TABLE public.card DROP CONSTRAINT card_pkey`, "", "does not have a replica identity and publishes deletes"},
		"a list without the identity":    {`ALTER TABLE public.card REPLICA IDENTITY FULL`, "", "does not cover the replica identity"},
		"a filter beyond the identity":   {``, "level > 3", "is not part of the replica identity"},
		"a filter beyond the identity 2": {``, "number > 'a' AND (level > 3) IS NOT FALSE", "is not part of the replica identity"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRigOf(t, source(t), harness.Kafka(t), private, privateSQL)
			r.exec(`ALTER PUBLICATION ` + r.config.Publication + ` DROP TABLE public.card; INSERT INTO public.card VALUES ('1', 1)`)
			if c.sql != "" {
				r.exec(c.sql)
			}
			r.setup.Tables[1].Where = c.where
			err := r.enable()
			require.ErrorContains(t, err, c.why)
			require.ErrorContains(t, err, "the application's own UPDATE and DELETE on table public.card would fail, so it is left as it was")
			require.NotContains(t, r.places(), "card")
			r.exec(`UPDATE public.card SET level = 2; DELETE FROM public.card`)
		})
	}
	r := newRigOf(t, source(t), harness.Kafka(t), private, privateSQL)
	before := r.places()
	r.setup.Tables[1].Where = "level > 3"
	require.ErrorContains(t, r.enable(), "is not part of the replica identity")
	require.Equal(t, before, r.places(), "one that was published stays as it was")
}

// A role that owns something is kept, politely; one that another database of
// the server knows leaves this one.
func TestDisableKeepsARoleThatIsNeeded(t *testing.T) {
	r := newRig(t)
	r.exec(`CREATE TABLE public.theirs (n int); ALTER TABLE public.theirs OWNER TO ` + r.setup.Role)
	conn := r.connect()
	err := postgres.Apply(t.Context(), conn, r.setup.DisableScript())
	require.ErrorContains(t, err, fmt.Sprintf("role %s owns table public.theirs: it is kept", r.setup.Role))
	require.ErrorContains(t, err, "REASSIGN OWNED")
	left, err := r.setup.Leftovers(t.Context(), conn)
	require.NoError(t, err)
	require.Equal(t, []string{"role " + r.setup.Role}, left, "slot and publication are gone")
	r.exec(`SELECT FROM public.theirs; REASSIGN OWNED BY ` + r.setup.Role + ` TO postgres`)

	other := newBareRig(t, source(t), harness.Kafka(t), clinic, clinicSQL)
	other.setup.Role = r.setup.Role
	require.NoError(t, other.enable())
	require.NoError(t, postgres.Apply(t.Context(), conn, r.setup.DisableScript()))
	left, err = r.setup.Leftovers(t.Context(), conn)
	require.NoError(t, err)
	require.Empty(t, left)
	var here, there bool
	require.NoError(t, r.query(`SELECT has_table_privilege($1, 'public.visit', 'SELECT')`, r.setup.Role).Scan(&here))
	require.NoError(t, other.query(`SELECT has_table_privilege($1, 'public.visit', 'SELECT')`, r.setup.Role).Scan(&there))
	require.False(t, here)
	require.True(t, there)
	require.NoError(t, postgres.Apply(t.Context(), other.connect(), other.setup.DisableScript()))
	left, err = other.setup.Leftovers(t.Context(), other.connect())
	require.NoError(t, err)
	require.Empty(t, left)
	require.NoError(t, r.query(`SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1)`, r.setup.Role).Scan(&here))
	require.False(t, here)
}
