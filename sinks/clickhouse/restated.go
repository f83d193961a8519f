package clickhouse

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/hopluu/hopluu/schemas/topic"
	"github.com/hopluu/hopluu/sinks/clickhouse/restate"
	"github.com/hopluu/hopluu/sinks/clickhouse/tables"
)

// What bounds the cost of finding restated figures.
const (
	// roundEvents is how many merges and splits one round reads, and roundParts
	// in how many steps it counts them: one at a time when there are few, many
	// at a time in a rush, as when a source is read for the first time.
	roundEvents = 2000
	roundParts  = 4
	// roundRest is how many times as long as a round the rest after it is.
	roundRest = 4
	// failedRest is the rest after a round that failed.
	failedRest = 10 * time.Second
	// linksLast is how long a round waits for links that its events speak of.
	linksLast  = 20 * time.Second
	linksAgain = 500 * time.Millisecond
)

// restater lists in ops.restated which figures each merge or split of persons
// changed. It works beside the writing of events, in the process that owns the
// partition of identity.event; what two processes find at the same time is
// written once (see write).
type restater struct {
	server  *server
	log     *slog.Logger
	metrics *metrics
	// tablesOf gives the data set of a table, by "<source>.<table>".
	tablesOf map[string]string
	wake     chan struct{}

	mu     sync.Mutex
	shapes map[string]*tables.Table
	parts  []int32 // of identity.event, that this process owns
}

func newRestater(s *server, r routes, m *metrics, log *slog.Logger) *restater {
	of := map[string]string{}
	for _, route := range r {
		of[route.source+"."+route.desc.Name] = route.dataset
	}
	return &restater{server: s, log: log, metrics: m, tablesOf: of, wake: make(chan struct{}, 1)}
}

// look asks for a round.
func (r *restater) look() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// shape tells which tables there are.
func (r *restater) shape(shapes map[string]*tables.Table) {
	r.mu.Lock()
	r.shapes = shapes
	r.mu.Unlock()
	r.look()
}

// own tells which partitions this process reads.
func (r *restater) own(parts []topic.Partition) {
	var own []int32
	for _, p := range parts {
		if p.Topic == topic.IdentityEvent {
			own = append(own, p.ID)
		}
	}
	slices.Sort(own)
	r.mu.Lock()
	r.parts = own
	r.mu.Unlock()
	r.look()
}

// keep counts again whenever there are merges or splits, until ctx ends.
func (r *restater) keep(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-r.wake:
		}
		begun, least := time.Now(), linksAgain
		if err := r.round(ctx); err != nil && ctx.Err() == nil {
			least = failedRest
			r.log.Error("the figures that merges and splits of persons changed are not listed yet; it is tried again", "error", err)
			r.look()
		}
		rest := time.NewTimer(max(least, roundRest*time.Since(begun)))
		select {
		case <-ctx.Done():
			rest.Stop()
			return
		case <-rest.C:
		}
	}
}

// round lists what the next events of the own partitions restated.
func (r *restater) round(ctx context.Context) error {
	r.mu.Lock()
	parts, shapes := r.parts, r.shapes
	r.mu.Unlock()
	var failed []error
	for _, p := range parts {
		more, err := r.partition(ctx, p, shapes)
		failed = append(failed, err)
		if more {
			r.look()
		}
	}
	return errors.Join(failed...)
}

func (r *restater) partition(ctx context.Context, part int32, shapes map[string]*tables.Table) (more bool, err error) {
	last, err := r.last(ctx, part)
	if err != nil {
		return false, err
	}
	events, err := r.events(ctx, part, last)
	if err != nil || len(events) == 0 {
		return false, err
	}
	citizens, err := r.citizens(ctx, events)
	if err != nil {
		return false, err
	}
	marts, headlines, err := r.definitions(shapes)
	if err != nil {
		return false, err
	}
	for i, j := 0, 0; i < len(events); i = j {
		j = min(i+groupSize(len(events)), len(events))
		before, after := restate.Sides(events, i, j, citizens)
		found, skipped, err := r.compare(ctx, marts, headlines, r.touched(events[i:j]), before, after)
		if err != nil {
			return false, err
		}
		// The next group begins where the last one ended, whoever wrote that.
		now, err := r.last(ctx, part)
		if err != nil {
			return false, err
		}
		if now != last {
			return true, nil
		}
		if err := r.write(ctx, part, last, events[i:j], found, skipped); err != nil {
			return false, err
		}
		last = events[j-1].Offset
	}
	return len(events) == roundEvents, nil
}

// groupSize is how many of a round's events are counted together.
func groupSize(events int) int { return (events + roundParts - 1) / roundParts }

// last is the offset of the last event whose figures are listed, -1 when there
// is none.
func (r *restater) last(ctx context.Context, part int32) (last int64, err error) {
	last = -1
	err = r.server.query(ctx, fmt.Sprintf("SELECT max(event_last) FROM ops.restated WHERE event_partition = %d AND figure = '' HAVING count() > 0", part), func(rows driver.Rows) error {
		return rows.Scan(&last)
	})
	return last, err
}

