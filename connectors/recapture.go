package connectors

import (
	"context"
	"errors"

	"github.com/hopluu/hopluu/connectors/postgres/checkpoint"
	"github.com/hopluu/hopluu/schemas/topic"
)

// Recapture has a source read anew whose checkpoint was lost with Kafka, or comes
// from a backup: its slot has let go what only the lost topics had. The epoch
// begins above the given one, which is the highest that readers have seen of the
// source: rows of a lower one would count as older than those that are there, and
// silver would not take them (P2, P6). Every table ends with a marker, by which
// readers let go what is gone meanwhile. It can be repeated; a connector that runs
// does it at once.
func Recapture(ctx context.Context, kafka *topic.Client, topics Topics, source string, tables []string, above uint32) error {
	if _, err := kafka.Ensure(ctx, topics.StateSpec(source)); err != nil {
		return err
	}
	return fenced(func() error { return recaptureOnce(ctx, kafka, source, tables, above) })
}

func recaptureOnce(ctx context.Context, kafka *topic.Client, source string, tables []string, above uint32) (err error) {
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
	c = c.Restarted()
	if c.Epoch = max(c.Epoch, above); c.Epoch == 0 {
		return nil // nothing was ever captured: the connector begins by itself
	}
	for _, name := range tables {
		c.Tables[name] = checkpoint.Table{Restart: true}
	}
	return saveCheckpoint(ctx, producer, source, c, true)
}
