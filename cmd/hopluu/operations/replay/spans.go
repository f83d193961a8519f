package replay

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/hopluu/hopluu/schemas/event"
	"github.com/hopluu/hopluu/schemas/topic"
	"github.com/hopluu/hopluu/sinks/clickhouse"
	"github.com/hopluu/hopluu/sinks/clickhouse/tables"
)

// Request is what to replay.
type Request struct {
	Topics []string
	Table  string // a data set: all topics that feed it
	// From and To are "earliest", an offset, a time in RFC 3339 or an LSN; To is
	// excluded, and empty for where the sink stands.
	From, To               string
	Bronze, InPlace, Empty bool
}

// dataset gives the data set and the topics that a request speaks of.
func (o *Operator) dataset(r Request) (dataset string, topics []string, err error) {
	table := strings.TrimPrefix(r.Table, tables.Silver+".")
	if len(r.Topics) == 0 && table == "" {
		return "", nil, errors.New("--topic or --table says what to replay")
	}
	if len(r.Topics) == 0 {
		if topics = o.feeding(table); len(topics) == 0 {
			return "", nil, fmt.Errorf("no topic of the configuration feeds a table %s", table)
		}
		return table, topics, nil
	}
	for _, name := range r.Topics {
		at := slices.IndexFunc(o.feeds, func(f clickhouse.Feed) bool { return f.Topic == name })
		if at < 0 {
			return "", nil, fmt.Errorf("topic %s is none of the sink's: see 'hopluu sink status'", name)
		}
		f := o.feeds[at]
		switch {
		case table != "" && f.Dataset != table:
			return "", nil, fmt.Errorf("topic %s feeds the table %s, not %s", name, f.Dataset, table)
		case dataset != "" && f.Dataset != dataset:
			return "", nil, fmt.Errorf("topics %s and %s feed two tables, %s and %s: replay one after the other", topics[0], name, dataset, f.Dataset)
		}
		dataset, topics = f.Dataset, append(topics, name)
	}
	slices.Sort(topics)
	return dataset, slices.Compact(topics), nil
}

// place is what can be known of a partition before it is read again.
type place struct {
	topic.Partition
	start, end int64 // what the topic holds
	done       int64 // the sink's
	bronze     kept
}

func (o *Operator) places(ctx context.Context, dataset string, parts []topic.Partition) (list []place, at standing, err error) {
	if at, err = o.standing(ctx, dataset, parts); err != nil {
		return nil, at, err
	}
	starts, err := o.Sink.Kafka.StartOffsets(ctx, parts...)
	if err != nil {
		return nil, at, err
	}
	ends, err := o.Sink.Kafka.EndOffsets(ctx, parts...)
	if err != nil {
		return nil, at, err
	}
	held, err := o.held(ctx, dataset)
	if err != nil {
		return nil, at, err
	}
	for _, p := range parts {
		list = append(list, place{p, starts[p], ends[p], at.done[p], held[p]})
	}
	return list, at, nil
}

// first is the oldest offset that is held: by bronze, where it is read from it,
// else by the topic.
func (p place) first(bronze bool) int64 {
	if bronze {
		return p.bronze.first
	}
	return p.start
}

// spans finds what a request means in each partition. What is not held any more
// is an *topic.OutOfRangeError or says what is: nothing is jumped over (case 24).
func (o *Operator) spans(ctx context.Context, dataset string, r Request, list []place) (spans []Span, err error) {
	from, err := o.resolve(ctx, dataset, r.From, list, false)
	if err != nil {
		return nil, fmt.Errorf("--from %s: %w", r.From, err)
	}
	to := offsets{}
	for _, p := range list {
		to[p.Partition] = p.done
	}
	if r.To != "" {
		if to, err = o.resolve(ctx, dataset, r.To, list, true); err != nil {
			return nil, fmt.Errorf("--to %s: %w", r.To, err)
		}
	}
	var failed []error
	for _, p := range list {
		first, known := from[p.Partition]
		if r.From == "earliest" {
			first, known = p.first(r.Bronze), true
		}
		end := min(to[p.Partition], p.done)
		switch {
		case !known: // nothing of that time, or later, is in it
			first = end
		case first < 0 || first > max(p.end, p.done):
			failed = append(failed, &topic.OutOfRangeError{Partition: p.Partition, Offset: first, Start: p.start, End: p.end})
			continue
		}
		spans = append(spans, Span{Topic: p.Topic, Partition: p.ID, First: first, End: max(first, end), Position: first})
	}
	return spans, errors.Join(failed...)
}

