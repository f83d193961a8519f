package capture

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/hopluu/hopluu/connectors/postgres"
	"github.com/hopluu/hopluu/integration/harness"
	"github.com/hopluu/hopluu/schemas/avro"
	"github.com/hopluu/hopluu/schemas/event"
	"github.com/jackc/pglogrepl"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
)

// newStreamingRig is a clinic on a server that sends transactions in segments
// from 64 kB on.
func newStreamingRig(t *testing.T) *rig {
	t.Helper()
	return newRigOn(t, source(t, harness.WithSetting("logical_decoding_work_mem", "64kB"), harness.WithSetting("max_prepared_transactions", "10")), harness.Kafka(t))
}

// segments is how many the server has sent to the slot's readers.
func (r *rig) segments() (n int) {
	r.t.Helper()
	require.NoError(r.t, r.query(`SELECT coalesce(max(stream_count), 0) FROM pg_stat_replication_slots WHERE slot_name = $1`, r.config.Slot).Scan(&n))
	return n
}

// streaming waits until more segments than these were sent, so that a test of
// segments has some.
func (r *rig) streaming(than int) {
	r.t.Helper()
	r.eventually(func() error {
		if n := r.segments(); n <= than {
			return fmt.Errorf("%d segments were sent", n)
		}
		return nil
	})
}

// writer is one connection's transactions.
type writer struct {
	t    *testing.T
	conn *pgx.Conn
}

func (r *rig) writer() writer { return writer{r.t, r.connect()} }

func (w writer) exec(sql string) {
	w.t.Helper()
	_, err := w.conn.PgConn().Exec(w.t.Context(), sql).ReadAll()
	require.NoError(w.t, err)
}

// visits inserts rows from a number on.
func (w writer) visits(from, rows int) {
	w.t.Helper()
	w.exec(fmt.Sprintf(`INSERT INTO public.visit SELECT n, '2026-01-01', n FROM generate_series(%d, %d) n`, from, from+rows-1))
}

// Cases 3 and 18: large transactions that interleave, with savepoints released
// and rolled back one in another, come out whole, without what was taken back,
// in the order of their commits.
func TestCase03StreamedSavepoints(t *testing.T) {
	r := newStreamingRig(t)
	c := r.start()
	r.ready(c)
	public := r.tail(r.public("visit"))
	a, b, rolledBack := r.writer(), r.writer(), r.writer()
	for _, w := range []writer{a, b, rolledBack} {
		w.exec(`BEGIN`)
	}
	a.visits(1, 3000)
	b.visits(100_001, 3000)
	rolledBack.visits(200_001, 3000)
	a.exec(`SAVEPOINT outer_one`)
	a.visits(10_001, 3000)
	a.exec(`SAVEPOINT inner_one`)
	a.visits(20_001, 3000)
	a.exec(`UPDATE public.visit SET cost = -1 WHERE patient_id <= 3000`)
	a.exec(`RELEASE SAVEPOINT inner_one`)
	b.exec(`SAVEPOINT s; DELETE FROM public.visit WHERE patient_id > 100001 AND patient_id <= 103000; ROLLBACK TO SAVEPOINT s`)
	b.visits(110_001, 3000)
	a.exec(`ROLLBACK TO SAVEPOINT outer_one`)
	a.visits(30_001, 3000)
	a.exec(`SAVEPOINT kept`)
	a.exec(`UPDATE public.visit SET cost = cost + 1 WHERE patient_id <= 1000`)
	// A loop of savepoints of which every other one is rolled back, as
	// PL/pgSQL's EXCEPTION makes them.
	a.exec(`DO $$ BEGIN FOR n IN 1..2000 LOOP
		BEGIN
			INSERT INTO public.visit VALUES (40000 + n, '2026-01-01', 1 / (n % 2));
		EXCEPTION WHEN division_by_zero THEN
			INSERT INTO public.visit VALUES (50000 + n, '2026-01-01', 0);
		END;
	END LOOP; END $$`)
	r.streaming(10)
	rolledBack.exec(`ROLLBACK`)
	b.exec(`COMMIT`)
	a.exec(`COMMIT`)

	all := public.shows(visits)
	once(t, all)
	require.Len(t, events(all), 6000+6000+1000+2000, "nothing that was taken back")
	positions := map[uint64]event.Position{}
	for _, m := range events(all) {
		id, err := strconv.ParseUint(m.Row["patient_id"], 10, 64)
		require.NoError(t, err)
		positions[id] = m.Event.Position
	}
	require.Negative(t, positions[110_001].Compare(positions[30_001]), "b committed first")
	r.caughtUp()
	require.NoError(t, c.stop())
}

