package replay

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/hopluu/hopluu/cmd/hopluu/operations/views"
	"github.com/hopluu/hopluu/schemas/topic"
	"github.com/hopluu/hopluu/sinks"
	"github.com/hopluu/hopluu/sinks/clickhouse"
	"github.com/hopluu/hopluu/sinks/clickhouse/tables"
)

// Where the events of a part of a partition are.
const (
	inTopic  = "topic"
	inBronze = "bronze"
	// thinned: bronze has of some of its records only the last event.
	thinned = "thinned"
	gone    = "gone"
)

// Plan is what a replay would do.
type Plan struct {
	Dataset    string   `json:"dataset"`
	Topics     []string `json:"topics"`
	Partitions []Part   `json:"partitions"`
	Events     int64    `json:"events"`
	Bytes      int64    `json:"bytes"` // about, of keys and values
	// Rate is in events per second, and RateOf says what was measured.
	Rate    float64 `json:"rate"`
	RateOf  string  `json:"rate_of"`
	Seconds float64 `json:"seconds"`
	// Available: every event is where it would be read from.
	Available bool `json:"available"`
	// What it touches: the rows of silver, the views that read them, and the
	// indicators, with what they are now.
	SilverRows int64       `json:"silver_rows"`
	Views      []string    `json:"views"`
	Indicators []Indicator `json:"indicators"`
	Bronze     Bronze      `json:"bronze"`
	Advice     []string    `json:"advice"`
}

// Part is a part of a partition that would be read again.
type Part struct {
	Span
	Events int64 `json:"events"`
	// What the topic holds, and from where on bronze does, -1 for nothing.
	TopicStart  int64 `json:"topic_start"`
	TopicEnd    int64 `json:"topic_end"`
	BronzeStart int64 `json:"bronze_start"`
	// BronzeWhole is from where on bronze has every event of the partition; it is
	// BronzeStart unless sink.bronze_retention has let some go.
	BronzeWhole int64  `json:"bronze_whole"`
	Held        string `json:"held"` // topic, bronze, thinned or gone
}

// Bronze is what keeping bronze costs, and what its TTL does.
type Bronze struct {
	Rows   int64      `json:"rows"`
	Bytes  int64      `json:"bytes"` // on disk
	Oldest *time.Time `json:"oldest"`
	TTL    string     `json:"ttl"` // an expression, empty for none
	// WholeSince is when what landed is in bronze without exception; before it, it
	// has the last event of each record. Nil when it has all that ever landed.
	WholeSince *time.Time `json:"whole_since"`
	// Unbuildable are the rows of silver whose last event bronze has no more.
	Unbuildable int64 `json:"unbuildable"`
	// Incomplete are records of the range with values that an update did not send
	// and that bronze has no more.
	Incomplete int64 `json:"incomplete"`
}

const (
	// sampleTime and sampleEvents bound the measuring of the rate.
	sampleTime   = 3 * time.Second
	sampleEvents = 50_000
)

