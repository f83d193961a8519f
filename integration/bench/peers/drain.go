package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hopluu/hopluu/integration/bench/usage"
	"github.com/hopluu/hopluu/schemas/topic"
	"github.com/jackc/pgx/v5"
)

// result is one run of one contender over one load.
type result struct {
	Load      string `json:"load"`
	Contender string `json:"contender"`
	Run       int    `json:"run"`
	Rows      int    `json:"rows"`
	// Seconds from the moment at which the contender reads its slot to the last
	// row's showing to read-committed readers (or, of a floor, to its end).
	Seconds float64 `json:"seconds"`
	// RowsPerSecond over all of it, SteadyRowsPerSecond over the second half
	// of the rows: without a virtual machine's warming up.
	RowsPerSecond       float64 `json:"rows_per_second"`
	SteadyRowsPerSecond float64 `json:"steady_rows_per_second,omitempty"`
	// CPU seconds of a million rows: the contender's own process, from when it
	// reads its slot (of a floor, from its start), and the servers'.
	CPU         float64 `json:"cpu_seconds_per_million"`
	KafkaCPU    float64 `json:"kafka_cpu_seconds_per_million"`
	PostgresCPU float64 `json:"postgres_cpu_seconds_per_million"`
	PeakMB      float64 `json:"peak_mb,omitempty"`
	// Others is the share of the machine that worked for none of this.
	Others float64 `json:"others_share"`
	latencyFigures
}

// drainAll writes a load and lets each contender drain its slot of it.
func (r *rig) drainAll(ctx context.Context, rep *report, run int, name string, contenders []*contender) error {
	n := r.options.rows
	if name == big {
		n = r.options.bigRows
	}
	w, err := r.load(ctx, name, n)
	if err != nil {
		return err
	}
	for _, c := range contenders {
		if name == big && c.passesBig {
			if _, err := r.admin.Exec(ctx, "SELECT pg_replication_slot_advance($1, $2::pg_lsn)", pgx.QueryExecModeExec, c.slot, w.end.String()); err != nil {
				return err
			}
			continue
		}
		say("run %d, %s, %s", run, name, c.name)
		res, err := r.drain(ctx, c, w, fmt.Sprintf("%s-%d", name, run))
		if err != nil {
			return fmt.Errorf("run %d, %s, %s: %w", run, name, c.name, err)
		}
		res.Load, res.Contender, res.Run = name, c.name, run
		rep.add(res)
	}
	return nil
}

// warmUp lets every contender drain a small load of which nothing is noted: the
// broker's virtual machine compiles what it runs often, and whoever came first
// would pay for that.
func (r *rig) warmUp(ctx context.Context, contenders []*contender) error {
	w, err := r.load(ctx, inserts, max(r.options.rows/5/transactionSize, 1)*transactionSize)
	if err != nil {
		return err
	}
	for _, c := range contenders {
		say("warming up, %s", c.name)
		if _, err := r.drain(ctx, c, w, "warm-up"); err != nil {
			return fmt.Errorf("warming up, %s: %w", c.name, err)
		}
	}
	return nil
}

func (r *rig) drain(ctx context.Context, c *contender, w written, title string) (res result, err error) {
	if err := r.calm(ctx); err != nil {
		return res, err
	}
	var view *topicView
	if c.topic != "" {
		if view, err = r.view(ctx, c.topic); err != nil {
			return res, err
		}
	}
	p, err := c.start(ctx, w.end)
	if err != nil {
		return res, err
	}
	if c.topic == "" {
		return r.drainFloor(ctx, c, p, w)
	}
	defer func() { err = errors.Join(err, p.stop(ctx)) }()
	if err := r.waitActive(ctx, c, p); err != nil {
		return res, err
	}
	began := time.Now()
	finish := func() error { return nil }
	if c.name == hopluu {
		if finish, err = r.profiled(ctx, title); err != nil {
			return res, err
		}
	}
	if c.noTombstones {
		w.deletes = 0
	}
	if res, err = r.follow(ctx, c.name, p, view, w, began); err != nil {
		return res, err
	}
	return res, finish()
}

func (r *rig) drainFloor(ctx context.Context, c *contender, p *process, w written) (res result, err error) {
	if err := r.waitActive(ctx, c, p); err != nil {
		return res, err
	}
	began := time.Now()
	from, err := r.moment(0)
	if err != nil {
		return res, err
	}
	select {
	case <-p.done:
	case <-ctx.Done():
	}
	res.Seconds = time.Since(began).Seconds()
	if err := errors.Join(p.stop(ctx), ctx.Err()); err != nil {
		return res, err
	}
	to, err := r.moment(res.Seconds)
	if err != nil {
		return res, err
	}
	res.Rows = w.changes
	res.count(p.used(), from.until(to))
	return res, nil
}

