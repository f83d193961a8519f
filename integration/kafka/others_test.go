package kafka

import (
	"context"
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/hopluu/hopluu/integration/harness"
	"github.com/hopluu/hopluu/schemas/topic"
)

// Topics of other producers, such as Debezium's, are read whatever their
// codec.
func TestReadsTheCodecsOfOthers(t *testing.T) {
	broker := harness.Kafka(t)
	c := dial(t, broker.Brokers())
	ctx := testContext(t)
	for name, codec := range map[string]kgo.CompressionCodec{
		"none": kgo.NoCompression(), "gzip": kgo.GzipCompression(), "snappy": kgo.SnappyCompression(),
		"lz4": kgo.Lz4Compression(), "zstd": kgo.ZstdCompression(),
	} {
		t.Run(name, func(t *testing.T) {
			part := topic.Partition{Topic: newTopic(t, c, 1, nil)}
			cl, err := kgo.NewClient(kgo.SeedBrokers(broker.Addr), kgo.ProducerBatchCompression(codec), kgo.DefaultProduceTopic(part.Topic))
			require.NoError(t, err)
			defer cl.Close()
			var want []string
			var records []*kgo.Record
			for i := range 1000 {
				v := fmt.Sprintf("record %d of many that are much alike", i)
				want = append(want, v)
				records = append(records, &kgo.Record{Value: []byte(v)})
			}
			require.NoError(t, cl.ProduceSync(ctx, records...).FirstErr())
			requireValues(t, c, part, want...)
		})
	}
}

// Java's consumer reads what we write, with each codec.
func TestJavaReadsOurs(t *testing.T) {
	broker := harness.Kafka(t)
	paths := harness.Parts(t)
	c := dial(t, broker.Brokers())
	ctx := testContext(t)
	part := topic.Partition{Topic: newTopic(t, c, 1, nil)}
	var want []string
	for _, codec := range []topic.Compression{topic.None, topic.LZ4, topic.Zstd} {
		p, err := c.NewProducer(ctx, topic.ProducerConfig{TransactionalID: part.Topic, Compression: codec})
		require.NoError(t, err)
		for i := range 3000 { // more than one batch and one LZ4 block
			v := fmt.Sprintf("%d|%d|%s", codec, i, strings.Repeat("tổ dân phố ", i%40))
			want = append(want, v)
			require.NoError(t, p.Add(ctx, part, fmt.Append(nil, i), []byte(v), now()))
		}
		require.NoError(t, p.Commit(ctx))
		require.NoError(t, p.Add(ctx, part, nil, []byte(large("aborted")), now()))
		require.NoError(t, p.Abort(ctx))
		require.NoError(t, p.Close())
	}
	out, err := exec.CommandContext(ctx, paths.Java, "-Xmx128m", "-cp", paths.Kafka+"/*", "org.apache.kafka.tools.consumer.ConsoleConsumer",
		"--bootstrap-server", broker.Addr, "--topic", part.Topic, "--from-beginning", "--max-messages", fmt.Sprint(len(want)),
		"--timeout-ms", "180000", "--consumer-property", "isolation.level=read_committed").Output()
	require.NoError(t, err)
	require.Equal(t, want, strings.Split(strings.TrimSuffix(string(out), "\n"), "\n"))
}

