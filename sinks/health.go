package sinks

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"
)

// Permanent is an error that trying again does not mend, such as a refused
// password: the sink stops with it.
type Permanent struct{ Err error }

func (e *Permanent) Error() string { return e.Err.Error() }
func (e *Permanent) Unwrap() error { return e.Err }

// Unavailable is an error of a server that cannot be reached or does not serve
// at the moment: it is what everyone waits for, whatever they were doing.
type Unavailable struct {
	What string // "ClickHouse"
	Err  error
}

func (e *Unavailable) Error() string { return e.What + ": " + e.Err.Error() }
func (e *Unavailable) Unwrap() error { return e.Err }

// Health knows what the sink is waiting for. It logs a change of state once,
// whatever the number of attempts in between.
type Health struct {
	log  *slog.Logger
	mu   sync.Mutex
	down map[string]error
	// since is when each of down was found so.
	since map[string]time.Time
}

// NewHealth makes a Health that waits for nothing.
func NewHealth(log *slog.Logger) *Health {
	return &Health{log: log, down: map[string]error{}, since: map[string]time.Time{}}
}

// Down notes that the sink waits for what, and why.
func (h *Health) Down(what string, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if _, known := h.down[what]; !known {
		h.since[what] = time.Now()
		h.log.Error("waiting for "+what+", trying again until it works", "error", err)
	}
	h.down[what] = err
}

// Up notes that what works.
func (h *Health) Up(what string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if _, known := h.down[what]; known {
		h.log.Info(what+" works again", "after", time.Since(h.since[what]).Round(time.Millisecond))
		delete(h.down, what)
		delete(h.since, what)
	}
}

// Ready is nil when the sink waits for nothing.
func (h *Health) Ready() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	var all []error
	for what, err := range h.down {
		all = append(all, fmt.Errorf("waiting for %s: %w", what, err))
	}
	return errors.Join(all...)
}

// Retry calls op until it succeeds, ctx ends, or its error is *Permanent. While
// it fails, the sink is not ready and waits for what, or for the server that
// an *Unavailable names.
func (h *Health) Retry(ctx context.Context, what string, op func(context.Context) error) error {
	pace := backoff.NewExponentialBackOff()
	pace.InitialInterval = 50 * time.Millisecond
	pace.MaxInterval = 5 * time.Second
	failed := map[string]bool{}
	_, err := backoff.Retry(ctx, func() (struct{}, error) {
		err := op(ctx)
		switch {
		case err == nil:
			return struct{}{}, nil
		case ctx.Err() != nil:
			return struct{}{}, backoff.Permanent(context.Cause(ctx))
		}
		var permanent *Permanent
		if errors.As(err, &permanent) {
			return struct{}{}, backoff.Permanent(err)
		}
		name := what
		var unavailable *Unavailable
		if errors.As(err, &unavailable) {
			name = unavailable.What
		}
		failed[name] = true
		h.Down(name, err)
		return struct{}{}, err
	}, backoff.WithBackOff(pace), backoff.WithMaxElapsedTime(0))
	for name := range failed {
		h.Up(name)
	}
	return err
}
