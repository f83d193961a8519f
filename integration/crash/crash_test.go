package crash

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/hopluu/hopluu/cmd/hopluu/dev"
	"github.com/hopluu/hopluu/cmd/hopluu/embedded"
	"github.com/hopluu/hopluu/deploy/local/generator"
	"github.com/hopluu/hopluu/deploy/local/systems"
	"github.com/hopluu/hopluu/integration/harness"
	"github.com/hopluu/hopluu/schemas/topic"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"
)

var (
	kills   = flag.Int("kills", 7, "how many processes to kill")
	seed    = flag.Uint64("seed", 0, "seed of the choices; 0 draws one and prints it")
	group   = flag.Int("group", 15, "after how many kills everything is compared")
	persons = flag.Int("persons", 800, "people of the generated city")
)

// within is how long a test waits for what must come: long, for a machine that
// is busy with other things.
const within = 6 * time.Minute

func TestMain(m *testing.M) { os.Exit(harness.Main(m)) }

// P2: whatever is killed, whenever, alone or with others, while sinks join their
// group and leave it, silver equals the source in the end, and bronze has nothing
// twice. Every process is killed alone at least once when there are kills enough.
// After each group of kills the load rests and everything is compared.
func TestCase25KillAnythingAnytime(t *testing.T) {
	if *seed == 0 {
		*seed = rand.Uint64()
	}
	t.Logf("run again with: go test ./integration/crash -seed %d -kills %d -group %d -persons %d", *seed, *kills, *group, *persons)
	random := rand.New(rand.NewPCG(*seed, 0))
	stack, gen := start(t)
	began := time.Now()
	load := startLoad(t, gen)
	compared := 0
	done := 0
	everybody := stack.Processes()
	for n, blow := range blows(everybody, random, *kills) {
		// Some rows further on, so that the blow falls into work.
		awaitGrowth(t, stack, int64(50+random.IntN(4000)))
		if random.IntN(3) == 0 {
			joinOrLeave(t, stack, seconds[random.IntN(len(seconds))])
		}
		allAlive(t, stack)
		strike(t, stack, blow)
		done += len(blow)
		t.Logf("blow %d, kill %d of %d: %s", n+1, done, *kills, strings.Join(blow, ", "))
		if done/(*group) > compared && done < *kills {
			compared = done / *group
			load.stop()
			reconciled(t, stack)
			load = startLoad(t, gen)
		}
	}
	load.finish()
	reconciled(t, stack)
	reviewable(t, stack)
	t.Logf("%d kills in %s", done, time.Since(began).Round(time.Second))
}

// seconds are other instances of stages, which join their groups and leave them.
var seconds = []string{dev.Sink + "-2", dev.Processor + "-2"}

// joinOrLeave has a second instance join, or leave in peace.
func joinOrLeave(t *testing.T, stack *dev.Stack, name string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	p, ok := stack.Process(name)
	switch {
	case !ok:
		require.NoError(t, stack.Stage(ctx, name))
		t.Log(name, "joins")
	case p.Running():
		require.NoError(t, p.Stop(ctx))
		t.Log(name, "leaves")
	default:
		require.NoError(t, p.Wait(), "%s ended by itself", name)
		require.NoError(t, p.Restart(ctx), "%s does not start again", name)
		t.Log(name, "joins again")
	}
}

// allAlive wants every process to run: what was killed is started again, and
// nothing ends by itself, whatever else was killed. Second instances alone may be
// away, when they left as they were asked to.
func allAlive(t *testing.T, stack *dev.Stack) {
	t.Helper()
	for _, name := range stack.Processes() {
		p, _ := stack.Process(name)
		if p.Running() {
			continue
		}
		require.NoError(t, p.Wait(), "%s ended by itself", name)
		require.Contains(t, seconds, name, "ended by itself")
	}
}

