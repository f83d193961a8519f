package topic

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

func TestCommitShowsAllAndAbortNothing(t *testing.T) {
	_, c := fakeBroker(t, kfake.SeedTopics(2, "a"))
	ctx := testContext(t)
	a0, a1 := Partition{"a", 0}, Partition{"a", 1}
	p := producer(t, c, "w")

	put(t, p, a0, "1", "2")
	put(t, p, a1, "3")
	records, size := p.Pending()
	require.Equal(t, 3, records)
	require.Positive(t, size)
	require.Empty(t, values(t, c, "a"), "nothing shows before the commit")
	require.NoError(t, p.Commit(ctx))
	records, size = p.Pending()
	require.Zero(t, records+size)
	require.ElementsMatch(t, []string{"1", "2", "3"}, values(t, c, "a"))

	put(t, p, a0, "no")
	require.NoError(t, p.flushAll(ctx), "so that the broker has it")
	require.NoError(t, p.Abort(ctx))
	put(t, p, a0, "4")
	require.NoError(t, p.Commit(ctx))
	require.NoError(t, p.Commit(ctx), "an empty transaction is none")
	require.NoError(t, p.Abort(ctx))
	require.NoError(t, p.Close())
	require.ErrorIs(t, p.Add(ctx, a0, nil, nil, 1), ErrClosed)
	require.ElementsMatch(t, []string{"1", "2", "3", "4"}, values(t, c, "a"))
}

func TestEveryPartOfARecordArrives(t *testing.T) {
	_, c := fakeBroker(t, kfake.SeedTopics(1, "a"))
	ctx := testContext(t)
	part := Partition{"a", 0}
	for _, codec := range []Compression{LZ4, Zstd, None} {
		p, err := c.NewProducer(ctx, ProducerConfig{TransactionalID: "w", Compression: codec})
		require.NoError(t, err)
		key, value := []byte("key"), []byte("value")
		require.NoError(t, p.Add(ctx, part, key, value, 1_600_000_000_123, Header{Key: "h", Value: []byte("1")}, Header{Key: "none"}))
		copy(key, "xxx") // Add has copied them
		copy(value, "xxxxx")
		require.NoError(t, p.Add(ctx, part, nil, []byte{}, 5))
		require.NoError(t, p.Add(ctx, part, []byte{}, nil, 6), "a tombstone")
		require.NoError(t, p.Commit(ctx))
		require.NoError(t, p.Close())
	}
	var got []Record
	require.NoError(t, c.ReadAll(ctx, "a", func(r Record) error { got = append(got, r); return nil }))
	require.Len(t, got, 9)
	for i := range 3 {
		at := int64(4 * i) // each transaction ends with a marker
		require.Equal(t, []Record{
			{part, at, 1_600_000_000_123, []byte("key"), []byte("value"), []Header{{Key: "h", Value: []byte("1")}, {Key: "none"}}},
			{part, at + 1, 5, nil, []byte{}, nil},
			{part, at + 2, 6, []byte{}, nil, nil},
		}, got[3*i:3*i+3])
	}
}

// P8: a transaction of any size goes through bounded memory, in order.
func TestTransactionLargerThanItsBuffers(t *testing.T) {
	_, c := fakeBroker(t, kfake.SeedTopics(4, "a"), kfake.NumBrokers(2))
	ctx := testContext(t)
	p := producer(t, c, "w")
	const n, size = 6000, 4 << 10
	random := rand.NewChaCha8([32]byte{})
	value := make([]byte, size)
	most := 0
	for i := range n {
		_, err := random.Read(value)
		require.NoError(t, err)
		value[0], value[1] = byte(i>>8), byte(i)
		require.NoError(t, p.Add(ctx, Partition{"a", int32(i % 4)}, nil, value, 1))
		most = max(most, p.buffered)
	}
	require.LessOrEqual(t, most, 4*(batchBytes+maxBatchBytes), "of %d", n*size)
	require.NoError(t, p.Commit(ctx))
	next := []int{0, 1, 2, 3}
	require.NoError(t, c.ReadAll(ctx, "a", func(r Record) error {
		require.Equal(t, next[r.ID], int(r.Value[0])<<8|int(r.Value[1]))
		next[r.ID] += 4
		return nil
	}))
	require.Equal(t, []int{n, n + 1, n + 2, n + 3}, next)
}

