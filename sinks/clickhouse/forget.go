package clickhouse

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/hopluu/hopluu/schemas/avro"
	"github.com/hopluu/hopluu/schemas/erasure"
	"github.com/hopluu/hopluu/schemas/topic"
	"github.com/hopluu/hopluu/sinks/clickhouse/tables"
)

// forget takes erased records out of a message of one of the matcher's logs. It
// is errErased when nothing of it stays.
func (b *batch) forget(p *part, columns []avro.Column, cells []avro.Cell) error {
	ledger := b.store.eraser.ledger.Load()
	if ledger.Empty() {
		return nil
	}
	cell := func(name string) *avro.Cell {
		i := slices.IndexFunc(columns, func(c avro.Column) bool { return c.Name == name })
		if i < 0 || i >= len(cells) || cells[i].Null || columns[i].Type.Kind != avro.String {
			return nil
		}
		return &cells[i]
	}
	switch p.route.dataset {
	case tables.IdentityEvent:
		kind, before, after, causes := cell("kind"), cell("before"), cell("after"), cell("causes")
		if kind == nil || before == nil || after == nil || causes == nil {
			return nil // another version's, which has no records where these have
		}
		e := erasure.LogEvent{Kind: string(kind.B), Before: string(before.B), After: string(after.B), Causes: string(causes.B)}
		left, changed, stays, err := e.Without(func(r string) bool { return ledger.Record([]byte(r)) })
		switch {
		case err != nil:
			return &badRecord{reason: err}
		case !stays:
			return errErased
		case changed:
			kind.B, before.B, after.B, causes.B = []byte(left.Kind), []byte(left.Before), []byte(left.After), []byte(left.Causes)
		}
	case tables.IdentityAudit:
		for _, name := range auditNames {
			if c := cell(name); c != nil {
				if id := ledger.ErasureOf(string(c.B)); id != "" {
					c.B = []byte(erasure.InItsPlace(id))
				}
			}
		}
	}
	return nil
}

// isLog tells that a data set is one of the matcher's logs.
func isLog(dataset string) bool {
	return dataset == tables.IdentityEvent || dataset == tables.IdentityAudit
}

// logged are the messages of logs, by their keys, that are on their way.
type logged struct {
	mu  sync.Mutex
	all map[*batch]map[string]bool
}

// thinned tells whether a message of a log is there already. One that was written
// once more without who is erased has the key of the first: that one's row has
// lost the same, and stays at its offset, of which figures know that it restated
// them. Only where nobody read the first before compaction took it, this is it.
func (b *batch) thinned(ctx context.Context, r *topic.Record) (bool, error) {
	s := b.store
	name := string(s.record)
	if name == "" {
		return false, nil
	}
	again := slices.ContainsFunc(r.Headers, func(h topic.Header) bool { return h.Key == erasure.HeaderThinned })
	s.logged.mu.Lock()
	there := false
	for _, names := range s.logged.all {
		there = there || again && names[name]
	}
	if !there {
		if s.logged.all[b] == nil {
			s.logged.all[b] = map[string]bool{}
		}
		s.logged.all[b][name] = true
	}
	s.logged.mu.Unlock()
	if there || !again {
		return there, nil
	}
	err := s.health.Retry(ctx, "data set "+b.lane.dataset, func(ctx context.Context) error {
		shard := s.shards.of(r.Partition)
		if err := shard.sync(ctx, tables.Bronze, b.lane.dataset); err != nil {
			return err
		}
		return shard.query(ctx, fmt.Sprintf("SELECT count() > 0 FROM %s WHERE _record = %s AND _topic = %s AND _partition = %d", tables.Qualified(tables.Bronze, b.lane.dataset), quote(name), quote(r.Topic), r.ID),
			func(rows driver.Rows) error { return rows.Scan(&there) })
	})
	return there, err
}

// landed forgets the messages of a batch that is written, or given up.
func (l *logged) landed(b *batch) {
	l.mu.Lock()
	delete(l.all, b)
	l.mu.Unlock()
}

// auditNames are the columns of the audit that name records, or a person.
var auditNames = []string{"record_a", "record_b"}

// atOnce is how many rows of a log one statement rewrites.
const atOnce = 200

