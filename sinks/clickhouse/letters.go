package clickhouse

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/hopluu/hopluu/schemas/topic"
	"github.com/hopluu/hopluu/sinks"
	"github.com/hopluu/hopluu/sinks/clickhouse/tables"
)

// The states of a dead letter in ops.dead_letter. An operator asks for retrying
// and discarding, and the sink that has the partition does it: nobody writes
// beside it.
const (
	LetterOpen       = "open"
	letterRetrying   = "retry"   // asked for
	letterDiscarding = "discard" // asked for
	LetterRetried    = "retried"
	LetterDiscarded  = "discarded"
)

// letterLimit is how many dead letters are retried in one go (P8).
const letterLimit = 2000

// letters knows the dead letters of the generation's partitions. What is not
// settled keeps later records of the same key waiting: to apply these would pass
// the poisoned one over.
type letters struct {
	// open are the offsets of letters that others wait for, ascending, by
	// partition and name of the record.
	open map[topic.Partition]map[string][]int64
	// known are the offsets that ops.dead_letter has, and that are not read
	// again, other than on request.
	known map[topic.Partition]map[int64]bool
	// mine are the generation's partitions.
	mine map[topic.Partition]bool
	// asked are those that are applied again, in a batch that is not written yet.
	asked map[topic.Partition]map[int64]bool
}

func newLetters() letters {
	return letters{map[topic.Partition]map[string][]int64{}, map[topic.Partition]map[int64]bool{}, map[topic.Partition]bool{}, map[topic.Partition]map[int64]bool{}}
}

func (l *letters) block(p topic.Partition, name string, offset int64) {
	if name == "" {
		return
	}
	if l.open[p] == nil {
		l.open[p] = map[string][]int64{}
	}
	offsets := l.open[p][name]
	if i, found := slices.BinarySearch(offsets, offset); !found {
		l.open[p][name] = slices.Insert(offsets, i, offset)
	}
}

func (l *letters) unblock(p topic.Partition, name string, offset int64) {
	offsets := l.open[p][name]
	i, found := slices.BinarySearch(offsets, offset)
	switch {
	case !found:
	case len(offsets) == 1:
		delete(l.open[p], name)
	default:
		l.open[p][name] = slices.Delete(offsets, i, i+1)
	}
}

// before gives the letter that a record waits for.
func (l *letters) before(p topic.Partition, name string, offset int64) (int64, bool) {
	if offsets := l.open[p][name]; len(offsets) > 0 && offsets[0] < offset {
		return offsets[0], true
	}
	return 0, false
}

func mark(set map[topic.Partition]map[int64]bool, p topic.Partition, offset int64) {
	if set[p] == nil {
		set[p] = map[int64]bool{}
	}
	set[p][offset] = true
}

// nameOf is what tells the records of one key from others: the record's name,
// or the key's bytes where these cannot be read.
func nameOf(record []byte, key []byte) string {
	switch {
	case len(record) > 0:
		return string(record)
	case len(key) > 0:
		return "\x00" + string(key)
	}
	return ""
}

func quotedList(names []string) string {
	quoted := make([]string, len(names))
	for i, n := range names {
		quoted[i] = quote(n)
	}
	return strings.Join(quoted, ", ")
}

// readLetters learns the dead letters of the generation's partitions.
func (s *store) readLetters(ctx context.Context, parts []topic.Partition) error {
	s.letters = newLetters()
	for _, p := range parts {
		s.letters.mine[p] = true
	}
	if err := s.server.sync(ctx, tables.Ops, "dead_letter"); err != nil {
		return err
	}
	return s.server.query(ctx, "SELECT topic, partition, offset, record, key, state FROM ops.dead_letter FINAL WHERE state != '"+LetterRetried+"' AND topic IN ("+quotedList(s.reading)+")", func(rows driver.Rows) error {
		var p topic.Partition
		var offset int64
		var record, key, state string
		if err := rows.Scan(&p.Topic, &p.ID, &offset, &record, &key, &state); err != nil {
			return err
		}
		if !s.letters.mine[p] {
			return nil
		}
		mark(s.letters.known, p, offset)
		if state != LetterDiscarded {
			s.letters.block(p, nameOf([]byte(record), []byte(key)), offset)
		}
		return nil
	})
}

// Retries implements sinks.Store: the dead letters that an operator wants
// applied again, in the order of their offsets. Those that are to be discarded
// are so now.
func (s *store) Retries(ctx context.Context) ([]topic.Record, error) {
	if len(s.reading) == 0 {
		return nil, nil
	}
	type letter struct {
		topic.Record
		name    string
		discard bool
	}
	var found []letter
	err := s.server.query(ctx, fmt.Sprintf("SELECT topic, partition, offset, record, key, value, toUnixTimestamp64Milli(written), state FROM ops.dead_letter FINAL WHERE state IN ('%s', '%s') AND topic IN (%s) ORDER BY topic, partition, offset LIMIT %d",
		letterRetrying, letterDiscarding, quotedList(s.reading), letterLimit), func(rows driver.Rows) error {
		var l letter
		var record, key, value, state string
		if err := rows.Scan(&l.Topic, &l.ID, &l.Offset, &record, &key, &value, &l.TimestampMs, &state); err != nil {
			return err
		}
		l.Key, l.Value, l.name, l.discard = []byte(key), []byte(value), nameOf([]byte(record), []byte(key)), state == letterDiscarding
		if len(key) == 0 {
			l.Key = nil
		}
		if s.letters.mine[l.Partition] && !s.letters.asked[l.Partition][l.Offset] {
			found = append(found, l)
		}
		return nil
	})
	if err != nil || len(found) == 0 {
		return nil, err
	}
	// A sink may have come to its end between bronze and the letter's state.
	arrived := map[topic.Partition][]int64{}
	for p, offsets := range group(found, func(l letter) (topic.Partition, int64) { return l.Partition, l.Offset }) {
		if arrived[p], err = s.inBronze(ctx, p, offsets); err != nil {
			return nil, err
		}
	}
	discarded := map[topic.Partition][]int64{}
	var records []topic.Record
	for _, l := range found {
		switch {
		case l.discard:
			discarded[l.Partition] = append(discarded[l.Partition], l.Offset)
			s.letters.unblock(l.Partition, l.name, l.Offset)
		case slices.Contains(arrived[l.Partition], l.Offset):
			s.letters.unblock(l.Partition, l.name, l.Offset)
		default:
			records = append(records, l.Record)
		}
	}
	for p, offsets := range discarded {
		if err := s.settleLetters(ctx, p, offsets, LetterDiscarded); err != nil {
			return nil, err
		}
	}
	for p, offsets := range arrived {
		if err := s.settleLetters(ctx, p, offsets, LetterRetried); err != nil {
			return nil, err
		}
	}
	return records, nil
}

