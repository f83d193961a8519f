package kafka

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/stretchr/testify/require"

	"github.com/hopluu/hopluu/integration/harness"
	"github.com/hopluu/hopluu/schemas/topic"
)

// row is a change event as large as those of a usual table.
func row(r *rand.Rand, i int) (key, value []byte) {
	key = fmt.Appendf(nil, "\x00\x00\x00\x00\x01%08d", i)
	value = fmt.Appendf(nil, "\x00\x00\x00\x00\x02%08d|Phường %02d|%d|A%02d.%d|%d|health.public.encounter|%016x|%016x", i, r.IntN(90), r.IntN(1e9), r.IntN(99), r.IntN(9), r.IntN(1e7), r.Uint64(), r.Uint64())
	return key, value
}

// BenchmarkTransactions gives records a second through a real broker, acks from
// all replicas, by size of the transaction and codec.
func BenchmarkTransactions(b *testing.B) {
	broker := harness.Kafka(b)
	c := dial(b, broker.Brokers())
	const partitions = 6
	r := rand.New(rand.NewPCG(1, 2))
	var keys, values [][]byte
	bytes := 0
	for i := range 1 << 14 {
		k, v := row(r, i)
		keys, values = append(keys, k), append(values, v)
		bytes += len(k) + len(v)
	}
	for codec, name := range map[topic.Compression]string{topic.LZ4: "lz4", topic.Zstd: "zstd", topic.None: "none"} {
		for _, size := range []int{1, 10, 1000, 50_000} {
			b.Run(fmt.Sprintf("%s/%d", name, size), func(b *testing.B) {
				ctx := testContext(b)
				t := newTopic(b, c, partitions, nil)
				p, err := c.NewProducer(ctx, topic.ProducerConfig{TransactionalID: t, Compression: codec})
				require.NoError(b, err)
				n := 0
				for b.Loop() {
					for range size {
						i := n & (len(keys) - 1)
						part := topic.Partition{Topic: t, ID: topic.PartitionFor(keys[i], partitions)}
						if err := p.Add(ctx, part, keys[i], values[i], now()); err != nil {
							b.Fatal(err)
						}
						n++
					}
					if err := p.Commit(ctx); err != nil {
						b.Fatal(err)
					}
				}
				require.NoError(b, p.Close())
				b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "records/s")
				b.ReportMetric(float64(n)/b.Elapsed().Seconds()*float64(bytes)/float64(len(keys))/1e6, "MB/s")
			})
		}
	}
}

// BenchmarkWriter gives records a second of kafka-go's own Writer, beside
// BenchmarkTransactions: acks from all replicas, lz4, a batch as large as what it
// is given at once. It has no transactions: what it sends twice stands twice.
func BenchmarkWriter(b *testing.B) {
	broker := harness.Kafka(b)
	c := dial(b, broker.Brokers())
	const partitions = 6
	t := newTopic(b, c, partitions, nil) // one for all: a new one the Writer's transport would not know for a while
	r := rand.New(rand.NewPCG(1, 2))
	for _, size := range []int{1, 10, 1000, 50_000} {
		b.Run(fmt.Sprintf("lz4/%d", size), func(b *testing.B) {
			w := &kafka.Writer{Addr: kafka.TCP(broker.Brokers()...), Topic: t, Balancer: kafka.Murmur2Balancer{}, RequiredAcks: kafka.RequireAll,
				Compression: kafka.Lz4, BatchSize: max(1, size/partitions), BatchBytes: 8 << 20, BatchTimeout: time.Millisecond}
			messages := make([]kafka.Message, size)
			for i := range messages {
				messages[i].Key, messages[i].Value = row(r, i)
			}
			n := 0
			for b.Loop() {
				if err := w.WriteMessages(b.Context(), messages...); err != nil {
					b.Fatal(err)
				}
				n += size
			}
			require.NoError(b, w.Close())
			b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "records/s")
		})
	}
}

// BenchmarkRead gives records a second out of a real broker, read committed.
func BenchmarkRead(b *testing.B) {
	broker := harness.Kafka(b)
	c := dial(b, broker.Brokers())
	const partitions, records = 6, 600_000
	ctx := testContext(b)
	t := newTopic(b, c, partitions, nil)
	p, err := c.NewProducer(ctx, topic.ProducerConfig{TransactionalID: t})
	require.NoError(b, err)
	r := rand.New(rand.NewPCG(1, 2))
	for i := range records {
		key, value := row(r, i)
		require.NoError(b, p.Add(ctx, topic.Partition{Topic: t, ID: int32(i % partitions)}, key, value, now()))
		if i%20_000 == 0 {
			require.NoError(b, p.Commit(ctx))
		}
	}
	require.NoError(b, p.Commit(ctx))
	require.NoError(b, p.Close())
	n := 0
	for b.Loop() {
		require.NoError(b, c.ReadAll(ctx, t, func(topic.Record) error { n++; return nil }))
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "records/s")
}
