package capture

import (
	"bytes"
	"context"
	"fmt"
	"strings"

	"github.com/hopluu/hopluu/schemas/avro"
	"github.com/hopluu/hopluu/schemas/event"
	"github.com/hopluu/hopluu/schemas/registry"
	"github.com/hopluu/hopluu/schemas/topic"
)

// tally counts what one consumer saw against the ledger.
type tally struct {
	ledger    *ledger
	epoch     uint32 // of the slot
	schemas   *registry.Client
	envelopes map[uint32]*reader
	rows      *rows

	// seen has a bit for each record that an event makes: partitions of the
	// public topic, then partitions of the vault.
	seen   map[event.LSN][]uint8
	lanes  map[topic.Partition]*lane
	counts struct{ events, reads, markers, tombstones int }
	// What must not be, and the first few of it in words.
	duplicates, missing, wrong int
	faults                     []string
}

// lane is what was last seen in a partition.
type lane struct {
	last    event.Position // of the stream
	deleted []byte         // key of the delete that a tombstone must follow; nil: none
	readLSN event.LSN      // of the newest snapshot
	read    map[uint64]bool
	markers map[event.Position]bool
}

func newTally(l *ledger, epoch uint32, schemas *registry.Client) *tally {
	return &tally{ledger: l, epoch: epoch, schemas: schemas, envelopes: map[uint32]*reader{}, rows: newRows(),
		seen: map[event.LSN][]uint8{}, lanes: map[topic.Partition]*lane{}}
}

// reader reads the envelopes of one schema.
type reader struct {
	*avro.Envelope
	columns []string
}

const toldFaults = 20

func (t *tally) fault(count *int, format string, args ...any) {
	*count++
	if len(t.faults) < toldFaults {
		t.faults = append(t.faults, fmt.Sprintf(format, args...))
	}
}

// see takes in a record. An error is one that cannot be read at all.
func (t *tally) see(ctx context.Context, s sighting) error {
	part := topic.Partition{Topic: s.topic, ID: s.partition}
	l := t.lanes[part]
	if l == nil {
		l = &lane{read: map[uint64]bool{}, markers: map[event.Position]bool{}}
		t.lanes[part] = l
	}
	deleted := l.deleted
	l.deleted = nil
	if s.value == nil {
		t.counts.tombstones++
		if deleted == nil || !bytes.Equal(deleted, s.key) {
			t.fault(&t.wrong, "%s: a tombstone that follows no delete of its key", part)
		}
		return nil
	}
	if deleted != nil {
		t.fault(&t.wrong, "%s: a delete without its tombstone", part)
	}
	envelope, payload, err := t.envelope(ctx, s.value)
	if err != nil {
		return fmt.Errorf("%s: %w", part, err)
	}
	var d avro.Decoded
	if err := envelope.Decode(payload, &d); err != nil {
		return fmt.Errorf("%s: %w", part, err)
	}
	vault := strings.HasPrefix(s.topic, "vault.")
	table := s.topic[strings.LastIndexByte(s.topic, '.')+1:]
	row := rowOf(envelope.Columns(), envelope.columns, &d)
	key := row.key(table)
	switch {
	case d.Position.Epoch != t.epoch:
		t.fault(&t.wrong, "%s: %s %s is of another epoch", part, d.Op, d.Position)
	case d.Op == event.Read:
		t.counts.reads++
		t.snapshot(part, l, d.Position, key)
	case d.Op == event.Marker:
		t.counts.markers++
		if l.markers[d.Position] {
			t.fault(&t.duplicates, "%s: the marker %s stands twice", part, d.Position)
		}
		l.markers[d.Position] = true
	default:
		t.counts.events++
		t.event(part, l, &d, table, key, vault)
	}
	if d.Op == event.Delete {
		l.deleted, row.values = s.key, nil
	}
	if !vault {
		t.rows.add(table, s.partition, string(s.key), version{position: d.Position, op: d.Op, row: row})
	}
	return nil
}

