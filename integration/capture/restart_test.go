package capture

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"syscall"
	"testing"

	"github.com/hopluu/hopluu/connectors"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"
)

// load writes transactions from several connections at once, so that they
// interleave in the log, and gives how many events they are. Each connection
// has patients of its own; the seed says what becomes of them.
func (r *rig) load(ctx context.Context, writers, transactions, rows int) (wait func() error, total int) {
	const seed = 20260214
	var group errgroup.Group
	for w := range writers {
		random := rand.New(rand.NewPCG(seed, uint64(w)))
		var scripts []string
		next, live := 0, []int{}
		for range transactions {
			script := "BEGIN;"
			for range rows {
				switch dice := random.IntN(10); {
				case dice < 5 || len(live) == 0:
					next++
					id := w*1_000_000 + next
					live = append(live, id)
					script += fmt.Sprintf("INSERT INTO public.patient VALUES (%d, '%012d', 'Người %d', 'ghi chú', %d);", id, id, id, dice)
				case dice < 9:
					script += fmt.Sprintf("UPDATE public.patient SET paid = coalesce(paid, 0) + 1 WHERE patient_id = %d;", live[random.IntN(len(live))])
				default:
					i := random.IntN(len(live))
					script += fmt.Sprintf("DELETE FROM public.patient WHERE patient_id = %d;", live[i])
					live = append(live[:i], live[i+1:]...)
				}
				total++
			}
			scripts = append(scripts, script+"COMMIT;")
		}
		group.Go(func() error {
			conn, err := pgx.Connect(ctx, r.admin)
			if err != nil {
				return err
			}
			for _, script := range scripts {
				if _, err := conn.PgConn().Exec(ctx, script).ReadAll(); err != nil {
					return err
				}
			}
			return conn.Close(ctx)
		})
	}
	return group.Wait, total
}

// Transactions that interleave lose nothing over restarts, and nothing stands
// twice, however often the connector stops in their middle.
func TestCase01RestartsInTheMiddle(t *testing.T) {
	r := newRig(t)
	c := r.start()
	r.ready(c)
	public := r.tail(r.public("patient"))
	wait, total := r.load(t.Context(), 4, 100, 50)
	require.Equal(t, 20_000, total)
	for i := range 6 {
		public.events((i + 1) * 2500)
		require.NoError(t, c.stop())
		c = r.start()
	}
	require.NoError(t, wait())
	all := public.shows(patients)
	require.Equal(t, total, len(events(all)))
	once(t, all)
	require.NoError(t, c.stop())
	vault := r.tail(r.vault("patient"))
	once(t, vault.events(total))
}

// stopsHere is what makes a connector stop in the middle of a transaction when
// the registry holds its answer about it: a definition that is new.
const stopsHere = `ALTER TABLE public.visit ADD COLUMN room int; INSERT INTO public.visit VALUES (-1, '2026-01-01', 1, 1)`

// Many rows share one LSN; SIGKILL in their middle, after a part of them is in
// Kafka, loses none of the rest and doubles none.
func TestCase02KilledInsideALargeTransaction(t *testing.T) {
	r := newRig(t)
	process := r.startProcess()
	r.complete("public.patient")
	r.complete("public.visit")
	arrived, goOn := r.hold("room")
	const rows = 50_000
	r.exec(fmt.Sprintf(`BEGIN; INSERT INTO public.patient SELECT n, NULL, 'Người ' || n, repeat(md5(n::text), 30), n FROM generate_series(1, %d) n; `+stopsHere+`; COMMIT`, rows))
	arrived()
	require.NoError(t, process.Kill())
	goOn()
	cut := r.checkpoint()
	require.NotZero(t, cut.Ordinal, "the transaction is larger than one of Kafka's")
	require.LessOrEqual(t, int(cut.Ordinal), rows, "it was killed in the middle of the transaction")
	require.Less(t, cut.Confirmed, cut.LSN, "P1: nothing of it is confirmed")
	c := r.start()
	r.caughtUp()
	all := r.tail(r.public("patient")).events(rows)
	require.NoError(t, c.stop())
	require.Equal(t, rows, len(all))
	once(t, all)
	once(t, r.tail(r.public("visit")).events(1))
}

// Case 34: a connector that was stopped, as by a machine that sleeps, and goes
// on after its successor has started writes nothing, and ends.
func TestCase34Zombie(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	zombie := r.startProcess()
	public := r.tail(r.public("patient"))
	r.complete("public.patient")
	wait, total := r.load(t.Context(), 4, 100, 50)
	public.events(1000)
	require.NoError(t, zombie.Signal(syscall.SIGSTOP))
	successor := r.start()
	public.events(total / 2)
	require.NoError(t, zombie.Signal(syscall.SIGCONT))
	require.Error(t, zombie.Wait(), "it ends by itself")
	require.NoError(t, wait())
	all := public.shows(patients)
	require.NoError(t, successor.stop())
	require.Equal(t, total, len(events(all)))
	once(t, all)
	log, err := os.ReadFile(zombie.Log)
	require.NoError(t, err)
	require.Contains(t, string(log), "another connector captures source")
}

// Two connectors of one source: the one that started last captures, the other
// ends and says why; neither harms the events.
func TestCase34TwoConnectors(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	first := r.start()
	r.ready(first)
	public := r.tail(r.public("patient"))
	wait, total := r.load(t.Context(), 4, 100, 50)
	public.events(1000)
	second := r.start()
	err := r.endOf(first)
	var superseded *connectors.SupersededError
	require.ErrorAs(t, err, &superseded)
	require.NoError(t, wait())
	all := public.shows(patients)
	require.NoError(t, second.Ready())
	require.NoError(t, second.stop())
	require.Equal(t, total, len(events(all)))
	once(t, all)
}
