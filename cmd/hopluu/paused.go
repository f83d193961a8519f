package main

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"sync/atomic"

	"github.com/hopluu/hopluu/schemas/pause"
	"github.com/prometheus/client_golang/prometheus"
)

// round is a stage's work between two pauses: it is made anew after each, with
// metrics of its own.
type round struct {
	ready func() error
	run   func(context.Context) error
	// api, where there is one, is served under /identity/ while it works.
	api http.Handler
}

// holdable runs a stage in rounds, so that it can be held still and go on in the
// same process.
type holdable struct {
	watcher *pause.Watcher
	target  string
	metrics *prometheus.Registry
	begin   func(prometheus.Registerer) (round, error)

	now  atomic.Pointer[round]
	held atomic.Pointer[pause.Pause]
}

func (h *holdable) ready() error {
	if p := h.held.Load(); p != nil {
		return errors.New(p.String())
	}
	if r := h.now.Load(); r != nil {
		return r.ready()
	}
	return errors.New("starting")
}

func (h *holdable) run(ctx context.Context) error {
	return h.watcher.Hold(ctx, h.target, func(ctx context.Context) error {
		metrics := roundMetrics{Registry: h.metrics}
		defer metrics.clear()
		r, err := h.begin(&metrics)
		if err != nil {
			return err
		}
		h.now.Store(&r)
		defer h.now.Store(nil)
		return r.run(ctx)
	}, func(ctx context.Context, p pause.Pause) {
		h.held.Store(&p)
		defer h.held.Store(nil)
		<-ctx.Done()
	})
}

// ServeHTTP answers for the api of the round.
func (h *holdable) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if now := h.now.Load(); now != nil && now.api != nil {
		now.api.ServeHTTP(w, r)
		return
	}
	answer(w, http.StatusServiceUnavailable, oneLine(h.ready()))
}

// roundMetrics registers the collectors of a round and takes them away with it.
type roundMetrics struct {
	*prometheus.Registry
	mu   sync.Mutex
	mine []prometheus.Collector
}

// Register implements prometheus.Registerer.
func (r *roundMetrics) Register(c prometheus.Collector) error {
	err := r.Registry.Register(c)
	if err == nil {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.mine = append(r.mine, c)
	}
	return err
}

// MustRegister implements prometheus.Registerer.
func (r *roundMetrics) MustRegister(all ...prometheus.Collector) {
	for _, c := range all {
		if err := r.Register(c); err != nil {
			panic(err) // two metrics of ours have one name
		}
	}
}

func (r *roundMetrics) clear() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range r.mine {
		r.Unregister(c)
	}
	r.mine = nil
}
