package reconcile

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"sync"
	"time"

	"github.com/hopluu/hopluu/schemas/sectors"
	"github.com/hopluu/hopluu/schemas/topic"
	"github.com/prometheus/client_golang/prometheus"
)

// WatchConfig is what the comparison in the background needs.
type WatchConfig struct {
	Config
	Sources []Source
	Budget  Budget
	// Every is between the beginnings of two rounds; one that takes longer is
	// followed by the next at once.
	Every time.Duration
	// RangeRows is how many rows a range has, 0 for rangeRows.
	RangeRows int
	// Rounds is after how many rounds it ends, 0 for never.
	Rounds int
	// Repair is the policy for keys that differ, and RepairKeys of how many in a
	// table it may act by itself. Repaired is told of what was done.
	Repair     string
	RepairKeys int
	Repaired   func(ctx context.Context, p *Plan, began time.Time, err error)
	Log        *slog.Logger
	Metrics    prometheus.Registerer
}

// The policies for keys that differ.
const (
	RepairNever = "never" // tell of them
	RepairAsk   = "ask"   // tell also how they are repaired
	RepairAuto  = "auto"  // repair them
)

// Watch compares everything again and again, a range at a time, within its
// budget.
type Watch struct {
	WatchConfig
	metrics *metrics

	mu      sync.Mutex
	trouble error
}

// NewWatch makes one; Run has it work.
func NewWatch(c WatchConfig) *Watch {
	if c.RangeRows <= 0 {
		c.RangeRows = watchedRows
	}
	if c.Repair == "" {
		c.Repair = RepairNever
	}
	return &Watch{WatchConfig: c, metrics: newMetrics(c.Metrics)}
}

const (
	// watchedRows is how many rows a range has: it is read in a fraction of a
	// second, for which the source keeps what its snapshot sees (P7).
	watchedRows = 20_000
	// tries is how often a range is tried before its table is left to the next
	// round.
	tries = 3
	// retryPause is between two tries.
	retryPause = 2 * time.Second
)

// Ready tells why the last range could not be compared.
func (w *Watch) Ready() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.trouble
}

func (w *Watch) is(trouble error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.trouble = trouble
}

// Run works until the context ends, or for Rounds rounds. It gives what the
// last round found of each table, when it ends by itself. A round that was left
// in the middle goes on where it was.
func (w *Watch) Run(ctx context.Context) (found []Result, err error) {
	var r *round
	if err := w.insist(ctx, func() (err error) {
		r, err = lastRound(ctx, w.ClickHouse)
		return err
	}); err != nil {
		return nil, err
	}
	switch {
	case r == nil:
		r = newRound()
	case !w.whole(r):
		w.Log.Info("the round that was left goes on", "round", r.id.String(), "since", r.began.UTC().Format(time.RFC3339))
	default:
		if w.Rounds == 0 {
			if err := pause(ctx, time.Until(r.began.Add(w.Every))); err != nil {
				return nil, err
			}
		}
		r = newRound()
	}
	for n := 1; ; n++ {
		if found, err = w.round(ctx, r); err != nil {
			return nil, err
		}
		if n == w.Rounds {
			return found, nil
		}
		if err := pause(ctx, time.Until(r.began.Add(w.Every))); err != nil {
			return nil, err
		}
		r = newRound()
	}
}

// whole tells whether nothing of the round is left to do.
func (w *Watch) whole(r *round) bool {
	for _, s := range w.Sources {
		for _, t := range s.Sector.Tables {
			if !r.done[s.Name+" "+t.Schema+"."+t.Name] {
				return false
			}
		}
	}
	return true
}

// insist tries until it succeeds: without its journal nothing is compared.
func (w *Watch) insist(ctx context.Context, do func() error) error {
	for {
		err := do()
		if err == nil || ctx.Err() != nil {
			return errors.Join(err, ctx.Err())
		}
		w.is(err)
		w.Log.Error("the reconciliation cannot be noted; it is tried again", "error", err, "again_in", retryPause.String())
		if err := pause(ctx, retryPause); err != nil {
			return err
		}
	}
}

