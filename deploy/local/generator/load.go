package generator

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/hopluu/hopluu/deploy/local/generator/city"
)

// Progress is called after each step of Load, from several goroutines at once:
// the step that was done, and how many of all are done.
type Progress func(sector, step string, done, total int)

// Load does one round of the fixed load: in each database a list of steps that
// together hold every kind of change that a capture must survive. Progress
// (which may be nil) hears of each. The counts are those of this call.
//
// A round that was cut off goes on at the steps at which it stopped; when all
// databases have finished the last round, a new one begins, with new keys. A step that was
// cut off may leave some of its small transactions behind, never a part of one.
func (g *Generator) Load(ctx context.Context, progress Progress) (Counts, error) {
	if progress == nil {
		progress = func(string, string, int, int) {}
	}
	var total int
	for _, sector := range g.sectors {
		total += len(stepsOf(sector))
	}
	round, err := g.round(ctx)
	if err != nil {
		return nil, err
	}
	var done atomic.Int64
	counts := newCounts()
	err = g.each(ctx, func(ctx context.Context, sector string, conn *pgx.Conn) error {
		w, err := g.workOn(ctx, conn, sector, counts)
		if err != nil {
			return err
		}
		steps := stepsOf(sector)
		attempt, err := w.attempt(ctx)
		if err != nil {
			return err
		}
		first, err := w.resume(ctx, round)
		if err != nil {
			return err
		}
		done.Add(int64(first))
		for i := first; i < len(steps); i++ {
			w.round, w.step, w.r = round, i, city.Rand(g.cfg.Seed, "load "+sector+" "+steps[i].name, int64(round), attempt)
			w.finished = false
			start := time.Now()
			if err := steps[i].run(ctx, w); err != nil {
				return fmt.Errorf("step %q of round %d: %w", steps[i].name, round, err)
			}
			if !w.finished {
				return fmt.Errorf("step %q does not say that it is done", steps[i].name)
			}
			g.cfg.Log.Info("load step done", "sector", sector, "round", round, "step", steps[i].name, "took", time.Since(start).Round(time.Millisecond))
			progress(sector, steps[i].name, int(done.Add(1)), total)
		}
		return nil
	})
	return counts.result(), err
}

// step is one named part of the load. Its last transaction is finish's, which
// notes that it is done.
type step struct {
	name string
	run  func(ctx context.Context, w *work) error
}

func stepsOf(sector string) []step {
	switch sector {
	case "population":
		return populationSteps
	case "health":
		return healthSteps
	case "welfare":
		return welfareSteps
	case "tax":
		return taxSteps
	default: // New admits no sector beyond these
		return constructionSteps
	}
}

// workOn makes the state for writing into one database as of today.
func (g *Generator) workOn(ctx context.Context, conn *pgx.Conn, sector string, counts *tally) (*work, error) {
	if err := g.seeded(ctx, conn, sector); err != nil {
		return nil, err
	}
	today := *g.city
	if g.cfg.Base.After(today.Base) {
		today.Base = g.cfg.Base
	}
	return &work{conn: conn, sector: sector, counts: counts, city: &today}, nil
}

// attempt counts the calls of Load and Run on a database. Each draws numbers of
// its own: a step that was cut off and runs again must not draw the keys that
// its small transactions have written already.
func (w *work) attempt(ctx context.Context) (n int64, err error) {
	err = w.conn.QueryRow(ctx, `INSERT INTO demo.demo_progress (name, value) VALUES ($1, '1')
		ON CONFLICT (name) DO UPDATE SET value = demo_progress.value::bigint + 1, noted = now() RETURNING value::bigint`, noteAttempts).Scan(&n)
	return n, err
}

// round tells which round Load works on: the last one while any sector has not
// finished it, the next one when all have.
func (g *Generator) round(ctx context.Context) (int, error) {
	var mu sync.Mutex
	last, finished := 0, map[string]int{} // the last round that each sector finished
	err := g.each(ctx, func(ctx context.Context, sector string, conn *pgx.Conn) error {
		if err := g.seeded(ctx, conn, sector); err != nil {
			return err
		}
		round, steps, err := where(ctx, conn)
		if err != nil {
			return err
		}
		mu.Lock()
		defer mu.Unlock()
		last, finished[sector] = max(last, round), round
		if round > 0 && steps < len(stepsOf(sector)) {
			finished[sector]--
		}
		return nil
	})
	for _, sector := range g.sectors {
		if finished[sector] < last {
			return last, err
		}
	}
	return last + 1, err
}

// where tells in which round a database is, 0 before the first, and how many
// steps of it are done.
func where(ctx context.Context, conn *pgx.Conn) (round, steps int, err error) {
	for name, into := range map[string]*int{noteRound: &round, noteStep: &steps} {
		value, ok, err := noted(ctx, conn, name)
		if err != nil {
			return 0, 0, err
		}
		if !ok {
			continue
		}
		if *into, err = strconv.Atoi(value); err != nil {
			return 0, 0, fmt.Errorf("demo_progress holds no number as %s: %w", name, err)
		}
	}
	return round, steps, nil
}

// resume tells at which step a round goes on, and notes it when it is new.
func (w *work) resume(ctx context.Context, round int) (first int, err error) {
	at, steps, err := where(ctx, w.conn)
	if err != nil || at == round {
		return steps, err
	}
	return 0, pgx.BeginFunc(ctx, w.conn, func(tx pgx.Tx) error {
		return errors.Join(note(ctx, tx, noteRound, strconv.Itoa(round)), note(ctx, tx, noteStep, "0"))
	})
}
