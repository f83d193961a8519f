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

// RangeBlocks is how many blocks of 8 kB a snapshot range has at most: 64 MB,
// some hundred thousand rows, so that a crash costs seconds of reading again.
const RangeBlocks = 8192

// Held is an exported snapshot that a transaction of its own keeps alive. It
// holds back what VACUUM may remove, but no WAL and no lock (P7).
type Held struct {
	Snapshot
	// Micros is the time at which it was taken over, in microseconds since
	// 1970-01-01 UTC: the commit time of its rows, whichever reader gives them.
	Micros int64
	// sees is pg_current_snapshot of the transaction.
	sees string
	conn *pgx.Conn
}

// Hold takes a snapshot over from the replication connection that exported it,
// which is free for other commands then.
func Hold(ctx context.Context, dsn string, snapshot Snapshot) (*Held, error) {
	conn, err := Connect(ctx, dsn)
	if err != nil {
		return nil, err
	}
	h := &Held{Snapshot: snapshot, conn: conn}
	if err := begin(ctx, conn, snapshot.Name); err != nil {
		return nil, closing(conn, err)
	}
	err = conn.QueryRow(ctx, "SELECT pg_export_snapshot(), pg_current_snapshot()::text, (extract(epoch FROM now()) * 1000000)::bigint").Scan(&h.Name, &h.sees, &h.Micros)
	if err != nil {
		return nil, closing(conn, fmt.Errorf("hold snapshot %s: %w", snapshot.Name, err))
	}
	return h, nil
}

// Export exports a snapshot at an exact LSN and holds it. It waits for the
// transactions that run. slot is the name of a slot that is there meanwhile.
func Export(ctx context.Context, dsn, slot string) (h *Held, err error) {
	repl, err := ConnectReplication(ctx, dsn)
	if err != nil {
		return nil, err
	}
	// With its connection the slot goes: it would hold WAL back (P7).
	defer func() {
		bound, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeBound)
		defer cancel()
		_ = repl.Close(bound) // it only read
	}()
	snapshot, err := ExportSnapshot(ctx, repl, slot)
	if err != nil {
		return nil, err
	}
	return Hold(ctx, dsn, snapshot)
}

// closeBound is how long a goodbye may take; the server notices a broken
// connection by itself.
const closeBound = 2 * time.Second

// Close lets the snapshot go. Readers that have begun keep it.
func (h *Held) Close() {
	ctx, cancel := context.WithTimeout(context.Background(), closeBound)
	defer cancel()
	_ = h.conn.Close(ctx) // it only read
}

// begin begins a read-only transaction on an exported snapshot.
func begin(ctx context.Context, conn *pgx.Conn, name string) error {
	for _, sql := range []string{
		"BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
		"SET TRANSACTION SNAPSHOT '" + strings.ReplaceAll(name, "'", "''") + "'",
	} {
		if _, err := conn.Exec(ctx, sql); err != nil {
			return fmt.Errorf("open snapshot %s: %w", name, err)
		}
	}
	return nil
}

func closing(conn *pgx.Conn, err error) error {
	if closeErr := conn.Close(context.Background()); closeErr != nil {
		return fmt.Errorf("%w (and closing: %w)", err, closeErr)
	}
	return err
}

// Reader reads tables, one after another, as a held snapshot sees them.
type Reader struct {
	held *Held
	conn *pgx.Conn
}

// OpenReader makes a reader's connection.
func OpenReader(ctx context.Context, dsn string, held *Held) (*Reader, error) {
	conn, err := Connect(ctx, dsn)
	if err != nil {
		return nil, err
	}
	return &Reader{held: held, conn: conn}, nil
}

// Close ends the reader's transaction and its connection.
func (r *Reader) Close() {
	ctx, cancel := context.WithTimeout(context.Background(), closeBound)
	defer cancel()
	_ = r.conn.Close(ctx) // it only read
}

// Leave lets the table's lock go.
func (r *Reader) Leave(ctx context.Context) error {
	if _, err := r.conn.Exec(ctx, "ROLLBACK"); err != nil {
		return fmt.Errorf("leave a table: %w", err)
	}
	return nil
}

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

// ErrBusy says that the application holds the table, or waits for it to alter
// it: it is read later.
var ErrBusy = errors.New("the table is locked by a statement of the application")

// lockTimeout is how long a reader waits for a table. While it waits, the
// application's next statements wait behind it.
const lockTimeout = "2s"

