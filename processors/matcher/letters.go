package matcher

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/hopluu/hopluu/schemas/topic"
)

// Headers of a dead letter; its key and value are the message's own.
const (
	headerStage     = "hopluu.stage"
	headerReason    = "hopluu.reason"
	headerTopic     = "hopluu.topic"
	headerPartition = "hopluu.partition"
	headerOffset    = "hopluu.offset"

	stage = "matcher"
)

// letterBox writes dead letters, each message's once: every matcher meets an
// undecodable message, and again on every start, and who solves writes it.
type letterBox struct {
	kafka    *topic.Client
	producer *topic.Producer
	there    map[string]bool // dead-letter topics
	written  map[letter]bool
	met      []metLetter // not known to be written
}

type letter struct {
	partition topic.Partition
	offset    int64
}

// metLetter is a message that cannot be decoded: it is read again to be written.
type metLetter struct {
	letter
	reason string
}

// open reads which messages are in the dead letters already.
func (b *letterBox) open(ctx context.Context, kafka *topic.Client, producer *topic.Producer, lanes map[string]*lane) error {
	b.kafka, b.producer, b.there, b.written = kafka, producer, map[string]bool{}, map[letter]bool{}
	names := []string{topic.DeadLetter(topic.IdentityDecision)}
	for name := range lanes {
		names = append(names, topic.DeadLetter(name))
	}
	counts, err := kafka.PartitionCounts(ctx, names...)
	if err != nil {
		return fmt.Errorf("matcher: %w", err)
	}
	for name := range counts {
		b.there[name] = true
		if err := kafka.ReadAll(ctx, name, b.note); err != nil {
			return fmt.Errorf("matcher: dead letters cannot be read: %w", err)
		}
	}
	return nil
}

// meet takes note of a message that cannot be decoded.
func (b *letterBox) meet(rec *topic.Record, reason error) {
	b.met = append(b.met, metLetter{letter{rec.Partition, rec.Offset}, reason.Error()})
}

// publish writes what was met into the open transaction, unless it is written.
func (b *letterBox) publish(ctx context.Context) error {
	left := map[topic.Partition]map[int64]string{}
	for _, l := range b.met {
		if b.written[l.letter] {
			continue
		}
		if left[l.partition] == nil {
			left[l.partition] = map[int64]string{}
		}
		left[l.partition][l.offset] = l.reason
	}
	for part, reasons := range left {
		if err := b.copy(ctx, part, reasons); err != nil {
			return fmt.Errorf("matcher: a dead letter cannot be written: %w", err)
		}
	}
	return nil
}

// committed forgets what was met: it is in the dead letters now.
func (b *letterBox) committed() { b.met = nil }

// copy reads messages again and writes them with their reasons. One that
// compaction took meanwhile is no message any more: a later one has its key.
func (b *letterBox) copy(ctx context.Context, part topic.Partition, reasons map[int64]string) error {
	last, next := slices.Max(slices.Collect(maps.Keys(reasons))), slices.Min(slices.Collect(maps.Keys(reasons)))
	reader := b.kafka.NewReader(map[topic.Partition]int64{part: next})
	for next <= last {
		batches, err := reader.Poll(ctx)
		for i := range batches {
			for j := range batches[i].Records {
				rec := &batches[i].Records[j]
				if reason, ok := reasons[rec.Offset]; ok && err == nil {
					err = b.add(ctx, rec, reason)
				}
			}
			next = batches[i].Next
		}
		if err != nil {
			return errors.Join(err, reader.Close())
		}
	}
	return reader.Close()
}

// note remembers a dead letter of ours; the connector's are in the same topic.
func (b *letterBox) note(rec topic.Record) error {
	var l letter
	ours := false
	for _, h := range rec.Headers {
		var n int64
		var err error
		switch h.Key {
		case headerStage:
			ours = string(h.Value) == stage
		case headerTopic:
			l.partition.Topic = string(h.Value)
		case headerPartition:
			n, err = strconv.ParseInt(string(h.Value), 10, 32)
			l.partition.ID = int32(n)
		case headerOffset:
			l.offset, err = strconv.ParseInt(string(h.Value), 10, 64)
		}
		if err != nil {
			return fmt.Errorf("%s, offset %d: header %s: %w", rec.Partition, rec.Offset, h.Key, err)
		}
	}
	if ours {
		b.written[l] = true
	}
	return nil
}

// add writes a message with the reason. The dead letters of a vault topic hold
// plaintext and are in the vault too (P11).
func (b *letterBox) add(ctx context.Context, rec *topic.Record, reason string) error {
	name := topic.DeadLetter(rec.Topic)
	if !b.there[name] {
		if _, err := b.kafka.Ensure(ctx, topic.Spec{Name: name, Partitions: 1, Config: map[string]string{"retention.ms": "-1"}}); err != nil {
			return err
		}
		b.there[name] = true
	}
	b.written[letter{rec.Partition, rec.Offset}] = true
	return b.producer.Add(ctx, topic.Partition{Topic: name}, rec.Key, rec.Value, rec.TimestampMs,
		topic.Header{Key: headerStage, Value: []byte(stage)},
		topic.Header{Key: headerReason, Value: []byte(reason)},
		topic.Header{Key: headerTopic, Value: []byte(rec.Topic)},
		topic.Header{Key: headerPartition, Value: strconv.AppendInt(nil, int64(rec.ID), 10)},
		topic.Header{Key: headerOffset, Value: strconv.AppendInt(nil, rec.Offset, 10)})
}
