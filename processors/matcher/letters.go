package matcher

import (
	"context"
	"fmt"
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

// letterBox writes dead letters, each message's once: the matcher meets an
// undecodable message again on every start.
type letterBox struct {
	kafka    *topic.Client
	producer *topic.Producer
	open     map[string]bool // dead-letter topics that are there
	written  map[letter]bool
}

type letter struct {
	partition topic.Partition
	offset    int64
}

// openLetterBox reads which messages are in the dead letters already.
func openLetterBox(ctx context.Context, kafka *topic.Client, producer *topic.Producer, lanes map[string]*lane) (*letterBox, error) {
	b := &letterBox{kafka: kafka, producer: producer, open: map[string]bool{}, written: map[letter]bool{}}
	names := []string{topic.DeadLetter(topic.IdentityDecision)}
	for name := range lanes {
		names = append(names, topic.DeadLetter(name))
	}
	counts, err := kafka.PartitionCounts(ctx, names...)
	if err != nil {
		return nil, fmt.Errorf("matcher: %w", err)
	}
	for name := range counts {
		b.open[name] = true
		if err := kafka.ReadAll(ctx, name, b.note); err != nil {
			return nil, fmt.Errorf("matcher: dead letters cannot be read: %w", err)
		}
	}
	return b, nil
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

// add writes a message with the reason, unless it was written before. The
// dead letters of a vault topic hold plaintext and are in the vault too (P11).
func (b *letterBox) add(ctx context.Context, rec *topic.Record, reason error) error {
	l := letter{rec.Partition, rec.Offset}
	if b.written[l] {
		return nil
	}
	name := topic.DeadLetter(rec.Topic)
	if !b.open[name] {
		if _, err := b.kafka.Ensure(ctx, topic.Spec{Name: name, Partitions: 1, Config: map[string]string{"retention.ms": "-1"}}); err != nil {
			return fmt.Errorf("matcher: %w", err)
		}
		b.open[name] = true
	}
	err := b.producer.Add(ctx, topic.Partition{Topic: name}, rec.Key, rec.Value, rec.TimestampMs,
		topic.Header{Key: headerStage, Value: []byte(stage)},
		topic.Header{Key: headerReason, Value: []byte(reason.Error())},
		topic.Header{Key: headerTopic, Value: []byte(rec.Topic)},
		topic.Header{Key: headerPartition, Value: strconv.AppendInt(nil, int64(rec.ID), 10)},
		topic.Header{Key: headerOffset, Value: strconv.AppendInt(nil, rec.Offset, 10)})
	if err != nil {
		return fmt.Errorf("matcher: a dead letter cannot be written: %w", err)
	}
	b.written[l] = true
	return nil
}
