package generator

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/hopluu/hopluu/deploy/local/generator/city"
)

// work is writing into one database: not safe for use by several goroutines.
type work struct {
	conn   *pgx.Conn
	sector string
	counts *tally
	city   *city.City // as of today
	r      *rand.Rand

	round, step int
	finished    bool // the step noted that it is done
	live        bool // under Run: what happens, happens now
}

// tx is one transaction of the work with what it has written so far.
type tx struct {
	pgx.Tx
	w       *work
	written Counts
}

// errRollback ends a transaction that is meant to be rolled back.
var errRollback = errors.New("rolled back on purpose")

// transact runs fn in a transaction, commits it and counts what it wrote. When
// fn gives errRollback, everything is undone, nothing is counted, and there is
// no error.
func (w *work) transact(ctx context.Context, fn func(*tx) error) error {
	t := &tx{w: w, written: Counts{}}
	err := pgx.BeginFunc(ctx, w.conn, func(inner pgx.Tx) error {
		t.Tx = inner
		return fn(t)
	})
	if errors.Is(err, errRollback) {
		return nil
	}
	if err != nil {
		return err
	}
	for table, c := range t.written {
		w.counts.add(w.sector, table, c)
	}
	return nil
}

// finish is the last transaction of a step of Load.
func (w *work) finish(ctx context.Context, fn func(*tx) error) error {
	err := w.transact(ctx, func(t *tx) error {
		if err := fn(t); err != nil {
			return err
		}
		return note(ctx, t, noteStep, strconv.Itoa(w.step+1))
	})
	w.finished = err == nil
	return err
}

// savepoint runs fn after a savepoint; with errRollback it goes back to it.
func (t *tx) savepoint(ctx context.Context, fn func(*tx) error) error {
	inner := &tx{w: t.w, written: Counts{}}
	err := pgx.BeginFunc(ctx, t.Tx, func(sub pgx.Tx) error {
		inner.Tx = sub
		return fn(inner)
	})
	if errors.Is(err, errRollback) {
		return nil
	}
	if err == nil {
		t.written = t.written.Merge(inner.written)
	}
	return err
}

// count notes rows written to a table.
func (t *tx) count(table string, c Count) {
	t.written = t.written.Merge(Counts{table: c})
}

// copy writes rows with COPY.
func (t *tx) copy(ctx context.Context, rows city.Rows) error {
	if err := copyRows(ctx, t, rows); err != nil {
		return err
	}
	t.count(rows.Table.Name, Count{Inserted: int64(len(rows.Rows))})
	return nil
}

// insert writes rows one INSERT each, as a running system does.
func (t *tx) insert(ctx context.Context, rows city.Rows) error {
	if t.w.live {
		happenNow(rows, t.w.today())
	}
	var b pgx.Batch
	for i, row := range rows.Rows {
		b.Queue(insertOne(rows.Table), row...)
		if rows.People != nil {
			b.Queue(`INSERT INTO demo.truth (tbl, key, person) VALUES ($1, $2, $3)`, truthRow(rows.Table.Name, row[0], rows.People[i])...)
		}
	}
	if _, err := t.send(ctx, &b); err != nil {
		return fmt.Errorf("inserting into %s: %w", rows.Table.Name, err)
	}
	t.count(rows.Table.Name, Count{Inserted: int64(len(rows.Rows))})
	return nil
}

// send runs a batch and gives the number of rows that it touched.
func (t *tx) send(ctx context.Context, b *pgx.Batch) (int64, error) {
	if b.Len() == 0 {
		return 0, nil
	}
	results := t.SendBatch(ctx, b)
	var rows int64
	for range b.Len() {
		tag, err := results.Exec()
		if err != nil {
			return rows, errors.Join(err, results.Close())
		}
		rows += tag.RowsAffected()
	}
	return rows, results.Close()
}

// update runs one statement that updates any number of rows of a table.
func (t *tx) update(ctx context.Context, table, sql string, args ...any) (int64, error) {
	tag, err := t.Exec(ctx, sql, args...)
	if err != nil {
		return 0, fmt.Errorf("updating %s: %w", table, err)
	}
	t.count(table, Count{Updated: tag.RowsAffected()})
	return tag.RowsAffected(), nil
}

