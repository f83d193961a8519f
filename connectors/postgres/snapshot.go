package postgres

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/hopluu/hopluu/connectors/postgres/checkpoint"
	"github.com/hopluu/hopluu/connectors/postgres/copytext"
	"github.com/hopluu/hopluu/schemas/event"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// RangeBlocks is how many blocks of 8 kB a snapshot range has: 64 MB, some
// hundred thousand rows, so that a crash costs seconds of reading again.
const RangeBlocks = 8192

// Reader reads tables as one exported snapshot sees them.
type Reader struct {
	conn *pgx.Conn
	// Micros is the time at which the reader's transaction began.
	Micros int64
}

// OpenReader begins a read-only transaction on the snapshot. It takes no lock
// beyond ACCESS SHARE (P7).
func OpenReader(ctx context.Context, dsn string, snapshot Snapshot) (*Reader, error) {
	conn, err := Connect(ctx, dsn)
	if err != nil {
		return nil, err
	}
	r := &Reader{conn: conn}
	for _, sql := range []string{
		"BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
		"SET TRANSACTION SNAPSHOT '" + strings.ReplaceAll(snapshot.Name, "'", "''") + "'",
	} {
		if _, err := conn.Exec(ctx, sql); err != nil {
			return nil, closing(conn, fmt.Errorf("open snapshot %s: %w", snapshot.Name, err))
		}
	}
	if err := conn.QueryRow(ctx, "SELECT (extract(epoch FROM now()) * 1000000)::bigint").Scan(&r.Micros); err != nil {
		return nil, closing(conn, fmt.Errorf("open snapshot %s: %w", snapshot.Name, err))
	}
	return r, nil
}

func closing(conn *pgx.Conn, err error) error {
	if closeErr := conn.Close(context.Background()); closeErr != nil {
		return fmt.Errorf("%w (and closing: %w)", err, closeErr)
	}
	return err
}

// Close ends the transaction and the connection.
func (r *Reader) Close(ctx context.Context) error { return r.conn.Close(ctx) }

// Extent is the size of a table's heap as the snapshot's reader finds it.
type Extent struct {
	Blocks      uint32
	Relfilenode uint32
	// Whole is true for tables without a heap of their own (partitioned ones):
	// they are read in one piece.
	Whole bool
	// Parts are the partitions that the snapshot sees.
	Parts []checkpoint.Part
}

// ErrRewritten says that a table was made or rewritten after the snapshot was
// exported: the snapshot sees none of the new heap's rows. A new snapshot does.
var ErrRewritten = errors.New("the table was made, emptied or rewritten after its snapshot was taken: it is read again")

// Hold locks the table in ACCESS SHARE mode until the reader's end: from here
// on its columns and its heap stay as they are. Rewriting a table is not safe
// under MVCC (https://www.postgresql.org/docs/current/mvcc-caveats.html): an
// older snapshot finds it empty, which is ErrRewritten.
func (r *Reader) Hold(ctx context.Context, schema, table string) (Extent, error) {
	name := schema + "." + table
	// A query that reads nothing: LOCK TABLE asks for a privilege on all columns.
	if _, err := r.conn.Exec(ctx, "SELECT FROM "+pgx.Identifier{schema, table}.Sanitize()+" LIMIT 0"); err != nil {
		var pgErr *pgconn.PgError
		if errors.As(err, &pgErr) && (pgErr.Code == "42P01" || pgErr.Code == "3F000") { // undefined_table, invalid_schema_name
			return Extent{}, fmt.Errorf("%s: %w", name, ErrNoTable)
		}
		return Extent{}, fmt.Errorf("read %s: %w", name, Mend(err))
	}
	var e Extent
	var now uint32
	var parts *string
	// A query sees pg_class as of the snapshot, the functions as it is now.
	err := r.conn.QueryRow(ctx, `
		SELECT (coalesce(pg_relation_size(c.oid), 0) / current_setting('block_size')::bigint)::bigint, c.relfilenode, coalesce(pg_relation_filenode(c.oid), 0), c.relkind <> 'r', `+partsOf+`
		FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
		WHERE n.nspname = $1 AND c.relname = $2 AND c.relkind IN ('r', 'p')`, schema, table).Scan(&e.Blocks, &e.Relfilenode, &now, &e.Whole, &parts)
	if errors.Is(err, pgx.ErrNoRows) || err == nil && now != e.Relfilenode {
		return Extent{}, fmt.Errorf("%s: %w", name, ErrRewritten)
	}
	if err != nil {
		return Extent{}, fmt.Errorf("size of %s: %w", name, err)
	}
	e.Parts, err = readParts(parts)
	return e, err
}

