package harness

import (
	"context"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Written gives the end of each of a topic's partitions, from 0, below which
// something was written, be it committed or not. A reader of what is committed
// may stand below it: the coordinator answers a commit before every partition
// has heard of it.
func Written(ctx context.Context, client *kgo.Client, topic string, partitions int32) (map[int32]int64, error) {
	ask := kmsg.NewPtrListOffsetsRequest()
	ask.IsolationLevel = 0 // read uncommitted
	asked := kmsg.NewListOffsetsRequestTopic()
	asked.Topic = topic
	for id := range partitions {
		p := kmsg.NewListOffsetsRequestTopicPartition()
		p.Partition, p.Timestamp = id, -1 // the end
		asked.Partitions = append(asked.Partitions, p)
	}
	ask.Topics = append(ask.Topics, asked)
	answer, err := ask.RequestWith(ctx, client)
	if err != nil {
		return nil, err
	}
	ends := map[int32]int64{}
	for _, t := range answer.Topics {
		for _, p := range t.Partitions {
			if err := kerr.ErrorForCode(p.ErrorCode); err != nil {
				return nil, err
			}
			ends[p.Partition] = p.Offset
		}
	}
	return ends, nil
}