// forgetLogs takes erased records out of the rows that the logs have. It gives
// how many rows changed or went, by table.
func (w sweeper) forgetLogs(ctx context.Context, ledger *erasure.Ledger, counts map[string]int64) error {
	events, audits, err := w.logs(ctx)
	if err != nil {
		return err
	}
	records := ledger.Records()
	if events {
		for chunk := range slices.Chunk(records, namesAtOnce) {
			n, err := w.forgetEvents(ctx, ledger, chunk)
			if err != nil {
				return err
			}
			if n > 0 {
				counts["bronze."+tables.IdentityEvent] += n
			}
		}
	}
	if !audits {
		return nil
	}
	name := tables.Qualified(tables.Bronze, tables.IdentityAudit)
	for chunk := range slices.Chunk(append(records, ledger.Persons()...), namesAtOnce) {
		places := make([]string, len(chunk))
		for i, r := range chunk {
			places[i] = erasure.InItsPlace(ledger.ErasureOf(r))
		}
		list := quotedList(chunk)
		var where, set []string
		for _, c := range auditNames {
			where = append(where, c+" IN ("+list+")")
			set = append(set, fmt.Sprintf("%[1]s = if(has([%[2]s], assumeNotNull(%[1]s)) AND %[1]s IS NOT NULL, [%[3]s][indexOf([%[2]s], assumeNotNull(%[1]s))], %[1]s)", c, list, quotedList(places)))
		}
		n, err := w.count(ctx, erasedTable{database: tables.Bronze, name: tables.IdentityAudit}, strings.Join(where, " OR "))
		if err == nil && n > 0 {
			err = w.server.exec(ctx, "ALTER TABLE "+name+" UPDATE "+strings.Join(set, ", ")+" WHERE "+strings.Join(where, " OR ")+" SETTINGS mutations_sync = 2")
		}
		if err != nil {
			return err
		}
		if n > 0 {
			counts["bronze."+tables.IdentityAudit] += n
		}
	}
	return nil
}

// logs tells which of the logs there are.
func (w sweeper) logs(ctx context.Context) (events, audits bool, err error) {
	err = w.server.query(ctx, "SELECT name FROM system.tables WHERE database = '"+tables.Bronze+"' AND name IN ('"+tables.IdentityEvent+"', '"+tables.IdentityAudit+"')", func(rows driver.Rows) error {
		var name string
		err := rows.Scan(&name)
		events, audits = events || name == tables.IdentityEvent, audits || name == tables.IdentityAudit
		return err
	})
	return events, audits, err
}

// eventsOf is the condition of the events that name some records.
func eventsOf(records []string) string {
	list := quotedList(records)
	var all []string
	for _, c := range []string{"before", "after"} {
		all = append(all, "arrayExists(p -> hasAny(p.2, ["+list+"]), JSONExtract(ifNull("+c+", ''), 'Array(Tuple(person_id String, records Array(String)))'))")
	}
	return strings.Join(append(all, "hasAny(JSONExtract(ifNull(causes, ''), 'Array(String)'), ["+list+"])"), " OR ")
}

func (w sweeper) forgetEvents(ctx context.Context, ledger *erasure.Ledger, records []string) (int64, error) {
	const place = "concat(_topic, '/', toString(_partition), '/', toString(_offset))"
	name := tables.Qualified(tables.Bronze, tables.IdentityEvent)
	var gone, kept []string
	var left [4][]string // kind, before, after, causes
	err := w.query(ctx, tables.Bronze, tables.IdentityEvent, "SELECT "+place+", ifNull(kind, ''), ifNull(before, ''), ifNull(after, ''), ifNull(causes, '') FROM "+name+" WHERE "+eventsOf(records), func(rows driver.Rows) error {
		var at string
		var e erasure.LogEvent
		if err := rows.Scan(&at, &e.Kind, &e.Before, &e.After, &e.Causes); err != nil {
			return err
		}
		l, changed, stays, err := e.Without(func(r string) bool { return ledger.Record([]byte(r)) })
		switch {
		case err != nil:
			return fmt.Errorf("the event %s of %s: %w", at, name, err)
		case !stays:
			gone = append(gone, at)
		case changed:
			kept = append(kept, at)
			for i, s := range []string{l.Kind, l.Before, l.After, l.Causes} {
				left[i] = append(left[i], s)
			}
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	for chunk := range slices.Chunk(gone, namesAtOnce) {
		if _, err := w.deleteWhere(ctx, erasedTable{database: tables.Bronze, name: tables.IdentityEvent, bronze: true}, place+" IN ("+quotedList(chunk)+")"); err != nil {
			return 0, err
		}
	}
	for from := 0; from < len(kept); from += atOnce {
		to := min(from+atOnce, len(kept))
		list := quotedList(kept[from:to])
		var set []string
		for i, c := range []string{"kind", "before", "after", "causes"} {
			set = append(set, fmt.Sprintf("%s = [%s][indexOf([%s], %s)]", c, quotedList(left[i][from:to]), list, place))
		}
		if err := w.server.exec(ctx, "ALTER TABLE "+name+" UPDATE "+strings.Join(set, ", ")+" WHERE "+place+" IN ("+list+") SETTINGS mutations_sync = 2"); err != nil {
			return 0, err
		}
	}
	return int64(len(gone) + len(kept)), nil
}
