package clickhouse

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// retain sets how long bronze keeps the events of a data set, and notes when that
// changed, for WholeSince. It is asked at start, and after each change of shape.
func (s *store) retain(ctx context.Context, l *lane) error {
	if !l.table.Keyed() {
		return nil
	}
	var seconds int64
	err := s.server.query(ctx, "SELECT argMax(seconds, at) FROM ops.bronze_retention WHERE dataset = "+quote(l.dataset), func(rows driver.Rows) error {
		return rows.Scan(&seconds)
	})
	if err != nil {
		return err
	}
	want := int64(s.retention / time.Second)
	if want == 0 && seconds == 0 {
		return nil
	}
	// Noted first: whoever asks meanwhile is told less than there is, not more.
	if want != seconds {
		err := s.server.append(ctx, "INSERT INTO ops.bronze_retention (dataset, at, seconds)", []string{l.dataset}, []time.Time{time.Now().UTC()}, []int64{want})
		if err != nil {
			return err
		}
		s.log.Info("bronze keeps events for another time", "dataset", l.dataset, "time", s.retention)
	}
	if want == 0 {
		return s.server.exec(ctx, l.table.KeepFor(0, false))
	}
	return s.server.exec(ctx, l.table.KeepFor(s.retention, want != seconds))
}

// WholeSince tells since when bronze has every event of a data set that landed.
// ok is false when it has all that ever landed. Before that time it has the last
// event of each record (and all that did not send every value): enough for the
// state of every row at any later time, and for a replay that ends with the rows as
// they are, but not for what a row was between.
func WholeSince(ctx context.Context, conn driver.Conn, dataset string) (since time.Time, ok bool, err error) {
	rows, err := conn.Query(ctx, "SELECT at, seconds FROM ops.bronze_retention WHERE dataset = "+quote(dataset)+" ORDER BY at")
	if missing(err) {
		return since, false, nil // no sink of this release was here yet
	}
	if err != nil {
		return since, false, fmt.Errorf("clickhouse: %w", err)
	}
	var kept int64
	expire := func(at time.Time) {
		if edge := at.Add(-time.Duration(kept) * time.Second); kept > 0 && edge.After(since) {
			since, ok = edge, true
		}
	}
	for rows.Next() {
		var at time.Time
		var seconds int64
		if err := rows.Scan(&at, &seconds); err != nil {
			return since, false, errors.Join(fmt.Errorf("clickhouse: %w", err), rows.Close())
		}
		expire(at)
		kept = seconds
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return since, false, fmt.Errorf("clickhouse: %w", err)
	}
	expire(time.Now())
	return since, ok, nil
}
