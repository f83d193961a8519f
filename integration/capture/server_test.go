package capture

import (
	"context"
	"fmt"
	"testing"

	"github.com/hopluu/hopluu/connectors"
	"github.com/hopluu/hopluu/integration/harness"
	"github.com/hopluu/hopluu/schemas/event"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
)

// PostgreSQL is killed while rows flow: the connector goes on where Kafka's
// checkpoint says, though the server may have forgotten what was confirmed.
func TestServerKilledInTheStream(t *testing.T) {
	t.Parallel()
	server := harness.Postgres(t, harness.Own())
	r := newRigOn(t, server, harness.Kafka(t))
	c := r.start()
	r.ready(c)
	public := r.tail(r.public("visit"))
	write := func(day int) error {
		ctx, cancel := context.WithTimeout(t.Context(), within)
		defer cancel()
		conn, err := pgx.Connect(ctx, r.admin)
		if err != nil {
			return err
		}
		for n := range 200 {
			if _, err := conn.Exec(ctx, fmt.Sprintf(`INSERT INTO public.visit SELECT n, date '2026-01-01' + %d, n FROM generate_series(%d, %d) n`, day, n*10+1, n*10+10)); err != nil {
				return err
			}
		}
		return conn.Close(ctx)
	}
	for round := range 3 {
		ended := make(chan error, 1)
		go func() { ended <- write(round) }()
		public.events((round + 1) * 500)
		require.NoError(t, server.Kill())
		if err := <-ended; err == nil {
			t.Log("the writer was done before the kill")
		}
		require.NoError(t, server.Restart(t.Context()))
	}
	all := public.shows(visits)
	once(t, all)
	require.Equal(t, len(fold(all, r.rows(visits))), len(events(all)), "inserts only: an event a row")
	require.NoError(t, c.stop())
}

// Case 12: PostgreSQL is killed in the middle of a snapshot. Finished ranges
// are kept, the others are read at a later LSN. What was deleted in between is
// gone, what moved into a range that is done is not lost, and what the update
// did not send of it is there (P4).
func TestCase12SnapshotResumes(t *testing.T) {
	t.Parallel()
	server := harness.Postgres(t, harness.Own(), harness.WithSetting("max_wal_size", "4GB"))
	r := newRigOn(t, server, harness.Kafka(t))
	// Two rows a block: more ranges of the snapshot with fewer rows.
	const rows, moving = 40_000, 39_999
	r.exec(fmt.Sprintf(`
		ALTER TABLE public.patient SET (fillfactor = 10, autovacuum_enabled = off);
		INSERT INTO public.patient SELECT n, NULL, 'Người ' || n, CASE n WHEN %d THEN (SELECT string_agg(md5(i::text), '') FROM generate_series(1, 100) i) ELSE repeat('x', 300) END, n
		FROM generate_series(1, %d) n`, moving, rows))
	r.config.Snapshot = connectors.Load{Connections: 1, RowsPerSecond: 1500}
	c := r.start()
	r.eventually(func() error {
		state := r.checkpoint().Tables["public.patient"]
		require.False(t, state.Complete, "the snapshot was too quick for the test")
		if len(state.Done) == 0 || state.Done[0].To < 400 {
			return fmt.Errorf("too few ranges are done: %+v", state)
		}
		return nil
	})
	require.NoError(t, server.Kill())
	require.NoError(t, c.stop())
	require.NoError(t, server.Restart(t.Context()))
	first := r.checkpoint().Tables["public.patient"]
	require.False(t, first.Complete)
	done := first.Done[0].To

	// Rows of ranges that are done and of ranges that are not go; one moves
	// from the latter into the former.
	block := func() (n uint32) {
		require.NoError(t, r.query(fmt.Sprintf(`SELECT ((ctid::text::point)[0])::int FROM public.patient WHERE patient_id = %d`, moving)).Scan(&n))
		return n
	}
	require.GreaterOrEqual(t, block(), done)
	r.exec(`DELETE FROM public.patient WHERE patient_id < 2000 OR patient_id BETWEEN 38000 AND 39000`)
	r.exec(`VACUUM public.patient`)
	// Its old versions fill its block until a new one goes where space is free.
	r.exec(fmt.Sprintf(`DO $$ BEGIN FOR i IN 1..60 LOOP UPDATE public.patient SET full_name = repeat('y', 100) || i WHERE patient_id = %d; END LOOP; END $$`, moving))
	require.Less(t, block(), done)
	r.config.Snapshot = connectors.Load{Connections: 1}
	c = r.start()
	all := r.tail(r.public("patient")).shows(patients)
	r.complete("public.patient")
	require.NoError(t, c.stop())

	state := r.checkpoint().Tables["public.patient"]
	require.Equal(t, first.From, state.From)
	require.Greater(t, state.To, state.From)
	lsns := map[event.LSN]int{}
	for _, m := range events(all) {
		if m.Event.Op == event.Read {
			lsns[m.Event.Position.LSN]++
		}
	}
	require.Equal(t, []bool{true, true}, []bool{lsns[state.From] > 0, lsns[state.To] > 0}, "rows of both snapshots: %v", lsns)
	require.Less(t, lsns[state.To], rows, "what was read is not read again")
	slots := r.rows(fmt.Sprintf(`SELECT slot_name FROM pg_replication_slots WHERE slot_name <> '%s'`, r.config.Slot))
	require.Empty(t, slots, "P7: the snapshot's own slot is gone")
}