func (t *tally) envelope(ctx context.Context, value []byte) (*reader, []byte, error) {
	id, payload, err := avro.SplitWire(value)
	if err != nil {
		return nil, nil, err
	}
	e := t.envelopes[id]
	if e == nil {
		text, err := t.schemas.Schema(ctx, id)
		if err != nil {
			return nil, nil, err
		}
		parsed, err := avro.ParseEnvelope(text)
		if err != nil {
			return nil, nil, err
		}
		e = &reader{Envelope: parsed}
		for _, c := range parsed.Columns() {
			e.columns = append(e.columns, c.Name)
		}
		t.envelopes[id] = e
	}
	return e, payload, nil
}

// snapshot looks at a row that was read: each snapshot gives a key once.
func (t *tally) snapshot(part topic.Partition, l *lane, at event.Position, key uint64) {
	switch {
	case at.LSN < l.readLSN:
		t.fault(&t.wrong, "%s: a row of the snapshot at %s after one of %s", part, at.LSN, l.readLSN)
		return
	case at.LSN > l.readLSN:
		l.readLSN, l.read = at.LSN, map[uint64]bool{}
	}
	if l.read[key] {
		t.fault(&t.duplicates, "%s: a row was read twice at %s", part, at.LSN)
	}
	l.read[key] = true
}

// event looks at an event of the stream: the ledger must have it at its
// position, once, and its partition must show it in its order.
func (t *tally) event(part topic.Partition, l *lane, d *avro.Decoded, table string, key uint64, vault bool) {
	at := d.Position
	all := t.ledger.transactions[at.LSN]
	if at.Ordinal == 0 || int(at.Ordinal) > len(all) || all[at.Ordinal-1].op == 0 {
		t.fault(&t.wrong, "%s: %s %s was never committed", part, d.Op, at)
		return
	}
	want := all[at.Ordinal-1]
	if want.op != d.Op || want.name() != table || want.op != event.Truncate && want.key != key {
		t.fault(&t.wrong, "%s: %s %s is another event than was committed: %s of %s", part, d.Op, at, want.op, want.name())
		return
	}
	bit := uint8(1)
	if vault {
		bit <<= partitions
	}
	if d.Op == event.Truncate {
		bit <<= part.ID
	}
	seen := t.seen[at.LSN]
	if seen == nil {
		seen = make([]uint8, len(all))
		t.seen[at.LSN] = seen
	}
	if seen[at.Ordinal-1]&bit != 0 {
		t.fault(&t.duplicates, "%s: %s %s stands twice", part, d.Op, at)
	} else if at.Compare(l.last) <= 0 {
		t.fault(&t.wrong, "%s: %s %s stands after %s", part, d.Op, at, l.last)
	}
	seen[at.Ordinal-1] |= bit
	l.last = at
}

// finish counts what was committed and not seen.
func (t *tally) finish() {
	for lsn, all := range t.ledger.transactions {
		seen := t.seen[lsn]
		for i, e := range all {
			var want, got uint8
			switch {
			case e.op == 0:
			case e.op == event.Truncate:
				want = 1<<partitions - 1
			default:
				want = 1
			}
			if e.op != 0 && vaulted(e.name()) {
				want |= want << partitions
			}
			if seen != nil {
				got = seen[i]
			}
			if got != want {
				t.fault(&t.missing, "%s of %s at %s:%d is missing (lanes %b of %b)", e.op, e.name(), lsn, i+1, got, want)
			}
		}
	}
}

func vaulted(table string) bool { return table == "patient" }

// topics are all that the sector's events go to.
func topics() []string {
	var names []string
	for _, table := range wardTables {
		names = append(names, topic.Public(source, "public", table))
		if vaulted(table) {
			names = append(names, topic.Vault(source, "public", table))
		}
	}
	return names
}