// round compares what is left of a round, one table after another.
func (w *Watch) round(ctx context.Context, r *round) (found []Result, err error) {
	w.Log.Info("a round of reconciliation begins", "round", r.id.String())
	differing, failed := 0, 0
	for _, source := range w.Sources {
		for _, t := range source.Sector.Tables {
			name := t.Schema + "." + t.Name
			if !r.done[source.Name+" "+name] {
				if err := w.table(ctx, r, source, t); err != nil {
					return nil, err
				}
				r.done[source.Name+" "+name] = true
			}
			var result Result
			if err := w.insist(ctx, func() (err error) {
				result, err = total(ctx, w.ClickHouse, r.id, source.Name, t)
				return err
			}); err != nil {
				return nil, err
			}
			if result.Error = r.of(source.Name, name).failed; result.Error != "" {
				result.OK = false
				failed++
			} else if !result.OK {
				differing++
			}
			found = append(found, result)
		}
	}
	w.metrics.roundSeconds.Set(time.Since(r.began).Seconds())
	w.Log.Info("a round of reconciliation is done", "round", r.id.String(), "tables", len(found), "differ", differing, "not_compared", failed, "took", time.Since(r.began).Round(time.Second).String())
	return found, nil
}

// table compares what is left of a table in a round. A table that cannot be
// compared is noted as such, and the others go on: the error is the context's.
func (w *Watch) table(ctx context.Context, r *round, source Source, t sectors.Table) error {
	name := t.Schema + "." + t.Name
	at := r.of(source.Name, name)
	if len(at.number) == 0 {
		w.metrics.differing.WithLabelValues(source.Name, name).Set(0)
		w.metrics.waiting.WithLabelValues(source.Name, name).Set(0)
		w.metrics.bronze.WithLabelValues(source.Name, name).Set(0)
	}
	step := func(one func(context.Context) (*entry, time.Duration, error)) (err error) {
		for try := 1; ; try++ {
			e, took, err := one(ctx)
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if err == nil {
				w.is(nil)
				return w.compared(ctx, r, at, e, took)
			}
			w.is(fmt.Errorf("source %s, table %s: %w", source.Name, name, err))
			w.metrics.failures.WithLabelValues(source.Name, name).Inc()
			w.Log.Warn("a range cannot be compared", "source", source.Name, "table", name, "try", try, "error", err)
			if try == tries {
				at.failed = err.Error()
				return errLeft
			}
			if err := pause(ctx, retryPause); err != nil {
				return err
			}
		}
	}
	err := w.steps(ctx, at, source, t, step)
	if err != nil && !errors.Is(err, errLeft) {
		return err
	}
	var result Result
	if err := w.insist(ctx, func() (err error) {
		if result, err = total(ctx, w.ClickHouse, r.id, source.Name, t); err != nil {
			return err
		}
		if result.Error = at.failed; at.failed != "" {
			result.OK = false
		}
		return save(ctx, w.ClickHouse, r.id, result)
	}); err != nil {
		return err
	}
	w.repair(ctx, at, source, t)
	at.suspects = nil
	if at.failed == "" {
		w.metrics.at.WithLabelValues(source.Name, name).SetToCurrentTime()
	}
	if result.Waiting > 0 || result.UnreadableLetters > 0 {
		w.Log.Warn("dead letters are open", "source", source.Name, "table", name, "keys_that_wait", result.Waiting, "unreadable", result.UnreadableLetters, "samples", result.WaitingKeys, "see", "hopluu dlq list")
	}
	if at.failed == "" && !result.OK {
		w.Log.Error("source and ClickHouse differ", "source", source.Name, "table", name, "missing", result.Counts[missing], "extra", result.Counts[extra], "different", result.Counts[different],
			"lost_in_bronze", result.Topic.Offsets.LostCount, "doubled_in_bronze", result.Topic.Offsets.DoubledCount, "samples", result.samples())
	}
	return nil
}

// errLeft says that a table is left to the next round.
var errLeft = errors.New("the table is left to the next round")

