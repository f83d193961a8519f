package file

import (
	"context"
	"errors"
	"time"

	"github.com/hopluu/hopluu/schemas/event"
	"github.com/hopluu/hopluu/schemas/topic"
)

// errErased is the answer to a row of an erased person (P12): there is no event of
// it.
var errErased = errors.New("the row is of an erased person")

const (
	// A Kafka transaction is cut at this many records or bytes, or when it is
	// this old: memory stays bounded whatever the size of a file (P8), and no
	// transaction runs out of time while equal rows are passed over.
	transactionRecords = 20_000
	transactionBytes   = 8 << 20
	transactionWait    = 5 * time.Second
)

// emit adds an event to its lanes: key, value, tombstone after a delete.
func (s *session) emit(ctx context.Context, t *table, ev *event.Event) (err error) {
	if ev.Op != event.Delete { // which has the key alone, encoded already
		if covered, _ := t.guard.Covers(ev.After); covered {
			s.metrics.erased.WithLabelValues(t.name()).Inc()
			return errErased
		}
		t.guard.Blank(ev.After)
	}
	if records, _ := s.producer.Pending(); records == 0 {
		s.opened = time.Now()
	}
	row := ev.After
	if ev.Op == event.Delete {
		row = ev.Before
	}
	for _, l := range []*lane{&t.public, &t.vault} {
		if l.topic == "" {
			continue
		}
		encoder, keyEncoder := l.encoder, t.public.encoder
		if ev.Op == event.Delete {
			encoder, keyEncoder = l.gone, t.public.gone
		}
		if s.key, err = keyEncoder.AppendKey(s.key[:0], l.keyID, row); err != nil {
			return err
		}
		if s.value, err = encoder.AppendValue(s.value[:0], l.valueID, ev); err != nil {
			return err
		}
		if l == &t.vault && s.Vault.Seals() {
			s.value = s.Vault.Append(nil, s.value, l.topic, s.key) // P11
		}
		part := topic.Partition{Topic: l.topic, ID: topic.PartitionFor(s.key, l.partitions)}
		at := s.checkpoint.Current.SeenMillis
		if err := s.producer.Add(ctx, part, s.key, s.value, at); err != nil {
			return err
		}
		if ev.Op == event.Delete {
			if err := s.producer.Add(ctx, part, s.key, nil, at); err != nil {
				return err
			}
			if err := l.former.Bury(ctx, s.producer.Add, l.topic, l.partitions, s.key, ev.Position, at); err != nil {
				return err
			}
		}
	}
	s.metrics.events.WithLabelValues(t.name(), ev.Op.String()).Inc()
	return nil
}

// cut commits what is open when it is large or old enough.
func (s *session) cut(ctx context.Context) error {
	records, bytes := s.producer.Pending()
	if records >= transactionRecords || bytes >= transactionBytes || records > 0 && time.Since(s.opened) > transactionWait {
		return s.save(ctx)
	}
	return ctx.Err()
}
