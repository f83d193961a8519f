package capture

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/hopluu/hopluu/connectors/postgres"
	"github.com/hopluu/hopluu/integration/harness"
	"github.com/hopluu/hopluu/schemas/sectors"
	"github.com/stretchr/testify/require"
)

// preflight looks with the connector's own role.
func (r *rig) preflight() postgres.Report {
	r.t.Helper()
	return r.preflightWith(0)
}

func (r *rig) preflightWith(patience time.Duration) postgres.Report {
	r.t.Helper()
	conn, err := postgres.Connect(r.t.Context(), r.config.DSN)
	require.NoError(r.t, err)
	report, err := postgres.Preflight(r.t.Context(), conn, postgres.Target{Source: r.config.Source, Slot: r.config.Slot, Publication: r.config.Publication, Sector: r.config.Sector, Patience: patience})
	require.NoError(r.t, err)
	require.NoError(r.t, conn.Close(r.t.Context()))
	return report
}

// found gives the finding whose text holds what, nil when there is none.
func found(report postgres.Report, what string) *postgres.Finding {
	for i, f := range report.Findings {
		if strings.Contains(f.What, what) {
			return &report.Findings[i]
		}
	}
	return nil
}

// mend does exactly what a finding says.
func (r *rig) mend(f postgres.Finding) {
	r.t.Helper()
	if f.Mend == "hopluu connector enable "+r.config.Source {
		require.NoError(r.t, postgres.Apply(r.t.Context(), r.connect(), r.setup.EnableScript()))
		return
	}
	r.exec(f.Mend)
}

// requireFinding wants a finding of the level, whose text and mend hold these.
func requireFinding(t *testing.T, report postgres.Report, level postgres.Level, what, mend string) {
	t.Helper()
	f := found(report, what)
	require.NotNil(t, f, "%s %q in %+v", level, what, report.Findings)
	require.Equal(t, level, f.Level)
	require.Contains(t, f.Mend, mend)
}

// A database as enable leaves it can be captured.
func TestPreflightOfAReadyDatabase(t *testing.T) {
	r := newRig(t)
	report := r.preflight()
	require.True(t, report.OK(), "%+v", report)
	require.Equal(t, 2, report.Tables)
	require.Empty(t, report.Findings)
	require.Positive(t, report.Disk.Database)
	require.Nil(t, report.Disk.WAL)
	require.Len(t, report.Unseen, 3, "%+v", report.Unseen)
	require.Contains(t, report.Unseen[0].How, "df -h")
	// What is unseen is seen as it says.
	for _, u := range report.Unseen[1:] {
		r.exec(u.How)
	}
	report = r.preflight()
	require.Len(t, report.Unseen, 1)
	require.Positive(t, *report.Disk.WAL)

	report = newRigOf(t, source(t), harness.Kafka(t), private, privateSQL).preflight()
	require.True(t, report.OK(), "%+v", report)
	require.Len(t, report.Findings, 1, "%+v", report.Findings)
	require.Contains(t, report.Findings[0].What, "column inner_note of public.card is not described: as the table is private, it stays")
}

