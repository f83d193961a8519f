package trace

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/hopluu/hopluu/schemas/event"
	"github.com/hopluu/hopluu/schemas/topic"
	"github.com/hopluu/hopluu/sinks/clickhouse"
	"github.com/hopluu/hopluu/sinks/clickhouse/tables"
)

// What became of an event.
const (
	RowNow     = "now"         // the row is as it left it
	Superseded = "superseded"  // a later event of the record stands in the row, or took it
	Deleted    = "deleted"     // it, or a later one, deleted the row
	Cut        = "cut"         // a TRUNCATE, or a new snapshot that did not find it, took the row
	Erased     = "erased"      // it was of an erased person (P12)
	DeadLetter = "dead letter" // it could not be applied
	Thinned    = "thinned"     // bronze's retention took it
	Waiting    = "waiting"     // the sink has not written it yet
	Whole      = "whole table" // it is no row's: a TRUNCATE, or the end of a new snapshot
	Unknown    = "not here"    // it is not where it should be
)

// Find says which events are asked for: one position, the events of a record, or
// those of an LSN (of one source, if it is named).
type Find struct {
	Partition topic.Partition
	Offset    int64
	Record    string
	LSN       event.LSN
	Source    string
	Limit     int
}

// Use is a row of a view that counts the record.
type Use struct {
	View    string   `json:"view"`
	Row     []Cell   `json:"row"`
	Part    string   `json:"part"`
	Figures []string `json:"figures"`
}

// Found is an event, and what became of it.
type Found struct {
	Dataset string `json:"dataset,omitempty"`
	Record  string `json:"record,omitempty"`
	Event   *Event `json:"event,omitempty"`
	State   string `json:"state"`
	// By is the event that came after it, if one did, and Row the one that the
	// row is as now.
	By   *Event `json:"superseded_by,omitempty"`
	Row  *Event `json:"row,omitempty"`
	Link *Link  `json:"link,omitempty"`
	// Uses are the figures that count the row now; Views read its data set, and
	// nothing says whether they count it.
	Uses  []Use    `json:"figures"`
	Views []string `json:"other_views"`
	Kafka *Message `json:"kafka,omitempty"`
	Note  string   `json:"note,omitempty"`
}

// Back goes from events to figures, and gives each what it finds.
func (t *Tracer) Back(ctx context.Context, find Find, each func(Found) error) error {
	switch {
	case find.Record != "":
		return t.ofRecord(ctx, find, each)
	case find.Partition.Topic != "":
		f, err := t.ofPosition(ctx, find.Partition, find.Offset)
		if err != nil {
			return err
		}
		return each(f)
	}
	return t.ofLSN(ctx, find, each)
}

// feeds gives the data sets of topics, of one source if it is named.
func (t *Tracer) feeds(ctx context.Context, source string) (map[string]string, error) {
	feeds, where := map[string]string{}, "1"
	if source != "" {
		where = "source = " + quote(source)
	}
	err := t.query(ctx, "SELECT DISTINCT topic, dataset FROM ops.topic WHERE "+where, func(rows driver.Rows) error {
		var name, dataset string
		err := rows.Scan(&name, &dataset)
		feeds[name] = dataset
		return err
	})
	return feeds, err
}

func (t *Tracer) ofRecord(ctx context.Context, find Find, each func(Found) error) error {
	if t.Ledger.Record([]byte(find.Record)) {
		return each(Found{State: Erased, Uses: []Use{}, Views: []string{}})
	}
	source, rest, _ := strings.Cut(find.Record, ".")
	table, _, named := strings.Cut(rest, ":")
	if !named {
		return fmt.Errorf("%q is no name of a record: write source.table:key, as _record has it", find.Record)
	}
	feeds, err := t.feeds(ctx, source)
	if err != nil {
		return err
	}
	for name, dataset := range feeds {
		if name[strings.LastIndex(name, ".")+1:] != table {
			continue
		}
		var newest *Event
		err := t.events(ctx, dataset, "_record = "+quote(find.Record)+" AND _op NOT IN ('t', 'm')", 1, func(e Event) error {
			newest = &e
			return nil
		})
		if err != nil {
			return err
		}
		if newest == nil {
			return fmt.Errorf("bronze.%s has no event of %s: a key that is an identifier has its token in the name", dataset, find.Record)
		}
		f, err := t.became(ctx, dataset, *newest)
		if err != nil {
			return err
		}
		return each(f)
	}
	return fmt.Errorf("no topic of source %q has a table %q that the sink knows (ops.topic)", source, table)
}

