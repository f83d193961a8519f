package capture

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hopluu/hopluu/connectors"
	"github.com/hopluu/hopluu/integration/harness"
	"github.com/hopluu/hopluu/schemas/event"
	"github.com/stretchr/testify/require"
)

var (
	kills    = flag.Int("kills", 8, "how often to kill the connector")
	seed     = flag.Uint64("seed", 0, "seed of the choices; 0 draws one and prints it")
	needKcat = flag.Bool("kcat", false, "fail when kcat is not installed, instead of counting without it")
)

func TestMain(m *testing.M) { os.Exit(harness.Main(m)) }

// P1, P2, P6: however often the connector is killed, whenever, and whatever
// happens to its broker and its database, every event is in Kafka exactly once.
func TestKilledAtAnyPoint(t *testing.T) {
	if *seed == 0 {
		*seed = rand.Uint64()
	}
	t.Logf("run again with: make crash-capture SEED=%d KILLS=%d", *seed, *kills)
	require.True(t, hasKcat() || !*needKcat, "kcat, librdkafka's consumer, is not installed: apt-get install kcat")

	s := begin(t)
	for n := range *kills {
		s.round(n)
	}
	require.NoError(t, s.load.end())
	t.Logf("%4.0f s: the load ends", time.Since(s.began).Seconds())
	s.settle()
	t.Logf("%4.0f s: all is captured", time.Since(s.began).Seconds())
	s.verify()
	s.reconcile()
	t.Logf("%d kills of the connector (%s), %s; %.0f s", *kills, summary(s.kills), summary(s.blows), time.Since(s.began).Seconds())
}

// siege is the state of the run.
type siege struct {
	*world
	random    *rand.Rand
	load      *load
	ledger    *ledger
	epoch     uint32
	connector *connector
	spare     *connector // takes the connector's place when that became a zombie
	kills     map[string]int
	blows     map[string]int
	pending   []string // blows still to come in this turn
	began     time.Time
	told      int // kills so far
}

// begin starts everything, the first kills falling into the first start.
func begin(t *testing.T) *siege {
	t.Helper()
	rows := 40_000
	if *kills >= 50 {
		rows = 150_000
	}
	s := &siege{world: newWorld(t, rows), random: rand.New(rand.NewPCG(*seed, 0)), ledger: newLedger(), began: time.Now(), kills: map[string]int{}, blows: map[string]int{}}
	s.connector, s.spare = s.newConnector(), s.newConnector()
	s.exec(fmt.Sprintf(`SELECT pg_create_logical_replication_slot('%s', 'pgoutput')`, witness))
	for range 2 {
		s.connector.start()
		s.pass(600)
		require.NoError(t, s.connector.p.Kill())
	}
	s.connector.start()
	harness.Eventually(t, within, func(context.Context) error {
		c := s.checkpoint()
		if !c.Started() {
			return fmt.Errorf("nothing is captured yet:\n%s", s.connector.log())
		}
		s.epoch = c.Epoch
		return nil
	})
	// What is written from here on is of the slot's epoch, and all of it is due.
	s.load = s.startLoad(*seed)
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("connector:\n%s", s.connector.log())
		}
	})
	return s
}

// pass lets the others work for a time of up to some milliseconds.
func (s *siege) pass(upTo int) {
	timer := time.NewTimer(time.Duration(s.random.IntN(upTo)) * time.Millisecond)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-s.t.Context().Done():
	}
}

// round brings the connector somewhere and kills it there.
func (s *siege) round(n int) {
	s.t.Helper()
	if s.random.IntN(4) == 0 && !reading(s.checkpoint()) {
		// There is a snapshot again for kills to fall into.
		table := "public." + []string{"reading", "reading", "patient"}[s.random.IntN(3)]
		ctx, cancel := context.WithTimeout(s.t.Context(), within)
		require.NoError(s.t, connectors.Resnapshot(ctx, s.client, source, table))
		cancel()
	}
	if !s.connector.running() {
		s.connector.start()
	}
	blow := s.blow()
	if blow != "" && blow != inside {
		s.works()
		s.pass(1500)
		s.blows[blow]++
		s.t.Logf("%4.0f s: %s", time.Since(s.began).Seconds(), blow)
		switch blow {
		case "zombies":
			s.zombie()
		case "broker kills":
			require.NoError(s.t, s.broker.Kill())
			s.perhapsKill()
			require.NoError(s.t, s.broker.Restart(s.t.Context()))
		case "broker restarts":
			require.NoError(s.t, s.broker.Restart(s.t.Context()))
		case "database kills":
			require.NoError(s.t, s.server.Kill())
			s.perhapsKill()
			s.restartDatabase()
		case "database restarts":
			s.restartDatabase()
		}
		if !s.connector.running() {
			s.connector.start()
		}
	}
	switch {
	case blow == inside:
		s.comeInto()
	case s.random.IntN(5) > 0:
		s.works()
		s.pass(2000)
	default: // it is killed in its start, most likely
		s.pass(2000)
	}
	s.kill()
	if n%10 == 9 {
		s.read()
	}
}

