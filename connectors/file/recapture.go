package file

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/hopluu/hopluu/connectors"
	"github.com/hopluu/hopluu/schemas/topic"
)

// Recapture has a source of files go on under a new epoch after its state was
// lost with Kafka, or comes from a backup: events of the old epoch would count as
// older than those that readers have (P2, P6). above is the highest epoch that
// they have seen. Files that the state does not know are taken in again. It can be
// repeated; the connector must not run.
func Recapture(ctx context.Context, kafka *topic.Client, topics connectors.Topics, source string, above uint32) (err error) {
	if _, err := kafka.Ensure(ctx, StateSpec(topics, source)); err != nil {
		return err
	}
	producer, err := kafka.NewProducer(ctx, topic.ProducerConfig{TransactionalID: TransactionalID(source)})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, producer.Close()) }()
	var c checkpoint
	err = readState(ctx, kafka, source, func(kind, _ string, value []byte) error {
		if kind != stateCheckpoint {
			return nil
		}
		c = checkpoint{}
		return json.Unmarshal(value, &c)
	})
	if err != nil {
		return err
	}
	if max(c.Epoch, above) == 0 {
		return nil // nothing was ever taken in
	}
	c.Epoch = max(c.Epoch, above) + 1
	c.BeatMillis = time.Now().UnixMilli()
	data, err := json.Marshal(c)
	if err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	if err := producer.Add(ctx, topic.Partition{Topic: StateTopic(source)}, []byte(stateCheckpoint), data, c.BeatMillis); err != nil {
		return err
	}
	return producer.Commit(ctx)
}
