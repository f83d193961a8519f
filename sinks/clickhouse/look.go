package clickhouse

import (
	"context"
	"errors"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// OpenLetters are the dead letters of a topic that wait to be dealt with.
type OpenLetters struct {
	Topic  string
	Open   uint64
	Since  time.Time
	Reason string // of the oldest
}

// Freshness is the time up to which every change at the sources of a data set is
// here; nil when not known.
type Freshness struct {
	Dataset string
	AsOf    *time.Time
}

// Reconciliation is the last comparison of a source's table.
type Reconciliation struct {
	Source, Table string
	At            time.Time
	OK            bool
	Differ        uint64 // keys missing, too many or different
	Error         string // why it could not be compared
}

// Seen is what ops tells at a glance.
type Seen struct {
	Letters    []OpenLetters
	Fresh      []Freshness
	Reconciled []Reconciliation
}

// Look reads ops. What no sink made yet is empty.
func Look(ctx context.Context, options *clickhouse.Options) (seen Seen, err error) {
	s, err := open(options)
	if err != nil {
		return Seen{}, err
	}
	defer func() { err = errors.Join(err, s.conn.Close()) }()
	ask := func(sql string, row func(driver.Rows) error) error {
		if err := s.query(ctx, sql, row); err != nil && !missing(err) {
			return err
		}
		return nil
	}
	err = ask("SELECT topic, count(), min(at), argMin(reason, at) FROM ops.dead_letter FINAL WHERE state NOT IN ('"+LetterRetried+"', '"+LetterDiscarded+"') GROUP BY topic ORDER BY topic", func(rows driver.Rows) error {
		var l OpenLetters
		if err := rows.Scan(&l.Topic, &l.Open, &l.Since, &l.Reason); err != nil {
			return err
		}
		seen.Letters = append(seen.Letters, l)
		return nil
	})
	if err != nil {
		return Seen{}, err
	}
	err = ask("SELECT dataset, toTimeZone(as_of, 'UTC') FROM ops.as_of ORDER BY dataset", func(rows driver.Rows) error {
		var f Freshness
		var at time.Time
		if err := rows.Scan(&f.Dataset, &at); err != nil {
			return err
		}
		if at.Unix() > 0 {
			f.AsOf = &at
		}
		seen.Fresh = append(seen.Fresh, f)
		return nil
	})
	if err != nil {
		return Seen{}, err
	}
	// The newest row of a table says how it stands.
	err = ask("SELECT source, table, max(at) AS latest, argMax(ok, at), argMax(missing + extra + different, at), argMax(error, at) FROM ops.reconciliation GROUP BY source, table ORDER BY source, table", func(rows driver.Rows) error {
		var r Reconciliation
		if err := rows.Scan(&r.Source, &r.Table, &r.At, &r.OK, &r.Differ, &r.Error); err != nil {
			return err
		}
		seen.Reconciled = append(seen.Reconciled, r)
		return nil
	})
	return seen, err
}
