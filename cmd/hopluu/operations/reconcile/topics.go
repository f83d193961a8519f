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
	Erased         int64  `json:"erased"` // events of erased people, which bronze is not to have (P12)
	Checksum       string `json:"checksum"`
	BronzeChecksum string `json:"bronze_checksum"`
	// Offsets names what differs.
	Offsets Offsets `json:"offsets"`
	OK      bool    `json:"ok"`

	sum, bronzeSum uint64
}

// accounted are the events that leave no row in bronze: dead letters, and what is
// erased.
const accounted = "(SELECT topic, partition, offset, 0 AS erased FROM ops.dead_letter FINAL WHERE state != 'retried' UNION ALL SELECT topic, partition, offset, 1 AS erased FROM ops.erased_offset)"

// span is the retained part of a partition.
type span struct{ start, end int64 }

// spanOffsets is how many offsets are looked at one by one in one go.
const spanOffsets = 1_000_000

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
	return compareSpans(ctx, kafka, conn, table, spans)
}

// compareSpans compares spans of one topic's partitions with bronze.
func compareSpans(ctx context.Context, kafka *topic.Client, conn driver.Conn, table string, spans map[topic.Partition]span) (result TopicResult, err error) {
	result.Offsets = Offsets{Lost: []string{}, Doubled: []string{}, Unknown: []string{}}
	sums := map[topic.Partition]side{}
	all, err := sumTopic(ctx, kafka, spans, &result.Events, nil)
	if err != nil {
		return TopicResult{}, err
	}
	landed, err := landedColumns(ctx, conn, "bronze", table)
	if err != nil {
		return TopicResult{}, err
	}
	var sum, bronzeSum uint64
	for p, s := range spans {
		var rows, unique, letters, erased uint64
		var hashed, lettersHashed uint64
		if len(landed) > 0 {
			err := conn.QueryRow(ctx, "SELECT count(), uniqExact(_offset), sum(intHash64(_offset)) FROM bronze."+identifier(table)+" WHERE _topic = ? AND _partition = ? AND _offset >= ? AND _offset < ?",
				p.Topic, p.ID, s.start, s.end).Scan(&rows, &unique, &hashed)
			if err != nil {
				return TopicResult{}, fmt.Errorf("count bronze.%s: %w", table, err)
			}
		}
		if err := conn.QueryRow(ctx, "SELECT uniqExact(offset), sumDistinct(intHash64(offset)), uniqExactIf(offset, erased = 1) FROM "+accounted+" WHERE topic = ? AND partition = ? AND offset >= ? AND offset < ?",
			p.Topic, p.ID, s.start, s.end).Scan(&letters, &lettersHashed, &erased); err != nil {
			return TopicResult{}, fmt.Errorf("count ops.dead_letter: %w: has 'hopluu sink run' ever run with this ClickHouse?", err)
		}
		result.Bronze += int64(rows)
		result.Duplicates += int64(rows - unique)
		result.DeadLetters += int64(letters - erased)
		result.Erased += int64(erased)
		sum += all[p].sum
		bronzeSum += hashed + lettersHashed
		sums[p] = side{rows: int64(rows + letters), sum: hashed + lettersHashed}
	}
	result.Checksum, result.BronzeChecksum = side{sum: sum}.checksum(), side{sum: bronzeSum}.checksum()
	result.sum, result.bronzeSum = sum, bronzeSum
	result.OK = true
	for _, p := range ordered(spans) {
		if sums[p] == all[p] {
			continue
		}
		result.OK = false
		for rest := spans[p]; rest.start < rest.end; rest.start += spanOffsets {
			part := span{start: rest.start, end: min(rest.end, rest.start+spanOffsets)}
			if err := findOffsets(ctx, kafka, conn, table, len(landed) > 0, p, part, &result.Offsets); err != nil {
				return TopicResult{}, err
			}
		}
	}
	return result, nil
}

// sumTopic reads the spans and counts what is no tombstone: a tombstone follows
// a delete for Kafka's compaction and lands nowhere. tell, if not nil, is called
// with each offset, in order within a partition.
func sumTopic(ctx context.Context, kafka *topic.Client, spans map[topic.Partition]span, events *int64, tell func(offset int64)) (sums map[topic.Partition]side, err error) {
	positions := map[topic.Partition]int64{}
	for p, s := range spans {
		positions[p] = s.start
	}
	if len(positions) == 0 {
		return nil, nil
	}
	sums = make(map[topic.Partition]side, len(spans))
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
			return nil, err
		}
		for _, b := range batches {
			end, sum := spans[b.Partition].end, sums[b.Partition]
			for _, r := range b.Records {
				if r.Offset < end && r.Value != nil {
					*events++
					sum.add(intHash64(uint64(r.Offset)))
					if tell != nil {
						tell(r.Offset)
					}
				}
			}
			sums[b.Partition] = sum
			if b.Next >= end && !done[b.Partition] {
				done[b.Partition] = true
				open--
			}
		}
	}
	return sums, nil
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
