package topic

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol/createtopics"
	"github.com/segmentio/kafka-go/protocol/listoffsets"
)

// Spec is a topic as it should be. Config holds Kafka's topic settings, such
// as cleanup.policy. Replication 0 leaves the factor to the broker.
type Spec struct {
	Name        string
	Partitions  int32
	Replication int16
	Config      map[string]string
}

// Ensure creates the topics that are missing and gives their names. A topic
// that is there with another number of partitions is a PartitionCountError;
// nothing is created then.
func (c *Client) Ensure(ctx context.Context, specs ...Spec) (created []string, err error) {
	names := make([]string, len(specs))
	for i, s := range specs {
		names[i] = s.Name
	}
	missing, err := c.missing(ctx, names, specs)
	if err != nil || len(missing) == 0 {
		return nil, err
	}
	req := &createtopics.Request{TimeoutMs: int32(attemptTimeout.Milliseconds())}
	for _, s := range missing {
		t := createtopics.RequestTopic{Name: s.Name, NumPartitions: s.Partitions, ReplicationFactor: s.Replication}
		if s.Replication == 0 {
			t.ReplicationFactor = -1
		}
		for k, v := range s.Config {
			t.Configs = append(t.Configs, createtopics.RequestConfig{Name: k, Value: v})
		}
		req.Topics = append(req.Topics, t)
	}
	_, err = retry(ctx, c, func(ctx context.Context) (struct{}, error) {
		res, err := ask[*createtopics.Response](ctx, c, req)
		if err != nil {
			return struct{}{}, err
		}
		for _, t := range res.Topics {
			switch err := makeError(t.ErrorCode); {
			case err == nil:
				created = append(created, t.Name)
			case errors.Is(err, kafka.TopicAlreadyExists): // another process was faster, or our first attempt did arrive
			default:
				return struct{}{}, fmt.Errorf("topic %s cannot be created: %w: %s", t.Name, err, t.ErrorMessage)
			}
		}
		return struct{}{}, nil
	})
	if err != nil {
		return created, err
	}
	slices.Sort(created)
	created = slices.Compact(created)
	// A new topic shows on the brokers a moment later.
	_, err = retry(ctx, c, func(ctx context.Context) (struct{}, error) {
		missing, err := c.missing(ctx, names, specs)
		if err == nil && len(missing) > 0 {
			err = fmt.Errorf("topic %s was created but does not show: %w", missing[0].Name, kafka.UnknownTopicOrPartition)
		}
		return struct{}{}, err
	})
	return created, err
}

func (c *Client) missing(ctx context.Context, names []string, specs []Spec) ([]Spec, error) {
	have, err := c.PartitionCounts(ctx, names...)
	if err != nil {
		return nil, err
	}
	var missing []Spec
	for _, s := range specs {
		switch n, ok := have[s.Name]; {
		case !ok:
			missing = append(missing, s)
		case n != s.Partitions:
			return nil, &PartitionCountError{Topic: s.Name, Have: n, Want: s.Partitions}
		}
	}
	return missing, nil
}

// PartitionCounts gives the number of partitions of each topic as the broker
// has it now; an unknown topic is absent. Without names it gives all topics.
func (c *Client) PartitionCounts(ctx context.Context, topics ...string) (map[string]int32, error) {
	return retry(ctx, c, func(ctx context.Context) (map[string]int32, error) {
		res, err := c.metadata(ctx, topics...)
		if err != nil {
			return nil, fmt.Errorf("topics cannot be listed: %w", err)
		}
		counts := make(map[string]int32, len(res.Topics))
		for _, t := range res.Topics {
			switch err := makeError(t.ErrorCode); {
			case err == nil:
				counts[t.Name] = int32(len(t.Partitions))
			case errors.Is(err, kafka.UnknownTopicOrPartition):
			default:
				return nil, fmt.Errorf("topic %s: %w", t.Name, err)
			}
		}
		return counts, nil
	})
}

// Timestamps by which ListOffsets asks for the ends of a partition.
const (
	latestOffset   = -1
	earliestOffset = -2
)

// Isolation levels of ListOffsets.
const (
	readUncommitted = 0
	readCommitted   = 1
)

// StartOffsets gives the first offset that each partition still holds.
func (c *Client) StartOffsets(ctx context.Context, parts ...Partition) (map[Partition]int64, error) {
	return c.offsets(ctx, earliestOffset, readCommitted, parts)
}

// OffsetsAt gives for each partition the offset of the first record whose
// timestamp is timestampMs or later, in milliseconds since 1970-01-01 UTC, -1
// when there is none.
func (c *Client) OffsetsAt(ctx context.Context, timestampMs int64, parts ...Partition) (map[Partition]int64, error) {
	return c.offsets(ctx, max(timestampMs, 0), readCommitted, parts)
}

// EndOffsets gives the last stable offset of each partition: every record
// below it is committed or aborted.
func (c *Client) EndOffsets(ctx context.Context, parts ...Partition) (map[Partition]int64, error) {
	return c.offsets(ctx, latestOffset, readCommitted, parts)
}

// WrittenOffsets gives the high watermark of each partition: every record of a
// transaction whose commit was answered is below it. The last stable offset may
// still be below such records, for the coordinator answers a commit before it
// has written the markers.
func (c *Client) WrittenOffsets(ctx context.Context, parts ...Partition) (map[Partition]int64, error) {
	return c.offsets(ctx, latestOffset, readUncommitted, parts)
}

func (c *Client) offsets(ctx context.Context, at int64, isolation int8, parts []Partition) (map[Partition]int64, error) {
	if len(parts) == 0 {
		return map[Partition]int64{}, nil
	}
	return retry(ctx, c, func(ctx context.Context) (map[Partition]int64, error) {
		req := &listoffsets.Request{ReplicaID: -1, IsolationLevel: isolation}
		for topic, ids := range byTopic(parts) {
			t := listoffsets.RequestTopic{Topic: topic}
			for _, id := range ids {
				t.Partitions = append(t.Partitions, listoffsets.RequestPartition{Partition: id, CurrentLeaderEpoch: -1, Timestamp: at})
			}
			req.Topics = append(req.Topics, t)
		}
		res, err := ask[*listoffsets.Response](ctx, c, req)
		if err != nil {
			return nil, fmt.Errorf("offsets cannot be listed: %w", err)
		}
		offsets := make(map[Partition]int64, len(parts))
		for _, t := range res.Topics {
			for _, p := range t.Partitions {
				part := Partition{t.Topic, p.Partition}
				if err := makeError(p.ErrorCode); err != nil {
					return nil, fmt.Errorf("offsets of %s cannot be listed: %w", part, err)
				}
				offsets[part] = p.Offset
			}
		}
		for _, p := range parts {
			if _, ok := offsets[p]; !ok {
				return nil, fmt.Errorf("offsets of %s cannot be listed: %w", p, kafka.UnknownTopicOrPartition)
			}
		}
		return offsets, nil
	})
}

func byTopic(parts []Partition) map[string][]int32 {
	m := make(map[string][]int32)
	for _, p := range parts {
		m[p.Topic] = append(m[p.Topic], p.ID)
	}
	return m
}
