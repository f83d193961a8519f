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
	"testing"
	"time"

	"github.com/hopluu/hopluu/cmd/hopluu/dev"
	"github.com/hopluu/hopluu/deploy/local/generator"
	"github.com/hopluu/hopluu/deploy/local/systems"
	"github.com/hopluu/hopluu/integration/harness"
	"github.com/hopluu/hopluu/schemas/topic"
	"github.com/stretchr/testify/require"
)

var (
	kills   = flag.Int("kills", 7, "how many processes to kill")
	seed    = flag.Uint64("seed", 0, "seed of the choices; 0 draws one and prints it")
	persons = flag.Int("persons", 800, "people of the generated city")
)

// within is how long a test waits for what must come: long, for a machine that
// is busy with other things.
const within = 6 * time.Minute

func TestMain(m *testing.M) { os.Exit(harness.Main(m)) }

// P2: whatever is killed, whenever, silver equals the source in the end. Each
// process is killed at least once when there are kills enough.
func TestCase25KillAnythingAnytime(t *testing.T) {
	if *seed == 0 {
		*seed = rand.Uint64()
	}
	t.Logf("run again with: go test ./integration/crash -seed %d -kills %d -persons %d", *seed, *kills, *persons)
	random := rand.New(rand.NewPCG(*seed, 0))
	stack, gen := start(t)
	log, err := os.ReadFile(stack.ConfigPath)
	require.NoError(t, err)
	require.NotEmpty(t, log)

	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	load := make(chan error, 1)
	enough := make(chan struct{})
	go func() { load <- keepLoading(ctx, gen, enough) }()

	victims := victimsOf(stack, random, *kills)
	for i, name := range victims {
		// Some rows further on, so that the blow falls into work.
		awaitGrowth(t, stack, int64(50+random.IntN(4000)))
		p, ok := stack.Process(name)
		require.True(t, ok, name)
		require.NoError(t, p.Kill())
		bound, cancel := context.WithTimeout(ctx, within)
		require.NoError(t, p.Restart(bound), "%s does not start again", name)
		cancel()
		t.Logf("kill %d of %d: %s", i+1, len(victims), name)
	}
	close(enough)
	require.NoError(t, <-load)
	reconciled(t, stack)
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

// victimsOf draws whom to kill: everybody once, in a drawn order, then anybody.
func victimsOf(stack *dev.Stack, random *rand.Rand, n int) []string {
	names := stack.Processes()
	var victims []string
	for len(victims) < n {
		round := append([]string(nil), names...)
		random.Shuffle(len(round), func(i, j int) { round[i], round[j] = round[j], round[i] })
		victims = append(victims, round...)
	}
	return victims[:n]
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
	stdout, stderr, code, err := harness.Hopluu(t).Run(ctx, []string{"reconcile", "--json", "--catch-up", within.String(), "--config", stack.ConfigPath})
	require.NoError(t, err, stderr)
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
}
