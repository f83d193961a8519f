package feed

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/hopluu/hopluu/schemas/erasure"
	"github.com/hopluu/hopluu/schemas/topic"
)

// Partition is where the ledger is: it has one, so that it has one order.
var Partition = topic.Partition{Topic: topic.IdentityErasure}

// Read reads the whole ledger, and what End said before that. A topic that is not
// there yet is an empty ledger at 0: nothing was ever erased.
func Read(ctx context.Context, kafka *topic.Client) (*erasure.Ledger, int64, error) {
	ledger := erasure.New()
	end, err := End(ctx, kafka)
	if err != nil || end == 0 {
		return ledger, end, err
	}
	err = kafka.ReadAll(ctx, topic.IdentityErasure, func(r topic.Record) error {
		if err := ledger.Take(r.Key, r.Value); err != nil {
			return fmt.Errorf("%s, offset %d: %w", r.Partition, r.Offset, err)
		}
		return nil
	})
	return ledger, end, err
}

// End is the offset after the ledger's last message: as long as it stays, so does
// the ledger. It is 0 when the topic is not there.
func End(ctx context.Context, kafka *topic.Client) (int64, error) {
	counts, err := kafka.PartitionCounts(ctx, topic.IdentityErasure)
	if err != nil || counts[topic.IdentityErasure] == 0 {
		return 0, err
	}
	ends, err := kafka.EndOffsets(ctx, Partition)
	return ends[Partition], err
}

// Message is one message of the ledger.
type Message struct{ Key, Value []byte }

// Write writes messages in one transaction, under a transactional id of the
// writer's.
func Write(ctx context.Context, kafka *topic.Client, id string, millis int64, messages ...Message) (err error) {
	producer, err := kafka.NewProducer(ctx, topic.ProducerConfig{TransactionalID: id})
	if err != nil {
		return fmt.Errorf("erasure ledger: %w", err)
	}
	defer func() { err = errors.Join(err, producer.Close()) }()
	for _, m := range messages {
		if err := producer.Add(ctx, Partition, m.Key, m.Value, millis); err != nil {
			return fmt.Errorf("erasure ledger: %w", err)
		}
	}
	if err := producer.Commit(ctx); err != nil {
		return fmt.Errorf("erasure ledger: %w", err)
	}
	return nil
}

// Restore writes into the topic what a copy of the ledger has and it lacks, and
// gives how many messages that were.
func Restore(ctx context.Context, kafka *topic.Client, from *erasure.Ledger) (int, error) {
	have, _, err := Read(ctx, kafka)
	if err != nil {
		return 0, err
	}
	there, err := have.Messages()
	if err != nil {
		return 0, err
	}
	// Joined, so that what the topic says since is not said back.
	for _, m := range there {
		if err := from.Take(m[0], m[1]); err != nil {
			return 0, err
		}
	}
	all, err := from.Messages()
	if err != nil {
		return 0, err
	}
	var lacking []Message
	for _, m := range all {
		if !slices.ContainsFunc(there, func(h [2][]byte) bool { return string(h[0]) == string(m[0]) && string(h[1]) == string(m[1]) }) {
			lacking = append(lacking, Message{m[0], m[1]})
		}
	}
	if len(lacking) == 0 {
		return 0, nil
	}
	return len(lacking), Write(ctx, kafka, "hopluu-erasure-restore", time.Now().UnixMilli(), lacking...)
}
