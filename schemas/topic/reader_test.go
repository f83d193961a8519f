package topic

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// pollUntil polls until done says so, giving it each batch.
func pollUntil(t *testing.T, r *Reader, done func(b Batch) bool) {
	t.Helper()
	ctx := testContext(t)
	for {
		batches, err := r.Poll(ctx)
		require.NoError(t, err)
		end := false
		for _, b := range batches {
			end = done(b) || end
		}
		if end {
			return
		}
	}
}

// Partitions of several topics on several brokers, transactions committed and
// aborted in between each other: each partition's committed records come once
// and in order, wherever the reader begins.
func TestReaderGivesEachPartitionInOrder(t *testing.T) {
	_, c := fakeBroker(t, kfake.NumBrokers(3), kfake.SeedTopics(4, "a", "b"))
	ctx := testContext(t)
	var parts []Partition
	for _, topic := range []string{"a", "b"} {
		for i := range int32(4) {
			parts = append(parts, Partition{topic, i})
		}
	}
	want := make(map[Partition][]string)
	one, two := producer(t, c, "one"), producer(t, c, "two")
	for round := range 30 {
		for i, part := range parts {
			v := fmt.Sprintf("%d-%d", round, i)
			put(t, one, part, v)
			want[part] = append(want[part], v)
			put(t, two, part, "aborted "+v)
		}
		require.NoError(t, two.flushAll(ctx))
		require.NoError(t, one.Commit(ctx))
		require.NoError(t, two.Abort(ctx))
	}
	starts, err := c.StartOffsets(ctx, parts...)
	require.NoError(t, err)
	ends, err := c.EndOffsets(ctx, parts...)
	require.NoError(t, err)

	r := c.NewReader(starts)
	got := make(map[Partition][]string)
	next := make(map[Partition]int64)
	var middle []int64 // positions that a batch ended at
	left := len(parts)
	pollUntil(t, r, func(b Batch) bool {
		require.Equal(t, ends[b.Partition], b.Stable)
		for _, rec := range b.Records {
			require.GreaterOrEqual(t, rec.Offset, next[b.Partition])
			next[b.Partition] = rec.Offset + 1
			got[b.Partition] = append(got[b.Partition], string(rec.Value))
		}
		require.GreaterOrEqual(t, b.Next, next[b.Partition])
		next[b.Partition] = b.Next
		middle = append(middle, b.Next)
		if b.Next == ends[b.Partition] {
			left--
		}
		return left == 0
	})
	require.Equal(t, want, got)
	require.NotEmpty(t, middle)

	batches, err := r.Poll(ctx)
	require.NoError(t, err)
	require.Empty(t, batches, "there is no more")
	require.NoError(t, r.Close())
	_, err = r.Poll(ctx)
	require.ErrorIs(t, err, ErrClosed)

	// From every offset of one partition.
	part := parts[0]
	for from := int64(0); from < ends[part]; from += 7 {
		r := c.NewReader(map[Partition]int64{part: from})
		tail := []string{}
		pollUntil(t, r, func(b Batch) bool {
			for _, rec := range b.Records {
				require.GreaterOrEqual(t, rec.Offset, from)
				tail = append(tail, string(rec.Value))
			}
			return b.Next == ends[part]
		})
		require.NoError(t, r.Close())
		require.Equal(t, want[part][len(want[part])-len(tail):], tail, "from %d", from)
	}
}

// A record that is committed while a reader waits is given to it.
func TestReaderWaitsForData(t *testing.T) {
	_, c := fakeBroker(t, kfake.NumBrokers(2), kfake.SeedTopics(2, "a"))
	ctx := testContext(t)
	r := c.NewReader(map[Partition]int64{{"a", 0}: 0, {"a", 1}: 0})
	defer r.Close()
	batches, err := r.Poll(ctx)
	require.NoError(t, err)
	require.Empty(t, batches)

	p := producer(t, c, "w")
	put(t, p, Partition{"a", 1}, "open")
	require.NoError(t, p.flushAll(ctx))
	batches, err = r.Poll(ctx)
	require.NoError(t, err)
	require.Empty(t, batches, "an open transaction does not show")
	require.NoError(t, p.Commit(ctx))
	pollUntil(t, r, func(b Batch) bool {
		require.Equal(t, Partition{"a", 1}, b.Partition)
		require.Equal(t, "open", string(b.Records[0].Value))
		return true
	})
}

func TestReaderWithoutPartitions(t *testing.T) {
	_, c := fakeBroker(t)
	r := c.NewReader(nil)
	batches, err := r.Poll(testContext(t))
	require.NoError(t, err)
	require.Empty(t, batches)
	stop, cancel := context.WithCancel(testContext(t))
	cancel()
	_, err = r.Poll(stop)
	require.ErrorIs(t, err, context.Canceled)
	require.NoError(t, r.Close())
}