// Compaction takes records and whole batches out of the middle. Who reads from
// the start still comes to the end, and has the last value of every key.
func TestCompactedTopicIsReadToItsEnd(t *testing.T) {
	broker := harness.Kafka(t, harness.WithSetting("log.cleaner.backoff.ms", "100"))
	c := dial(t, broker.Brokers())
	ctx := testContext(t)
	part := topic.Partition{Topic: newTopic(t, c, 1, map[string]string{
		"cleanup.policy": "compact", "segment.bytes": "1048576", "min.cleanable.dirty.ratio": "0.01",
		"segment.ms": "200", "delete.retention.ms": "0", "min.compaction.lag.ms": "0",
	})}
	p := newProducer(t, c, part.Topic)
	const keys, rounds = 10, 150
	last := map[string]string{}
	written := 0
	round := func(n int) {
		for k := range keys {
			key, value := fmt.Sprintf("key %d", k), fmt.Sprintf("%d of round %d %s", k, n, strings.Repeat("x", 2000))
			if k == 3 && n%2 == 1 {
				require.NoError(t, p.Add(ctx, part, []byte(key), nil, time.Now().UnixMilli()))
				delete(last, key)
			} else {
				require.NoError(t, p.Add(ctx, part, []byte(key), []byte(value), time.Now().UnixMilli()))
				last[key] = value
			}
			written++
		}
		require.NoError(t, p.Commit(ctx))
		if n%4 == 0 {
			require.NoError(t, p.Add(ctx, part, []byte("key 0"), []byte("aborted"), now()))
			require.NoError(t, p.Add(ctx, part, []byte("key 0"), []byte(large("aborted")), now()))
			require.NoError(t, p.Abort(ctx))
		}
	}
	for n := range rounds {
		round(n)
	}
	read := func(ctx context.Context) (state map[string]string, records int, err error) {
		state = map[string]string{}
		err = c.ReadAll(ctx, part.Topic, func(r topic.Record) error {
			records++
			if r.Value == nil {
				delete(state, string(r.Key))
			} else {
				state[string(r.Key)] = string(r.Value)
			}
			return nil
		})
		return state, records, err
	}
	n := rounds
	harness.Eventually(t, within, func(ctx context.Context) error {
		state, records, err := read(ctx)
		if err != nil {
			return err
		}
		if records > written/2 {
			round(n) // the segment that is written to is not compacted
			n++
			return fmt.Errorf("%d records of %d are still there", records, written)
		}
		if len(state) != len(last) {
			return fmt.Errorf("%d keys, not %d", len(state), len(last))
		}
		return nil
	})
	state, _, err := read(ctx)
	require.NoError(t, err)
	require.Equal(t, last, state)

	// From every offset a reader comes to the end.
	ends, err := c.EndOffsets(ctx, part)
	require.NoError(t, err)
	for from := int64(0); from < ends[part]; from += ends[part]/50 + 1 {
		r := c.NewReader(map[topic.Partition]int64{part: from})
		for at := from; at < ends[part]; {
			batches, err := r.Poll(ctx)
			require.NoError(t, err, "from %d", from)
			for _, b := range batches {
				require.Greater(t, b.Next, at)
				at = b.Next
			}
		}
		require.NoError(t, r.Close())
	}
}

// P2: records that retention took are an error.
func TestCase24OutOfRange(t *testing.T) {
	broker := harness.Kafka(t)
	c := dial(t, broker.Brokers())
	ctx := testContext(t)
	part := topic.Partition{Topic: newTopic(t, c, 1, nil)}
	p := newProducer(t, c, part.Topic)
	for range 10 {
		put(t, p, part, "x")
		require.NoError(t, p.Commit(ctx))
	}
	cl, err := kgo.NewClient(kgo.SeedBrokers(broker.Addr))
	require.NoError(t, err)
	defer cl.Close()
	req := kmsg.NewPtrDeleteRecordsRequest()
	rt := kmsg.NewDeleteRecordsRequestTopic()
	rt.Topic = part.Topic
	rp := kmsg.NewDeleteRecordsRequestTopicPartition()
	rp.Offset = 7
	rt.Partitions = append(rt.Partitions, rp)
	req.Topics = append(req.Topics, rt)
	harness.Eventually(t, within, func(ctx context.Context) error {
		if _, err := req.RequestWith(ctx, cl); err != nil {
			return err
		}
		starts, err := c.StartOffsets(ctx, part)
		if err == nil && starts[part] != 7 {
			err = fmt.Errorf("it begins at %d", starts[part])
		}
		return err
	})
	r := c.NewReader(map[topic.Partition]int64{part: 3})
	defer r.Close()
	err = nil
	for err == nil {
		_, err = r.Poll(ctx)
	}
	var gone *topic.OutOfRangeError
	require.ErrorAs(t, err, &gone)
	require.EqualValues(t, 3, gone.Offset)
	require.EqualValues(t, 7, gone.Start)
	require.EqualValues(t, 20, gone.End)
	require.Equal(t, part, gone.Partition)
}
