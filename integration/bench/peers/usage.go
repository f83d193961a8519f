package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"time"

	"github.com/hopluu/hopluu/integration/bench/usage"
)

// trees sums for each root what it, its descendants and their ended children
// have used, in seconds.
func trees(roots ...int) ([]float64, error) {
	entries, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return nil, err
	}
	all := map[int]usage.Times{}
	for _, e := range entries {
		pid, err := strconv.Atoi(filepath.Base(e))
		if err != nil {
			continue
		}
		if t, err := usage.TimesOf(pid); err == nil { // others end while we look
			all[pid] = t
		}
	}
	sums := make([]float64, len(roots))
	for pid, t := range all {
		for i, root := range roots {
			for p := pid; p > 1; p = all[p].Parent {
				if p == root {
					sums[i] += t.Own + t.Children
					break
				}
			}
		}
	}
	return sums, nil
}

// machineBusy is what all processors have worked since the start, in seconds
// (proc_stat(5)): user, nice, system, irq, softirq and what a hypervisor took.
func machineBusy() (float64, error) {
	stat, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, err
	}
	first, _, _ := bytes.Cut(stat, []byte("\n"))
	fields := bytes.Fields(first)
	if len(fields) < 9 || string(fields[0]) != "cpu" {
		return 0, fmt.Errorf("/proc/stat begins with %q", first)
	}
	var sum float64
	for _, i := range []int{1, 2, 3, 6, 7, 8} {
		n, err := strconv.ParseFloat(string(fields[i]), 64)
		if err != nil {
			return 0, err
		}
		sum += n
	}
	return sum / usage.TicksPerSecond, nil
}

// calm waits until the machine has little to do for a moment, or the time that
// the caller gives it is over.
func (r *rig) calm(ctx context.Context) error {
	if r.options.calm == 0 {
		return nil
	}
	const look, busy = 500 * time.Millisecond, 0.15 // of all processors
	deadline := time.Now().Add(r.options.calm)
	for quiet := 0; quiet < 2 && time.Now().Before(deadline); {
		before, err := machineBusy()
		if err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(look):
		}
		after, err := machineBusy()
		if err != nil {
			return err
		}
		if quiet++; (after-before)/look.Seconds() > busy*float64(runtime.NumCPU()) {
			quiet = 0
		}
	}
	return nil
}

// machineUse is what the machine did from one moment to another.
type machineUse struct {
	kafka, postgres float64 // CPU seconds
	others          float64 // share of the machine that was none of ours, 0 to 1
}

// moment is the state from which a machineUse is counted.
type moment struct {
	seconds                      float64
	kafka, postgres, ours, total float64
}

func (r *rig) moment(seconds float64) (moment, error) {
	sums, err := trees(r.kafka.PID(), r.postgres.PID(), os.Getpid())
	if err != nil {
		return moment{}, err
	}
	total, err := machineBusy()
	return moment{seconds, sums[0], sums[1], sums[2], total}, err
}

func (m moment) until(n moment) machineUse {
	capacity := (n.seconds - m.seconds) * float64(runtime.NumCPU())
	u := machineUse{kafka: n.kafka - m.kafka, postgres: n.postgres - m.postgres}
	if capacity > 0 {
		u.others = max(0, ((n.total-m.total)-(n.ours-m.ours))/capacity)
	}
	return u
}
