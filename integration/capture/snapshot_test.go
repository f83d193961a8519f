package capture

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"testing"

	"github.com/hopluu/hopluu/connectors"
	"github.com/hopluu/hopluu/integration/harness"
	"github.com/hopluu/hopluu/schemas/event"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"
)

// wide makes rows of the patients that fill many blocks, and so many ranges.
func wide(rows int) string {
	return fmt.Sprintf(`
		ALTER TABLE public.patient SET (fillfactor = 10, autovacuum_enabled = off);
		INSERT INTO public.patient SELECT n, NULL, 'Người ' || n, repeat('x', 300), 100 FROM generate_series(1, %d) n`, rows)
}

// reading waits until a part of a table's snapshot is done, and not all.
func (r *rig) reading(table string) {
	r.t.Helper()
	r.eventually(func() error {
		state := r.checkpoint().Tables[table]
		require.False(r.t, state.Complete, "the snapshot was too quick for the test")
		if len(state.Done) == 0 {
			return fmt.Errorf("no range of %s is done: %+v", table, state)
		}
		return nil
	})
}

// disturb runs statements on connections of their own until stop, which gives
// their errors and how often each ran.
func (r *rig) disturb(statements ...func(i int) string) (stop func() []int) {
	r.t.Helper()
	ctx, cancel := context.WithCancel(r.t.Context())
	var group errgroup.Group
	ran := make([]int, len(statements))
	for n, statement := range statements {
		group.Go(func() error {
			conn, err := pgx.Connect(r.t.Context(), r.admin)
			if err != nil {
				return err
			}
			for ctx.Err() == nil {
				_, err := conn.PgConn().Exec(r.t.Context(), statement(ran[n])).ReadAll()
				var pgErr *pgconn.PgError
				if errors.As(err, &pgErr) && pgErr.Code == "40P01" {
					continue // a deadlock with another of them
				}
				if err != nil {
					return errors.Join(err, conn.Close(context.Background()))
				}
				ran[n]++
			}
			return conn.Close(context.Background())
		})
	}
	return func() []int {
		r.t.Helper()
		cancel()
		require.NoError(r.t, group.Wait())
		return ran
	}
}

// Case 5: while the rows of the first snapshot are not acknowledged the slot
// stays where it was made, also when the broker goes away in the middle of them.
func TestCase05SlotWaitsForTheSnapshot(t *testing.T) {
	t.Parallel()
	broker := harness.Kafka(t, harness.Own())
	r := newRigOn(t, harness.Postgres(t), broker)
	const rows = 6000
	r.exec(wide(rows))
	r.config.Snapshot = connectors.Load{Connections: 2, RowsPerSecond: 500}
	c := r.start()
	r.reading("public.patient")
	made := r.confirmed()
	r.exec(`INSERT INTO public.visit SELECT n, '2026-01-01', n FROM generate_series(1, 100) n`)
	require.NoError(t, broker.Kill())
	require.Equal(t, made, r.confirmed())
	require.NoError(t, broker.Restart(t.Context()))
	r.eventually(func() error {
		at, state := r.confirmed(), r.checkpoint()
		if !state.Tables["public.patient"].Complete {
			if state.Tables["public.patient"].From == made { // still the first try
				require.Equal(t, made, at)
			}
			return errors.New("the snapshot is not complete")
		}
		return nil
	})
	all := r.tail(r.public("patient")).shows(patients)
	r.tail(r.public("visit")).shows(visits)
	require.NoError(t, c.stop())
	once(t, all)
}

// Case 6: all readers, of one table and of several, see one state of the
// database: money that moves between rows and tables meanwhile is neither lost
// nor doubled.
func TestCase06ReadersSeeOneSnapshot(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	const rows = 6000
	r.exec(wide(rows))
	r.exec(`INSERT INTO public.visit SELECT n, '2026-01-01', 100 FROM generate_series(1, 3000) n`)
	move := func(i int) string {
		return fmt.Sprintf(`BEGIN; UPDATE public.patient SET paid = paid - 7 WHERE patient_id = %d; UPDATE public.patient SET paid = paid + 4 WHERE patient_id = %d;
			UPDATE public.visit SET cost = cost + 3 WHERE patient_id = %d; COMMIT`, 1+i*37%rows, 1+i*991%rows, 1+i*53%3000)
	}
	stop := r.disturb(move)
	r.config.Snapshot = connectors.Load{Connections: 4, RowsPerSecond: 2500}
	c := r.start()
	r.complete("public.patient")
	r.complete("public.visit")
	require.Positive(t, stop()[0])
	state := r.checkpoint().Tables
	require.Equal(t, state["public.patient"].From, state["public.visit"].From)
	var sum float64
	seen := 0
	for table, column := range map[string]string{"patient": "paid", "visit": "cost"} {
		// The changes that follow may be read from one partition before the rows
		// of the other.
		for _, m := range r.tail(r.public(table)).ofOp(event.Read, int(state["public."+table].Rows)) {
			if m.Event.Op != event.Read {
				continue
			}
			require.Equal(t, state["public.patient"].From, m.Event.Position.LSN)
			value, err := strconv.ParseFloat(m.Row[column], 64)
			require.NoError(t, err)
			sum += value
			seen++
		}
	}
	require.Equal(t, rows+3000, seen)
	require.InDelta(t, 100*(rows+3000), sum, 0.001)
	r.tail(r.public("patient")).shows(patients)
	r.tail(r.public("visit")).shows(visits)
	require.NoError(t, c.stop())
}

