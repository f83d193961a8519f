package clickhouse

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/hopluu/hopluu/sinks"
	"github.com/hopluu/hopluu/sinks/clickhouse/cluster"
	"github.com/hopluu/hopluu/sinks/clickhouse/tables"
)

const (
	// statementTimeout bounds one statement.
	statementTimeout = 5 * time.Minute
	// grace is how long a statement that is under way may go on when the sink
	// stops or loses its partitions. To break it off would leave open whether
	// it was carried out, beside the next owner's writes.
	grace = 20 * time.Second
)

// server is ClickHouse, over either protocol: a server, or a replica of a shard.
type server struct {
	conn driver.Conn
	addr string
	// cluster is set when the server is one of many: statements then speak to all
	// of them, or, when it is local, of the rows of its shard.
	cluster *cluster.Cluster
	local   bool
	// described: over HTTP the client asks for the types of a table before each
	// insert unless it is told them, and the server converts what differs.
	described bool
	scratch   sync.Pool
}

func open(options *clickhouse.Options) (*server, error) {
	o := *options
	if o.MaxOpenConns == 0 {
		o.MaxOpenConns = 10
	}
	conn, err := clickhouse.Open(&o)
	if err != nil {
		return nil, fmt.Errorf("clickhouse: %w", err)
	}
	return &server{
		conn: conn, addr: strings.Join(o.Addr, ", "), described: o.Protocol == clickhouse.HTTP,
		scratch: sync.Pool{New: func() any { return new(tables.Scratch) }},
	}, nil
}

// statement gives the context of one statement: it outlives ctx by grace.
func statement(ctx context.Context) (context.Context, context.CancelFunc) {
	inner, cancel := context.WithTimeout(context.WithoutCancel(ctx), statementTimeout)
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(grace, cancel) })
	return inner, func() { stop(); cancel() }
}

func (s *server) exec(ctx context.Context, sql string) error {
	if s.cluster == nil || s.local {
		return s.run(ctx, s.own(sql))
	}
	statements, err := s.cluster.Statements(sql)
	if err != nil {
		return &sinks.Permanent{Err: err}
	}
	for _, sql := range statements {
		if err := s.run(ctx, sql); err != nil {
			return err
		}
	}
	return nil
}

// run executes a statement on this server, as it stands.
func (s *server) run(ctx context.Context, sql string) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	inner, cancel := statement(ctx)
	defer cancel()
	return s.wrap(s.conn.Exec(inner, sql))
}

// own is a statement about the rows that this server has.
func (s *server) own(sql string) string {
	if s.local {
		return s.cluster.Local(sql)
	}
	return sql
}

// query calls row for each row of the result, to scan it.
func (s *server) query(ctx context.Context, sql string, row func(driver.Rows) error) error {
	rows, err := s.conn.Query(ctx, s.own(sql))
	if err != nil {
		return s.wrap(err)
	}
	for rows.Next() {
		if err := row(rows); err != nil {
			return errors.Join(s.wrap(err), rows.Close())
		}
	}
	if err := rows.Err(); err != nil {
		return errors.Join(s.wrap(err), rows.Close())
	}
	return s.wrap(rows.Close())
}

