package kafka

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/hopluu/hopluu/integration/harness"
	"github.com/hopluu/hopluu/schemas/topic"
)

// Case 32: what a member had read ahead when a rebalance took its partitions
// away is never worked on beside the new owner. Members come and go while a
// topic is written and read, until the last guest had its share; each record is
// worked on once, since a member's last work counts until it lets go.
func TestCase32NothingStaleAfterARebalance(t *testing.T) {
	const partitions, each, changes, share = 4, 50, 4, 300
	broker := harness.Kafka(t)
	c := dial(t, broker.Brokers())
	name := newTopic(t, c, partitions, nil)
	p := newProducer(t, c, name)
	worked := newWork(t)
	group, ctx := errgroup.WithContext(testContext(t))
	parted := make(chan struct{}) // the last guest left
	written := make(chan int, 1)
	group.Go(func() error {
		for n := 0; ; n++ {
			select {
			case <-parted:
				written <- n * partitions * each
				return nil
			default:
			}
			for i := range partitions {
				for j := range each {
					if err := p.Add(ctx, topic.Partition{Topic: name, ID: int32(i)}, nil, strconv.AppendInt(nil, int64(n*each+j), 10), now()); err != nil {
						return err
					}
				}
			}
			if err := p.Commit(ctx); err != nil {
				return err
			}
			// The reading keeps up, so that the changes fall into work.
			if err := worked.await(ctx, (n-1)*partitions*each); err != nil {
				return err
			}
		}
	})
	all := 0
	steady, leave := context.WithCancel(ctx)
	group.Go(func() error { return consume(steady, c, name, worked.seen) })
	group.Go(func() error {
		defer leave()
		for range changes {
			if err := guest(ctx, c, name, worked, share); err != nil {
				return err
			}
		}
		close(parted)
		select {
		case all = <-written:
			return worked.await(ctx, all)
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	})
	require.NoError(t, group.Wait())
	require.GreaterOrEqual(t, all, changes*share)
	worked.mu.Lock()
	defer worked.mu.Unlock()
	require.Len(t, worked.times, all)
	for record, n := range worked.times {
		require.Equal(t, 1, n, "partition %d, record %d", record[0], record[1])
	}
}

// guest joins the group, does a share of the work and leaves.
func guest(ctx context.Context, c *topic.Client, name string, worked *work, share int) error {
	ctx, leave := context.WithCancel(ctx)
	defer leave()
	mine := make(chan [2]int)
	forwarded := make(chan struct{})
	go func() {
		defer close(forwarded)
		n := 0
		for record := range mine {
			worked.seen <- record
			if n++; n == share {
				leave()
			}
		}
	}()
	err := consume(ctx, c, name, mine)
	close(mine)
	<-forwarded
	return err
}

// work counts how often each record (partition and number) was worked on.
type work struct {
	mu    sync.Mutex
	times map[[2]int]int
	seen  chan [2]int
}

func newWork(t *testing.T) *work {
	w := &work{times: map[[2]int]int{}, seen: make(chan [2]int)}
	var counting sync.WaitGroup
	counting.Go(func() {
		for record := range w.seen {
			w.mu.Lock()
			w.times[record]++
			w.mu.Unlock()
		}
	})
	t.Cleanup(func() { close(w.seen); counting.Wait() })
	return w
}

// await waits until so many records were worked on.
func (w *work) await(ctx context.Context, n int) error {
	return harness.Poll(ctx, func(context.Context) error {
		w.mu.Lock()
		defer w.mu.Unlock()
		if len(w.times) < n {
			return fmt.Errorf("%d records of %d were worked on", len(w.times), n)
		}
		return nil
	})
}
