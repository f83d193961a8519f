package reconcile

import (
	"context"
	"fmt"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/hopluu/hopluu/schemas/topic"
	sink "github.com/hopluu/hopluu/sinks/clickhouse"
)

// TopicResult compares a topic with bronze over the offsets that the topic
// still retains.
type TopicResult struct {
	Events         int64  `json:"events"`
	Bronze         int64  `json:"bronze"`
	Duplicates     int64  `json:"duplicates"`
	DeadLetters    int64  `json:"dead_letters"`
	Erased         int64  `json:"erased"` // events of erased people, which bronze is not to have (P12)
	LetGo          int64  `json:"let_go"` // older events, which sink.bronze_retention let go
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
	landed, err := landedColumns(ctx, conn, "bronze", table)
	if err != nil {
		return TopicResult{}, err
	}
	asked := spans
	spans, older, err := wholeSpans(ctx, conn, table, len(landed) > 0, asked)
	if err != nil {
		return TopicResult{}, err
	}
	sums := map[topic.Partition]side{}
	all, err := sumTopic(ctx, kafka, spans, &result.Events, nil)
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
		if letters, lettersHashed, erased, err = countAccounted(ctx, conn, table, len(landed) > 0, p, s); err != nil {
			return TopicResult{}, err
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
		if err := eachPart(spans[p], func(part span) error {
			_, err := findOffsets(ctx, kafka, conn, table, len(landed) > 0, p, part, &result.Offsets)
			return err
		}); err != nil {
			return TopicResult{}, err
		}
	}
	for _, p := range ordered(older) {
		if err := result.addOlder(ctx, kafka, conn, table, p, older[p]); err != nil {
			return TopicResult{}, err
		}
	}
	return result, nil
}

// eachPart gives a span in parts that are looked at one by one.
func eachPart(s span, do func(span) error) error {
	for ; s.start < s.end; s.start += spanOffsets {
		if err := do(span{start: s.start, end: min(s.end, s.start+spanOffsets)}); err != nil {
			return err
		}
	}
	return nil
}

// clockSlack is how much later than retention's edge an event may have landed
// and be gone: the server has a clock of its own, and goes on while we compare.
const clockSlack = time.Minute

// wholeSpans divides spans at where retention begins: of the older part bronze
// has the last event of each record only (tables.Table.KeepFor). Rows of a
// partition land in the order of their offsets, and the last of those that
// expired is the last of its record, so it is there and marks the place.
func wholeSpans(ctx context.Context, conn driver.Conn, table string, landed bool, spans map[topic.Partition]span) (whole, older map[topic.Partition]span, err error) {
	if !landed {
		return spans, nil, nil
	}
	since, thinned, err := sink.WholeSince(ctx, conn, table)
	if err != nil || !thinned {
		return spans, nil, err
	}
	whole, older = map[topic.Partition]span{}, map[topic.Partition]span{}
	for p, s := range spans {
		var next int64
		if err := conn.QueryRow(ctx, "SELECT toInt64(if(count() = 0, 0, max(_offset) + 1)) FROM bronze."+identifier(table)+" WHERE _topic = ? AND _partition = ? AND _ingested_at < ?",
			p.Topic, p.ID, since.Add(clockSlack).UTC()).Scan(&next); err != nil {
			return nil, nil, fmt.Errorf("find where bronze.%s is whole: %w", table, err)
		}
		edge := min(max(next, s.start), s.end)
		if s.start < edge {
			older[p] = span{start: s.start, end: edge}
		}
		if edge < s.end {
			whole[p] = span{start: edge, end: s.end}
		}
	}
	return whole, older, nil
}

// addOlder compares a span of which bronze may have let events go: what it has
// is an event of the topic, and has it once. What a record is now is silver's to
// show.
func (r *TopicResult) addOlder(ctx context.Context, kafka *topic.Client, conn driver.Conn, table string, p topic.Partition, s span) error {
	found := Offsets{}
	var counts offsetCounts
	if err := eachPart(s, func(part span) error {
		n, err := findOffsets(ctx, kafka, conn, table, true, p, part, &found)
		counts.events += n.events
		counts.rows += n.rows
		counts.copies += n.copies
		return err
	}); err != nil {
		return err
	}
	letters, _, erased, err := countAccounted(ctx, conn, table, true, p, s)
	if err != nil {
		return err
	}
	r.Events += counts.events
	r.Bronze += counts.rows
	r.Duplicates += counts.copies
	r.DeadLetters += int64(letters - erased)
	r.Erased += int64(erased)
	r.LetGo += found.LostCount
	r.Offsets.DoubledCount += found.DoubledCount
	r.Offsets.UnknownCount += found.UnknownCount
	r.Offsets.Doubled = append(r.Offsets.Doubled, found.Doubled[:min(len(found.Doubled), maxKeys-len(r.Offsets.Doubled))]...)
	r.Offsets.Unknown = append(r.Offsets.Unknown, found.Unknown[:min(len(found.Unknown), maxKeys-len(r.Offsets.Unknown))]...)
	r.OK = r.OK && found.DoubledCount == 0 && found.UnknownCount == 0
	return nil
}

// countAccounted counts the events of a span that leave no row in bronze, and
// sums the hashes of their offsets: dead letters, and what is erased. What bronze
// has all the same counts there: an erasure notes its offsets before it deletes,
// and one that was lifted lets events come again.
func countAccounted(ctx context.Context, conn driver.Conn, table string, landed bool, p topic.Partition, s span) (letters, hashed, erased uint64, err error) {
	sql, args := "SELECT uniqExact(offset), sumDistinct(intHash64(offset)), uniqExactIf(offset, erased = 1) FROM "+accounted+" WHERE topic = ? AND partition = ? AND offset >= ? AND offset < ?", []any{p.Topic, p.ID, s.start, s.end}
	if landed {
		sql += " AND offset NOT IN (SELECT _offset FROM bronze." + identifier(table) + " WHERE _topic = ? AND _partition = ? AND _offset >= ? AND _offset < ?)"
		args = append(args, args...)
	}
	if err := conn.QueryRow(ctx, sql, args...).Scan(&letters, &hashed, &erased); err != nil {
		return 0, 0, 0, fmt.Errorf("count ops.dead_letter: %w: has 'hopluu sink run' ever run with this ClickHouse?", err)
	}
	return letters, hashed, erased, nil
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
