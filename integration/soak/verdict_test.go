package main

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// run makes the samples of 20 minutes, one every five seconds, with a replay at
// ten minutes.
func run(lag func(s float64) int64, rss func(s float64) int64) (all []sample) {
	for s := 0.0; s <= 1200; s += 5 {
		all = append(all, sample{Seconds: s, Lag: lag(s), Parts: 100, RSS: map[string]int64{"sink": rss(s)}})
	}
	return all
}

func steady(float64) int64 { return 300 << 20 }

// replayed is a lag that a replay raises for two minutes.
func replayed(s float64) int64 {
	if s >= 600 && s < 720 {
		return 500_000
	}
	return 100
}

func TestVerdict(t *testing.T) {
	const at = 10 * time.Minute
	require.True(t, judge(run(replayed, steady), at, true).OK)
	v := judge(run(replayed, steady), at, false)
	require.False(t, v.OK)
	require.Contains(t, v.String(), "FAILED")

	v = judge(run(func(s float64) int64 { return int64(s) * 100 }, steady), at, true)
	require.False(t, v.Returned, "a lag that grows")
	require.False(t, v.OK)

	v = judge(run(replayed, func(s float64) int64 { return 300<<20 + int64(s)*200<<10 }), at, true)
	require.False(t, v.Flat, "200 kB a second: a leak")
	require.InEpsilon(t, 200<<10*3600, v.Memory["sink"].PerHour, 0.01)
	require.False(t, v.OK)

	// A replay takes more memory for a while, and a heap breathes.
	v = judge(run(replayed, func(s float64) int64 {
		if s >= 600 && s < 720 {
			return 900 << 20
		}
		return 300<<20 + int64(s)%7<<20
	}), at, true)
	require.True(t, v.Flat, "%+v", v.Memory)

	// A start that grows into its size is no leak.
	require.True(t, judge(run(replayed, func(s float64) int64 { return min(300, 50+int64(s)) << 20 }), at, true).Flat)
	require.False(t, judge(nil, at, true).OK)
	require.False(t, judge(run(replayed, steady)[:1], at, true).OK, "one sample says nothing")
}

func TestSlopeIsRobust(t *testing.T) {
	var x, y []float64
	for i := range 100 {
		x, y = append(x, float64(i)), append(y, 3*float64(i)+7)
	}
	for i := range 20 {
		y[i*5] = 1e9
	}
	require.InDelta(t, 3, slope(x, y), 1e-6)
	require.Zero(t, slope(x[:1], y[:1]))
}
