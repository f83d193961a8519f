package connectors

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"time"

	"github.com/hopluu/hopluu/connectors/postgres/checkpoint"
	"github.com/hopluu/hopluu/schemas/topic"
)

// StateTopic keeps the checkpoint of one source's connector. Each source has a
// topic of its own: readers see a partition only up to the first transaction
// that is still open, and a connector that was killed leaves one, which in a
// common topic would keep the connectors of all other sources from starting
// until the broker gives it up.
func StateTopic(source string) string { return topic.State("connector." + source) }

// The keys of a state topic's records.
const (
	// checkpointKey keeps what goes into every transaction, tablesKey the state
	// of the tables, which changes less often.
	checkpointKey = "checkpoint"
	tablesKey     = "tables"
	// ownerKey keeps which connector captures the source.
	ownerKey = "owner"
	// keysKey keeps the fingerprints of the keys that tokens are made with.
	keysKey = "keys"
	// barrierKey keeps nothing: such a record is written to be seen.
	barrierKey = "barrier"
)

// state is what a source's state topic holds.
type state struct {
	checkpoint     checkpoint.Checkpoint
	owner, barrier string
	keys           Fingerprints
}

func readState(ctx context.Context, kafka *topic.Client, source string) (state, error) {
	var s state
	s.checkpoint.Tables = map[string]checkpoint.Table{}
	name := StateTopic(source)
	if counts, err := kafka.PartitionCounts(ctx, name); err != nil || counts[name] == 0 {
		return s, err // its connector never ran
	}
	tables := map[string]checkpoint.Table{}
	err := kafka.ReadAll(ctx, name, func(r topic.Record) (err error) {
		switch string(r.Key) {
		case checkpointKey:
			s.checkpoint, err = checkpoint.Parse(r.Value)
		case tablesKey:
			tables, err = checkpoint.ParseTables(r.Value)
		case ownerKey:
			s.owner = string(r.Value)
		case keysKey:
			s.keys = Fingerprints{}
			err = json.Unmarshal(r.Value, &s.keys)
		case barrierKey:
			s.barrier = string(r.Value)
		}
		if err != nil {
			return fmt.Errorf("topic %s, offset %d: %w", name, r.Offset, err)
		}
		return nil
	})
	s.checkpoint.Tables = tables
	return s, err
}

// Checkpoint reads the checkpoint of a source; one that was never captured has
// the zero value, with no tables.
func Checkpoint(ctx context.Context, kafka *topic.Client, source string) (checkpoint.Checkpoint, error) {
	s, err := readState(ctx, kafka, source)
	return s.checkpoint, err
}

// barrierPause is how long to wait before the state is read again.
const barrierPause = 50 * time.Millisecond

// ownState gives the source's state to the producer that has just fenced
// all others. A reader whose broker has not heard yet how the last transaction
// ended would take an old checkpoint for the last one, and events would be
// produced twice. So a record is written and waited for; what is below it is
// all there is. With an owner the source is its from here on.
func ownState(ctx context.Context, kafka *topic.Client, producer *topic.Producer, source, owner string) (state, error) {
	partition, now := topic.Partition{Topic: StateTopic(source)}, time.Now().UnixMilli()
	barrier := rand.Text()
	if err := producer.Add(ctx, partition, []byte(barrierKey), []byte(barrier), now); err != nil {
		return state{}, err
	}
	if owner != "" {
		if err := producer.Add(ctx, partition, []byte(ownerKey), []byte(owner), now); err != nil {
			return state{}, err
		}
	}
	if err := producer.Commit(ctx); err != nil {
		return state{}, err
	}
	for {
		s, err := readState(ctx, kafka, source)
		if err != nil || s.barrier == barrier {
			return s, err
		}
		select {
		case <-ctx.Done():
			return state{}, ctx.Err()
		case <-time.After(barrierPause):
		}
	}
}

// saveCheckpoint commits the producer's open transaction, or one of its own,
// with the checkpoint in it, and the state of the tables when asked.
func saveCheckpoint(ctx context.Context, producer producer, source string, c checkpoint.Checkpoint, tables bool) error {
	partition, now := topic.Partition{Topic: StateTopic(source)}, time.Now().UnixMilli()
	data, err := c.Marshal()
	if err != nil {
		return err
	}
	if err := producer.Add(ctx, partition, []byte(checkpointKey), data, now); err != nil {
		return err
	}
	if tables {
		if data, err = checkpoint.MarshalTables(c.Tables); err != nil {
			return err
		}
		if err := producer.Add(ctx, partition, []byte(tablesKey), data, now); err != nil {
			return err
		}
	}
	return producer.Commit(ctx)
}

// TransactionalID is under which the connector of a source writes.
func TransactionalID(source string) string { return "hopluu-connector-" + source }
