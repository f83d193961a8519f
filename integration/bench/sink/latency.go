package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"github.com/hopluu/hopluu/cmd/hopluu/dev"
)

const (
	transactionRows = 10
	// writers commit at the same time, so that the disk's flush of one commit is
	// that of several, as with a real application's connections.
	writers = 16
	// leadIn is left out of the figures.
	leadIn = 5 * time.Second
	// patience is how long the last row may take.
	patience = 2 * time.Minute
	// commitBound is how long a commit may take from the time that the server gives
	// it to its return.
	commitBound = 5 * time.Second
	// watchEvery is between two looks at silver, and what it adds to the figures.
	watchEvery = 20 * time.Millisecond
)

// latency measures from the return of a commit in PostgreSQL to the moment at
// which a query of silver shows its rows, at a steady rate. What a query that
// shows them takes itself counts too.
func (r *rig) latency(ctx context.Context) (err error) {
	if err := r.empty(ctx); err != nil {
		return err
	}
	admin, err := pgx.Connect(ctx, r.stack.AdminDSN(source))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, admin.Close(ctx)) }()
	for _, sql := range []string{
		"INSERT INTO facility SELECT 1, 'F1', 'Bệnh viện', 'basic', '26737', 10",
		"INSERT INTO patient (patient_id, full_name) SELECT 1, 'An'",
	} {
		if _, err := admin.Exec(ctx, sql); err != nil {
			return err
		}
	}
	if err := r.stack.Stages(ctx, dev.Connector, dev.Sink); err != nil {
		return err
	}
	// The stream is at work when a row of its own shows.
	if _, err := admin.Exec(ctx, insertSQL, 0, 1); err != nil {
		return err
	}
	err = poll(ctx, func() (bool, error) {
		var n uint64
		err := r.conn.QueryRow(ctx, "SELECT count() FROM silver."+dataset+" WHERE insured_paid = 1").Scan(&n)
		return err == nil && n > 0, ctx.Err()
	})
	if err != nil {
		return err
	}

	var mu sync.Mutex
	committed := map[int64]time.Time{} // by transaction, waiting
	var millis []float64
	length := leadIn + time.Duration(*seconds)*time.Second
	began := time.Now()
	var group, watcher errgroup.Group
	done := make(chan struct{})
	watcher.Go(func() error {
		last := began.UnixMicro()
		var ended time.Time
		for {
			seen, err := r.seen(ctx, last)
			if err != nil {
				return err
			}
			now := time.Now()
			mu.Lock()
			for _, id := range seen {
				if at, ok := committed[id]; ok {
					delete(committed, id)
					if at.Sub(began) >= leadIn {
						millis = append(millis, float64(now.Sub(at).Microseconds())/1000)
					}
				}
			}
			left := len(committed)
			// Only what is still waited for is asked for again: the watcher shall
			// not be the load that it measures under.
			oldest := now
			for _, at := range committed {
				if at.Before(oldest) {
					oldest = at
				}
			}
			mu.Unlock()
			last = oldest.Add(-commitBound).UnixMicro()
			select {
			case <-done:
				if left == 0 {
					return nil
				}
				if ended.IsZero() {
					ended = now
				}
				if now.Sub(ended) > patience {
					return fmt.Errorf("%d transactions do not show", left)
				}
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(watchEvery):
			}
		}
	})
	counts := make([]int, writers)
	for i := range writers {
		group.Go(func() (err error) {
			counts[i], err = r.write(ctx, i, began, length, func(id int64, at time.Time) {
				mu.Lock()
				defer mu.Unlock()
				committed[id] = at
			})
			return err
		})
	}
	err = group.Wait()
	close(done)
	if err := errors.Join(err, watcher.Wait()); err != nil {
		return err
	}
	if len(millis) == 0 {
		return errors.New("no transaction was measured")
	}
	changes := 0
	for _, n := range counts {
		changes += n * transactionRows
	}
	slices.Sort(millis)
	fmt.Printf("commit to silver at %.0f changes/s (%d asked): median %.0f ms, 99th percentile %.0f ms, longest %.0f ms, of %d transactions\n",
		float64(changes)/length.Seconds(), *rate, millis[len(millis)/2], millis[len(millis)*99/100], millis[len(millis)-1], len(millis))
	return nil
}

// insertSQL inserts rows of one transaction, whose number is in each.
const insertSQL = `INSERT INTO encounter (encounter_id, patient_id, facility_id, kind, admitted_at, icd10, diagnosis, cost, insured_paid)
SELECT gen_random_uuid(), 1, 1, 'outpatient', now(), 'J18.9', 'Viêm phổi, không phân loại', $1::bigint, 1 FROM generate_series(1, $2::int)`

// seen gives the transactions of which silver shows rows that were committed
// after a time, in microseconds.
func (r *rig) seen(ctx context.Context, after int64) (ids []int64, err error) {
	rows, err := r.conn.Query(ctx, fmt.Sprintf("SELECT DISTINCT toInt64(cost) FROM silver.%s WHERE _commit_time > fromUnixTimestamp64Micro(toInt64(%d), 'UTC') AND cost > 0", dataset, after))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var id int64
		if err := rows.Scan(&id); err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	return ids, rows.Err()
}

// write commits transactions at its share of the rate. What a slow commit delayed
// is made up for at once, so that the rate is the one that was asked for.
func (r *rig) write(ctx context.Context, writer int, began time.Time, length time.Duration, wrote func(id int64, at time.Time)) (n int, err error) {
	conn, err := pgx.Connect(ctx, r.stack.AdminDSN(source))
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, conn.Close(ctx)) }()
	interval := time.Second * transactionRows * writers / time.Duration(*rate)
	// The writers take turns, and do not commit all at one moment.
	first := began.Add(interval * time.Duration(writer) / writers)
	timer := time.NewTimer(time.Until(first))
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return n, ctx.Err()
		case <-timer.C:
		}
		if time.Since(began) >= length {
			return n, nil
		}
		id := int64(1 + writer + n*writers)
		if _, err := conn.Exec(ctx, insertSQL, id, transactionRows); err != nil {
			return n, err
		}
		wrote(id, time.Now())
		n++
		timer.Reset(time.Until(first.Add(time.Duration(n) * interval)))
	}
}
