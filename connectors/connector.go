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
	// id tells this connector from every other one of its source.
	id string
	// state is why the connector is not ready; nil when it streams.
	state atomic.Pointer[error]
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

// errAgain ends a session whose state was changed on purpose: the next one
// begins at once.
var errAgain = errors.New("the session begins again")

// Run captures until the context ends, which gives nil, or until something
// happens that only a person can mend. Everything else (a server that restarts,
// a network that breaks) is tried again, ever more slowly, from the checkpoint.
func (c *Connector) Run(ctx context.Context) error {
	wait := backoff.NewExponentialBackOff()
	wait.InitialInterval = 200 * time.Millisecond
	wait.MaxInterval = 15 * time.Second
	for {
		began := time.Now()
		err := c.session(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if errors.Is(err, topic.ErrFenced) {
			err = c.fenced(ctx, err)
		}
		c.setState(err)
		if errors.Is(err, errAgain) {
			continue
		}
		c.metrics.failures.Inc()
		if Permanent(err) {
			return fmt.Errorf("connector %s: %w", c.Source, err)
		}
		if time.Since(began) > healthySession {
			wait.Reset()
		}
		delay := wait.NextBackOff()
		c.Log.Error("capture stopped; it goes on from the checkpoint", "error", err, "again_in", delay.Round(time.Millisecond).String())
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(delay):
		}
	}
}

// fencedPause leaves a command that fenced us the time to write its checkpoint
// before we fence it.
const fencedPause = time.Second

// fenced tells the reasons apart for which a producer is fenced. With another
// owner this connector is the one too many and ends (case 34). Otherwise it was
// a command that changed the checkpoint, or a transaction that ran out of time
// while the machine slept: the next session goes on.
func (c *Connector) fenced(ctx context.Context, err error) error {
	s, readErr := readStates(ctx, c.Kafka)
	switch owner := s.owners[c.Source]; {
	case readErr != nil:
		return errors.Join(err, readErr)
	case owner != c.id:
		return &SupersededError{Source: c.Source}
	}
	c.Log.Info("the transaction was taken over or ran out of time; capture begins again from the checkpoint")
	select {
	case <-ctx.Done():
	case <-time.After(fencedPause):
	}
	return errAgain
}
