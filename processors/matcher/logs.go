package matcher

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/hopluu/hopluu/schemas/avro"
	"github.com/hopluu/hopluu/schemas/erasure"
	"github.com/hopluu/hopluu/schemas/registry"
	"github.com/hopluu/hopluu/schemas/topic"
)

// logsID is the transactional id of what is written once more.
const logsID = "hopluu-eraser-logs"

// again is a message of a log as it is to be.
type again struct {
	part       topic.Partition
	key, value []byte // a nil value is a tombstone
	millis     int64
}

// ForgetInLogs replaces the messages of identity.event and identity.audit that
// name who is erased: under the same key, without them, or with a tombstone when
// nothing of an event stays. Compaction takes what was there. It gives how many
// messages it replaced. The matcher writes no such message any more once the
// ledger has them; done again it finds nothing (P12).
func ForgetInLogs(ctx context.Context, kafka *topic.Client, schemas *registry.Client, ledger *erasure.Ledger, log *slog.Logger) (replaced int64, err error) {
	counts, err := kafka.PartitionCounts(ctx, topic.IdentityEvent, topic.IdentityAudit)
	if err != nil {
		return 0, err
	}
	var all []again
	d := newDecoder(schemas, nil)
	for _, of := range []struct {
		name       string
		key, value []avro.FlatField
		forget     func([]avro.Cell) (changed, stays bool, err error)
	}{
		{topic.IdentityEvent, eventKey, eventValue, func(c []avro.Cell) (bool, bool, error) { return forgetEvent(c, ledger) }},
		{topic.IdentityAudit, auditKey, auditValue, func(c []avro.Cell) (bool, bool, error) { return forgetLine(c, ledger), true, nil }},
	} {
		if counts[of.name] == 0 {
			continue
		}
		f, err := openFlat(ctx, kafka, schemas, of.name, of.key, of.value)
		if err != nil {
			return 0, err
		}
		keys, values := newFlatReader(of.key), newFlatReader(of.value)
		key, cells := make([]avro.Cell, len(of.key)), make([]avro.Cell, len(of.value))
		last, kept := map[string]again{}, 0
		err = kafka.ReadAll(ctx, of.name, func(rec topic.Record) error {
			delete(last, string(rec.Key)) // a later message of a key is the one that stays
			if rec.Value == nil {
				return nil
			}
			if err := values.read(ctx, d, rec.Value, cells); err != nil {
				return unlessUndecodable(err) // nor does anybody else read it
			}
			changed, stays, err := of.forget(cells)
			if err != nil {
				return fmt.Errorf("%s, offset %d: %w", rec.Partition, rec.Offset, err)
			}
			if !changed {
				return nil
			}
			if rec.Key == nil || keys.read(ctx, d, rec.Key, key) != nil || key[0].Null {
				kept++ // written by an earlier program, under no key of its own
				return nil
			}
			x := again{part: rec.Partition, key: rec.Key, millis: rec.TimestampMs}
			if stays {
				if x.value, err = f.value.Append(nil, f.valueID, cells); err != nil {
					return err
				}
			}
			last[string(rec.Key)] = x
			return nil
		})
		if err != nil {
			return 0, err
		}
		if kept > 0 {
			log.Warn("messages that name who is erased have no key of their own, from before the topic was compacted, and stay: delete the topic once every ClickHouse and backup has it, and let 'hopluu topics create' make it anew", "topic", of.name, "messages", kept)
		}
		for _, x := range last {
			all = append(all, x)
		}
	}
	if len(all) == 0 {
		return 0, nil
	}
	producer, err := kafka.NewProducer(ctx, topic.ProducerConfig{TransactionalID: logsID})
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, producer.Close()) }()
	for i := range all {
		x := &all[i]
		if x.value == nil {
			x.millis = time.Now().UnixMilli()
		}
		if err := producer.Add(ctx, x.part, x.key, x.value, x.millis, topic.Header{Key: erasure.HeaderThinned, Value: []byte("1")}); err != nil {
			return 0, err
		}
	}
	return int64(len(all)), producer.Commit(ctx)
}

func unlessUndecodable(err error) error {
	if isUndecodable(err) {
		return nil
	}
	return err
}

// forgetEvent takes who is erased out of the cells of an event.
func forgetEvent(c []avro.Cell, ledger *erasure.Ledger) (changed, stays bool, err error) {
	said := erasure.LogEvent{Kind: string(c[0].B), Before: string(c[1].B), After: string(c[2].B), Causes: string(c[3].B)}
	left, changed, stays, err := said.Without(func(r string) bool { return ledger.Record([]byte(r)) })
	if err == nil && changed && stays {
		c[0], c[1], c[2], c[3] = text(left.Kind), text(left.Before), text(left.After), text(left.Causes)
	}
	return changed, stays, err
}

// forgetLine puts the erasure in the place of who is erased.
func forgetLine(c []avro.Cell, ledger *erasure.Ledger) (changed bool) {
	for i, f := range auditValue {
		if f.Name != "record_a" && f.Name != "record_b" || c[i].Null {
			continue
		}
		if id := ledger.ErasureOf(string(c[i].B)); id != "" {
			c[i], changed = text(erasure.InItsPlace(id)), true
		}
	}
	return changed
}