// Each finding is found, its statement mends it as it stands, and the
// connector's own refusal agrees.
func TestPreflightFindings(t *testing.T) {
	const alter, twin = `ALTER TABLE "public"."visit" `, `CREATE UNIQUE INDEX twin ON public.visit (patient_id, day); ALTER TABLE public.visit ALTER patient_id SET NOT NULL, ALTER day SET NOT NULL; `
	cases := map[string]struct {
		sql        string
		level      postgres.Level
		what, mend string
	}{
		"no replica identity":    {`ALTER TABLE public.visit REPLICA IDENTITY NOTHING`, postgres.Fault, "table public.visit has no replica identity", alter + "REPLICA IDENTITY DEFAULT;"},
		"no primary key":         {`ALTER TABLE public.visit DROP CONSTRAINT visit_pkey`, postgres.Fault, "table public.visit has no replica identity", alter + "REPLICA IDENTITY FULL;"},
		"a unique index":         {`ALTER TABLE public.visit DROP CONSTRAINT visit_pkey; ` + twin, postgres.Fault, "table public.visit has no replica identity", alter + `REPLICA IDENTITY USING INDEX "twin";`},
		"no key":                 {`ALTER TABLE public.visit DROP CONSTRAINT visit_pkey, REPLICA IDENTITY FULL`, postgres.Warning, "table public.visit has no key: it lands in bronze only", ""},
		"a key to be":            {`ALTER TABLE public.visit DROP CONSTRAINT visit_pkey, REPLICA IDENTITY FULL; ` + twin, postgres.Warning, "table public.visit has no key: it lands in bronze only", alter + `ADD PRIMARY KEY USING INDEX "twin";`},
		"no key but a vault":     {`ALTER TABLE public.patient DROP CONSTRAINT patient_pkey, REPLICA IDENTITY FULL`, postgres.Fault, "has identifiers or matching columns but no key", ""},
		"another identity":       {`ALTER TABLE public.visit ALTER cost SET NOT NULL; CREATE UNIQUE INDEX u ON public.visit (cost); ALTER TABLE public.visit REPLICA IDENTITY USING INDEX u`, postgres.Fault, "its old rows are sent by [cost]", alter + "REPLICA IDENTITY DEFAULT;"},
		"whole old rows":         {`ALTER TABLE public.patient REPLICA IDENTITY FULL; INSERT INTO public.patient SELECT i, NULL, NULL, repeat('x', 1000000), 1 FROM generate_series(1, 140) i`, postgres.Warning, "every UPDATE and DELETE writes the whole old row", `ALTER TABLE "public"."patient" REPLICA IDENTITY DEFAULT;`},
		"undescribed column":     {`ALTER TABLE public.visit ADD COLUMN room text`, postgres.Warning, "column room of public.visit is not described: it is captured as internal data, in plain text", ""},
		"column that is gone":    {`ALTER TABLE public.visit DROP COLUMN cost`, postgres.Warning, "column cost of public.visit is described in the sector file but not in the database", ""},
		"generated column":       {`ALTER TABLE public.visit ADD COLUMN twice numeric GENERATED ALWAYS AS (cost * 2) STORED`, postgres.Note, "column twice of public.visit is generated: it is not captured", ""},
		"a type without a form":  {`ALTER TABLE public.visit DROP cost, ADD cost inet`, postgres.Note, "are carried as their text: cost (inet)", ""},
		"unreadable":             {`REVOKE SELECT ON public.visit FROM ROLE`, postgres.Fault, "table public.visit may not be read by this role", "enable"},
		"one column unreadable":  {`REVOKE SELECT ON public.visit FROM ROLE; GRANT SELECT (ctid, patient_id, day) ON public.visit TO ROLE`, postgres.Fault, "it lacks SELECT on cost", "enable"},
		"schema unusable":        {`REVOKE USAGE ON SCHEMA public FROM PUBLIC, ROLE`, postgres.Fault, "schema public may not be used", "enable"},
		"may write":              {`GRANT INSERT, DELETE ON public.visit TO ROLE`, postgres.Warning, "may change rows of public.visit", "REVOKE INSERT, UPDATE, DELETE, TRUNCATE ON TABLE"},
		"may write as everyone":  {`GRANT DELETE ON public.visit TO PUBLIC`, postgres.Warning, "may change rows of public.visit", ""},
		"table missing":          {`DROP TABLE public.visit`, postgres.Fault, "table public.visit is described in the sector file but not in the database", ""},
		"table not published":    {`ALTER PUBLICATION PUB DROP TABLE public.visit`, postgres.Fault, "table public.visit is not in the publication", "enable"},
		"publication missing":    {`DROP PUBLICATION PUB`, postgres.Fault, "is missing", "enable"},
		"publication of inserts": {`ALTER PUBLICATION PUB SET (publish = 'insert')`, postgres.Fault, "leaves out changes", "SET (publish = 'insert, update, delete, truncate'"},
		"a column list":          {`ALTER PUBLICATION PUB SET TABLE public.patient, public.visit (patient_id, day)`, postgres.Fault, "table public.visit is published without its column cost", "enable"},
		"a list without the key": {`ALTER PUBLICATION PUB SET TABLE public.patient, public.visit (day, cost)`, postgres.Fault, "without column patient_id of its replica identity: the application's own UPDATE and DELETE on it fail", `DROP TABLE ONLY "public"."visit";`},
		"a row filter":           {`ALTER PUBLICATION PUB SET TABLE public.patient, public.visit WHERE (patient_id > 5)`, postgres.Fault, "with the row filter (patient_id > 5), which the sector file does not ask for", "enable"},
		"may not replicate":      {`ALTER ROLE ROLE NOREPLICATION`, postgres.Fault, "may not replicate", "REPLICATION"},
		"row-level security":     {`ALTER TABLE public.visit ENABLE ROW LEVEL SECURITY; CREATE POLICY few ON public.visit USING (patient_id < 5)`, postgres.Fault, "row-level security of table public.visit hides rows", " BYPASSRLS;"},
		"unlogged":               {`ALTER PUBLICATION PUB DROP TABLE public.visit; ALTER TABLE public.visit SET UNLOGGED`, postgres.Fault, "table public.visit is unlogged", alter + "SET LOGGED;"},
		"inherited":              {`CREATE TABLE public.old_visit () INHERITS (public.visit)`, postgres.Note, "other tables inherit from public.visit", ""},
		"a partition of its own": {`DROP TABLE public.visit; CREATE TABLE public.visit (patient_id bigint, day date, cost numeric(12,2)) PARTITION BY RANGE (day); CREATE TABLE public.visit_a PARTITION OF public.visit FOR VALUES FROM ('2020-01-01') TO ('2021-01-01');
			CREATE TABLE public.visit_b PARTITION OF public.visit FOR VALUES FROM ('2021-01-01') TO ('2022-01-01') PARTITION BY HASH (patient_id); CREATE TABLE public.visit_b0 PARTITION OF public.visit_b FOR VALUES WITH (MODULUS 1, REMAINDER 0);
			ALTER TABLE public.visit REPLICA IDENTITY FULL`, postgres.Fault, "table public.visit has 2 partitions whose replica identity does not hold what old rows must be sent with: public.visit_a, public.visit_b0;", `ALTER TABLE "public"."visit_a" REPLICA IDENTITY FULL; ALTER TABLE "public"."visit_b0" REPLICA IDENTITY FULL;`},
		"a partition by default": {`DROP TABLE public.visit; CREATE TABLE public.visit (patient_id bigint, day date, cost numeric(12,2), PRIMARY KEY (patient_id, day)) PARTITION BY RANGE (day); CREATE TABLE public.visit_a PARTITION OF public.visit DEFAULT;
			ALTER TABLE public.visit_a REPLICA IDENTITY NOTHING`, postgres.Fault, "table public.visit has 1 partitions", `ALTER TABLE "public"."visit_a" REPLICA IDENTITY DEFAULT;`},
		"a partition's index": {`DROP TABLE public.visit; CREATE TABLE public.visit (patient_id bigint NOT NULL, day date NOT NULL, cost numeric(12,2)) PARTITION BY RANGE (day); CREATE TABLE public.visit_a PARTITION OF public.visit DEFAULT;
			CREATE UNIQUE INDEX visit_key ON public.visit (patient_id, day); ALTER TABLE public.visit REPLICA IDENTITY USING INDEX visit_key`, postgres.Fault, "table public.visit has 1 partitions", `REPLICA IDENTITY USING INDEX "visit_a_patient_id_day_idx";`},
		"a partition unlogged": {`DROP TABLE public.visit; CREATE TABLE public.visit (patient_id bigint, day date, cost numeric(12,2), PRIMARY KEY (patient_id, day)) PARTITION BY RANGE (day);
			CREATE UNLOGGED TABLE public.visit_a (LIKE public.visit INCLUDING ALL); ALTER TABLE public.visit ATTACH PARTITION public.visit_a DEFAULT`, postgres.Fault, "partition public.visit_a of public.visit is unlogged", `ALTER TABLE "public"."visit_a" SET LOGGED;`},
		"a partition elsewhere": {`DROP TABLE public.visit; CREATE TABLE public.visit (patient_id bigint, day date, cost numeric(12,2)) PARTITION BY RANGE (day);
			CREATE FOREIGN DATA WRAPPER nowhere; CREATE SERVER away FOREIGN DATA WRAPPER nowhere; CREATE FOREIGN TABLE public.visit_a PARTITION OF public.visit DEFAULT SERVER away`, postgres.Fault, "partition public.visit_a of public.visit is a foreign table", ""},
		"partitioned": {`DROP TABLE public.visit; CREATE TABLE public.visit (patient_id bigint, day date, cost numeric(12,2), PRIMARY KEY (patient_id, day)) PARTITION BY RANGE (day)`, postgres.Note, "table public.visit is partitioned", ""},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.sql(c.sql)
			report := r.preflight()
			f := found(report, c.what)
			require.NotNil(t, f, "%q in %+v", c.what, report.Findings)
			require.Equal(t, c.level, f.Level)
			require.NotEmpty(t, f.Check)
			require.NotContains(t, f.What+f.Mend+f.Advice, "\n")
			if c.level == postgres.Fault {
				require.False(t, report.OK())
			}
			if c.mend == "" {
				require.Empty(t, f.Mend)
				return
			}
			require.Contains(t, f.Mend, c.mend)
			r.mend(*f)
			require.Nil(t, found(r.preflight(), c.what))
		})
	}
}

