package topic

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/segmentio/kafka-go"
)

// Batch is what one read gave of one partition, in the order of offsets.
type Batch struct {
	Partition Partition
	Records   []Record
	// Next is the offset to go on at: past the records, and past aborted ones
	// and control markers, so that it moves on also when Records is empty.
	Next int64
	// Stable is the partition's last stable offset at the time: what is to
	// be read ends there.
	Stable int64
}

const (
	// pollWait is how long Poll waits for data.
	pollWait = 250 * time.Millisecond
	// fetchBytes and partitionBytes bound one answer of a leader and each
	// partition's part of it, in bytes as stored (P8).
	fetchBytes     = 8 << 20
	partitionBytes = 1 << 20
	// retryPause is how long a partition rests whose leader is not known.
	retryPause = 100 * time.Millisecond
	// minTries is how often a partition is asked for at least before it is
	// given up, since a caller may be away from Poll for long.
	minTries = 10
)

// Reader reads partitions from given positions, as committed. One goroutine at
// a time uses it. It reads ahead by one answer of each leader.
type Reader struct {
	c       *Client
	parts   []*reading // in the order in which they are asked for next
	busy    map[int32]bool
	answers chan leaderAnswer
	running sync.WaitGroup
	closed  bool

	ctx    context.Context // of what is in flight
	cancel context.CancelFunc
}

// reading is where the reader stands in one partition.
type reading struct {
	Partition
	offset   int64
	leader   int32 // -1: not known
	inFlight bool
	rests    time.Time // asked again after it
	troubled time.Time // since when it cannot be read; zero: it can
	trouble  error
	tries    int // since then
}

// leaderAnswer is what became of one fetch, in memory of its own.
type leaderAnswer struct {
	leader int32
	asked  []*reading
	err    error // of the whole fetch
	// Per partition asked: what was read, or why not.
	batches []Batch
	errs    []error
}

// NewReader makes a reader that goes on at the given offsets.
func (c *Client) NewReader(positions map[Partition]int64) *Reader {
	r := &Reader{c: c, busy: make(map[int32]bool)}
	for p, offset := range positions {
		r.parts = append(r.parts, &reading{Partition: p, offset: offset, leader: -1})
	}
	slices.SortFunc(r.parts, func(a, b *reading) int { return compare(a.Partition, b.Partition) })
	// As many answers as there may be leaders: a fetch never waits to be
	// taken.
	r.answers = make(chan leaderAnswer, len(r.parts)+1)
	r.ctx, r.cancel = context.WithCancel(context.Background())
	return r
}

