package postgres

import (
	"bytes"
	"context"
	"fmt"
	"strings"

	"github.com/hopluu/hopluu/connectors/postgres/copytext"
	"github.com/hopluu/hopluu/schemas/event"
	"github.com/jackc/pgx/v5"
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
}

// Extent asks for the table's size.
func (r *Reader) Extent(ctx context.Context, relation Relation) (Extent, error) {
	var e Extent
	err := r.conn.QueryRow(ctx, `
		SELECT (pg_relation_size(oid) / current_setting('block_size')::bigint)::bigint, relfilenode, relkind <> 'r'
		FROM pg_class WHERE oid = $1`, relation.OID).Scan(&e.Blocks, &e.Relfilenode, &e.Whole)
	if err != nil {
		return Extent{}, fmt.Errorf("size of %s: %w", relation.Name(), err)
	}
	return e, nil
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

// Reselect reads single columns of one row as they are now. A change of key
// does not send the TOAST values that it left alone (P4), and under the new
// key no earlier event has them. A later change of such a column has an event
// of its own with a higher version, so reading late still converges. found is
// false when the row is gone.
func Reselect(ctx context.Context, conn *pgx.Conn, relation Relation, key []int, row event.Row, columns []int) (values []event.Value, found bool, err error) {
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
	if err != nil {
		return nil, false, fmt.Errorf("read unsent values of %s: %w", relation.Name(), err)
	}
	return values, found, nil
}