// Plan says what a request would do, and changes nothing.
func (o *Operator) Plan(ctx context.Context, r Request) (*Plan, error) {
	dataset, topics, err := o.dataset(r)
	if err != nil {
		return nil, err
	}
	if r.From == "" {
		return nil, errors.New("--from says where to begin: earliest, an offset, a time or an LSN")
	}
	parts, err := o.partitions(ctx, topics)
	if err != nil {
		return nil, err
	}
	list, _, err := o.places(ctx, dataset, parts)
	if err != nil {
		return nil, err
	}
	spans, err := o.spans(ctx, dataset, r, list)
	if err != nil {
		return nil, err
	}
	p := &Plan{Dataset: dataset, Topics: topics, Available: true, Partitions: []Part{}, Views: []string{}, Indicators: []Indicator{}, Advice: []string{}}
	for i, s := range spans {
		part := Part{Span: s, Events: s.End - s.First, TopicStart: list[i].start, TopicEnd: list[i].end, BronzeStart: -1, BronzeWhole: -1, Held: gone}
		if list[i].bronze.rows > 0 {
			part.BronzeStart, part.BronzeWhole = list[i].bronze.first, list[i].bronze.first
		}
		switch {
		case s.First >= list[i].start:
			part.Held = inTopic
		case part.BronzeStart >= 0 && part.BronzeStart <= s.First:
			part.Held = inBronze
		}
		p.Partitions = append(p.Partitions, part)
	}
	if err := available(r, spans, list); err != nil {
		p.Available = false
		for line := range strings.Lines(err.Error()) {
			p.Advice = append(p.Advice, strings.TrimSpace(line))
		}
	}
	for _, do := range []func(context.Context, Request, *Plan) error{o.planWhole, o.planBronze, o.planRate, o.planFigures} {
		if err := do(ctx, r, p); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// planWhole says since when, and from which offset on, bronze has every event, and
// what that makes impossible: the price of its retention.
func (o *Operator) planWhole(ctx context.Context, r Request, p *Plan) error {
	since, ok, err := clickhouse.WholeSince(ctx, o.ClickHouse, p.Dataset)
	if err != nil || !ok {
		return err
	}
	since = since.UTC().Truncate(time.Microsecond)
	p.Bronze.WholeSince = &since
	// An event that landed before it may be gone, whatever offsets below it are left.
	whole := map[topic.Partition]int64{}
	landed := "_ingested_at >= toDateTime64(" + quote(since.Format("2006-01-02 15:04:05.000000")) + ", 6, 'UTC')"
	err = o.query(ctx, "SELECT _topic, _partition, if(countIf("+landed+") > 0, minIf(_offset, "+landed+"), max(_offset) + 1) FROM "+tables.Qualified(tables.Bronze, p.Dataset)+" GROUP BY _topic, _partition", func(rows driver.Rows) error {
		var at topic.Partition
		var offset int64
		err := rows.Scan(&at.Topic, &at.ID, &offset)
		whole[at] = offset
		return err
	})
	if err != nil {
		return err
	}
	var from, lost []string
	for i := range p.Partitions {
		s := &p.Partitions[i]
		if at, ok := whole[s.of()]; ok {
			s.BronzeWhole = max(at, s.BronzeStart)
		}
		if s.First >= s.End || s.First >= s.BronzeWhole || !r.Bronze && s.Held != inBronze {
			continue
		}
		if s.Held == inBronze || r.Bronze && s.BronzeStart >= 0 {
			s.Held = thinned
		}
		from = append(from, fmt.Sprintf("%s from %d", s.of(), s.BronzeWhole))
		if s.End < s.BronzeWhole {
			lost = append(lost, fmt.Sprintf("%s before %d", s.of(), s.End))
		}
	}
	if len(from) == 0 {
		return nil
	}
	p.Advice = append(p.Advice, fmt.Sprintf("bronze has every event that landed since %s (%s), and of older ones the last of each record: read from it, rows end as their sources have them, but events between are not applied one by one, and what the history says of earlier times is not complete",
		since.Local().Format(time.DateTime), strings.Join(from, ", ")))
	if len(lost) > 0 {
		p.Advice = append(p.Advice, fmt.Sprintf("rows as they were at the end of the range (%s) cannot be made from bronze: records that changed after it have no event left before it; end the range later, or %s", strings.Join(lost, ", "), resnapshot))
	}
	return nil
}

var ttlClause = regexp.MustCompile(`\bTTL (.+?)(?: SETTINGS |$)`)

// planBronze counts the events that bronze has of the range, and says what it
// keeps.
func (o *Operator) planBronze(ctx context.Context, r Request, p *Plan) error {
	bronze := tables.Qualified(tables.Bronze, p.Dataset)
	var spans, ended []string
	for i := range p.Partitions {
		s := &p.Partitions[i]
		spans = append(spans, clickhouse.Span(s.of(), s.First, s.End))
		if s.BronzeStart > 0 {
			ended = append(ended, clickhouse.Span(s.of(), 0, s.BronzeStart))
		}
		// Where it has all of them they are counted exactly: an offset may be of a
		// tombstone, or of a transaction's marker.
		if s.BronzeStart < 0 || s.BronzeStart > s.First {
			continue
		}
		if err := o.query(ctx, "SELECT toInt64(count()) FROM "+bronze+" WHERE "+clickhouse.Span(s.of(), s.First, s.End), func(rows driver.Rows) error { return rows.Scan(&s.Events) }); err != nil {
			return err
		}
	}
	for _, s := range p.Partitions {
		p.Events += s.Events
	}
	var engine string
	err := o.query(ctx, fmt.Sprintf("SELECT engine_full, toInt64(ifNull(total_rows, 0)), toInt64(ifNull(total_bytes, 0)) FROM system.tables WHERE database = 'bronze' AND name = %s", quote(p.Dataset)), func(rows driver.Rows) error {
		return rows.Scan(&engine, &p.Bronze.Rows, &p.Bronze.Bytes)
	})
	if err != nil || engine == "" {
		return err
	}
	if m := ttlClause.FindStringSubmatch(engine); m != nil {
		p.Bronze.TTL = m[1]
	}
	if err := o.query(ctx, "SELECT minOrNull(_commit_time) FROM "+bronze+" WHERE _commit_time > 0", func(rows driver.Rows) error { return rows.Scan(&p.Bronze.Oldest) }); err != nil {
		return err
	}
	if len(spans) > 0 {
		err := o.query(ctx, fmt.Sprintf("SELECT toInt64(count()) FROM\n(\n    SELECT _source, _record, argMin(_op, _version) AS op FROM %s\n    WHERE (_source, _record) IN (SELECT _source, _record FROM %s WHERE notEmpty(_unchanged) AND %s)\n    GROUP BY _source, _record HAVING op = 'u'\n)", bronze, bronze, clickhouse.Any(spans...)),
			func(rows driver.Rows) error { return rows.Scan(&p.Bronze.Incomplete) })
		if err != nil {
			return err
		}
	}
	switch id, err := o.uuid(ctx, tables.Silver, p.Dataset); {
	case err != nil || id == "":
		return err
	}
	unbuildable := "0"
	if len(ended) > 0 {
		unbuildable = clickhouse.Any(ended...)
	}
	err = o.query(ctx, "SELECT toInt64(count()), toInt64(countIf("+unbuildable+")) FROM "+silver(p.Dataset)+" FINAL WHERE _is_deleted = 0", func(rows driver.Rows) error {
		return rows.Scan(&p.SilverRows, &p.Bronze.Unbuildable)
	})
	if err != nil {
		return err
	}
	if p.Bronze.Unbuildable > 0 {
		p.Advice = append(p.Advice, fmt.Sprintf("the last event of %d rows is no longer in bronze: a replay keeps them as they are; to have them anew, %s", p.Bronze.Unbuildable, resnapshot))
	}
	if p.Bronze.Incomplete > 0 {
		p.Advice = append(p.Advice, fmt.Sprintf("%d records have values that their updates did not send and that bronze no longer has: they would be NULL, named in _incomplete; %s", p.Bronze.Incomplete, resnapshot))
	}
	return nil
}

// planRate takes the rate of the last replay, of this table or of any, or measures
// how fast the first events are read and decoded.
func (o *Operator) planRate(ctx context.Context, r Request, p *Plan) error {
	id, err := o.uuid(ctx, tables.Ops, "replay")
	if err != nil {
		return err
	}
	perEvent := float64(0)
	if p.Bronze.Rows > 0 {
		perEvent = float64(p.Bronze.Bytes) / float64(p.Bronze.Rows)
	}
	if id != "" {
		var of string
		var rate float64
		err := o.query(ctx, fmt.Sprintf("SELECT id, events / seconds FROM ops.replay FINAL WHERE events >= 1000 AND seconds > 0 ORDER BY dataset = %s DESC, at DESC LIMIT 1", quote(p.Dataset)), func(rows driver.Rows) error { return rows.Scan(&of, &rate) })
		if err != nil {
			return err
		}
		if of != "" {
			p.Rate, p.RateOf = rate, "the replay "+of
		}
	}
	if !r.Bronze && p.Available && p.Events > 0 {
		rate, bytes, n, err := o.sample(ctx, p)
		if err != nil {
			return err
		}
		if n > 0 {
			perEvent = bytes
		}
		if p.Rate == 0 && n > 0 {
			p.Rate, p.RateOf = rate, fmt.Sprintf("%d events that were read and decoded, but not written: it takes longer", n)
		}
	}
	p.Bytes = int64(perEvent * float64(p.Events))
	if p.Rate > 0 {
		p.Seconds = float64(p.Events) / p.Rate
	}
	return nil
}

// sample reads and decodes the first events of the range, into nothing.
func (o *Operator) sample(ctx context.Context, p *Plan) (rate, bytes float64, events int, err error) {
	again, err := clickhouse.NewAgain(o.Sink, p.Dataset)
	if err != nil {
		return 0, 0, 0, err
	}
	defer func() { err = errors.Join(err, again.Close()) }()
	if err := again.Dry(ctx); err != nil {
		return 0, 0, 0, err
	}
	positions, ends := offsets{}, offsets{}
	for _, s := range p.Partitions {
		if s.First < s.End {
			positions[s.of()], ends[s.of()] = s.First, s.End
		}
	}
	reader := o.Sink.Kafka.NewReader(positions)
	defer func() { _ = reader.Close() }() // only gives up what is in flight; it cannot fail
	batch, size := again.Open(), 0
	began := time.Now()
	for len(ends) > 0 && events < sampleEvents && time.Since(began) < sampleTime {
		read, err := reader.Poll(ctx)
		if err != nil {
			return 0, 0, 0, err
		}
		for i := range read {
			end, ok := ends[read[i].Partition]
			if !ok {
				continue
			}
			for k := range read[i].Records {
				rec := &read[i].Records[k]
				if rec.Offset >= end {
					break
				}
				if err := batch.Add(ctx, rec); err != nil {
					if !errors.Is(err, sinks.ErrFull) {
						return 0, 0, 0, err
					}
					batch = again.Open()
				}
				events++
				size += len(rec.Key) + len(rec.Value)
			}
			if read[i].Next >= end {
				delete(ends, read[i].Partition)
			}
		}
		if batch.Bytes() > o.Sink.BatchBytes {
			batch = again.Open()
		}
	}
	if events == 0 {
		return 0, 0, 0, nil
	}
	return float64(events) / max(time.Since(began).Seconds(), 1e-3), float64(size) / float64(events), events, nil
}

// planFigures names what reads the table, and what the indicators among it are now.
func (o *Operator) planFigures(ctx context.Context, _ Request, p *Plan) error {
	all, err := views.Read(ctx, o.ClickHouse)
	if err != nil {
		return err
	}
	touched := views.Over(all, tables.Silver+"."+p.Dataset)
	for _, v := range touched {
		p.Views = append(p.Views, v.String())
		if v.String() != indicatorsView {
			continue
		}
		now, err := o.values(ctx, indicatorsView)
		if err != nil {
			return err
		}
		for _, code := range touches(v.Query, touched) {
			i := now[code]
			i.Code = code
			p.Indicators = append(p.Indicators, i)
		}
	}
	return nil
}