// Poll gives what can be read now, one batch a partition at most, waiting up
// to 250 ms for data; nothing when there is none. A partition whose leader is
// away is asked again on later calls, and is an error when that lasts a
// minute. An *OutOfRangeError leaves the position as it is.
func (r *Reader) Poll(ctx context.Context) ([]Batch, error) {
	if r.closed {
		return nil, fmt.Errorf("reader: %w", ErrClosed)
	}
	if len(r.parts) == 0 { // a group's member may be assigned nothing
		return nil, sleep(ctx, pollWait)
	}
	deadline := time.NewTimer(pollWait)
	defer deadline.Stop()
	for {
		again, err := r.ask(ctx)
		if err != nil {
			return nil, err
		}
		select {
		case a := <-r.answers:
			got, err := r.take(ctx, a)
			for err == nil {
				select {
				case a := <-r.answers:
					var more []Batch
					more, err = r.take(ctx, a)
					got = append(got, more...)
					continue
				default:
				}
				break
			}
			if err != nil {
				// What was read with it is read again: no position moved.
				return nil, r.back(got, err)
			}
			if len(got) > 0 {
				// Read ahead. An error of it is left to the next call, which
				// meets it again: what was read is handed out.
				_, _ = r.ask(ctx)
				return got, nil
			}
		case <-again:
		case <-deadline.C:
			return nil, nil
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// Close gives up what is in flight.
func (r *Reader) Close() error {
	r.closed = true
	r.cancel()
	r.running.Wait()
	return nil
}

// back takes batches back that cannot be handed out beside err.
func (r *Reader) back(got []Batch, err error) error {
	for _, b := range got {
		for _, p := range r.parts {
			if p.Partition == b.Partition && len(b.Records) > 0 {
				p.offset = b.Records[0].Offset
			}
		}
	}
	return err
}

// ask starts a fetch at each leader that has none in flight. The channel
// given fires when a partition that rests may be asked again.
func (r *Reader) ask(ctx context.Context) (<-chan time.Time, error) {
	now := time.Now()
	var rests time.Duration
	var lost []string
	for _, p := range r.parts {
		switch {
		case p.inFlight:
		case p.tries >= minTries && now.Sub(p.troubled) > r.c.patience:
			return nil, fmt.Errorf("%s cannot be read for %s: %w", p.Partition, r.c.patience, p.trouble)
		case p.rests.After(now):
			if d := p.rests.Sub(now); rests == 0 || d < rests {
				rests = d
			}
		case p.leader < 0 && !slices.Contains(lost, p.Topic):
			lost = append(lost, p.Topic)
		}
	}
	if len(lost) > 0 {
		leaders, err := r.c.leaderOf(ctx, lost)
		if err != nil && ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		for _, p := range r.parts {
			if p.inFlight || p.leader >= 0 || p.rests.After(now) {
				continue
			}
			if leader, ok := leaders[p.Partition]; ok {
				p.leader = leader
				continue
			}
			if err == nil {
				err = kafka.LeaderNotAvailable
			}
			p.rest(now, err)
			rests = retryPause
		}
	}
	perLeader := make(map[int32][]*reading)
	for _, p := range r.parts {
		if p.leader >= 0 && !p.inFlight && !p.rests.After(now) && !r.busy[p.leader] {
			perLeader[p.leader] = append(perLeader[p.leader], p)
		}
	}
	for leader, parts := range perLeader {
		r.fetch(leader, parts)
	}
	if rests > 0 {
		return time.After(rests), nil
	}
	return nil, nil
}

// rest lets the partition be for a moment.
func (p *reading) rest(now time.Time, why error) {
	p.leader = -1
	p.rests = now.Add(retryPause)
	p.trouble = why
	p.tries++
	if p.troubled.IsZero() {
		p.troubled = now
	}
}

// fetch starts one request for the partitions.
func (r *Reader) fetch(leader int32, parts []*reading) {
	req := &fetchRequest{
		clientID:  r.c.config.ClientID,
		leader:    leader,
		maxWaitMs: int32(pollWait.Milliseconds()),
		maxBytes:  fetchBytes,
	}
	for _, p := range parts {
		p.inFlight = true
		req.partitions = append(req.partitions, fetchPosition{Partition: p.Partition, offset: p.offset, maxBytes: partitionBytes})
	}
	r.busy[leader] = true
	r.running.Go(func() {
		a := leaderAnswer{leader: leader, asked: parts, batches: make([]Batch, len(parts)), errs: make([]error, len(parts))}
		ctx, cancel := context.WithTimeout(r.ctx, attemptTimeout)
		defer cancel()
		res, err := ask[*fetchAnswer](ctx, r.c, req)
		if err == nil {
			err = makeError(res.errorCode)
		}
		if err != nil {
			a.err = err
			r.answers <- a
			return
		}
		at := make(map[Partition]int, len(parts))
		for i := range parts {
			at[parts[i].Partition] = i
			// A partition that a full answer leaves out has nothing new.
			a.batches[i] = Batch{Partition: parts[i].Partition, Next: req.partitions[i].offset}
		}
		for _, f := range res.partitions {
			i, ok := at[f.Partition]
			if !ok {
				continue
			}
			if a.errs[i] = makeError(f.errorCode); a.errs[i] == nil {
				a.batches[i], a.errs[i] = committed(f, req.partitions[i].offset)
			}
		}
		r.answers <- a
	})
}

// take moves the positions on by what was read.
func (r *Reader) take(ctx context.Context, a leaderAnswer) ([]Batch, error) {
	r.busy[a.leader] = false
	now := time.Now()
	var got []Batch
	var failed error
	for i, p := range a.asked {
		p.inFlight = false
		err := a.errs[i]
		if a.err != nil {
			err = a.err
		}
		switch {
		case err == nil:
			p.troubled, p.trouble, p.tries = time.Time{}, nil, 0
			if b := a.batches[i]; b.Next > p.offset {
				p.offset = b.Next
				got = append(got, b)
			}
		case errors.Is(err, kafka.OffsetOutOfRange):
			if failed == nil {
				failed = r.outOfRange(ctx, p)
			}
		case retriable(err):
			p.rest(now, err)
		default:
			if failed == nil {
				failed = fmt.Errorf("%s cannot be read at offset %d: %w", p.Partition, p.offset, err)
			}
		}
	}
	if failed != nil {
		return nil, r.back(got, failed)
	}
	// Who had data goes to the end, so that the others are served first when
	// an answer is full. Stable, so that a topic's partitions stay together.
	if len(got) > 0 && len(got) < len(r.parts) {
		had := make(map[Partition]bool, len(got))
		for _, b := range got {
			had[b.Partition] = true
		}
		slices.SortStableFunc(r.parts, func(a, b *reading) int {
			switch {
			case had[a.Partition] == had[b.Partition]:
				return 0
			case had[a.Partition]:
				return 1
			}
			return -1
		})
	}
	return got, nil
}

func (r *Reader) outOfRange(ctx context.Context, p *reading) error {
	start, err := r.c.StartOffsets(ctx, p.Partition)
	if err != nil {
		return err
	}
	end, err := r.c.EndOffsets(ctx, p.Partition)
	if err != nil {
		return err
	}
	return &OutOfRangeError{Partition: p.Partition, Offset: p.offset, Start: start[p.Partition], End: end[p.Partition]}
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
