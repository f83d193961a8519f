package capture

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/hopluu/hopluu/schemas/event"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
)

// busy writes patients until stop, so that definitions change while rows flow.
func (r *rig) busy() (stop func()) {
	r.t.Helper()
	ctx, cancel := context.WithCancel(r.t.Context())
	ended := make(chan error, 1)
	conn, err := pgx.Connect(ctx, r.admin)
	require.NoError(r.t, err)
	go func() {
		for n := 1; ; n++ {
			if n > 20_000 { // enough: what the test reads at its end stays small
				<-ctx.Done()
			}
			_, err := conn.Exec(ctx, `INSERT INTO public.patient (patient_id, full_name, paid) VALUES ($1, 'Người', 1)`, n)
			if ctx.Err() != nil {
				ended <- conn.Close(context.Background())
				return
			}
			if err != nil {
				ended <- err
				return
			}
		}
	}()
	return func() {
		r.t.Helper()
		cancel()
		<-ended // it was cut off in a statement
	}
}

// Case 22: what a table is changes while rows flow, and the topic follows. The
// last column says whether its rows had to be read again, because some changed
// without an event.
func TestCase22SchemaChanges(t *testing.T) {
	t.Parallel()
	r := started(t)
	stop := r.busy()
	r.exec(`INSERT INTO public.visit VALUES (1, '2026-01-01', 1)`)
	public := r.tail(r.public("visit"))
	public.shows(`SELECT * FROM public.visit`)
	for i, change := range []struct {
		ddl   string
		again bool
	}{
		{`ALTER TABLE public.visit ADD COLUMN room int`, false},
		{`ALTER TABLE public.visit ADD COLUMN ward text NOT NULL DEFAULT 'Bến Nghé'`, true},
		{`ALTER TABLE public.visit ADD COLUMN code text DEFAULT md5(random()::text)`, true},
		{`ALTER TABLE public.visit ALTER COLUMN cost TYPE numeric(14,2)`, false},
		{`ALTER TABLE public.visit ALTER COLUMN room TYPE bigint`, true},
		{`ALTER TABLE public.visit RENAME COLUMN ward TO phuong`, true},
		{`ALTER TABLE public.visit DROP COLUMN code`, false},
		{`ALTER TABLE public.visit ADD COLUMN code text`, true}, // the topic has values under this name
		{`ALTER TABLE public.visit ADD COLUMN last text; ALTER TABLE public.visit DROP COLUMN room`, false},
		{`TRUNCATE public.visit; VACUUM FULL public.visit`, false},
	} {
		before := strings.Count(ops(public.all), "m")
		for _, sql := range strings.Split(change.ddl, ";") {
			r.exec(sql)
		}
		// One insert: with it the definition comes, and the rows from before
		// are looked at too.
		r.exec(fmt.Sprintf(`INSERT INTO public.visit (patient_id, day, cost) VALUES (%d, '2026-01-01', 2.50)`, i+2))
		if change.again {
			public.until("a new snapshot of the table after "+change.ddl, func() bool { return strings.Count(ops(public.all), "m") == before+2 })
		}
		public.shows(`SELECT * FROM public.visit`)
		if !strings.HasPrefix(change.ddl, "TRUNCATE") {
			require.Equal(t, change.again, strings.Count(ops(public.all), "m") > before, "%s: read again", change.ddl)
		}
		require.Empty(t, r.checkpoint().Tables["public.visit"].Quarantined, change.ddl)
	}
	stop()
	once(t, r.tail(r.public("patient")).shows(`SELECT patient_id, full_name, paid FROM public.patient`))
}

// Case 36: rows that changed without an event are found also when no change of
// their table follows, by looking at the start.
func TestCase36DefaultFoundAtStart(t *testing.T) {
	r := newRig(t)
	r.exec(`INSERT INTO public.visit SELECT n, '2026-01-01', n FROM generate_series(1, 10) n`)
	c := r.start()
	r.ready(c)
	require.NoError(t, c.stop())
	r.exec(`ALTER TABLE public.visit ADD COLUMN ward text DEFAULT 'Bến Nghé'`)
	r.start()
	public := r.tail(r.public("visit"))
	public.markers(2)
	all := public.shows(`SELECT * FROM public.visit`)
	require.Equal(t, 10+2+10, len(all), "rows, rows, a marker a partition")
	require.Equal(t, uint32(1), all[len(all)-1].Event.Position.Epoch, "the slot is the same")
}

// A table that is published but not described is not skipped: what comes of it
// is kept, the others flow, and once it is described it is captured whole.
func TestUndescribedTable(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.config.Sector.Tables = r.config.Sector.Tables[:1] // visit is published all the same
	visit := r.setup.Tables[1]
	c := r.start()
	r.ready(c)
	r.exec(`BEGIN; INSERT INTO public.visit VALUES (1, '2026-01-01', 1); INSERT INTO public.patient VALUES (1); COMMIT`)
	r.tail(r.public("patient")).events(1)
	reason := r.quarantined("public.visit")
	require.Contains(t, reason, "published but not described in sector clinic")
	require.NoError(t, c.stop())
	r.config.Sector.Tables = append(r.config.Sector.Tables, visit)
	letters := r.tail(r.letters("visit")).records(2)
	require.Equal(t, reason, header(letters[1], "hopluu.reason"))

	c = r.start()
	r.ready(c)
	require.NotEmpty(t, r.checkpoint().Tables["public.visit"].Quarantined, "a person decides")
	r.resnapshot("public.visit")
	r.tail(r.public("visit")).shows(visits)
}

// A table that leaves the publication sends nothing more, and the server does
// not say so. It is set aside; put back, it is read anew.
func TestTableLeavesThePublication(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.exec(`INSERT INTO public.visit SELECT n, '2026-01-01', n FROM generate_series(1, 10) n`)
	c := r.start()
	r.ready(c)
	public := r.tail(r.public("visit"))
	public.shows(visits)
	require.NoError(t, c.stop())

	// Out and in again while nobody looked: what it did meanwhile is not in
	// the stream.
	r.exec(`ALTER PUBLICATION ` + r.config.Publication + ` DROP TABLE public.visit`)
	r.exec(`DELETE FROM public.visit WHERE patient_id = 3; UPDATE public.visit SET cost = 99 WHERE patient_id = 4`)
	r.exec(`ALTER PUBLICATION ` + r.config.Publication + ` ADD TABLE public.visit`)
	c = r.start()
	public.shows(visits)
	r.ready(c)
	require.NoError(t, c.stop())

	r.exec(`ALTER PUBLICATION ` + r.config.Publication + ` DROP TABLE public.visit`)
	c = r.start()
	r.ready(c)
	r.eventually(func() error {
		if reason := r.checkpoint().Tables["public.visit"].Quarantined; !strings.Contains(reason, "is not in publication") {
			return fmt.Errorf("quarantined: %q", reason)
		}
		return nil
	})
	r.exec(`INSERT INTO public.patient VALUES (1)`)
	r.tail(r.public("patient")).events(1)
	r.exec(`DELETE FROM public.visit WHERE patient_id = 5`)
	r.exec(`ALTER PUBLICATION ` + r.config.Publication + ` ADD TABLE public.visit`)
	r.resnapshot("public.visit")
	public.shows(visits)
	r.exec(`DELETE FROM public.visit WHERE patient_id = 6`)
	all := public.shows(visits)
	gone := of(events(all), "6")
	require.Equal(t, event.Delete, gone[len(gone)-1].Event.Op)
}

func header(m message, key string) string {
	for _, h := range m.Headers {
		if h.Key == key {
			return string(h.Value)
		}
	}
	return ""
}
