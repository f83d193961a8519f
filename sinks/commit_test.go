package sinks

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/hopluu/hopluu/schemas/topic"
)

// memoryStore keeps how many records were written.
type memoryStore struct{ rows int64 }

func (*memoryStore) Lane(topicName string) string { return topicName }
func (*memoryStore) Resume(context.Context, []topic.Partition) (map[topic.Partition]int64, error) {
	return map[topic.Partition]int64{}, nil
}
func (*memoryStore) Hold(topic.Partition, int64)                                     {}
func (*memoryStore) Epoch() uint32                                                   { return 1 }
func (*memoryStore) NewEpoch(context.Context, uint32, string) error                  { return nil }
func (*memoryStore) Retries(context.Context) ([]topic.Record, error)                 { return nil, nil }
func (*memoryStore) Prepare(context.Context) error                                   { return nil }
func (*memoryStore) Mark() Mark                                                      { return nil }
func (*memoryStore) CaughtUp(context.Context, Mark, map[topic.Partition]int64) error { return nil }
func (s *memoryStore) Open(string) Batch                                             { return &memoryBatch{store: s} }

type memoryBatch struct {
	store *memoryStore
	rows  int
	held  int64
}

func (b *memoryBatch) Add(_ context.Context, r *topic.Record) error {
	b.rows++
	b.held = r.Offset + 1
	return nil
}
func (b *memoryBatch) Retry(ctx context.Context, r *topic.Record) error { return b.Add(ctx, r) }
func (*memoryBatch) Drop()                                              {}
func (b *memoryBatch) Rows() int                                        { return b.rows }
func (*memoryBatch) Bytes() int                                         { return 0 }
func (*memoryBatch) Newest() int64                                      { return 0 }
func (b *memoryBatch) Held(topic.Partition) int64                       { return b.held }
func (b *memoryBatch) Write(context.Context, map[topic.Partition]int64, map[topic.Partition]Range) error {
	b.store.rows += int64(b.rows)
	return nil
}

// P2: the broker refuses the offset of a batch that is written, for something
// that passes, and no other batch of the partition comes. The offset is
// committed all the same: without it the sink seems behind for ever.
func TestAnOffsetThatIsRefusedIsCommittedWithoutAnotherBatch(t *testing.T) {
	cluster, err := kfake.NewCluster(kfake.SeedTopics(1, "a"))
	require.NoError(t, err)
	defer cluster.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	client, err := topic.Dial(ctx, topic.Config{Brokers: cluster.ListenAddrs(), ClientID: "test"})
	require.NoError(t, err)
	defer func() { require.NoError(t, client.Close()) }()
	part := topic.Partition{Topic: "a"}
	producer, err := client.NewProducer(ctx, topic.ProducerConfig{TransactionalID: "w"})
	require.NoError(t, err)
	for i := range 12 {
		require.NoError(t, producer.Add(ctx, part, nil, fmt.Append(nil, i), 1))
	}
	require.NoError(t, producer.Commit(ctx))
	require.NoError(t, producer.Close())

	refused, told := make(chan struct{}), false
	cluster.ControlKey(int16(kmsg.OffsetCommit), func(request kmsg.Request) (kmsg.Response, error, bool) {
		commit := request.(*kmsg.OffsetCommitRequest)
		cluster.KeepControl()
		note := commit.Topics[0].Partitions[0].Metadata
		if pending := note == nil || strings.Contains(*note, `"next"`); pending || told {
			return nil, nil, false
		}
		told = true
		close(refused)
		answer := commit.ResponseKind().(*kmsg.OffsetCommitResponse)
		for _, of := range commit.Topics {
			one := kmsg.OffsetCommitResponseTopic{Topic: of.Topic, TopicID: of.TopicID}
			for _, p := range of.Partitions {
				one.Partitions = append(one.Partitions, kmsg.OffsetCommitResponseTopicPartition{Partition: p.Partition, ErrorCode: kerr.GroupAuthorizationFailed.Code})
			}
			answer.Topics = append(answer.Topics, one)
		}
		return answer, nil, true
	})
	store := &memoryStore{}
	sink, err := New(Config{
		Kafka: client, Group: "g", Topics: []string{"a"}, BatchRows: 1000, BatchBytes: 1 << 20, BatchWait: time.Millisecond,
		Health: NewHealth(slog.New(slog.DiscardHandler)), Log: slog.New(slog.DiscardHandler), Metrics: prometheus.NewRegistry(),
	}, store)
	require.NoError(t, err)
	running, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- sink.Run(running) }()
	select {
	case <-refused:
	case err := <-ended:
		t.Fatal("the sink ended:", err)
	case <-ctx.Done():
		t.Fatal("no offset was committed")
	}
	ends, err := client.EndOffsets(ctx, part)
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		offsets, err := client.Committed(ctx, "g", part)
		return err == nil && offsets[part] == ends[part]
	}, time.Minute, 10*time.Millisecond)
	stop()
	require.NoError(t, <-ended)
	require.EqualValues(t, 12, store.rows)
}