func (r *restater) events(ctx context.Context, part int32, last int64) (events []restate.Event, err error) {
	err = r.server.query(ctx, fmt.Sprintf("SELECT _offset, ifNull(before, '[]'), ifNull(after, '[]') FROM bronze.identity_event WHERE _partition = %d AND _offset > %d ORDER BY _offset LIMIT %d", part, last, roundEvents), func(rows driver.Rows) error {
		var offset int64
		var before, after string
		if err := rows.Scan(&offset, &before, &after); err != nil {
			return err
		}
		e, err := restate.Read(offset, before, after)
		if err != nil {
			// The matcher wrote it, and no waiting mends it.
			r.log.Error("a merge or split cannot be read, and restates nothing", "error", err)
			e = restate.Event{Offset: offset}
		}
		events = append(events, e)
		return nil
	})
	return events, err
}

// citizens waits until the links that the events speak of are here, for a
// while: they come in one transaction, but on another way, and compaction may
// have taken what a later link replaced. It gives the citizens of their persons.
func (r *restater) citizens(ctx context.Context, events []restate.Event) (map[restate.Pair]string, error) {
	want := map[restate.Pair]bool{}
	for i := range events {
		for _, m := range events[i].After {
			for _, record := range m.Records {
				want[restate.Pair{Record: record, Person: m.Person}] = true
			}
		}
	}
	ctx = clickhouse.Context(ctx, clickhouse.WithSettings(largeQuery))
	for until := time.Now().Add(linksLast); ; {
		all, missing := map[restate.Pair]string{}, len(want)
		for records := range slices.Chunk(restate.Records(events), 10_000) {
			err := r.server.query(ctx, "SELECT record, assumeNotNull(person_id), ifNull(argMax(citizen, _version), '') FROM bronze.identity_link WHERE _source = "+quote(tables.IdentitySource)+
				" AND person_id IS NOT NULL AND record IN ["+quotedList(records)+"] GROUP BY record, person_id", func(rows driver.Rows) error {
				var p restate.Pair
				var citizen string
				if err := rows.Scan(&p.Record, &p.Person, &citizen); err != nil {
					return err
				}
				all[p] = citizen
				if want[p] {
					missing--
				}
				return nil
			})
			if err != nil {
				return nil, err
			}
		}
		if missing == 0 || time.Now().After(until) {
			return all, nil
		}
		again := time.NewTimer(linksAgain)
		select {
		case <-ctx.Done():
			again.Stop()
			return nil, context.Cause(ctx)
		case <-again.C:
		}
	}
}

// figure is a mart or an indicator with what it reads.
type figure struct {
	restate.Mart
	defined restate.Definitions
	// over are the data sets whose links its people are found by; none means
	// all.
	over []string
	// marts are those that an indicator reads.
	marts []string
}

// definitions gives the marts and the indicators that depend on links and whose
// tables are there.
func (r *restater) definitions(shapes map[string]*tables.Table) (marts, headlines []figure, err error) {
	defined := restate.Definitions{}
	people := map[string]string{} // the data set whose links the rows of a view follow
	for dataset, t := range shapes {
		if !t.Keyed() || dataset == tables.IdentityLink {
			continue
		}
		var to *tables.Table
		if t.Person != nil {
			people["silver.v_"+dataset] = dataset
			if !t.Person.Direct {
				via := t.Sector + "_" + t.Person.To
				people["silver.v_"+dataset] = via
				if to = shapes[via]; to == nil {
					continue
				}
			}
		}
		if sql, err := t.View(to); err == nil { // else silver has no such view either
			defined["silver.v_"+dataset] = sql
		}
	}
	files, err := fs.Glob(goldFiles, "views/gold/*.sql")
	if err != nil {
		return nil, nil, err
	}
	made := map[string]bool{}
	var all []restate.Mart
	for _, file := range files {
		sql, err := goldFiles.ReadFile(file)
		if err != nil {
			return nil, nil, err
		}
		m := restate.ReadMart(goldName(file), string(sql))
		defined["gold."+m.Name] = m.SQL
		all = append(all, m)
	}
	for _, m := range all {
		views, ok := defined.Reads(m.SQL)
		made[m.Name] = ok
		if !ok || len(m.Figures) == 0 {
			continue
		}
		f := figure{Mart: m, defined: defined}
		for _, v := range views {
			if p := people[v]; p != "" {
				f.over = append(f.over, p)
			}
		}
		marts = append(marts, f)
	}
	queries, err := indicators(made)
	if err != nil {
		return nil, nil, err
	}
	for _, q := range queries {
		f := figure{Mart: restate.Indicator(q), defined: defined}
		for _, mart := range martName.FindAllStringSubmatch(q, -1) {
			f.marts = append(f.marts, mart[1])
		}
		headlines = append(headlines, f)
	}
	return marts, headlines, nil
}

// touched gives the data sets of the events' records; nil when one of them is
// of a table that is not known.
func (r *restater) touched(events []restate.Event) []string {
	var of []string
	for _, record := range restate.Records(events) {
		name, _, _ := strings.Cut(record, ":")
		dataset, ok := r.tablesOf[name]
		if !ok {
			return nil
		}
		if !slices.Contains(of, dataset) {
			of = append(of, dataset)
		}
	}
	return of
}

