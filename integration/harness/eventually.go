package harness

import (
	"context"
	"fmt"
	"testing"
	"time"
)

// Eventually tries a condition until it holds (nil), and fails the test with
// the condition's last error when it does not within the time.
func Eventually(t testing.TB, within time.Duration, condition func(ctx context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	if err := Poll(ctx, condition); err != nil {
		t.Fatalf("after %s: %v", within, err)
	}
}

// Poll tries a condition until it holds. When ctx ends first it gives the
// condition's last error of its own, not the one that comes of the end.
func Poll(ctx context.Context, condition func(ctx context.Context) error) error {
	tick := time.NewTicker(25 * time.Millisecond)
	defer tick.Stop()
	var last error
	for {
		err := condition(ctx)
		if err == nil {
			return nil
		}
		if last == nil || ctx.Err() == nil {
			last = err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w: last seen: %w", ctx.Err(), last)
		case <-tick.C:
		}
	}
}
