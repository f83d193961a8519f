package audit

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/hopluu/hopluu/schemas/topic"
)

// NewID gives an id that no other action has.
func NewID() string { return rand.Text() }

// transactional is how the ids of writers begin, for the rights of those who
// may write the record.
const transactional = "hopluu-audit-"

// Write writes the entry to hopluu.audit; it is durable when this returns nil.
// The topic must be there.
func Write(ctx context.Context, kafka *topic.Client, e Entry) (err error) {
	producer, err := kafka.NewProducer(ctx, topic.ProducerConfig{TransactionalID: transactional + e.ID})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, producer.Close()) }()
	if err := Add(ctx, producer, e); err != nil {
		return err
	}
	return producer.Commit(ctx)
}

// Add puts the entry into the producer's open transaction, so that it shows
// together with what was done.
func Add(ctx context.Context, producer *topic.Producer, e Entry) error {
	data, err := e.Marshal()
	if err != nil {
		return err
	}
	at := e.At
	if !e.Ended.IsZero() {
		at = e.Ended
	}
	return producer.Add(ctx, topic.Partition{Topic: topic.Audit}, []byte(e.ID), data, at.UnixMilli())
}

// Of gives the entry of a record. One that is none of ours is an entry of its
// own, whose error says so: it hides neither itself nor the others.
func Of(r topic.Record) Entry {
	e, err := Parse(r.Value)
	if err != nil {
		at := time.UnixMilli(r.TimestampMs).UTC()
		return Entry{ID: fmt.Sprintf("%s@%d", r.Partition, r.Offset), At: at, Ended: at, Outcome: Failed, Error: err.Error()}
	}
	return e
}

// Read gives each action that began at or after since, in the order in which
// they were written first, each as it is known last.
func Read(ctx context.Context, kafka *topic.Client, since time.Time) ([]Entry, error) {
	counts, err := kafka.PartitionCounts(ctx, topic.Audit)
	if err != nil || counts[topic.Audit] == 0 {
		return nil, err // nothing was recorded yet
	}
	var all []Entry
	at := map[string]int{}
	err = kafka.ReadAll(ctx, topic.Audit, func(r topic.Record) error {
		e := Of(r)
		i, known := at[e.ID]
		switch {
		case known:
			all[i] = e
		case !e.At.Before(since):
			at[e.ID] = len(all)
			all = append(all, e)
		}
		return nil
	})
	return all, err
}
