package trace

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/hopluu/hopluu/schemas/event"
	"github.com/hopluu/hopluu/sinks/clickhouse/tables"
)

// Event is one event as bronze has it.
type Event struct {
	Topic       string    `json:"topic"`
	Partition   int32     `json:"partition"`
	Offset      int64     `json:"offset"`
	LSN         string    `json:"lsn"`
	CommitTime  time.Time `json:"commit_time"`
	Op          string    `json:"op"`
	Transaction int64     `json:"transaction"`
	Source      string    `json:"source"`
	// Now tells that the row is as this event left it.
	Now bool `json:"now"`

	record, version string
}

// Position is topic/partition/offset, as --event takes it.
func (e Event) Position() string { return fmt.Sprintf("%s/%d/%d", e.Topic, e.Partition, e.Offset) }

// Link says to which person a row belongs, and by what.
type Link struct {
	Record    string   `json:"record"` // of which the link is: the row's own, or the one that it speaks through
	Person    string   `json:"person_id"`
	Citizen   string   `json:"citizen,omitempty"`
	Decision  string   `json:"decision"`
	Rule      string   `json:"rule,omitempty"`
	Weight    *float64 `json:"weight,omitempty"`
	Model     string   `json:"model_version"`
	Topic     string   `json:"topic"`
	Partition int32    `json:"partition"`
	Offset    int64    `json:"offset"`
}

// Row is a row of silver that a figure counts.
type Row struct {
	Dataset string   `json:"dataset"`
	Record  string   `json:"record"`
	Part    string   `json:"part"`
	Figures []string `json:"figures"`
	// Events are those of the record, the newest first.
	Events []Event `json:"events"`
	Link   *Link   `json:"link,omitempty"`
	// Note says what is not here, and why.
	Note string `json:"note,omitempty"`
}

// chunk is how many rows are looked up at a time.
const chunk = 500

// Rows gives the rows of a figure to each, by data set and part; limit bounds
// how many of each data set and part, none when it is 0.
func (t *Tracer) Rows(ctx context.Context, f *Figure, limit int, each func(Row) error) error {
	if !f.Named {
		return nil
	}
	var some []Row
	flush := func() error {
		if err := t.fill(ctx, some, f.at); err != nil {
			return err
		}
		for _, r := range some {
			if err := each(r); err != nil {
				return err
			}
		}
		some = some[:0]
		return nil
	}
	take := func(r Row) error {
		if len(some) == chunk || len(some) > 0 && some[0].Dataset != r.Dataset {
			if err := flush(); err != nil {
				return err
			}
		}
		some = append(some, r)
		return nil
	}
	if f.known == nil {
		by := ""
		if limit > 0 {
			by = fmt.Sprintf(" LIMIT %d BY trace_part, trace_dataset", limit)
		}
		if err := t.contributing(ctx, f, by, take); err != nil {
			return err
		}
		return flush()
	}
	n := map[Count]int{}
	for _, r := range f.known {
		of := Count{Dataset: r.Dataset, Part: r.Part}
		if n[of]++; limit > 0 && n[of] > limit {
			continue
		}
		if err := take(r); err != nil {
			return err
		}
	}
	return flush()
}

// erased stands for all that could be said of an erased record (P12).
const erased = "erased"

// fill looks up events and links of rows of one data set.
func (t *Tracer) fill(ctx context.Context, some []Row, at time.Time) error {
	if len(some) == 0 {
		return nil
	}
	var ask []string
	for i := range some {
		some[i].Events = []Event{}
		if t.Ledger.Record([]byte(some[i].Record)) {
			some[i] = Row{Dataset: some[i].Dataset, Part: some[i].Part, Figures: some[i].Figures, Events: []Event{}, Note: erased}
			continue
		}
		ask = append(ask, some[i].Record)
	}
	if len(ask) == 0 {
		return nil
	}
	dataset := some[0].Dataset
	until := ""
	if !at.IsZero() {
		until = " AND _commit_time <= " + (moment{at}).literal()
	}
	events := map[string][]Event{}
	err := t.events(ctx, dataset, "_record IN ("+strings.Trim(list(ask), "[]")+") AND _op NOT IN ('t', 'm')"+until, 0, func(e Event) error {
		events[e.record] = append(events[e.record], e)
		return nil
	})
	if err != nil {
		return err
	}
	now, err := t.now(ctx, dataset, ask, at)
	if err != nil {
		return err
	}
	var through []string
	for _, n := range now {
		if n.person != "" {
			through = append(through, n.person)
		}
	}
	links, err := t.links(ctx, through, at)
	if err != nil {
		return err
	}
	for i := range some {
		r := &some[i]
		n, there := now[r.Record]
		if r.Note != "" {
			continue
		}
		for _, e := range events[r.Record] {
			e.Now = there && e.version == n.version
			r.Events = append(r.Events, e)
		}
		if link, ok := links[n.person]; ok {
			r.Link = &link
		}
		if !slices.ContainsFunc(r.Events, func(e Event) bool { return e.Now }) {
			r.Note = "bronze does not have its last event (its retention took it, or the row changed meanwhile)"
			if there {
				n.event.Now = true
				r.Events = append([]Event{n.event}, r.Events...)
			}
		}
	}
	return nil
}

