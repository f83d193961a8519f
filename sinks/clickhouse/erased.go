package clickhouse

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/hopluu/hopluu/schemas/avro"
	"github.com/hopluu/hopluu/schemas/erasure"
	"github.com/hopluu/hopluu/schemas/erasure/feed"
	"github.com/hopluu/hopluu/schemas/topic"
	"github.com/hopluu/hopluu/sinks/clickhouse/tables"
)

// errErased is the answer to a record of an erased person: it leaves no row (P12).
var errErased = errors.New("the record is of an erased person")

// ledgerInterval is how often the ledger is looked at.
const ledgerInterval = 2 * time.Second

// eraser keeps ClickHouse free of erased people. What arrives of them is dropped
// by the batches, which ask the ledger; what is there is deleted by the sweeps
// of keep, which runs beside them. Every sink of a group sweeps, after its own
// batches that were begun with less in the ledger: whoever was the last to write
// a row of somebody deletes it.
type eraser struct {
	store  *store
	ledger atomic.Pointer[erasure.Ledger]
	// wake asks for a sweep.
	wake chan struct{}

	mu  sync.Mutex
	end int64
	// begun are batches with rows that are not written yet, and the ledger that
	// each was begun with.
	begun map[*batch]*erasure.Ledger
}

func newEraser(s *store) *eraser {
	s.logged.all = map[*batch]map[string]bool{}
	e := &eraser{store: s, wake: make(chan struct{}, 1), end: -1, begun: map[*batch]*erasure.Ledger{}}
	e.ledger.Store(erasure.New())
	return e
}

func (e *eraser) ask() {
	select {
	case e.wake <- struct{}{}:
	default:
	}
}

// resume reads the ledger before the first record of a generation, and forgets
// the batches of the one before: its writers have stopped. What these had under
// way may land yet, so a sweep is due.
func (e *eraser) resume(ctx context.Context) error {
	e.mu.Lock()
	clear(e.begun)
	e.mu.Unlock()
	e.store.logged.mu.Lock()
	clear(e.store.logged.all)
	e.store.logged.mu.Unlock()
	if err := e.reload(ctx); err != nil {
		return err
	}
	e.ask()
	return nil
}

// reload reads the ledger if it has grown. What ClickHouse's copy of it has
// counts as well: a topic that was lost lets nobody back in (P12).
func (e *eraser) reload(ctx context.Context) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	end, err := feed.End(ctx, e.store.kafka)
	if err != nil || end == e.end {
		return err
	}
	ledger, end, err := feed.Read(ctx, e.store.kafka)
	if err != nil {
		return err
	}
	known := len(ledger.Erasures())
	if err := readCopy(ctx, e.store.server, ledger); err != nil {
		return err
	}
	if lost := len(ledger.Erasures()) - known; lost > 0 {
		e.store.log.Error("the topic identity.erasure lacks erasures that ClickHouse has; they hold here, but connectors and the matcher do not know of them: stop them, and write the topic again with 'hopluu identity erasures --restore'", "lacking", lost)
	}
	e.end = end
	e.ledger.Store(ledger)
	return nil
}

// begin notes that a batch has rows.
func (e *eraser) begin(b *batch) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if _, ok := e.begun[b]; !ok {
		e.begun[b] = b.ledger
	}
}

// ended notes that a batch is written, or given up.
func (e *eraser) ended(b *batch) {
	e.store.logged.landed(b)
	e.mu.Lock()
	delete(e.begun, b)
	e.mu.Unlock()
	if b.ledger != e.ledger.Load() {
		e.ask()
	}
}

// behind tells whether batches are still to be written that were begun with
// another ledger.
func (e *eraser) behind(ledger *erasure.Ledger) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, begun := range e.begun {
		if begun != ledger {
			return true
		}
	}
	return false
}

// keep sweeps when the ledger has grown, when a batch was written that was begun
// before, and at the beginning of each generation, until ctx ends.
func (e *eraser) keep(ctx context.Context) {
	due := false
	tick := time.NewTicker(ledgerInterval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-e.wake:
			due = true
		case <-tick.C:
		}
		before := e.ledger.Load()
		err := e.reload(ctx)
		ledger := e.ledger.Load()
		due = due || ledger != before
		if err == nil && due {
			err = e.sweep(ctx, ledger)
		}
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			// It is tried again: what is open stays so in the ledger.
			e.store.log.Warn("erased people are not deleted yet; it is tried again", "error", err)
		case due:
			due = e.behind(ledger)
		}
	}
}

