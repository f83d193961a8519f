package views

import (
	"context"
	"errors"
	"fmt"
	"regexp"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// View is a view of silver or gold, with its query as ClickHouse has it.
type View struct{ Database, Name, Query string }

// String is its name with its database.
func (v View) String() string { return v.Database + "." + v.Name }

// Read gives the views of silver and gold, by their names.
func Read(ctx context.Context, conn driver.Conn) (all []View, err error) {
	rows, err := conn.Query(ctx, "SELECT database, name, as_select FROM system.tables WHERE database IN ('silver', 'gold') AND as_select != '' ORDER BY database, name")
	if err != nil {
		return nil, fmt.Errorf("clickhouse: %w", err)
	}
	for rows.Next() {
		var v View
		if err := rows.Scan(&v.Database, &v.Name, &v.Query); err != nil {
			return nil, errors.Join(fmt.Errorf("clickhouse: %w", err), rows.Close())
		}
		all = append(all, v)
	}
	if err := rows.Err(); err != nil {
		return nil, errors.Join(fmt.Errorf("clickhouse: %w", err), rows.Close())
	}
	return all, rows.Close()
}

// reference is a table or view of silver or gold in a query as ClickHouse writes
// it out.
var reference = regexp.MustCompile("\\b(silver|gold)\\.(?:`([^`]+)`|([A-Za-z_][A-Za-z0-9_]*))")

// Refers gives the names that a query refers to.
func Refers(query string) map[string]bool {
	names := map[string]bool{}
	for _, m := range reference.FindAllStringSubmatch(query, -1) {
		names[m[1]+"."+m[2]+m[3]] = true
	}
	return names
}

// Substitute puts other tables into a query, by the names of those that it has.
func Substitute(query string, by map[string]string) string {
	return reference.ReplaceAllStringFunc(query, func(text string) string {
		m := reference.FindStringSubmatch(text)
		if other, ok := by[m[1]+"."+m[2]+m[3]]; ok {
			return other
		}
		return text
	})
}

// Over gives the views that read a table of silver, through others too, each
// behind those that it reads.
func Over(all []View, table string) (found []View) {
	known := map[string]bool{table: true}
	for grown := true; grown; {
		grown = false
		for _, v := range all {
			if known[v.String()] {
				continue
			}
			for name := range Refers(v.Query) {
				if known[name] {
					known[v.String()], grown = true, true
					break
				}
			}
		}
	}
	// Those that read only what is placed already come next.
	placed := map[string]bool{table: true}
	for len(found) < len(known)-1 {
		before := len(found)
		for _, v := range all {
			if !known[v.String()] || placed[v.String()] {
				continue
			}
			ready := true
			for name := range Refers(v.Query) {
				ready = ready && (!known[name] || placed[name])
			}
			if ready {
				placed[v.String()], found = true, append(found, v)
			}
		}
		if len(found) == before {
			break // views that read one another: ClickHouse has none such
		}
	}
	return found
}
