package topic

import (
	"cmp"
	"context"
	"fmt"

	"github.com/segmentio/kafka-go"
)

// ReadAll gives every committed record of a topic to fn, each partition from
// its start to its stable end at the time of the call: what compacted topics
// hold. Records of one partition come in their order, those of several
// partitions in any. The records of a transaction that is still open are not
// seen: whoever reads its own state makes its producer first.
func (c *Client) ReadAll(ctx context.Context, topic string, fn func(Record) error) error {
	counts, err := c.PartitionCounts(ctx, topic)
	if err != nil {
		return err
	}
	n, ok := counts[topic]
	if !ok {
		return fmt.Errorf("topic %s is not there: %w", topic, kafka.UnknownTopicOrPartition)
	}
	parts := make([]Partition, n)
	for i := range parts {
		parts[i] = Partition{topic, int32(i)}
	}
	positions, err := c.StartOffsets(ctx, parts...)
	if err != nil {
		return err
	}
	ends, err := c.EndOffsets(ctx, parts...)
	if err != nil {
		return err
	}
	for p, end := range ends {
		if positions[p] >= end {
			delete(positions, p)
			delete(ends, p)
		}
	}
	r := c.NewReader(positions)
	defer r.Close()
	for len(ends) > 0 {
		batches, err := r.Poll(ctx)
		if err != nil {
			return err
		}
		for _, b := range batches {
			end, ok := ends[b.Partition]
			if !ok {
				continue
			}
			for _, rec := range b.Records {
				if rec.Offset >= end {
					break
				}
				if err := fn(rec); err != nil {
					return err
				}
			}
			if b.Next >= end {
				delete(ends, b.Partition)
			}
		}
	}
	return nil
}

func compare(a, b Partition) int {
	return cmp.Or(cmp.Compare(a.Topic, b.Topic), cmp.Compare(a.ID, b.ID))
}
