package replay

import (
	"context"
	"errors"
	"fmt"
	"maps"

	"golang.org/x/sync/errgroup"

	"github.com/hopluu/hopluu/sinks"
	"github.com/hopluu/hopluu/sinks/clickhouse"
)

// written is what one batch brought.
type written struct {
	next         offsets // of its partitions, behind it
	events, dead int
}

// sealed is a batch on its way to be written.
type sealed struct {
	*clickhouse.AgainBatch
	next offsets
}

// stream writes the events of partitions from positions to ends, and calls done
// after each batch. The next batch is read meanwhile: three are held at most (P8).
func (o *Operator) stream(ctx context.Context, again *clickhouse.Again, positions, ends offsets, done func(written) error) error {
	group, ctx := errgroup.WithContext(ctx)
	work := make(chan sealed)
	group.Go(func() error {
		defer close(work)
		return o.read(ctx, again, positions, ends, work)
	})
	group.Go(func() error {
		for b := range work {
			dead := b.Dead()
			if err := b.Write(ctx); err != nil {
				return err
			}
			if err := done(written{b.next, b.Rows() - dead, dead}); err != nil {
				return err
			}
		}
		return nil
	})
	err := group.Wait()
	if cause := context.Cause(ctx); err != nil && errors.Is(err, context.Canceled) && cause != nil {
		return cause
	}
	return err
}

func (o *Operator) read(ctx context.Context, again *clickhouse.Again, positions, ends offsets, work chan<- sealed) error {
	left := maps.Clone(positions)
	for p, at := range left {
		if at >= ends[p] {
			delete(left, p)
		}
	}
	if len(left) == 0 {
		return nil
	}
	open := sealed{again.Open(), offsets{}}
	seal := func() error {
		select {
		case work <- open:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		open = sealed{again.Open(), offsets{}}
		return nil
	}
	reader := o.Sink.Kafka.NewReader(left)
	defer func() { _ = reader.Close() }() // only gives up what is in flight; it cannot fail
	for len(left) > 0 {
		batches, err := reader.Poll(ctx)
		if err != nil {
			return err // an *topic.OutOfRangeError where the retention took events: never a jump (P2)
		}
		for i := range batches {
			b := &batches[i]
			end := ends[b.Partition]
			if _, ok := left[b.Partition]; !ok {
				continue
			}
			for k := range b.Records {
				r := &b.Records[k]
				if r.Offset >= end {
					break
				}
				err := open.Add(ctx, r)
				if errors.Is(err, sinks.ErrFull) {
					if err := seal(); err != nil {
						return err
					}
					err = open.Add(ctx, r)
				}
				if err != nil {
					return fmt.Errorf("%s at offset %d: %w", b.Partition, r.Offset, err)
				}
				open.next[b.Partition] = r.Offset + 1
				if open.Rows() >= o.Sink.BatchRows || open.Bytes() >= o.Sink.BatchBytes {
					if err := seal(); err != nil {
						return err
					}
				}
			}
			open.next[b.Partition] = min(b.Next, end)
			if b.Next >= end {
				delete(left, b.Partition)
			}
		}
	}
	return seal()
}
