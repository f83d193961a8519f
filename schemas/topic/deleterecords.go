package topic

import (
	"context"
	"fmt"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
)

// DeleteBefore takes away the records of a partition below an offset, for good:
// the partition then starts there. Nobody may count on reading them: a group
// whose place is below is refused, as after retention.
func (c *Client) DeleteBefore(ctx context.Context, p Partition, offset int64) error {
	_, err := retry(ctx, c, func(ctx context.Context) (struct{}, error) {
		res, err := ask[*deleteRecordsResponse](ctx, c, &deleteRecordsRequest{
			Topics: []deleteRecordsTopic{{Name: p.Topic, Partitions: []deleteRecordsPartition{{p.ID, offset}}}}, TimeoutMs: int32(attemptTimeout.Milliseconds()),
		})
		if err != nil {
			return struct{}{}, err
		}
		for _, t := range res.Topics {
			for _, q := range t.Partitions {
				if err := makeError(q.ErrorCode); err != nil {
					return struct{}{}, err
				}
			}
		}
		return struct{}{}, nil
	})
	if err != nil {
		return fmt.Errorf("records of %s below %d cannot be deleted: %w", p, offset, err)
	}
	return nil
}

// deleteRecordsRequest is one partition's, for its leader
// (https://kafka.apache.org/protocol#The_Messages_DeleteRecords), which kafka-go
// has not.
type deleteRecordsRequest struct {
	Topics    []deleteRecordsTopic `kafka:"min=v0,max=v1"`
	TimeoutMs int32                `kafka:"min=v0,max=v1"`
}

type deleteRecordsTopic struct {
	Name       string                   `kafka:"min=v0,max=v1"`
	Partitions []deleteRecordsPartition `kafka:"min=v0,max=v1"`
}

type deleteRecordsPartition struct {
	Partition int32 `kafka:"min=v0,max=v1"`
	Offset    int64 `kafka:"min=v0,max=v1"`
}

func (*deleteRecordsRequest) ApiKey() protocol.ApiKey { return protocol.DeleteRecords }

// Broker is the partition's leader.
func (r *deleteRecordsRequest) Broker(cluster protocol.Cluster) (protocol.Broker, error) {
	t := r.Topics[0]
	leader, ok := cluster.Topics[t.Name].Partitions[t.Partitions[0].Partition]
	if !ok {
		return protocol.Broker{}, kafka.UnknownTopicOrPartition
	}
	b, ok := cluster.Brokers[leader.Leader]
	if !ok {
		return b, fmt.Errorf("broker %d: %w", leader.Leader, protocol.ErrNoLeader)
	}
	return b, nil
}

type deleteRecordsResponse struct {
	ThrottleTimeMs int32                         `kafka:"min=v0,max=v1"`
	Topics         []deleteRecordsResponseResult `kafka:"min=v0,max=v1"`
}

type deleteRecordsResponseResult struct {
	Name       string                       `kafka:"min=v0,max=v1"`
	Partitions []deleteRecordsResponseStart `kafka:"min=v0,max=v1"`
}

type deleteRecordsResponseStart struct {
	Partition    int32 `kafka:"min=v0,max=v1"`
	LowWatermark int64 `kafka:"min=v0,max=v1"`
	ErrorCode    int16 `kafka:"min=v0,max=v1"`
}

func (*deleteRecordsResponse) ApiKey() protocol.ApiKey { return protocol.DeleteRecords }

func init() { protocol.Register(&deleteRecordsRequest{}, &deleteRecordsResponse{}) }

var _ protocol.BrokerMessage = (*deleteRecordsRequest)(nil)
