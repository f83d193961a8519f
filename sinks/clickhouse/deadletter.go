package clickhouse

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/hopluu/hopluu/schemas/topic"
	"github.com/hopluu/hopluu/sinks"
)

// deadLetter is a record that could not be decoded, or that ClickHouse cannot
// hold, with a copy of its bytes.
type deadLetter struct {
	key, value  []byte
	headers     []topic.Header
	timestampMs int64
	offset      int64
	schemaID    uint32
	reason      string
	// name tells the records of its key; record is that of one whose key could be
	// read, else empty.
	name, record string
}

func newDeadLetter(r *topic.Record, bad *badRecord, name string, record []byte) deadLetter {
	d := deadLetter{
		key: bytes.Clone(r.Key), value: bytes.Clone(r.Value), timestampMs: r.TimestampMs,
		offset: r.Offset, schemaID: bad.schemaID, reason: bad.Error(), name: name, record: string(record),
	}
	for _, h := range r.Headers {
		d.headers = append(d.headers, topic.Header{Key: h.Key, Value: bytes.Clone(h.Value)})
	}
	return d
}

// writeDeadLetters makes the batch's dead letters durable in their topics and
// in ops.dead_letter, before anything that lets an offset move on (P3). After
// a crash in between they may come twice into the topic, with the same
// headers; the table keeps them once.
func (b *batch) writeDeadLetters(ctx context.Context) error {
	if b.deadWritten {
		return nil
	}
	for _, p := range b.order {
		if len(p.dead) == 0 {
			continue
		}
		if p.retry { // the topic has them
			if err := b.store.recordDeadLetters(ctx, b.lane.dataset, p); err != nil {
				return err
			}
			continue
		}
		if err := b.store.produceDeadLetters(ctx, p); err != nil {
			if errors.Is(err, topic.ErrFenced) {
				return fmt.Errorf("dead letters of %s: another sink writes them: %w", p.Partition, err)
			}
			return &sinks.Unavailable{What: "Kafka", Err: fmt.Errorf("dead letters of %s: %w", p.Partition, err)}
		}
		if err := b.store.recordDeadLetters(ctx, b.lane.dataset, p); err != nil {
			return err
		}
	}
	for _, p := range b.order {
		if p.retry {
			continue
		}
		b.store.metrics.deadLetters.WithLabelValues(b.lane.dataset).Add(float64(len(p.dead)))
		b.store.tellDeadLetters(p)
	}
	b.deadWritten = true
	return nil
}

// tellDeadLetters logs each reason once, with the first offset that it met: a
// wrong schema meets every record.
func (s *store) tellDeadLetters(p *part) {
	count, first := map[string]int{}, map[string]int64{}
	var reasons []string
	for _, d := range p.dead {
		if count[d.reason] == 0 {
			reasons, first[d.reason] = append(reasons, d.reason), d.offset
		}
		count[d.reason]++
	}
	for _, reason := range reasons {
		s.log.Error("records cannot be applied and are in the dead letters; mend the reason, then write them again",
			"reason", reason, "records", count[reason], "topic", p.Topic, "partition", p.ID, "first_offset", first[reason], "dead_letter_topic", topic.DeadLetter(p.Topic))
	}
}

// produceDeadLetters writes a partition's dead letters in one transaction. The
// transactional id is the partition's own, so that a sink that lost the
// partition cannot write beside its successor.
func (s *store) produceDeadLetters(ctx context.Context, p *part) (err error) {
	name := topic.DeadLetter(p.Topic)
	counts, err := s.kafka.PartitionCounts(ctx, name)
	if err != nil {
		return err
	}
	if counts[name] == 0 {
		// Kept until somebody dealt with them.
		_, err := s.kafka.Ensure(ctx, topic.Spec{Name: name, Partitions: 1, Config: map[string]string{"retention.ms": "-1"}})
		if err != nil {
			return err
		}
		counts[name] = 1
	}
	producer, err := s.kafka.NewProducer(ctx, topic.ProducerConfig{TransactionalID: s.group + ".dlq." + p.Partition.String()})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, producer.Close()) }()
	to := topic.Partition{Topic: name, ID: p.ID % counts[name]}
	for _, d := range p.dead {
		headers := append([]topic.Header{
			{Key: "hopluu.reason", Value: []byte(d.reason)},
			{Key: "hopluu.stage", Value: []byte("sink")},
			{Key: "hopluu.topic", Value: []byte(p.Topic)},
			{Key: "hopluu.partition", Value: strconv.AppendInt(nil, int64(p.ID), 10)},
			{Key: "hopluu.offset", Value: strconv.AppendInt(nil, d.offset, 10)},
			{Key: "hopluu.schema_id", Value: strconv.AppendUint(nil, uint64(d.schemaID), 10)},
		}, d.headers...)
		if err := producer.Add(ctx, to, d.key, d.value, d.timestampMs, headers...); err != nil {
			return err
		}
	}
	return producer.Commit(ctx)
}

func (s *store) recordDeadLetters(ctx context.Context, dataset string, p *part) error {
	var at, written []time.Time
	var datasets, topics, reasons, keys, values, records, states []string
	var partitions []int32
	var offsets []int64
	var ids []uint32
	now := time.Now().UTC()
	for _, d := range p.dead {
		at, datasets, topics, partitions = append(at, now), append(datasets, dataset), append(topics, p.Topic), append(partitions, p.ID)
		offsets, ids, reasons = append(offsets, d.offset), append(ids, d.schemaID), append(reasons, d.reason)
		keys, values = append(keys, string(d.key)), append(values, string(d.value))
		written, records, states = append(written, time.UnixMilli(d.timestampMs).UTC()), append(records, d.record), append(states, LetterOpen)
	}
	return s.server.append(ctx, "INSERT INTO ops.dead_letter (at, dataset, topic, partition, offset, schema_id, reason, key, value, written, record, state)",
		at, datasets, topics, partitions, offsets, ids, reasons, keys, values, written, records, states)
}
