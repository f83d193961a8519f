package access

import (
	"slices"
	"strings"

	"github.com/hopluu/hopluu/schemas/sectors"
	"github.com/hopluu/hopluu/sinks/clickhouse/cluster"
	"github.com/hopluu/hopluu/sinks/clickhouse/tables"
)

// Readings tells of a query's columns which are personal.
type Readings struct{ open map[string]bool }

// NewReadings judges by the rights that analysts and operators have: what is open
// to neither, and not the auditors', is personal. A column that nobody described is.
func NewReadings(set *sectors.Set, existing []Column) *Readings {
	r := &Readings{open: map[string]bool{}}
	whole := map[[2]string]bool{}
	for _, g := range Wanted(set, existing) {
		switch {
		case g.Role != Leader && g.Role != Analyst && g.Role != Operator && g.Role != Auditor:
		case g.Column == "":
			whole[[2]string{g.Database, g.Table}] = true
		default:
			r.open[g.Database+"."+g.Table+"."+g.Column] = true
		}
	}
	for _, c := range existing {
		if whole[[2]string{c.Database, c.Table}] {
			r.open[c.Database+"."+c.Table+"."+c.Name] = true
		}
	}
	return r
}

// databases are those whose columns are judged; another one's are not ours. The
// columns of a table function are: which table they are of is not said.
var databases = []string{
	tables.Bronze, tables.Silver, tables.Gold, tables.Ops, tables.Replay,
	tables.Bronze + cluster.Suffix, tables.Silver + cluster.Suffix, "_table_function",
}

// Personal gives those of a query's columns, as system.query_log names them
// (database.table.column), that are personal, and their tables.
func (r *Readings) Personal(columns []string) (personal, of []string) {
	for _, c := range columns {
		database, rest, _ := strings.Cut(strings.ReplaceAll(c, "`", ""), ".")
		if !slices.Contains(databases, database) || r.open[database+"."+rest] {
			continue
		}
		table, _, _ := strings.Cut(rest, ".")
		personal = append(personal, database+"."+rest)
		if name := database + "." + table; !slices.Contains(of, name) {
			of = append(of, name)
		}
	}
	return personal, of
}
