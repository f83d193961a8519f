package generator

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/hopluu/hopluu/deploy/local/generator"
	"github.com/hopluu/hopluu/deploy/local/systems"
	"github.com/hopluu/hopluu/integration/harness"
	"github.com/hopluu/hopluu/schemas/sectors"
)

func TestMain(m *testing.M) { os.Exit(harness.Main(m)) }

// base is a day in the middle of a month.
var base = time.Date(2026, time.November, 22, 0, 0, 0, 0, time.UTC)

// databases makes an empty database for each sector.
func databases(t *testing.T, pg *harness.PostgresServer) map[string]string {
	t.Helper()
	names, err := systems.Names()
	require.NoError(t, err)
	dsn := map[string]string{}
	for _, sector := range names {
		_, dsn[sector] = pg.NewDatabase(t)
	}
	return dsn
}

func connect(t *testing.T, dsn string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), dsn)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, conn.Close(context.Background())) })
	return conn
}

func number(t *testing.T, conn *pgx.Conn, sql string, args ...any) int64 {
	t.Helper()
	var n int64
	require.NoError(t, conn.QueryRow(t.Context(), sql, args...).Scan(&n), sql)
	return n
}

func newGenerator(t *testing.T, dsn map[string]string, persons int) *generator.Generator {
	t.Helper()
	g, err := generator.New(generator.Config{Seed: 1, Persons: persons, DSN: dsn, Base: base, Rate: 2000})
	require.NoError(t, err)
	return g
}

// tables runs fn for every described table with its sector's connection.
func tables(t *testing.T, dsn map[string]string, fn func(conn *pgx.Conn, sector string, table *sectors.Table)) {
	t.Helper()
	set, err := sectors.Load()
	require.NoError(t, err)
	for i := range set.Sectors {
		s := &set.Sectors[i]
		conn := connect(t, dsn[s.Sector])
		for j := range s.Tables {
			fn(conn, s.Sector, &s.Tables[j])
		}
	}
}

// requireCounted checks that what was counted is what is there.
func requireCounted(t *testing.T, dsn map[string]string, counts generator.Counts) {
	t.Helper()
	tables(t, dsn, func(conn *pgx.Conn, sector string, table *sectors.Table) {
		c := counts[sector+"."+table.Name]
		require.Equal(t, c.Inserted-c.Deleted-c.Truncated, number(t, conn, `SELECT count(*) FROM `+table.Name), "%s.%s: %+v", sector, table.Name, c)
	})
}

// requireTruth checks that the truth names each record of a person, and no
// other.
func requireTruth(t *testing.T, dsn map[string]string) {
	t.Helper()
	tables(t, dsn, func(conn *pgx.Conn, sector string, table *sectors.Table) {
		if table.Person == nil || !table.Person.Direct {
			require.Zero(t, number(t, conn, `SELECT count(*) FROM demo.truth WHERE tbl = $1`, table.Name), "%s.%s", sector, table.Name)
			return
		}
		differ := number(t, conn, fmt.Sprintf(`SELECT count(*) FROM (SELECT %s::text AS key FROM %s) r FULL JOIN (SELECT key FROM demo.truth WHERE tbl = $1) t USING (key) WHERE r.key IS NULL OR t.key IS NULL`,
			table.Columns[0].Name, table.Name), table.Name)
		require.Zero(t, differ, "%s.%s: records without a truth, or the other way round", sector, table.Name)
	})
}

// The sector files describe the tables as they are, in their order, with
// PostgreSQL's own names of the types.
func TestSectorFilesDescribeTheTables(t *testing.T) {
	dsn := databases(t, harness.Postgres(t))
	for sector, d := range dsn {
		conn := connect(t, d)
		require.NoError(t, systems.Apply(t.Context(), conn, sector))
		require.NoError(t, systems.Apply(t.Context(), conn, sector), "a second time")
	}
	described := map[string]int64{}
	tables(t, dsn, func(conn *pgx.Conn, sector string, table *sectors.Table) {
		described[sector]++
		rows, err := conn.Query(t.Context(), `SELECT attname || ' ' || format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid = $1::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum`, table.Name)
		require.NoError(t, err)
		actual, err := pgx.CollectRows(rows, pgx.RowTo[string])
		require.NoError(t, err)
		var file []string
		for _, c := range table.Columns {
			file = append(file, c.Name+" "+c.Type)
		}
		require.Equal(t, file, actual, "%s.%s", sector, table.Name)
		require.Positive(t, number(t, conn, `SELECT count(*) FROM pg_index WHERE indrelid = $1::regclass AND indisprimary`, table.Name), "%s.%s has no primary key", sector, table.Name)
	})
	for sector, n := range described {
		require.Equal(t, n, number(t, connect(t, dsn[sector]), `SELECT count(*) FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace`), "tables of %s that no file describes", sector)
	}
}