// Case 12: a connector that is killed in the middle of ranges that are read at
// the same time keeps those that are done, wherever they are, and reads the
// others again, while the stream goes on.
func TestCase12KilledAmongReaders(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	const rows = 12_000
	r.exec(wide(rows))
	r.config.Snapshot = connectors.Load{Connections: 3, RowsPerSecond: 300}
	process := r.startProcess()
	r.reading("public.patient")
	require.NoError(t, process.Kill())
	first := r.checkpoint().Tables["public.patient"]
	require.False(t, first.Complete)
	r.exec(`DELETE FROM public.patient WHERE patient_id % 10 = 0`)
	r.exec(`UPDATE public.patient SET paid = 1 WHERE patient_id % 10 = 1`)
	r.config.Snapshot = connectors.Load{Connections: 3}
	process = r.startProcess()
	public := r.tail(r.public("patient"))
	all := public.shows(patients)
	r.complete("public.patient")
	last := r.checkpoint().Tables["public.patient"]
	require.Equal(t, first.From, last.From)
	require.Greater(t, last.To, last.From)
	again := map[string]int{}
	for _, m := range all {
		if m.Event != nil && m.Event.Op == event.Read && m.Event.Position.LSN > first.From {
			again[m.Row["patient_id"]]++
		}
	}
	require.NotEmpty(t, again)
	require.Less(t, len(again)+int(first.Rows), rows, "what was done is not read again: %d rows of %+v", first.Rows, first.Done)
	require.Positive(t, first.Rows)
	require.Len(t, r.rows(`SELECT slot_name FROM pg_replication_slots WHERE database = current_database()`), 1, "P7: the snapshot's own slot is gone")
	require.NoError(t, process.Kill())
}

// A table that comes to a running source is read while the stream of the others
// goes on, and while it changes itself: a topic has the events of each key in
// the order of their versions (P5), and what an update does not send is not
// lost (P4).
func TestSnapshotBesideTheStream(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	const rows = 6000
	r.exec(wide(rows))
	r.exec(`UPDATE public.patient SET notes = ` + long + ` WHERE patient_id % 500 = 0`)
	both := r.config.Sector.Tables
	r.config.Sector.Tables = both[1:]
	c := r.start()
	r.ready(c)
	require.NoError(t, c.stop())

	r.config.Sector.Tables = both
	r.config.Snapshot = connectors.Load{Connections: 2, RowsPerSecond: 400}
	stop := r.disturb(
		func(i int) string {
			return fmt.Sprintf(`UPDATE public.patient SET paid = %d WHERE patient_id %% 250 = %d`, i, i*50%250)
		},
		func(i int) string {
			return fmt.Sprintf(`DELETE FROM public.patient WHERE patient_id = %[1]d; INSERT INTO public.patient VALUES (%[1]d, NULL, 'again', NULL, 1); UPDATE public.patient SET patient_id = patient_id + %[3]d WHERE patient_id = %[2]d`,
				1+i*7%rows, 2+i*41%rows, (i+1)*100_000)
		},
		func(i int) string {
			return fmt.Sprintf(`INSERT INTO public.visit VALUES (%d, '2026-01-01', 1)`, i)
		})
	c = r.start()
	visit := r.tail(r.public("visit"))
	r.reading("public.patient")
	before := len(events(visit.all))
	visit.events(before + 50)
	require.False(t, r.checkpoint().Tables["public.patient"].Complete, "the others go on meanwhile")
	require.NoError(t, c.Ready())
	require.NotEmpty(t, c.Progress())
	r.complete("public.patient")
	for n, ran := range stop() {
		require.Positive(t, ran, "statement %d", n)
	}
	public := r.tail(r.public("patient"))
	all := public.shows(patients)
	visit.shows(visits)
	require.NoError(t, c.stop())
	inOrder(t, all)
	require.Less(t, countOps(all, event.Read), rows, "rows that the stream overtook are left out")
	inOrder(t, r.tail(r.vault("patient")).events(len(events(all))))
}

