package access

import (
	"cmp"
	"regexp"
	"slices"
	"strings"

	"github.com/hopluu/hopluu/schemas/sectors"
	"github.com/hopluu/hopluu/sinks/clickhouse/cluster"
	"github.com/hopluu/hopluu/sinks/clickhouse/tables"
)

// Column is a column that ClickHouse has, of a table or a view.
type Column struct {
	Database, Table, Name string
	Key                   bool // in the sorting key
}

// Grant is the right of a role to read a table, or one column of it.
type Grant struct {
	Role     string `json:"role"`
	Database string `json:"database"`
	Table    string `json:"table"`
	Column   string `json:"column,omitempty"` // empty for the whole table
}

func (g Grant) compare(o Grant) int {
	return cmp.Or(cmp.Compare(g.Role, o.Role), cmp.Compare(g.Database, o.Database), cmp.Compare(g.Table, o.Table), cmp.Compare(g.Column, o.Column))
}

// covers tells whether g holds all that o does.
func (g Grant) covers(o Grant) bool {
	return g.Role == o.Role && (g.Database == "" || g.Database == o.Database) && (g.Table == "" || g.Table == o.Table) && (g.Column == "" || g.Column == o.Column)
}

// later is the name of one of a column's later versions, which its tables keep
// when it changes its type.
var later = regexp.MustCompile(`^(.+)__v[0-9]+$`)

// warehouse is what there is in ClickHouse, as the sector files describe it.
type warehouse struct {
	tables  map[[2]string][]Column // by database and table
	sectors map[string]described   // by data set
}

type described struct {
	sector string
	table  *sectors.Table
}

func read(set *sectors.Set, existing []Column) *warehouse {
	w := &warehouse{tables: map[[2]string][]Column{}, sectors: map[string]described{}}
	for _, c := range existing {
		at := [2]string{c.Database, c.Table}
		w.tables[at] = append(w.tables[at], c)
	}
	for i := range set.Sectors {
		s := &set.Sectors[i]
		for j := range s.Tables {
			w.sectors[s.Sector+"_"+s.Tables[j].Name] = described{s.Sector, &s.Tables[j]}
		}
	}
	return w
}

// Wanted are the rights that each role has over the columns that there are, in
// the order of their names.
func Wanted(set *sectors.Set, existing []Column) []Grant {
	w := read(set, existing)
	var all []Grant
	for at, columns := range w.tables {
		database, table := at[0], at[1]
		database, _, _ = strings.Cut(database, cluster.Suffix)
		whole := func(roles ...string) {
			for _, role := range roles {
				all = append(all, Grant{role, at[0], table, ""})
			}
		}
		some := func(open func(Column) bool, roles ...string) {
			for _, c := range columns {
				if !open(c) {
					continue
				}
				for _, role := range roles {
					all = append(all, Grant{role, at[0], table, c.Name})
				}
			}
		}
		switch database {
		case tables.Gold:
			only, open := aggregated[table]
			switch {
			case open && only == nil:
				whole(Leader, Analyst)
			case open:
				some(func(c Column) bool { return slices.Contains(only, c.Name) }, Leader, Analyst)
			}
			whole(PersonReader)
		case tables.Ops:
			if closed, ok := operations[table]; ok {
				if closed == nil {
					whole(Operator)
				} else {
					some(func(c Column) bool { return !slices.Contains(closed, c.Name) }, Operator)
				}
			}
		case tables.Silver, tables.Bronze:
			if sector, ok := w.steward(database, table); ok {
				whole(Steward(sector))
			}
			if database == tables.Silver {
				some(func(c Column) bool { return w.open(c) }, Analyst)
			}
			if base := strings.TrimPrefix(table, "v_"); database == tables.Silver && (base == tables.IdentityLink || base == tables.IdentityReview) {
				whole(PersonReader)
				if table == tables.IdentityLink {
					// What the v_ views of the sector's own tables join.
					for i := range set.Sectors {
						some(func(c Column) bool { return slices.Contains(links, c.Name) }, Steward(set.Sectors[i].Sector))
					}
				}
			}
		}
		if audits[database][table] {
			whole(Auditor)
		}
	}
	slices.SortFunc(all, Grant.compare)
	return slices.CompactFunc(all, func(a, b Grant) bool { return a == b })
}

// steward is the sector that a table of bronze or silver, or a view over it, is of.
func (w *warehouse) steward(database, table string) (sector string, ok bool) {
	if d, ok := w.sectors[table]; ok {
		return d.sector, true
	}
	if database != tables.Silver {
		return "", false
	}
	for _, base := range []string{strings.TrimPrefix(table, "v_"), strings.TrimSuffix(table, "_history")} {
		if d, ok := w.sectors[base]; ok && base != table {
			return d.sector, true
		}
	}
	return "", false
}

// open tells whether an analyst reads a column of silver: it is described as
// public or internal, or it is the sink's own and says nothing of a person. A
// column that the file does not describe is closed, whatever ops.catalogue and
// `connector check` take it for.
func (w *warehouse) open(c Column) bool {
	base := strings.TrimPrefix(c.Table, "v_")
	view := base != c.Table
	switch base {
	case tables.IdentityLink:
		return slices.Contains(links, c.Name) || own[c.Name]
	case tables.IdentityReview:
		return slices.Contains(reviews, c.Name) || own[c.Name]
	}
	d, ok := w.sectors[base]
	if !ok {
		return false
	}
	if said := sensitivity(d.table, c.Name); said != "" {
		return said == sectors.Public || said == sectors.Internal
	}
	switch {
	case own[c.Name]:
		return true
	case c.Name == "_record":
		return w.keyOpen(base, d.table)
	case view && !w.has(base, c.Name):
		// What the view adds: who the person is, without saying anything of them.
		name := strings.TrimLeft(c.Name, "_")
		return name == "person_id" || name == "citizen"
	}
	return false
}

// sensitivity is what the sector file says of a column, of a later version of it,
// or of the field with what it cannot hold; "" when it says nothing.
func sensitivity(t *sectors.Table, name string) string {
	if c, ok := t.Column(name); ok {
		return c.Sensitivity
	}
	if m := later.FindStringSubmatch(name); m != nil {
		if c, ok := t.Column(m[1]); ok {
			return c.Sensitivity
		}
	}
	for i := range t.Columns {
		if t.Columns[i].UnfitName() == name {
			return t.Columns[i].Sensitivity
		}
	}
	return ""
}

// keyOpen tells whether all of a data set's key is open, and so the names of its
// records. A key that is not known is closed.
func (w *warehouse) keyOpen(dataset string, t *sectors.Table) bool {
	keys := 0
	for _, database := range []string{tables.Silver, tables.Silver + cluster.Suffix} {
		for _, c := range w.tables[[2]string{database, dataset}] {
			if !c.Key || own[c.Name] {
				continue
			}
			keys++
			if said := sensitivity(t, c.Name); said != sectors.Public && said != sectors.Internal {
				return false
			}
		}
	}
	return keys > 0
}

func (w *warehouse) has(table, column string) bool {
	for _, database := range []string{tables.Silver, tables.Silver + cluster.Suffix} {
		if slices.ContainsFunc(w.tables[[2]string{database, table}], func(c Column) bool { return c.Name == column }) {
			return true
		}
	}
	return false
}
