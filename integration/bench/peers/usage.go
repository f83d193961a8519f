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
)

// ticksPerSecond is the unit of the times in /proc: USER_HZ, 100 on every
// Linux that Go runs on.
const ticksPerSecond = 100

// processTimes are one line of /proc/<pid>/stat, in seconds (proc_pid_stat(5)).
type processTimes struct {
	parent   int
	own      float64 // utime and stime
	children float64 // of those that ended and were waited for
}

func readTimes(pid int) (processTimes, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return processTimes{}, err
	}
	// The second field, in parentheses, may hold spaces; what follows it begins
	// with the third.
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	number := func(field int) float64 {
		n, parseErr := strconv.ParseFloat(string(fields[field-3]), 64)
		if parseErr != nil && err == nil {
			err = fmt.Errorf("/proc/%d/stat: %w", pid, parseErr)
		}
		return n
	}
	t := processTimes{parent: int(number(4)), own: (number(14) + number(15)) / ticksPerSecond, children: (number(16) + number(17)) / ticksPerSecond}
	return t, err
}

// cpuOf is what a process has used, in seconds.
func cpuOf(pid int) (float64, error) {
	t, err := readTimes(pid)
	return t.own, err
}

// trees sums for each root what it, its descendants and their ended children
// have used, in seconds.
func trees(roots ...int) ([]float64, error) {
	entries, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return nil, err
	}
	all := map[int]processTimes{}
	for _, e := range entries {
		pid, err := strconv.Atoi(filepath.Base(e))
		if err != nil {
			continue
		}
		if t, err := readTimes(pid); err == nil { // others end while we look
			all[pid] = t
		}
	}
	sums := make([]float64, len(roots))
	for pid, t := range all {
		for i, root := range roots {
			for p := pid; p > 1; p = all[p].parent {
				if p == root {
					sums[i] += t.own + t.children
					break
				}
			}
		}
	}
	return sums, nil
}

// peakMB is the peak resident size of a process (proc_pid_status(5), VmHWM).
func peakMB(pid int) (float64, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	for line := range bytes.Lines(status) {
		if value, ok := bytes.CutPrefix(line, []byte("VmHWM:")); ok {
			kb, err := strconv.ParseFloat(string(bytes.Fields(value)[0]), 64)
			return kb / 1024, err
		}
	}
	return 0, fmt.Errorf("/proc/%d/status has no VmHWM", pid)
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
	return sum / ticksPerSecond, nil
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