func TestManyPartitionsStayWithinTheBound(t *testing.T) {
	const parts = 300
	_, c := fakeBroker(t, kfake.SeedTopics(parts, "a"))
	ctx := testContext(t)
	p := producer(t, c, "w")
	value := bytes.Repeat([]byte("x"), 100<<10)
	most := 0
	for range 3 {
		for i := range parts {
			require.NoError(t, p.Add(ctx, Partition{"a", int32(i)}, nil, value, 1))
			most = max(most, p.buffered)
		}
	}
	require.LessOrEqual(t, most, maxBufferedBytes)
	require.NoError(t, p.Commit(ctx))
	n := 0
	require.NoError(t, c.ReadAll(ctx, "a", func(Record) error { n++; return nil }))
	require.Equal(t, 3*parts, n)
}

// A zombie's records do not show, and it learns that it is one.
func TestCase34ZombieIsFenced(t *testing.T) {
	_, c := fakeBroker(t, kfake.SeedTopics(1, "a"))
	ctx := testContext(t)
	part := Partition{"a", 0}
	zombie := producer(t, c, "w")
	put(t, zombie, part, "zombie 1")
	idle := producer(t, c, "other")

	p := producer(t, c, "w")
	put(t, p, part, "1")
	require.NoError(t, p.Commit(ctx))

	require.NoError(t, zombie.Add(ctx, part, nil, []byte("zombie 2"), 1))
	require.ErrorIs(t, zombie.Commit(ctx), ErrFenced)
	require.ErrorIs(t, zombie.Add(ctx, part, nil, nil, 1), ErrFenced)
	require.ErrorIs(t, zombie.Abort(ctx), ErrFenced)
	require.NoError(t, zombie.Close())

	put(t, p, part, "2")
	require.NoError(t, p.Commit(ctx), "the zombie's last words did not fence its successor")
	put(t, idle, part, "3")
	require.NoError(t, idle.Commit(ctx))
	require.Equal(t, []string{"1", "2", "3"}, values(t, c, "a"))
}

// refuse answers one produce request with an error, without writing anything.
func refuse(part Partition, code kafka.Error) func(kmsg.Request) (kmsg.Response, error, bool) {
	return func(req kmsg.Request) (kmsg.Response, error, bool) {
		res := req.ResponseKind().(*kmsg.ProduceResponse)
		rt := kmsg.NewProduceResponseTopic()
		rt.Topic = part.Topic
		for _, t := range req.(*kmsg.ProduceRequest).Topics {
			for _, p := range t.Partitions {
				rp := kmsg.NewProduceResponseTopicPartition()
				rp.Partition = p.Partition
				rp.ErrorCode = int16(code)
				rt.Partitions = append(rt.Partitions, rp)
			}
		}
		res.Topics = append(res.Topics, rt)
		return res, nil, true
	}
}

// Errors that pass are met with the same batch again (P2).
func TestPassingErrorsAreRetried(t *testing.T) {
	cluster, c := fakeBroker(t, kfake.SeedTopics(1, "a"))
	ctx := testContext(t)
	part := Partition{"a", 0}
	p := producer(t, c, "w")
	var sequences []int32
	for _, code := range []kafka.Error{kafka.NotLeaderForPartition, kafka.NotEnoughReplicas, kafka.RequestTimedOut} {
		first := refuse(part, code)
		cluster.ControlKey(kmsg.Produce.Int16(), func(r kmsg.Request) (kmsg.Response, error, bool) {
			var b kmsg.RecordBatch
			if err := b.ReadFrom(r.(*kmsg.ProduceRequest).Topics[0].Partitions[0].Records); err != nil {
				return nil, err, true
			}
			sequences = append(sequences, b.FirstSequence)
			return first(r)
		})
	}
	put(t, p, part, "1", "2")
	require.NoError(t, p.Commit(ctx))
	require.Equal(t, []int32{0, 0, 0}, sequences)
	require.Equal(t, []string{"1", "2"}, values(t, c, "a"))
	put(t, p, part, "3")
	require.NoError(t, p.Commit(ctx))
	require.Equal(t, []string{"1", "2", "3"}, values(t, c, "a"))
}

// P2: the broker has written a batch, but its answer is lost. Sent again, it
// stands once.
func TestLostAnswerDoesNotDouble(t *testing.T) {
	cluster, c := fakeBroker(t, kfake.SeedTopics(1, "a"))
	ctx := testContext(t)
	part := Partition{"a", 0}
	p := producer(t, c, "w")
	handle := cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Err: kerr.NotEnoughReplicasAfterAppend})
	put(t, p, part, "1", "2")
	require.NoError(t, p.Commit(ctx))
	require.EqualValues(t, 1, handle.Hits())
	put(t, p, part, "3")
	require.NoError(t, p.Commit(ctx))
	require.Equal(t, []string{"1", "2", "3"}, values(t, c, "a"))
}

