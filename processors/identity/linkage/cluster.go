package linkage

import (
	"fmt"
	"slices"

	"github.com/hopluu/hopluu/processors/identity"
)

// Links is what became of a table.
type Links struct {
	// Cluster is for each record the place of the first record of its cluster.
	Cluster []int32
	// Edges are the pairs that were decided to be one entity or that a person
	// must look at, in the order in which they were followed.
	Edges []Link
	// Conflicts are the decisions Same that something forbids.
	Conflicts []Conflict
}

// Link is an edge with its decision.
type Link struct {
	Edge
	Review bool
}

// maxOneEach is how many sources a model with one_each may have.
const maxOneEach = 64

// Resolve clusters. What people said comes first; then edges are followed from
// the strongest on, and join what they connect unless the two sides cannot be
// one entity: two records of the reference never are, nor what a person said is
// different, nor who was born after having died, nor, under one_each, two of
// one source. What a person must look at are the edges between link and review
// whose sides are apart in the end and could be one.
func (t *Table) Resolve(edges []Edge, decisions ...Decision) (*Links, error) {
	if t.model.spec.OneEach && len(t.sources) > maxOneEach {
		return nil, fmt.Errorf("one_each: there are %d sources: at most %d work", len(t.sources), maxOneEach)
	}
	same, different, err := t.places(decisions)
	if err != nil {
		return nil, err
	}
	sorted := slices.Clone(edges)
	slices.SortFunc(sorted, before)
	c := clusters{groups: make([]group, t.Len()), different: different}
	for i := range c.groups {
		g := group{parent: int32(i), reference: t.isReference(int32(i))}
		if t.model.spec.OneEach {
			g.sources = 1 << t.source[i]
		}
		if t.live {
			g.born, g.died = t.model.live.dates(t.row(int32(i)))
		}
		c.groups[i] = g
	}
	links := &Links{Cluster: make([]int32, t.Len())}
	for _, s := range same {
		if !c.join(s[0], s[1]) {
			links.Conflicts = append(links.Conflicts, Conflict{t.ID(s[0]), t.ID(s[1])})
		}
	}
	threshold := float32(t.model.spec.Thresholds.Link)
	strong := 0
	for ; strong < len(sorted) && sorted[strong].Weight >= threshold; strong++ {
		if e := sorted[strong]; c.join(e.A, e.B) {
			links.Edges = append(links.Edges, Link{Edge: e})
		}
	}
	for _, e := range sorted[strong:] {
		if a, b := c.find(e.A), c.find(e.B); a != b && !c.forbidden(a, b) {
			links.Edges = append(links.Edges, Link{Edge: e, Review: true})
		}
	}
	for i := range links.Cluster {
		links.Cluster[i] = c.find(int32(i))
	}
	return links, nil
}

// clusters are the nodes of a union-find by the place of their records, and the
// pairs that a person keeps apart.
type clusters struct {
	groups    []group
	different [][2]int32
}

// group is what a cluster knows of its records, to tell whom it cannot take.
type group struct {
	parent    int32
	reference bool
	sources   uint64
	// died is the earliest death and born the latest birth, 0 when none says.
	died, born identity.Date
}

func (g *group) forbids(h *group) bool {
	if g.reference && h.reference || g.sources&h.sources != 0 {
		return true
	}
	return g.died != 0 && after(h.born, g.died) || h.died != 0 && after(g.born, h.died)
}

func (g *group) take(h *group) {
	g.reference = g.reference || h.reference
	g.sources |= h.sources
	if h.died != 0 && (g.died == 0 || h.died < g.died) {
		g.died = h.died
	}
	g.born = max(g.born, h.born)
}

// join makes one cluster of those of two records, and reports whether they are
// one now. The first record names the cluster, so that its place says nothing
// of the order of the joins.
func (c *clusters) join(x, y int32) bool {
	a, b := c.find(x), c.find(y)
	if a == b {
		return true
	}
	if c.forbidden(a, b) {
		return false
	}
	a, b = min(a, b), max(a, b)
	c.groups[b].parent = a
	c.groups[a].take(&c.groups[b])
	return true
}

// forbidden tells whether two clusters, by their first records, cannot be one.
func (c *clusters) forbidden(a, b int32) bool {
	return c.groups[a].forbids(&c.groups[b]) || c.apart(a, b)
}

// apart tells whether a person said that two clusters, by their first records,
// are different.
func (c *clusters) apart(a, b int32) bool {
	for _, d := range c.different {
		if x, y := c.find(d[0]), c.find(d[1]); x == a && y == b || x == b && y == a {
			return true
		}
	}
	return false
}

func (c *clusters) find(i int32) int32 {
	for c.groups[i].parent != i {
		c.groups[i].parent = c.groups[c.groups[i].parent].parent
		i = c.groups[i].parent
	}
	return i
}
