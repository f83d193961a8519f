package main

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// sample is what was seen at one moment.
type sample struct {
	Seconds float64 `json:"seconds"` // since the load began
	// Lag is how many records the sink has still to write.
	Lag int64 `json:"lag"`
	// Parts are ClickHouse's active parts.
	Parts int64 `json:"parts"`
	// RSS is each process's resident memory in bytes.
	RSS map[string]int64 `json:"rss"`
}

// verdict is what the samples say.
type verdict struct {
	// LagBefore and LagAfter are medians before the replay and at the end,
	// LagPeak the highest of it.
	LagBefore int64             `json:"lag_before"`
	LagPeak   int64             `json:"lag_peak"`
	LagAfter  int64             `json:"lag_after"`
	Returned  bool              `json:"lag_returned"`
	Memory    map[string]growth `json:"memory"`
	Flat      bool              `json:"memory_flat"`
	PartsMost int64             `json:"parts_most"`
	Agrees    bool              `json:"reconcile_agrees"`
	OK        bool              `json:"ok"`
}

// growth is how a process's memory went.
type growth struct {
	Median int64 `json:"median_bytes"`
	// PerHour is the slope of a robust fit.
	PerHour float64 `json:"bytes_per_hour"`
	// Before and After are the slopes before the replay began and from there on.
	Before float64 `json:"bytes_per_hour_before"`
	After  float64 `json:"bytes_per_hour_after"`
	// Grown is what the fit gains over the samples that it is made of.
	Grown float64 `json:"grown_bytes"`
	Flat  bool    `json:"flat"`
}

const (
	// warmUp is the part of a run after which memory is looked at: caches fill,
	// and the heap finds its size.
	warmUp = 0.25
	// grownPart of the median, or grownBytes if that is more, is what memory may
	// gain over the rest: what a garbage collector leaves to chance.
	grownPart  = 0.2
	grownBytes = 48 << 20
	// lagSlack is how much more lag than before counts as returned.
	lagSlack = 2000
)

// judge gives the verdict on samples in their order; the replay began at replayed.
func judge(samples []sample, replayed time.Duration, agrees bool) verdict {
	v := verdict{Memory: map[string]growth{}, Agrees: agrees, Flat: len(samples) > 0}
	if len(samples) == 0 {
		return v
	}
	end := samples[len(samples)-1].Seconds
	var before, after []int64
	for _, s := range samples {
		v.LagPeak, v.PartsMost = max(v.LagPeak, s.Lag), max(v.PartsMost, s.Parts)
		switch {
		case s.Seconds < replayed.Seconds():
			before = append(before, s.Lag)
		case s.Seconds >= end*0.9:
			after = append(after, s.Lag)
		}
	}
	v.LagBefore, v.LagAfter = median(before), median(after)
	v.Returned = len(before) > 0 && len(after) > 0 && v.LagAfter <= 2*v.LagBefore+lagSlack
	for name := range samples[len(samples)-1].RSS {
		var x, y []float64
		var all []int64
		half := 0 // of the samples before the replay
		for _, s := range samples {
			if rss, ok := s.RSS[name]; ok && s.Seconds >= end*warmUp {
				if s.Seconds < replayed.Seconds() {
					half++
				}
				x, y, all = append(x, s.Seconds), append(y, float64(rss)), append(all, rss)
			}
		}
		g := growth{Median: median(all)}
		perSecond := slope(x, y)
		g.PerHour, g.Grown = perSecond*3600, perSecond*(x[len(x)-1]-x[0])
		g.Before, g.After = slope(x[:half], y[:half])*3600, slope(x[half:], y[half:])*3600
		g.Flat = len(x) >= 3 && g.Grown <= max(grownBytes, grownPart*float64(g.Median))
		v.Flat = v.Flat && g.Flat
		v.Memory[name] = g
	}
	v.OK = v.Returned && v.Flat && v.Agrees
	return v
}

// slope is the Theil-Sen estimator: the median of the slopes between all pairs of
// points, which up to a quarter of points that lie elsewhere cannot move (Sen
// 1968, Journal of the American Statistical Association 63, 1379-1389). It is 0 of
// less than two points.
func slope(x, y []float64) float64 {
	var all []float64
	for i := range x {
		for j := i + 1; j < len(x); j++ {
			if x[j] != x[i] {
				all = append(all, (y[j]-y[i])/(x[j]-x[i]))
			}
		}
	}
	return median(all)
}

// median is the middle of the values, the lower of two.
func median[T cmp.Ordered](values []T) T {
	var zero T
	if len(values) == 0 {
		return zero
	}
	sorted := slices.Sorted(slices.Values(values))
	return sorted[(len(sorted)-1)/2]
}

func yes(ok bool) string {
	if ok {
		return "yes"
	}
	return "NO"
}

func (v verdict) String() string {
	s := fmt.Sprintf("lag      %d before, %d at most, %d at the end: returned %s\n", v.LagBefore, v.LagPeak, v.LagAfter, yes(v.Returned))
	names := make([]string, 0, len(v.Memory))
	for name := range v.Memory {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		g := v.Memory[name]
		s += fmt.Sprintf("memory   %-10s %5d MB, %+.1f MB an hour (%+.1f before the replay, %+.1f after), %+.1f MB over the run: flat %s\n", name, g.Median>>20, g.PerHour/(1<<20), g.Before/(1<<20), g.After/(1<<20), g.Grown/(1<<20), yes(g.Flat))
	}
	return s + fmt.Sprintf("parts    %d at most\nreconcile agrees %s\nverdict  %s\n", v.PartsMost, yes(v.Agrees), map[bool]string{true: "ok", false: "FAILED"}[v.OK])
}