// The answer of a broker that knows the batch only as one it has.
func TestDuplicateSequenceIsSuccess(t *testing.T) {
	cluster, c := fakeBroker(t, kfake.SeedTopics(1, "a"))
	p := producer(t, c, "w")
	cluster.ControlKey(kmsg.Produce.Int16(), refuse(Partition{"a", 0}, kafka.DuplicateSequenceNumber))
	put(t, p, Partition{"a", 0}, "1")
	require.NoError(t, p.Commit(testContext(t)))
}

// After a batch was refused for good only Abort is left, and then the
// transaction can be made again.
func TestRefusedBatchMustBeAborted(t *testing.T) {
	cluster, c := fakeBroker(t, kfake.SeedTopics(2, "a"))
	ctx := testContext(t)
	part, other := Partition{"a", 0}, Partition{"a", 1}
	p := producer(t, c, "w")
	put(t, p, part, "0")
	require.NoError(t, p.Commit(ctx))

	put(t, p, other, "kept back")
	require.NoError(t, p.flushAll(ctx))
	cluster.ControlKey(kmsg.Produce.Int16(), refuse(part, kafka.MessageSizeTooLarge))
	put(t, p, part, "large")
	err := p.Commit(ctx)
	require.ErrorIs(t, err, ErrMustAbort)
	var large *TooLargeError
	require.ErrorAs(t, err, &large)
	require.Equal(t, part, large.Partition)
	require.Equal(t, 1, large.Records)
	require.ErrorIs(t, p.Add(ctx, part, nil, nil, 1), ErrMustAbort)
	require.ErrorIs(t, p.Commit(ctx), ErrMustAbort)

	require.NoError(t, p.Abort(ctx))
	put(t, p, part, "1")
	put(t, p, other, "2")
	require.NoError(t, p.Commit(ctx))
	require.ElementsMatch(t, []string{"0", "1", "2"}, values(t, c, "a"))
}

// The coordinator is busy with the last transaction (51), per partition or as
// a whole.
func TestConcurrentTransactionsAreWaitedFor(t *testing.T) {
	cluster, c := fakeBroker(t, kfake.SeedTopics(1, "a"))
	ctx := testContext(t)
	var asked atomic.Int32
	busy := func(req kmsg.Request) (kmsg.Response, error, bool) {
		asked.Add(1)
		switch req := req.(type) {
		case *kmsg.InitProducerIDRequest:
			res := req.ResponseKind().(*kmsg.InitProducerIDResponse)
			res.ErrorCode = int16(kafka.ConcurrentTransactions)
			return res, nil, true
		case *kmsg.AddPartitionsToTxnRequest:
			res := req.ResponseKind().(*kmsg.AddPartitionsToTxnResponse)
			rt := kmsg.NewAddPartitionsToTxnResponseTopic()
			rt.Topic = "a"
			rp := kmsg.NewAddPartitionsToTxnResponseTopicPartition()
			rp.ErrorCode = int16(kafka.ConcurrentTransactions)
			rt.Partitions = append(rt.Partitions, rp)
			res.Topics = append(res.Topics, rt)
			return res, nil, true
		}
		return nil, nil, false
	}
	for range 3 {
		cluster.ControlKey(kmsg.InitProducerID.Int16(), busy)
		cluster.ControlKey(kmsg.AddPartitionsToTxn.Int16(), busy)
	}
	p := producer(t, c, "w")
	put(t, p, Partition{"a", 0}, "1")
	require.NoError(t, p.Commit(ctx))
	require.EqualValues(t, 6, asked.Load())
	require.Equal(t, []string{"1"}, values(t, c, "a"))
}

// An EndTxn whose answer is lost is asked again: the commit stands.
func TestLostAnswerToACommit(t *testing.T) {
	var line breaking
	cluster, c := fakeBroker(t, kfake.SeedTopics(1, "a"), kfake.ListenFn(line.listen))
	ctx := testContext(t)
	p := producer(t, c, "w")
	var once sync.Once
	cluster.ControlKey(kmsg.EndTxn.Int16(), func(kmsg.Request) (kmsg.Response, error, bool) {
		once.Do(func() { line.breakNext.Store(true) })
		return nil, nil, false // and go on
	})
	put(t, p, Partition{"a", 0}, "1")
	require.NoError(t, p.Commit(ctx))
	require.False(t, line.breakNext.Load(), "the answer was lost")
	before := p.epoch
	put(t, p, Partition{"a", 0}, "2")
	require.Greater(t, p.epoch, before, "the first request, should it come late, must not end the next transaction")
	require.NoError(t, p.Commit(ctx))
	require.Equal(t, []string{"1", "2"}, values(t, c, "a"))
}