// sql runs a case's statements, with the rig's own names in place of PUB and
// ROLE.
func (r *rig) sql(text string) {
	r.t.Helper()
	r.exec(strings.NewReplacer("FROM ROLE", "FROM "+r.setup.Role, "TO ROLE", "TO "+r.setup.Role, "PUBLIC, ROLE", "PUBLIC, "+r.setup.Role, "ROLE ROLE", "ROLE "+r.setup.Role, "PUB ", r.config.Publication+" ").Replace(text + " "))
}

// What the sector file keeps back, against what the database lets go.
func TestPreflightOfPrivacy(t *testing.T) {
	for name, c := range map[string]struct {
		sql        string
		level      postgres.Level
		what, mend string
	}{
		"sent all the same":     {`ALTER PUBLICATION PUB SET TABLE public.person WHERE (person_id < 1000), public.card (number, level)`, postgres.Warning, "is published with its column hiv, which the sector file keeps back", "enable"},
		"readable all the same": {`GRANT SELECT ON public.person TO ROLE`, postgres.Warning, "may read hiv of public.person, which the sector file keeps back", "enable"},
		"no filter":             {`ALTER PUBLICATION PUB SET TABLE public.person (person_id, cccd, phone, plate, born, seen, salary, notes, remark), public.card (number, level)`, postgres.Fault, "without the row filter person_id < 1000: rows would leave that must stay", "enable"},
		"another filter":        {`ALTER PUBLICATION PUB SET TABLE public.person (person_id, cccd, phone, plate, born, seen, salary, notes, remark) WHERE (person_id < 2000), public.card (number, level)`, postgres.Fault, "but the sector file says person_id < 1000", "enable"},
		"whole old rows":        {`ALTER TABLE public.card REPLICA IDENTITY FULL`, postgres.Fault, "table public.card sends whole old rows", `REPLICA IDENTITY DEFAULT;`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRigOf(t, source(t), harness.Kafka(t), private, privateSQL)
			r.sql(c.sql)
			f := found(r.preflight(), c.what)
			require.NotNil(t, f, "%+v", r.preflight().Findings)
			require.Equal(t, c.level, f.Level)
			require.Contains(t, f.Mend, c.mend)
			r.mend(*f)
			require.Nil(t, found(r.preflight(), c.what))
		})
	}
	// What is not published at all is not called published wrongly.
	bare := newBareRig(t, source(t), harness.Kafka(t), private, privateSQL)
	conn := bare.connect()
	bare.config.Sector.Tables[0].Where = "person_id < nowhere"
	target := postgres.Target{Source: bare.config.Source, Slot: bare.config.Slot, Publication: bare.config.Publication, Sector: bare.config.Sector, Role: bare.setup.Role}
	report, err := postgres.Preflight(t.Context(), conn, target)
	require.NoError(t, err)
	require.NotNil(t, found(report, "is missing"))
	require.NotNil(t, found(report, "is not there yet"))
	require.NotNil(t, found(report, `column "nowhere" does not exist`))
	require.Nil(t, found(report, "published with"), "%+v", report.Findings)
	r := newRigOf(t, source(t), harness.Kafka(t), private, privateSQL)
	r.config.Sector.Tables[0].Where = "person_id < nowhere"
	require.NotNil(t, found(r.preflight(), `the row filter person_id < nowhere of table public.person: column "nowhere" does not exist`))
	r.config.Sector.Tables[0].Columns[0].Privacy = sectors.Mask
	require.NotNil(t, found(r.preflight(), "column person_id of public.person has privacy mask, but rows are known by it"))
	r.config.Sector.Tables[0].Columns[0].Privacy, r.config.Sector.Tables[0].Columns[0].Unfit = "", sectors.UnfitText
	require.NotNil(t, found(r.preflight(), "column person_id of public.person has unfit, but rows are known by it"))
	r.exec(`ALTER TABLE public.person ADD COLUMN person_id_unfit text`)
	require.NotNil(t, found(r.preflight(), "column person_id of public.person has unfit, whose values go to person_id_unfit, and the table has a column of that name"))
}