// inOrder wants the events of each key in the order of their versions.
func inOrder(t *testing.T, all []message) {
	t.Helper()
	last := map[string]message{}
	for _, m := range events(all) {
		if m.Event.Op == event.Marker {
			continue
		}
		if was, ok := last[string(m.Key)]; ok {
			require.LessOrEqual(t, was.Event.Position.Compare(m.Event.Position), 0, "%s %v came after %s %v", m.Event.Op, m.Event.Position, was.Event.Op, was.Event.Position)
		}
		last[string(m.Key)] = m
	}
}

func countOps(all []message, op event.Op) (n int) {
	for _, m := range events(all) {
		if m.Event.Op == op {
			n++
		}
	}
	return n
}

// A truncate in the middle of a snapshot takes the rows that are still on their
// way along.
func TestTruncateBesideTheSnapshot(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.exec(wide(3000))
	c := r.start()
	r.complete("public.patient")
	require.NoError(t, c.stop())
	r.config.Snapshot = connectors.Load{Connections: 2, RowsPerSecond: 100}
	r.resnapshot("public.patient")
	r.eventually(func() error { // what is committed shows a moment later
		if r.checkpoint().Tables["public.patient"].Complete {
			return errors.New("not marked")
		}
		return nil
	})
	c = r.start()
	r.reading("public.patient")
	r.exec(`TRUNCATE public.patient; INSERT INTO public.patient VALUES (7, NULL, 'after', NULL, 1)`)
	public := r.tail(r.public("patient"))
	r.complete("public.patient")
	all := public.shows(patients)
	require.NoError(t, c.stop())
	inOrder(t, all)
	truncated := map[int32]event.Position{}
	for _, m := range events(all) {
		at, ok := truncated[m.Partition.ID]
		switch {
		case m.Event.Op == event.Truncate:
			truncated[m.Partition.ID] = m.Event.Position
		case ok && m.Event.Op == event.Read:
			require.Negative(t, at.Compare(m.Event.Position), "a row that was truncated away came after the truncate")
		}
	}
	require.Len(t, truncated, 2)
}

// A server without a slot to spare cannot export a snapshot: the table that came
// waits, the stream of the others does not.
func TestNoSlotForASnapshot(t *testing.T) {
	t.Parallel()
	r := newRigOn(t, harness.Postgres(t, harness.Own()), harness.Kafka(t))
	r.exec(`INSERT INTO public.patient VALUES (1)`)
	both := r.config.Sector.Tables
	r.config.Sector.Tables = both[1:]
	c := r.start()
	r.ready(c)
	require.NoError(t, c.stop())
	r.exec(`SELECT pg_create_physical_replication_slot('taken_' || n)
		FROM generate_series(1, current_setting('max_replication_slots')::int - (SELECT count(*) FROM pg_replication_slots)) n`)
	r.config.Sector.Tables = both
	c = r.start()
	visit := r.tail(r.public("visit"))
	for n := range 3 {
		r.exec(fmt.Sprintf(`INSERT INTO public.visit VALUES (%d, '2026-01-01', 1)`, n))
		visit.events(n + 1)
	}
	r.caughtUp()
	require.False(t, r.checkpoint().Tables["public.patient"].Complete)
	r.exec(`SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_type = 'physical'`)
	r.complete("public.patient")
	r.tail(r.public("patient")).shows(patients)
	require.NoError(t, c.stop())
}

// Case 36, P7: a statement that rewrites a table in the middle of its snapshot
// waits for one range and not for the table, and the table is read again.
func TestCase36RewrittenInTheMiddle(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	const rows = 6000
	r.exec(wide(rows))
	r.config.Snapshot = connectors.Load{Connections: 2, RowsPerSecond: 150}
	c := r.start()
	r.reading("public.patient")
	first := r.checkpoint().Tables["public.patient"]
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	conn, err := pgx.Connect(ctx, r.admin)
	require.NoError(t, err)
	_, err = conn.Exec(ctx, `ALTER TABLE public.patient ALTER COLUMN paid TYPE numeric(12,2) USING paid + 1`)
	require.NoError(t, err)
	require.NoError(t, conn.Close(ctx))
	state := r.checkpoint().Tables["public.patient"]
	require.False(t, state.Complete, "it did not wait for the whole table")
	require.NoError(t, c.stop())
	r.config.Snapshot = connectors.Load{}
	c = r.start()
	public := r.tail(r.public("patient"))
	public.shows(patients)
	r.complete("public.patient")
	state = r.checkpoint().Tables["public.patient"]
	require.NotEqual(t, first.Relfilenode, state.Relfilenode)
	require.Equal(t, int64(rows), state.Rows, "all of it was read again")
	require.NoError(t, c.stop())
}