// A connector that stops, and one that is killed, in the middle of a
// transaction in progress: the server sends it anew, and nothing is lost or
// stands twice. What others commit meanwhile goes on.
func TestCase01RestartsInsideAStreamedTransaction(t *testing.T) {
	r := newStreamingRig(t)
	c := r.start()
	r.ready(c)
	public, wide := r.tail(r.public("visit")), r.tail(r.public("patient"))
	large, small := r.writer(), r.writer()
	large.exec(`BEGIN`)
	large.visits(1, 4000)
	r.streaming(0)
	small.visits(100_001, 10)
	public.events(10)
	r.caughtUp()
	require.NoError(t, c.stop())

	large.exec(`SAVEPOINT s; UPDATE public.visit SET cost = cost + 1 WHERE patient_id <= 4000`)
	small.visits(200_001, 10)
	seen := r.segments()
	process := r.startProcess()
	large.visits(10_001, 4000)
	r.streaming(seen)
	public.events(20)
	require.NoError(t, process.Kill())

	large.exec(`ROLLBACK TO SAVEPOINT s`)
	const rows, width = 20_000, 3600 // more than one of Kafka's transactions takes
	large.exec(fmt.Sprintf(`INSERT INTO public.patient SELECT n, NULL, 'Người ' || n, repeat('x', %d), n FROM generate_series(1, %d) n`, width, rows))
	seen = r.segments()
	process = r.startProcess()
	r.streaming(seen)
	before := r.checkpoint()
	arrived, goOn := r.hold("room")
	large.exec(stopsHere + `; COMMIT`)
	arrived() // it is being taken in
	require.NoError(t, process.Kill())
	goOn()
	small.exec(`INSERT INTO public.visit SELECT n, '2026-01-01', n FROM generate_series(300001, 300010) n`)
	cut := r.checkpoint()
	require.Greater(t, cut.LSN, before.LSN)
	require.NotZero(t, cut.Ordinal)
	require.Less(t, int(cut.Ordinal), 4000+rows+1, "it was killed in the middle of the transaction")
	require.Less(t, cut.Confirmed, cut.LSN, "P1: nothing of it is confirmed")

	c = r.start()
	wide.events(rows)
	all := wide.shows(`SELECT patient_id, full_name, paid FROM public.patient`)
	once(t, all)
	require.Len(t, all, rows)
	for _, m := range all {
		require.Len(t, m.Row["notes"], width)
	}
	all = public.shows(visits)
	once(t, all)
	require.Len(t, events(all), 4000+30+1)
	r.caughtUp()
	require.NoError(t, c.stop())
}