// The whole of it at its real size: more than 200,000 rows, every kind of
// change, counts that agree with the databases, and truths for all records.
func TestSeedAndLoad(t *testing.T) {
	dsn := databases(t, harness.Postgres(t))
	g := newGenerator(t, dsn, 0)

	seeded, err := g.Seed(t.Context())
	require.NoError(t, err)
	requireCounted(t, dsn, seeded)
	requireTruth(t, dsn)
	again, err := g.Seed(t.Context())
	require.NoError(t, err)
	require.Zero(t, again.Rows(), "what is seeded stays as it is")

	var mu sync.Mutex
	var heard int
	loaded, err := g.Load(t.Context(), func(_, _ string, done, total int) {
		mu.Lock()
		defer mu.Unlock()
		heard++
		require.LessOrEqual(t, done, total)
	})
	require.NoError(t, err)
	require.Equal(t, 49, heard, "steps")
	all := seeded.Merge(loaded)
	requireCounted(t, dsn, all)
	requireTruth(t, dsn)
	var inserted int64
	for _, c := range all {
		inserted += c.Inserted
	}
	require.Greater(t, inserted, int64(200_000))
	for _, table := range []string{"population.citizen", "health.patient", "health.encounter", "health.insurance_card", "welfare.payment", "tax.taxpayer", "tax.declaration", "construction.permit", "construction.inspection"} {
		require.Positive(t, loaded[table].Updated, table)
	}
	require.Positive(t, loaded["construction.work_kind"].Truncated)
	require.Positive(t, loaded["construction.inspection"].Truncated)
	require.Positive(t, loaded["health.patient"].Deleted)

	health, welfare := connect(t, dsn["health"]), connect(t, dsn["welfare"])
	// xmin names the transaction that last wrote a row.
	require.GreaterOrEqual(t, number(t, health, `SELECT max(n) FROM (SELECT count(*) AS n FROM encounter GROUP BY xmin::text) x`), int64(38_000), "a large transaction")
	require.GreaterOrEqual(t, number(t, connect(t, dsn["tax"]), `SELECT max(n) FROM (SELECT count(*) AS n FROM declaration GROUP BY xmin::text) x`), int64(20_000), "a large transaction")
	require.Positive(t, number(t, health, `SELECT count(*) FROM encounter WHERE triage_level BETWEEN 1 AND 5`))
	require.Positive(t, number(t, welfare, `SELECT count(*) FROM payment WHERE note LIKE 'Nhập bổ sung%'`))
	require.Positive(t, number(t, health, `SELECT pg_relation_size(reltoastrelid) FROM pg_class WHERE oid = 'encounter'::regclass`), "values out of line")
	require.Positive(t, number(t, health, `SELECT count(*) FROM encounter WHERE length(notes) > 8192 AND diagnosis LIKE '%(đã rà soát)'`))
	require.Zero(t, number(t, connect(t, dsn["population"]), `SELECT count(*) FROM citizen WHERE full_name = 'Nhập thử'`), "what was rolled back is not there")

	// A second round goes on with new keys.
	more, err := g.Load(t.Context(), nil)
	require.NoError(t, err)
	require.Greater(t, more.Rows(), int64(80_000))
	requireCounted(t, dsn, all.Merge(more))
	requireTruth(t, dsn)
}

// A load that is cut off goes on where it stopped, in a new process as in the
// same, and leaves no part of a transaction.
func TestLoadGoesOn(t *testing.T) {
	dsn := databases(t, harness.Postgres(t))
	_, err := newGenerator(t, dsn, 1500).Load(t.Context(), nil)
	require.ErrorContains(t, err, "is not seeded; seed it first")
	_, err = newGenerator(t, dsn, 1500).Seed(t.Context())
	require.NoError(t, err)

	var mu sync.Mutex
	steps := map[string]int{}
	heard := func(stop func(total int)) generator.Progress {
		return func(sector, step string, _, _ int) {
			mu.Lock()
			defer mu.Unlock()
			steps[sector+": "+step]++
			stop(len(steps))
		}
	}
	for range 4 { // cut off after 7 steps or some more, of 49
		ctx, cancel := context.WithCancel(t.Context())
		before := len(steps)
		_, err := newGenerator(t, dsn, 1500).Load(ctx, heard(func(total int) {
			if total >= before+7 {
				cancel()
			}
		}))
		cancel()
		require.ErrorIs(t, err, context.Canceled)
	}
	_, err = newGenerator(t, dsn, 1500).Load(t.Context(), heard(func(int) {}))
	require.NoError(t, err)
	// None is done twice. (One may be done without its caller having heard of it,
	// when the cut came between the commit and its answer.)
	for step, n := range steps {
		require.Equal(t, 1, n, step)
	}
	requireTruth(t, dsn)
	var noted int64
	for _, d := range dsn {
		conn := connect(t, d)
		require.Equal(t, int64(1), number(t, conn, `SELECT value::bigint FROM demo.demo_progress WHERE name = 'round'`))
		noted += number(t, conn, `SELECT value::bigint FROM demo.demo_progress WHERE name = 'step'`)
	}
	require.Equal(t, int64(49), noted)
}

