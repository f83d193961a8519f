package connectors

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/hopluu/hopluu/connectors/postgres/checkpoint"
	"github.com/hopluu/hopluu/schemas/topic"
)

// Connector captures one source.
type Connector struct {
	Config
	metrics *metrics
	// state is why the connector is not ready; nil when it streams.
	state atomic.Pointer[error]
}

var errStarting = errors.New("starting")

// New makes a connector; Run starts it.
func New(config Config) *Connector {
	c := &Connector{Config: config, metrics: newMetrics(config.Metrics, config.Source)}
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
		delay := wait.NextBackOff()
		c.metrics.failures.Inc()
		c.Log.Error("capture stopped; it goes on from the checkpoint", "error", err, "again_in", delay.Round(time.Millisecond).String())
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(delay):
		}
	}
}

// Checkpoints reads the checkpoint of every source.
func Checkpoints(ctx context.Context, kafka *topic.Client) (map[string]checkpoint.Checkpoint, error) {
	all := map[string]checkpoint.Checkpoint{}
	err := kafka.ReadAll(ctx, StateTopic, func(r topic.Record) error {
		if r.Value == nil {
			delete(all, string(r.Key))
			return nil
		}
		c, err := checkpoint.Parse(r.Value)
		if err != nil {
			return fmt.Errorf("source %s in topic %s, offset %d: %w", r.Key, StateTopic, r.Offset, err)
		}
		all[string(r.Key)] = c
		return nil
	})
	return all, err
}

// Resnapshot marks tables to be read anew when the source's connector next
// starts (all when none is named, under a new epoch: what a gap needs). It
// fences a connector that runs, which then ends.
func Resnapshot(ctx context.Context, kafka *topic.Client, source string, tables ...string) error {
	producer, err := kafka.NewProducer(ctx, topic.ProducerConfig{TransactionalID: transactionalID(source)})
	if err != nil {
		return err
	}
	all, err := Checkpoints(ctx, kafka)
	if err != nil {
		return errors.Join(err, producer.Close())
	}
	c := all[source]
	if !c.Started() {
		return errors.Join(fmt.Errorf("source %s was never captured: start it with 'hopluu connector run'", source), producer.Close())
	}
	if len(tables) == 0 {
		c = c.Restarted()
	}
	for _, name := range tables {
		if _, ok := c.Tables[name]; !ok {
			return errors.Join(fmt.Errorf("source %s has no table %s: write it as schema.table", source, name), producer.Close())
		}
		c.Tables[name] = checkpoint.Table{Restart: true}
	}
	return errors.Join(saveCheckpoint(ctx, producer, source, c), producer.Close())
}

// saveCheckpoint commits the producer's open transaction, or one of its own,
// with the checkpoint in it.
func saveCheckpoint(ctx context.Context, producer *topic.Producer, source string, c checkpoint.Checkpoint) error {
	data, err := c.Marshal()
	if err != nil {
		return err
	}
	if err := producer.Add(ctx, topic.Partition{Topic: StateTopic}, []byte(source), data, time.Now().UnixMilli()); err != nil {
		return err
	}
	return producer.Commit(ctx)
}

func transactionalID(source string) string { return "hopluu-connector-" + source }
