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
	held      map[topic.Partition]int64 // below it the store has the records for good
	unsettled []unsettled
	reread    bool // the reader stands elsewhere than positions, or reads paused lanes
	lanes     map[string]*lane
	group     *errgroup.Group
	slots     chan struct{} // one for each batch that may be written at a time

	sealed   atomic.Int64  // bytes handed to the writers
	released chan struct{} // a batch was written

	mu      sync.Mutex
	written map[topic.Partition]int64 // the offset after what is written
	kept    map[topic.Partition]int64 // the offset after what the store keeps
}

// unsettled is a range that an earlier owner of its partition may have sent, and
// that the store does not have.
type unsettled struct {
	topic.Partition
	committed int64
	note      note
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
	// settle are the batches of unsettled ranges, which go before all others.
	settle []sealedBatch

	// stuck: the store takes no batch of this lane for a reason of the lane's
	// own. trouble is signalled when it becomes so.
	stuck   atomic.Bool
	trouble chan struct{}
	// paused: its partitions are not read, so that the other lanes go on (P3).
	paused bool
}

// sealedBatch is a batch with the offsets at which its records begin, those
// after them, and what of them is new to the store.
type sealedBatch struct {
	Batch
	from, next map[topic.Partition]int64
	ranges     map[topic.Partition]Range
	rewound    bool // nothing below its ranges was read: the offset stays
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
		g.written, g.kept = maps.Clone(g.positions), maps.Clone(g.held)
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

// resume finds where to read on: at the committed offset, which an operator may
// have set (case 26), unless the note beside it names a range that was pending
// and that the store turns out to have. Where none was committed the store says
// where to go on. It is asked after the rebalance, when no earlier owner can
// leave a note any more.
func (g *generation) resume(ctx context.Context) error {
	parts := slices.SortedFunc(maps.Keys(g.gen.Assigned()), topic.Partition.Compare)
	var noted map[topic.Partition]topic.Noted
	var starts, ends map[topic.Partition]int64
	err := g.Health.Retry(ctx, "Kafka", func(ctx context.Context) (err error) {
		if noted, err = g.Kafka.CommittedNoted(ctx, g.Group, parts...); err != nil {
			return err
		}
		starts, err = g.Kafka.StartOffsets(ctx, parts...)
		return err
	})
	if err != nil {
		return err
	}
	err = g.Health.Retry(ctx, "the store", func(ctx context.Context) (err error) {
		g.held, err = g.store.Resume(ctx, parts)
		return err
	})
	if err != nil {
		return err
	}
	err = g.Health.Retry(ctx, "Kafka", func(ctx context.Context) (err error) {
		ends, err = g.Kafka.EndOffsets(ctx, parts...)
		return err
	})
	if err != nil {
		return err
	}
	for _, p := range parts {
		// A topic that ends before what the store has of it is another one: its
		// records would be taken for those that the store has.
		if g.held[p] > ends[p] {
			return fmt.Errorf("sink: %w", &topic.OutOfRangeError{Partition: p, Offset: g.held[p], Start: starts[p], End: ends[p]})
		}
	}
	notes, err := g.notes(ctx, noted)
	if err != nil {
		return err
	}
	g.positions = make(map[topic.Partition]int64, len(parts))
	for _, p := range parts {
		g.positions[p] = g.position(p, noted[p].Offset, notes[p], starts[p])
	}
	g.Log.Info("partitions assigned", "partitions", len(parts), "unsettled", len(g.unsettled))
	return g.acknowledge(ctx, noted)
}

// acknowledge commits the offsets of what an earlier owner wrote and did not
// come to commit. Its partition may get no record any more, with whose batch the
// offset would go on.
func (g *generation) acknowledge(ctx context.Context, noted map[topic.Partition]topic.Noted) error {
	behind := map[topic.Partition]topic.Noted{}
	for p, next := range g.positions {
		if next > max(0, noted[p].Offset) {
			behind[p] = topic.Noted{Offset: next, Note: note{Epoch: g.store.Epoch(), Held: g.held[p]}.String()}
		}
	}
	for _, u := range g.unsettled {
		delete(behind, u.Partition) // its note stays until it is settled
	}
	return g.Health.Retry(ctx, "Kafka", func(ctx context.Context) error { return g.commit(ctx, behind) })
}

// notes reads the notes beside the offsets. Where one says that ranges may be
// written again on purpose, a new epoch begins (case 27).
func (g *generation) notes(ctx context.Context, noted map[topic.Partition]topic.Noted) (map[topic.Partition]note, error) {
	notes := make(map[topic.Partition]note, len(noted))
	why, above := "", uint32(0)
	for p, at := range noted {
		n, ours, err := parseNote(at.Note)
		if err != nil {
			return nil, fmt.Errorf("sink: group %s, %s: %w", g.Group, p, err)
		}
		notes[p] = n
		above = max(above, n.Epoch)
		switch {
		case n.Rewound:
			why = "an operator rewound the group's offsets"
		case why != "":
		case at.Offset >= 0 && !ours:
			why = "the group's offsets were set by another program, or by an earlier release; a range that was under way then is not known any more: 'hopluu reconcile' tells whether bronze has it twice"
		case n.Epoch > g.store.Epoch():
			why = "the store's epoch is older than that beside the group's offsets: it was lost, or restored from a backup"
		}
	}
	if why == "" {
		return notes, nil
	}
	return notes, g.Health.Retry(ctx, "the store", func(ctx context.Context) error { return g.store.NewEpoch(ctx, above, why) })
}

// position is where to read a partition on.
func (g *generation) position(p topic.Partition, committed int64, n note, start int64) int64 {
	held := g.held[p]
	if n.Held > held && !n.pending() && !g.Thinned {
		g.Log.Error("the store lacks records that it had: it was restored or emptied. Stop the sinks and write them again with `hopluu sink rewind`",
			"topic", p.Topic, "partition", p.ID, "from_offset", held, "to_offset", n.Held)
	}
	switch {
	case n.pending() && held <= n.First:
		g.unsettled = append(g.unsettled, unsettled{p, committed, n})
		if !n.Rewound {
			return n.Next
		}
	case n.pending() && !n.Rewound:
		return n.Next // a range arrives as a whole
	}
	switch {
	case committed >= 0:
		if committed < held {
			g.Log.Info("records that the store has are read again, for the rows as they are", "topic", p.Topic, "partition", p.ID, "from_offset", committed, "to_offset", held)
		}
		return committed
	case held > 0:
		g.Log.Warn("the group has no offset of this partition; it goes on after what the store has", "topic", p.Topic, "partition", p.ID, "offset", held)
		return held
	}
	if start > 0 && p.Topic != topic.IdentityLink && p.Topic != topic.IdentityReview {
		g.Log.Error("the topic's first records are gone by its retention: the store will lack them until a new snapshot is taken",
			"topic", p.Topic, "partition", p.ID, "first", start)
	}
	return start
}

// read polls and hands batches to the lanes' writers. It alone calls the
// Store's methods, but for Write.
func (g *generation) read(ctx context.Context) error {
	defer func() {
		for _, l := range g.lanes {
			if l.work != nil {
				close(l.work)
			}
		}
	}()
	for _, u := range g.unsettled {
		if err := g.settle(ctx, u); err != nil {
			return err
		}
	}
	for _, u := range g.unsettled {
		g.lane(ctx, u.Topic)
	}
	var prepared time.Time
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
		if time.Since(prepared) >= watchInterval {
			prepared = time.Now()
			if err := g.store.Prepare(ctx); err != nil {
				return err
			}
			if err := g.retry(ctx); err != nil {
				return err
			}
		}
		g.pauseStuck()
		if g.reread {
			_ = reader.Close()
			reader = g.Kafka.NewReader(g.readable())
			g.reread = false
		}
	}
}

