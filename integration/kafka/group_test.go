package kafka

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/hopluu/hopluu/integration/harness"
	"github.com/hopluu/hopluu/schemas/topic"
)

// Two members share a topic's partitions, give them back, and keep the group's
// offsets; what a left-behind generation commits is refused.
func TestGroupSharesAndFences(t *testing.T) {
	broker := harness.Kafka(t)
	c := dial(t, broker.Brokers())
	ctx := testContext(t)
	name := newTopic(t, c, 4, nil)
	config := topic.GroupConfig{ID: name, Topics: []string{name}}
	one, err := c.Join(ctx, config)
	require.NoError(t, err)
	first, err := one.Next(ctx)
	require.NoError(t, err)
	require.Len(t, first.Assigned(), 4)
	for _, offset := range first.Assigned() {
		require.EqualValues(t, -1, offset)
	}
	p0 := topic.Partition{Topic: name, ID: 0}
	require.NoError(t, first.Commit(ctx, map[topic.Partition]int64{p0: 5}))

	two, err := c.Join(ctx, config)
	require.NoError(t, err)
	var theirs *topic.Generation
	work, ctx := errgroup.WithContext(ctx)
	work.Go(func() (err error) {
		theirs, err = two.Next(ctx)
		return err
	})
	select {
	case <-first.Done():
	case <-ctx.Done():
		t.Fatal("the first member was not told of the second")
	}
	mine, err := one.Next(ctx)
	require.NoError(t, err)
	require.NoError(t, work.Wait())
	all := maps.Clone(mine.Assigned())
	maps.Copy(all, theirs.Assigned())
	require.Len(t, mine.Assigned(), 2)
	require.Len(t, all, 4)
	require.EqualValues(t, 5, all[p0])
	ctx = testContext(t)
	require.ErrorIs(t, first.Commit(ctx, map[topic.Partition]int64{p0: 1}), topic.ErrGenerationEnded)

	require.NoError(t, two.Close())
	<-mine.Done()
	last, err := one.Next(ctx)
	require.NoError(t, err)
	require.Len(t, last.Assigned(), 4)
	require.EqualValues(t, 5, last.Assigned()[p0])
	require.NoError(t, one.Close())
	committed, err := c.Committed(ctx, name, p0)
	require.NoError(t, err)
	require.EqualValues(t, 5, committed[p0])
}

// P2: two members read a topic while the broker is killed. Each record is
// worked on in the generation that owns its partition, and with offsets
// committed after the work none is lost; none is worked on twice but what a
// member had not committed when its generation ended.
func TestGroupOutlivesTheBroker(t *testing.T) {
	const partitions, transactions, each, kills = 4, 40, 100, 2
	const all = partitions * transactions * each
	broker := harness.Kafka(t, harness.Own())
	c := dial(t, broker.Brokers())
	name := newTopic(t, c, partitions, nil)
	p := newProducer(t, c, name)
	type record = [2]int                    // partition and number
	seen := make(chan record, 10*all)       // what was worked on
	progress := make(chan struct{}, kills)  // a share of it is done
	restarted := make(chan struct{}, kills) // the broker is back
	work, ctx := errgroup.WithContext(testContext(t))
	reading, done := context.WithCancel(ctx)
	for range 2 {
		work.Go(func() error { return consume(reading, c, name, seen) })
	}
	work.Go(func() error { // writes a share, waits for the kill, writes the next
		for n := range transactions {
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
			if (n+1)%(transactions/(kills+1)) == 0 && n+1 < transactions-1 {
				select {
				case <-restarted:
				case <-ctx.Done():
					return context.Cause(ctx)
				}
			}
		}
		return nil
	})
	work.Go(func() error {
		for range kills {
			select {
			case <-progress:
			case <-ctx.Done():
				return context.Cause(ctx)
			}
			if err := broker.Kill(); err != nil {
				return err
			}
			if err := broker.Restart(ctx); err != nil {
				return err
			}
			restarted <- struct{}{}
		}
		return nil
	})
	work.Go(func() error {
		defer done()
		got := map[record]bool{}
		share := all / (kills + 1) / 2
		for told := 0; len(got) < all; {
			select {
			case s := <-seen:
				got[s] = true
			case <-ctx.Done():
				return fmt.Errorf("%d records of %d were worked on: %w", len(got), all, context.Cause(ctx))
			}
			if told < kills && len(got) >= (2*told+1)*share {
				told++
				progress <- struct{}{}
			}
		}
		return nil
	})
	require.NoError(t, work.Wait())
}

// consume is a stage's loop: read what the generation gives, work on it,
// commit, until the generation ends; then the next.
func consume(ctx context.Context, c *topic.Client, name string, seen chan<- [2]int) (err error) {
	g, err := c.Join(ctx, topic.GroupConfig{ID: name, Topics: []string{name}})
	if err != nil {
		return err
	}
	defer g.Close()
	for {
		gen, err := g.Next(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
		if err := consumeGeneration(ctx, c, gen, seen); err != nil && ctx.Err() == nil {
			return err
		}
	}
}

func consumeGeneration(ctx context.Context, c *topic.Client, gen *topic.Generation, seen chan<- [2]int) error {
	positions := map[topic.Partition]int64{}
	for p, offset := range gen.Assigned() {
		positions[p] = max(offset, 0)
	}
	r := c.NewReader(positions)
	defer r.Close()
	last := map[int32]int{}
	for {
		select {
		case <-gen.Done():
			return nil
		default:
		}
		batches, err := r.Poll(ctx)
		if err != nil {
			return err
		}
		offsets := map[topic.Partition]int64{}
		for _, b := range batches {
			for _, rec := range b.Records {
				n, err := strconv.Atoi(string(rec.Value))
				if err != nil {
					return err
				}
				if before, ok := last[rec.ID]; ok && n != before+1 {
					return fmt.Errorf("%s: %d after %d", rec.Partition, n, before)
				}
				last[rec.ID] = n
				seen <- [2]int{int(rec.ID), n}
			}
			offsets[b.Partition] = b.Next
		}
		if len(offsets) == 0 {
			continue
		}
		// After ErrGenerationEnded the next generation does the work again. A
		// member that leaves still says what it has done.
		if err := gen.Commit(context.WithoutCancel(ctx), offsets); err != nil && !errors.Is(err, topic.ErrGenerationEnded) {
			return err
		}
	}
}
