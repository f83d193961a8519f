// Command sink measures the sink by itself: from Avro in Kafka to bronze and
// silver, side by side with clickhouse-go alone, which inserts the same columns,
// already in memory, into the same tables; and from a commit in PostgreSQL to the
// row that silver shows, at a steady rate. Both sides have the machine, Kafka and
// ClickHouse's engine in turns, in alternating order. ClickHouse's own Kafka Connect
// sink is not among them (notRun says why).
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
	"slices"
	"strconv"
	"syscall"
	"time"

	ch "github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/hopluu/hopluu/cmd/hopluu/dev"
	"github.com/hopluu/hopluu/cmd/hopluu/embedded"
	"github.com/hopluu/hopluu/cmd/hopluu/embedded/parts"
	"github.com/hopluu/hopluu/integration/bench/usage"
	"github.com/hopluu/hopluu/schemas/registry"
	"github.com/hopluu/hopluu/schemas/topic"
)

var (
	rows    = flag.Int("rows", 1_000_000, "events in the topic")
	runs    = flag.Int("runs", 3, "runs of each side")
	seconds = flag.Int("seconds", 30, "how long commit-to-silver is measured; 0 leaves it out")
	rate    = flag.Int("rate", 5000, "changes per second of it")
	alone   = flag.String("alone", "", "insert into the ClickHouse at this address, as the other side (used by the command itself)")
)

// result is what one side did in one run.
type result struct {
	Rows       int     `json:"rows"`
	Seconds    float64 `json:"seconds"`
	CPU        float64 `json:"cpu_seconds"`
	PeakMB     float64 `json:"peak_mb"`
	ClickHouse float64 `json:"clickhouse_cpu_seconds"`
}

func (r result) rate() float64 { return float64(r.Rows) / r.Seconds }

func main() {
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	work := run
	if *alone != "" {
		work = insertAlone
	}
	if err := work(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// rig is the servers that both sides share.
type rig struct {
	dir   string
	stack *dev.Stack
	kafka *topic.Client
	conn  driver.Conn
	addr  string // of ClickHouse
}

func run(ctx context.Context) (err error) {
	r := &rig{}
	if r.dir, err = os.MkdirTemp("/var/tmp", "hopluu-bench-sink-"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(r.dir)) }()
	if err := os.Chmod(r.dir, 0o755); err != nil {
		return err
	}
	bin := filepath.Join(r.dir, "hopluu")
	if out, err := exec.CommandContext(ctx, "go", "build", "-o", bin, "github.com/hopluu/hopluu/cmd/hopluu").CombinedOutput(); err != nil {
		return fmt.Errorf("build: %w: %s", err, out)
	}
	paths, err := parts.Ensure(ctx, "", nil)
	if err != nil {
		return err
	}
	r.stack, err = dev.Servers(ctx, dev.StackConfig{Dir: r.dir, Parts: paths, Sectors: []string{source}, Bin: bin, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.stack.Stop(context.WithoutCancel(ctx))) }()
	if err := r.stack.Stages(ctx, dev.Registry); err != nil {
		return err
	}
	r.kafka, err = topic.Dial(ctx, topic.Config{Brokers: r.stack.Settings.Kafka.Brokers, ClientID: "bench"})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.kafka.Close()) }()
	options, err := ch.ParseDSN(r.stack.Settings.ClickHouse.DSN)
	if err != nil {
		return err
	}
	r.addr = options.Addr[0]
	if r.conn, err = ch.Open(options); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.conn.Close()) }()

	if out, err := exec.CommandContext(ctx, bin, "topics", "create", "--config", r.stack.ConfigPath).CombinedOutput(); err != nil {
		return fmt.Errorf("topics create: %w: %s", err, out)
	}
	fmt.Fprintf(os.Stderr, "writing %d events\n", *rows)
	if err := feed(ctx, r.kafka, registry.New(r.stack.Settings.Registry.URL), *rows); err != nil {
		return err
	}
	if err := r.sideBySide(ctx); err != nil {
		return err
	}
	if *seconds == 0 {
		return nil
	}
	return r.latency(ctx)
}

// notRun says of the official Kafka Connect sink why it has no line here. Its
// build names the group com.clickhouse.kafka and publishes archives only; asked
// for by Maven under that group and under com.clickhouse in November 2026, Central
// had neither.
const notRun = "ClickHouse's own Kafka Connect sink is not measured: com.clickhouse.kafka:clickhouse-kafka-connect is not on Maven Central, from which the Java peers come (its releases are archives on GitHub and Confluent's hub)"

