// Command bench measures each stage by itself on real parts: the connector
// takes what waits in the sources to Kafka, then the matcher solves it, then
// the sink lands it. It prints rows/s, CPU seconds a million rows and peak
// memory of each stage's process, so that later work has a number to beat.
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/hopluu/hopluu/cmd/hopluu/dev"
	"github.com/hopluu/hopluu/cmd/hopluu/embedded/parts"
	"github.com/hopluu/hopluu/deploy/local/generator"
	"github.com/hopluu/hopluu/deploy/local/systems"
	"github.com/hopluu/hopluu/integration/bench/usage"
	"github.com/hopluu/hopluu/schemas/sectors"
	"github.com/hopluu/hopluu/schemas/topic"
)

var persons = flag.Int("persons", 30_000, "people of the generated city; a person has about 8 rows")

func main() {
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) (err error) {
	dir, err := os.MkdirTemp("/var/tmp", "hopluu-bench-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if err := os.Chmod(dir, 0o755); err != nil {
		return err
	}
	bin := filepath.Join(dir, "hopluu")
	if out, err := exec.CommandContext(ctx, "go", "build", "-o", bin, "github.com/hopluu/hopluu/cmd/hopluu").CombinedOutput(); err != nil {
		return fmt.Errorf("build: %w: %s", err, out)
	}
	paths, err := parts.Ensure(ctx, "", nil)
	if err != nil {
		return err
	}
	names, err := systems.Names()
	if err != nil {
		return err
	}
	stack, err := dev.Servers(ctx, dev.StackConfig{Dir: dir, Parts: paths, Sectors: names, Bin: bin, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stack.Stop(context.WithoutCancel(ctx))) }()
	dsn := map[string]string{}
	for _, name := range names {
		dsn[name] = stack.AdminDSN(name)
	}
	gen, err := generator.New(generator.Config{Seed: 1, Persons: *persons, DSN: dsn})
	if err != nil {
		return err
	}
	fmt.Printf("seeding %d people …\n", *persons)
	if _, err := gen.Seed(ctx); err != nil {
		return err
	}
	if err := stack.Stages(ctx, dev.Registry); err != nil {
		return err
	}
	fmt.Printf("%-22s %10s %10s %12s %16s %12s\n", "stage", "rows", "seconds", "rows/s", "CPU s/M rows", "peak MB")
	set, err := sectors.Load()
	if err != nil {
		return err
	}
	public, vault := topicsOf(set, names)
	kafka, err := topic.Dial(ctx, topic.Config{Brokers: stack.Settings.Kafka.Brokers, ClientID: "bench"})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, kafka.Close()) }()

	if err := stage(ctx, stack, "connector (snapshot)", dev.Connector, ready(stack, dev.Connector), rowsIn(kafka, public)); err != nil {
		return err
	}
	// The load is written while nothing captures it: it waits in the slots.
	before, err := rowsIn(kafka, public)(ctx)
	if err != nil {
		return err
	}
	counts, err := gen.Load(ctx, nil)
	if err != nil {
		return err
	}
	streamed := func(ctx context.Context) (int64, error) {
		now, err := rowsIn(kafka, public)(ctx)
		return now - before, err
	}
	caughtUp := func(ctx context.Context) (bool, error) {
		out, err := exec.CommandContext(ctx, bin, "connector", "status", "--json", "-c", stack.ConfigPath).Output()
		return err == nil && !bytes.Contains(out, []byte(`"state": "stopped"`)) && drained(out), err
	}
	if err := stage(ctx, stack, "connector (stream)", dev.Connector, caughtUp, streamed); err != nil {
		return err
	}
	if err := stage(ctx, stack, "matcher", dev.Processor, ready(stack, dev.Processor), rowsIn(kafka, vault)); err != nil {
		return err
	}
	landed := func(ctx context.Context) (bool, error) {
		var all []topic.Partition
		for _, name := range public {
			counts, err := kafka.PartitionCounts(ctx, name)
			if err != nil {
				return false, err
			}
			for id := range counts[name] {
				all = append(all, topic.Partition{Topic: name, ID: id})
			}
		}
		ends, err := kafka.EndOffsets(ctx, all...)
		if err != nil {
			return false, err
		}
		committed, err := kafka.Committed(ctx, stack.Settings.Sink.Group, all...)
		if err != nil {
			return false, err
		}
		for _, p := range all {
			if committed[p] < ends[p] {
				return false, nil
			}
		}
		return true, nil
	}
	if err := stage(ctx, stack, "sink", dev.Sink, landed, rowsIn(kafka, public)); err != nil {
		return err
	}
	fmt.Printf("the load made %d row changes\n", counts.Rows())
	return nil
}

// drained tells from `connector status --json` that no slot is far behind: what
// remains is the server's own noise.
func drained(status []byte) bool {
	for _, line := range bytes.Split(status, []byte("\n")) {
		value, ok := bytes.CutPrefix(bytes.TrimSpace(line), []byte(`"behind_bytes": `))
		if !ok {
			continue
		}
		n, err := strconv.ParseInt(string(bytes.TrimSuffix(value, []byte(","))), 10, 64)
		if err != nil || n > 100_000 {
			return false
		}
	}
	return true
}

func topicsOf(set *sectors.Set, sources []string) (public, vault []string) {
	for _, source := range sources {
		sector, ok := set.Sector(source)
		if !ok {
			continue
		}
		for _, t := range sector.Tables {
			public = append(public, topic.Public(source, t.Schema, t.Name))
			if t.Vault() {
				vault = append(vault, topic.Vault(source, t.Schema, t.Name))
			}
		}
	}
	return public, vault
}

// rowsIn sums the end offsets of topics: events, tombstones and the few
// transaction markers.
func rowsIn(kafka *topic.Client, names []string) func(context.Context) (int64, error) {
	return func(ctx context.Context) (int64, error) {
		counts, err := kafka.PartitionCounts(ctx, names...)
		if err != nil {
			return 0, err
		}
		var all []topic.Partition
		for name, n := range counts {
			for id := range n {
				all = append(all, topic.Partition{Topic: name, ID: id})
			}
		}
		ends, err := kafka.EndOffsets(ctx, all...)
		var sum int64
		for _, end := range ends {
			sum += end
		}
		return sum, err
	}
}

func ready(stack *dev.Stack, name string) func(context.Context) (bool, error) {
	return func(ctx context.Context) (bool, error) {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+stack.Health(name)+"/readyz", nil)
		if err != nil {
			return false, err
		}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			return false, err
		}
		_, err = io.Copy(io.Discard, response.Body)
		return response.StatusCode == http.StatusOK, errors.Join(err, response.Body.Close())
	}
}

// stage starts a process, waits until it is through, prints what it used and
// stops it.
func stage(ctx context.Context, stack *dev.Stack, title, name string, done func(context.Context) (bool, error), rows func(context.Context) (int64, error)) error {
	began := time.Now()
	if err := stack.Stage(ctx, name); err != nil {
		return err
	}
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		ok, err := done(ctx)
		if ok {
			break
		}
		if err != nil && ctx.Err() != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
	seconds := time.Since(began).Seconds()
	p, _ := stack.Process(name)
	cpu, err := usage.CPU(p.PID())
	if err != nil {
		return err
	}
	peak, err := usage.PeakMB(p.PID())
	if err != nil {
		return err
	}
	n, err := rows(ctx)
	if err != nil {
		return err
	}
	fmt.Printf("%-22s %10d %10.1f %12.0f %16.1f %12.0f\n", title, n, seconds, float64(n)/seconds, cpu/float64(n)*1e6, peak)
	return p.Stop(ctx)
}
