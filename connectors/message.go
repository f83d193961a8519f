package connectors

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/hopluu/hopluu/connectors/postgres"
	"github.com/hopluu/hopluu/connectors/postgres/pgoutput"
	"github.com/hopluu/hopluu/schemas/avro"
	"github.com/hopluu/hopluu/schemas/event"
	"github.com/hopluu/hopluu/schemas/topic"
)

// messageLane is where logical messages go; its zero value is not ready.
type messageLane struct {
	lane
	messages *avro.Messages
}

// registerMessages makes the lane of logical messages ready.
func (f *follower) registerMessages(ctx context.Context) (err error) {
	if len(f.Messages) == 0 {
		return nil
	}
	l := &f.messageLane
	l.topic = topic.Messages(f.Source)
	if l.messages, err = avro.CompileMessages(f.Source, f.database); err != nil {
		return err
	}
	counts, err := f.Kafka.PartitionCounts(ctx, l.topic)
	if err != nil {
		return err
	}
	if l.partitions = counts[l.topic]; l.partitions == 0 {
		return fmt.Errorf("topic %s is gone: it was removed while the connector ran", l.topic)
	}
	if l.keyID, err = f.Registry.Register(ctx, l.topic+"-key", l.messages.KeySchema()); err == nil {
		l.valueID, err = f.Registry.Register(ctx, l.topic+"-value", l.messages.ValueSchema())
	}
	if err != nil {
		return fmt.Errorf("schemas of topic %s: %w", l.topic, err)
	}
	return nil
}

// logicalMessage takes in what pg_logical_emit_message wrote. One of a
// transaction comes in its place in it; one that is of none comes as soon as it
// is written, between transactions, and is at its own LSN.
func (f *follower) logicalMessage(ctx context.Context, frame []byte, m *pgoutput.LogicalMessage) error {
	if m.Transactional != f.inTransaction {
		return f.broken("a logical message %q at %s that cannot stand here", m.Prefix, m.LSN)
	}
	if m.Prefix == postgres.MessagePrefix {
		f.heardBeat(m.Content) // never an event
		return nil
	}
	if !slices.Contains(f.Messages, m.Prefix) {
		f.metrics.messages.WithLabelValues("left_out").Inc()
		return nil
	}
	out := avro.Message{Prefix: m.Prefix, Content: m.Content, LSN: m.LSN, TxID: f.xid, CommitMicros: f.micros, Position: f.position}
	if !m.Transactional {
		out.TxID, out.CommitMicros = 0, 0
		out.Position = event.Position{Epoch: f.checkpoint.Epoch, LSN: m.LSN}
	}
	produced := f.checkpoint.MessageProduced(out.Position.LSN, m.LSN)
	if f.inTransaction || !produced {
		f.position, f.messageLSN = out.Position, m.LSN
	}
	if produced {
		return nil // sent again after a restart
	}
	f.touch()
	if err := f.produceMessage(ctx, frame, &out); err != nil {
		return err
	}
	if rows, bytes := f.producer.Pending(); rows >= transactionRows || bytes >= transactionBytes {
		return f.commit(ctx)
	}
	return nil
}

func (f *follower) produceMessage(ctx context.Context, frame []byte, m *avro.Message) error {
	// A message outside a transaction has no time in the log; the broker must
	// not take it for one of 1970 and delete it.
	micros := m.CommitMicros
	if micros == 0 {
		micros = time.Now().UnixMicro()
	}
	if len(m.Content) > f.MaxRowBytes {
		f.metrics.messages.WithLabelValues("dead_letter").Inc()
		f.Log.Error("a logical message is larger than max_row_bytes: it is in the dead-letter topic", "prefix", m.Prefix, "bytes", len(m.Content), "lsn", m.LSN.String())
		return f.addLetter(ctx, messageLetters(f.Source), "pgoutput", frame, m.Position, micros,
			fmt.Sprintf("the message at LSN %s has %d bytes, max_row_bytes is %d", m.LSN, len(m.Content), f.MaxRowBytes), "")
	}
	l := &f.messageLane
	f.encoded = l.messages.AppendKey(f.encoded[:0], l.keyID, m)
	n := len(f.encoded)
	f.encoded = l.messages.AppendValue(f.encoded, l.valueID, m)
	key, value := f.encoded[:n], f.encoded[n:]
	part := topic.Partition{Topic: l.topic, ID: topic.PartitionFor(key, l.partitions)}
	if err := f.producer.Add(ctx, part, key, value, micros/1000); err != nil {
		return err
	}
	f.metrics.messages.WithLabelValues("produced").Inc()
	return nil
}