// restartDatabase waits for the backends of a server that was killed: one in the
// middle of a long statement outlives its server, and keeps the data from the
// next, until it looks up.
func (s *siege) restartDatabase() {
	s.t.Helper()
	harness.Eventually(s.t, 2*within, s.server.Restart)
}

// blow draws what else befalls in this round: each kind once in a turn of
// rounds, then again.
func (s *siege) blow() string {
	if len(s.pending) == 0 {
		kinds, turn := []string{"zombies", "broker kills", "database kills", inside, "broker restarts", "database restarts", inside, inside, inside}, 20
		if *kills < turn { // a short run has the worst
			kinds, turn = kinds[:4], max(*kills, 4)
		}
		s.pending = make([]string, turn)
		copy(s.pending, kinds)
		s.random.Shuffle(turn, func(i, j int) { s.pending[i], s.pending[j] = s.pending[j], s.pending[i] })
	}
	blow := s.pending[0]
	s.pending = s.pending[1:]
	return blow
}

// works waits until the connector reads or streams.
func (s *siege) works() {
	s.t.Helper()
	harness.Eventually(s.t, within, func(context.Context) error {
		if !s.connector.running() {
			require.FailNow(s.t, "the connector ended by itself", s.connector.log())
		}
		if s.connector.phase() == starting {
			return errors.New("the connector does not come to work")
		}
		return nil
	})
}

// farBehind is how much of the log may wait for the connector, in bytes: what it
// has to catch up with at the end.
const farBehind = 64 << 20

// kill kills the connector, and notes what it was at.
func (s *siege) kill() {
	s.t.Helper()
	require.True(s.t, s.connector.running(), "the connector ended by itself:\n%s", s.connector.log())
	phase := s.connector.phase()
	require.NoError(s.t, s.connector.p.Kill())
	if c := s.checkpoint(); phase != starting && reading(c) {
		phase = snapshot
	} else if c.LSN > c.Confirmed {
		phase = inside
	}
	s.kills[phase]++
	s.told++
	s.load.rests.Store(s.written() > s.checkpoint().Confirmed+farBehind)
	s.t.Logf("%4.0f s: kill %d of %d, %s", time.Since(s.began).Seconds(), s.told, *kills, phase)
}

// comeInto writes a transaction that is larger than Kafka's are, and waits until
// a part of it is in Kafka.
func (s *siege) comeInto() {
	s.t.Helper()
	harness.Eventually(s.t, within, func(context.Context) error {
		if c := s.checkpoint(); reading(c) || s.connector.phase() != streaming {
			return errors.New("the snapshot is not done")
		}
		return nil
	})
	s.exec(`DELETE FROM public.reading WHERE reading_id > 9000000000;
		INSERT INTO public.reading SELECT 9000000000 + n, n, n, repeat(md5(n::text), 300) FROM generate_series(1, 5000) n`)
	end := s.written()
	harness.Eventually(s.t, within, func(context.Context) error {
		// The kill comes too late when the connector is very fast.
		if c := s.checkpoint(); c.LSN <= c.Confirmed && c.Confirmed < end {
			return fmt.Errorf("nothing of the transaction shows: %+v", c)
		}
		return nil
	})
}

// perhapsKill kills the connector while a server is away, or not.
func (s *siege) perhapsKill() {
	s.pass(1000)
	if s.random.IntN(2) == 0 {
		require.NoError(s.t, s.connector.p.Kill())
		s.blows["kills meanwhile"]++
	}
}

// zombie stops the connector as a machine that sleeps does, starts a successor
// and wakes the old one, which must end by itself (case 34).
func (s *siege) zombie() {
	s.t.Helper()
	zombie := s.connector
	require.NoError(s.t, zombie.p.Signal(syscall.SIGSTOP))
	s.connector, s.spare = s.spare, zombie
	s.connector.start()
	s.works()
	s.pass(1500)
	require.NoError(s.t, zombie.p.Signal(syscall.SIGCONT))
	select {
	case <-zombie.p.Done():
	case <-time.After(within):
		require.FailNow(s.t, "the zombie does not end", zombie.log())
	}
	require.Error(s.t, zombie.p.Wait(), "it says why")
	require.Contains(s.t, zombie.log(), "another connector captures source")
}

// read brings the ledger up to date.
func (s *siege) read() {
	s.t.Helper()
	end := s.written()
	conn := s.connect()
	require.NoError(s.t, s.ledger.read(s.t.Context(), conn, end))
	require.NoError(s.t, conn.Close(s.t.Context()))
}