// Who stands in the way now is named, and how to end it; a check waits for
// nobody.
func TestPreflightOfLocksAndTransactions(t *testing.T) {
	r := newRig(t)
	for mode, level := range map[string]postgres.Level{"SHARE": postgres.Note, "ACCESS EXCLUSIVE": postgres.Warning} {
		other := r.connect()
		_, err := other.PgConn().Exec(t.Context(), "BEGIN; LOCK TABLE public.visit IN "+mode+" MODE").ReadAll()
		require.NoError(t, err)
		what := fmt.Sprintf("process %d of ", other.PgConn().PID())
		f := found(r.preflight(), what)
		require.NotNil(t, f)
		require.Equal(t, level, f.Level)
		require.Contains(t, f.What, "Lock on public.visit")
		r.mend(*f)
		r.eventually(func() error { // the server ends it soon
			if f := found(r.preflight(), what); f != nil {
				return errors.New(f.What)
			}
			return nil
		})
	}
	// A partition that is held stands in the way like its table, and no check
	// waits for it.
	r.exec("CREATE TABLE public.by_day (patient_id bigint, day date, cost numeric(12,2), PRIMARY KEY (patient_id, day)) PARTITION BY RANGE (day); CREATE TABLE public.by_day_0 PARTITION OF public.by_day DEFAULT")
	r.config.Sector.Tables[1].Name = "by_day"
	held := r.connect()
	_, err := held.PgConn().Exec(t.Context(), "BEGIN; LOCK TABLE public.by_day_0 IN ACCESS EXCLUSIVE MODE").ReadAll()
	require.NoError(t, err)
	f := found(r.preflight(), "AccessExclusiveLock on public.by_day_0")
	require.NotNil(t, f)
	require.Equal(t, postgres.Warning, f.Level)
	r.mend(*f)
	r.exec("GRANT pg_read_all_stats TO " + r.setup.Role)
	other := r.connect()
	_, err = other.PgConn().Exec(t.Context(), "BEGIN; SELECT pg_current_xact_id()").ReadAll()
	require.NoError(t, err)
	what := fmt.Sprintf("(process %d) is open for", other.PgConn().PID())
	require.Nil(t, found(r.preflight(), what), "it has just begun")
	f = found(r.preflightWith(time.Microsecond), what)
	require.NotNil(t, f)
	r.mend(*f)
	r.eventually(func() error {
		if f := found(r.preflightWith(time.Microsecond), what); f != nil {
			return errors.New(f.What)
		}
		return nil
	})
}