// Case 22: a definition that changes within a transaction in progress holds for
// its later rows; one that was rolled back holds for none and is not known to
// the registry.
func TestCase22AlterTableInAStreamedTransaction(t *testing.T) {
	r := newStreamingRig(t)
	c := r.start()
	r.ready(c)
	public := r.tail(r.public("visit"))
	w := r.writer()
	w.visits(900_001, 1)
	public.events(1)
	w.exec(`BEGIN`)
	w.visits(1, 2000)
	w.exec(`ALTER TABLE public.visit ADD COLUMN room text`)
	w.exec(`INSERT INTO public.visit SELECT n, '2026-01-01', n, 'phòng ' || n FROM generate_series(10001, 12000) n`)
	w.exec(`SAVEPOINT s; ALTER TABLE public.visit ADD COLUMN mistake text; ALTER TABLE public.visit DROP COLUMN cost`)
	w.exec(`INSERT INTO public.visit SELECT n, '2026-01-01', 'phòng', 'sai' FROM generate_series(20001, 22000) n`)
	w.exec(`ROLLBACK TO SAVEPOINT s`)
	w.exec(`INSERT INTO public.visit SELECT n, '2026-01-01', n, 'phòng ' || n FROM generate_series(30001, 32000) n`)
	r.streaming(3)
	w.exec(`SAVEPOINT s; ALTER TABLE public.visit ALTER COLUMN cost TYPE numeric(14,2); UPDATE public.visit SET cost = 9999999999.99 WHERE patient_id = 1`)
	w.exec(`COMMIT`)
	w.exec(`INSERT INTO public.visit VALUES (900002, '2026-01-01', 1, 'sau')`)

	all := public.shows(`SELECT * FROM public.visit`)
	require.Empty(t, r.checkpoint().Tables["public.visit"].Quarantined)
	once(t, all)
	for _, m := range all {
		require.NotContains(t, m.Row, "mistake")
	}
	for _, envelope := range public.envelopes {
		for _, column := range envelope.Columns() {
			require.NotEqual(t, "mistake", column.Name)
		}
	}
	require.NoError(t, c.stop())
}

// wireHead goes before a key: a zero and the number of its schema, which is
// another for each source.
const wireHead = 5

