package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/hopluu/hopluu/cmd/hopluu/dev"
	"github.com/hopluu/hopluu/cmd/hopluu/embedded"
	"github.com/hopluu/hopluu/cmd/hopluu/embedded/parts"
	"github.com/hopluu/hopluu/deploy/local/generator"
	"github.com/hopluu/hopluu/deploy/local/systems"
)

var (
	minutes = flag.Float64("minutes", 20, "how long the load runs")
	rate    = flag.Float64("rate", 300, "row changes a second, over all sources")
	persons = flag.Int("persons", 2000, "people of the generated city")
	every   = flag.Duration("every", 5*time.Second, "between two samples")
	out     = flag.String("out", "soak.json", "where the JSON goes; empty for nowhere")
)

func main() {
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	v, err := soak(ctx)
	switch {
	case err != nil:
		fmt.Fprintln(os.Stderr, "soak:", err)
		os.Exit(2)
	case !v.OK:
		os.Exit(1)
	}
}

// rig is the stack under load.
type rig struct {
	bin   string
	stack *dev.Stack
	house driver.Conn
	began time.Time
	all   []sample
}

// settleBound is how long the sink may take to catch up, at the beginning and
// at the end.
const settleBound = 15 * time.Minute

func soak(ctx context.Context) (v verdict, err error) {
	dir, err := os.MkdirTemp("/var/tmp", "hopluu-soak-")
	if err != nil {
		return v, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	r := &rig{bin: filepath.Join(dir, "hopluu")}
	if text, err := exec.CommandContext(ctx, "go", "build", "-o", r.bin, "./cmd/hopluu").CombinedOutput(); err != nil {
		return v, fmt.Errorf("building hopluu: %w: %s", err, text)
	}
	paths, err := parts.Ensure(ctx, "", nil)
	if err != nil {
		return v, err
	}
	names, err := systems.Names()
	if err != nil {
		return v, err
	}
	r.stack, err = dev.Servers(ctx, dev.StackConfig{Dir: filepath.Join(dir, "stack"), Parts: paths, Sectors: names, Bin: r.bin, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return v, err
	}
	defer func() { err = errors.Join(err, r.stack.Stop(context.WithoutCancel(ctx))) }()
	dsn := map[string]string{}
	for _, name := range names {
		dsn[name] = r.stack.AdminDSN(name)
	}
	gen, err := generator.New(generator.Config{Seed: 1, Persons: *persons, DSN: dsn, Rate: *rate, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return v, err
	}
	if _, err := gen.Seed(ctx); err != nil {
		return v, err
	}
	if err := r.stack.Stages(ctx); err != nil {
		return v, err
	}
	if err := r.captured(ctx); err != nil {
		return v, err
	}
	options, err := clickhouse.ParseDSN(r.stack.Settings.ClickHouse.DSN)
	if err != nil {
		return v, err
	}
	if r.house, err = clickhouse.Open(options); err != nil {
		return v, err
	}
	defer func() { err = errors.Join(err, r.house.Close()) }()
	if _, err := r.hopluu(ctx, "reconcile", "--catch-up", settleBound.String()); err != nil {
		return v, fmt.Errorf("the first load does not land: %w", err)
	}

	loading, enough := context.WithCancel(ctx)
	defer enough()
	load := make(chan error, 1)
	go func() { load <- gen.Run(loading) }()
	r.began = time.Now()
	half := time.Duration(*minutes / 2 * float64(time.Minute))
	fmt.Printf("%.0f row changes a second for %.1f minutes, %s replayed after %s\n", *rate, *minutes, replaySet, half)
	if err := r.sample(ctx, half); err != nil {
		return v, err
	}
	swapped := make(chan error, 1)
	var took time.Duration
	go func() {
		err := r.replay(ctx)
		took = time.Since(r.began) - half
		swapped <- err
	}()
	err = r.sample(ctx, 2*half)
	if err := errors.Join(err, <-swapped); err != nil {
		return v, err
	}
	fmt.Printf("%s was written anew, did not differ, and was exchanged, in %s\n", replaySet, took.Round(time.Second))
	enough()
	if err := <-load; err != nil && !errors.Is(err, context.Canceled) {
		return v, fmt.Errorf("the load: %w", err)
	}
	text, err := r.hopluu(ctx, "reconcile", "--catch-up", settleBound.String())
	var exit *exec.ExitError
	if err != nil && (!errors.As(err, &exit) || exit.ExitCode() != 1) {
		return v, err
	}
	v = judge(r.all, half, err == nil)
	if !v.Agrees {
		fmt.Println(text)
	}
	fmt.Print(v)
	if *out == "" {
		return v, nil
	}
	data, err := json.MarshalIndent(map[string]any{"minutes": *minutes, "rate": *rate, "persons": *persons, "verdict": v, "samples": r.all}, "", "  ")
	if err != nil {
		return v, err
	}
	return v, os.WriteFile(*out, append(data, '\n'), 0o644)
}

// captured waits until every source is captured: there is a slot to compare by.
func (r *rig) captured(ctx context.Context) error {
	p, ok := r.stack.Process(dev.Connector)
	if !ok {
		return errors.New("there is no connector")
	}
	ctx, cancel := context.WithTimeout(ctx, settleBound)
	defer cancel()
	return p.WaitReady(ctx, embedded.ProbeHTTP("http://"+r.stack.Health(dev.Connector)+"/readyz"))
}

// hopluu runs a subcommand; of one that fails the error has what it wrote.
func (r *rig) hopluu(ctx context.Context, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, r.bin, append(args, "--config", r.stack.ConfigPath)...)
	var complaint strings.Builder
	cmd.Stderr = &complaint
	text, err := cmd.Output()
	if err != nil {
		err = fmt.Errorf("hopluu %s: %w: %s", strings.Join(args, " "), err, strings.TrimSpace(complaint.String()))
	}
	return string(text), err
}

// replayTopic is the topic of which a replay writes the table anew, the one with the
// most changes, and replaySet its data set.
const (
	replayTopic = "health.public.encounter"
	replaySet   = "health_encounter"
	// looks is how often the two tables are compared at most: what lands while
	// both are read is on one side only.
	looks = 10
)

// replay writes a table anew from its topic while the load goes on, compares the
// two, and exchanges them.
func (r *rig) replay(ctx context.Context) error {
	if _, err := r.hopluu(ctx, "replay", "plan", "--topic", replayTopic, "--from", "earliest"); err != nil {
		return err
	}
	if _, err := r.hopluu(ctx, "replay", "run", "--topic", replayTopic, "--from", "earliest"); err != nil {
		return err
	}
	for n := 1; ; n++ {
		text, err := r.hopluu(ctx, "replay", "diff", replaySet)
		var exit *exec.ExitError
		switch {
		case err == nil:
			_, err := r.hopluu(ctx, "replay", "swap", replaySet)
			return err
		case !errors.As(err, &exit) || exit.ExitCode() != 1:
			return err
		case n == looks:
			return fmt.Errorf("the replayed table is not as silver's:\n%s", text)
		}
	}
}

// standing is where the sink stands in a partition, as `sink status --json` says.
type standing struct {
	Topic     string `json:"topic"`
	Committed int64  `json:"committed"`
	Lag       int64  `json:"lag"`
}

func (r *rig) standings(ctx context.Context) (all []standing, err error) {
	text, err := r.hopluu(ctx, "sink", "status", "--json")
	if err == nil {
		err = json.Unmarshal([]byte(text), &all)
	}
	return all, err
}

// sample samples until so long after the load began.
func (r *rig) sample(ctx context.Context, until time.Duration) error {
	tick := time.NewTicker(*every)
	defer tick.Stop()
	for time.Since(r.began) < until {
		s := sample{Seconds: time.Since(r.began).Seconds(), RSS: map[string]int64{}}
		standings, err := r.standings(ctx)
		if err != nil {
			return err
		}
		for _, of := range standings {
			s.Lag += of.Lag
		}
		var parts uint64
		if err := r.house.QueryRow(ctx, "SELECT count() FROM system.parts WHERE active").Scan(&parts); err != nil {
			return fmt.Errorf("count parts: %w", err)
		}
		s.Parts = int64(parts)
		for _, name := range []string{dev.Connector, dev.Processor, dev.Sink} {
			p, ok := r.stack.Process(name)
			if !ok {
				continue
			}
			if s.RSS[name], err = resident(p.PID()); err != nil {
				return fmt.Errorf("%s is gone: %w", name, err)
			}
		}
		r.all = append(r.all, s)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
	return nil
}

// resident is a process's memory in bytes (proc(5), statm: its second field, in
// pages).
func resident(pid int) (int64, error) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if err != nil {
		return 0, err
	}
	fields := strings.Fields(string(data))
	if len(fields) < 2 {
		return 0, fmt.Errorf("statm of process %d: %q", pid, data)
	}
	pages, err := strconv.ParseInt(fields[1], 10, 64)
	return pages * int64(os.Getpagesize()), err
}