// strike kills processes at once, and starts them again, all of them together: a
// stage waits for what it needs. A second instance that is away stays away.
func strike(t *testing.T, stack *dev.Stack, blow []string) {
	t.Helper()
	var victims []*embedded.Process
	var killed sync.WaitGroup
	failed := make(chan error, len(blow))
	for _, name := range blow {
		p, ok := stack.Process(name)
		if !ok || !p.Running() && slices.Contains(seconds, name) {
			continue
		}
		victims = append(victims, p)
		killed.Go(func() { failed <- p.Kill() })
	}
	killed.Wait()
	close(failed)
	for err := range failed {
		require.NoError(t, err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	var starting errgroup.Group
	for _, p := range victims {
		starting.Go(func() error {
			if err := p.Restart(ctx); err != nil {
				return fmt.Errorf("%s does not start again: %w", p.Name, err)
			}
			return nil
		})
	}
	require.NoError(t, starting.Wait())
}

// loading is the load until it is stopped, at once or after its round.
type loading struct{ stop, finish func() }

func startLoad(t *testing.T, gen *generator.Generator) loading {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	ended := make(chan error, 1)
	enough := make(chan struct{})
	go func() { ended <- keepLoading(ctx, gen, enough) }()
	return loading{
		stop:   func() { cancel(); require.ErrorIs(t, <-ended, context.Canceled) },
		finish: func() { close(enough); require.NoError(t, <-ended) },
	}
}

// start brings up the whole stack in a folder of the test.
func start(t *testing.T) (*dev.Stack, *generator.Generator) {
	t.Helper()
	dir := harness.TempDir(t)
	log := slog.New(slog.NewTextHandler(t.Output(), nil))
	names, err := systems.Names()
	require.NoError(t, err)
	stack, err := dev.Servers(t.Context(), dev.StackConfig{
		Dir: dir, Parts: harness.Parts(t), Sectors: names, Bin: harness.Hopluu(t).Bin, Log: log,
	})
	require.NoError(t, err)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), within)
		defer cancel()
		require.NoError(t, stack.Stop(ctx))
		if t.Failed() {
			printTails(t, dir)
			keepLogs(t, dir)
		}
	})
	dsn := map[string]string{}
	for _, name := range names {
		dsn[name] = stack.AdminDSN(name)
	}
	gen, err := generator.New(generator.Config{Seed: *seed, Persons: *persons, DSN: dsn, Log: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	_, err = gen.Seed(t.Context())
	require.NoError(t, err)
	require.NoError(t, stack.Stages(t.Context()))
	return stack, gen
}

// printTails shows the ends of the stages' logs.
func printTails(t *testing.T, dir string) {
	logs, err := filepath.Glob(filepath.Join(dir, "*.log"))
	require.NoError(t, err)
	for _, path := range logs {
		data, err := os.ReadFile(path)
		require.NoError(t, err)
		t.Logf("%s:\n%s", filepath.Base(path), data[max(0, len(data)-4000):])
	}
}

// keepLogs copies the logs of all processes, in full, to where they outlive the
// test's folder.
func keepLogs(t *testing.T, dir string) {
	kept, err := os.MkdirTemp("", "hopluu-crash-logs-")
	require.NoError(t, err)
	for _, pattern := range []string{"*.log", "*.log.old", "*/log", "*/log.old"} {
		logs, err := filepath.Glob(filepath.Join(dir, pattern))
		require.NoError(t, err)
		for _, path := range logs {
			data, err := os.ReadFile(path)
			require.NoError(t, err)
			name, err := filepath.Rel(dir, path)
			require.NoError(t, err)
			require.NoError(t, os.WriteFile(filepath.Join(kept, strings.ReplaceAll(name, string(filepath.Separator), ".")), data, 0o600))
		}
	}
	t.Log("the logs of all processes are kept in", kept)
}

// keepLoading runs rounds of the load until enough is closed and the round that
// runs then is finished. A database that is killed breaks a round: it goes on
// where it was.
func keepLoading(ctx context.Context, gen *generator.Generator, enough <-chan struct{}) error {
	for {
		_, err := gen.Load(ctx, nil)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		select {
		case <-enough:
			if err == nil {
				return nil
			}
		default:
		}
		if err != nil {
			// The server comes back in a moment; the next try waits for it.
			tick := time.NewTimer(200 * time.Millisecond)
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-tick.C:
			}
		}
	}
}

// blows draws whom to kill, n processes in all: everybody alone once, in a drawn
// order, when n allows more than that; then one, two or three of them at once, the
// second instances among them.
func blows(names []string, random *rand.Rand, n int) (all [][]string) {
	shuffled := func(of []string) []string {
		of = slices.Clone(of)
		random.Shuffle(len(of), func(i, j int) { of[i], of[j] = of[j], of[i] })
		return of
	}
	if n > len(names) {
		for _, name := range shuffled(names) {
			all = append(all, []string{name})
		}
		n -= len(names)
	}
	everybody := append(slices.Clone(names), seconds...)
	for n > 0 {
		size := min(n, 1+random.IntN(3))
		all = append(all, shuffled(everybody)[:size])
		n -= size
	}
	return all
}

// awaitGrowth waits until the topics have grown by n records.
func awaitGrowth(t *testing.T, stack *dev.Stack, n int64) {
	t.Helper()
	var from int64 = -1
	harness.Eventually(t, within, func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, time.Minute)
		defer cancel()
		now, err := offsets(ctx, stack)
		if err != nil {
			return err
		}
		if from < 0 {
			from = now
		}
		if now-from < n {
			return fmt.Errorf("the topics grew by %d of %d", now-from, n)
		}
		return nil
	})
}

