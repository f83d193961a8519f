package connectors

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/hopluu/hopluu/connectors/postgres/pgvalue"
	"github.com/hopluu/hopluu/schemas/avro"
	"github.com/hopluu/hopluu/schemas/event"
	"github.com/hopluu/hopluu/schemas/token"
	"github.com/hopluu/hopluu/schemas/topic"
)

// encodedRow says where an event's bytes are in a piece of memory: its key (none
// when the table has no key), its value, and its value for the vault (none when
// the table has no vault). Offsets, because memory moves as it grows.
type encodedRow struct {
	key, value, vault, end int
	op                     event.Op // of a row that a snapshot read
	position               event.Position
}

// append encodes an event of a row behind dst. A row that cannot be encoded
// leaves nothing behind; the error is a *QuarantineError that names the event.
func (t *table) append(dst []byte, ev *event.Event, maxRowBytes int) ([]byte, encodedRow, error) {
	row := ev.After
	if ev.Op == event.Delete {
		row = ev.Before
	}
	at := encodedRow{key: len(dst), position: ev.Position}
	quarantine := func(err error) ([]byte, encodedRow, error) {
		if t.couldGoAsText(err) {
			err = fmt.Errorf("%w; or give the column unfit: text in the sector file, and such values go as text beside it", err)
		}
		return dst[:at.key], encodedRow{}, &QuarantineError{Table: t.name(), Err: fmt.Errorf("%s at LSN %s (event %s): %w", t.describe(row), ev.Position.LSN, ev.Position, err)}
	}
	var err error
	if len(t.key) > 0 {
		if dst, err = t.public.encoder.AppendKey(dst, t.public.keyID, row); err != nil {
			return quarantine(err)
		}
	}
	at.value = len(dst)
	if dst, err = t.public.encoder.AppendValue(dst, t.public.valueID, ev); err != nil {
		return quarantine(err)
	}
	at.vault = len(dst)
	if t.vault.topic != "" {
		if dst, err = t.vault.encoder.AppendValue(dst, t.vault.valueID, ev); err != nil {
			return quarantine(err)
		}
		if t.seals.Seals() {
			// P11: no broker, disk or backup has it plain.
			sealed := t.seals.Append(nil, dst[at.vault:], t.vault.topic, dst[at.key:at.value])
			dst = append(dst[:at.vault], sealed...)
		}
	}
	at.end = len(dst)
	if n := max(at.vault-at.value, at.end-at.vault); n > maxRowBytes {
		return quarantine(fmt.Errorf("the row has %d bytes, max_row_bytes is %d: raise it, or make the row smaller", n, maxRowBytes))
	}
	return dst, at, nil
}

// couldGoAsText tells whether the sector file can make a way for a value that
// could not be encoded.
func (t *table) couldGoAsText(err error) bool {
	var cell *avro.CellError
	var text *pgvalue.TextError
	if !errors.As(err, &cell) || !errors.As(err, &text) || text.Type == pgvalue.Text {
		return false
	}
	for i, c := range t.relation.Columns {
		if avro.SafeName(c.Name) != cell.Column || slices.Contains(t.key, i) {
			continue
		}
		described, ok := t.sector.Column(c.Name)
		return !ok || described.Identifier == "" && described.Match == "" && described.Privacy == ""
	}
	return false
}

// emit adds one event to its lanes: key, value, tombstone after a delete. It
// gives the key, which is valid until the next event.
func (s *session) emit(ctx context.Context, t *table, ev *event.Event) (key []byte, err error) {
	var at encodedRow
	if s.encoded, at, err = t.append(s.encoded[:0], ev, s.MaxRowBytes); err != nil {
		return nil, err
	}
	return s.encoded[at.key:at.value], s.add(ctx, t, s.encoded, at, ev.Op, ev.CommitMicros)
}