// Enter begins a transaction on the snapshot and locks the table in ACCESS
// SHARE mode until Leave: from here on its columns and its heap stay as they
// are, and no other table is locked (P7). Rewriting a table is not safe under
// MVCC (https://www.postgresql.org/docs/current/mvcc-caveats.html): an older
// snapshot finds it empty, which is ErrRewritten.
func (r *Reader) Enter(ctx context.Context, schema, table string) (Extent, error) {
	if err := begin(ctx, r.conn, r.held.Name); err != nil {
		return Extent{}, err
	}
	// Case 06: a connection that does not see what the others see would lose
	// rows, or give them twice.
	var sees string
	if err := r.conn.QueryRow(ctx, "SELECT set_config('lock_timeout', $1, true), pg_current_snapshot()::text", lockTimeout).Scan(nil, &sees); err != nil {
		return Extent{}, fmt.Errorf("open snapshot %s: %w", r.held.Name, err)
	}
	if sees != r.held.sees {
		return Extent{}, fmt.Errorf("open snapshot %s: the server gives %s, not %s", r.held.Name, sees, r.held.sees)
	}
	name := schema + "." + table
	// A query that reads nothing: LOCK TABLE asks for a privilege on all columns.
	if _, err := r.conn.Exec(ctx, "SELECT FROM "+pgx.Identifier{schema, table}.Sanitize()+" LIMIT 0"); err != nil {
		var pgErr *pgconn.PgError
		if errors.As(err, &pgErr) {
			switch pgErr.Code {
			case "42P01", "3F000": // undefined_table, invalid_schema_name
				return Extent{}, fmt.Errorf("%s: %w", name, ErrNoTable)
			case "55P03", "40P01": // lock_not_available, deadlock_detected
				return Extent{}, fmt.Errorf("%s: %w", name, ErrBusy)
			}
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

// Piece is what is read of a table at once: blocks of its heap, or the rows of a
// range or of keys when that is not nil.
type Piece struct {
	Blocks checkpoint.Blocks
	Range  *event.Range
	Keys   *Keys
}

// Read copies the rows of a piece of a table that was entered and hands each to
// row, whose cells are valid during the call only. An error of row's ends the
// connection.
func (r *Reader) Read(ctx context.Context, relation Relation, e Extent, p Piece, row func(event.Row) error) error {
	columns, table := relation.selected(e)
	conditions, err := p.conditions(relation, e)
	if err != nil {
		return err
	}
	return r.copy(ctx, relation, columns, table, conditions, row)
}

// selected are the columns and the table that are read.
func (r Relation) selected(e Extent) (columns []string, table string) {
	for _, c := range r.Columns {
		columns = append(columns, pgx.Identifier{c.Name}.Sanitize())
	}
	table = pgx.Identifier{r.Schema, r.Table}.Sanitize()
	if !e.Whole {
		// pgoutput publishes a table's own rows, not its children's.
		table = "ONLY " + table
	}
	return columns, table
}

func (r *Reader) copy(ctx context.Context, relation Relation, columns []string, table string, conditions []string, row func(event.Row) error) error {
	if relation.Filter != "" {
		// The rows that the stream sends, and no others (P5).
		conditions = append(conditions, "("+relation.Filter+")")
	}
	where := ""
	if len(conditions) > 0 {
		where = " WHERE " + strings.Join(conditions, " AND ")
	}
	lines := &lineWriter{columns: len(columns), row: row}
	_, err := r.conn.PgConn().CopyTo(ctx, lines, "COPY (SELECT "+strings.Join(columns, ", ")+" FROM "+table+where+") TO STDOUT")
	if lines.err != nil {
		return lines.err
	}
	var pgErr *pgconn.PgError
	if errors.As(err, &pgErr) && pgErr.Code == "55P03" { // lock_not_available: of a partition
		return fmt.Errorf("%s: %w", relation.Name(), ErrBusy)
	}
	if err != nil {
		return fmt.Errorf("read %s: %w", relation.Name(), Mend(err))
	}
	if len(lines.rest) > 0 {
		return fmt.Errorf("read %s: COPY ended within a line", relation.Name())
	}
	return nil
}

// Waited tells whether a statement waits for the lock of the table that was
// entered.
func (r *Reader) Waited(ctx context.Context) (waited bool, err error) {
	err = r.conn.QueryRow(ctx, `SELECT pg_backend_pid() = ANY (SELECT unnest(pg_blocking_pids(pid)) FROM pg_locks WHERE NOT granted AND locktype = 'relation')`).Scan(&waited)
	if err != nil {
		return false, fmt.Errorf("ask who waits: %w", err)
	}
	return waited, nil
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
