package connectors

import (
	"context"
	"errors"
	"fmt"

	"github.com/hopluu/hopluu/connectors/postgres/checkpoint"
	"github.com/hopluu/hopluu/schemas/topic"
)

// Resnapshot marks tables to be read anew (all when none is named, under a new
// epoch: what a gap needs). A connector that runs does it at once, one that
// does not when it starts.
func Resnapshot(ctx context.Context, kafka *topic.Client, source string, tables ...string) error {
	return remark(ctx, kafka, source, func(c *checkpoint.Checkpoint) error {
		if len(tables) == 0 {
			*c = c.Restarted()
		}
		for _, name := range tables {
			if _, ok := c.Tables[name]; !ok {
				return fmt.Errorf("source %s has no table %s: write it as schema.table", source, name)
			}
			c.Tables[name] = checkpoint.Table{Restart: true}
		}
		return nil
	})
}

// remark changes a source's checkpoint from outside of its connector.
func remark(ctx context.Context, kafka *topic.Client, source string, change func(*checkpoint.Checkpoint) error) error {
	return fenced(func() error { return remarkOnce(ctx, kafka, source, change) })
}

// fenced does something again when a connector that just started has fenced us.
func fenced(do func() error) (err error) {
	for range 5 {
		if err = do(); !errors.Is(err, topic.ErrFenced) {
			return err
		}
	}
	return err
}

func remarkOnce(ctx context.Context, kafka *topic.Client, source string, change func(*checkpoint.Checkpoint) error) (err error) {
	// It takes the connector's transactional id over, so that no checkpoint of
	// the connector's can undo the marks. The connector remains the source's
	// owner, and begins again from them.
	producer, err := kafka.NewProducer(ctx, topic.ProducerConfig{TransactionalID: TransactionalID(source)})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, producer.Close()) }()
	s, err := ownState(ctx, kafka, producer, source, "")
	if err != nil {
		return err
	}
	c := s.checkpoint
	if !c.Started() {
		return fmt.Errorf("source %s was never captured: start it with 'hopluu connector run'", source)
	}
	if err := change(&c); err != nil {
		return err
	}
	return saveCheckpoint(ctx, producer, source, c, true)
}
