package clickhouse

import (
	"context"
	"errors"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/hopluu/hopluu/schemas/audit"
	"github.com/hopluu/hopluu/schemas/topic"
)

// landAudit writes hopluu.audit into ops.audit until ctx ends. Each sink does
// so, whatever its partitions: the same record twice is one row. What goes wrong
// is told and tried again, and holds nothing else up.
func (s *store) landAudit(ctx context.Context) {
	told := false
	for ctx.Err() == nil {
		err := s.followAudit(ctx, func() { told = false })
		switch {
		case ctx.Err() != nil:
			return
		case err != nil && !told:
			told = true
			s.log.Warn("the record of operators' actions does not reach ops.audit at the moment; topic "+topic.Audit+" has it", "error", err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(auditInterval):
		}
	}
}

// auditInterval is how long to wait before another try, also for a topic that is
// not there yet: the first action makes it.
const auditInterval = 3 * time.Second

func (s *store) followAudit(ctx context.Context, landed func()) (err error) {
	counts, err := s.kafka.PartitionCounts(ctx, topic.Audit)
	if err != nil || counts[topic.Audit] == 0 {
		return err
	}
	from, err := s.auditPosition(ctx)
	if err != nil {
		return err
	}
	reader := s.kafka.NewReader(map[topic.Partition]int64{{Topic: topic.Audit}: from})
	defer func() { err = errors.Join(err, reader.Close()) }()
	for {
		batches, err := reader.Poll(ctx)
		if err != nil {
			return err
		}
		var entries []audit.Entry
		var offsets []int64
		for _, b := range batches {
			for _, r := range b.Records {
				entries, offsets = append(entries, audit.Of(r)), append(offsets, r.Offset)
			}
		}
		if len(entries) > 0 {
			if err := s.server.appendAudit(ctx, entries, offsets); err != nil {
				return err
			}
		}
		landed()
	}
}

// auditPosition is where to read on: behind what ops.audit has, or at the
// topic's beginning when it is not the topic that this came from.
func (s *store) auditPosition(ctx context.Context) (int64, error) {
	part := topic.Partition{Topic: topic.Audit}
	starts, err := s.kafka.StartOffsets(ctx, part)
	if err != nil {
		return 0, err
	}
	ends, err := s.kafka.EndOffsets(ctx, part)
	if err != nil {
		return 0, err
	}
	last, id := int64(-1), ""
	err = s.server.query(ctx, "SELECT offset, id FROM ops.audit WHERE offset >= 0 ORDER BY offset DESC, at DESC LIMIT 1", func(rows driver.Rows) error {
		return rows.Scan(&last, &id)
	})
	if err != nil || last < starts[part] || last >= ends[part] {
		return starts[part], err
	}
	reader := s.kafka.NewReader(map[topic.Partition]int64{part: last})
	defer func() { err = errors.Join(err, reader.Close()) }()
	for {
		batches, err := reader.Poll(ctx)
		if err != nil {
			return 0, err
		}
		if len(batches) == 0 {
			continue
		}
		if r := batches[0].Records; len(r) > 0 && r[0].Offset == last && audit.Of(r[0]).ID == id {
			return last + 1, nil
		}
		return starts[part], nil
	}
}

func (s *server) appendAudit(ctx context.Context, entries []audit.Entry, offsets []int64) error {
	var at, ended []time.Time
	var who, account, command, outcome, reason, id []string
	var args, touched [][]string
	for _, e := range entries {
		if e.Ended.IsZero() {
			e.Ended = time.Unix(0, 0)
		}
		at, ended = append(at, e.At.UTC()), append(ended, e.Ended.UTC())
		who, account, command = append(who, e.Who), append(account, e.User), append(command, e.Command)
		args, touched = append(args, e.Args), append(touched, e.Touched)
		outcome, reason, id = append(outcome, e.Outcome), append(reason, e.Error), append(id, e.ID)
	}
	return s.append(ctx, "INSERT INTO ops.audit (at, ended, who, account, command, args, touched, outcome, error, id, offset)",
		at, ended, who, account, command, args, touched, outcome, reason, id, offsets)
}

// AppendAudit writes an entry to ops.audit itself, for an action while Kafka is
// away.
func AppendAudit(ctx context.Context, options *clickhouse.Options, e audit.Entry) (err error) {
	s, err := open(options)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.conn.Close()) }()
	return s.appendAudit(ctx, []audit.Entry{e}, []int64{-1})
}

// ReadAudit gives what ops.audit has of actions that began at or after since, in
// the order in which they began. A ClickHouse in which no sink ran has none.
func ReadAudit(ctx context.Context, options *clickhouse.Options, since time.Time) (all []audit.Entry, err error) {
	s, err := open(options)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.conn.Close()) }()
	if since.Year() < 1970 {
		since = time.Unix(0, 0)
	}
	err = s.query(ctx, "SELECT at, ended, who, account, command, args, touched, outcome, error, id FROM ops.audit FINAL WHERE at >= "+moment(since.Truncate(time.Millisecond))+" ORDER BY at, id", func(rows driver.Rows) error {
		var e audit.Entry
		if err := rows.Scan(&e.At, &e.Ended, &e.Who, &e.User, &e.Command, &e.Args, &e.Touched, &e.Outcome, &e.Error, &e.ID); err != nil {
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
