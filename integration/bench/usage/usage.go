package usage

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
)

// TicksPerSecond is the unit of the times in /proc: USER_HZ, 100 on every
// Linux that Go runs on.
const TicksPerSecond = 100

// Times are one line of /proc/<pid>/stat, in seconds (proc_pid_stat(5)).
type Times struct {
	Parent   int
	Own      float64 // utime and stime
	Children float64 // of those that ended and were waited for
}

// TimesOf reads the times of a process.
func TimesOf(pid int) (Times, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return Times{}, err
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
	t := Times{Parent: int(number(4)), Own: (number(14) + number(15)) / TicksPerSecond, Children: (number(16) + number(17)) / TicksPerSecond}
	return t, err
}

// CPU is what a process has used, in seconds.
func CPU(pid int) (float64, error) {
	t, err := TimesOf(pid)
	return t.Own, err
}

// PeakMB is the peak resident size of a process (proc_pid_status(5), VmHWM).
func PeakMB(pid int) (float64, error) {
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
