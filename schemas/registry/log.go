package registry

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/hopluu/hopluu/schemas/topic"
)

// Log is where a server keeps its entries, in one order for all servers.
type Log interface {
	// Own takes the log over: whoever wrote to it before is refused from now
	// on. Every entry there is lies below end.
	Own(ctx context.Context) (end int64, err error)
	// Append adds entries, all or none. After an error that wraps
	// ErrNotOwner another server has taken over; after one that wraps
	// ErrUncertain only Own tells whether they are there.
	Append(ctx context.Context, entries ...Entry) error
	// Follow gives every entry to apply, from the first on, until ctx ends;
	// next is the position after it. It calls apply with nothing but next
	// when it moves over positions without an entry.
	Follow(ctx context.Context, apply func(e *Entry, next int64)) error
}

var (
	// ErrNotOwner says that another server writes the log now.
	ErrNotOwner = errors.New("another schema registry has taken over")
	// ErrUncertain says that a write may or may not have come through.
	ErrUncertain = errors.New("whether the write came through is not known")
)

// topicLog is a log in a compacted topic of one partition. Its transactional
// id lets one server write at a time.
type topicLog struct {
	client *topic.Client
	part   topic.Partition
	id     string
	log    *slog.Logger

	mu       sync.Mutex
	producer *topic.Producer
}

func (l *topicLog) Own(ctx context.Context) (int64, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.producer != nil {
		// Its error is the one that made us ask again.
		_ = l.producer.Close()
		l.producer = nil
	}
	p, err := l.client.NewProducer(ctx, topic.ProducerConfig{TransactionalID: l.id})
	if err != nil {
		return 0, err
	}
	l.producer = p
	end, err := l.client.EndOffsets(ctx, l.part)
	return end[l.part], err
}

func (l *topicLog) Append(ctx context.Context, entries ...Entry) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.producer == nil {
		return ErrUncertain
	}
	now := time.Now().UnixMilli()
	var err error
	for _, e := range entries {
		if err = l.producer.Add(ctx, l.part, e.Key, e.Value, now); err != nil {
			break
		}
	}
	if err == nil {
		err = l.producer.Commit(ctx)
	}
	switch {
	case err == nil:
		return nil
	case errors.Is(err, topic.ErrFenced):
		return fmt.Errorf("%w: %w", ErrNotOwner, err)
	case errors.Is(err, topic.ErrMustAbort):
		if abort := l.producer.Abort(context.WithoutCancel(ctx)); abort == nil {
			return err // for certain not there
		}
	}
	return fmt.Errorf("%w: %w", ErrUncertain, err)
}

func (l *topicLog) Follow(ctx context.Context, apply func(e *Entry, next int64)) error {
	starts, err := l.client.StartOffsets(ctx, l.part)
	if err != nil {
		return err
	}
	positions := map[topic.Partition]int64{l.part: starts[l.part]}
	for {
		err := l.follow(ctx, positions, apply)
		if ctx.Err() != nil {
			return nil
		}
		l.log.Warn("schema registry cannot read its topic, trying again", "topic", l.part.Topic, "error", err)
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
		}
	}
}

func (l *topicLog) follow(ctx context.Context, positions map[topic.Partition]int64, apply func(e *Entry, next int64)) error {
	r := l.client.NewReader(positions)
	defer r.Close()
	for {
		batches, err := r.Poll(ctx)
		if err != nil {
			return err
		}
		for _, b := range batches {
			for _, rec := range b.Records {
				apply(&Entry{Key: rec.Key, Value: rec.Value}, rec.Offset+1)
			}
			apply(nil, b.Next)
			positions[l.part] = b.Next
		}
	}
}

func (l *topicLog) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.producer == nil {
		return nil
	}
	err := l.producer.Close()
	l.producer = nil
	return err
}
