package reconcile

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/cespare/xxhash/v2"
	"github.com/hopluu/hopluu/connectors/postgres"
	"github.com/hopluu/hopluu/schemas/event"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// sourceSnapshot is the source at one LSN.
type sourceSnapshot struct {
	conn *pgx.Conn
	lsn  event.LSN
}

// openSource begins a snapshot, and takes an LSN after it: whatever the snapshot
// sees was committed below that LSN. One that is to be waited for is marked.
func openSource(ctx context.Context, dsn string, marked bool) (*sourceSnapshot, error) {
	conn, err := postgres.Connect(ctx, dsn)
	if err != nil {
		return nil, err
	}
	s := &sourceSnapshot{conn: conn}
	var insert string
	_, err = conn.Exec(ctx, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
	if err == nil {
		err = conn.QueryRow(ctx, "SELECT pg_current_wal_insert_lsn()::text").Scan(&insert)
	}
	if err == nil {
		s.lsn, err = event.ParseLSN(insert)
	}
	if err == nil && marked {
		err = s.mark(ctx, dsn)
	}
	if err != nil {
		s.close()
		return nil, fmt.Errorf("snapshot of the source: %w", err)
	}
	return s, nil
}

// mark takes the LSN of a message of a few bytes that it writes to the log. An
// idle server does not flush the end of its log (what reading leaves there: hint
// bits) before something is committed, and until then the slot cannot reach
// where the log ends. A role that may not write one waits for that.
func (s *sourceSnapshot) mark(ctx context.Context, dsn string) (err error) {
	conn, err := postgres.Connect(ctx, dsn)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close(ctx)) }()
	var lsn string
	err = conn.QueryRow(ctx, "SELECT pg_logical_emit_message(true, 'hopluu', 'reconcile')::text").Scan(&lsn)
	var refused *pgconn.PgError
	if errors.As(err, &refused) && (refused.Code == insufficientPrivilege || refused.Code == readOnlyTransaction) {
		return nil
	}
	if err != nil {
		return err
	}
	s.lsn, err = event.ParseLSN(lsn)
	return err
}

// SQLSTATEs (https://www.postgresql.org/docs/current/errcodes-appendix.html).
const (
	insufficientPrivilege = "42501"
	readOnlyTransaction   = "25006"
)

func (s *sourceSnapshot) close() {
	// Only read from: there is nothing that a failed goodbye could lose.
	_ = s.conn.Close(context.Background())
}

// release ends the snapshot and keeps the connection: the source may clean up
// what the snapshot saw (P7).
func (s *sourceSnapshot) release(ctx context.Context) error {
	if _, err := s.conn.Exec(ctx, "ROLLBACK"); err != nil {
		return fmt.Errorf("end the snapshot of the source: %w", err)
	}
	return nil
}

// rows gives the table's rows within the bounds in key order, one a call, nil at
// the end.
func (s *sourceSnapshot) rows(ctx context.Context, l layout, b bounds, config Config) (next func() (*row, error), done func(), err error) {
	tokenizers, err := l.tokenizers(config)
	if err != nil {
		return nil, nil, err
	}
	var selected, conditions []string
	for _, c := range l.columns {
		selected = append(selected, c.postgres)
	}
	for _, c := range l.columns {
		if c.unfit != nil {
			selected = append(selected, c.raw)
		}
	}
	sql := "SELECT " + strings.Join(selected, ", ") + " FROM " + pgx.Identifier{l.schema, l.table}.Sanitize()
	if l.filter != "" {
		conditions = append(conditions, "("+l.filter+")")
	}
	if conditions = append(conditions, l.sourceWithin(b)...); len(conditions) > 0 {
		sql += " WHERE " + strings.Join(conditions, " AND ")
	}
	if !l.tokenKey {
		sql += " ORDER BY " + strings.Join(l.keys(l.sourceKey), ", ")
	}
	if b.limit > 0 {
		sql += fmt.Sprintf(" LIMIT %d", b.limit)
	}
	rows, err := s.conn.Query(ctx, sql, pgx.QueryResultFormats{pgx.TextFormatCode})
	if err != nil {
		return nil, nil, fmt.Errorf("read %s.%s: %w", l.schema, l.table, err)
	}
	digest := xxhash.New()
	cells := make([]cell, len(l.columns))
	plain := make(event.Row, len(l.columns))
	var scratch []byte
	next = func() (*row, error) {
		if !rows.Next() {
			if err := rows.Err(); err != nil {
				return nil, fmt.Errorf("read %s.%s: %w", l.schema, l.table, err)
			}
			return nil, nil
		}
		scratch = scratch[:0]
		values := rows.RawValues()
		raw := len(cells)
		for i, value := range values[:len(cells)] {
			if unfit := l.columns[i].unfit; unfit != nil {
				if text := values[raw]; text != nil && unfit(text) {
					value = text
				}
				raw++
			}
			cells[i] = cell{null: value == nil, text: value}
			if plain[i] = (event.Value{}); value != nil {
				plain[i] = event.Value{State: event.Present, Text: value}
			}
			if tokens := tokenizers[i]; tokens != nil && value != nil {
				start := len(scratch)
				scratch = tokens.Append(scratch, l.columns[i].domain, value)
				cells[i].text = scratch[start:]
			}
		}
		// Somebody else's row stays, without an erased person's number (P12).
		if l.guard != nil {
			l.guard.Blank(plain)
			for i := range cells {
				if plain[i].State == event.Null {
					cells[i] = cell{null: true}
				}
			}
		}
		r := l.row(digest, cells)
		r.erased, _ = l.guard.Covers(plain)
		return r, nil
	}
	if l.tokenKey {
		sorted, err := drain(next, func(r *row) bool {
			return b.buckets <= 1 || xxhash.Sum64String(strings.Join(r.key, "|"))%b.buckets == b.bucket
		})
		rows.Close()
		if err != nil {
			return nil, nil, err
		}
		slices.SortFunc(sorted, func(a, b *row) int { return compareKeys(l.integer, a.key, b.key) })
		i := 0
		return func() (*row, error) {
			if i == len(sorted) {
				return nil, nil
			}
			i++
			return sorted[i-1], nil
		}, func() {}, nil
	}
	return next, rows.Close, nil
}

func (l layout) row(digest *xxhash.Digest, cells []cell) *row {
	r := &row{hash: hashRow(digest, cells), key: make([]string, len(l.key))}
	for i, k := range l.key {
		r.key[i] = string(cells[k].text)
	}
	return r
}

func drain(next func() (*row, error), keep func(*row) bool) ([]*row, error) {
	var all []*row
	for {
		r, err := next()
		if err != nil || r == nil {
			return all, err
		}
		if keep(r) {
			all = append(all, r)
		}
	}
}
