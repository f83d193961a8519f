package sinks

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/hopluu/hopluu/schemas/topic"
)

// errGeneration ends the work of a generation that a rebalance ended.
var errGeneration = errors.New("the generation has ended")

// memory is how many times BatchBytes the batches of all lanes may hold
// together (P8), but for one batch of each lane that is stuck.
const memory = 4

// writers is how many batches are written at a time.
const writers = 3

// generation is the work on the partitions of one generation.
type generation struct {
	*Sink
	gen       *topic.Generation
	positions map[topic.Partition]int64 // where to read on
	reread    bool                      // the reader stands elsewhere than positions, or reads paused lanes
	lanes     map[string]*lane
	group     *errgroup.Group
	slots     chan struct{} // one for each batch that may be written at a time

	sealed   atomic.Int64  // bytes handed to the writers
	released chan struct{} // a batch was written

	mu      sync.Mutex
	written map[topic.Partition]int64 // the offset after what is written
}

// lane is the way of one data set: an open batch, one that waits and one being
// written.
type lane struct {
	name  string
	open  Batch
	since time.Time // of the first record in open, zero when it has none
	from  map[topic.Partition]int64
	next  map[topic.Partition]int64
	work  chan sealedBatch

	// stuck: the store takes no batch of this lane for a reason of the lane's
	// own. trouble is signalled when it becomes so.
	stuck   atomic.Bool
	trouble chan struct{}
	// paused: its partitions are not read, so that the other lanes go on (P3).
	paused bool
}

// sealedBatch is a batch with the offsets at which its records begin, and
// those after them.
type sealedBatch struct {
	Batch
	from, next map[topic.Partition]int64
}

