package clickhouse

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/hopluu/hopluu/schemas/avro"
	"github.com/hopluu/hopluu/schemas/erasure"
	"github.com/hopluu/hopluu/schemas/event"
	"github.com/hopluu/hopluu/schemas/topic"
	"github.com/hopluu/hopluu/sinks"
	"github.com/hopluu/hopluu/sinks/clickhouse/tables"
)

// batch is rows of one data set, from one or many partitions.
type batch struct {
	store *store
	lane  *lane
	parts map[partKey]*part
	order []*part // in the order in which they came
	rows  int
	bytes int // about; counted from the messages, to be cheap for every row
	// newest is the newest commit time, in microseconds.
	newest int64

	// unknown are the schema ids that the registry did not know: it is asked
	// once a batch, for it may come to know them.
	unknown map[uint32]error

	// ledger is who was erased when the batch was begun.
	ledger  *erasure.Ledger
	through []byte // scratch

	deadWritten   bool
	erasedWritten bool
	completed     bool
	silverWritten bool
}

// partKey tells apart what bronze has already and what is new to it.
type partKey struct {
	topic.Partition
	again bool
	retry bool // dead letters that are tried again
}

// part is what a batch holds of one partition: what becomes one block of one
// insert in bronze, unless it is read again and bronze has it (case 26).
type part struct {
	topic.Partition
	again bool
	retry bool
	route *route
	held  int64 // the offset after the last that leaves a row, 0 when none does
	// rows are in the shape that the lane had when the first of them came; nil
	// before that.
	rows *tables.Buffer
	// truncates and markers go to bronze with the rows, and are applied to
	// silver.
	truncates  *tables.Buffer
	truncation []tables.Truncation
	dead       []deadLetter
	erased     []int64 // offsets of records of erased people
	retried    []retried
	newest     int64
	written    bool // to bronze
}

// Open implements sinks.Store.
func (s *store) Open(name string) sinks.Batch {
	return &batch{store: s, ledger: s.eraser.ledger.Load(), lane: s.lanes[name], parts: map[partKey]*part{}, unknown: map[uint32]error{}}
}

func (b *batch) Rows() int     { return b.rows }
func (b *batch) Newest() int64 { return b.newest }

func (b *batch) Bytes() int { return b.bytes }

// badRecord is why a record goes to the dead letters.
type badRecord struct {
	reason   error
	schemaID uint32
}

func (e *badRecord) Error() string { return e.reason.Error() }

// Add implements sinks.Batch: decodes a record into columns, or into the dead
// letters when it cannot be (P3). What can be waited for is waited for.
func (b *batch) Add(ctx context.Context, r *topic.Record) error {
	if b.store.letters.known[r.Partition][r.Offset] {
		return nil // it is a dead letter, and stays one until an operator has it retried
	}
	key := partKey{Partition: r.Partition, again: r.Offset < b.store.held[r.Partition]}
	p := b.parts[key]
	if p == nil {
		p = &part{Partition: r.Partition, again: key.again, route: b.store.routes[r.Topic]}
	}
	if err := b.put(ctx, p, r); err != nil {
		return err
	}
	if b.parts[key] == nil {
		b.parts[key] = p
		b.order = append(b.order, p)
	}
	if b.rows > 0 {
		b.store.eraser.begin(b)
	}
	return nil
}

// put adds a record to a part, or to its dead letters.
func (b *batch) put(ctx context.Context, p *part, r *topic.Record) error {
	l := &b.store.letters
	b.store.record = b.store.record[:0]
	err := b.add(ctx, p, r)
	name := nameOf(b.store.record, r.Key)
	var bad *badRecord
	switch {
	case errors.Is(err, errErased): // P12; a letter of theirs is deleted with the rest
		p.erased = append(p.erased, r.Offset)
		b.rows++
		if p.retry {
			mark(l.asked, p.Partition, r.Offset)
			l.unblock(p.Partition, name, r.Offset)
		}
	case errors.As(err, &bad):
		p.dead = append(p.dead, newDeadLetter(r, bad, name, b.store.record))
		b.rows++
		l.block(p.Partition, name, r.Offset)
	case err != nil:
		return err
	case p.retry:
		p.retried = append(p.retried, retried{name, r.Offset})
		mark(l.asked, p.Partition, r.Offset)
		l.unblock(p.Partition, name, r.Offset)
	}
	b.bytes += len(r.Key) + len(r.Value) + rowOverhead
	return nil
}

