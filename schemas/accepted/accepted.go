package accepted

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/hopluu/hopluu/schemas/topic"
)

// Topic holds the record.
var Topic = topic.State("model")

// key is the only one.
const key = "model"

// Model says which version was accepted, by whom.
type Model struct {
	Version string    `json:"version"`
	By      string    `json:"by"`
	Why     string    `json:"why"`
	At      time.Time `json:"at"`
}

func (m Model) String() string {
	return fmt.Sprintf("model %s was accepted by %s at %s: %s", m.Version, m.By, m.At.Format(time.RFC3339), m.Why)
}

// Read gives what was accepted last, nil where nothing ever was.
func Read(ctx context.Context, kafka *topic.Client) (*Model, error) {
	counts, err := kafka.PartitionCounts(ctx, Topic)
	if err != nil || counts[Topic] == 0 {
		return nil, err
	}
	var last *Model
	err = kafka.ReadAll(ctx, Topic, func(r topic.Record) error {
		m, err := read(r.Key, r.Value)
		if err != nil {
			return fmt.Errorf("%s, offset %d: the record is none of this program's: %w: accept the model again with 'hopluu identity model accept', once the topic was deleted", r.Partition, r.Offset, err)
		}
		last = m
		return nil
	})
	return last, err
}

// read reads a record; nil is one that was taken back.
func read(k, value []byte) (*Model, error) {
	if string(k) != key {
		return nil, fmt.Errorf("key %q", k)
	}
	if value == nil {
		return nil, nil
	}
	var m Model
	if err := json.Unmarshal(value, &m); err != nil {
		return nil, err
	}
	if m.Version == "" {
		return nil, errors.New("it names no version")
	}
	return &m, nil
}

// Write accepts a model. It is durable when this returns nil. The topic must be
// there.
func Write(ctx context.Context, kafka *topic.Client, m Model) (err error) {
	value, err := json.Marshal(m)
	if err != nil {
		return fmt.Errorf("accepted model: %w", err)
	}
	producer, err := kafka.NewProducer(ctx, topic.ProducerConfig{TransactionalID: "hopluu-model-" + rand.Text()})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, producer.Close()) }()
	if err := producer.Add(ctx, topic.Partition{Topic: Topic}, []byte(key), value, m.At.UnixMilli()); err != nil {
		return err
	}
	return producer.Commit(ctx)
}