// sideBySide runs both sides in turns and prints the medians.
func (r *rig) sideBySide(ctx context.Context) error {
	sides := []struct {
		name string
		run  func(context.Context, int) (result, error)
		all  []result
	}{{name: "clickhouse-go alone", run: r.alone}, {name: "hopluu sink", run: r.sink}}
	fmt.Printf("%-22s %4s %12s %14s %10s %22s\n", "", "run", "rows/s", "CPU s/M rows", "peak MB", "ClickHouse CPU s/M")
	for n := range *runs {
		for k := range sides {
			s := &sides[(n+k)%2] // whoever goes second finds the caches warm
			if err := r.empty(ctx); err != nil {
				return err
			}
			got, err := s.run(ctx, n)
			if err != nil {
				return fmt.Errorf("%s: %w", s.name, err)
			}
			s.all = append(s.all, got)
			million := float64(got.Rows) / 1e6
			fmt.Printf("%-22s %4d %12.0f %14.1f %10.0f %22.1f\n", s.name, n+1, got.rate(), got.CPU/million, got.PeakMB, got.ClickHouse/million)
		}
	}
	median := func(all []result) float64 {
		slices.SortFunc(all, func(a, b result) int { return int(a.rate() - b.rate()) })
		return all[len(all)/2].rate()
	}
	fmt.Printf("the sink's median is %.2f of clickhouse-go's alone\n", median(sides[1].all)/median(sides[0].all))
	fmt.Println(notRun)
	return nil
}

// empty takes away what a run left.
func (r *rig) empty(ctx context.Context) error {
	for _, database := range []string{"bronze", "silver"} {
		if err := r.conn.Exec(ctx, "CREATE DATABASE IF NOT EXISTS "+database); err != nil {
			return err
		}
		if err := r.conn.Exec(ctx, "DROP TABLE IF EXISTS "+database+"."+dataset); err != nil {
			return err
		}
	}
	return nil
}

// sink runs the sink under a new group until all events have landed, from its
// start on.
func (r *rig) sink(ctx context.Context, n int) (got result, err error) {
	house, _ := r.stack.Process("clickhouse")
	before, err := usage.CPU(house.PID())
	if err != nil {
		return got, err
	}
	began := time.Now()
	p, err := embedded.StartSelf(ctx, "sink", filepath.Join(r.dir, "hopluu"), []string{"sink", "run"},
		[]string{"HOPLUU_CONFIG=" + r.stack.ConfigPath, "HOPLUU_SINK_GROUP=bench-" + strconv.Itoa(n), "HOPLUU_LOG_LEVEL=warn"}, filepath.Join(r.dir, "sink.log"))
	if err != nil {
		return got, err
	}
	defer func() { err = errors.Join(err, p.Stop(context.WithoutCancel(ctx))) }()
	err = poll(ctx, func() (bool, error) {
		if !p.Running() {
			return false, p.Wait()
		}
		var landed uint64
		// Not there yet: the sink makes it.
		err := r.conn.QueryRow(ctx, "SELECT sum(total_rows) FROM system.tables WHERE database = 'bronze' AND name = '"+dataset+"'").Scan(&landed)
		return err == nil && landed >= uint64(*rows), ctx.Err()
	})
	if err != nil {
		return got, err
	}
	got.Rows, got.Seconds = *rows, time.Since(began).Seconds()
	after, err := usage.CPU(house.PID())
	if err != nil {
		return got, err
	}
	got.ClickHouse = after - before
	if got.CPU, err = usage.CPU(p.PID()); err != nil {
		return got, err
	}
	got.PeakMB, err = usage.PeakMB(p.PID())
	return got, err
}

// alone runs the other side as a process of its own.
func (r *rig) alone(ctx context.Context, _ int) (got result, err error) {
	house, _ := r.stack.Process("clickhouse")
	self, err := os.Executable()
	if err != nil {
		return got, err
	}
	before, err := usage.CPU(house.PID())
	if err != nil {
		return got, err
	}
	command := exec.CommandContext(ctx, self, "-alone", r.addr, "-rows", strconv.Itoa(*rows))
	command.Stderr = os.Stderr
	out, err := command.Output()
	if err != nil {
		return got, err
	}
	after, err := usage.CPU(house.PID())
	if err != nil {
		return got, err
	}
	err = json.Unmarshal(out, &got)
	got.ClickHouse = after - before
	return got, err
}

func poll(ctx context.Context, done func() (bool, error)) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		ok, err := done()
		if ok || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}