// P6: the same workload, captured by each version of the protocol and with
// segments cut in other places, gives the same events at the same positions.
func TestSameEventsByEveryProtocol(t *testing.T) {
	r := newStreamingRig(t)
	variants := []struct {
		name     string
		protocol int
		workMem  string // of the server for this reader
		restarts int
		streams  bool
	}{
		{"whole", 1, "64kB", 0, false},
		{"version 2", 2, "64kB", 0, true},
		{"version 3, other segments", 3, "300kB", 0, true},
		{"version 4", 0, "64kB", 0, true},
		{"version 4, never large enough", 0, "1GB", 0, false},
		{"version 4, restarted", 0, "64kB", 4, true},
	}
	var rigs []*rig
	for i, v := range variants {
		other := *r
		other.config.Source = fmt.Sprintf("%s_%d", r.config.Source, i)
		other.config.Slot = fmt.Sprintf("%s_%d", r.config.Slot, i)
		other.config.DSN += " options='-c logical_decoding_work_mem=" + v.workMem + "'"
		other.config.Protocol = v.protocol
		rigs = append(rigs, &other)
	}
	t.Cleanup(func() {
		for _, other := range rigs {
			conn, err := pgx.Connect(context.Background(), r.admin)
			require.NoError(t, err)
			ctx, cancel := context.WithTimeout(context.Background(), within)
			require.NoError(t, harness.Poll(ctx, func(ctx context.Context) error { // the server may still be letting it go
				return postgres.DropSlot(ctx, conn, other.config.Slot)
			}))
			cancel()
			require.NoError(t, conn.Close(context.Background()))
		}
	})
	var all []*running
	for _, other := range rigs {
		c := other.start()
		other.ready(c)
		all = append(all, c)
	}

	// Savepoints at random, in transactions that interleave; keys that change,
	// truncates, values that are not sent.
	random := rand.New(rand.NewPCG(20260303, 1))
	const writers = 3
	var ws []writer
	for range writers {
		ws = append(ws, r.writer())
	}
	r.exec(`INSERT INTO public.patient SELECT n, NULL, 'Người ' || n, repeat(md5(n::text), 100), n FROM generate_series(1, 200) n`)
	depth := make([]int, writers)
	in := make([]bool, writers)
	next := 1
	for step := range 150 {
		i := random.IntN(writers)
		w := ws[i]
		rows := 1 + random.IntN(600)
		switch dice := random.IntN(20); {
		case !in[i]:
			w.exec(`BEGIN`)
			in[i] = true
		case dice < 8:
			w.visits(i*1_000_000+next, rows)
			next += rows
		case dice < 10:
			w.exec(fmt.Sprintf(`UPDATE public.visit SET cost = cost + 1 WHERE patient_id BETWEEN %d AND %d`, i*1_000_000, i*1_000_000+rows))
		case dice < 11:
			w.exec(fmt.Sprintf(`UPDATE public.visit SET day = day + 1 WHERE patient_id BETWEEN %d AND %d`, i*1_000_000, i*1_000_000+rows))
		case dice < 12:
			w.exec(fmt.Sprintf(`UPDATE public.patient SET paid = paid + 1 WHERE patient_id BETWEEN %d AND %d`, 1+i*60, 59+i*60))
		case dice < 13:
			w.exec(fmt.Sprintf(`DELETE FROM public.visit WHERE patient_id BETWEEN %d AND %d`, i*1_000_000, i*1_000_000+rows/4))
		case dice < 16:
			depth[i]++
			w.exec(fmt.Sprintf(`SAVEPOINT s%d`, depth[i]))
		case dice < 17 && depth[i] > 0:
			w.exec(fmt.Sprintf(`RELEASE SAVEPOINT s%d`, depth[i]))
			depth[i]--
		case dice < 19 && depth[i] > 0:
			depth[i] = random.IntN(depth[i])
			w.exec(fmt.Sprintf(`ROLLBACK TO SAVEPOINT s%d; RELEASE SAVEPOINT s%d`, depth[i]+1, depth[i]+1))
		default:
			w.exec(`COMMIT`)
			in[i], depth[i] = false, 0
		}
		if step%35 == 34 {
			for k, v := range variants {
				if v.restarts > 0 {
					require.NoError(t, all[k].stop())
					all[k] = rigs[k].start()
				}
			}
		}
	}
	for i, w := range ws {
		if in[i] {
			w.exec(`COMMIT`)
		}
	}
	r.exec(`BEGIN; TRUNCATE public.visit, public.patient; INSERT INTO public.visit SELECT n, '2026-01-02', n FROM generate_series(1, 3000) n; COMMIT`)

	var want []string
	for k, v := range variants {
		var got []string
		for _, table := range []string{"visit", "patient"} {
			tail := rigs[k].tail(rigs[k].public(table))
			tail.ofOp(event.Truncate, 2) // a table that is empty shows at once
			messages := tail.shows(map[string]string{"visit": visits, "patient": patients}[table])
			once(t, messages)
			for _, m := range events(messages) {
				e := m.Event
				// What follows the source's name is the same to the byte, the
				// transaction block with it.
				_, tail, found := bytes.Cut(m.Value, avro.AppendBytes(nil, rigs[k].config.Source))
				require.True(t, found)
				got = append(got, fmt.Sprintf("%s %s key %x %s %v %v %d %d %x", e.Position, table, m.Key[min(wireHead, len(m.Key)):], e.Op, m.Row, m.Unchanged, e.TxID, e.CommitMicros, tail))
			}
		}
		slices.Sort(got)
		require.NoError(t, all[k].stop())
		if k == 0 {
			want = got
			t.Logf("%d events", len(want))
		}
		require.Equal(t, len(want), len(got), v.name)
		for n := range want {
			if want[n] != got[n] {
				require.Equal(t, want[n], got[n], v.name)
			}
		}
		require.Equal(t, v.streams, rigs[k].segments() > 0, "%s: segments", v.name)
	}
}

