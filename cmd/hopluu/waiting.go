package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"
)

// waiting is what a stage needs and does not have: a server that is away when
// the stage starts is waited for, however long, and only what a person has to
// mend ends it. The log tells each attempt, /readyz how things are.
type waiting struct {
	log *slog.Logger
	mu  sync.Mutex
	on  map[string]error // what is waited for, and why
}

func newWaiting(log *slog.Logger) *waiting { return &waiting{log: log, on: map[string]error{}} }

// The pace at which a server is asked again.
const (
	askAgain     = 200 * time.Millisecond
	askAgainMost = 5 * time.Second
)

// until asks what until it answers, the context ends, or refused tells that
// waiting does not mend the error.
func (w *waiting) until(ctx context.Context, what string, refused func(error) bool, ask func(context.Context) error) error {
	pace := backoff.NewExponentialBackOff()
	pace.InitialInterval, pace.MaxInterval = askAgain, askAgainMost
	began, waited := time.Now(), false
	defer w.set(what, nil)
	for {
		err := ask(ctx)
		passed := time.Since(began).Round(time.Second)
		switch {
		case err == nil:
			if waited {
				w.log.Info(what+" answers", "after", passed.String())
			}
			return nil
		case ctx.Err() != nil:
			return ctx.Err()
		case refused(err):
			return err
		}
		waited = true
		again := pace.NextBackOff()
		w.set(what, fmt.Errorf("waiting for %s for %s: %w", what, passed, err))
		w.log.Warn("waiting for "+what, "for", passed.String(), "error", oneLine(err), "again_in", again.Round(time.Millisecond).String())
		if err := sleep(ctx, again); err != nil {
			return err
		}
	}
}

func (w *waiting) set(what string, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err == nil {
		delete(w.on, what)
	} else {
		w.on[what] = err
	}
}

// ready is nil when nothing is waited for.
func (w *waiting) ready() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	var all []error
	for _, what := range slices.Sorted(maps.Keys(w.on)) {
		all = append(all, w.on[what])
	}
	return errors.Join(all...)
}

// healthyRound is how long work must have gone on for its end to count as news,
// not as one more failure of the same kind.
const healthyRound = time.Minute

// anew does work, and begins it anew when it ended with an error that passes: a
// broker that was away for longer than a call waits, say.
func (w *waiting) anew(ctx context.Context, what string, passes func(error) bool, work func(context.Context) error) error {
	pace := backoff.NewExponentialBackOff()
	pace.InitialInterval, pace.MaxInterval = askAgain, askAgainMost
	for {
		began := time.Now()
		err := work(ctx)
		if err == nil || ctx.Err() != nil || !passes(err) {
			return err
		}
		if time.Since(began) > healthyRound {
			pace.Reset()
		}
		again := pace.NextBackOff()
		w.log.Error(what+" stopped, and begins anew", "error", oneLine(err), "again_in", again.Round(time.Millisecond).String())
		if err := sleep(ctx, again); err != nil {
			return err
		}
	}
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
