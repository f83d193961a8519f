package access

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/hopluu/hopluu/schemas/sectors"
	"github.com/hopluu/hopluu/sinks/clickhouse/tables"
)

// Select is the one kind of right that our roles are given.
const Select = "SELECT"

// Held is a right that a role of ours has on a server, as system.grants tells it.
type Held struct {
	Grant
	// Kind is the right, as GRANT names it: Select, or one that no role of ours is
	// given.
	Kind string
	// Revoked says that it is an exception from a wider one.
	Revoked bool
}

// Change is one statement of a plan, and the role that it is about.
type Change struct {
	Role string `json:"role"`
	// Narrows says that the role can do less after it.
	Narrows   bool   `json:"narrows"`
	Statement string `json:"statement"`
}

// Plan gives the statements that bring a server on which roles and held stand to
// the wanted rights, those that take away first. None is left when they have been
// carried out. Rights of other roles are not spoken of; who has a role is not,
// either.
func Plan(set *sectors.Set, wanted []Grant, roles []string, held []Held) []Change {
	var changes []Change
	ours := map[string]bool{}
	for _, r := range Roles(set) {
		ours[r.Name] = true
		if !slices.Contains(roles, r.Name) {
			changes = append(changes, Change{Role: r.Name, Statement: "CREATE ROLE IF NOT EXISTS " + tables.Ident(r.Name)})
		}
	}
	want := map[Grant]bool{}
	for _, g := range wanted {
		want[g] = true
	}
	// A table that a right is excepted from is granted anew, which ends the
	// exception.
	excepted := map[Grant]bool{}
	for _, h := range held {
		if h.Revoked {
			excepted[Grant{h.Role, h.Database, h.Table, ""}] = true
		}
	}
	var kept, surplus []Grant
	for _, h := range held {
		switch {
		case !ours[h.Role] || h.Revoked:
		case h.Kind != Select:
			changes = append(changes, Change{Role: h.Role, Narrows: true, Statement: fmt.Sprintf("REVOKE %s%s ON %s FROM %s", h.Kind, columns(h.Column), place(h.Grant), tables.Ident(h.Role))})
		case !want[h.Grant]:
			surplus = append(surplus, h.Grant)
		case !excepted[Grant{h.Role, h.Database, h.Table, ""}]:
			kept = append(kept, h.Grant)
		}
	}
	// To take away a wide right takes the narrower ones with it.
	have := map[Grant]bool{}
	for _, g := range kept {
		have[g] = !slices.ContainsFunc(surplus, func(s Grant) bool { return s.covers(g) })
	}
	var missing []Grant
	for _, g := range wanted {
		if !have[g] {
			missing = append(missing, g)
		}
	}
	changes = append(changes, statements(surplus, true, "REVOKE SELECT%s ON %s FROM %s")...)
	changes = append(changes, statements(missing, false, "GRANT SELECT%s ON %s TO %s")...)
	order := func(c Change) int {
		switch {
		case c.Narrows:
			return 0
		case strings.HasPrefix(c.Statement, "CREATE"):
			return 1
		}
		return 2
	}
	slices.SortStableFunc(changes, func(a, b Change) int { return cmp.Compare(order(a), order(b)) })
	return changes
}

// statements makes one statement a role and table.
func statements(grants []Grant, narrows bool, format string) (out []Change) {
	slices.SortFunc(grants, Grant.compare)
	for i := 0; i < len(grants); {
		g, n := grants[i], i
		var names []string
		for ; n < len(grants) && grants[n].Role == g.Role && grants[n].Database == g.Database && grants[n].Table == g.Table; n++ {
			if grants[n].Column != "" {
				names = append(names, grants[n].Column)
			}
		}
		if g.Column == "" {
			// The whole table comes first, and has its columns.
			out = append(out, Change{g.Role, narrows, fmt.Sprintf(format, "", place(g), tables.Ident(g.Role))})
		}
		if g.Column != "" || narrows && len(names) > 0 {
			out = append(out, Change{g.Role, narrows, fmt.Sprintf(format, columns(names...), place(g), tables.Ident(g.Role))})
		}
		i = n
	}
	return out
}

func columns(names ...string) string {
	if len(names) == 0 || names[0] == "" {
		return ""
	}
	quoted := make([]string, len(names))
	for i := range names {
		quoted[i] = tables.Ident(names[i])
	}
	return "(" + strings.Join(quoted, ", ") + ")"
}

// place is what a right is over; a wide one has no table, or no database.
func place(g Grant) string {
	switch {
	case g.Database == "":
		return "*.*"
	case g.Table == "":
		return tables.Ident(g.Database) + ".*"
	}
	return tables.Qualified(g.Database, g.Table)
}