// steps are the ranges that are left of a table: of its rows, then of its topic.
func (w *Watch) steps(ctx context.Context, at *standing, source Source, t sectors.Table, step func(func(context.Context) (*entry, time.Duration, error)) error) error {
	for !at.finished[rowsKind] {
		err := step(func(ctx context.Context) (*entry, time.Duration, error) { return w.rows(ctx, at, source, t) })
		if err != nil {
			return err
		}
	}
	name := topic.Public(source.Name, t.Schema, t.Name)
	spans, err := passedOffsets(ctx, w.Config, name)
	if err != nil {
		return step(func(context.Context) (*entry, time.Duration, error) { return nil, 0, err })
	}
	for _, p := range ordered(spans) {
		s := spans[p]
		for s.start = max(s.start, at.offsets[p.ID]); s.start < s.end; s.start = at.offsets[p.ID] {
			part := span{start: s.start, end: min(s.end, s.start+spanOffsets)}
			if err := step(func(ctx context.Context) (*entry, time.Duration, error) { return w.events(ctx, at, source, t, p, part) }); err != nil {
				return err
			}
		}
	}
	return nil
}

// rows compares the next range of a table's rows.
func (w *Watch) rows(ctx context.Context, at *standing, source Source, t sectors.Table) (*entry, time.Duration, error) {
	found, err := compareStretch(ctx, w.Config, source, t, at.begin(w.RangeRows))
	if err != nil {
		return nil, 0, err
	}
	return found.entry(source, t, at.number[rowsKind]), found.took, nil
}

// events compares a span of a topic's partition with bronze.
func (w *Watch) events(ctx context.Context, at *standing, source Source, t sectors.Table, p topic.Partition, s span) (*entry, time.Duration, error) {
	began := time.Now()
	found, err := compareSpans(ctx, w.Kafka, w.ClickHouse, source.Sector.Sector+"_"+t.Name, map[topic.Partition]span{p: s})
	if err != nil {
		return nil, 0, err
	}
	partition := strconv.Itoa(int(p.ID))
	o := found.Offsets
	return &entry{
		source: source.Name, table: t.Schema + "." + t.Name, kind: topicKind, number: at.number[topicKind],
		after: []string{partition, strconv.FormatInt(s.start, 10)}, upTo: []string{partition, strconv.FormatInt(s.end, 10)},
		left: side{rows: found.Events, sum: found.sum}, right: side{rows: found.Bronze + found.DeadLetters + found.Erased + found.LetGo, sum: found.bronzeSum},
		counts:     map[difference]int{missing: int(o.LostCount), extra: int(o.UnknownCount), different: int(o.DoubledCount)},
		samples:    map[difference][]string{missing: o.Lost, extra: o.Unknown, different: o.Doubled},
		duplicates: found.Duplicates, ok: found.OK,
	}, time.Since(began), nil
}

// compared notes a range and rests as the budget says.
func (w *Watch) compared(ctx context.Context, r *round, at *standing, e *entry, took time.Duration) error {
	if err := w.insist(ctx, func() error { return e.write(ctx, w.ClickHouse, r.id) }); err != nil {
		return err
	}
	if err := at.pass(e); err != nil {
		return err
	}
	rows := max(e.left.rows, e.right.rows)
	w.metrics.rows.WithLabelValues(e.source, e.table).Add(float64(rows))
	w.metrics.ranges.WithLabelValues(e.source, e.table).Inc()
	differ := float64(e.counts[missing] + e.counts[extra] + e.counts[different])
	if room := w.RepairKeys + 1 - len(at.suspects); room > 0 {
		at.suspects = append(at.suspects, e.suspects[:min(room, len(e.suspects))]...)
	}
	e.suspects = nil
	if e.kind == rowsKind {
		w.metrics.differing.WithLabelValues(e.source, e.table).Add(differ)
		w.metrics.waiting.WithLabelValues(e.source, e.table).Add(float64(e.waiting))
	} else {
		w.metrics.bronze.WithLabelValues(e.source, e.table).Add(differ)
	}
	if !e.ok {
		w.Log.Error("a range differs", "source", e.source, "table", e.table, "of", e.kind, "after", e.after, "up_to", e.upTo, "lsn", e.lsn.String(),
			"missing", e.samples[missing], "extra", e.samples[extra], "different", e.samples[different])
	}
	rest := w.Budget.rest(took, rows)
	w.metrics.restSeconds.Set(rest.Seconds())
	return pause(ctx, rest)
}

func pause(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