func (t *Tracer) ofLSN(ctx context.Context, find Find, each func(Found) error) error {
	feeds, err := t.feeds(ctx, find.Source)
	if err != nil {
		return err
	}
	var datasets []string
	for _, dataset := range feeds {
		datasets = append(datasets, dataset)
	}
	slices.Sort(datasets)
	where := fmt.Sprintf("_lsn = %d", uint64(find.LSN))
	if find.Source != "" {
		where += " AND _source = " + quote(find.Source)
	}
	left := find.Limit
	for _, dataset := range slices.Compact(datasets) {
		if slices.Contains([]string{tables.IdentityEvent, tables.IdentityAudit, tables.IdentityLink, tables.IdentityReview}, dataset) {
			continue // their events have no place in a source's log
		}
		var some []Event
		err := t.events(ctx, dataset, where, left, func(e Event) error {
			some = append(some, e)
			return nil
		})
		if err != nil && !strings.Contains(err.Error(), "UNKNOWN_TABLE") { // a topic without an event yet
			return err
		}
		for _, e := range some {
			f, err := t.became(ctx, dataset, e)
			if err != nil {
				return err
			}
			if err := each(f); err != nil {
				return err
			}
			if left--; find.Limit > 0 && left == 0 {
				return nil
			}
		}
	}
	return nil
}

// ofPosition finds the event at a place in a topic, and when bronze does not have
// it says why.
func (t *Tracer) ofPosition(ctx context.Context, p topic.Partition, offset int64) (Found, error) {
	f := Found{Uses: []Use{}, Views: []string{}}
	feeds, err := t.feeds(ctx, "")
	if err != nil {
		return f, err
	}
	dataset, ok := feeds[p.Topic]
	if !ok {
		return f, fmt.Errorf("the sink knows no topic %q (ops.topic)", p.Topic)
	}
	var at *Event
	place := fmt.Sprintf("topic = %s AND partition = %d AND offset = %d", quote(p.Topic), p.ID, offset)
	err = t.events(ctx, dataset, fmt.Sprintf("_topic = %s AND _partition = %d AND _offset = %d", quote(p.Topic), p.ID, offset), 1, func(e Event) error {
		at = &e
		return nil
	})
	if err != nil {
		return f, err
	}
	if at != nil {
		return t.became(ctx, dataset, *at)
	}
	var gone uint64
	if err := t.count(ctx, "ops.erased_offset", place, &gone); err != nil {
		return f, err
	}
	if gone > 0 {
		f.State = Erased
		return f, nil
	}
	err = t.query(ctx, "SELECT state, record FROM ops.dead_letter FINAL WHERE "+place, func(rows driver.Rows) error {
		var state, record string
		if err := rows.Scan(&state, &record); err != nil {
			return err
		}
		if t.Ledger.Record([]byte(record)) {
			f.State = Erased
			return nil
		}
		f.Dataset, f.Record, f.State = dataset, record, DeadLetter
		f.Note = fmt.Sprintf("%s; the reason: hopluu dlq show %s %d %d", state, p.Topic, p.ID, offset)
		return nil
	})
	if err != nil || f.State != "" {
		return f, err
	}
	f.Dataset = dataset
	var first, next int64
	err = t.query(ctx, fmt.Sprintf("SELECT min(_offset), max(_offset) + 1 FROM %s WHERE _topic = %s AND _partition = %d", tables.Qualified(tables.Bronze, dataset), quote(p.Topic), p.ID), func(rows driver.Rows) error {
		return rows.Scan(&first, &next)
	})
	switch {
	case err != nil:
		return f, err
	case offset >= next:
		f.State, f.Note = Waiting, fmt.Sprintf("bronze has this partition up to offset %d", next-1)
	case offset < first:
		f.State, f.Note = Thinned, fmt.Sprintf("bronze begins at offset %d here: its retention took what was before", first)
	default:
		f.State, f.Note = Unknown, "bronze has what is before and behind it: a mark of a transaction or a tombstone stands here, or retention took it by its age; 'hopluu reconcile' compares topic and bronze"
	}
	return f, nil
}

func (t *Tracer) count(ctx context.Context, from, where string, n *uint64) error {
	return t.query(ctx, "SELECT count() FROM "+from+" WHERE "+where, func(rows driver.Rows) error { return rows.Scan(n) })
}

