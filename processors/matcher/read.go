package matcher

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/cespare/xxhash/v2"

	"github.com/hopluu/hopluu/processors/identity"
	"github.com/hopluu/hopluu/processors/identity/linkage"
	"github.com/hopluu/hopluu/schemas/event"
	"github.com/hopluu/hopluu/schemas/topic"
)

// ownTopics are those that the matcher writes.
var ownTopics = []string{topic.IdentityEdge, topic.IdentityLink, topic.IdentityEvent, topic.IdentityDecision, topic.IdentityReview, topic.IdentityAudit, topic.IdentityErasure}

// waitForTopics waits until the topics are there that are written to.
func (m *Matcher) waitForTopics(ctx context.Context) error {
	for told := false; ; {
		counts, err := m.config.Kafka.PartitionCounts(ctx, ownTopics...)
		if err != nil {
			return fmt.Errorf("matcher: %w", err)
		}
		if len(counts) == len(ownTopics) {
			return nil
		}
		if !told {
			told = true
			names := strings.Join(ownTopics, ", ")
			m.notReady("not all of the topics " + names + " are there")
			m.log.Info("waiting for topics: create them with 'hopluu topics create'", "topics", names)
		}
		if err := pause(ctx, topicsWait); err != nil {
			return err
		}
	}
}

func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// lostTopicError says that links are published of records whose vault topic is
// not there: matching without it would withdraw them all.
type lostTopicError struct{ topics []string }

func (e *lostTopicError) Error() string {
	return fmt.Sprintf("identity.link has links of records whose vault topic is gone (%s)", strings.Join(e.topics, ", "))
}

// waitForLost waits until the topics are there.
func (m *Matcher) waitForLost(ctx context.Context, t *turn, topics []string) error {
	for have := 0; have < len(topics); {
		if err := pause(ctx, topicsWait); err != nil {
			return err
		}
		select {
		case <-t.gen.Done():
			return errTurnOver
		default:
		}
		counts, err := m.config.Kafka.PartitionCounts(ctx, topics...)
		if err != nil {
			return fmt.Errorf("matcher: %w", err)
		}
		have = len(counts)
	}
	return nil
}

// load reads all records and decisions, of which every matcher knows all. It
// gives the vault topics that are not there yet.
func (m *Matcher) load(ctx context.Context) (missing []string, err error) {
	if err := m.reset(); err != nil {
		return nil, err
	}
	// Before any record: who is erased does not enter the engine (P12).
	if _, err := m.readLedger(ctx); err != nil {
		return nil, err
	}
	m.notReady("the vault topics are being read")
	for name := range m.lanes {
		missing = append(missing, name)
	}
	slices.Sort(missing)
	if missing, err = m.enlist(ctx, missing); err != nil {
		return nil, err
	}
	// Decisions are read like records: whichever comes first, the end is the
	// same (P9).
	if _, err := m.enlist(ctx, []string{topic.IdentityDecision}); err != nil {
		return nil, err
	}
	if len(missing) > 0 {
		m.log.Info("vault topics that are not there yet are read when their connectors make them", "topics", missing)
	}
	return missing, m.catchUp(ctx)
}

// enlist adds the partitions of the topics that are there to what is read,
// from their start, and gives the others.
func (m *Matcher) enlist(ctx context.Context, topics []string) (missing []string, err error) {
	if len(topics) == 0 {
		return nil, nil
	}
	counts, err := m.config.Kafka.PartitionCounts(ctx, topics...)
	if err != nil {
		return nil, fmt.Errorf("matcher: %w", err)
	}
	var parts []topic.Partition
	for _, name := range topics {
		if counts[name] == 0 {
			missing = append(missing, name)
		}
		for id := range counts[name] {
			parts = append(parts, topic.Partition{Topic: name, ID: id})
		}
	}
	starts, err := m.config.Kafka.StartOffsets(ctx, parts...)
	if err != nil {
		return nil, fmt.Errorf("matcher: %w", err)
	}
	for part, offset := range starts {
		m.positions[part] = offset
	}
	return missing, nil
}

// catchUp reads every partition to what is its stable end now.
func (m *Matcher) catchUp(ctx context.Context) error {
	parts := make([]topic.Partition, 0, len(m.positions))
	for part := range m.positions {
		parts = append(parts, part)
	}
	ends, err := m.config.Kafka.EndOffsets(ctx, parts...)
	if err != nil {
		return fmt.Errorf("matcher: %w", err)
	}
	return m.readTo(ctx, m.positions, ends, func(b *topic.Batch) error { return m.applyBatch(ctx, b) })
}

// readTo reads partitions from positions on until take has moved these to the
// ends.
func (m *Matcher) readTo(ctx context.Context, positions, ends map[topic.Partition]int64, take func(*topic.Batch) error) error {
	reader := m.config.Kafka.NewReader(positions)
	behind := func() bool {
		for part, end := range ends {
			if positions[part] < end {
				return true
			}
		}
		return false
	}
	for behind() {
		batches, err := reader.Poll(ctx)
		for i := range batches {
			if err == nil {
				err = take(&batches[i])
			}
		}
		if err != nil {
			return errors.Join(fmt.Errorf("matcher: %w", err), reader.Close())
		}
	}
	return reader.Close()
}

