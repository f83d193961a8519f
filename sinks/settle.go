package sinks

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hopluu/hopluu/schemas/topic"
)

// settle reads an unsettled range again, to be written before anything else of
// its lane: exactly the range, under the epoch it was noted with, so that
// whatever is still under way from an earlier owner is the same to the store.
func (g *generation) settle(ctx context.Context, u unsettled) error {
	g.Log.Info("a range that was pending is not in the store; it is written again", "topic", u.Topic, "partition", u.ID, "first", u.note.First, "next", u.note.Next, "epoch", u.note.Epoch)
	if err := g.reachable(ctx, u); err != nil {
		return err
	}
	l := g.named(u.Topic)
	b := g.again(l, u, u.from())
	position := u.from()
	reader := g.Kafka.NewReader(map[topic.Partition]int64{u.Partition: position})
	defer func() { _ = reader.Close() }() // only gives up what is in flight; it cannot fail
	for position < u.note.Next {
		batches, err := reader.Poll(ctx)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		var gone *topic.OutOfRangeError
		switch {
		case errors.As(err, &gone):
			return fmt.Errorf("sink: %w", err) // never a jump (P2)
		case err != nil:
			g.Health.Down("Kafka", err)
			_ = reader.Close()
			if err := pause(ctx, time.Second); err != nil {
				return err
			}
			reader = g.Kafka.NewReader(map[topic.Partition]int64{u.Partition: position})
			continue
		}
		g.Health.Up("Kafka")
		for i := range batches {
			for k := range batches[i].Records {
				r := &batches[i].Records[k]
				if r.Offset >= u.note.Next {
					break
				}
				err := b.Add(ctx, r)
				if errors.Is(err, ErrFull) {
					// A schema that was not known to whoever noted the range.
					g.Log.Warn("a pending range is written in two parts", "topic", u.Topic, "partition", u.ID, "offset", r.Offset)
					g.settled(l, b.until(u.Partition, r.Offset))
					b = g.again(l, u, r.Offset)
					err = b.Add(ctx, r)
				}
				if err != nil {
					return fmt.Errorf("%s at offset %d: %w", u.Partition, r.Offset, err)
				}
			}
			position = batches[i].Next
		}
	}
	g.settled(l, b)
	g.held[u.Partition] = u.note.Next
	g.store.Hold(u.Partition, u.note.Next)
	return nil
}

// from is where the records of the batch of an unsettled range begin: with some
// that the store had already, unless the offset is another one since.
func (u unsettled) from() int64 {
	if u.note.Rewound {
		return u.note.First
	}
	return u.committed
}

// again begins a batch of an unsettled range's rest from an offset.
func (g *generation) again(l *lane, u unsettled, from int64) sealedBatch {
	b := sealedBatch{
		Batch: g.store.Open(l.name), rewound: u.note.Rewound,
		from: map[topic.Partition]int64{u.Partition: from},
		next: map[topic.Partition]int64{u.Partition: u.note.Next},
		ranges: map[topic.Partition]Range{
			u.Partition: {Epoch: u.note.Epoch, First: max(from, u.note.First), Next: u.note.Next},
		},
	}
	if b.rewound {
		b.from[u.Partition], b.next[u.Partition] = u.committed, u.committed
	}
	return b
}

// until ends a batch of one partition at an offset.
func (b sealedBatch) until(p topic.Partition, next int64) sealedBatch {
	r := b.ranges[p]
	r.Next = next
	b.ranges[p] = r
	if r.First >= next {
		delete(b.ranges, p)
	}
	if !b.rewound {
		b.next[p] = next
	}
	return b
}

func (g *generation) settled(l *lane, b sealedBatch) {
	l.settle = append(l.settle, b)
	g.sealed.Add(int64(b.Bytes()))
}

// reachable refuses a range that the partition no longer has in full.
func (g *generation) reachable(ctx context.Context, u unsettled) error {
	var starts, ends map[topic.Partition]int64
	err := g.Health.Retry(ctx, "Kafka", func(ctx context.Context) (err error) {
		if starts, err = g.Kafka.StartOffsets(ctx, u.Partition); err != nil {
			return err
		}
		ends, err = g.Kafka.EndOffsets(ctx, u.Partition)
		return err
	})
	if err != nil {
		return err
	}
	switch start, end := starts[u.Partition], ends[u.Partition]; {
	case u.from() < start:
		return fmt.Errorf("sink: %w", &topic.OutOfRangeError{Partition: u.Partition, Offset: u.from(), Start: start, End: end})
	case u.note.Next > end:
		return fmt.Errorf("sink: %w", &topic.OutOfRangeError{Partition: u.Partition, Offset: u.note.Next, Start: start, End: end})
	}
	return nil
}