// What a server's settings and its other users do: on a server of its own.
func TestPreflightOfAServer(t *testing.T) {
	server := harness.Postgres(t, harness.Own(), harness.WithSetting("max_prepared_transactions", "5"), harness.WithSetting("max_replication_slots", "3"),
		harness.WithSetting("max_wal_senders", "1"), harness.WithSetting("max_slot_wal_keep_size", "1MB"), harness.WithSetting("idle_replication_slot_timeout", "1d"),
		harness.WithSetting("autovacuum", "off"), harness.WithSetting("max_wal_size", "64MB"))
	r := newRigOn(t, server, harness.Kafka(t))
	r.exec(`SELECT pg_create_logical_replication_slot('forgotten', 'pgoutput'), pg_create_physical_replication_slot('theirs')`)
	for range 8 {
		r.exec(`SELECT pg_logical_emit_message(false, 'load', repeat('x', 9000000)); SELECT pg_switch_wal()`)
	}
	r.exec(`CHECKPOINT`)
	r.exec(`BEGIN; INSERT INTO public.visit VALUES (1, '2026-01-01', 1); PREPARE TRANSACTION 'half''way'`)
	// Temporary tables of many columns, made and dropped, are what bloats a
	// catalogue.
	r.exec(`DO $$ BEGIN FOR i IN 1..60 LOOP EXECUTE 'CREATE TEMP TABLE wide (' || (SELECT string_agg('c' || n || ' int', ', ') FROM generate_series(1, 1500) n) || ')'; DROP TABLE wide; END LOOP; END $$`)

	report := r.preflightWith(time.Microsecond)
	// A setting of the command line stands above what ALTER SYSTEM writes: that
	// the server takes the statement is what can be seen here.
	for what, setting := range map[string]string{"1 replication slots are free, 2 are needed": "max_replication_slots", "1 WAL senders are free, 2 are needed": "max_wal_senders", "idle_replication_slot_timeout is 1d": "idle_replication_slot_timeout"} {
		f := found(report, what)
		require.NotNil(t, f, "%s in %+v", what, report.Findings)
		for statement := range strings.SplitSeq(f.Mend, ";") { // ALTER SYSTEM stands alone
			r.exec(statement)
		}
		var written bool
		require.NoError(t, r.query(`SELECT EXISTS (SELECT FROM pg_file_settings WHERE name = $1)`, setting).Scan(&written))
		require.True(t, written)
	}
	// The first two keep the catalogue from being cleaned.
	for _, what := range []string{"replication slot forgotten is read by nobody", `transaction "half'way" of postgres is prepared for`, "catalogue pg_attribute has "} {
		f := found(report, what)
		require.NotNil(t, f, "%s in %+v", what, report.Findings)
		require.Equal(t, postgres.Warning, f.Level)
		r.mend(*f)
		require.Nil(t, found(r.preflightWith(time.Microsecond), what))
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