// updates runs a batch of updates of a table.
func (t *tx) updates(ctx context.Context, table string, b *pgx.Batch) error {
	n, err := t.send(ctx, b)
	if err != nil {
		return fmt.Errorf("updating %s: %w", table, err)
	}
	t.count(table, Count{Updated: n})
	return nil
}

// delete runs one statement that deletes rows of a table.
func (t *tx) delete(ctx context.Context, table, sql string, args ...any) (int64, error) {
	tag, err := t.Exec(ctx, sql, args...)
	if err != nil {
		return 0, fmt.Errorf("deleting from %s: %w", table, err)
	}
	t.count(table, Count{Deleted: tag.RowsAffected()})
	return tag.RowsAffected(), nil
}

// number reads one integer.
func (t *tx) number(ctx context.Context, sql string, args ...any) (int64, error) {
	var n int64
	err := t.QueryRow(ctx, sql, args...).Scan(&n)
	return n, err
}

// record is a record of a person of the city.
type record struct {
	key    int64
	person *city.Person
}

// records gives the records of a table with whole-number keys whose person the
// city was built with, in the order of their keys.
func (t *tx) records(ctx context.Context, table string) ([]record, error) {
	rows, err := t.Query(ctx, `SELECT key::bigint, person FROM demo.truth WHERE tbl = $1 AND person BETWEEN 1 AND $2 ORDER BY 1`, table, len(t.w.city.People))
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (record, error) {
		var rec record
		var person int64
		err := row.Scan(&rec.key, &person)
		rec.person = t.w.city.Person(person)
		return rec, err
	})
}

// keys reads the first column of a query, in its order.
func keys[T any](ctx context.Context, t *tx, sql string, args ...any) ([]T, error) {
	rows, err := t.Query(ctx, sql, args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[T])
}

// without gives the people of the city who have no record in a table, in the
// order of their numbers.
func (t *tx) without(ctx context.Context, table string) ([]*city.Person, error) {
	known, err := keys[int64](ctx, t, `SELECT DISTINCT person FROM demo.truth WHERE tbl = $1 AND person IS NOT NULL`, table)
	if err != nil {
		return nil, err
	}
	has := make(map[int64]bool, len(known))
	for _, id := range known {
		has[id] = true
	}
	var out []*city.Person
	for i := range t.w.city.People {
		if p := &t.w.city.People[i]; !has[p.ID] {
			out = append(out, p)
		}
	}
	return out, nil
}

// moved follows a change of a primary key in the truth.
func (t *tx) moved(ctx context.Context, table string, from, to any) error {
	_, err := t.Exec(ctx, `UPDATE demo.truth SET key = $3 WHERE tbl = $1 AND key = $2`, table, keyText(from), keyText(to))
	return err
}

// forgotten follows a delete in the truth.
func (t *tx) forgotten(ctx context.Context, table string, key any) error {
	_, err := t.Exec(ctx, `DELETE FROM demo.truth WHERE tbl = $1 AND key = $2`, table, keyText(key))
	return err
}

// sample draws up to n of the values, each at most once.
func sample[T any](r *rand.Rand, values []T, n int) []T {
	out := append([]T(nil), values...)
	r.Shuffle(len(out), func(i, j int) { out[i], out[j] = out[j], out[i] })
	return out[:min(n, len(out))]
}

// only keeps the values for which keep holds.
func only[T any](values []T, keep func(T) bool) []T {
	var out []T
	for _, v := range values {
		if keep(v) {
			out = append(out, v)
		}
	}
	return out
}

// chunks cuts values into pieces of n.
func chunks[T any](values []T, n int) [][]T {
	var out [][]T
	for len(values) > n {
		out = append(out, values[:n])
		values = values[n:]
	}
	if len(values) > 0 {
		out = append(out, values)
	}
	return out
}

// reinsert deletes a row and writes it again as it was, in the same
// transaction: on the way the key goes and comes.
func (t *tx) reinsert(ctx context.Context, table, keyColumn string, key any) error {
	row, columns, err := t.take(ctx, table, keyColumn, key)
	if err != nil {
		return err
	}
	return t.putBack(ctx, table, columns, row)
}