// resolve gives the offset of each partition that a text means: of a time or an
// LSN the first event at or after it, or for an end the one behind the last event
// before it. A partition without one is absent. An offset is meant as it is.
func (o *Operator) resolve(ctx context.Context, dataset, text string, list []place, end bool) (offsets, error) {
	out := offsets{}
	if text == "earliest" && !end {
		return out, nil
	}
	if offset, err := strconv.ParseInt(text, 10, 64); err == nil {
		reached := slices.ContainsFunc(list, func(p place) bool { return offset <= max(p.end, p.done) })
		for _, p := range list {
			out[p.Partition] = offset
			if reached { // one number for several partitions, of which some are shorter
				out[p.Partition] = min(offset, max(p.end, p.done))
			}
		}
		return out, nil
	}
	// Bronze knows when and where each event was committed, to the microsecond.
	var column, value string
	at, notTime := time.Parse(time.RFC3339, text)
	switch lsn, err := event.ParseLSN(text); {
	case notTime == nil:
		column, value = "_commit_time", fmt.Sprintf("fromUnixTimestamp64Micro(toInt64(%d), 'UTC')", at.UnixMicro())
	case err == nil:
		column, value = "_lsn", strconv.FormatUint(uint64(lsn), 10)
	default:
		return nil, errors.New("it is neither earliest, nor an offset, nor a time such as 2026-01-31T08:00:00+07:00, nor an LSN such as 16/B374D848")
	}
	expr := "minIf(_offset, " + column + " >= " + value + "), toInt64(countIf(" + column + " >= " + value + "))"
	if end {
		expr = "maxIf(_offset, " + column + " < " + value + ") + 1, toInt64(countIf(" + column + " < " + value + "))"
	}
	before := map[topic.Partition]bool{}
	err := o.query(ctx, fmt.Sprintf("SELECT _topic, _partition, %s, toUInt8(argMin(%s, _offset) < %s) FROM %s GROUP BY _topic, _partition", expr, column, value, tables.Qualified(tables.Bronze, dataset)), func(rows driver.Rows) error {
		var p topic.Partition
		var offset, n int64
		var older uint8
		if err := rows.Scan(&p.Topic, &p.ID, &offset, &n, &older); err != nil {
			return err
		}
		if n > 0 {
			out[p] = offset
		}
		before[p] = older == 1
		return nil
	})
	if err != nil || end {
		return out, err
	}
	// Bronze may begin later than what is asked for, by its TTL: then the topic
	// says by its own times where that is, or nobody does.
	var parts []topic.Partition
	for _, p := range list {
		parts = append(parts, p.Partition)
	}
	earlier := offsets{}
	if notTime == nil {
		if earlier, err = o.Sink.Kafka.OffsetsAt(ctx, at.UnixMilli(), parts...); err != nil {
			return nil, err
		}
	}
	for _, p := range list {
		if before[p.Partition] || p.bronze.first == 0 && p.bronze.rows > 0 || p.end == 0 {
			continue
		}
		if p.start > 0 || notTime != nil {
			return nil, fmt.Errorf("%s: events at or after it may be gone: bronze holds the partition from offset %d, the topic from %d; name an offset, or %s", p.Partition, p.bronze.first, p.start, resnapshot)
		}
		if first, ok := earlier[p.Partition]; ok && first >= 0 {
			if known, ok := out[p.Partition]; ok {
				first = min(first, known)
			}
			out[p.Partition] = first
		}
	}
	return out, nil
}

// resnapshot is what is left when neither a topic nor bronze has the events.
const resnapshot = "read the table anew with 'hopluu connector resnapshot SOURCE SCHEMA.TABLE'"

// available refuses spans whose events are gone where they are to be read from.
func available(r Request, spans []Span, list []place) error {
	var failed []error
	for i, s := range spans {
		p := list[i]
		if s.Position >= s.End {
			continue
		}
		inBronze := p.bronze.rows > 0 && p.bronze.first <= max(s.Position, 0)
		switch {
		case r.Bronze && !inBronze:
			failed = append(failed, fmt.Errorf("%s: bronze holds it from offset %d, not from %d: replay from there, or %s", p.Partition, p.bronze.first, s.Position, resnapshot))
		case !r.Bronze && s.Position < p.start:
			gone := &topic.OutOfRangeError{Partition: p.Partition, Offset: s.Position, Start: p.start, End: p.end}
			hint := "bronze has them: give --from-bronze"
			if !inBronze {
				hint = fmt.Sprintf("bronze holds it from offset %d only: %s", p.bronze.first, resnapshot)
			}
			failed = append(failed, fmt.Errorf("%w; %s", gone, hint))
		}
		if r.Empty && s.First > 0 {
			failed = append(failed, fmt.Errorf("%s: a table that begins empty needs every event, and its first one held is at offset %d: leave --empty out, or %s", p.Partition, s.First, resnapshot))
		}
	}
	return errors.Join(failed...)
}