const eventColumns = "_topic, _partition, _offset, _lsn, _commit_time, _op, _source, _record, toString(_version)"

func scanEvent(rows driver.Rows, more ...any) (e Event, err error) {
	var lsn uint64
	err = rows.Scan(append([]any{&e.Topic, &e.Partition, &e.Offset, &lsn, &e.CommitTime, &e.Op, &e.Source, &e.record, &e.version}, more...)...)
	e.LSN = event.LSN(lsn).String()
	return e, err
}

// events gives the events of a data set, the newest of a record first.
func (t *Tracer) events(ctx context.Context, dataset, where string, limit int, each func(Event) error) error {
	sql := "SELECT " + eventColumns + ", _tx FROM " + tables.Qualified(tables.Bronze, dataset) + " WHERE " + where + " ORDER BY _record, _version DESC"
	if limit > 0 {
		sql += fmt.Sprintf(" LIMIT %d", limit)
	}
	return t.query(ctx, sql, func(rows driver.Rows) error {
		var tx int64
		e, err := scanEvent(rows, &tx)
		if err != nil {
			return err
		}
		e.Transaction = tx
		return each(e)
	})
}

// standing is a row of silver: its version, and the record whose link it follows.
type standing struct {
	version, person string
	event           Event
}

// now gives the rows of silver, or those of history as they were.
func (t *Tracer) now(ctx context.Context, dataset string, records []string, at time.Time) (map[string]standing, error) {
	found := map[string]standing{}
	person, linked := t.persons[dataset]
	switch {
	case dataset == tables.IdentityLink:
		person = "t.record"
	case !linked:
		person = "''"
	}
	in := "(" + strings.Trim(list(records), "[]") + ")"
	from, where, columns := tables.Qualified(tables.Silver, dataset)+" AS t FINAL", "t._record IN "+in, "t._topic, t._partition, t._offset, t._lsn, t._commit_time, t._op, t._source, t._record, toString(t._version)"
	if !at.IsZero() {
		literal := (moment{at}).literal()
		from = tables.Qualified(tables.Silver, dataset+"_history") + " AS t"
		where += fmt.Sprintf(" AND t._valid_from <= %s AND (t._valid_to IS NULL OR t._valid_to > %s) AND NOT t._deleted", literal, literal)
		columns = "t._topic, t._partition, t._offset, toUInt64(0), t._valid_from, t._op, t._source, t._record, toString(t._version)"
	}
	err := t.query(ctx, "SELECT "+columns+", ifNull("+person+", '') FROM "+from+" WHERE "+where, func(rows driver.Rows) error {
		var person string
		e, err := scanEvent(rows, &person)
		found[e.record] = standing{e.version, person, e}
		return err
	})
	return found, err
}

// links gives the links of records.
func (t *Tracer) links(ctx context.Context, records []string, at time.Time) (map[string]Link, error) {
	found := map[string]Link{}
	if len(records) == 0 {
		return found, nil
	}
	in := "record IN (" + strings.Trim(list(records), "[]") + ")"
	of := func(name string) string { return "ifNull(" + name + ", '')" }
	sql := "SELECT record, " + of("person_id") + ", " + of("citizen") + ", " + of("decision") + ", " + of("rule") + ", " + of("model_version") + ", weight, _topic, _partition, _offset FROM silver.identity_link FINAL WHERE " + in
	if !at.IsZero() {
		last := func(name string) string { return "argMax(tuple(" + name + "), _version).1" }
		sql = "SELECT record, " + of(last("person_id")) + ", " + of(last("citizen")) + ", " + of(last("decision")) + ", " + of(last("rule")) + ", " + of(last("model_version")) + ", " + last("weight") + ", argMax(_topic, _version), argMax(_partition, _version), argMax(_offset, _version)" +
			" FROM bronze.identity_link WHERE " + in + " AND _commit_time <= " + (moment{at}).literal() + " GROUP BY record HAVING argMax(_is_deleted, _version) = 0"
	}
	err := t.query(ctx, sql, func(rows driver.Rows) error {
		var l Link
		err := rows.Scan(&l.Record, &l.Person, &l.Citizen, &l.Decision, &l.Rule, &l.Model, &l.Weight, &l.Topic, &l.Partition, &l.Offset)
		found[l.Record] = l
		return err
	})
	return found, err
}
