package capture

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"golang.org/x/sync/errgroup"
)

// load changes the tables until it is stopped, whatever happens to the
// database meanwhile.
type load struct {
	group errgroup.Group
	stop  chan struct{}
	// rests while the connector, which is killed all the time, is far behind.
	rests atomic.Bool
}

const (
	writers = 3
	// pace is the time between two transactions of a writer: the load is to
	// last, not to be the most.
	pace = 30 * time.Millisecond
	// surgery is the time between two changes of a table's definition.
	surgery = 7 * time.Second
)

func (w *world) startLoad(seed uint64) *load {
	l := &load{stop: make(chan struct{})}
	ctx := w.t.Context()
	for n := range writers {
		writer := &writer{dsn: w.admin, random: rand.New(rand.NewPCG(seed, uint64(n)+1)), base: int64(n+1) * 1_000_000_000, stop: l.stop, rests: &l.rests}
		l.group.Go(func() error { return writer.run(ctx, pace, writer.transaction) })
	}
	surgeon := &surgeon{writer: writer{dsn: w.admin, random: rand.New(rand.NewPCG(seed, 1000)), stop: l.stop, rests: &l.rests}}
	l.group.Go(func() error { return surgeon.run(ctx, surgery, surgeon.operate) })
	return l
}

// end lets every writer finish its transaction.
func (l *load) end() error {
	close(l.stop)
	return l.group.Wait()
}

// writer has keys of its own, so that it waits for no other.
type writer struct {
	dsn    string
	random *rand.Rand
	stop   chan struct{}
	rests  *atomic.Bool
	base   int64 // its first key
	last   int64 // its newest patient, relative to base
	read   int64 // its newest reading
}

