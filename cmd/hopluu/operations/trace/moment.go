package trace

import (
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/hopluu/hopluu/sinks/clickhouse/tables"
)

// moment is the time as of which silver is read: now, or an earlier one, for
// which history and links of that time stand in the place of rows and links.
type moment struct{ at time.Time }

func (t *Tracer) moment(at time.Time) moment { return moment{at} }

// literal is the time as ClickHouse reads it.
func (m moment) literal() string {
	return fmt.Sprintf("fromUnixTimestamp64Micro(toInt64(%d), '%s')", m.at.UnixMicro(), tables.TimeZone)
}

// parameter is the time as a text in tables.TimeZone.
func (m moment) parameter() string {
	return quote(m.at.In(time.FixedZone(tables.TimeZone, 7*3600)).Format("2006-01-02 15:04:05.000000"))
}

var (
	reference = regexp.MustCompile("\\b(silver|gold)\\.(?:`([^`]+)`|([A-Za-z_][A-Za-z0-9_]*))( FINAL\\b)?")
	freshness = regexp.MustCompile(`\bops\.as_of\b`)
)

// inline puts the queries of gold's views in place of their names, and rows as
// of the moment in place of silver's. restrict, if it is not nil, gives what is
// read of a data set instead of all of it.
func (m moment) inline(t *Tracer, query string, restrict func(dataset, from string) string) string {
	query = reference.ReplaceAllStringFunc(query, func(text string) string {
		g := reference.FindStringSubmatch(text)
		name := g[1] + "." + g[2] + g[3]
		if g[1] == tables.Gold {
			v, ok := t.views[name]
			if !ok {
				return text
			}
			return "(" + m.inline(t, v.Query, restrict) + ")"
		}
		dataset, shown := strings.CutPrefix(g[2]+g[3], "v_")
		from := text
		if !m.at.IsZero() {
			switch {
			case shown:
				from = m.rows(t, dataset)
			case dataset == tables.IdentityLink:
				from = m.links()
			default:
				return text
			}
		}
		if restrict == nil || !shown && dataset != tables.IdentityLink {
			return from
		}
		return restrict(dataset, from)
	})
	if m.at.IsZero() {
		return query
	}
	return freshness.ReplaceAllLiteralString(query, "(SELECT dataset, least(as_of, "+m.literal()+") AS as_of FROM ops.as_of)")
}

// rows are those of silver.v_<data set> as they were.
func (m moment) rows(t *Tracer, dataset string) string {
	history := fmt.Sprintf("(SELECT * FROM %s WHERE _valid_from <= %s AND (_valid_to IS NULL OR _valid_to > %s) AND NOT _deleted)", tables.Qualified(tables.Silver, dataset+"_history"), m.literal(), m.literal())
	person, linked := t.persons[dataset]
	if !linked {
		return history
	}
	return fmt.Sprintf("(SELECT t.*, nullIf(l.person_id, '') AS person_id, l.citizen AS citizen FROM %s AS t LEFT ANY JOIN (SELECT record, coalesce(person_id, '') AS person_id, citizen FROM %s) AS l ON l.record = %s)", history, m.links(), person)
}

// links are those of silver.identity_link as they were.
func (m moment) links() string {
	return fmt.Sprintf("(SELECT *, record AS _record FROM %s(at = %s))", tables.Qualified(tables.Silver, "identity_link_at"), m.parameter())
}
