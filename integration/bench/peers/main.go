// Command peers measures capture side by side with what else there is: the
// floor that PostgreSQL's own tools set, Debezium and go-pq-cdc-kafka. METHODOLOGY.md beside it
// says what is measured, how, and what the figures do not say.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"
)

// options are what a caller chooses.
type options struct {
	runs       int
	rows       int
	bigRows    int
	loads      []string
	contenders []string
	seconds    int
	rate       int
	bin        string
	profile    string
	goPqCDC    string
	json       bool
	calm       time.Duration
}

var (
	allLoads      = []string{inserts, mix, big, snapshot, latency}
	allContenders = []string{floor, hopluu, goPqCDC, debezium}
)

func parseOptions() (options, error) {
	var o options
	var loads, contenders string
	flag.IntVar(&o.runs, "runs", 3, "runs of each measurement; medians are shown")
	flag.IntVar(&o.rows, "rows", 1_000_000, "rows of the loads but the big transaction, a multiple of 1000")
	flag.IntVar(&o.bigRows, "big-rows", 5_000_000, "rows of the one big transaction")
	flag.StringVar(&loads, "loads", strings.Join(allLoads, ","), "what to measure")
	flag.StringVar(&contenders, "contenders", strings.Join(allContenders, ","), "whom to measure")
	flag.IntVar(&o.seconds, "seconds", 30, "length of the latency measurement")
	flag.IntVar(&o.rate, "rate", 5_000, "changes a second of the latency measurement")
	flag.StringVar(&o.bin, "bin", "", "a hopluu program to measure instead of one built from this checkout")
	flag.StringVar(&o.profile, "profile", "", "folder for CPU and heap profiles of hopluu's connector; it is built with a profiler then")
	flag.StringVar(&o.goPqCDC, "go-pq-cdc", "", "folder with checkouts of go-pq-cdc and go-pq-cdc-kafka, where no module proxy has them")
	flag.DurationVar(&o.calm, "calm", 0, "before each measurement, how long to wait for others to leave the machine alone")
	flag.BoolVar(&o.json, "json", false, "print everything as JSON instead of a table")
	flag.Parse()
	o.loads, o.contenders = strings.Split(loads, ","), strings.Split(contenders, ",")
	for _, l := range o.loads {
		if !slices.Contains(allLoads, l) {
			return o, fmt.Errorf("-loads: %q is none of %s", l, strings.Join(allLoads, ", "))
		}
	}
	if slices.Contains(o.loads, mix) && !slices.Contains(o.loads, inserts) {
		o.loads = append(o.loads, inserts) // it changes what that inserted
	}
	for _, c := range o.contenders {
		if !slices.Contains(allContenders, c) {
			return o, fmt.Errorf("-contenders: %q is none of %s", c, strings.Join(allContenders, ", "))
		}
	}
	if o.rows < transactionSize || o.rows%transactionSize != 0 || o.bigRows < 1 || o.runs < 1 || o.rate < latencyTransaction || o.seconds < 1 {
		return o, errors.New("-rows wants a multiple of 1000; -big-rows, -runs, -rate and -seconds want more")
	}
	if o.profile != "" && o.bin != "" {
		return o, errors.New("-profile builds the program that it measures: leave -bin out")
	}
	return o, nil
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	o, err := parseOptions()
	if err == nil {
		err = run(ctx, o)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench-capture:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, o options) (err error) {
	r, err := startRig(ctx, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.stop(context.WithoutCancel(ctx))) }()
	rep := newReport(o)
	contenders, err := r.contenders(ctx, rep)
	if err != nil {
		return err
	}
	if err := r.warmUp(ctx, contenders); err != nil {
		return err
	}
	for i := range o.runs {
		// The order turns round with each run, so that none always meets a
		// machine that another has just warmed or filled.
		order := slices.Clone(contenders)
		if i%2 == 1 {
			slices.Reverse(order)
		}
		for _, l := range []string{inserts, mix, big} {
			if !slices.Contains(o.loads, l) {
				continue
			}
			if err := r.drainAll(ctx, rep, i+1, l, order); err != nil {
				return err
			}
		}
		if slices.Contains(o.loads, snapshot) {
			if err := r.snapshots(ctx, rep, i+1); err != nil {
				return err
			}
		}
		if slices.Contains(o.loads, latency) {
			if err := r.latencies(ctx, rep, i+1, order); err != nil {
				return err
			}
		}
	}
	if o.json {
		return rep.printJSON(os.Stdout)
	}
	return rep.printTable(os.Stdout)
}

// say tells a watcher what goes on; results go to standard output.
func say(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) }