// A prepared transaction comes at its COMMIT PREPARED, also after restarts in
// between, and one that is rolled back never comes.
func TestPreparedTransactions(t *testing.T) {
	for name, twoPhase := range map[string]bool{"whole at its commit": false, "sent when it is prepared": true} {
		t.Run(name, func(t *testing.T) {
			r := newStreamingRig(t)
			c := r.start()
			r.ready(c)
			public := r.tail(r.public("visit"))
			if twoPhase {
				require.NoError(t, c.stop())
				r.turnTwoPhaseOn()
				c = r.start()
				r.ready(c)
			}
			gid := harness.Name("gid")
			w := r.writer()
			prepare := func(from, rows int, name string) {
				w.exec(`BEGIN`)
				w.visits(from, rows)
				w.exec(`PREPARE TRANSACTION '` + gid + name + `'`)
			}
			var before string
			require.NoError(t, r.query(`SELECT pg_current_wal_lsn()::text`).Scan(&before))
			prepare(1, 10, "small")
			prepare(10_001, 5000, "large")
			prepare(20_001, 5000, "never")
			w.visits(30_001, 10)
			public.events(10)
			var prepared string
			require.NoError(t, r.query(`SELECT pg_current_wal_lsn()::text`).Scan(&prepared))
			open, err := event.ParseLSN(prepared)
			require.NoError(t, err)
			if twoPhase {
				// P1: what is kept in the process is not confirmed.
				r.exec(`INSERT INTO public.visit VALUES (-1, '2026-01-01', 1)`)
				public.events(11)
				require.Less(t, r.confirmed(), open)
				start, err := event.ParseLSN(before)
				require.NoError(t, err)
				r.eventually(func() error {
					if at := r.confirmed(); at < start {
						return fmt.Errorf("the slot stands at %s, before %s", at, start)
					}
					return nil
				})
			} else {
				r.exec(`INSERT INTO public.visit VALUES (-1, '2026-01-01', 1)`)
				r.caughtUp()
			}
			require.NoError(t, c.stop())
			w.exec(`COMMIT PREPARED '` + gid + `small'`)
			c = r.start()
			public.events(21)
			w.exec(`ROLLBACK PREPARED '` + gid + `never'`)
			w.exec(`COMMIT PREPARED '` + gid + `large'`)
			w.visits(40_001, 10)
			all := public.shows(visits)
			once(t, all)
			require.Len(t, events(all), 5031)
			r.caughtUp()
			require.NoError(t, c.stop())
		})
	}
}

// turnTwoPhaseOn makes the slot one that sends transactions when they are
// prepared, as another reader of it may.
func (r *rig) turnTwoPhaseOn() {
	r.t.Helper()
	r.eventually(func() error { // the server may still be letting the slot go
		conn, err := postgres.ConnectReplication(r.t.Context(), r.admin)
		require.NoError(r.t, err)
		err = pglogrepl.StartReplication(r.t.Context(), conn, r.config.Slot, 0, pglogrepl.StartReplicationOptions{
			Mode: pglogrepl.LogicalReplication, PluginArgs: []string{"proto_version '3'", "publication_names '" + r.config.Publication + "'", "two_phase 'on'"}})
		return errors.Join(err, conn.Close(r.t.Context()))
	})
	var on bool
	require.NoError(r.t, r.query(`SELECT two_phase FROM pg_replication_slots WHERE slot_name = $1`, r.config.Slot).Scan(&on))
	require.True(r.t, on)
}

// P8, case 18: a transaction that is far larger than what the connector may
// keep does not make it larger.
func TestCase18TransactionLargerThanMemory(t *testing.T) {
	r := newStreamingRig(t)
	process := r.startProcess()
	r.eventually(func() error {
		if c := r.checkpoint(); !c.Tables["public.visit"].Complete || !c.Tables["public.patient"].Complete {
			return errors.New("the snapshot is not complete")
		}
		return nil
	})
	const rows = 400_000
	r.exec(fmt.Sprintf(`INSERT INTO public.patient SELECT n, lpad(n::text, 12, '0'), 'Người bệnh ' || n, repeat('ghi chú ', 20), n FROM generate_series(1, %d) n`, rows))
	r.eventually(func() error {
		if c := r.checkpoint(); c.Ordinal != rows {
			return fmt.Errorf("%d of %d events are in Kafka", c.Ordinal, rows)
		}
		return nil
	})
	require.Positive(t, r.segments())
	peak := peakMemory(t, process.PID())
	t.Logf("%d rows, at most %d MB resident", rows, peak>>20)
	require.Less(t, peak, 100<<20)
	r.caughtUp()
	require.NoError(t, process.Stop(t.Context()))
}

// peakMemory is the most that a process had resident, in bytes.
func peakMemory(t *testing.T, pid int) int {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	require.NoError(t, err)
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kb, err := strconv.Atoi(strings.Fields(rest)[0])
			require.NoError(t, err)
			return kb << 10
		}
	}
	require.Fail(t, "no VmHWM")
	return 0
}