// rowOverhead is about what the sink's own columns take for a row.
const rowOverhead = 100

func (b *batch) add(ctx context.Context, p *part, r *topic.Record) error {
	if r.Value == nil && !p.route.flat {
		return nil // a tombstone follows a delete for compaction's sake; the delete was enough
	}
	s := b.store
	keyColumns, err := b.decodeKey(ctx, r)
	if err != nil {
		return err
	}
	if b.erasedKey(p) {
		return errErased
	}
	if first, waits := s.letters.before(p.Partition, nameOf(s.record, r.Key), r.Offset); waits {
		return &badRecord{reason: fmt.Errorf("waits for the dead letter at offset %d, of the same key", first)}
	}
	if p.route.flat {
		return b.addFlat(ctx, p, r, keyColumns)
	}
	id, payload, err := avro.SplitWire(r.Value)
	if err != nil {
		return &badRecord{reason: fmt.Errorf("value: %w", err)}
	}
	v, err := b.valueSchema(ctx, p.route, id, keyColumns)
	if err != nil {
		return err
	}
	if v.failed != nil {
		return &badRecord{v.failed, id}
	}
	d := &s.decoded
	if err := v.envelope.Decode(payload, d); err != nil {
		return &badRecord{err, id}
	}
	if d.Op == event.Truncate || d.Op == event.Marker {
		return b.addTruncate(ctx, p, r, v, d)
	}
	cells, deleted := d.After, d.Op == event.Delete
	if deleted {
		cells = d.Before
	}
	switch {
	case deleted && !d.HasBefore, !deleted && !d.HasAfter:
		return &badRecord{fmt.Errorf("an event %q without the image of its row: does the table have a replica identity?", d.Op), id}
	case b.covered(p, v.columns, cells):
		return errErased
	case len(keyColumns) == 0 && b.lane.table.Keyed():
		return &badRecord{errors.New("a row without a key, in a table that has one"), id}
	}
	b.blank(v.columns, d.Before)
	b.blank(v.columns, d.After)
	if d.HasBefore && !deleted {
		d.Unchanged = fromBefore(d)
	}
	meta := tables.Meta{
		Record: s.record, Op: d.Op, Position: d.Position, TxID: d.TxID, CommitMicros: d.CommitMicros,
		Offset: r.Offset, Deleted: deleted, Unchanged: d.Unchanged,
	}
	return b.append(p, v, cells, &meta, id)
}

// fromBefore takes values that the update did not send from the old image,
// which has them under REPLICA IDENTITY FULL, and gives the columns that are
// still open (P4). A NULL there says nothing: under another identity the old
// image has the key alone.
func fromBefore(d *avro.Decoded) []int {
	return slices.DeleteFunc(d.Unchanged, func(i int) bool {
		if d.Before[i].Null || string(d.Before[i].B) == avro.Placeholder {
			return false
		}
		d.After[i] = d.Before[i]
		return true
	})
}

// decodeKey reads the record's key into the store's keyRow, and its name into
// record. A record without a key has no columns.
func (b *batch) decodeKey(ctx context.Context, r *topic.Record) ([]avro.Column, error) {
	s := b.store
	// The key of the record before is not this one's: a log's message that has
	// none would go with an erased one's.
	s.record, s.keyRow = s.record[:0], s.keyRow[:0]
	if len(r.Key) == 0 {
		return nil, nil
	}
	id, payload, err := avro.SplitWire(r.Key)
	if err != nil {
		return nil, &badRecord{reason: fmt.Errorf("key: %w", err)}
	}
	k, err := b.keySchema(ctx, id)
	if err != nil {
		return nil, err
	}
	if k.failed != nil {
		return nil, &badRecord{fmt.Errorf("key: %w", k.failed), id}
	}
	if s.keyRow, err = k.record.Decode(payload, s.keyRow); err != nil {
		return nil, &badRecord{fmt.Errorf("key: %w", err), id}
	}
	route := s.routes[r.Topic]
	columns := k.record.Columns()
	if route.flat && len(columns) == 1 {
		s.record = append(s.record, s.keyRow[0].B...) // the record's name itself
		return columns, nil
	}
	s.record = avro.AppendRecordID(s.record, route.source, route.desc.Name, columns, s.keyRow)
	return columns, nil
}

