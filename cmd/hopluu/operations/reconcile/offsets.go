package reconcile

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/hopluu/hopluu/schemas/topic"
)

// Offsets are what is wrong with bronze's records of a topic, by their offsets.
type Offsets struct {
	// Lost are in the topic and neither in bronze nor among the dead letters,
	// Doubled are in bronze more than once, and Unknown are in bronze but are no
	// record of the topic. Each has up to maxKeys as "partition:offset", in order.
	Lost    []string `json:"lost"`
	Doubled []string `json:"doubled"`
	Unknown []string `json:"unknown"`
	// Counts of all of them.
	LostCount    int64 `json:"lost_count"`
	DoubledCount int64 `json:"doubled_count"`
	UnknownCount int64 `json:"unknown_count"`
}

func (o *Offsets) add(list *[]string, count *int64, partition int32, offset int64) {
	*count++
	if len(*list) < maxKeys {
		*list = append(*list, fmt.Sprintf("%d:%d", partition, offset))
	}
}

// findOffsets names the offsets of a span in which a topic and bronze differ. It
// holds those of one span in memory, which is bounded (P8).
func findOffsets(ctx context.Context, kafka *topic.Client, conn driver.Conn, table string, landed bool, p topic.Partition, s span, into *Offsets) (n offsetCounts, err error) {
	var offsets []int64
	if _, err := sumTopic(ctx, kafka, map[topic.Partition]span{p: s}, &n.events, func(offset int64) { offsets = append(offsets, offset) }); err != nil {
		return n, err
	}
	letters := map[int64]bool{}
	err = each(ctx, conn, func(rows driver.Rows) error {
		var offset int64
		if err := rows.Scan(&offset); err != nil {
			return err
		}
		letters[offset] = true
		return nil
	}, "SELECT DISTINCT offset FROM "+accounted+" WHERE topic = ? AND partition = ? AND offset >= ? AND offset < ?", p.Topic, p.ID, s.start, s.end)
	if err != nil {
		return n, fmt.Errorf("read ops.dead_letter: %w", err)
	}
	next := 0
	lose := func(below int64) {
		for ; next < len(offsets) && offsets[next] < below; next++ {
			if !letters[offsets[next]] {
				into.add(&into.Lost, &into.LostCount, p.ID, offsets[next])
			}
		}
	}
	if landed {
		err = each(ctx, conn, func(rows driver.Rows) error {
			var offset int64
			var copies uint64
			if err := rows.Scan(&offset, &copies); err != nil {
				return err
			}
			lose(offset)
			n.rows += int64(copies)
			n.copies += int64(copies - 1)
			if copies > 1 {
				into.add(&into.Doubled, &into.DoubledCount, p.ID, offset)
			}
			if next < len(offsets) && offsets[next] == offset {
				next++
			} else {
				into.add(&into.Unknown, &into.UnknownCount, p.ID, offset)
			}
			return nil
		}, "SELECT _offset, count() FROM bronze."+identifier(table)+" WHERE _topic = ? AND _partition = ? AND _offset >= ? AND _offset < ? GROUP BY _offset ORDER BY _offset", p.Topic, p.ID, s.start, s.end)
		if err != nil {
			return n, fmt.Errorf("read bronze.%s: %w", table, err)
		}
	}
	lose(s.end)
	return n, nil
}

// offsetCounts are a span's events in the topic, rows in bronze, and those of them
// that are there once more.
type offsetCounts struct{ events, rows, copies int64 }

// each calls do for every row of a query.
func each(ctx context.Context, conn driver.Conn, do func(driver.Rows) error, sql string, args ...any) (err error) {
	rows, err := conn.Query(ctx, sql, args...)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		if err := do(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// passedOffsets are the spans of a topic that it retains and that the sink has
// passed: bronze has them.
func passedOffsets(ctx context.Context, config Config, name string) (map[topic.Partition]span, error) {
	counts, err := config.Kafka.PartitionCounts(ctx, name)
	if err != nil {
		return nil, err
	}
	var parts []topic.Partition
	for id := range counts[name] {
		parts = append(parts, topic.Partition{Topic: name, ID: id})
	}
	// The starts last: what retention takes meanwhile is not asked for.
	committed, err := config.Kafka.Committed(ctx, config.Group, parts...)
	if err != nil {
		return nil, err
	}
	starts, err := config.Kafka.StartOffsets(ctx, parts...)
	if err != nil {
		return nil, err
	}
	spans := map[topic.Partition]span{}
	for _, p := range parts {
		if starts[p] < committed[p] {
			spans[p] = span{start: starts[p], end: committed[p]}
		}
	}
	return spans, nil
}

// ordered gives the partitions in their order.
func ordered(spans map[topic.Partition]span) []topic.Partition {
	var parts []topic.Partition
	for p := range spans {
		parts = append(parts, p)
	}
	slices.SortFunc(parts, func(a, b topic.Partition) int { return int(a.ID - b.ID) })
	return parts
}
