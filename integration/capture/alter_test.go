package capture

import (
	"fmt"
	"testing"

	"github.com/hopluu/hopluu/connectors/postgres/checkpoint"
	"github.com/stretchr/testify/require"
)

// settled waits until the connector has seen the table's heap and columns as
// they are, and has read the table anew if it wanted to.
func (r *rig) settled(table string) (state checkpoint.Table) {
	r.t.Helper()
	r.eventually(func() error {
		var heap uint32
		var made []int64
		require.NoError(r.t, r.query(`SELECT relfilenode, (SELECT array_agg(xmin::text::bigint ORDER BY attnum) FROM pg_attribute WHERE attrelid = c.oid AND attnum > 0) FROM pg_class c WHERE oid = $1::text::regclass`, table).Scan(&heap, &made))
		state = r.checkpoint().Tables[table]
		seen := state.Complete && !state.Restart && state.Relfilenode == heap && len(state.Columns) == len(made)
		for i := 0; seen && i < len(made); i++ {
			seen = int64(state.Columns[i].Made) == made[i]
		}
		if !seen {
			return fmt.Errorf("the heap of %s is %d of columns by %v, the connector has %+v", table, heap, made, state)
		}
		return nil
	})
	return state
}

// Case 36: rows that a rewrite gave other values without an event are read
// anew, whether the connector runs or not; a table that is emptied in the stream
// or moved as it is, is not.
func TestCase36Rewrites(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.exec(`INSERT INTO public.visit SELECT n, '2026-01-01', n FROM generate_series(1, 20) n`)
	c := r.start()
	r.ready(c)
	public := r.tail(r.public("visit"))
	public.shows(visits)
	const fill = `INSERT INTO public.visit SELECT n, '2026-01-01', n FROM generate_series(1, 20) n`
	const rewrite = `ALTER TABLE public.visit ALTER COLUMN cost TYPE numeric(12,2) USING cost + 1`
	for _, c := range []struct {
		name  string
		do    []string // a transaction each
		again bool
	}{
		{"the same type by an expression", []string{rewrite}, true},
		{"and again", []string{rewrite}, true},
		{"rolled back", []string{`BEGIN; ` + rewrite + `; ROLLBACK`}, false},
		{"emptied", []string{`TRUNCATE public.visit`}, false},
		{"filled, emptied and filled", []string{fill, `BEGIN; TRUNCATE public.visit; ` + fill + `; COMMIT`}, false},
		{"emptied in a savepoint", []string{`BEGIN; SAVEPOINT a; TRUNCATE public.visit; RELEASE a; ` + fill + `; COMMIT`}, false},
		{"emptied, filled and rewritten in one transaction", []string{`BEGIN; TRUNCATE public.visit; ` + fill + `; ` + rewrite + `; COMMIT`}, true},
		{"emptied, then rewritten", []string{`TRUNCATE public.visit`, fill, rewrite}, true},
		{"rewritten, then moved", []string{rewrite, `VACUUM FULL public.visit`}, true},
		{"vacuumed full", []string{`VACUUM FULL public.visit`}, false},
		{"clustered", []string{`CLUSTER public.visit USING visit_pkey`}, false},
		{"another default", []string{`ALTER TABLE public.visit ALTER COLUMN cost SET DEFAULT 7`}, false},
		{"a column added and filled", []string{`ALTER TABLE public.visit ADD COLUMN host cidr`, `UPDATE public.visit SET host = '10.0.0.1/32'`}, false},
		{"a generated column added", []string{`ALTER TABLE public.visit ADD COLUMN twice bigint GENERATED ALWAYS AS (patient_id * 2) STORED`}, false},
		{"a type that prints in another way, without a rewrite", []string{`ALTER TABLE public.visit ALTER COLUMN host TYPE inet`}, true},
		{"generated no more", []string{`ALTER TABLE public.visit ALTER COLUMN twice DROP EXPRESSION`}, true},
		{"own types", []string{`CREATE TYPE mood AS ENUM ('vui', 'buồn'); CREATE DOMAIN felt AS mood; CREATE TYPE place AS (x int, felt felt[])`,
			`ALTER TABLE public.visit ADD COLUMN mood felt, ADD COLUMN place place`, `UPDATE public.visit SET mood = 'vui', place = '(1,{buồn})'`}, false},
		{"a value added", []string{`ALTER TYPE mood ADD VALUE 'lo' BEFORE 'vui'`, `UPDATE public.visit SET mood = 'lo' WHERE patient_id = 2`}, false},
		{"a value renamed", []string{`ALTER TYPE mood RENAME VALUE 'buồn' TO 'rầu'`}, true},
		{"a field added", []string{`ALTER TYPE place ADD ATTRIBUTE note text`}, true},
		{"a field renamed", []string{`ALTER TYPE place RENAME ATTRIBUTE note TO remark`}, false},
	} {
		before := r.settled("public.visit")
		for _, sql := range c.do {
			r.exec(sql)
		}
		// The stream describes the table before this, at which the connector looks
		// at once and not at its next round; of an empty table nothing comes.
		r.exec(`UPDATE public.visit SET cost = cost WHERE patient_id = 1`)
		if c.again {
			r.eventually(func() error {
				if now := r.checkpoint().Tables["public.visit"]; now.From <= before.From || !now.Complete {
					return fmt.Errorf("%s: the table was not read anew: %+v", c.name, now)
				}
				return nil
			})
		}
		columns := map[string]bool{}
		for _, column := range r.checkpoint().Tables["public.visit"].Columns {
			columns[column.Name] = !column.Generated // such a one is not captured
		}
		switch {
		case columns["twice"]:
			public.shows(`SELECT * FROM public.visit`)
		case columns["host"]:
			public.shows(`SELECT patient_id, day, cost, host FROM public.visit`)
		default:
			public.shows(visits)
		}
		if after := r.settled("public.visit"); !c.again {
			require.Equal(t, before.From, after.From, "%s: the table was read anew for nothing", c.name)
		}
	}
	// A tablespace of its own, and back.
	conn := r.connect()
	for _, sql := range []string{`SET allow_in_place_tablespaces = on`, `CREATE TABLESPACE ` + r.config.Source + `_space LOCATION ''`} {
		_, err := conn.Exec(t.Context(), sql)
		require.NoError(t, err)
	}
	for _, space := range []string{r.config.Source + `_space`, `pg_default`} {
		before := r.settled("public.visit")
		r.exec(`ALTER TABLE public.visit SET TABLESPACE ` + space)
		after := r.settled("public.visit")
		require.NotEqual(t, before.Relfilenode, after.Relfilenode)
		require.Equal(t, before.From, after.From)
	}
	r.exec(`DROP TABLESPACE ` + r.config.Source + `_space`)
	require.NoError(t, c.stop())

	// While no connector runs.
	before := r.settled("public.visit")
	r.exec(`UPDATE public.visit SET cost = 3`)
	r.exec(rewrite)
	r.exec(`UPDATE public.visit SET cost = 9 WHERE patient_id = 4`)
	r.start()
	public.shows(`SELECT * FROM public.visit`)
	after := r.settled("public.visit")
	require.Greater(t, after.From, before.From)
	require.Empty(t, after.Quarantined)
}