// restore tells the engine what is published.
func (m *Matcher) restore(ctx context.Context, missing []string) error {
	links, err := newLinkReader(m.links)
	if err != nil {
		return err
	}
	absent := map[identity.Origin]*lane{}
	for _, name := range missing {
		l := m.lanes[name]
		absent[identity.Origin{Source: l.origin.Source, Table: l.origin.Table}] = l
	}
	last := map[string]*lane{}       // records of absent topics that have a link
	decided := map[string]struct{}{} // records whose link is what a person said
	others := map[uint64]string{}    // the models of the links of others, by a hash of the key
	err = m.config.Kafka.ReadAll(ctx, topic.IdentityLink, func(rec topic.Record) error {
		if err := m.turn.goesOn(); err != nil {
			return err
		}
		l, withdrawn, err := links.read(&rec)
		if err != nil {
			return fmt.Errorf("%s, offset %d: the message is no link of this program (%w): delete topic identity.link and create it anew, the matcher fills it again", rec.Partition, rec.Offset, err)
		}
		delete(decided, l.Record)
		delete(others, xxhash.Sum64(rec.Key))
		if withdrawn {
			m.engine.RestoreWithdrawn(l.Record)
			delete(last, l.Record)
			return nil
		}
		m.engine.Restore(&l)
		if l.Model != m.model.Version && l.Model != "" {
			others[xxhash.Sum64(rec.Key)] = l.Model
		}
		if l.Rule == linkage.RuleDecision {
			decided[l.Record] = struct{}{}
		}
		if lane := absent[identity.Origin{Source: l.Source, Table: l.Table}]; lane != nil {
			last[l.Record] = lane
		}
		return nil
	})
	if err == nil && len(decided) > 0 && m.desk.book.Empty() && len(m.desk.erased) == 0 {
		// Nothing can fill it again, so to go on would lose people's work.
		err = fmt.Errorf("topic identity.decision is empty, but %d links in identity.link are what people said: restore the topic from a backup; to go on without their decisions, delete identity.link too and create it anew", len(decided))
	}
	if err == nil && len(others) > 0 && !m.turn.accepted {
		// Who joined with us, at a first start, had another model.
		err = &otherModelError{ours: m.model.Version, links: slices.Compact(slices.Sorted(maps.Values(others)))}
	}
	if err != nil || len(last) == 0 {
		return err
	}
	lost := &lostTopicError{}
	for _, lane := range last {
		if !slices.Contains(lost.topics, lane.topic) {
			lost.topics = append(lost.topics, lane.topic)
		}
	}
	slices.Sort(lost.topics)
	return lost
}

// follow reads on and publishes in batches, until the turn is over or ctx ends,
// and gives the vault topics that are still missing.
func (m *Matcher) follow(ctx context.Context, missing []string) (still []string, err error) {
	var events int       // read and not published
	var since time.Time  // when the first of them was read
	looked := time.Now() // for missing topics
	for {
		select {
		case <-m.turn.gen.Done():
			return missing, nil
		default:
		}
		batches, err := m.poll(ctx, events > 0, since.Add(batchWait))
		if err != nil {
			return missing, err
		}
		n, err := m.apply(ctx, batches)
		if err != nil {
			return missing, err
		}
		more, err := m.followLedger(ctx)
		if err != nil {
			return missing, err
		}
		if n += more; n > 0 && events == 0 {
			since = time.Now()
		}
		events += n
		m.calls.collect()
		due := events > 0 && (events >= batchRecords || len(batches) == 0 || time.Since(since) >= batchWait)
		if m.turn.solves {
			due = due || m.calls.collected()
		} else {
			m.calls.refuse()
			// Who solves waits for us at the end of each transaction, too, which
			// is no event.
			due = due || events == 0 && len(m.turn.ours) > 0 && !maps.Equal(m.turn.told, m.positions)
		}
		if due {
			if err := m.publish(ctx); err != nil {
				return missing, err
			}
			events = 0
		}
		m.metrics.lag(m.positions, m.stable, m.asOf)
		if len(missing) > 0 && time.Since(looked) >= topicsWait {
			looked = time.Now()
			still, err := m.enlist(ctx, missing)
			if err != nil {
				return missing, err
			}
			if len(still) < len(missing) {
				m.log.Info("new vault topics are read", "still_missing", still)
				missing = still
				if err := m.endReading(); err != nil {
					return missing, err
				}
			}
		}
	}
}

// poll gives what is held, or reads, but no longer than until the deadline when
// there is one.
func (m *Matcher) poll(ctx context.Context, bounded bool, deadline time.Time) ([]topic.Batch, error) {
	if len(m.held) > 0 {
		held := m.held
		m.held = nil
		return held, nil
	}
	if m.reader == nil {
		m.reader = m.config.Kafka.NewReader(m.positions)
	}
	bound := ctx
	if bounded {
		var cancel context.CancelFunc
		bound, cancel = context.WithDeadline(ctx, deadline)
		defer cancel()
	}
	batches, err := m.reader.Poll(bound)
	if err != nil {
		if bound.Err() != nil && ctx.Err() == nil {
			return nil, nil
		}
		return nil, fmt.Errorf("matcher: %w", err)
	}
	return batches, nil
}