// answerEnd answers the next EndTxn with an error, and does nothing.
func answerEnd(cluster *kfake.Cluster, code kafka.Error) {
	cluster.ControlKey(kmsg.EndTxn.Int16(), func(req kmsg.Request) (kmsg.Response, error, bool) {
		res := req.ResponseKind().(*kmsg.EndTxnResponse)
		res.ErrorCode = int16(code)
		return res, nil, true
	})
}

// A coordinator that is changing a transaction's state for another reason
// answers an EndTxn with an unknown error (-1), as Kafka 4.1 does while a
// successor takes the transactional id over. Asked again, it says what it is:
// the commit stands, or the producer is fenced, which is said once.
func TestCase34UnknownErrorAtTheEnd(t *testing.T) {
	cluster, c := fakeBroker(t, kfake.SeedTopics(1, "a"))
	ctx := testContext(t)
	p := producer(t, c, "w")
	put(t, p, Partition{"a", 0}, "1")
	answerEnd(cluster, kafka.Unknown)
	answerEnd(cluster, kafka.ConcurrentTransactions)
	require.NoError(t, p.Commit(ctx))

	put(t, p, Partition{"a", 0}, "aborted")
	require.NoError(t, p.flushAll(ctx))
	answerEnd(cluster, kafka.Unknown)
	require.NoError(t, p.Abort(ctx))

	put(t, p, Partition{"a", 0}, "fenced")
	answerEnd(cluster, kafka.Unknown)
	answerEnd(cluster, kafka.ProducerFenced)
	err := p.Commit(ctx)
	require.ErrorIs(t, err, ErrFenced)
	require.Equal(t, 1, strings.Count(err.Error(), ErrFenced.Error()), err.Error())
	fresh := producer(t, c, "w")
	put(t, fresh, Partition{"a", 0}, "2")
	require.NoError(t, fresh.Commit(ctx))
	require.Equal(t, []string{"1", "2"}, values(t, c, "a"))
}

// A coordinator that stays away in the middle of a commit leaves it open
// whether there is one; the next producer settles it.
func TestCommitThatIsNotKnown(t *testing.T) {
	cluster, c := fakeBroker(t, kfake.SeedTopics(1, "a"))
	ctx := testContext(t)
	p := producer(t, c, "w")
	handle := cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.EndTxn}, Err: kerr.CoordinatorNotAvailable, Count: -1})
	put(t, p, Partition{"a", 0}, "1")
	require.NoError(t, p.flushAll(ctx)) // the patience is for the end alone
	c.patience = 200 * time.Millisecond
	require.ErrorIs(t, p.Commit(ctx), ErrCommitUnknown)
	require.ErrorIs(t, p.Abort(ctx), ErrCommitUnknown)
	require.NoError(t, p.Close())
	handle.Remove()
	c.patience = defaultPatience
	p = producer(t, c, "w")
	require.Empty(t, values(t, c, "a"), "it was not, as it happens: the new producer has aborted it")
	put(t, p, Partition{"a", 0}, "2")
	require.NoError(t, p.Commit(ctx))
}

// P1: a broker that does not take a batch is waited for as long as the client's
// patience lasts, not for ever; then the error says what it answered, and when
// the broker is well again the producer goes on.
func TestBatchIsGivenUpInTheEnd(t *testing.T) {
	cluster, c := fakeBroker(t, kfake.SeedTopics(1, "a"))
	ctx := testContext(t)
	p := producer(t, c, "w")
	put(t, p, Partition{"a", 0}, "0")
	require.NoError(t, p.Commit(ctx))
	handle := cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Err: kerr.NotEnoughReplicas, Count: -1})
	put(t, p, Partition{"a", 0}, "given up")
	require.NoError(t, p.enrol(ctx)) // the patience is for the batch alone
	c.patience = 200 * time.Millisecond
	err := p.Commit(ctx)
	require.ErrorIs(t, err, ErrMustAbort)
	require.ErrorIs(t, err, kafka.NotEnoughReplicas)
	require.ErrorContains(t, err, "could not be written within 200ms")
	handle.Remove()
	c.patience = defaultPatience
	require.NoError(t, p.Abort(ctx))
	put(t, p, Partition{"a", 0}, "1")
	require.NoError(t, p.Commit(ctx))
	require.Equal(t, []string{"0", "1"}, values(t, c, "a"))
}