func (s *Sink) generation(ctx context.Context, gen *topic.Generation) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go func() {
		select {
		case <-gen.Done():
			cancel(errGeneration)
		case <-ctx.Done():
		}
	}()
	g := &generation{
		Sink: s, gen: gen, lanes: map[string]*lane{},
		slots: make(chan struct{}, writers), released: make(chan struct{}, 1),
	}
	err := g.resume(ctx)
	if err == nil {
		g.written = maps.Clone(g.positions)
		s.working.Store(true)
		var inner context.Context
		g.group, inner = errgroup.WithContext(ctx)
		g.group.Go(func() error { return g.read(inner) })
		g.group.Go(func() error { return g.measure(inner) })
		err = g.group.Wait()
	}
	s.working.Store(false)
	// Whatever was open is read again by whoever has the partitions next.
	if errors.Is(context.Cause(ctx), errGeneration) || errors.Is(err, errGeneration) {
		return nil
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// resume finds where to read on: after what the group committed, or after what
// the store holds, whichever is more. A crash between the write and the commit
// leaves the store ahead.
func (g *generation) resume(ctx context.Context) error {
	assigned := g.gen.Assigned()
	parts := slices.SortedFunc(maps.Keys(assigned), comparePartitions)
	var held map[topic.Partition]int64
	var starts map[topic.Partition]int64
	err := g.Health.Retry(ctx, "the store", func(ctx context.Context) (err error) {
		held, err = g.store.Resume(ctx, parts)
		return err
	})
	if err != nil {
		return err
	}
	err = g.Health.Retry(ctx, "Kafka", func(ctx context.Context) (err error) {
		starts, err = g.Kafka.StartOffsets(ctx, parts...)
		return err
	})
	if err != nil {
		return err
	}
	g.positions = make(map[topic.Partition]int64, len(parts))
	for _, p := range parts {
		at := max(assigned[p], held[p])
		if at <= 0 { // nothing was ever read of it
			at = starts[p]
			if at > 0 && p.Topic != topic.IdentityLink {
				g.Log.Error("the topic's first records are gone by its retention: the store will lack them until a new snapshot is taken",
					"topic", p.Topic, "partition", p.ID, "first", at)
			}
		}
		g.positions[p] = at
	}
	g.Log.Info("partitions assigned", "partitions", len(parts))
	return nil
}

func comparePartitions(a, b topic.Partition) int {
	switch {
	case a.Topic < b.Topic:
		return -1
	case a.Topic > b.Topic:
		return 1
	}
	return int(a.ID - b.ID)
}

// read polls and hands batches to the lanes' writers. It alone calls the
// Store's methods, but for Write.
func (g *generation) read(ctx context.Context) error {
	defer func() {
		for _, l := range g.lanes {
			close(l.work)
		}
	}()
	reader := g.Kafka.NewReader(g.positions)
	defer func() { _ = reader.Close() }() // only gives up what is in flight; it cannot fail
	for {
		batches, err := reader.Poll(ctx)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		var gone *topic.OutOfRangeError
		switch {
		case errors.As(err, &gone):
			return fmt.Errorf("sink: %w", err) // never a jump (P2)
		case err != nil:
			// The reader gave up on a broker: begin again where we stand.
			g.Health.Down("Kafka", err)
			_ = reader.Close()
			if err := pause(ctx, time.Second); err != nil {
				return err
			}
			reader = g.Kafka.NewReader(g.readable())
			continue
		case len(batches) > 0:
			g.Health.Up("Kafka")
		}
		for i := range batches {
			if err := g.take(ctx, &batches[i]); err != nil {
				return err
			}
		}
		if err := g.sealDue(ctx); err != nil {
			return err
		}
		g.pauseStuck()
		if g.reread {
			_ = reader.Close()
			reader = g.Kafka.NewReader(g.readable())
			g.reread = false
		}
	}
}

// pauseStuck stops reading for lanes that are stuck, and begins again for those
// that no longer are.
func (g *generation) pauseStuck() {
	for _, l := range g.lanes {
		switch stuck := l.stuck.Load(); {
		case stuck && !l.paused:
			g.pause(l)
		case !stuck && l.paused:
			l.paused, g.reread = false, true
		}
	}
}

// pause forgets what a stuck lane holds, but for the batch that its writer
// tries to write: it is read again later. So a stuck lane holds one batch.
func (g *generation) pause(l *lane) {
	l.paused, g.reread = true, true
	maps.Copy(g.positions, l.from)
	l.open, l.from, l.next, l.since = g.store.Open(l.name), map[topic.Partition]int64{}, map[topic.Partition]int64{}, time.Time{}
	select {
	case waiting := <-l.work:
		g.sealed.Add(-int64(waiting.Bytes()))
		maps.Copy(g.positions, waiting.from)
	default:
	}
}

// readable is the positions of the lanes that are not paused.
func (g *generation) readable() map[topic.Partition]int64 {
	readable := maps.Clone(g.positions)
	maps.DeleteFunc(readable, func(p topic.Partition, _ int64) bool {
		l, ok := g.lanes[g.store.Lane(p.Topic)]
		return ok && l.paused
	})
	return readable
}

// take adds the records of one partition to its lane. A lane that pauses on the
// way takes no more of them.
func (g *generation) take(ctx context.Context, b *topic.Batch) error {
	l := g.lane(ctx, b.Partition.Topic)
	for i := range b.Records {
		if l.paused {
			return nil
		}
		r := &b.Records[i]
		err := l.open.Add(ctx, r)
		if errors.Is(err, ErrFull) {
			if err := g.seal(ctx, l); err != nil {
				return err
			}
			if l.paused {
				return nil
			}
			err = l.open.Add(ctx, r)
		}
		if err != nil {
			return fmt.Errorf("%s at offset %d: %w", b.Partition, r.Offset, err)
		}
		g.moved(l, b.Partition, r.Offset+1)
		if l.open.Rows() >= g.BatchRows || l.open.Bytes() >= g.BatchBytes {
			if err := g.seal(ctx, l); err != nil {
				return err
			}
		}
	}
	if !l.paused && b.Next > g.positions[b.Partition] {
		g.moved(l, b.Partition, b.Next)
	}
	return nil
}

// moved notes that the open batch has what lies below next.
func (g *generation) moved(l *lane, p topic.Partition, next int64) {
	if l.since.IsZero() {
		l.since = time.Now()
	}
	if _, ok := l.from[p]; !ok {
		l.from[p] = g.positions[p]
	}
	l.next[p], g.positions[p] = next, next
}

func (g *generation) lane(ctx context.Context, topicName string) *lane {
	name := g.store.Lane(topicName)
	l, ok := g.lanes[name]
	if !ok {
		l = &lane{
			name: name, open: g.store.Open(name), from: map[topic.Partition]int64{}, next: map[topic.Partition]int64{},
			work: make(chan sealedBatch, 1), trouble: make(chan struct{}, 1),
		}
		g.lanes[name] = l
		g.group.Go(func() error {
			for b := range l.work {
				if err := g.write(ctx, l, b); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return l
}

// sealDue hands over the batches whose time has come, and the largest ones
// while too much is held (P8).
func (g *generation) sealDue(ctx context.Context) error {
	for {
		held := g.sealed.Load()
		var largest *lane
		for _, l := range g.lanes {
			if !l.since.IsZero() && time.Since(l.since) >= g.BatchWait {
				if err := g.seal(ctx, l); err != nil {
					return err
				}
			}
			held += int64(l.open.Bytes())
			if largest == nil || l.open.Bytes() > largest.open.Bytes() {
				largest = l
			}
		}
		g.metrics.held.Set(float64(held))
		if held <= memory*int64(g.BatchBytes) {
			return nil
		}
		if largest.open.Rows() > 0 {
			if err := g.seal(ctx, largest); err != nil {
				return err
			}
			continue
		}
		select {
		case <-g.released:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// seal hands the open batch to the lane's writer, waiting while that has one
// waiting already, unless the lane is stuck.
func (g *generation) seal(ctx context.Context, l *lane) error {
	b := sealedBatch{Batch: l.open, from: l.from, next: l.next}
	select {
	case l.work <- b:
	default:
		if l.stuck.Load() {
			g.pause(l)
			return nil
		}
		select {
		case l.work <- b:
		case <-l.trouble:
			g.pause(l)
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	g.sealed.Add(int64(b.Bytes()))
	l.open, l.from, l.next, l.since = g.store.Open(l.name), map[topic.Partition]int64{}, map[topic.Partition]int64{}, time.Time{}
	return nil
}

// write puts one batch into the store, then commits its offsets: never the
// other way round (P2). A lane's batches are written one after the other.
func (g *generation) write(ctx context.Context, l *lane, b sealedBatch) error {
	name := l.name
	start, rows, bytes, newest := time.Now(), b.Rows(), b.Bytes(), b.Newest()
	err := g.Health.Retry(ctx, "data set "+name, func(ctx context.Context) error { return g.attempt(ctx, l, b) })
	if err != nil {
		return err
	}
	if !l.stuck.Swap(false) {
		g.release(b)
	}
	if rows > 0 {
		g.metrics.batches.WithLabelValues(name).Inc()
		g.metrics.records.WithLabelValues(name).Add(float64(rows))
		g.metrics.bytes.WithLabelValues(name).Add(float64(bytes))
		g.metrics.flush.WithLabelValues(name).Observe(time.Since(start).Seconds())
	}
	if newest > 0 {
		g.metrics.lag.WithLabelValues(name).Set(time.Since(time.UnixMicro(newest)).Seconds())
	}
	g.mu.Lock()
	maps.Copy(g.written, b.next)
	g.mu.Unlock()
	if err := g.gen.Commit(ctx, b.next); err != nil {
		if errors.Is(err, topic.ErrGenerationEnded) {
			return errGeneration
		}
		// Not lost: the next batch commits a higher offset, and a restart
		// resumes after what the store holds.
		if ctx.Err() == nil {
			g.Log.Warn("offsets are not committed; the next batch commits them too", "dataset", name, "error", err)
		}
	}
	return nil
}

// attempt tries to write a batch once, with one of the writers' slots.
func (g *generation) attempt(ctx context.Context, l *lane, b sealedBatch) error {
	select {
	case g.slots <- struct{}{}:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	defer func() { <-g.slots }()
	err := b.Write(ctx, b.next)
	var unavailable *Unavailable
	if err == nil || ctx.Err() != nil || errors.As(err, &unavailable) {
		return err
	}
	if !l.stuck.Swap(true) {
		g.release(b) // the other lanes do not wait for its memory
		signal(l.trouble)
	}
	return err
}

// release gives back the memory that a batch was counted with.
func (g *generation) release(b sealedBatch) {
	g.sealed.Add(-int64(b.Bytes()))
	signal(g.released)
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// measure tells the lag, and which partitions hold nothing that is not
// written.
func (g *generation) measure(ctx context.Context) error {
	for pause(ctx, watchInterval) == nil {
		mark := g.store.Mark() // before the ends are asked for
		g.mu.Lock()
		written := maps.Clone(g.written)
		g.mu.Unlock()
		ends, err := g.Kafka.EndOffsets(ctx, slices.Collect(maps.Keys(written))...)
		if err != nil {
			continue // read tells that Kafka is away
		}
		caught := map[topic.Partition]int64{}
		for p, end := range ends {
			g.metrics.behind.WithLabelValues(p.Topic, strconv.Itoa(int(p.ID))).Set(float64(max(0, end-written[p])))
			if written[p] >= end {
				caught[p] = written[p]
			}
		}
		if err := g.store.CaughtUp(ctx, mark, caught); err != nil && ctx.Err() == nil {
			g.Log.Warn("freshness is not written", "error", err)
		}
	}
	return nil
}