// run makes transactions, one a tick, until stop. A database that goes away is
// waited for; a statement that is wrong is an error.
func (w *writer) run(ctx context.Context, every time.Duration, transaction func(context.Context, *pgx.Conn) error) error {
	tick := time.NewTicker(every)
	defer tick.Stop()
	var conn *pgx.Conn
	defer func() {
		if conn != nil {
			_ = conn.Close(context.WithoutCancel(ctx)) // what it wrote is committed
		}
	}()
	for {
		select {
		case <-w.stop:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
		if w.rests.Load() {
			continue
		}
		if conn == nil {
			made, err := pgx.Connect(ctx, w.dsn)
			if err != nil {
				continue // it is being restarted
			}
			conn = made
		}
		err := transaction(ctx, conn)
		if err == nil {
			continue
		}
		var refused *pgconn.PgError
		if errors.As(err, &refused) && !passes(refused.Code) {
			return fmt.Errorf("the load is wrong: %w", err)
		}
		_ = conn.Close(ctx) // it is broken, or in a transaction that failed
		conn = nil
	}
}

// passes tells whether an error of the server may be another time none: it is
// being shut down (57), a lock is not free (55P03), a deadlock (40), a key that is taken (23505).
func passes(code string) bool {
	return strings.HasPrefix(code, "57") || strings.HasPrefix(code, "40") || strings.HasPrefix(code, "08") || code == "55P03" || code == "23505"
}

func perform(ctx context.Context, conn *pgx.Conn, sql string) error {
	_, err := conn.PgConn().Exec(ctx, sql).ReadAll()
	return err
}

// transaction makes one of the writer's kinds.
func (w *writer) transaction(ctx context.Context, conn *pgx.Conn) error {
	switch dice := w.random.IntN(400); {
	case dice < 220:
		return perform(ctx, conn, "BEGIN;"+w.changes(1+w.random.IntN(15))+w.outcome(5))
	case dice < 300:
		return perform(ctx, conn, w.savepoints())
	case dice < 370:
		return perform(ctx, conn, "BEGIN;"+w.bulk(20+w.random.IntN(100), 3)+w.outcome(5))
	case dice < 384:
		return perform(ctx, conn, w.truncate())
	case dice < 392:
		return perform(ctx, conn, "BEGIN;"+w.large()+w.outcome(15))
	case dice < 399:
		return w.slow(ctx, conn)
	default: // more than one of Kafka's transactions
		return perform(ctx, conn, "BEGIN;"+w.bulk(4000, 300)+w.outcome(0))
	}
}

func (w *writer) outcome(rollback int) string {
	if w.random.IntN(100) < rollback {
		return "ROLLBACK;"
	}
	return "COMMIT;"
}

// one is a patient that this writer made, perhaps; it may be gone.
func (w *writer) one() int64 { return w.base + 1 + w.random.Int64N(max(w.last, 1)) }

// changes are statements of few rows, each kind that there is.
func (w *writer) changes(n int) string {
	var b strings.Builder
	for range n {
		switch dice := w.random.IntN(20); {
		case dice < 6:
			w.last++
			id := w.base + w.last
			fmt.Fprintf(&b, "INSERT INTO public.patient VALUES (%d, '%012d', 'Người %d', %s, %d) ON CONFLICT DO NOTHING;", id, id, id, w.notes(), dice)
		case dice < 9: // notes are not sent when they are large
			fmt.Fprintf(&b, "UPDATE public.patient SET paid = coalesce(paid, 0) + 1 WHERE patient_id = %d;", w.one())
		case dice < 10:
			fmt.Fprintf(&b, "UPDATE public.patient SET notes = %s WHERE patient_id = %d;", w.notes(), w.one())
		case dice < 11:
			w.last++
			fmt.Fprintf(&b, "UPDATE public.patient SET patient_id = %d WHERE patient_id = %d;", w.base+w.last, w.one())
		case dice < 13:
			fmt.Fprintf(&b, "DELETE FROM public.patient WHERE patient_id = %d;", w.one())
		case dice < 15:
			fmt.Fprintf(&b, "INSERT INTO public.visit VALUES (%d, date '2026-01-01' + %d, %d) ON CONFLICT (patient_id, day) DO UPDATE SET cost = visit.cost + 1;", w.one(), w.random.IntN(3), dice)
		case dice < 16:
			fmt.Fprintf(&b, "UPDATE public.visit SET day = day + 3 WHERE patient_id = %d;", w.one())
		case dice < 17:
			id := w.one() // a key that is deleted and inserted in one transaction
			fmt.Fprintf(&b, "DELETE FROM public.visit WHERE patient_id = %d; INSERT INTO public.visit VALUES (%d, '2026-01-01', 5) ON CONFLICT DO NOTHING;", id, id)
		case dice < 18:
			fmt.Fprintf(&b, "INSERT INTO public.stock (item_id, amount) VALUES (%d, 1) ON CONFLICT (item_id) DO UPDATE SET amount = stock.amount + 1;", w.base+w.random.Int64N(50))
		case dice < 19:
			fmt.Fprintf(&b, "DELETE FROM public.stock WHERE item_id = %d;", w.base+w.random.Int64N(50))
		default:
			fmt.Fprintf(&b, "UPDATE public.reading SET amount = amount + 1 WHERE reading_id = %d;", 1+w.random.IntN(20_000))
		}
	}
	return b.String()
}

// notes are small, or stored apart (TOAST), or none.
func (w *writer) notes() string {
	switch w.random.IntN(4) {
	case 0:
		return fmt.Sprintf("repeat(md5('%d'), %d)", w.random.Int64(), 100+w.random.IntN(400))
	case 1:
		return "NULL"
	}
	return "'ghi chú'"
}

// savepoints are nested; some are rolled back to.
func (w *writer) savepoints() string {
	some := func() string { return w.changes(1 + w.random.IntN(4)) }
	sql := "BEGIN;" + some() + "SAVEPOINT a;" + some() + "SAVEPOINT b;" + some()
	if w.random.IntN(2) == 0 {
		sql += "ROLLBACK TO b;" + some()
	}
	if w.random.IntN(3) == 0 {
		sql += "ROLLBACK TO a;"
	} else {
		sql += "RELEASE a;"
	}
	return sql + some() + w.outcome(5)
}

// bulk inserts n readings with a note of 32 times size bytes, changes some of
// those and removes the oldest.
func (w *writer) bulk(n, size int) string {
	from := w.base + w.read + 1
	w.read += int64(n)
	to := w.base + w.read
	const keep = 10_000
	return fmt.Sprintf(`INSERT INTO public.reading SELECT n, n %% 50, n %% 1000, repeat(md5(n::text), %d) FROM generate_series(%d, %d) n ON CONFLICT DO NOTHING;
		UPDATE public.reading SET amount = amount + 1 WHERE reading_id BETWEEN %d AND %d;
		DELETE FROM public.reading WHERE reading_id BETWEEN %d AND %d;`, size, from, to, from, from+int64(n)/3, w.base, to-keep)
}

// large is streamed while it is in progress, and a part of it is undone.
func (w *writer) large() string {
	sql := w.bulk(500+w.random.IntN(2000), 3) + "SAVEPOINT big;" + w.bulk(500+w.random.IntN(1000), 3) + "SAVEPOINT inner_;" + w.bulk(300, 3)
	switch w.random.IntN(3) {
	case 0:
		sql += "ROLLBACK TO big;"
	case 1:
		sql += "ROLLBACK TO inner_;"
	}
	return sql + w.changes(3)
}

// truncate empties the tickets, between others that come and stay.
func (w *writer) truncate() string {
	add := func() string {
		return fmt.Sprintf("INSERT INTO public.ticket SELECT %d + n, 'chờ' FROM generate_series(1, %d) n ON CONFLICT DO NOTHING;", w.base+w.random.Int64N(1000), 1+w.random.IntN(20))
	}
	sql := "BEGIN; SET LOCAL lock_timeout = '2s';" + add()
	if w.random.IntN(2) == 0 {
		sql += "TRUNCATE public.ticket;" + add()
	}
	return sql + w.outcome(10)
}

// slow is a large transaction that stays open for a while, over kills.
func (w *writer) slow(ctx context.Context, conn *pgx.Conn) error {
	if err := perform(ctx, conn, "BEGIN;"+w.bulk(500+w.random.IntN(1000), 3)); err != nil {
		return err
	}
	open := time.NewTimer(time.Duration(w.random.IntN(4000)) * time.Millisecond)
	defer open.Stop()
	select {
	case <-open.C:
	case <-w.stop:
	case <-ctx.Done():
		return ctx.Err()
	}
	return perform(ctx, conn, w.bulk(300, 3)+w.outcome(20))
}

// surgeon changes the definition of a table now and then.
type surgeon struct {
	writer
	columns int // added so far; names are never used again
	dropped int
}

func (s *surgeon) operate(ctx context.Context, conn *pgx.Conn) error {
	sql := "SET lock_timeout = '3s';"
	switch s.random.IntN(5) {
	case 0:
		s.columns++
		sql += fmt.Sprintf("ALTER TABLE public.stock ADD COLUMN c%d text;", s.columns)
	case 1: // old rows change without an event
		s.columns++
		sql += fmt.Sprintf("ALTER TABLE public.stock ADD COLUMN c%d text DEFAULT 'mới';", s.columns)
	case 2:
		if s.dropped < s.columns {
			s.dropped++
			sql += fmt.Sprintf("ALTER TABLE public.stock DROP COLUMN IF EXISTS c%d;", s.dropped)
		}
	case 3: // so they do here, and nothing about the table looks another way
		sql += "ALTER TABLE public.stock ALTER COLUMN amount TYPE bigint USING amount + 1;"
	default: // a rewrite that changes none
		sql += "VACUUM FULL public.stock;"
	}
	if i := strings.Index(sql, "VACUUM"); i >= 0 { // not in a transaction, as several statements are
		if err := perform(ctx, conn, sql[:i]); err != nil {
			return err
		}
		sql = sql[i:]
	}
	return perform(ctx, conn, sql)
}
