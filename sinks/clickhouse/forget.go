package clickhouse

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/hopluu/hopluu/schemas/avro"
	"github.com/hopluu/hopluu/schemas/erasure"
	"github.com/hopluu/hopluu/sinks/clickhouse/tables"
)

// The logs of the matcher name many people in one row. Such a row does not go
// with one of them: the history of the others would have a hole. The erased
// records are taken out of it, by the same rule when the message is read and when
// the row is there already (P12).

// logEvent is a row of identity_event.
type logEvent struct{ kind, before, after, causes string }

// logPerson is a person in it.
type logPerson struct {
	Person  string   `json:"person_id"`
	Records []string `json:"records"`
}

// without gives the event as the others lived it: without the erased records,
// and the persons who had no other. first is its first person. When nothing
// became of anybody else it does not stay. A person with somebody else's records
// keeps the id, by which these were linked and are found in the history of links.
func (e logEvent) without(erased func(record string) bool) (left logEvent, first string, changed, stays bool, err error) {
	var before, after []logPerson
	var causes []string
	for _, part := range []struct {
		text string
		into any
	}{{e.before, &before}, {e.after, &after}, {e.causes, &causes}} {
		if err := json.Unmarshal([]byte(part.text), part.into); err != nil {
			return e, "", false, true, fmt.Errorf("its records cannot be told, so neither whether one is erased: %w", err)
		}
	}
	of := func(record string) bool {
		gone := erased(record)
		changed = changed || gone
		return gone
	}
	for _, side := range []*[]logPerson{&before, &after} {
		for i := range *side {
			(*side)[i].Records = slices.DeleteFunc((*side)[i].Records, of)
		}
	}
	causes = slices.DeleteFunc(causes, of)
	if !changed {
		return e, "", false, true, nil
	}
	nobody := func(p logPerson) bool { return len(p.Records) == 0 }
	before, after = slices.DeleteFunc(before, nobody), slices.DeleteFunc(after, nobody)
	switch {
	case slices.Equal(groups(before, after), groups(after, before)):
		return left, "", true, false, nil
	case len(after) == 1:
		left.kind = "merge"
	case len(before) == 1:
		left.kind = "split"
	default:
		left.kind = "move"
	}
	for _, part := range []struct {
		into *string
		of   any
	}{{&left.before, before}, {&left.after, after}, {&left.causes, causes}} {
		written, err := json.Marshal(part.of)
		if err != nil {
			return e, "", false, true, err
		}
		*part.into = string(written)
	}
	return left, before[0].Person, true, true, nil
}

// groups are the records of each person that the other side has as well, in
// order: with the same ones on both sides nobody was merged or split.
func groups(side, other []logPerson) (all []string) {
	known := map[string]bool{}
	for _, p := range other {
		for _, r := range p.Records {
			known[r] = true
		}
	}
	for _, p := range side {
		records := slices.DeleteFunc(slices.Clone(p.Records), func(r string) bool { return !known[r] })
		if len(records) > 0 {
			slices.Sort(records)
			all = append(all, strings.Join(records, "\x00"))
		}
	}
	slices.Sort(all)
	return all
}

// inItsPlace stands in the audit where a name of an erased person stood: who
// looked, when and what was decided is kept, and the ledger, which few may read,
// says whose erasure it was.
func inItsPlace(id string) string { return "erased:" + id }

// forget takes erased records out of a message of one of the matcher's logs. It
// is errErased when nothing of it stays. The row has the name of its first person.
func (b *batch) forget(p *part, columns []avro.Column, cells []avro.Cell, meta *tables.Meta) error {
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
		e := logEvent{string(kind.B), string(before.B), string(after.B), string(causes.B)}
		left, first, changed, stays, err := e.without(func(r string) bool { return ledger.Record([]byte(r)) })
		switch {
		case err != nil:
			return &badRecord{reason: err}
		case !stays:
			return errErased
		case changed:
			kind.B, before.B, after.B, causes.B = []byte(left.kind), []byte(left.before), []byte(left.after), []byte(left.causes)
			meta.Record = []byte(first)
		}
	case tables.IdentityAudit:
		for _, name := range auditNames {
			if c := cell(name); c != nil {
				if id := ledger.ErasureOf(string(c.B)); id != "" {
					c.B = []byte(inItsPlace(id))
				}
			}
		}
	}
	return nil
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
			places[i] = inItsPlace(ledger.ErasureOf(r))
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
	var left [5][]string // kind, before, after, causes, _record
	err := w.query(ctx, tables.Bronze, tables.IdentityEvent, "SELECT "+place+", ifNull(kind, ''), ifNull(before, ''), ifNull(after, ''), ifNull(causes, '') FROM "+name+" WHERE "+eventsOf(records), func(rows driver.Rows) error {
		var at string
		var e logEvent
		if err := rows.Scan(&at, &e.kind, &e.before, &e.after, &e.causes); err != nil {
			return err
		}
		l, first, changed, stays, err := e.without(func(r string) bool { return ledger.Record([]byte(r)) })
		switch {
		case err != nil:
			return fmt.Errorf("the event %s of %s: %w", at, name, err)
		case !stays:
			gone = append(gone, at)
		case changed:
			kept = append(kept, at)
			for i, s := range []string{l.kind, l.before, l.after, l.causes, first} {
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
		for i, c := range []string{"kind", "before", "after", "causes", "_record"} {
			set = append(set, fmt.Sprintf("%s = [%s][indexOf([%s], %s)]", c, quotedList(left[i][from:to]), list, place))
		}
		if err := w.server.exec(ctx, "ALTER TABLE "+name+" UPDATE "+strings.Join(set, ", ")+" WHERE "+place+" IN ("+list+") SETTINGS mutations_sync = 2"); err != nil {
			return 0, err
		}
	}
	return int64(len(gone) + len(kept)), nil
}