// add adds an encoded event to its lanes.
func (s *session) add(ctx context.Context, t *table, memory []byte, at encodedRow, op event.Op, micros int64) error {
	key := memory[at.key:at.value]
	if len(t.key) == 0 {
		key = nil
	}
	if err := s.addTo(ctx, &t.public, key, memory[at.value:at.vault], op, at.position, micros); err != nil {
		return err
	}
	if t.vault.topic != "" {
		if err := s.addTo(ctx, &t.vault, key, memory[at.vault:at.end], op, at.position, micros); err != nil {
			return err
		}
	}
	t.produced(op).Inc()
	return nil
}

func (s *session) addTo(ctx context.Context, l *lane, key, value []byte, op event.Op, position event.Position, micros int64) error {
	part := topic.Partition{Topic: l.topic}
	if key != nil {
		part.ID = topic.PartitionFor(key, l.partitions)
	}
	if err := s.producer.Add(ctx, part, key, value, micros/1000); err != nil {
		return err
	}
	if op != event.Delete || key == nil {
		return nil
	}
	if err := s.producer.Add(ctx, part, key, nil, micros/1000); err != nil {
		return err
	}
	return l.former.Bury(ctx, s.producer.Add, l.topic, l.partitions, key, position, micros/1000)
}

// tableKeys are the keys of what concerns a whole table in a vault topic: a
// compacted topic takes no record without one. No row's key begins so, and a
// late truncate does not take the place of a marker.
var tableKeys = map[event.Op][]byte{event.Truncate: {}, event.Marker: []byte(event.Marker.String())}

// everywhere tells a truncate or a marker to every partition of the table's
// lanes, each in its place.
func (s *session) everywhere(ctx context.Context, t *table, ev *event.Event) error {
	for _, l := range []*lane{&t.public, &t.vault} {
		if l.topic == "" {
			continue
		}
		var key []byte // as Debezium has it
		if l == &t.vault {
			key = tableKeys[ev.Op]
			if ev.Range != nil {
				// Nor does it take the place of the whole table's, or of
				// another range's.
				key = append(slices.Clone(key), " "+ev.Range.String()...)
			}
		}
		var err error
		if s.encoded, err = l.encoder.AppendValue(s.encoded[:0], l.valueID, ev); err != nil {
			return &QuarantineError{Table: t.name(), Err: fmt.Errorf("event %s: %w", ev.Position, err)}
		}
		for id := range l.partitions {
			if err := s.producer.Add(ctx, topic.Partition{Topic: l.topic, ID: id}, key, s.encoded, ev.CommitMicros/1000); err != nil {
				return err
			}
		}
	}
	t.produced(ev.Op).Inc()
	return nil
}

// keyTextBytes bounds how much of a key's column is shown in an error.
const keyTextBytes = 60

// describe names a row by its key for people, identifiers as their tokens, and
// nothing that its owner keeps back (P11).
func (t *table) describe(row event.Row) string {
	if len(t.key) == 0 {
		return "a row of a table without a key"
	}
	var b strings.Builder
	b.WriteString("row")
	for _, i := range t.key {
		if i >= len(row) {
			continue
		}
		column := t.relation.Columns[i].Name
		fmt.Fprintf(&b, " %s=", column)
		if row[i].State != event.Present {
			b.WriteString("NULL")
			continue
		}
		value, ok := t.shown(i, row[i].Text)
		if !ok {
			value = []byte("(kept back)")
		}
		text := string(value)
		if len(text) > keyTextBytes {
			text = strings.ToValidUTF8(text[:keyTextBytes], "") + "…"
		}
		b.WriteString(text)
	}
	return b.String()
}

// tokenAppend writes the token of a text as an Avro string.
func tokenAppend(tokens *token.Tokenizer, domain string) func(dst, text []byte) ([]byte, error) {
	var scratch []byte
	return func(dst, text []byte) ([]byte, error) {
		scratch = tokens.Append(scratch[:0], domain, text)
		return avro.AppendBytes(dst, scratch), nil
	}
}
