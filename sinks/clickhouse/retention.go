package clickhouse

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/hopluu/hopluu/sinks/clickhouse/cluster"
	"github.com/hopluu/hopluu/sinks/clickhouse/tables"
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
	for _, sql := range l.table.KeepFor(s.retention) {
		if err := s.server.exec(ctx, sql); err != nil {
			return err
		}
	}
	if want == 0 {
		return nil
	}
	ageless, err := s.ageless(ctx, l.table)
	if err != nil || want == seconds && ageless == 0 {
		return err
	}
	return s.server.exec(ctx, l.table.Aged())
}

// ageless counts the parts of bronze's table of which ClickHouse does not know how
// old their rows are, so that it would let none of them go: those of before there
// was a retention, also when the sink died before it had them looked at. In a
// cluster they are those of one server.
func (s *store) ageless(ctx context.Context, t *tables.Table) (parts uint64, err error) {
	err = s.server.query(ctx, "SELECT count() FROM system.parts WHERE active AND rows > 0 AND table = "+quote(t.Dataset())+
		" AND database IN ("+quotedList([]string{tables.Bronze, tables.Bronze + cluster.Suffix})+")"+
		" AND (empty(group_by_ttl_info.min) OR group_by_ttl_info.min[1] = toDateTime(0))", func(rows driver.Rows) error {
		return rows.Scan(&parts)
	})
	return parts, err
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