// became says what became of an event that bronze has.
func (t *Tracer) became(ctx context.Context, dataset string, e Event) (Found, error) {
	f := Found{Dataset: dataset, Record: e.record, Event: &e, Uses: []Use{}, Views: []string{}}
	if t.Ledger.Record([]byte(e.record)) {
		return Found{State: Erased, Uses: f.Uses, Views: f.Views}, nil
	}
	if t.Kafka != nil {
		var err error
		if f.Kafka, err = t.kafka(ctx, &e); err != nil {
			return f, err
		}
	}
	if e.Op == "t" || e.Op == "m" {
		f.Record, f.State = "", Whole
		return f, nil
	}
	var newest *Event
	where := "_record = " + quote(e.record) + " AND _source = " + quote(e.Source) + " AND _op NOT IN ('t', 'm')"
	err := t.events(ctx, dataset, where+" AND _version > toUInt128("+quote(e.version)+")", 0, func(later Event) error {
		if newest == nil {
			newest = &later
		}
		f.By = &later // the last that is given is the next one
		return nil
	})
	if err != nil {
		return f, err
	}
	now, err := t.now(ctx, dataset, []string{e.record}, moment{}.at)
	if err != nil {
		return f, err
	}
	if row, there := now[e.record]; there {
		f.State = Superseded
		if row.version == e.version {
			f.State, e.Now = RowNow, true
		}
		row.event.Now = true
		f.Row = &row.event
		links, err := t.links(ctx, []string{row.person}, moment{}.at)
		if err != nil {
			return f, err
		}
		if link, ok := links[row.person]; ok {
			f.Link = &link
		}
		return f, t.uses(ctx, &f)
	}
	last := e
	if newest != nil {
		last = *newest
	}
	f.State = Cut
	if last.Op == "d" {
		f.State = Deleted
		return f, nil
	}
	var cuts uint64
	err = t.count(ctx, tables.Qualified(tables.Bronze, dataset), "_source = "+quote(e.Source)+" AND _op IN ('t', 'm') AND _version > toUInt128("+quote(last.version)+")", &cuts)
	if err == nil && cuts == 0 {
		f.State, f.Note = Unknown, "silver does not have the row: the sink writes silver first, so this should not be; 'hopluu reconcile' tells"
	}
	return f, err
}

// uses finds the figures that count a row.
func (t *Tracer) uses(ctx context.Context, f *Found) error {
	declared := map[string]bool{}
	marts, err := clickhouse.Traced()
	if err != nil {
		return err
	}
	heads, err := clickhouse.Headlines()
	if err != nil {
		return err
	}
	for _, mart := range marts {
		name := tables.Gold + "." + mart
		declared[name] = true
		v, ok := t.views[name]
		if !ok || !slices.Contains(t.reads(v, map[string]bool{}), f.Dataset) {
			continue
		}
		if err := t.usesOf(ctx, f, mart, heads); err != nil {
			return err
		}
	}
	for name, v := range t.views {
		if v.Database == tables.Gold && !declared[name] && v.Name != "indicators" && v.Name != "catalogue" && slices.Contains(t.reads(v, map[string]bool{}), f.Dataset) {
			f.Views = append(f.Views, name)
		}
	}
	slices.Sort(f.Views)
	slices.SortStableFunc(f.Uses, func(a, b Use) int { return strings.Compare(a.View, b.View) })
	return nil
}

func (t *Tracer) usesOf(ctx context.Context, f *Found, mart string, heads map[string]string) error {
	c, _, err := clickhouse.ContributorsOf(mart)
	if err != nil {
		return err
	}
	var keys []string
	for _, key := range c.Keys {
		keys = append(keys, "CAST(toString("+tables.Ident(key)+"), 'Nullable(String)')")
	}
	from := len(f.Uses)
	err = t.query(ctx, fmt.Sprintf("SELECT k, min(p), arraySort(groupUniqArrayArray(g)) FROM (SELECT [%s] AS k, trace_part AS p, trace_figures AS g FROM (\n%s\n) WHERE trace_dataset = %s AND trace_record = %s AND notEmpty(trace_figures)) GROUP BY k ORDER BY toString(k)",
		strings.Join(keys, ", "), moment{}.inline(t, c.SQL, nil), quote(f.Dataset), quote(f.Record)), func(rows driver.Rows) error {
		var values []*string
		use := Use{View: tables.Gold + "." + mart}
		if err := rows.Scan(&values, &use.Part, &use.Figures); err != nil {
			return err
		}
		for i, key := range c.Keys {
			use.Row = append(use.Row, Cell{key, values[i]})
		}
		f.Uses = append(f.Uses, use)
		return nil
	})
	if err != nil {
		return fmt.Errorf("gold.%s: %w", mart, err)
	}
	for code, query := range heads {
		m := fromMart.FindStringSubmatch(query)
		if m == nil || m[1] != mart {
			continue
		}
		for _, use := range f.Uses[from:] {
			if use.View != tables.Gold+"."+mart {
				continue
			}
			where := []string{"1"}
			if m[2] != "" {
				where = append(where, "("+m[2]+")")
			}
			row := Figure{Row: use.Row}
			for _, key := range c.Keys {
				where = append(where, row.is(key))
			}
			to := headline(query, c)
			if len(to) > 0 && !slices.ContainsFunc(use.Figures, func(name string) bool { return slices.Contains(to, name) }) {
				continue
			}
			var n uint64
			if err := t.count(ctx, "gold."+mart, strings.Join(where, " AND "), &n); err != nil {
				return err
			}
			if n > 0 {
				f.Uses = append(f.Uses, Use{View: "gold.indicators", Row: []Cell{{"code", &code}}, Part: use.Part, Figures: []string{"value"}})
				break
			}
		}
	}
	return nil
}