// endReading forgets what is read and not taken, to read anew from the positions.
func (m *Matcher) endReading() error {
	m.held = nil
	if m.reader == nil {
		return nil
	}
	reader := m.reader
	m.reader = nil
	return reader.Close()
}

// readOn takes what comes until the positions are at the targets, and nothing
// beyond them: that is held.
func (m *Matcher) readOn(ctx context.Context, targets map[topic.Partition]int64) error {
	var beyond []topic.Batch
	for {
		behind := false
		for part, target := range targets {
			behind = behind || m.positions[part] < target
		}
		if !behind {
			m.held = append(beyond, m.held...)
			return nil
		}
		if err := m.turn.goesOn(); err != nil {
			return err
		}
		batches, err := m.poll(ctx, false, time.Time{})
		if err != nil {
			return err
		}
		for i := range batches {
			b, rest := split(batches[i], max(targets[batches[i].Partition], m.positions[batches[i].Partition]))
			if err := m.applyBatch(ctx, &b); err != nil {
				return err
			}
			if rest.Next > b.Next {
				beyond = append(beyond, rest)
			}
		}
	}
}

// split gives what of a batch is below an offset, and what is not.
func split(b topic.Batch, at int64) (below, rest topic.Batch) {
	below, rest = b, b
	n := len(b.Records)
	for n > 0 && b.Records[n-1].Offset >= at {
		n--
	}
	below.Records, rest.Records = b.Records[:n], b.Records[n:]
	below.Next = min(b.Next, at)
	return below, rest
}

// apply takes what was read into the engine, and gives the number of messages.
func (m *Matcher) apply(ctx context.Context, batches []topic.Batch) (n int, err error) {
	for i := range batches {
		if err := m.applyBatch(ctx, &batches[i]); err != nil {
			return n, err
		}
		n += len(batches[i].Records)
	}
	return n, nil
}

func (m *Matcher) applyBatch(ctx context.Context, b *topic.Batch) error {
	for j := range b.Records {
		if err := m.applyRecord(ctx, &b.Records[j]); err != nil {
			return err
		}
	}
	m.positions[b.Partition] = b.Next
	m.stable[b.Partition] = b.Stable
	return nil
}

func (m *Matcher) applyRecord(ctx context.Context, rec *topic.Record) error {
	l := m.lanes[rec.Topic] // nil for a decision
	var msg message
	var err error
	if l == nil {
		err = m.desk.take(ctx, rec)
	} else {
		err = m.decoder.decode(ctx, l, rec, &msg)
	}
	if err != nil {
		if !isUndecodable(err) {
			return err
		}
		if l != nil && m.decoder.decodeKey(ctx, l, rec.Key, &msg) == nil && m.erased.ledger.Record(msg.raw.ID) {
			return nil // P12: nor is it a dead letter
		}
		// P3: it is kept with the reason, and told; the others flow.
		m.log.Error("message cannot be decoded: it is in the dead letters", "topic", rec.Topic, "partition", rec.ID, "offset", rec.Offset,
			"dead_letters", topic.DeadLetter(rec.Topic), "error", err)
		m.metrics.letters.WithLabelValues(rec.Topic).Inc()
		m.letters.meet(rec, err)
		return nil
	}
	if l == nil {
		return nil
	}
	if m.isErased(&msg) {
		m.metrics.erased.WithLabelValues(l.origin.Source, l.origin.Table).Inc()
		return nil
	}
	m.asOf = max(m.asOf, msg.micros)
	m.metrics.event(l, &msg, m.take(rec.Partition, l, &msg))
	return nil
}

// take takes one event into the engine. It returns false when the event is older
// than what is known.
func (m *Matcher) take(part topic.Partition, l *lane, msg *message) bool {
	late, wasLate := m.staleDelete[part]
	if wasLate {
		delete(m.staleDelete, part)
	}
	switch {
	case msg.buries:
		return m.engine.Delete(string(msg.raw.ID), l.origin, msg.position)
	case msg.tombstone:
		// Its deletion went before it, and has the position. Where compaction
		// left the tombstone alone it is the last word on its key.
		if wasLate && late == string(msg.raw.ID) {
			return false
		}
		m.engine.Forget(string(msg.raw.ID))
		return true
	case msg.op == event.Truncate:
		m.engine.Truncate(l.origin, msg.position)
		return true
	case msg.op == event.Marker:
		m.mark(part, l, msg.position, msg.part, msg.within)
		return true
	case msg.op == event.Delete:
		id := string(msg.raw.ID)
		if !m.engine.Delete(id, l.origin, msg.position) {
			m.staleDelete[part] = id
			return false
		}
		return true
	}
	return m.engine.Upsert(&msg.raw)
}
