package connectors

import (
	"context"
	"fmt"
	"strings"

	"github.com/hopluu/hopluu/schemas/avro"
	"github.com/hopluu/hopluu/schemas/event"
	"github.com/hopluu/hopluu/schemas/token"
	"github.com/hopluu/hopluu/schemas/topic"
)

// emit adds one event to its lanes: key, value, tombstone after a delete. All
// bytes are made before the first is added, so a row that cannot be encoded
// leaves nothing behind; the error then is a *QuarantineError that names the
// event.
func (s *session) emit(ctx context.Context, t *table, ev *event.Event) error {
	row := ev.After
	if ev.Op == event.Delete {
		row = ev.Before
	}
	quarantine := func(err error) error {
		return &QuarantineError{Table: t.name(), Err: fmt.Errorf("%s at LSN %s (event %s): %w", t.describe(row), ev.Position.LSN, ev.Position, err)}
	}
	var err error
	keyed := len(t.key) > 0
	if keyed {
		if s.key, err = t.public.encoder.AppendKey(s.key[:0], t.public.keyID, row); err != nil {
			return quarantine(err)
		}
	}
	if s.value, err = t.public.encoder.AppendValue(s.value[:0], t.public.valueID, ev); err != nil {
		return quarantine(err)
	}
	if t.vault.topic != "" {
		if s.vaultValue, err = t.vault.encoder.AppendValue(s.vaultValue[:0], t.vault.valueID, ev); err != nil {
			return quarantine(err)
		}
	}
	if n := max(len(s.value), len(s.vaultValue)); n > s.MaxRowBytes {
		return quarantine(fmt.Errorf("the row has %d bytes, max_row_bytes is %d: raise it, or make the row smaller", n, s.MaxRowBytes))
	}
	if err := s.add(ctx, &t.public, keyed, s.value, ev); err != nil {
		return err
	}
	if t.vault.topic != "" {
		if err := s.add(ctx, &t.vault, keyed, s.vaultValue, ev); err != nil {
			return err
		}
	}
	t.produced(ev.Op).Inc()
	return nil
}

func (s *session) add(ctx context.Context, l *lane, keyed bool, value []byte, ev *event.Event) error {
	part := topic.Partition{Topic: l.topic}
	var key []byte
	if keyed {
		key = s.key
		part.ID = topic.PartitionFor(key, l.partitions)
	}
	millis := ev.CommitMicros / 1000
	if err := s.producer.Add(ctx, part, key, value, millis); err != nil {
		return err
	}
	if ev.Op == event.Delete && keyed {
		return s.producer.Add(ctx, part, key, nil, millis)
	}
	return nil
}

// tableKeys are the keys of what concerns a whole table in a vault topic: a
// compacted topic takes no record without one. No row's key is as short, and a
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
		}
		var err error
		if s.value, err = l.encoder.AppendValue(s.value[:0], l.valueID, ev); err != nil {
			return &QuarantineError{Table: t.name(), Err: fmt.Errorf("event %s: %w", ev.Position, err)}
		}
		for id := range l.partitions {
			if err := s.producer.Add(ctx, topic.Partition{Topic: l.topic, ID: id}, key, s.value, ev.CommitMicros/1000); err != nil {
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
