package topic

import (
	"context"
	"errors"
	"fmt"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol/describeconfigs"
)

// Description is a topic as the cluster has it.
type Description struct {
	Partitions int32
	// Replication is how many brokers hold the partition that the fewest hold.
	Replication int16
	// Config is every setting in force, whether the topic's own or a default.
	Config map[string]string
}

// resourceTopic is Kafka's number of topics among what can be configured.
const resourceTopic int8 = 2

// Brokers gives how many brokers of the cluster are up.
func (c *Client) Brokers(ctx context.Context) (int, error) {
	return retry(ctx, c, func(ctx context.Context) (int, error) {
		res, err := c.metadata(ctx)
		if err != nil {
			return 0, fmt.Errorf("brokers cannot be listed: %w", err)
		}
		return len(res.Brokers), nil
	})
}

// Describe gives each topic as the cluster has it now; an unknown topic is
// absent.
func (c *Client) Describe(ctx context.Context, topics ...string) (map[string]Description, error) {
	if len(topics) == 0 {
		return map[string]Description{}, nil
	}
	return retry(ctx, c, func(ctx context.Context) (map[string]Description, error) {
		res, err := c.metadata(ctx, topics...)
		if err != nil {
			return nil, fmt.Errorf("topics cannot be listed: %w", err)
		}
		found := make(map[string]Description, len(topics))
		req := &describeconfigs.Request{}
		for _, t := range res.Topics {
			switch err := makeError(t.ErrorCode); {
			case errors.Is(err, kafka.UnknownTopicOrPartition):
				continue
			case err != nil:
				return nil, fmt.Errorf("topic %s: %w", t.Name, err)
			}
			d := Description{Partitions: int32(len(t.Partitions)), Config: map[string]string{}}
			for i, p := range t.Partitions {
				if n := int16(len(p.ReplicaNodes)); i == 0 || n < d.Replication {
					d.Replication = n
				}
			}
			found[t.Name] = d
			req.Resources = append(req.Resources, describeconfigs.RequestResource{ResourceType: resourceTopic, ResourceName: t.Name})
		}
		if len(found) == 0 {
			return found, nil
		}
		configs, err := ask[*describeconfigs.Response](ctx, c, req)
		if err != nil {
			return nil, fmt.Errorf("the topics' settings cannot be read: %w", err)
		}
		for _, r := range configs.Resources {
			switch err := makeError(r.ErrorCode); {
			case errors.Is(err, kafka.UnknownTopicOrPartition): // gone since
				delete(found, r.ResourceName)
				continue
			case err != nil:
				return nil, fmt.Errorf("the settings of topic %s cannot be read: %w", r.ResourceName, err)
			}
			for _, entry := range r.ConfigEntries {
				found[r.ResourceName].Config[entry.ConfigName] = entry.ConfigValue
			}
		}
		return found, nil
	})
}
