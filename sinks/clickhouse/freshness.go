package clickhouse

import (
	"context"
	"maps"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/hopluu/hopluu/schemas/topic"
	"github.com/hopluu/hopluu/sinks"
)

// freshness is how far a partition is applied: its next offset, and the commit
// time at the source up to which nothing is missing.
type freshness struct {
	next         int64
	commitMicros int64
}

// read notes the newest commit time that was read of a source.
func (s *store) read(source string, commitMicros int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mark[source] = max(s.mark[source], commitMicros)
}

// Mark implements sinks.Store.
func (s *store) Mark() sinks.Mark {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.mark)
}

// readFreshness learns what earlier owners of the partitions wrote, so that no
// figure's "as of" goes back.
func (s *store) readFreshness(ctx context.Context) error {
	return s.server.query(ctx, "SELECT topic, partition, offset, commit_time FROM ops.freshness FINAL", func(rows driver.Rows) error {
		var p topic.Partition
		var offset int64
		var commit time.Time
		if err := rows.Scan(&p.Topic, &p.ID, &offset, &commit); err != nil {
			return err
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		s.fresh[p] = freshness{offset + 1, max(commit.UnixMicro(), s.fresh[p].commitMicros)}
		return nil
	})
}

// applied writes the freshness of a batch's partitions.
func (s *store) applied(ctx context.Context, b *batch, next map[topic.Partition]int64) error {
	fresh := map[topic.Partition]freshness{}
	for _, p := range b.order {
		if p.newest > 0 && !p.retry {
			fresh[p.Partition] = freshness{next[p.Partition], p.newest}
		}
	}
	return s.writeFreshness(ctx, fresh)
}

// CaughtUp implements sinks.Store. A quiet table is not an old one: a source's
// events reach Kafka in the order of its commits, so a partition that held
// nothing more after an event of another table was read has all that was
// committed before that event.
func (s *store) CaughtUp(ctx context.Context, mark sinks.Mark, next map[topic.Partition]int64) error {
	fresh := map[topic.Partition]freshness{}
	s.mu.Lock()
	for p, offset := range next {
		if commit := mark[s.routes[p.Topic].source]; commit > s.fresh[p].commitMicros {
			fresh[p] = freshness{offset, commit}
		}
	}
	s.mu.Unlock()
	return s.writeFreshness(ctx, fresh)
}

func (s *store) writeFreshness(ctx context.Context, fresh map[topic.Partition]freshness) error {
	var topics []string
	var partitions []int32
	var offsets []int64
	var commits, applied []time.Time
	now := time.Now().UTC()
	s.mu.Lock()
	for p, f := range fresh {
		f.commitMicros = max(f.commitMicros, s.fresh[p].commitMicros)
		fresh[p] = f
	}
	s.mu.Unlock()
	for p, f := range fresh {
		topics, partitions, offsets = append(topics, p.Topic), append(partitions, p.ID), append(offsets, f.next-1)
		commits, applied = append(commits, time.UnixMicro(f.commitMicros).UTC()), append(applied, now)
	}
	if len(topics) == 0 {
		return nil
	}
	if err := s.server.append(ctx, "INSERT INTO ops.freshness (topic, partition, offset, commit_time, applied_at)", topics, partitions, offsets, commits, applied); err != nil {
		return err
	}
	s.mu.Lock()
	maps.Copy(s.fresh, fresh)
	s.mu.Unlock()
	return nil
}
