package reconcile

import (
	"context"
	"fmt"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/hopluu/hopluu/schemas/topic"
)

// TopicResult compares a topic with bronze over the offsets that the topic
// still retains.
type TopicResult struct {
	Events         int64  `json:"events"`
	Bronze         int64  `json:"bronze"`
	Duplicates     int64  `json:"duplicates"`
	DeadLetters    int64  `json:"dead_letters"`
	Checksum       string `json:"checksum"`
	BronzeChecksum string `json:"bronze_checksum"`
	OK             bool   `json:"ok"`
}

// span is the retained part of a partition.
type span struct{ start, end int64 }

// compareTopic counts the topic's events and bronze's rows up to the given end
// offsets, and sums a hash of their offsets, which both sides can make.
func compareTopic(ctx context.Context, kafka *topic.Client, conn driver.Conn, table, name string, ends map[topic.Partition]int64) (TopicResult, error) {
	var parts []topic.Partition
	for p := range ends {
		if p.Topic == name {
			parts = append(parts, p)
		}
	}
	starts, err := kafka.StartOffsets(ctx, parts...)
	if err != nil {
		return TopicResult{}, err
	}
	spans := map[topic.Partition]span{}
	for _, p := range parts {
		if starts[p] < ends[p] {
			spans[p] = span{start: starts[p], end: ends[p]}
		}
	}
	var result TopicResult
	sum, err := sumTopic(ctx, kafka, spans, &result.Events)
	if err != nil {
		return TopicResult{}, err
	}
	var bronzeSum uint64
	landed, err := landedColumns(ctx, conn, "bronze", table)
	if err != nil {
		return TopicResult{}, err
	}
	for p, s := range spans {
		var rows, unique, letters uint64
		var hashed, lettersHashed uint64
		if len(landed) > 0 {
			err := conn.QueryRow(ctx, "SELECT count(), uniqExact(_offset), sum(intHash64(_offset)) FROM bronze."+identifier(table)+" WHERE _topic = ? AND _partition = ? AND _offset >= ? AND _offset < ?",
				name, p.ID, s.start, s.end).Scan(&rows, &unique, &hashed)
			if err != nil {
				return TopicResult{}, fmt.Errorf("count bronze.%s: %w", table, err)
			}
		}
		if err := conn.QueryRow(ctx, "SELECT uniqExact(offset), sumDistinct(intHash64(offset)) FROM ops.dead_letter FINAL WHERE state != 'retried' AND topic = ? AND partition = ? AND offset >= ? AND offset < ?",
			name, p.ID, s.start, s.end).Scan(&letters, &lettersHashed); err != nil {
			return TopicResult{}, fmt.Errorf("count ops.dead_letter: %w: has 'hopluu sink run' ever run with this ClickHouse?", err)
		}
		result.Bronze += int64(rows)
		result.Duplicates += int64(rows - unique)
		result.DeadLetters += int64(letters)
		bronzeSum += hashed + lettersHashed
	}
	result.Checksum, result.BronzeChecksum = side{sum: sum}.checksum(), side{sum: bronzeSum}.checksum()
	result.OK = result.Events == result.Bronze+result.DeadLetters && result.Duplicates == 0 && sum == bronzeSum
	return result, nil
}

// sumTopic reads the spans and counts what is no tombstone: a tombstone follows
// a delete for Kafka's compaction and lands nowhere.
func sumTopic(ctx context.Context, kafka *topic.Client, spans map[topic.Partition]span, events *int64) (sum uint64, err error) {
	positions := map[topic.Partition]int64{}
	for p, s := range spans {
		positions[p] = s.start
	}
	if len(positions) == 0 {
		return 0, nil
	}
	reader := kafka.NewReader(positions)
	defer func() {
		if closeErr := reader.Close(); err == nil {
			err = closeErr
		}
	}()
	open := len(spans)
	done := map[topic.Partition]bool{}
	for open > 0 {
		batches, err := reader.Poll(ctx)
		if err != nil {
			return 0, err
		}
		for _, b := range batches {
			end := spans[b.Partition].end
			for _, r := range b.Records {
				if r.Offset < end && r.Value != nil {
					*events++
					sum += intHash64(uint64(r.Offset))
				}
			}
			if b.Next >= end && !done[b.Partition] {
				done[b.Partition] = true
				open--
			}
		}
	}
	return sum, nil
}

// intHash64 is ClickHouse's function of that name: MurmurHash3's finalizer over
// the number, xored with a constant of ClickHouse's.
func intHash64(x uint64) uint64 {
	x ^= 0x4CF2D2BAAE6DA887
	x ^= x >> 33
	x *= 0xff51afd7ed558ccd
	x ^= x >> 33
	x *= 0xc4ceb9fe1a85ec53
	x ^= x >> 33
	return x
}
