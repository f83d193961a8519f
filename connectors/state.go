package connectors

import (
	"context"
	"crypto/rand"
	"fmt"
	"strings"
	"time"

	"github.com/hopluu/hopluu/connectors/postgres/checkpoint"
	"github.com/hopluu/hopluu/schemas/topic"
)

// StateTopic keeps the connectors' checkpoints. The key of a checkpoint is its
// source; what else is kept for a source has a prefix, which no source's name
// can have.
var StateTopic = topic.State("connector")

const (
	// tablesPrefix keeps the state of the tables apart from the checkpoint,
	// which goes into every transaction.
	tablesPrefix = "tables/"
	// ownerPrefix keeps which connector captures the source.
	ownerPrefix = "owner/"
	// barrierPrefix keeps nothing: such a record is written to be seen.
	barrierPrefix = "barrier/"
)

// states is what the state topic holds, by source.
type states struct {
	checkpoints map[string]checkpoint.Checkpoint
	owners      map[string]string
	barriers    map[string]string
}

func readStates(ctx context.Context, kafka *topic.Client) (states, error) {
	s := states{checkpoints: map[string]checkpoint.Checkpoint{}, owners: map[string]string{}, barriers: map[string]string{}}
	if counts, err := kafka.PartitionCounts(ctx, StateTopic); err != nil || counts[StateTopic] == 0 {
		return s, err // no connector ever ran
	}
	tables := map[string]map[string]checkpoint.Table{}
	err := kafka.ReadAll(ctx, StateTopic, func(r topic.Record) error {
		prefix, source, ok := strings.Cut(string(r.Key), "/")
		if !ok {
			prefix, source = "", string(r.Key)
		} else {
			prefix += "/"
		}
		var err error
		switch prefix {
		case "":
			if r.Value == nil {
				delete(s.checkpoints, source)
			} else {
				s.checkpoints[source], err = checkpoint.Parse(r.Value)
			}
		case tablesPrefix:
			if r.Value == nil {
				delete(tables, source)
			} else {
				tables[source], err = checkpoint.ParseTables(r.Value)
			}
		case ownerPrefix:
			s.owners[source] = string(r.Value)
		case barrierPrefix:
			s.barriers[source] = string(r.Value)
		}
		if err != nil {
			return fmt.Errorf("source %s in topic %s, offset %d: %w", source, StateTopic, r.Offset, err)
		}
		return nil
	})
	for source, c := range s.checkpoints {
		if c.Tables = tables[source]; c.Tables == nil {
			c.Tables = map[string]checkpoint.Table{}
		}
		s.checkpoints[source] = c
	}
	return s, err
}

// Checkpoints reads the checkpoint of every source.
func Checkpoints(ctx context.Context, kafka *topic.Client) (map[string]checkpoint.Checkpoint, error) {
	s, err := readStates(ctx, kafka)
	return s.checkpoints, err
}

// barrierPause is how long to wait before the state is read again.
const barrierPause = 50 * time.Millisecond

// ownState gives the source's checkpoint to the producer that has just fenced
// all others. Readers see a partition only up to the first transaction that is
// still open, which another source's connector may have left when it was
// killed: an old checkpoint would then look like the last one, and events would
// be produced twice. So a record is written and waited for; what is below it is
// all there is. With an owner the source is its from here on.
func ownState(ctx context.Context, kafka *topic.Client, producer *topic.Producer, source, owner string) (checkpoint.Checkpoint, error) {
	partition, now := topic.Partition{Topic: StateTopic}, time.Now().UnixMilli()
	barrier := rand.Text()
	if err := producer.Add(ctx, partition, []byte(barrierPrefix+source), []byte(barrier), now); err != nil {
		return checkpoint.Checkpoint{}, err
	}
	if owner != "" {
		if err := producer.Add(ctx, partition, []byte(ownerPrefix+source), []byte(owner), now); err != nil {
			return checkpoint.Checkpoint{}, err
		}
	}
	if err := producer.Commit(ctx); err != nil {
		return checkpoint.Checkpoint{}, err
	}
	for {
		s, err := readStates(ctx, kafka)
		if err != nil {
			return checkpoint.Checkpoint{}, err
		}
		if s.barriers[source] == barrier {
			c := s.checkpoints[source]
			if c.Tables == nil {
				c.Tables = map[string]checkpoint.Table{}
			}
			return c, nil
		}
		select {
		case <-ctx.Done():
			return checkpoint.Checkpoint{}, ctx.Err()
		case <-time.After(barrierPause):
		}
	}
}

// saveCheckpoint commits the producer's open transaction, or one of its own,
// with the checkpoint in it, and the state of the tables when asked.
func saveCheckpoint(ctx context.Context, producer producer, source string, c checkpoint.Checkpoint, tables bool) error {
	partition, now := topic.Partition{Topic: StateTopic}, time.Now().UnixMilli()
	data, err := c.Marshal()
	if err != nil {
		return err
	}
	if err := producer.Add(ctx, partition, []byte(source), data, now); err != nil {
		return err
	}
	if tables {
		if data, err = checkpoint.MarshalTables(c.Tables); err != nil {
			return err
		}
		if err := producer.Add(ctx, partition, []byte(tablesPrefix+source), data, now); err != nil {
			return err
		}
	}
	return producer.Commit(ctx)
}

func transactionalID(source string) string { return "hopluu-connector-" + source }