// take deletes a row and gives its values and columns.
func (t *tx) take(ctx context.Context, table, keyColumn string, key any) (values []any, columns []string, err error) {
	rows, err := t.Query(ctx, fmt.Sprintf(`DELETE FROM public.%s WHERE %s = $1 RETURNING *`, pgx.Identifier{table}.Sanitize(), pgx.Identifier{keyColumn}.Sanitize()), key)
	if err != nil {
		return nil, nil, err
	}
	for _, f := range rows.FieldDescriptions() {
		columns = append(columns, f.Name)
	}
	values, err = pgx.CollectExactlyOneRow(rows, func(row pgx.CollectableRow) ([]any, error) { return row.Values() })
	if err != nil {
		return nil, nil, fmt.Errorf("taking a row of %s: %w", table, err)
	}
	t.count(table, Count{Deleted: 1})
	return values, columns, nil
}

// putBack inserts what take took.
func (t *tx) putBack(ctx context.Context, table string, columns []string, values []any) error {
	if _, err := t.Exec(ctx, insertOne(city.Table{Name: table, Columns: columns}), values...); err != nil {
		return fmt.Errorf("putting a row of %s back: %w", table, err)
	}
	t.count(table, Count{Inserted: 1})
	return nil
}

// today is now under Run; in the fixed load it is a time in the first hours of
// today, so that nothing lies in the future.
func (w *work) today() time.Time {
	if w.live {
		return time.Now().Truncate(time.Microsecond)
	}
	y, m, d := w.city.Base.Date()
	return time.Date(y, m, d, 0, 0, 0, 0, city.Zone).Add(time.Duration(w.r.Int64N(6*int64(time.Hour/time.Microsecond))) * time.Microsecond)
}

// happenNow stamps rows that are written as they happen. A stay that begins
// now has no end yet.
func happenNow(rows city.Rows, now time.Time) {
	for i, column := range rows.Table.Columns {
		for _, row := range rows.Rows {
			switch column {
			case "admitted_at", "created_at", "updated_at", "registered_at", "paid_at":
				row[i] = now
			case "discharged_at":
				row[i] = nil
			}
		}
	}
}

// dong is an amount in whole đồng.
func dong(n int64) pgtype.Numeric { return city.Dong(n) }

// finishChunks runs fn in n transactions, of which the last finishes the step.
func (w *work) finishChunks(ctx context.Context, n int, fn func(t *tx, i int) error) error {
	for i := range n - 1 {
		if err := w.transact(ctx, func(t *tx) error { return fn(t, i) }); err != nil {
			return err
		}
	}
	return w.finish(ctx, func(t *tx) error { return fn(t, n-1) })
}

// finishTwice deletes rows in one transaction and writes them again in the
// next, which finishes the step. The taken rows are kept in the schema demo
// meanwhile, so that nothing is lost when the work is cut off between the two.
func (w *work) finishTwice(ctx context.Context, table, keyColumn string, rowKeys []int64) error {
	name, column := pgx.Identifier{table}.Sanitize(), pgx.Identifier{keyColumn}.Sanitize()
	kept := pgx.Identifier{"demo", "taken_" + table}.Sanitize()
	err := w.transact(ctx, func(t *tx) error {
		if _, err := t.Exec(ctx, fmt.Sprintf(`CREATE TABLE IF NOT EXISTS %s (LIKE public.%s)`, kept, name)); err != nil {
			return err
		}
		_, err := t.delete(ctx, table, fmt.Sprintf(`WITH taken AS (DELETE FROM public.%s WHERE %s = ANY($1) RETURNING *) INSERT INTO %s SELECT * FROM taken`, name, column, kept), rowKeys)
		return err
	})
	if err != nil {
		return err
	}
	return w.finish(ctx, func(t *tx) error {
		tag, err := t.Exec(ctx, fmt.Sprintf(`INSERT INTO public.%s SELECT * FROM %s`, name, kept))
		if err != nil {
			return err
		}
		t.count(table, Count{Inserted: tag.RowsAffected()})
		_, err = t.Exec(ctx, fmt.Sprintf(`DROP TABLE %s`, kept))
		return err
	})
}
