package topic

import (
	"context"
	"time"

	"github.com/cenkalti/backoff/v5"
)

const (
	// defaultPatience is how long a broker may stay away before a call gives
	// up.
	defaultPatience = 60 * time.Second
	// attemptTimeout bounds one request, so that a broker that hangs is
	// given up and asked again.
	attemptTimeout = 20 * time.Second
)

// retry calls op until it succeeds, fails for good, ctx ends, or the client's
// patience is over. Each attempt has its own time limit. Trouble tells of it
// meanwhile.
func retry[T any](ctx context.Context, c *Client, op func(ctx context.Context) (T, error)) (T, error) {
	pace := backoff.NewExponentialBackOff()
	pace.InitialInterval = time.Millisecond
	pace.Multiplier = 1.7
	pace.MaxInterval = time.Second
	call := c.calls.begin()
	defer c.calls.end(call)
	return backoff.Retry(ctx, func() (T, error) {
		attempt, cancel := context.WithTimeout(ctx, attemptTimeout)
		defer cancel()
		v, err := op(attempt)
		c.calls.failed(call, err)
		if err != nil && (ctx.Err() != nil || !retriable(err)) {
			err = backoff.Permanent(err)
		}
		return v, err
	}, backoff.WithBackOff(pace), backoff.WithMaxElapsedTime(c.patience))
}
