package clickhouse

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/hopluu/hopluu/sinks/clickhouse/access"
)

const (
	// readingsInterval is how long what was read waits to be noted at most, once
	// the server has written it into its own log.
	readingsInterval = 20 * time.Second
	// readingsWindow is how far a look goes back: ClickHouse writes its log some
	// seconds late, and more when it is busy.
	readingsWindow = 15 * time.Minute
	// readingsWhole is how often all that the server's log has is looked through,
	// for what came later than that, and for columns that are personal now and
	// were not.
	readingsWhole = time.Hour
	// readingsBlock is how many entries are written at once.
	readingsBlock = 5000
)

// errNoLog is that of a server that keeps no log of queries.
var errNoLog = errors.New("system.query_log is not there")

// noteReadings notes who read personal columns, from the server's log of queries
// into ops.access, until ctx ends (P11). Nothing is lost while that log has it:
// each look takes what is not noted yet. Every sink does so; the same entry twice
// is one row. The sink's own user, who reads everything all the time, is left out.
func (s *store) noteReadings(ctx context.Context) {
	r := &Roles{s.server, s.sectors}
	told := false
	var whole time.Time
	for {
		began := time.Now()
		since := began.Add(-readingsWindow)
		if began.Sub(whole) >= readingsWhole {
			since = time.Time{}
		}
		_, err := r.Note(ctx, since)
		switch {
		case ctx.Err() != nil:
			return
		case errors.Is(err, errNoLog) && !told:
			told = true
			s.log.Info("this ClickHouse keeps no log of queries: who reads personal columns is not noted in ops.access", "error", err)
		case err != nil && !told:
			told = true
			s.log.Warn("who reads personal columns is not noted at the moment; the user of clickhouse.dsn needs SELECT ON system.query_log", "error", err)
		case err == nil:
			told = false
			if since.IsZero() {
				whole = began
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(readingsInterval):
		}
	}
}

// Note writes into ops.access what the servers' logs of queries have of readings
// of personal columns that ended since then and are not noted yet; zero for all
// that they have. It gives how many it wrote, and can be repeated.
func (r *Roles) Note(ctx context.Context, since time.Time) (int, error) {
	columns, err := r.Columns(ctx)
	if err != nil {
		return 0, err
	}
	judge := access.NewReadings(r.sectors, columns)
	log := "system.query_log"
	if r.server.cluster != nil {
		log = "clusterAllReplicas(" + quote(r.server.cluster.Name) + ", system.query_log)"
	}
	// A day at a time, so that what is noted already is a set that fits.
	var days []time.Time
	from := "toDate(0)"
	if !since.IsZero() {
		from = "toDate(" + quote(since.UTC().AddDate(0, 0, -1).Format(time.DateOnly)) + ")"
	}
	err = r.server.query(ctx, "SELECT DISTINCT event_date FROM "+log+" WHERE event_date >= "+from+" ORDER BY event_date", func(rows driver.Rows) error {
		var day time.Time
		err := rows.Scan(&day)
		days = append(days, day)
		return err
	})
	if missing(err) {
		return 0, fmt.Errorf("%w: %w", errNoLog, err)
	}
	total := 0
	for _, day := range days {
		if err != nil {
			break
		}
		var n int
		n, err = r.noteDay(ctx, judge, log, day, since)
		total += n
	}
	return total, err
}

func (r *Roles) noteDay(ctx context.Context, judge *access.Readings, log string, day, since time.Time) (total int, err error) {
	var block readings
	write := func() error {
		if len(block.at) == 0 {
			return nil
		}
		total += len(block.at)
		err := r.server.append(ctx, readingsInsert, block.values()...)
		block = readings{}
		return err
	}
	late := "1"
	if !since.IsZero() {
		late = "event_time_microseconds >= " + moment(since)
	}
	// Literals stay in the server's log: only the hash of the query without them
	// is taken. A query that began and has not ended is noted, too.
	err = r.server.query(ctx, `SELECT toTimeZone(query_start_time_microseconds, 'UTC') AS began, toTimeZone(if(type = 'QueryStart', toDateTime64(0, 6), event_time_microseconds), 'UTC') AS ended,
    user, initial_user, toString(initial_address), hostname, query_id, normalized_query_hash, toString(query_kind), exception_code, result_rows, arrayMap(c -> toString(c), columns)
FROM `+log+`
WHERE event_date = toDate(`+quote(day.Format(time.DateOnly))+`) AND `+late+` AND is_initial_query AND user != currentUser()
    AND (notEmpty(columns) OR exception_code = `+fmt.Sprint(codeAccessDenied)+`)
    AND (query_id, began, ended) NOT IN (SELECT query_id, at, ended FROM ops.access WHERE at >= toDateTime64(toDate(`+quote(day.AddDate(0, 0, -2).Format(time.DateOnly))+`), 6, 'UTC') AND at < toDateTime64(toDate(`+quote(day.AddDate(0, 0, 2).Format(time.DateOnly))+`), 6, 'UTC'))`,
		func(rows driver.Rows) error {
			var e Reading
			var code int32
			if err := rows.Scan(&e.At, &e.Ended, &e.User, &e.InitialUser, &e.Address, &e.Server, &e.QueryID, &e.QueryHash, &e.Kind, &code, &e.Rows, &e.Columns); err != nil {
				return err
			}
			e.Columns, e.Tables = judge.Personal(e.Columns)
			switch {
			case code == codeAccessDenied:
				e.Outcome = ReadingRefused
			case len(e.Columns) == 0:
				return nil
			case code != 0:
				e.Outcome = ReadingFailed
			case e.Ended.Unix() == 0:
				e.Outcome = ReadingBegun
			default:
				e.Outcome = ReadingDone
			}
			block.add(e)
			if len(block.at) < readingsBlock {
				return nil
			}
			return write()
		})
	return total, errors.Join(err, write())
}

// What became of a reading.
const (
	ReadingBegun   = "begun" // it has not ended, or its server did not see it end
	ReadingDone    = "done"
	ReadingFailed  = "failed"  // after it began: it may have given rows
	ReadingRefused = "refused" // for want of rights; which columns is not always known
)

// Reading is a query that read personal columns, or was refused. It has no values.
type Reading struct {
	At          time.Time `json:"at"`
	Ended       time.Time `json:"ended,omitzero"` // zero when it has not
	User        string    `json:"user"`
	InitialUser string    `json:"initial_user"`
	Address     string    `json:"address"` // where it was asked from
	Outcome     string    `json:"outcome"`
	Kind        string    `json:"kind"`
	Tables      []string  `json:"tables"`
	Columns     []string  `json:"columns"` // the personal ones
	Rows        uint64    `json:"rows"`    // of the result
	QueryHash   uint64    `json:"query_hash,string"`
	QueryID     string    `json:"query_id"`
	Server      string    `json:"server"`
}

type readings struct {
	at, ended                                                []time.Time
	user, initial, address, outcome, kind, queryID, hostname []string
	tables, columns                                          [][]string
	rows, hash                                               []uint64
}

const readingsInsert = "INSERT INTO ops.access (at, ended, user, initial_user, address, outcome, kind, tables, columns, rows, query_hash, query_id, server)"

func (b *readings) add(e Reading) {
	b.at, b.ended = append(b.at, e.At), append(b.ended, e.Ended)
	b.user, b.initial, b.address = append(b.user, e.User), append(b.initial, e.InitialUser), append(b.address, e.Address)
	b.outcome, b.kind = append(b.outcome, e.Outcome), append(b.kind, e.Kind)
	b.tables, b.columns = append(b.tables, e.Tables), append(b.columns, e.Columns)
	b.rows, b.hash = append(b.rows, e.Rows), append(b.hash, e.QueryHash)
	b.queryID, b.hostname = append(b.queryID, e.QueryID), append(b.hostname, e.Server)
}

func (b *readings) values() []any {
	return []any{b.at, b.ended, b.user, b.initial, b.address, b.outcome, b.kind, b.tables, b.columns, b.rows, b.hash, b.queryID, b.hostname}
}

// moment is the expression for a time.
func moment(t time.Time) string {
	return "toDateTime64(" + quote(t.UTC().Format("2006-01-02 15:04:05.000000")) + ", 6, 'UTC')"
}

// ReadReadings gives what ops.access has of readings that began at or after since,
// of one user or, when it is empty, of all, in the order in which they began. A
// ClickHouse in which no sink ran has none.
func ReadReadings(ctx context.Context, options *clickhouse.Options, since time.Time, user string) (all []Reading, err error) {
	s, err := open(options)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.conn.Close()) }()
	where := "1"
	if since.Unix() > 0 {
		where = "at >= " + moment(since)
	}
	if user != "" {
		where += " AND (user = " + quote(user) + " OR initial_user = " + quote(user) + ")"
	}
	err = s.query(ctx, "SELECT at, ended, user, initial_user, address, outcome, kind, tables, columns, rows, query_hash, query_id, server FROM ops.access FINAL WHERE "+where+" ORDER BY at, server, query_id", func(rows driver.Rows) error {
		var e Reading
		if err := rows.Scan(&e.At, &e.Ended, &e.User, &e.InitialUser, &e.Address, &e.Outcome, &e.Kind, &e.Tables, &e.Columns, &e.Rows, &e.QueryHash, &e.QueryID, &e.Server); err != nil {
			return err
		}
		if e.Ended.Unix() == 0 {
			e.Ended = time.Time{}
		}
		all = append(all, e)
		return nil
	})
	if missing(err) {
		return nil, nil
	}
	return all, err
}