// restated is one figure that differs.
type restated struct {
	figure, column string
	dimensions     map[string]string
	before, after  *float64
	asOf           *time.Time
}

// compare counts what may differ, and gives what does. Of a figure that
// ClickHouse cannot count, for its memory or time, the name is in skipped.
func (r *restater) compare(ctx context.Context, marts, headlines []figure, touched []string, before, after []restate.Link) (found []restated, skipped []string, err error) {
	changed := map[string]bool{}
	count := func(f *figure) error {
		lines, err := r.one(ctx, f, before, after)
		switch {
		case err == nil:
		case ctx.Err() != nil, code(err) == 0:
			return err
		case missing(err):
			return nil // no one could read it yet
		default:
			r.log.Error("a figure cannot be counted with the links before and after a merge or split: what it restated is not listed", "figure", "gold."+f.Name, "error", err)
			skipped = append(skipped, f.Name)
			return nil
		}
		if len(lines) > 0 {
			changed[f.Name] = true
		}
		found = append(found, lines...)
		return nil
	}
	for i := range marts {
		f := &marts[i]
		if len(f.over) > 0 && touched != nil && !slices.ContainsFunc(f.over, func(d string) bool { return slices.Contains(touched, d) }) {
			continue
		}
		if err := count(f); err != nil {
			return nil, nil, err
		}
	}
	for i := range headlines {
		if f := &headlines[i]; slices.ContainsFunc(f.marts, func(m string) bool { return changed[m] }) {
			if err := count(f); err != nil {
				return nil, nil, err
			}
		}
	}
	return found, skipped, nil
}

// largeQuery lets a statement name the records of many events, and keeps it
// from taking what readers need.
var largeQuery = clickhouse.Settings{"max_query_size": 256 << 20, "max_ast_elements": 10_000_000, "max_expanded_ast_elements": 10_000_000, "max_threads": 1}

func (r *restater) one(ctx context.Context, f *figure, before, after []restate.Link) (lines []restated, err error) {
	ctx, cancel := context.WithTimeout(clickhouse.Context(ctx, clickhouse.WithSettings(largeQuery)), statementTimeout)
	defer cancel()
	err = r.server.query(ctx, f.defined.Compare(f.Mart, before, after), func(rows driver.Rows) error {
		var inBefore, inAfter uint8
		var dimensions []string
		var was, is []*float64
		var asOf *time.Time
		if err := rows.Scan(&inBefore, &inAfter, &dimensions, &was, &is, &asOf); err != nil {
			return err
		}
		of := map[string]string{}
		for i, d := range f.Dimensions {
			of[d] = dimensions[i]
		}
		for i, column := range f.Figures {
			line := restated{figure: f.Name, column: column, dimensions: of, asOf: asOf}
			if inBefore == 1 {
				line.before = was[i]
			}
			if inAfter == 1 {
				line.after = is[i]
			}
			if (line.before == nil) != (line.after == nil) || line.before != nil && *line.before != *line.after {
				lines = append(lines, line)
			}
		}
		return nil
	})
	return lines, err
}

// write lists what a group of events restated, and that it is counted, in one
// block: all of it is there or nothing. Its token names the offset that it
// follows, so that of two processes that count the same events, in groups of
// whatever size, and of an insert that seemed to fail and is sent again, one
// counts.
func (r *restater) write(ctx context.Context, part int32, follows int64, events []restate.Event, found []restated, skipped []string) error {
	first, last := events[0].Offset, events[len(events)-1].Offset
	offsets := make([]int64, len(events))
	for i := range events {
		offsets[i] = events[i].Offset
	}
	n := 1 + len(found)
	parts, firsts, lasts := slices.Repeat([]int32{part}, n), slices.Repeat([]int64{first}, n), slices.Repeat([]int64{last}, n)
	at := slices.Repeat([]time.Time{time.Now().UTC()}, n)
	all, skips := make([][]int64, n), make([][]string, n)
	figures, columns, dimensions := make([]string, n), make([]string, n), make([]map[string]string, n)
	before, after, asOf := make([]*float64, n), make([]*float64, n), make([]*time.Time, n)
	all[0], skips[0], dimensions[0] = offsets, skipped, map[string]string{}
	for i := range found {
		f := &found[i]
		figures[i+1], columns[i+1], dimensions[i+1] = f.figure, f.column, f.dimensions
		before[i+1], after[i+1], asOf[i+1] = f.before, f.after, f.asOf
		r.metrics.restated.WithLabelValues(f.figure).Inc()
	}
	return r.server.appendOnce(ctx, fmt.Sprintf("restated:%d:%d", part, follows),
		"INSERT INTO ops.restated (event_partition, event_first, event_last, figure, column, dimensions, old_value, new_value, as_of, restated_at, events, skipped)",
		parts, firsts, lasts, figures, columns, dimensions, before, after, asOf, at, all, skips)
}
