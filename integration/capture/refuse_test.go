package capture

import (
	"strings"
	"testing"

	"github.com/hopluu/hopluu/connectors"
	"github.com/hopluu/hopluu/connectors/postgres"
	"github.com/hopluu/hopluu/integration/harness"
	"github.com/stretchr/testify/require"
)

// Case 21: what only a person can mend ends the connector with one line that
// says what to do; it is not tried for ever.
func TestCase21PermanentErrors(t *testing.T) {
	for name, c := range map[string]struct {
		change func(r *rig)
		says   []string
	}{
		"wrong password": {func(r *rig) { r.config.DSN = strings.Replace(r.config.DSN, "secret", "guess", 1) },
			[]string{"refuses user role_", "set the right user and password in the source's dsn"}},
		"no such database": {func(r *rig) { r.config.DSN = strings.Replace(r.config.DSN, "dbname=", "dbname=no", 1) },
			[]string{"does not exist", "set the right database in the source's dsn"}},
		"not a dsn": {func(r *rig) { r.config.DSN = "postgres://%%" },
			[]string{"dsn is not a PostgreSQL connection string"}},
		"may not replicate": {func(r *rig) { r.exec(`ALTER ROLE ` + r.setup.Role + ` NOREPLICATION`) },
			[]string{"may not replicate", "hopluu connector enable"}},
		"publication missing": {func(r *rig) { r.exec(`DROP PUBLICATION ` + r.config.Publication) },
			[]string{"publication pub_", "is missing", "hopluu connector enable"}},
		"publication without deletes": {func(r *rig) {
			r.exec(`ALTER PUBLICATION ` + r.config.Publication + ` SET (publish = 'insert, update')`)
		},
			[]string{"leaves out changes", "ALTER PUBLICATION"}},
		"table not published": {func(r *rig) { r.exec(`ALTER PUBLICATION ` + r.config.Publication + ` DROP TABLE public.visit`) },
			[]string{"table public.visit is not in publication", "hopluu connector enable"}},
		"table missing": {func(r *rig) { r.exec(`DROP TABLE public.visit`) },
			[]string{"sector clinic describes table public.visit", "create it, or take it out of the sector file"}},
		"table unreadable": {func(r *rig) { r.exec(`REVOKE SELECT ON public.visit FROM ` + r.setup.Role) },
			[]string{"read public.visit", "a privilege is missing", "hopluu connector enable"}},
		"slot of another database": {func(r *rig) {
			other := newRig(t)
			other.exec(`SELECT pg_create_logical_replication_slot('` + other.config.Slot + `', 'pgoutput')`)
			r.config.Slot = other.config.Slot
		}, []string{"belongs to db_", "give this source another slot name"}},
		"slot in use by another": {func(r *rig) {
			other := &rig{t: r.t, config: r.config}
			other.config.Source += "_other"
			r.ready(other.start())
		}, []string{"is in use, but source db_", "give the source a slot of its own"}},
		"other partitions": {func(r *rig) {
			c := r.start()
			r.ready(c)
			require.NoError(r.t, c.stop())
			r.config.Topics.Partitions = 3
		}, []string{"has 2 partitions, the configuration says 3"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			c.change(r)
			err := r.ends()
			require.Error(t, err)
			require.True(t, connectors.Permanent(err))
			for _, part := range c.says {
				require.Contains(t, err.Error(), part)
			}
			require.NotContains(t, err.Error(), "\n", "one line")
			require.NotContains(t, err.Error(), "secret")
			if name == "may not replicate" {
				r.exec(`ALTER ROLE ` + r.setup.Role + ` REPLICATION`)
			}
		})
	}
}

// A database without wal_level=logical says so.
func TestWALLevel(t *testing.T) {
	t.Parallel()
	r := newRigOn(t, harness.Postgres(t, harness.Own(), harness.WithSetting("wal_level", "replica"), harness.WithSetting("max_slot_wal_keep_size", "-1")), harness.Kafka(t))
	err := r.ends()
	var config *postgres.ConfigError
	require.ErrorAs(t, err, &config)
	require.Contains(t, err.Error(), "wal_level=replica: run ALTER SYSTEM SET wal_level = 'logical' and restart the server")
	report := r.preflight()
	require.False(t, report.OK())
	requireFinding(t, report, postgres.Fault, "wal_level is replica", "ALTER SYSTEM SET wal_level = 'logical'")
	requireFinding(t, report, postgres.Warning, "max_slot_wal_keep_size is unlimited", "max_slot_wal_keep_size")
}

// A database whose replication slots are all in use says so.
func TestSlotsExhausted(t *testing.T) {
	t.Parallel()
	r := newRigOn(t, harness.Postgres(t, harness.Own(), harness.WithSetting("max_replication_slots", "1")), harness.Kafka(t))
	r.exec(`SELECT pg_create_physical_replication_slot('taken')`)
	err := r.ends()
	var config *postgres.ConfigError
	require.ErrorAs(t, err, &config)
	require.Contains(t, err.Error(), "all replication slots are in use: raise max_replication_slots")
	report := r.preflight()
	require.False(t, report.OK())
	requireFinding(t, report, postgres.Fault, "0 replication slots are free, 2 are needed", "max_replication_slots")
}