// addFlat adds a record of a compacted topic of flat rows (identity.link). Its
// version is its offset, below how often the topic was made anew: all records of a
// key are in one partition, in order. A
// tombstone deletes the row.
func (b *batch) addFlat(ctx context.Context, p *part, r *topic.Record, key []avro.Column) error {
	s := b.store
	for i := range key {
		if key[i].Type.Kind != avro.String {
			return &badRecord{reason: fmt.Errorf("field %s of the key of %s is no string", key[i].Name, p.Topic)}
		}
	}
	meta := tables.Meta{
		Record: s.record, Op: event.Update, Position: event.Position{Epoch: s.incarnations[r.Topic], LSN: event.LSN(r.Offset + 1)},
		CommitMicros: r.TimestampMs * 1000, Offset: r.Offset,
	}
	if r.Value == nil && isLog(p.route.dataset) {
		return nil // of an event of which nothing stayed: its row is the sweep's
	}
	if r.Value == nil {
		meta.Op, meta.Deleted = event.Delete, true
		mapping, err := b.lane.table.Map(keyOnly(key))
		if err != nil {
			return &badRecord{reason: err}
		}
		return b.append(p, &valueSchema{mapping: mapping}, s.keyRow, &meta, 0)
	}
	id, payload, err := avro.SplitWire(r.Value)
	if err != nil {
		return &badRecord{reason: fmt.Errorf("value: %w", err)}
	}
	v, err := b.valueSchema(ctx, p.route, id, key)
	if err != nil {
		return err
	}
	if v.failed != nil {
		return &badRecord{v.failed, id}
	}
	if s.cells, err = v.record.Decode(payload, s.cells); err != nil {
		return &badRecord{err, id}
	}
	if err := b.forget(p, v.columns, s.cells); err != nil {
		return err
	}
	if isLog(p.route.dataset) {
		if there, err := b.thinned(ctx, r); there || err != nil {
			return err
		}
	}
	return b.append(p, v, s.cells, &meta, id)
}

func keyOnly(key []avro.Column) []avro.Column {
	out := slices.Clone(key)
	for i := range out {
		out[i].Key = true
	}
	return out
}

func (b *batch) append(p *part, v *valueSchema, cells []avro.Cell, meta *tables.Meta, schemaID uint32) error {
	if p.rows == nil {
		p.rows = b.lane.table.NewBuffer(p.route.source, p.Topic, p.ID)
	}
	if err := p.rows.Append(v.mapping, cells, meta); err != nil {
		return &badRecord{err, schemaID}
	}
	b.counted(p, meta)
	return nil
}

// addTruncate keeps a TRUNCATE or a marker until the rows before it are written.
func (b *batch) addTruncate(ctx context.Context, p *part, r *topic.Record, v *valueSchema, d *avro.Decoded) error {
	last := false
	if d.Op == event.Marker {
		err := b.store.health.Retry(ctx, "Kafka", func(ctx context.Context) error {
			counts, err := b.store.kafka.PartitionCounts(ctx, p.Topic)
			last = p.ID+1 >= counts[p.Topic]
			if err != nil {
				return &sinks.Unavailable{What: "Kafka", Err: err}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	meta := tables.Meta{Op: d.Op, Position: d.Position, TxID: d.TxID, CommitMicros: d.CommitMicros, Offset: r.Offset}
	within := ""
	if d.Op == event.Marker && d.Range != nil {
		var err error
		if within, err = b.lane.table.Within(*d.Range); err != nil {
			return &badRecord{reason: err}
		}
		meta.Range = d.Range
	}
	if p.truncates == nil {
		p.truncates = b.lane.table.NewBuffer(p.route.source, p.Topic, p.ID)
	}
	if err := p.truncates.Append(v.mapping, nil, &meta); err != nil {
		return &badRecord{reason: err}
	}
	p.truncation = append(p.truncation, tables.Truncation{
		Op: d.Op, Source: p.route.source, Topic: p.Topic, Partition: p.ID, Offset: r.Offset, Position: d.Position, CommitMicros: d.CommitMicros, Last: last, Within: within,
	})
	b.counted(p, &meta)
	return nil
}

func (b *batch) counted(p *part, meta *tables.Meta) {
	b.rows++
	p.held = meta.Offset + 1
	b.newest = max(b.newest, meta.CommitMicros)
	p.newest = max(p.newest, meta.CommitMicros)
	b.store.read(p.route.source, meta.CommitMicros)
}

// Held implements sinks.Batch.
func (b *batch) Held(p topic.Partition) int64 {
	if part := b.parts[partKey{Partition: p}]; part != nil {
		return part.held
	}
	return 0
}
