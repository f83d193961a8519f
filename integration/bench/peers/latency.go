package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/hopluu/hopluu/integration/bench/usage"
	"github.com/hopluu/hopluu/schemas/avro"
	"github.com/hopluu/hopluu/schemas/registry"
	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"
)

// latencyFigures are in milliseconds, from the commit's time stamp in
// PostgreSQL to the hand-over of the row to a read-committed consumer.
type latencyFigures struct {
	Median float64 `json:"median_ms,omitempty"`
	P99    float64 `json:"p99_ms,omitempty"`
	Max    float64 `json:"max_ms,omitempty"`
	// ChangesPerSecond that were really written.
	ChangesPerSecond float64 `json:"changes_per_second,omitempty"`
}

const (
	// latencyTransaction is how many rows a transaction inserts.
	latencyTransaction = 10
	// latencyWriters share the work, since a commit waits for the disk.
	latencyWriters = 5
	// leadIn is left out of the figures.
	leadIn = 3 * time.Second
)

// latencies measures each contender that writes to a topic.
func (r *rig) latencies(ctx context.Context, rep *report, run int, contenders []*contender) error {
	for _, c := range contenders {
		if c.committed == nil {
			continue
		}
		say("run %d, %s, %s", run, latency, c.name)
		res, err := r.latency(ctx, c, fmt.Sprintf("%s-%d", latency, run))
		if err != nil {
			return fmt.Errorf("run %d, %s, %s: %w", run, latency, c.name, err)
		}
		res.Load, res.Contender, res.Run = latency, c.name, run
		rep.add(res)
		// What was written for one is taken off the others' slots.
		end, err := r.walEnd(ctx)
		if err != nil {
			return err
		}
		for _, other := range contenders {
			if other == c {
				continue
			}
			if _, err := r.drain(ctx, other, written{changes: res.Rows, end: end}, "between"); err != nil {
				return fmt.Errorf("run %d, %s, %s behind %s: %w", run, latency, other.name, c.name, err)
			}
		}
	}
	return nil
}

func (r *rig) latency(ctx context.Context, c *contender, title string) (res result, err error) {
	if err := r.calm(ctx); err != nil {
		return res, err
	}
	p, err := c.start(ctx, 0)
	if err != nil {
		return res, err
	}
	defer func() { err = errors.Join(err, p.stop(ctx)) }()
	if err := r.waitActive(ctx, c, p); err != nil {
		return res, err
	}
	view, err := r.view(ctx, c.topic)
	if err != nil {
		return res, err
	}
	finish := func() error { return nil }
	if c.name == hopluu {
		if finish, err = r.profiled(ctx, title); err != nil {
			return res, err
		}
	}
	from, err := r.moment(0)
	if err != nil {
		return res, err
	}
	first, err := usage.CPU(p.pid)
	if err != nil {
		return res, err
	}

	length := leadIn + time.Duration(r.options.seconds)*time.Second
	began := time.Now()
	var group errgroup.Group
	counts := make([]int, latencyWriters)
	for i := range latencyWriters {
		firstID := r.next + i
		group.Go(func() (err error) {
			counts[i], err = r.write(ctx, firstID, began, length)
			return err
		})
	}
	reader := r.topics.NewReader(view.from)
	defer func() { err = errors.Join(err, reader.Close()) }()
	var written sync.WaitGroup
	var wrote int
	var wroteErr error
	written.Go(func() {
		wroteErr = group.Wait()
		for _, n := range counts {
			wrote += n
		}
	})
	all := make(chan struct{})
	go func() { written.Wait(); close(all) }()

	var millis []float64
	seen, total := 0, -1
	notBefore := began.Add(leadIn).UnixMicro()
	deadline := time.After(length + stuck)
	for total < 0 || seen < total {
		select {
		case <-all:
			if wroteErr != nil {
				return res, wroteErr
			}
			total = wrote
		case <-deadline:
			return res, fmt.Errorf("%d of %d rows showed", seen, total)
		default:
		}
		batches, err := reader.Poll(ctx)
		if err != nil {
			return res, err
		}
		now := time.Now().UnixMicro()
		for _, b := range batches {
			for i := range b.Records {
				committed, err := c.committed(b.Records[i].Value)
				if err != nil {
					return res, err
				}
				seen++
				if committed >= notBefore {
					millis = append(millis, float64(now-committed)/1000)
				}
			}
		}
	}
	seconds := time.Since(began).Seconds()
	to, err := r.moment(seconds)
	if err != nil {
		return res, err
	}
	last, err := usage.CPU(p.pid)
	if err != nil {
		return res, err
	}
	r.next += latencyWriters * (slices.Max(counts) + 1)
	if len(millis) == 0 {
		return res, errors.New("no row was measured")
	}
	slices.Sort(millis)
	res.Rows, res.Seconds = total, seconds
	res.count(last-first, from.until(to))
	res.Median, res.P99, res.Max = millis[len(millis)/2], millis[len(millis)*99/100], millis[len(millis)-1]
	res.ChangesPerSecond = float64(total) / length.Seconds()
	if res.PeakMB, err = usage.PeakMB(p.pid); err != nil {
		return res, err
	}
	return res, finish()
}

// write inserts rows at its share of the rate, and gives how many. A writer
// that falls behind does not catch up in a burst: the report shows the rate
// that was reached.
func (r *rig) write(ctx context.Context, firstID int, began time.Time, length time.Duration) (n int, err error) {
	conn, err := pgx.Connect(ctx, r.postgres.DSN(database))
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, conn.Close(ctx)) }()
	// Ids are shared out: each writer has every fifth.
	sql := fmt.Sprintf("INSERT INTO public.visit SELECT %s FROM (SELECT $1::bigint + k * %d AS i FROM generate_series(0, %d) k) x", rowSQL, latencyWriters, latencyTransaction-1)
	tick := time.NewTicker(time.Second * latencyTransaction * latencyWriters / time.Duration(r.options.rate))
	defer tick.Stop()
	for time.Since(began) < length {
		select {
		case <-ctx.Done():
			return n, ctx.Err()
		case <-tick.C:
		}
		if _, err := conn.Exec(ctx, sql, firstID+n*latencyWriters); err != nil {
			return n, err
		}
		n += latencyTransaction
	}
	return n, nil
}

// avroCommitTime reads the commit time from our envelope.
func (r *rig) avroCommitTime(ctx context.Context) func(value []byte) (int64, error) {
	schemas := registry.New(r.settings.Registry.URL)
	envelopes := map[uint32]*avro.Envelope{}
	var event avro.Decoded
	return func(value []byte) (int64, error) {
		id, payload, err := avro.SplitWire(value)
		if err != nil {
			return 0, err
		}
		if envelopes[id] == nil {
			text, err := schemas.Schema(ctx, id)
			if err != nil {
				return 0, err
			}
			if envelopes[id], err = avro.ParseEnvelope(text); err != nil {
				return 0, err
			}
		}
		err = envelopes[id].Decode(payload, &event)
		return event.CommitMicros, err
	}
}
