package connectors

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/hopluu/hopluu/schemas/topic"
)

// Connector captures one source.
type Connector struct {
	Config
	metrics *metrics
	// id tells this connector from every other one of its source; owned: it
	// has been the source's owner.
	id    string
	owned bool
	// state is why the connector is not ready; nil when it streams.
	state atomic.Pointer[error]
	// progress is that of the snapshots.
	progress progress
}

var errStarting = errors.New("starting")

// New makes a connector; Run starts it.
func New(config Config) *Connector {
	c := &Connector{Config: config, metrics: newMetrics(config.Metrics, config.Source), id: rand.Text()}
	c.Log = config.Log.With("source", config.Source)
	c.setState(errStarting)
	return c
}

func (c *Connector) setState(err error) { c.state.Store(&err) }

// Ready gives nil while the connector streams, and otherwise what it is doing
// or what stops it.
func (c *Connector) Ready() error {
	if err := *c.state.Load(); err != nil {
		return fmt.Errorf("connector %s: %w", c.Source, err)
	}
	return nil
}

// healthySession is how long a session must have lived for its end to count as
// news, not as one more failure of the same kind.
const healthySession = time.Minute

// Run captures until the context ends, which gives nil, or until something
// happens that only a person can mend. Everything else (a server that restarts,
// a network that breaks) is tried again, ever more slowly, from the checkpoint.
func (c *Connector) Run(ctx context.Context) error {
	go c.govern(ctx)
	wait := backoff.NewExponentialBackOff()
	wait.InitialInterval = 200 * time.Millisecond
	wait.MaxInterval = 15 * time.Second
	for {
		began := time.Now()
		err := c.session(ctx)
		if ctx.Err() != nil {
			return nil
		}
		c.setState(err)
		if Permanent(err) {
			c.metrics.failures.Inc()
			return fmt.Errorf("connector %s: %w", c.Source, err)
		}
		if time.Since(began) > healthySession {
			wait.Reset()
		}
		var delay time.Duration
		switch {
		case errors.Is(err, topic.ErrFenced):
			delay = fencedPause
			c.Log.Info("a command changed the checkpoint, or a transaction ran out of time; capture begins again from the checkpoint")
		default:
			delay = wait.NextBackOff()
			c.metrics.failures.Inc()
			c.Log.Error("capture stopped; it goes on from the checkpoint", "error", err, "again_in", delay.Round(time.Millisecond).String())
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(delay):
		}
	}
}

// fencedPause leaves a command that fenced us the time to write its checkpoint
// before we fence it.
const fencedPause = 300 * time.Millisecond

// stillOwner tells the reasons apart for which a session ends. With another
// owner this connector is the one too many: beginning again would fence the
// other (case 34). Otherwise a server or a network failed, a command changed
// the checkpoint, or a transaction ran out of time while the machine slept, and
// the next session goes on.
func (c *Connector) stillOwner(ctx context.Context) error {
	if !c.owned {
		return nil
	}
	s, err := readState(ctx, c.Kafka, c.Source)
	if err != nil {
		return err
	}
	if s.owner != c.id {
		return &SupersededError{Source: c.Source}
	}
	return nil
}
