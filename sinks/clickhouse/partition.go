package clickhouse

import (
	"context"
	"fmt"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/google/uuid"

	"github.com/hopluu/hopluu/schemas/topic"
	"github.com/hopluu/hopluu/sinks"
)

// OtherTopicError says that a topic is not the one whose records bronze has: it,
// or all of Kafka, was lost and made anew. Its offsets begin again, and would be
// taken for those that bronze has already.
type OtherTopicError struct {
	Topic    string
	Was, Now topic.ID
}

func (e *OtherTopicError) Error() string {
	return fmt.Sprintf("topic %s was made anew (its id was %s and is %s), so its offsets are not those that bronze has: stop all stages and run 'hopluu recover kafka'", e.Topic, e.Was, e.Now)
}

// RestoringDatabase is there while ClickHouse is being restored from a backup:
// what it has until that is done is a part of something.
const RestoringDatabase = "hopluu_restoring"

// checkRestored refuses a ClickHouse that is not restored in full.
func (s *store) checkRestored(ctx context.Context) error {
	restoring := ""
	err := s.server.query(ctx, "SELECT comment FROM system.databases WHERE name = "+quote(RestoringDatabase), func(rows driver.Rows) error {
		return rows.Scan(&restoring)
	})
	if err == nil && restoring != "" {
		err = &sinks.Permanent{Err: fmt.Errorf("ClickHouse is not restored in full from backup %s: run 'hopluu restore' again, to its end", restoring)}
	}
	return err
}

// readIncarnations learns of each topic how often it was lost and made anew (hopluu
// recover kafka): the part of a flat record's version above its offset, which
// begins at 0 again.
func (s *store) readIncarnations(ctx context.Context) error {
	s.incarnations = map[string]uint32{}
	return s.server.query(ctx, "SELECT toString(topic), toUInt32(count(DISTINCT archived)) FROM ops.lost_topic GROUP BY topic", func(rows driver.Rows) error {
		var name string
		var n uint32
		if err := rows.Scan(&name, &n); err != nil {
			return err
		}
		s.incarnations[name] = n
		return nil
	})
}

// checkTopics refuses topics that are others than those that the records in
// bronze came from (P2). A topic of which bronze has nothing may be any.
func (s *store) checkTopics(ctx context.Context, parts []topic.Partition) (map[string]topic.ID, error) {
	ids, err := s.kafka.IDs(ctx, s.reading...)
	if err != nil {
		return nil, &sinks.Unavailable{What: "Kafka", Err: err}
	}
	was := map[string]topic.ID{}
	err = s.server.query(ctx, "SELECT topic, max(topic_id) FROM ops.partition FINAL WHERE topic IN ("+quotedList(s.reading)+") GROUP BY topic", func(rows driver.Rows) error {
		var name string
		var id uuid.UUID
		if err := rows.Scan(&name, &id); err != nil {
			return err
		}
		was[name] = topic.ID(id)
		return nil
	})
	if err != nil {
		return nil, err
	}
	for _, p := range parts {
		id, known := ids[p.Topic]
		if old := was[p.Topic]; known && old != (topic.ID{}) && old != id && s.held[p] > 0 {
			return nil, &sinks.Permanent{Err: &OtherTopicError{Topic: p.Topic, Was: old, Now: id}}
		}
	}
	return ids, nil
}

// notePartitions writes which partitions there are, for ops.as_of, and of which
// topics.
func (s *store) notePartitions(ctx context.Context, parts []topic.Partition, ids map[string]topic.ID) error {
	var topics []string
	var partitions []int32
	var of []uuid.UUID
	for _, p := range parts {
		topics, partitions, of = append(topics, p.Topic), append(partitions, p.ID), append(of, uuid.UUID(ids[p.Topic]))
	}
	return s.server.append(ctx, "INSERT INTO ops.partition (topic, partition, topic_id)", topics, partitions, of)
}
