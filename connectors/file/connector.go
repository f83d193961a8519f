package file

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/hopluu/hopluu/connectors"
	"github.com/hopluu/hopluu/connectors/file/drop"
	"github.com/hopluu/hopluu/schemas/erasure/feed"
	"github.com/hopluu/hopluu/schemas/pause"
	"github.com/hopluu/hopluu/schemas/topic"
)

// Connector captures one source of files.
type Connector struct {
	Config
	metrics *metrics
	// id tells this connector from every other one of its source; owned: the
	// state has said once that the source is ours.
	id    string
	owned bool
	// state is why the connector is not ready; nil when it looks for files.
	state atomic.Pointer[error]
}

var errStarting = errors.New("starting")

// New makes a connector; Run starts it.
func New(config Config) *Connector {
	if config.Interval == 0 {
		config.Interval = defaultInterval
	}
	c := &Connector{Config: config, metrics: newMetrics(config.Metrics, config.Source), id: rand.Text()}
	c.Log = config.Log.With("source", config.Source)
	c.setState(errStarting)
	return c
}

func (c *Connector) setState(err error) { c.state.Store(&err) }

// Ready gives nil while the connector looks for files and takes them in, and
// otherwise what it is doing or what stops it.
func (c *Connector) Ready() error {
	if err := *c.state.Load(); err != nil {
		return fmt.Errorf("connector %s: %w", c.Source, err)
	}
	return nil
}

// Permanent tells whether trying again cannot help: a person has to act.
func Permanent(err error) bool {
	var config *ConfigError
	var place *drop.ConfigError
	return errors.As(err, &config) || errors.As(err, &place) || connectors.Permanent(err)
}

// healthySession is how long a session must have lived for its end to count as
// news, not as one more failure of the same kind.
const healthySession = time.Minute

// Run captures until the context ends, which gives nil, or until something
// happens that only a person can mend. Everything else (a share that is away, a
// broker that restarts) is tried again, ever more slowly, from the state in
// Kafka.
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
		c.setState(err)
		c.metrics.failures.Inc()
		if Permanent(err) {
			return fmt.Errorf("connector %s: %w", c.Source, err)
		}
		if time.Since(began) > healthySession {
			wait.Reset()
		}
		delay := wait.NextBackOff()
		c.Log.Error("taking files in stopped; it goes on from the state in Kafka", "error", err, "again_in", delay.Round(time.Millisecond).String())
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(delay):
		}
	}
}

// Rest takes Run's place while the source is paused, until ctx ends: files stay
// where they are dropped.
func (c *Connector) Rest(ctx context.Context, p pause.Pause) {
	c.setState(errors.New(p.String()))
	<-ctx.Done()
	c.setState(errStarting)
}

// TransactionalID is of the source: one connector at a time writes for it.
func TransactionalID(source string) string { return "hopluu-file-" + source }

// Fence ends the session of a source's connector, as connectors.Fence does.
func Fence(ctx context.Context, kafka *topic.Client, source string) error {
	return connectors.FenceID(ctx, kafka, TransactionalID(source))
}

// session runs until something breaks or the context ends.
func (c *Connector) session(ctx context.Context) (err error) {
	s := &session{Connector: c, scratch: scratch{c.Scratch}}
	if s.tables, err = c.declared(); err != nil {
		return err
	}
	if err := c.needRecordKey(); err != nil {
		return err
	}
	// The place first: a connector that cannot reach it does not fence one
	// that can.
	if s.place, err = drop.Open(c.Location, c.Credentials); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.place.Close()) }()
	if _, err := s.place.List(ctx); err != nil {
		return err
	}
	s.reports = s.place
	if c.Reports != "" {
		if s.reports, err = drop.Open(c.Reports, c.Credentials); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, s.reports.Close()) }()
	}
	if _, err := c.Kafka.Ensure(ctx, append(c.Topics.Specs(c.Source, c.Captured()), StateSpec(c.Topics, c.Source), c.Topics.ErasureSpec())...); err != nil {
		return err
	}
	if err := c.stillOwner(ctx); err != nil {
		return err
	}
	// One with the wrong keys does not fence one with the right ones.
	before, err := ReadFingerprints(ctx, c.Kafka, c.Source)
	if err == nil {
		err = c.sameKeys(before)
	}
	if err != nil {
		return err
	}
	// Making the producer fences a connector that may still run, and aborts
	// what it left open: the state read after it is final.
	if s.producer, err = c.Kafka.NewProducer(ctx, topic.ProducerConfig{TransactionalID: TransactionalID(c.Source)}); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.producer.Close()) }()
	defer func() { err = errors.Join(err, s.forget()) }()
	if err := s.own(ctx); err != nil {
		return err
	}
	c.owned = true
	if s.ledger, _, err = feed.Read(ctx, c.Kafka); err != nil { // P12
		return err
	}
	if err := connectors.CheckTokens(s.ledger, connectors.Tokenizers(s.Tokens, s.Records, s.OldTokens)); err != nil {
		return &ConfigError{err.Error()}
	}
	if err := s.checkKeys(ctx); err != nil {
		return err
	}
	if err := s.compileAll(ctx); err != nil {
		return err
	}
	return s.run(ctx)
}

// stillOwner keeps a connector that was superseded from taking the source back
// when it tries again.
func (c *Connector) stillOwner(ctx context.Context) error {
	if !c.owned {
		return nil
	}
	owner := ""
	err := readState(ctx, c.Kafka, c.Source, func(kind, name string, value []byte) error {
		if kind == stateOwner {
			owner = string(value)
		}
		return nil
	})
	if err == nil && owner != c.id {
		err = &connectors.SupersededError{Source: c.Source}
	}
	return err
}