// Read copies the table's rows out and hands each to row, whose cells are valid
// during the call only. from and to are blocks; to 0 means up to the end.
func (r *Reader) Read(ctx context.Context, relation Relation, e Extent, from, to uint32, row func(event.Row) error) error {
	columns := make([]string, len(relation.Columns))
	for i, c := range relation.Columns {
		columns[i] = pgx.Identifier{c.Name}.Sanitize()
	}
	table := pgx.Identifier{relation.Schema, relation.Table}.Sanitize()
	where := ""
	if !e.Whole {
		// pgoutput publishes a table's own rows, not its children's.
		table = "ONLY " + table
		where = fmt.Sprintf(" WHERE ctid >= '(%d,0)'", from)
		if to > 0 {
			where += fmt.Sprintf(" AND ctid < '(%d,0)'", to)
		}
	}
	if relation.Filter != "" {
		// The rows that the stream sends, and no others (P5).
		if where == "" {
			where = " WHERE "
		} else {
			where += " AND "
		}
		where += "(" + relation.Filter + ")"
	}
	lines := &lineWriter{columns: len(columns), row: row}
	_, err := r.conn.PgConn().CopyTo(ctx, lines, "COPY (SELECT "+strings.Join(columns, ", ")+" FROM "+table+where+") TO STDOUT")
	if lines.err != nil {
		return lines.err
	}
	if err != nil {
		return fmt.Errorf("read %s: %w", relation.Name(), Mend(err))
	}
	if len(lines.rest) > 0 {
		return fmt.Errorf("read %s: COPY ended within a line", relation.Name())
	}
	return nil
}

// lineWriter cuts what COPY writes into lines. The server sends a row a
// message, which the protocol does not promise.
type lineWriter struct {
	parser  copytext.Parser
	columns int
	row     func(event.Row) error
	rest    []byte
	err     error
}

func (w *lineWriter) Write(data []byte) (int, error) {
	n := len(data)
	for len(data) > 0 {
		end := bytes.IndexByte(data, '\n')
		if end < 0 {
			w.rest = append(w.rest, data...)
			break
		}
		line := data[:end]
		if len(w.rest) > 0 {
			w.rest = append(w.rest, line...)
			line = w.rest
		}
		var row event.Row
		if row, w.err = w.parser.Row(line, w.columns); w.err == nil {
			w.err = w.row(row)
		}
		if w.err != nil {
			return 0, w.err
		}
		w.rest = w.rest[:0]
		data = data[end+1:]
	}
	return n, nil
}

// settlePause is how long to wait before a transaction's end is asked for again.
const settlePause = time.Millisecond

// settle waits until a transaction that the stream has sent is visible. The
// server sends it as soon as its commit is written, and ends it for other
// sessions a moment later.
func settle(ctx context.Context, conn *pgx.Conn, xid uint32) error {
	for {
		var visible bool
		// The stream's number lacks the epoch: it is within half the circle
		// of the next one to be given.
		err := conn.QueryRow(ctx, `
			WITH now AS (SELECT pg_current_snapshot() AS shot), next AS (SELECT pg_snapshot_xmax(shot)::text::numeric AS id FROM now),
			     guess AS (SELECT id, id - mod(id, 4294967296) + $1::bigint AS xid FROM next)
			SELECT pg_visible_in_snapshot((CASE WHEN xid > id + 2147483648 THEN xid - 4294967296 WHEN xid < id - 2147483648 THEN xid + 4294967296 ELSE xid END)::text::xid8, shot)
			FROM guess, now`, int64(xid)).Scan(&visible)
		if err != nil {
			return fmt.Errorf("ask for the end of transaction %d: %w", xid, err)
		}
		if visible {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(settlePause):
		}
	}
}

// Reselect reads single columns of one row as they are now, at least as its
// transaction xid left them. A change of key does not send the TOAST values
// that it left alone (P4), and under the new key no earlier event has them. A
// later change of such a column has an event of its own with a higher version,
// so reading late still converges. found is false when the row is gone.
func Reselect(ctx context.Context, conn *pgx.Conn, xid uint32, relation Relation, key []int, row event.Row, columns []int) (values []event.Value, found bool, err error) {
	if err := settle(ctx, conn, xid); err != nil {
		return nil, false, err
	}
	selected := make([]string, len(columns))
	for i, c := range columns {
		selected[i] = pgx.Identifier{relation.Columns[c].Name}.Sanitize()
	}
	where := make([]string, len(key))
	for i, c := range key {
		where[i] = pgx.Identifier{relation.Columns[c].Name}.Sanitize() + " = '" + strings.ReplaceAll(string(row[c].Text), "'", "''") + "'"
	}
	lines := &lineWriter{columns: len(columns), row: func(r event.Row) error {
		found = true
		for _, v := range r {
			values = append(values, event.Value{State: v.State, Text: bytes.Clone(v.Text)})
		}
		return nil
	}}
	_, err = conn.PgConn().CopyTo(ctx, lines, "COPY (SELECT "+strings.Join(selected, ", ")+" FROM "+
		pgx.Identifier{relation.Schema, relation.Table}.Sanitize()+" WHERE "+strings.Join(where, " AND ")+") TO STDOUT")
	var pgErr *pgconn.PgError
	if errors.As(err, &pgErr) && (strings.HasPrefix(pgErr.Code, "42") && pgErr.Code != "42501" || strings.HasPrefix(pgErr.Code, "22")) {
		// The table, a column or the type of the key is another one by now:
		// what was meant cannot be asked for any more.
		return nil, false, nil
	}
	if err != nil {
		return nil, false, fmt.Errorf("read unsent values of %s: %w", relation.Name(), Mend(err))
	}
	return values, found, nil
}