func group[T any](list []T, of func(T) (topic.Partition, int64)) map[topic.Partition][]int64 {
	by := map[topic.Partition][]int64{}
	for _, x := range list {
		p, offset := of(x)
		by[p] = append(by[p], offset)
	}
	return by
}

// inBronze gives those of the offsets that bronze has.
func (s *store) inBronze(ctx context.Context, p topic.Partition, offsets []int64) (there []int64, err error) {
	t := s.lanes[s.routes[p.Topic].dataset].table
	if t == nil {
		return nil, nil
	}
	shard := s.shards.of(p)
	if err := shard.sync(ctx, tables.Bronze, t.Dataset()); err != nil {
		return nil, err
	}
	err = shard.query(ctx, fmt.Sprintf("SELECT _offset FROM %s WHERE _topic = %s AND _partition = %d AND _offset IN (%s)",
		tables.Qualified(tables.Bronze, t.Dataset()), quote(p.Topic), p.ID, numbers(offsets)), func(rows driver.Rows) error {
		var offset int64
		if err := rows.Scan(&offset); err != nil {
			return err
		}
		there = append(there, offset)
		return nil
	})
	return there, err
}

func numbers(offsets []int64) string {
	return strings.Trim(strings.ReplaceAll(fmt.Sprint(offsets), " ", ", "), "[]")
}

// settleLetters gives dead letters another state.
func (s *store) settleLetters(ctx context.Context, p topic.Partition, offsets []int64, state string) error {
	if len(offsets) == 0 {
		return nil
	}
	return s.server.exec(ctx, changeLetters(fmt.Sprintf("topic = %s AND partition = %d AND offset IN (%s)", quote(p.Topic), p.ID, numbers(offsets)), quote(state), "reason"))
}

// changeLetters is the statement that gives the letters of a condition a new
// state and reason, each an expression. What was there before is replaced when
// parts merge.
func changeLetters(where, state, reason string) string {
	return "INSERT INTO ops.dead_letter (at, dataset, topic, partition, offset, schema_id, reason, key, value, written, record, state)\n" +
		"SELECT now64(6, 'UTC'), dataset, topic, partition, offset, schema_id, " + reason + ", key, value, written, record, " + state + "\nFROM ops.dead_letter FINAL WHERE " + where
}

// Retry implements sinks.Batch.
func (b *batch) Retry(ctx context.Context, r *topic.Record) error {
	key := partKey{Partition: r.Partition, retry: true}
	p := b.parts[key]
	if p == nil {
		p = &part{Partition: r.Partition, retry: true, route: b.store.routes[r.Topic]}
		b.parts[key] = p
		b.order = append(b.order, p)
	}
	return b.put(ctx, p, r)
}

// Drop implements sinks.Batch.
func (b *batch) Drop() {
	b.store.eraser.ended(b)
	l := &b.store.letters
	for _, p := range b.order {
		for _, d := range p.dead {
			if !p.retry {
				l.unblock(p.Partition, d.name, d.offset)
			}
		}
		for _, d := range p.retried {
			delete(l.asked[p.Partition], d.offset)
			l.block(p.Partition, d.name, d.offset)
		}
	}
}

// retried is a dead letter that could be applied.
type retried struct {
	name   string
	offset int64
}

// settle notes which letters are applied; bronze has them by now.
func (b *batch) settle(ctx context.Context) error {
	for _, p := range b.order {
		var offsets []int64
		for _, r := range p.retried {
			offsets = append(offsets, r.offset)
		}
		if err := b.store.settleLetters(ctx, p.Partition, offsets, LetterRetried); err != nil {
			return err
		}
		if len(offsets) > 0 {
			b.store.log.Info("dead letters are applied", "topic", p.Topic, "partition", p.ID, "letters", len(offsets))
		}
	}
	return nil
}

// retryToken names the block of retried letters: the same letters, the same
// block.
func (p *part) retryToken(epoch uint32) string {
	h := sha256.New()
	for _, r := range p.retried { // in the order of their offsets
		_ = binary.Write(h, binary.BigEndian, r.offset) // a hash takes everything
	}
	return fmt.Sprintf("sink:%d:%s-%d:retry:%x", epoch, p.Topic, p.ID, h.Sum(nil)[:16])
}

var _ sinks.Batch = (*batch)(nil)
