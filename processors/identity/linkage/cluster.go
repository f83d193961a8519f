package linkage

import (
	"fmt"
	"slices"
)

// Links is what became of a table.
type Links struct {
	// Cluster is for each record the place of the first record of its cluster.
	Cluster []int32
	// Edges are the pairs that were decided to be one entity or that a person
	// must look at, in the order in which they were followed.
	Edges []Link
}

// Link is an edge with its decision.
type Link struct {
	Edge
	Review bool
}

// maxOneEach is how many sources a model with one_each may have.
const maxOneEach = 64

// Resolve clusters: edges are followed from the strongest on, and join what
// they connect unless the two sides cannot be one entity: two records of the
// reference never are, nor, under one_each, two of one source. What a person
// must look at are the edges between link and review whose sides are apart in
// the end and could be one.
func (t *Table) Resolve(edges []Edge) (*Links, error) {
	if t.model.spec.OneEach && len(t.sources) > maxOneEach {
		return nil, fmt.Errorf("one_each: there are %d sources: at most %d work", len(t.sources), maxOneEach)
	}
	sorted := slices.Clone(edges)
	slices.SortFunc(sorted, before)
	groups := make([]group, t.Len())
	for i := range groups {
		groups[i] = group{parent: int32(i), reference: t.isReference(int32(i))}
		if t.model.spec.OneEach {
			groups[i].sources = 1 << t.source[i]
		}
	}
	links := &Links{Cluster: make([]int32, t.Len())}
	threshold := float32(t.model.spec.Thresholds.Link)
	strong := 0
	for ; strong < len(sorted) && sorted[strong].Weight >= threshold; strong++ {
		e := sorted[strong]
		a, b := find(groups, e.A), find(groups, e.B)
		if a != b {
			if groups[a].forbids(&groups[b]) {
				continue
			}
			// The first record names the cluster.
			a, b = min(a, b), max(a, b)
			groups[b].parent = a
			groups[a].reference = groups[a].reference || groups[b].reference
			groups[a].sources |= groups[b].sources
		}
		links.Edges = append(links.Edges, Link{Edge: e})
	}
	for _, e := range sorted[strong:] {
		if a, b := find(groups, e.A), find(groups, e.B); a != b && !groups[a].forbids(&groups[b]) {
			links.Edges = append(links.Edges, Link{Edge: e, Review: true})
		}
	}
	for i := range links.Cluster {
		links.Cluster[i] = find(groups, int32(i))
	}
	return links, nil
}

// group is a node of a union-find, with what tells whom it cannot take.
type group struct {
	parent    int32
	reference bool
	sources   uint64
}

func (g *group) forbids(h *group) bool {
	return g.reference && h.reference || g.sources&h.sources != 0
}

func find(groups []group, i int32) int32 {
	for groups[i].parent != i {
		groups[i].parent = groups[groups[i].parent].parent
		i = groups[i].parent
	}
	return i
}