// settle lets a connector finish all that there is, and ends it cleanly.
func (s *siege) settle() {
	s.t.Helper()
	s.connector.start()
	end := s.written()
	harness.Eventually(s.t, 5*within, func(ctx context.Context) error {
		if !s.connector.running() {
			require.FailNow(s.t, "the connector ended by itself", s.connector.log())
		}
		if c := s.checkpoint(); c.Confirmed < end || reading(c) {
			return fmt.Errorf("the checkpoint stands at %s of %s: %+v", c.Confirmed, end, c.Tables)
		}
		return nil
	})
	require.NoError(s.t, s.connector.p.Stop(s.t.Context()))
	require.NoError(s.t, s.connector.p.Wait(), "an end that was asked for has exit code 0")
	s.read()
}

// written is how far the database's log goes.
func (s *siege) written() event.LSN {
	s.t.Helper()
	conn := s.connect()
	var text string
	require.NoError(s.t, conn.QueryRow(s.t.Context(), `SELECT pg_current_wal_lsn()::text`).Scan(&text))
	end, err := event.ParseLSN(text)
	require.NoError(s.t, err)
	require.NoError(s.t, conn.Close(s.t.Context()))
	return end
}

// reconcile lands the topics in ClickHouse and compares it with the tables, as
// an operator does.
func (s *siege) reconcile() {
	s.t.Helper()
	s.land()
	s.connector.start()
	var results []struct {
		Table      string
		SourceRows int64 `json:"source_rows"`
		Duplicates int64
		OK         bool
	}
	text := s.good("reconcile", "--json", "--catch-up", "5m")
	require.NoError(s.t, json.Unmarshal([]byte(text), &results), text)
	require.Len(s.t, results, len(wardTables))
	var rows int64
	for _, r := range results {
		require.True(s.t, r.OK, text)
		rows += r.SourceRows
	}
	s.t.Logf("hopluu reconcile: %d tables, %d rows agree", len(results), rows)
	require.NoError(s.t, s.connector.p.Stop(s.t.Context()))
}

// verify counts what is in the topics, with two other libraries.
func (s *siege) verify() {
	s.t.Helper()
	c := s.checkpoint()
	require.Equal(s.t, s.epoch, c.Epoch, "the slot was never made anew")
	for name, table := range c.Tables {
		require.Empty(s.t, table.Quarantined, name)
	}
	conn := s.connect()
	brokers := s.broker.Brokers()
	consumers := map[string]func(context.Context, string, func(sighting) error) error{
		"franz-go": func(ctx context.Context, name string, see func(sighting) error) error {
			return franz(ctx, s.client, brokers, name, see)
		},
	}
	if hasKcat() {
		consumers["kcat (librdkafka)"] = func(ctx context.Context, name string, see func(sighting) error) error {
			return kcat(ctx, brokers, name, see)
		}
	} else {
		s.t.Log("kcat is not installed: librdkafka does not count; apt-get install kcat")
	}
	for who, consume := range consumers {
		ctx, cancel := context.WithTimeout(s.t.Context(), 20*time.Minute)
		count := newTally(s.ledger, s.epoch, s.schemas)
		for _, name := range topics() {
			require.NoError(s.t, consume(ctx, name, func(seen sighting) error { return count.see(ctx, seen) }))
		}
		cancel()
		count.finish()
		s.t.Logf("%s: %d events of %d transactions, %d rows read by snapshots, %d tombstones: duplicates %d, missing %d, wrong %d",
			who, s.ledger.events, len(s.ledger.transactions), count.counts.reads, count.counts.tombstones, count.duplicates, count.missing, count.wrong)
		require.Zero(s.t, count.duplicates+count.missing+count.wrong, "%s:\n%s", who, strings.Join(count.faults, "\n"))
		for _, table := range wardTables {
			columns, want, err := sourceTable(s.t.Context(), conn, table)
			require.NoError(s.t, err)
			requireSame(s.t, table, want, count.rows.table(table, columns))
		}
	}
	require.Greater(s.t, s.ledger.events, 100*(*kills), "the load was too little to prove anything")
	require.NoError(s.t, conn.Close(s.t.Context()))
}

// requireSame compares sorted lines, and shows the first that differ.
func requireSame(t *testing.T, table string, want, got []string) {
	t.Helper()
	for i, line := range want {
		if i >= len(got) || got[i] != line {
			require.FailNow(t, "the topic of "+table+" gives other rows", "%d rows, the source has %d; row %d\nsource: %s\ntopic:  %s", len(got), len(want), i, line, strings.Join(got[min(i, len(got)):min(i+2, len(got))], "\n        "))
		}
	}
	require.Len(t, got, len(want), "rows of %s that the source does not have: %v", table, got[len(want):min(len(got), len(want)+3)])
}

func summary(counts map[string]int) string {
	var parts []string
	for _, name := range []string{starting, snapshot, streaming, inside, "zombies", "broker kills", "broker restarts", "database kills", "database restarts", "kills meanwhile"} {
		if n, ok := counts[name]; ok {
			parts = append(parts, fmt.Sprintf("%s %d", name, n))
		}
	}
	return strings.Join(parts, ", ")
}