// pauseStuck stops reading for lanes that are stuck or held still by an operator,
// and begins again for those that no longer are.
func (g *generation) pauseStuck() {
	for _, l := range g.lanes {
		switch still := l.stuck.Load() || g.isHeld(l.name); {
		case still && !l.paused:
			g.pause(l)
		case !still && l.paused:
			l.paused, g.reread = false, true
		}
	}
}

func (g *generation) isHeld(lane string) bool { return g.Held != nil && g.Held(lane) }

// pause forgets what a stuck lane holds, but for the batch that its writer
// tries to write: it is read again later. So a stuck lane holds one batch.
func (g *generation) pause(l *lane) {
	l.paused, g.reread = true, true
	maps.Copy(g.positions, l.from)
	l.open.Drop()
	g.fresh(l)
	select {
	case waiting := <-l.work:
		waiting.Drop()
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

// retry adds what is to be tried again to the lanes' open batches.
func (g *generation) retry(ctx context.Context) error {
	records, err := g.store.Retries(ctx)
	if err != nil {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		g.Log.Warn("what is to be tried again cannot be read; it is asked for again", "error", err)
		return nil
	}
	for i := range records {
		r := &records[i]
		l := g.lane(ctx, r.Topic)
		if l.paused {
			continue // given again with the next call
		}
		err := l.open.Retry(ctx, r)
		if errors.Is(err, ErrFull) {
			if err := g.seal(ctx, l); err != nil {
				return err
			}
			if l.paused {
				continue
			}
			err = l.open.Retry(ctx, r)
		}
		if err != nil {
			return fmt.Errorf("%s at offset %d: %w", r.Partition, r.Offset, err)
		}
		// The partition is the batch's too, so that it is fenced like any other.
		g.moved(l, r.Partition, g.positions[r.Partition])
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
	l := g.named(topicName)
	if l.work == nil {
		l.work = make(chan sealedBatch, 1)
		g.group.Go(func() error {
			for _, b := range l.settle {
				if err := g.write(ctx, l, b); err != nil {
					return err
				}
			}
			l.settle = nil
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

// named gives a lane, whose writer may not have begun.
func (g *generation) named(topicName string) *lane {
	name := g.store.Lane(topicName)
	l, ok := g.lanes[name]
	if !ok {
		l = &lane{name: name, trouble: make(chan struct{}, 1)}
		if g.isHeld(name) { // from its first record on
			l.paused, g.reread = true, true
		}
		g.fresh(l)
		g.lanes[name] = l
	}
	return l
}

// fresh gives a lane an open batch without records.
func (g *generation) fresh(l *lane) {
	l.open, l.from, l.next, l.since = g.store.Open(l.name), map[topic.Partition]int64{}, map[topic.Partition]int64{}, time.Time{}
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
	b := sealedBatch{Batch: l.open, from: l.from, next: l.next, ranges: map[topic.Partition]Range{}}
	for p, next := range b.next {
		if first := max(b.from[p], g.held[p]); first < next {
			b.ranges[p] = Range{Epoch: g.store.Epoch(), First: first, Next: next}
		}
	}
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
	g.fresh(l)
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
	done := make(map[topic.Partition]topic.Noted, len(b.next))
	g.mu.Lock()
	maps.Copy(g.written, b.next)
	for p, next := range b.next {
		g.kept[p] = max(g.kept[p], b.Held(p))
		done[p] = topic.Noted{Offset: next, Note: note{Epoch: g.store.Epoch(), Held: g.kept[p]}.String()}
	}
	g.mu.Unlock()
	// Nothing more may come for these partitions: no later batch would make up
	// for an offset that is not committed, and whoever waits for it would wait
	// without end.
	return g.Health.Retry(ctx, "Kafka", func(ctx context.Context) error { return g.commit(ctx, done) })
}

// commit leaves offsets, and the notes beside them, with the group.
func (g *generation) commit(ctx context.Context, offsets map[topic.Partition]topic.Noted) error {
	switch err := g.gen.CommitNoted(ctx, offsets); {
	case errors.Is(err, topic.ErrGenerationEnded):
		return &Permanent{Err: errGeneration}
	case err != nil && ctx.Err() == nil:
		return &Unavailable{What: "Kafka", Err: err}
	default:
		return err
	}
}

// attempt tries to write a batch once, with one of the writers' slots. What is
// about to be sent is noted first, durably and under the generation: a member
// that was paused, or cut off, and lost its partitions meanwhile is refused
// here (P2, case 23). If it comes to a stop between this and its last byte, its
// successor sends the same range under the same name, and the store keeps one.
func (g *generation) attempt(ctx context.Context, l *lane, b sealedBatch) error {
	select {
	case g.slots <- struct{}{}:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	defer func() { <-g.slots }()
	if b.Rows() == 0 {
		return nil // tombstones and markers: only the offsets move
	}
	if err := g.note(ctx, b); err != nil {
		return err
	}
	err := b.Write(ctx, b.next, b.ranges)
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

// note makes the ranges of a batch pending.
func (g *generation) note(ctx context.Context, b sealedBatch) error {
	pending := make(map[topic.Partition]topic.Noted, len(b.next))
	g.mu.Lock()
	for p := range b.next {
		r, ok := b.ranges[p]
		if !ok { // the store has all of it
			r.Epoch = g.store.Epoch()
		}
		pending[p] = topic.Noted{Offset: b.from[p], Note: note{Epoch: r.Epoch, First: r.First, Next: r.Next, Held: g.kept[p], Rewound: b.rewound}.String()}
	}
	g.mu.Unlock()
	return g.commit(ctx, pending)
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