// A call that is cancelled leaves a transaction that can be aborted, and a
// producer that goes on.
func TestCancelledCommitIsAborted(t *testing.T) {
	cluster, c := fakeBroker(t, kfake.SeedTopics(1, "a"))
	ctx := testContext(t)
	p := producer(t, c, "w")
	put(t, p, Partition{"a", 0}, "1")
	handle := cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Err: kerr.NotLeaderForPartition, Count: -1})
	stop, cancel := context.WithCancelCause(ctx)
	go func() {
		// The error of it is the test's end: Commit then waits in vain.
		if handle.Wait(ctx, 2) == nil {
			cancel(errors.New("shutting down"))
		}
	}()
	err := p.Commit(stop)
	require.ErrorContains(t, err, "shutting down")
	require.ErrorIs(t, err, ErrMustAbort)
	handle.Remove()
	require.NoError(t, p.Abort(ctx))
	put(t, p, Partition{"a", 0}, "2")
	require.NoError(t, p.Commit(ctx))
	require.Equal(t, []string{"2"}, values(t, c, "a"))
}

// A commit that is cancelled while one partition's last batch is still on its
// way leaves no batch of the others sealed and unsent: closing would wait for it
// without end.
func TestCancelledCommitWithABatchOnItsWay(t *testing.T) {
	const partitions = 8 // one in this many rounds would pass by chance
	cluster, c := fakeBroker(t, kfake.SeedTopics(partitions, "a"))
	ctx := testContext(t)
	for round := range 3 {
		p := producer(t, c, fmt.Sprint("w", round))
		handle := cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Err: kerr.NotLeaderForPartition, Count: -1})
		put(t, p, Partition{"a", 0}, strings.Repeat("x", batchBytes), "rest")
		for id := range int32(partitions) {
			put(t, p, Partition{"a", id}, "1")
		}
		require.NoError(t, p.enrol(ctx)) // the commit gets past it
		stop, cancel := context.WithCancel(ctx)
		cancel()
		require.ErrorIs(t, p.Commit(stop), ErrMustAbort)
		closed := make(chan error, 1)
		go func() { closed <- p.Close() }()
		select {
		case err := <-closed:
			require.NoError(t, err)
		case <-time.After(time.Minute):
			require.FailNow(t, "the producer does not close")
		}
		handle.Remove()
	}
}

// A partition's leader moves in the middle of a transaction.
func TestLeaderMoves(t *testing.T) {
	cluster, c := fakeBroker(t, kfake.NumBrokers(3), kfake.SeedTopics(6, "a"))
	ctx := testContext(t)
	p := producer(t, c, "w")
	want := []string{}
	for round := range 5 {
		for i := range int32(6) {
			vs := numbered(string(rune('a'+round))+string(rune('0'+i))+"-", 3)
			want = append(want, vs...)
			put(t, p, Partition{"a", i}, vs...)
		}
		require.NoError(t, p.flushAll(ctx))
		for i := range int32(6) {
			require.NoError(t, cluster.MoveTopicPartition("a", i, (cluster.LeaderFor("a", i)+1)%3))
		}
		if round%2 == 1 {
			require.NoError(t, p.Commit(ctx))
		}
	}
	require.NoError(t, p.Commit(ctx))
	got := values(t, c, "a")
	slices.Sort(got)
	slices.Sort(want)
	require.Equal(t, want, got)
}

// P2: a batch whose answer did not come in time reaches the broker only when
// the next transaction is open. It must not become part of that one.
func TestLateBatchIsRefused(t *testing.T) {
	cluster, c := fakeBroker(t, kfake.NumBrokers(1), kfake.SeedTopics(1, "a"))
	ctx := testContext(t)
	part := Partition{"a", 0}
	p := producer(t, c, "w")
	put(t, p, part, "1")
	require.NoError(t, p.Commit(ctx))

	asleep, wake, done := make(chan struct{}), make(chan struct{}), make(chan struct{})
	var late atomic.Bool
	cluster.ControlKey(kmsg.Produce.Int16(), func(kmsg.Request) (kmsg.Response, error, bool) {
		if late.CompareAndSwap(false, true) {
			cluster.SleepControl(func() { close(asleep); <-wake })
			close(done)
		}
		return nil, nil, false
	})
	put(t, p, part, "late")
	stop, cancel := context.WithCancel(ctx)
	go func() { <-asleep; cancel() }()
	require.ErrorIs(t, p.Commit(stop), ErrMustAbort)
	require.NoError(t, p.Abort(ctx))
	put(t, p, part, "2")
	require.NoError(t, p.flushAll(ctx))
	close(wake)
	<-done
	put(t, p, part, "3")
	require.NoError(t, p.Commit(ctx))
	require.Equal(t, []string{"1", "2", "3"}, values(t, c, "a"))
}