// insert sends buffers as one block. A token makes ClickHouse drop the block
// when it has it already.
func (s *server) insert(ctx context.Context, in *tables.Insert, buffers []*tables.Buffer, token string) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	inner, cancel := statement(ctx)
	defer cancel()
	settings := clickhouse.Settings{"async_insert": 0}
	if token == "" {
		settings["insert_deduplicate"] = 0
	} else {
		settings["insert_deduplication_token"] = token
	}
	options := []clickhouse.QueryOption{clickhouse.WithSettings(settings)}
	if s.described {
		described := make([]clickhouse.ColumnNameAndType, len(in.Columns))
		for i, c := range in.Columns {
			described[i] = clickhouse.ColumnNameAndType{Name: c.Name, Type: c.Plain}
		}
		options = append(options, clickhouse.WithColumnNamesAndTypes(described))
	}
	batch, err := s.conn.PrepareBatch(clickhouse.Context(inner, options...), s.own(in.SQL))
	if err != nil {
		return s.wrap(err)
	}
	scratch := s.scratch.Get().(*tables.Scratch)
	defer s.scratch.Put(scratch)
	rows := 0
	for _, b := range buffers {
		rows += b.Rows()
		err := in.Each(b, scratch, !s.described, func(i int, values any) error { return batch.Column(i).Append(values) })
		if err != nil {
			return errors.Join(fmt.Errorf("clickhouse: %w", err), batch.Abort())
		}
	}
	// The client's HTTP side reports no error of its own encoding: a block with
	// columns of different lengths would be an empty insert.
	for i, c := range batch.Columns() {
		if c.Rows() != rows {
			return errors.Join(fmt.Errorf("clickhouse: column %s has %d values for %d rows", in.Columns[i].Name, c.Rows(), rows), batch.Abort())
		}
	}
	return s.wrap(batch.Send())
}

// append inserts typed columns into a small table of ours.
func (s *server) append(ctx context.Context, sql string, columns ...any) error {
	return s.send(ctx, clickhouse.Settings{"async_insert": 0, "insert_deduplicate": 0}, sql, columns)
}

// appendOnce is append of a block that ClickHouse drops when it has one of the
// same token.
func (s *server) appendOnce(ctx context.Context, token, sql string, columns ...any) error {
	return s.send(ctx, clickhouse.Settings{"async_insert": 0, "insert_deduplication_token": token}, sql, columns)
}

func (s *server) send(ctx context.Context, settings clickhouse.Settings, sql string, columns []any) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	inner, cancel := statement(ctx)
	defer cancel()
	batch, err := s.conn.PrepareBatch(clickhouse.Context(inner, clickhouse.WithSettings(settings)), sql)
	if err != nil {
		return s.wrap(err)
	}
	for i, c := range columns {
		if err := batch.Column(i).Append(c); err != nil {
			return errors.Join(fmt.Errorf("clickhouse: %w", err), batch.Abort())
		}
	}
	return s.wrap(batch.Send())
}

// Error codes of ClickHouse (src/Common/ErrorCodes.cpp).
const (
	codeUnknownTable     = 60
	codeUnknownDatabase  = 81
	codeUnknownUser      = 192
	codeWrongPassword    = 193
	codeRequiredPassword = 194
	codeAccessDenied     = 497
	codeAuthentication   = 516
)

func code(err error) int32 {
	var e *clickhouse.Exception
	if errors.As(err, &e) {
		return e.Code
	}
	return 0
}

// missing tells whether a statement failed for a table that is not there.
func missing(err error) bool {
	return code(err) == codeUnknownTable || code(err) == codeUnknownDatabase
}

// wrap classifies an error: what waiting mends, and what it does not.
func (s *server) wrap(err error) error {
	if err == nil {
		return nil
	}
	switch c := code(err); c {
	case 0:
		var request *url.Error
		if errors.As(err, &request) {
			err = request.Err // without the URL, in which the driver has its settings
			if !errors.Is(err, context.Canceled) {
				return &sinks.Unavailable{What: "ClickHouse", Err: fmt.Errorf("%s does not answer: %w; check clickhouse.dsn, and that ClickHouse runs", s.addr, err)}
			}
		}
		return &sinks.Unavailable{What: "ClickHouse", Err: fmt.Errorf("%s: %w", s.addr, err)}
	case codeAuthentication, codeUnknownUser, codeWrongPassword, codeRequiredPassword:
		return &sinks.Permanent{Err: fmt.Errorf("clickhouse %s refuses the user or password of clickhouse.dsn: %w", s.addr, err)}
	case codeAccessDenied:
		return &sinks.Permanent{Err: fmt.Errorf("clickhouse %s: the user of clickhouse.dsn needs CREATE, ALTER, SELECT and INSERT on bronze, silver, gold and ops: %w", s.addr, err)}
	}
	return fmt.Errorf("clickhouse %s: %w", s.addr, err)
}