func (e *eraser) sweep(ctx context.Context, ledger *erasure.Ledger) error {
	s := e.store
	if err := writeCopy(ctx, s.server, ledger); err != nil || len(ledger.Erasures()) == 0 {
		return err
	}
	w := sweeper{s.server, s.shards, s.routes}
	shapes, err := w.shapes(ctx)
	if err != nil {
		return err
	}
	step := erasure.StepClickHouse + s.group
	var messages []feed.Message
	var open []string
	for _, a := range ledger.Erasures() {
		if _, done := ledger.Done(a.ID)[step]; done || !a.Holds() {
			continue
		}
		open = append(open, a.ID)
		records, _ := ledger.Names(a.ID)
		more, err := w.look(ctx, shapes, records)
		if err != nil {
			return err
		}
		if found, changed := ledger.More(a.ID, erasure.FoundClickHouse, time.Now().UnixMilli(), more, nil); changed {
			key, value, err := found.Message(a.ID, erasure.FoundClickHouse)
			if err != nil {
				return err
			}
			messages = append(messages, feed.Message{Key: key, Value: value})
		}
	}
	if len(messages) > 0 {
		// The rows go once the ledger has their names: it is what keeps them out.
		e.ask()
		return e.write(ctx, messages)
	}
	counts, err := w.delete(ctx, shapes, ledger, ledger.Records())
	if err != nil {
		return err
	}
	total := int64(0)
	for dataset, n := range counts {
		total += n
		s.log.Info("rows of erased people are deleted, or name them no more", "table", dataset, "rows", n)
	}
	if e.behind(ledger) {
		return nil // and sweeps again
	}
	for _, id := range open {
		key, value, err := ledger.Step(id, time.Now().UnixMilli(), total).Message(id, step)
		if err != nil {
			return err
		}
		messages = append(messages, feed.Message{Key: key, Value: value})
	}
	if len(messages) == 0 {
		return nil
	}
	return e.write(ctx, messages)
}

// write writes to the ledger. Another sink of the group that does the same at the
// same time fences this one, which tries again.
func (e *eraser) write(ctx context.Context, messages []feed.Message) error {
	err := feed.Write(ctx, e.store.kafka, e.store.group+".erasure", time.Now().UnixMilli(), messages...)
	if errors.Is(err, topic.ErrFenced) {
		e.ask()
		return nil
	}
	return err
}

// covered tells whether a record is of an erased person, by its own name or one
// that it speaks through.
func (b *batch) covered(p *part, columns []avro.Column, cells []avro.Cell) bool {
	ledger := b.store.eraser.ledger.Load()
	if ledger.Empty() || p.route.desc.Table == nil {
		return false
	}
	person := p.route.desc.Table.Person
	if person == nil || person.Direct {
		return false
	}
	name := avro.SafeName(person.Via)
	i := slices.IndexFunc(columns, func(c avro.Column) bool { return c.Name == name })
	if i < 0 || i >= len(cells) || cells[i].Null {
		return false
	}
	b.through = avro.AppendRecordID(b.through[:0], p.route.source, person.To, columns[i:i+1], cells[i:i+1])
	return ledger.Record(b.through)
}

// erasedKey tells whether the record whose key was decoded last is erased; of a
// topic of the matcher, whether it speaks of one that is.
func (b *batch) erasedKey(p *part) bool {
	s := b.store
	ledger := s.eraser.ledger.Load()
	if ledger.Empty() {
		return false
	}
	if !p.route.flat {
		return ledger.Record(s.record)
	}
	return slices.ContainsFunc(s.keyRow, func(c avro.Cell) bool { return ledger.Record(c.B) })
}

// writeErased notes the offsets of records that leave no row, before bronze
// proves that their range is written: whoever compares bronze with the topic
// knows why they lack.
func (b *batch) writeErased(ctx context.Context) error {
	var topics []string
	var partitions []int32
	var offsets []int64
	for _, p := range b.order {
		for _, offset := range p.erased {
			topics, partitions, offsets = append(topics, p.Topic), append(partitions, p.ID), append(offsets, offset)
		}
	}
	if len(offsets) == 0 || b.erasedWritten {
		return nil
	}
	if err := b.store.server.append(ctx, "INSERT INTO ops.erased_offset (topic, partition, offset)", topics, partitions, offsets); err != nil {
		return err
	}
	b.erasedWritten = true
	b.store.metrics.erased.WithLabelValues(b.lane.dataset).Add(float64(len(offsets)))
	return nil
}

// heldErased raises what bronze holds by the rows that were in it and are erased.
func (s *store) heldErased(ctx context.Context) error {
	if err := s.server.sync(ctx, tables.Ops, "erased_offset"); err != nil {
		return err
	}
	return s.server.query(ctx, "SELECT topic, partition, max(offset) FROM ops.erased_offset WHERE deleted = 1 AND topic IN ("+quotedList(s.reading)+") GROUP BY topic, partition", func(rows driver.Rows) error {
		var p topic.Partition
		var last int64
		if err := rows.Scan(&p.Topic, &p.ID, &last); err != nil {
			return err
		}
		s.held[p] = max(s.held[p], last+1)
		return nil
	})
}

// readCopy takes what ops.erasure has into a ledger.
func readCopy(ctx context.Context, server *server, into *erasure.Ledger) error {
	return server.query(ctx, "SELECT key, value FROM ops.erasure ORDER BY key", func(rows driver.Rows) error {
		var key, value string
		if err := rows.Scan(&key, &value); err != nil {
			return err
		}
		return into.Take([]byte(key), []byte(value))
	})
}

// writeCopy writes the ledger into ops.erasure, whose rows it has are the same.
func writeCopy(ctx context.Context, server *server, ledger *erasure.Ledger) error {
	messages, err := ledger.Messages()
	if err != nil || len(messages) == 0 {
		return err
	}
	var keys, values []string
	for _, m := range messages {
		keys, values = append(keys, string(m[0])), append(values, string(m[1]))
	}
	return server.append(ctx, "INSERT INTO ops.erasure (key, value)", keys, values)
}