func offsets(ctx context.Context, stack *dev.Stack) (sum int64, err error) {
	client, err := topic.Dial(ctx, topic.Config{Brokers: stack.Settings.Kafka.Brokers, ClientID: "crash"})
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, client.Close()) }()
	names := []string{"hopluu.state.connector.health", "health.public.encounter", "tax.public.declaration", "population.public.citizen", "welfare.public.payment", "construction.public.permit"}
	counts, err := client.PartitionCounts(ctx, names...)
	if err != nil {
		return 0, err
	}
	var parts []topic.Partition
	for name, n := range counts {
		for id := range n {
			parts = append(parts, topic.Partition{Topic: name, ID: id})
		}
	}
	ends, err := client.EndOffsets(ctx, parts...)
	for _, end := range ends {
		sum += end
	}
	return sum, err
}

// reconciled runs `hopluu reconcile` and wants agreement.
func reconciled(t *testing.T, stack *dev.Stack) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*within)
	defer cancel()
	allAlive(t, stack)
	stdout, stderr, code, err := harness.Hopluu(t).Run(ctx, []string{"reconcile", "--json", "--catch-up", within.String(), "--config", stack.ConfigPath})
	require.NoError(t, err, stderr)
	if code != 0 {
		at, _, _, err := harness.Hopluu(t).Run(ctx, []string{"sink", "status", "--config", stack.ConfigPath})
		t.Logf("where the sink stands (%v):\n%s", err, at)
	}
	require.Zero(t, code, "%s\n%s", stdout, stderr)
	var results []struct {
		Source, Table string
		SourceRows    int64 `json:"source_rows"`
		OK            bool  `json:"ok"`
	}
	require.NoError(t, json.Unmarshal([]byte(stdout), &results))
	require.Greater(t, len(results), 10)
	var rows int64
	for _, r := range results {
		require.True(t, r.OK, "%s.%s", r.Source, r.Table)
		rows += r.SourceRows
	}
	require.Positive(t, rows)
	t.Logf("%d tables, %d rows agree", len(results), rows)
	require.Empty(t, doubled(t, stack), "events that bronze has twice")
}

// reviewable wants the review desk to answer by the configuration alone that a
// demonstration writes: pairs wait, two records are explained, and what erasing a
// person would take is shown.
func reviewable(t *testing.T, stack *dev.Stack) {
	t.Helper()
	identity := func(ctx context.Context, args ...string) (stdout, stderr string, code int) {
		stdout, stderr, code, err := harness.Hopluu(t).Run(ctx, append([]string{"identity", "--config", stack.ConfigPath}, args...))
		require.NoError(t, err)
		return stdout, stderr, code
	}
	// A second matcher may be who answers, at an address that no configuration has.
	if p, ok := stack.Process(dev.Processor + "-2"); ok && p.Running() {
		require.NoError(t, p.Stop(t.Context()))
	}
	var list struct {
		You     string
		Reviews []struct{ A, B string }
	}
	harness.Eventually(t, within, func(ctx context.Context) error {
		stdout, stderr, code := identity(ctx, "review", "--list", "--json")
		if code != 0 {
			return fmt.Errorf("exit code %d: %s", code, stderr)
		}
		if err := json.Unmarshal([]byte(stdout), &list); err != nil || len(list.Reviews) == 0 {
			return fmt.Errorf("nothing waits for a person: %s (%w)", stdout, err)
		}
		return nil
	})
	require.Equal(t, "demo", list.You)
	pair := list.Reviews[0]
	stdout, stderr, code := identity(t.Context(), "explain", pair.A, pair.B)
	require.Zero(t, code, stderr)
	require.Contains(t, stdout, pair.A)
	// Nobody answers whether to erase: what would go is shown, and nothing goes.
	stdout, stderr, code = identity(t.Context(), "erase", "--record", pair.A, "--reason", "a test")
	require.Equal(t, 2, code)
	require.Contains(t, stdout, pair.A)
	require.Contains(t, stderr, "nothing is erased")
}

// doubled gives the tables of bronze that have a record of a topic twice, those of
// identities among them.
func doubled(t *testing.T, stack *dev.Stack) (found []string) {
	t.Helper()
	options, err := clickhouse.ParseDSN(stack.Settings.ClickHouse.DSN)
	require.NoError(t, err)
	house, err := clickhouse.Open(options)
	require.NoError(t, err)
	defer func() { require.NoError(t, house.Close()) }()
	var tables []string
	require.NoError(t, house.QueryRow(t.Context(), "SELECT groupArray(table) FROM system.columns WHERE database = 'bronze' AND name = '_offset'").Scan(&tables))
	require.Greater(t, len(tables), 10)
	for _, table := range tables {
		var rows, places uint64
		require.NoError(t, house.QueryRow(t.Context(), "SELECT count(), uniqExact(_topic, _partition, _offset) FROM bronze.`"+table+"`").Scan(&rows, &places))
		if rows != places {
			found = append(found, fmt.Sprintf("%s: %d rows of %d records", table, rows, places))
		}
	}
	return found
}
