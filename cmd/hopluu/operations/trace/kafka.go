package trace

import (
	"context"
	"fmt"
	"math/big"

	"github.com/hopluu/hopluu/schemas/avro"
	"github.com/hopluu/hopluu/schemas/event"
	"github.com/hopluu/hopluu/schemas/topic"
)

// Message is what Kafka itself has at the place of an event.
type Message struct {
	There bool `json:"there"`
	Bytes int  `json:"bytes,omitempty"` // of key and value
	// Same tells that record, operation, LSN, transaction and commit time are
	// those that bronze has of it.
	Same bool   `json:"same"`
	Note string `json:"note,omitempty"`
}

// kafka reads the message of an event from its topic and compares the two.
func (t *Tracer) kafka(ctx context.Context, e *Event) (*Message, error) {
	p := topic.Partition{Topic: e.Topic, ID: e.Partition}
	start, err := t.Kafka.StartOffsets(ctx, p)
	if err != nil {
		return nil, err
	}
	if e.Offset < start[p] {
		return &Message{Note: fmt.Sprintf("the topic begins at offset %d: its retention took the message", start[p])}, nil
	}
	reader := t.Kafka.NewReader(map[topic.Partition]int64{p: e.Offset})
	// What it fetched ahead is of no use to anybody.
	defer func() { _ = reader.Close() }()
	for {
		batches, err := reader.Poll(ctx)
		if err != nil {
			return nil, err
		}
		for _, b := range batches {
			for i := range b.Records {
				switch r := &b.Records[i]; {
				case r.Offset == e.Offset:
					return t.compare(ctx, e, r)
				case r.Offset > e.Offset:
					return &Message{Note: "compaction took the message"}, nil
				}
			}
			if b.Next > e.Offset {
				return &Message{Note: "no message is at its offset"}, nil
			}
		}
	}
}

// compare holds a message against its event. Bronze keeps what a message says,
// and not its bytes: they are decoded, and each of the event's own columns is
// compared.
func (t *Tracer) compare(ctx context.Context, e *Event, r *topic.Record) (*Message, error) {
	m := &Message{There: true, Bytes: len(r.Key) + len(r.Value)}
	id, payload, err := avro.SplitWire(r.Value)
	if err != nil {
		m.Note = "it is not in the wire format: " + err.Error()
		return m, nil
	}
	schema, err := t.Registry.Schema(ctx, id)
	if err != nil {
		return nil, err
	}
	envelope, err := avro.ParseEnvelope(schema)
	if err != nil {
		m.Note = "it is no envelope of an event, so that its place alone is compared"
		m.Same = true
		return m, nil
	}
	var d avro.Decoded
	if err := envelope.Decode(payload, &d); err != nil {
		m.Note = "it cannot be decoded: " + err.Error()
		return m, nil
	}
	for _, part := range []struct {
		name        string
		here, there any
	}{
		{"operation", e.Op, string(d.Op)},
		{"LSN", e.LSN, d.Position.LSN.String()},
		{"transaction", e.Transaction, d.TxID},
		{"commit time", e.CommitTime.UnixMicro(), d.CommitMicros},
		{"version", e.version, version(d.Position)},
	} {
		if part.here != part.there {
			m.Note = fmt.Sprintf("its %s is %v, that of bronze %v", part.name, part.there, part.here)
			return m, nil
		}
	}
	m.Same = true
	return m, nil
}

// version writes the version of a position as ClickHouse writes an UInt128.
func version(p event.Position) string {
	hi, lo := p.Version()
	n := new(big.Int).SetUint64(hi)
	return n.Lsh(n, 64).Or(n, new(big.Int).SetUint64(lo)).String()
}