// Databases that were filled with another city are refused, and a later day
// goes on with the people of the first.
func TestOtherCityIsRefused(t *testing.T) {
	dsn := databases(t, harness.Postgres(t))
	one := map[string]string{"welfare": dsn["welfare"]}
	_, err := newGenerator(t, one, 500).Seed(t.Context())
	require.NoError(t, err)

	g, err := generator.New(generator.Config{Seed: 2, Persons: 500, DSN: one, Base: base})
	require.NoError(t, err)
	_, err = g.Seed(t.Context())
	require.ErrorContains(t, err, "was filled with seed 1, not 2; give 1 again, or start with empty databases")
	_, err = newGenerator(t, one, 600).Seed(t.Context())
	require.ErrorContains(t, err, "was filled with persons 500, not 600")

	later, err := generator.New(generator.Config{Seed: 1, Persons: 500, DSN: one, Base: base.AddDate(0, 0, 40)})
	require.NoError(t, err)
	_, err = later.Load(t.Context(), nil)
	require.NoError(t, err)
	requireTruthOf(t, one)
}

func requireTruthOf(t *testing.T, dsn map[string]string) {
	t.Helper()
	conn := connect(t, dsn["welfare"])
	require.Zero(t, number(t, conn, `SELECT count(*) FROM beneficiary b WHERE NOT EXISTS (SELECT FROM demo.truth t WHERE t.tbl = 'beneficiary' AND t.key = b.beneficiary_id::text)`))
}

// The systems are at work until they are told to stop, and wait for a database
// that goes away.
func TestRun(t *testing.T) {
	pg := harness.Postgres(t, harness.Own())
	dsn := databases(t, pg)
	g := newGenerator(t, dsn, 1000)
	_, err := g.Seed(t.Context())
	require.NoError(t, err)

	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- g.Run(ctx) }()
	// written is the number of row changes that PostgreSQL itself counted in a
	// sector's tables.
	written := func(sector string) (n int64) {
		conn, err := pgx.Connect(t.Context(), dsn[sector])
		if err != nil {
			return -1
		}
		defer conn.Close(context.Background()) //nolint:errcheck // only read from
		if err := conn.QueryRow(t.Context(), `SELECT coalesce(sum(n_tup_ins + n_tup_upd + n_tup_del), 0) FROM pg_stat_user_tables WHERE schemaname = 'public'`).Scan(&n); err != nil {
			return -1
		}
		return n
	}
	sectorNames, err := systems.Names()
	require.NoError(t, err)
	goesOn := func() {
		t.Helper()
		for _, sector := range sectorNames {
			before := written(sector)
			require.Eventually(t, func() bool { return written(sector) > before+5 }, 3*time.Minute, 200*time.Millisecond, sector)
		}
	}
	goesOn()
	require.NoError(t, pg.Kill())
	require.NoError(t, pg.Restart(t.Context()))
	goesOn()
	cancel()
	require.NoError(t, <-done)
	requireTruth(t, dsn)
}

// What leaders ask of one sector can be answered from what is seeded.
func TestSeedHasWhatIndicatorsAskFor(t *testing.T) {
	dsn := databases(t, harness.Postgres(t))
	_, err := newGenerator(t, dsn, 4000).Seed(t.Context())
	require.NoError(t, err)
	population, tax, health := connect(t, dsn["population"]), connect(t, dsn["tax"]), connect(t, dsn["health"])
	require.Positive(t, number(t, population, `SELECT count(*) FROM birth WHERE citizen_id IS NULL`))
	require.Positive(t, number(t, population, `SELECT count(*) FROM ward a JOIN ward b ON a.code = b.code AND a.name <> b.name`), "codes that were used again")
	require.Positive(t, number(t, tax, `SELECT count(*) FROM declaration d WHERE due_on < $1::date AND declared > coalesce((SELECT sum(amount) FROM tax_payment p WHERE p.declaration_id = d.declaration_id), 0)`, base))
	require.Positive(t, number(t, health, `SELECT count(*) FROM insurance_card WHERE valid_to < $1::date`, base))
	require.Greater(t, number(t, health, `SELECT count(*) FROM insurance_card WHERE valid_to >= $1::date`, base), int64(1000))
	require.Zero(t, number(t, health, `SELECT count(*) FROM insurance_card c JOIN patient p USING (patient_id) WHERE length(card_no) <> 15`))

	var kinds []string
	rows, err := health.Query(t.Context(), `SELECT DISTINCT kind::text FROM encounter`)
	require.NoError(t, err)
	kinds, err = pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(t, err)
	slices.Sort(kinds)
	require.Equal(t, "emergency inpatient outpatient", strings.Join(kinds, " "))
}
