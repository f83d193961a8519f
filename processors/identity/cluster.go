package identity

import (
	"cmp"
	"slices"
)

// Edge is the decision on a pair, by the places of its records in the list that
// it was made for; A < B.
type Edge struct {
	A, B     int32
	Decision Decision
}

// stronger orders edges: the earlier rule, then the greater weight, then the
// names of the records. It is a total order that knows nothing of arrival (P9),
// as records stand in the order of their IDs.
func stronger(x, y Edge) int {
	return cmp.Or(
		cmp.Compare(x.Decision.rule, y.Decision.rule),
		-cmp.Compare(x.Decision.Weight, y.Decision.Weight),
		cmp.Compare(x.A, y.A),
		cmp.Compare(x.B, y.B),
	)
}

// Cluster joins records into persons. It takes the records in the order of
// their IDs, and the edges between them in any order, which it sorts from the
// strongest on; it returns for each record the place of its person's first
// record. Links are followed in that order; one is passed over when the two
// sides, as they stand then, cannot be one person (group.forbids).
func Cluster(records []*Record, edges []Edge) []int32 {
	slices.SortFunc(edges, stronger)
	groups := make(groups, len(records))
	for i, r := range records {
		groups[i] = group{parent: int32(i), register: r.Origin.Register, died: r.Died, born: r.Birth}
		if r.Origin.Register {
			groups[i].cccd = r.CCCD
		}
	}
	for _, e := range edges {
		if e.Decision.Outcome != OutcomeLink {
			continue
		}
		a, b := groups.find(e.A), groups.find(e.B)
		if a == b || groups[a].forbids(&groups[b]) {
			continue
		}
		// The first record names the group, so that its place says nothing of
		// the order of the joins.
		a, b = min(a, b), max(a, b)
		groups[b].parent = a
		groups[a].take(&groups[b])
	}
	first := make([]int32, len(records))
	for i := range first {
		first[i] = groups.find(int32(i))
	}
	return first
}

// groups are the nodes of a union-find, by the place of their records.
type groups []group

// group is what a cluster knows of its members, to tell whom it cannot take.
type group struct {
	parent int32
	// register is whether a record of the population register is in it, cccd
	// its verified number.
	register bool
	cccd     Number
	// died is the earliest death and born the latest birth, 0 when none says.
	died, born Date
}

// forbids is a cannot-link: two records of the register are never one person
// unless they bear the same CCCD, and nobody is born after having died.
func (g *group) forbids(h *group) bool {
	if g.register && h.register && (g.cccd != h.cccd || g.cccd == 0) {
		return true
	}
	return g.died != 0 && h.born.after(g.died) || h.died != 0 && g.born.after(h.died)
}

// after compares as far as both sides know: a year alone is after nothing in it.
func (d Date) after(e Date) bool {
	if d.YearOnly() || e.YearOnly() {
		return d.Year() > e.Year()
	}
	return d > e
}

func (g *group) take(h *group) {
	if h.register {
		g.register, g.cccd = true, h.cccd
	}
	if h.died != 0 && (g.died == 0 || h.died < g.died) {
		g.died = h.died
	}
	g.born = max(g.born, h.born)
}

func (g groups) find(i int32) int32 {
	for g[i].parent != i {
		g[i].parent = g[g[i].parent].parent
		i = g[i].parent
	}
	return i
}