// Case 36: a table that was emptied while no connector ran is not read anew: the
// stream says it.
func TestCase36TruncatedWhileDown(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.exec(`INSERT INTO public.visit SELECT n, '2026-01-01', n FROM generate_series(1, 20) n`)
	c := r.start()
	r.ready(c)
	r.complete("public.visit")
	require.NoError(t, c.stop())
	before := r.checkpoint().Tables["public.visit"]
	r.exec(`TRUNCATE public.visit`)
	r.exec(`INSERT INTO public.visit SELECT n, '2026-01-01', n FROM generate_series(11, 15) n`)
	r.start()
	public := r.tail(r.public("visit"))
	public.events(20 + 2 + 5)
	once(t, public.shows(visits))
	require.Equal(t, before.From, r.settled("public.visit").From)
}

// Case 36: where all tables are published, one that takes the place of another
// under its name is another table.
func TestCase36AnotherTableInItsPlace(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.exec(`DROP PUBLICATION ` + r.config.Publication + `; CREATE PUBLICATION ` + r.config.Publication + ` FOR ALL TABLES WITH (publish_via_partition_root = true)`)
	r.exec(`INSERT INTO public.visit SELECT n, '2026-01-01', n FROM generate_series(1, 20) n`)
	c := r.start()
	r.ready(c)
	public := r.tail(r.public("visit"))
	public.shows(visits)
	r.exec(`BEGIN; ALTER TABLE public.visit RENAME TO visit_old; ALTER TABLE public.visit_old RENAME CONSTRAINT visit_pkey TO visit_old_pkey;
		CREATE TABLE public.visit (LIKE public.visit_old INCLUDING ALL); GRANT SELECT ON public.visit TO ` + r.setup.Role + `;
		INSERT INTO public.visit SELECT patient_id, day, cost + 1 FROM public.visit_old WHERE patient_id > 5; COMMIT`)
	public.shows(visits)
	r.settled("public.visit")

	// Nor does the server say there that a table sends nothing any more.
	r.exec(`ALTER TABLE public.visit SET UNLOGGED`)
	require.Contains(t, r.quarantined("public.visit"), "run ALTER TABLE public.visit SET LOGGED")
	r.exec(`UPDATE public.visit SET cost = 7`)
	r.resnapshot("public.visit")
	require.Contains(t, r.quarantined("public.visit"), "run ALTER TABLE public.visit SET LOGGED", "it is not read: what came after would be missing")
	r.exec(`ALTER TABLE public.visit SET LOGGED`)
	r.healed("visit", public, visits)
	require.NoError(t, c.stop())
}
