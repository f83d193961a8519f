package pause

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
)

func watcher() *Watcher {
	return &Watcher{log: slog.New(slog.DiscardHandler), pauses: map[string]Pause{}, changed: make(chan struct{})}
}

var since = Pause{By: "an", Why: "the disk is being changed", At: time.Unix(1769821200, 0)}

// Work and rest alternate with the pause, never beside one another, and only the
// target's own pause counts.
func TestHold(t *testing.T) {
	w := watcher()
	ctx, cancel := context.WithCancel(t.Context())
	events := make(chan string)
	ended := make(chan error)
	go func() {
		ended <- w.Hold(ctx, "connector/health", func(ctx context.Context) error {
			events <- "works"
			<-ctx.Done()
			events <- "worked"
			return ctx.Err()
		}, func(ctx context.Context, p Pause) {
			events <- "rests, " + p.By
			<-ctx.Done()
			events <- "rested"
		})
	}()
	require.Equal(t, "works", <-events)
	w.take(map[string]Pause{"connector/tax": since})
	w.take(map[string]Pause{"connector/tax": since, "connector/health": since})
	require.Equal(t, "worked", <-events)
	require.Equal(t, "rests, an", <-events)
	w.take(map[string]Pause{"connector/health": since})
	w.take(map[string]Pause{})
	require.Equal(t, "rested", <-events)
	require.Equal(t, "works", <-events)
	w.take(map[string]Pause{"connector/health": since})
	require.Equal(t, "worked", <-events)
	require.Equal(t, "rests, an", <-events)
	cancel()
	require.Equal(t, "rested", <-events)
	require.NoError(t, <-ended)
}

func TestHoldEndsWithItsWork(t *testing.T) {
	lost := errors.New("lost")
	err := watcher().Hold(t.Context(), Processor, func(context.Context) error { return lost }, nil)
	require.ErrorIs(t, err, lost)
}

func TestParseReadsWhatStringWrote(t *testing.T) {
	for _, p := range []Pause{since, {By: "Trần Thị B", Why: "a since b: c", At: time.Date(2026, 1, 31, 8, 0, 0, 0, time.FixedZone("", 7*3600))}} {
		got, ok := Parse(p.String())
		require.True(t, ok)
		require.Equal(t, []string{p.By, p.Why}, []string{got.By, got.Why})
		require.True(t, p.At.Equal(got.At))
	}
	for _, reason := range []string{"", "table public.patient: it has no key", "paused by somebody"} {
		_, ok := Parse(reason)
		require.False(t, ok, reason)
	}
}

func TestMetrics(t *testing.T) {
	w := watcher()
	w.take(map[string]Pause{Dataset("g", "health_patient"): since})
	r := prometheus.NewRegistry()
	r.MustRegister(w)
	families, err := r.Gather()
	require.NoError(t, err)
	require.Len(t, families, 1)
	require.Equal(t, "hopluu_paused_since_seconds", families[0].GetName())
	m := families[0].GetMetric()
	require.Len(t, m, 1)
	require.InDelta(t, 1769821200, m[0].GetGauge().GetValue(), 0)
	labels := map[string]string{}
	for _, l := range m[0].GetLabel() {
		labels[l.GetName()] = l.GetValue()
	}
	require.Equal(t, map[string]string{"by": "an", "target": "sink/g/health_patient", "why": "the disk is being changed"}, labels)
}
