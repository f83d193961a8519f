package connectors

import (
	"context"
	"errors"
	"time"

	"github.com/hopluu/hopluu/connectors/postgres/spool"
)

const (
	// statusInterval is how often the server hears of us while a transaction
	// that it sent in segments is taken in. It gives a silent client up after
	// wal_sender_timeout, a minute unless set otherwise.
	statusInterval = 10 * time.Second
	// statusMessages is how often we look at the clock meanwhile.
	statusMessages = 4096
)

// committed takes in a transaction that came in segments or was prepared, now
// that it is committed. Its messages are those of one that is sent whole, so
// that its events have the positions that they would have there (P6).
func (f *follower) committed(ctx context.Context) error {
	f.heard = time.Now()
	n := 0
	for message, err := range f.assembler.Committed() {
		if err != nil {
			return f.unplaced(err)
		}
		if err := f.message(ctx, message); err != nil {
			return err
		}
		if n++; n%statusMessages == 0 {
			if err := f.alive(ctx, time.Now()); err != nil {
				return err
			}
		}
	}
	return nil
}

// alive lets the server hear of us if it is time, and gives the context's end.
// It says nothing new: only a commit to Kafka moves what is confirmed (P1).
func (f *follower) alive(ctx context.Context, now time.Time) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if now.Sub(f.heard) < statusInterval {
		return nil
	}
	f.heard = now
	return f.source.Confirm(ctx, f.checkpoint.Confirmed)
}

// unplaced is the error of a message that the assembler could not place.
func (f *follower) unplaced(err error) error {
	var disk *spool.DiskError
	if errors.As(err, &disk) {
		return err // the stream is well, and is sent again
	}
	return f.broken("%w", err)
}

// showSpool sets the gauges to what transactions in progress take.
func (f *follower) showSpool() {
	usage := f.spool.Usage()
	f.metrics.inProgress.Set(float64(usage.Transactions))
	f.metrics.spooled.WithLabelValues("memory").Set(float64(usage.MemoryBytes))
	f.metrics.spooled.WithLabelValues("disk").Set(float64(usage.DiskBytes))
}