// P2: what retention took is an error, and never jumped over.
func TestCase24OutOfRangeIsAnErrorAndNoJump(t *testing.T) {
	cluster, c := fakeBroker(t, kfake.SeedTopics(2, "a"))
	ctx := testContext(t)
	a0, a1 := Partition{"a", 0}, Partition{"a", 1}
	p := producer(t, c, "w")
	for _, v := range numbered("v", 6) {
		put(t, p, a0, v)
		require.NoError(t, p.Commit(ctx))
	}
	put(t, p, a1, "other")
	require.NoError(t, p.Commit(ctx))
	require.NoError(t, cluster.DeleteRecords("a", 0, 4))

	r := c.NewReader(map[Partition]int64{a0: 0, a1: 0})
	defer r.Close()
	for range 2 {
		var err error
		for err == nil {
			_, err = r.Poll(ctx)
		}
		var gone *OutOfRangeError
		require.ErrorAs(t, err, &gone)
		require.Equal(t, OutOfRangeError{Partition: a0, Offset: 0, Start: 4, End: 12}, *gone)
		require.ErrorContains(t, err, "offset 0 to 3 are gone")
	}

	past := c.NewReader(map[Partition]int64{a0: 100})
	defer past.Close()
	_, err := past.Poll(ctx)
	require.ErrorContains(t, err, "offset 100 is past its end (it holds 4 to 12)")
}

// A leader that moves, or is away for a moment, costs neither a record nor a
// second copy of one.
func TestReaderFollowsTheLeader(t *testing.T) {
	cluster, c := fakeBroker(t, kfake.NumBrokers(3), kfake.SeedTopics(3, "a"))
	ctx := testContext(t)
	p := producer(t, c, "w")
	r := c.NewReader(map[Partition]int64{{"a", 0}: 0, {"a", 1}: 0, {"a", 2}: 0})
	defer r.Close()
	got := make(map[Partition][]string)
	for round := range 6 {
		for i := range int32(3) {
			put(t, p, Partition{"a", i}, fmt.Sprint(round))
		}
		require.NoError(t, p.Commit(ctx))
		if round%2 == 0 {
			cluster.ShufflePartitionLeaders()
		} else {
			cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Fetch}, Err: kerr.LeaderNotAvailable})
		}
		left := 3
		pollUntil(t, r, func(b Batch) bool {
			for _, rec := range b.Records {
				got[b.Partition] = append(got[b.Partition], string(rec.Value))
				left--
			}
			return left == 0
		})
	}
	want := []string{"0", "1", "2", "3", "4", "5"}
	require.Equal(t, map[Partition][]string{{"a", 0}: want, {"a", 1}: want, {"a", 2}: want}, got)
}

// A partition that stays away is an error in the end, with its reason.
func TestReaderGivesUpInTheEnd(t *testing.T) {
	cluster, c := fakeBroker(t, kfake.SeedTopics(1, "a"))
	cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Fetch}, Err: kerr.LeaderNotAvailable, Count: -1})
	c.patience = 300 * time.Millisecond
	r := c.NewReader(map[Partition]int64{{"a", 0}: 0})
	defer r.Close()
	var err error
	for err == nil {
		_, err = r.Poll(testContext(t))
	}
	require.ErrorContains(t, err, "a/0 cannot be read for 300ms")
	require.ErrorContains(t, err, "Leader Not Available")
}

// Every partition is served, also when the answers are always full.
func TestNoPartitionStarves(t *testing.T) {
	_, c := fakeBroker(t, kfake.NumBrokers(1), kfake.SeedTopics(20, "a"))
	ctx := testContext(t)
	p, err := c.NewProducer(ctx, ProducerConfig{TransactionalID: "w", Compression: None})
	require.NoError(t, err)
	value := make([]byte, 300<<10)
	positions := make(map[Partition]int64)
	for i := range int32(20) {
		positions[Partition{"a", i}] = 0
		for range 12 { // 3.6 MB, three and a half fetches' worth
			require.NoError(t, p.Add(ctx, Partition{"a", i}, nil, value, 1))
		}
	}
	require.NoError(t, p.Commit(ctx))
	r := c.NewReader(positions)
	defer r.Close()
	batches := make(map[Partition]int)
	most := 0
	pollUntil(t, r, func(b Batch) bool {
		batches[b.Partition]++
		most = max(most, batches[b.Partition])
		return len(batches) == 20
	})
	require.LessOrEqual(t, most, 2, "another was served thrice before the last one was once")
}

func TestReadAllOfAnEmptyAndAnUnknownTopic(t *testing.T) {
	_, c := fakeBroker(t, kfake.SeedTopics(3, "a"))
	require.Empty(t, values(t, c, "a"))
	err := c.ReadAll(testContext(t), "nowhere", func(Record) error { return nil })
	require.ErrorContains(t, err, "topic nowhere is not there")
}

// ReadAll ends where the topic ended when it was called, and a visitor's error
// ends it at once.
func TestReadAllEnds(t *testing.T) {
	_, c := fakeBroker(t, kfake.SeedTopics(2, "a"))
	ctx := testContext(t)
	p := producer(t, c, "w")
	put(t, p, Partition{"a", 0}, numbered("x", 10)...)
	put(t, p, Partition{"a", 1}, numbered("y", 10)...)
	require.NoError(t, p.Commit(ctx))
	n := 0
	require.NoError(t, c.ReadAll(ctx, "a", func(r Record) error {
		n++
		put(t, p, Partition{"a", 0}, "later")
		return p.Commit(ctx)
	}))
	require.Equal(t, 20, n)
	n = 0
	require.ErrorIs(t, c.ReadAll(ctx, "a", func(r Record) error { n++; return context.Canceled }), context.Canceled)
	require.Equal(t, 1, n)
}
