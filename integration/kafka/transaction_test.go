package kafka

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/hopluu/hopluu/integration/harness"
	"github.com/hopluu/hopluu/schemas/topic"
)

// Case 33: committed records show, aborted ones and the markers of transactions
// do not, to us and to another client library; all were written. A reader that
// counts comes to the end of each partition all the same, which here is an
// aborted transaction and its marker.
func TestCase33AbortedAndMarkersAreLeftOut(t *testing.T) {
	broker := harness.Kafka(t)
	c := dial(t, broker.Brokers())
	ctx := testContext(t)
	name := newTopic(t, c, 2, nil)
	p0, p1 := topic.Partition{Topic: name, ID: 0}, topic.Partition{Topic: name, ID: 1}
	p := newProducer(t, c, name)
	var in0, in1 []string
	for round := range 20 {
		a, b, d := fmt.Sprintf("a%d", round), fmt.Sprintf("b%d", round), fmt.Sprintf("d%d", round)
		put(t, p, p0, a, large(b), large(d))
		put(t, p, p1, a)
		if round%3 == 1 {
			require.NoError(t, p.Abort(ctx))
			continue
		}
		require.NoError(t, p.Commit(ctx))
		in0 = append(in0, a, b, d)
		in1 = append(in1, a)
	}
	requireValues(t, c, p0, in0...)
	requireValues(t, c, p1, in1...)
	require.ElementsMatch(t, append(in0, in1...), witness(t, c, broker.Brokers(), name, kgo.ReadCommitted()))
	require.Contains(t, witness(t, c, broker.Brokers(), name, kgo.ReadUncommitted()), "b1", "what was aborted was written all the same")

	ends, err := c.EndOffsets(ctx, p0, p1)
	require.NoError(t, err)
	r := c.NewReader(map[topic.Partition]int64{p0: 0, p1: 0})
	defer r.Close()
	count, next := 0, map[topic.Partition]int64{}
	for next[p0] < ends[p0] || next[p1] < ends[p1] {
		batches, err := r.Poll(ctx)
		require.NoError(t, err)
		for _, b := range batches {
			count += len(b.Records)
			next[b.Partition] = b.Next
		}
	}
	require.Equal(t, len(in0)+len(in1), count)
	require.Equal(t, ends, next)
	require.Greater(t, int(ends[p0]+ends[p1]), count+20, "offsets that are no record of ours to read")
}

// A zombie's open transaction is aborted by its successor, and nothing that it
// does afterwards shows or harms.
func TestCase34ZombieIsFenced(t *testing.T) {
	broker := harness.Kafka(t)
	c := dial(t, broker.Brokers())
	ctx := testContext(t)
	name := newTopic(t, c, 2, nil)
	part, other := topic.Partition{Topic: name, ID: 0}, topic.Partition{Topic: name, ID: 1}

	zombie := newProducer(t, c, name)
	put(t, zombie, part, large("zombie"))
	put(t, zombie, part, large("zombie")) // waits for the first, which so is there
	stuck := newProducer(t, c, name+"-stuck")
	put(t, stuck, other, large("stuck"), large("stuck"))
	ends, err := c.EndOffsets(ctx, part)
	require.NoError(t, err)
	require.Zero(t, ends[part], "nothing is committed")
	written, err := c.WrittenOffsets(ctx, part)
	require.NoError(t, err)
	require.Positive(t, written[part], "but something is there")

	p := newProducer(t, c, name)
	requireValues(t, c, part)
	put(t, p, part, "1")
	require.NoError(t, p.Commit(ctx))

	err = zombie.Commit(ctx)
	require.ErrorIs(t, err, topic.ErrFenced)
	require.NotContains(t, err.Error(), "\n")
	require.ErrorIs(t, zombie.Add(ctx, part, nil, []byte("zombie"), now()), topic.ErrFenced)

	put(t, p, part, "2")
	require.NoError(t, p.Commit(ctx), "its successor is not fenced in turn")

	// A zombie that aborts instead.
	fresh := newProducer(t, c, name+"-stuck")
	require.ErrorIs(t, stuck.Abort(ctx), topic.ErrFenced)
	put(t, fresh, other, "3")
	require.NoError(t, fresh.Commit(ctx))
	requireValues(t, c, part, "1", "2")
	requireValues(t, c, other, "3")
}

// A transaction that outlives its time is given up by the coordinator; its
// producer learns it and a new one goes on.
func TestTransactionOutOfTime(t *testing.T) {
	broker := harness.Kafka(t, harness.WithSetting("transaction.abort.timed.out.transaction.cleanup.interval.ms", "100"))
	c := dial(t, broker.Brokers())
	ctx := testContext(t)
	name := newTopic(t, c, 1, nil)
	part := topic.Partition{Topic: name}
	p, err := c.NewProducer(ctx, topic.ProducerConfig{TransactionalID: name, TransactionTimeout: 500 * time.Millisecond})
	require.NoError(t, err)
	for range 2 {
		if err := p.Add(ctx, part, nil, []byte(large("late")), now()); err != nil {
			require.ErrorIs(t, err, topic.ErrFenced, "a busy machine is late already")
		}
	}
	// The abort marker makes the end of the topic stable.
	harness.Eventually(t, within, func(ctx context.Context) error {
		end, err := c.EndOffsets(ctx, part)
		if err == nil && end[part] == 0 {
			err = fmt.Errorf("the transaction is still open")
		}
		return err
	})
	require.ErrorIs(t, p.Commit(ctx), topic.ErrFenced)
	require.NoError(t, p.Close())
	p = newProducer(t, c, name)
	put(t, p, part, "1")
	require.NoError(t, p.Commit(ctx))
	requireValues(t, c, part, "1")

	_, err = c.NewProducer(ctx, topic.ProducerConfig{TransactionalID: name, TransactionTimeout: 24 * time.Hour})
	require.ErrorContains(t, err, "raise transaction.max.timeout.ms")
}

// A row above the topic's limit is refused with its partition and size; the
// transaction is made again without it.
func TestRecordAboveTheTopicsLimit(t *testing.T) {
	broker := harness.Kafka(t)
	c := dial(t, broker.Brokers())
	ctx := testContext(t)
	name := newTopic(t, c, 1, map[string]string{"max.message.bytes": "2000"})
	part := topic.Partition{Topic: name}
	p, err := c.NewProducer(ctx, topic.ProducerConfig{TransactionalID: name, Compression: topic.None})
	require.NoError(t, err)
	defer p.Close()
	require.NoError(t, p.Add(ctx, part, nil, make([]byte, 3000), now()))
	err = p.Commit(ctx)
	require.ErrorIs(t, err, topic.ErrMustAbort)
	var large *topic.TooLargeError
	require.ErrorAs(t, err, &large)
	require.Equal(t, part, large.Partition)
	require.Greater(t, large.Bytes, 3000)
	require.NoError(t, p.Abort(ctx))
	require.NoError(t, p.Add(ctx, part, nil, []byte("small"), now()))
	require.NoError(t, p.Commit(ctx))
	requireValues(t, c, part, "small")
}