// count fills in what is per row or per second.
func (res *result) count(cpu float64, use machineUse) {
	million := float64(res.Rows) / 1e6
	res.RowsPerSecond = float64(res.Rows) / res.Seconds
	res.CPU, res.KafkaCPU, res.PostgresCPU, res.Others = cpu/million, use.kafka/million, use.postgres/million, use.others
}

// topicView is a topic before something writes to it.
type topicView struct {
	topics *topic.Client
	parts  []topic.Partition
	from   map[topic.Partition]int64
	before int64
}

func (r *rig) view(ctx context.Context, name string) (*topicView, error) {
	v := &topicView{topics: r.topics}
	for id := range int32(partitions) {
		v.parts = append(v.parts, topic.Partition{Topic: name, ID: id})
	}
	var err error
	if v.from, err = r.topics.EndOffsets(ctx, v.parts...); err != nil {
		return nil, err
	}
	for _, end := range v.from {
		v.before += end
	}
	return v, nil
}

// grown is how many offsets were taken since, up to the last stable one: rows,
// tombstones and the markers of transactions.
func (v *topicView) grown(ctx context.Context) (int64, error) {
	ends, err := v.topics.EndOffsets(ctx, v.parts...)
	sum := -v.before
	for _, end := range ends {
		sum += end
	}
	return sum, err
}

// rows reads what was written since and counts the rows that a read-committed
// reader sees: records with a value, for tombstones are none.
func (v *topicView) rows(ctx context.Context) (n int, err error) {
	ends, err := v.topics.EndOffsets(ctx, v.parts...)
	if err != nil {
		return 0, err
	}
	reader := v.topics.NewReader(v.from)
	defer func() { err = errors.Join(err, reader.Close()) }()
	left := map[topic.Partition]bool{}
	for p, end := range ends {
		if v.from[p] < end {
			left[p] = true
		}
	}
	for len(left) > 0 {
		batches, err := reader.Poll(ctx)
		if err != nil {
			return n, err
		}
		for _, b := range batches {
			for i := range b.Records {
				if b.Records[i].Value != nil {
					n++
				}
			}
			if b.Next >= ends[b.Partition] {
				delete(left, b.Partition)
			}
		}
	}
	return n, nil
}

// sample is a look at a topic and a process.
type sample struct {
	at    time.Duration
	grown int64
	cpu   float64
}

const (
	// sampleEvery is how often the topic is asked how far it is: often enough for
	// a run of seconds, seldom enough to cost the broker nothing to speak of.
	sampleEvery = 20 * time.Millisecond
	// settle is how long nothing may come after the last expected row.
	settle = time.Second
	// stuck is how long a contender may stand still before it counts as
	// failed.
	stuck = 90 * time.Second
)

// follow watches a contender until all rows show, and counts them.
func (r *rig) follow(ctx context.Context, name string, p *process, view *topicView, w written, began time.Time) (res result, err error) {
	from, err := r.moment(0)
	if err != nil {
		return res, err
	}
	first, err := usage.CPU(p.pid)
	if err != nil {
		return res, err
	}
	expected := int64(w.changes + w.deletes) // a delete is followed by a tombstone, where one is made
	samples := []sample{{cpu: first}}
	var to moment
	tick := time.NewTicker(sampleEvery)
	defer tick.Stop()
	for {
		select {
		case <-p.done:
			return res, fmt.Errorf("it ended: %w", p.stop(ctx))
		case <-ctx.Done():
			return res, ctx.Err()
		case <-tick.C:
		}
		grown, err := view.grown(ctx)
		if err != nil {
			return res, err
		}
		now := time.Since(began)
		last := samples[len(samples)-1]
		if grown > last.grown {
			cpu, err := usage.CPU(p.pid)
			if err != nil {
				return res, err
			}
			samples = append(samples, sample{now, grown, cpu})
			if grown >= expected {
				if to, err = r.moment(now.Seconds()); err != nil {
					return res, err
				}
			}
			continue
		}
		if grown >= expected && now-last.at > settle {
			break
		}
		if now-last.at > stuck {
			return res, fmt.Errorf("it stands still at %d of %d records", grown, expected)
		}
	}
	last := samples[len(samples)-1]
	if res.PeakMB, err = usage.PeakMB(p.pid); err != nil {
		return res, err
	}
	if res.Rows, err = view.rows(ctx); err != nil {
		return res, err
	}
	if res.Rows < w.changes {
		return res, fmt.Errorf("%s showed %d rows of %d", name, res.Rows, w.changes)
	}
	res.Seconds = last.at.Seconds()
	res.count(last.cpu-first, from.until(to))
	for _, s := range samples {
		if s.grown >= last.grown/2 && s.at < last.at {
			res.SteadyRowsPerSecond = float64(last.grown-s.grown) / float64(last.grown) * float64(res.Rows) / (last.at - s.at).Seconds()
			break
		}
	}
	return res, nil
}
