package linkage

import (
	"cmp"
	"errors"
	"slices"
)

// Difference is what of the clusters would be other under another model.
type Difference struct {
	Records     int `json:"records"`
	OldClusters int `json:"old_clusters"`
	NewClusters int `json:"new_clusters"`
	// Links are all pairs of records of one cluster, whether compared or not.
	OldLinks    int64 `json:"old_links"`
	NewLinks    int64 `json:"new_links"`
	LinksGained int64 `json:"links_gained"`
	LinksLost   int64 `json:"links_lost"`
	// ReviewGained and ReviewLost are pairs that a person would have to look at
	// now, and no longer.
	ReviewGained int `json:"review_gained"`
	ReviewLost   int `json:"review_lost"`
	// Merged are groups of old clusters that are one new cluster, Split old
	// clusters that are several, and Regrouped what is both. Moved are the
	// records of all of them.
	Merged    int `json:"merged"`
	Split     int `json:"split"`
	Regrouped int `json:"regrouped"`
	Moved     int `json:"moved"`
	// Samples are some of them, the largest first.
	Samples []Move `json:"samples,omitempty"`
}

// The kinds of a Move.
const (
	MoveMerged    = "merged"
	MoveSplit     = "split"
	MoveRegrouped = "regrouped"
)

// Move is a group of clusters that share records and are other under the new
// model.
type Move struct {
	Kind string     `json:"kind"`
	Old  [][]string `json:"old"`
	New  [][]string `json:"new"`
	// Deciding is the strongest pair of records that one model links and the
	// other leaves apart, with the weights of both; null is a pair that a model
	// does not keep.
	Deciding *DecidingPair `json:"deciding,omitempty"`
}

// DecidingPair is a pair with its weights under two models, in bits.
type DecidingPair struct {
	A   string   `json:"a"`
	B   string   `json:"b"`
	Old *float32 `json:"old_weight"`
	New *float32 `json:"new_weight"`
}

// Outcome is what a model made of a table: what Diff compares.
type Outcome struct {
	Table *Table
	// Edges are as Candidates gives them.
	Edges []Edge
	Links *Links
}

// Link trains nothing: it finds the candidates of a table and clusters them.
func (t *Table) Link(progress Progress) (Outcome, error) {
	edges, err := t.Candidates(progress)
	if err != nil {
		return Outcome{}, err
	}
	progress.tell("clustering", 0, 0)
	links, err := t.Resolve(edges)
	return Outcome{t, edges, links}, err
}

// weight finds the weight of a pair, nil when it was not kept.
func (o *Outcome) weight(a, b int32) *float32 {
	i, ok := slices.BinarySearchFunc(o.Edges, Edge{A: a, B: b}, func(x, y Edge) int { return cmp.Or(cmp.Compare(x.A, y.A), cmp.Compare(x.B, y.B)) })
	if !ok {
		return nil
	}
	return &o.Edges[i].Weight
}

// name tells a record by source and id.
func (t *Table) name(i int32) string { return t.Source(i) + "/" + t.ID(i) }

// errOtherRecords is the error of two tables that are not of the same records.
var errOtherRecords = errors.New("the two models name records otherwise: give both the same id and source")

// Diff tells what a new model would change, with at most so many samples. Both
// tables are of the same records, so that a record has one place in both.
func Diff(before, after Outcome, samples int) (*Difference, error) {
	x, y := before.Table, after.Table
	if x.Len() != y.Len() || !slices.Equal(x.keys, y.keys) {
		return nil, errOtherRecords
	}
	was, is := before.Links.Cluster, after.Links.Cluster
	n := int32(len(was))
	d := &Difference{Records: int(n)}
	oldSizes, newSizes, both := map[int32]int64{}, map[int32]int64{}, map[[2]int32]int64{}
	// parent joins records whose clusters, old or new, share a record.
	c := clusters{groups: make([]group, n)}
	for i := range n {
		c.groups[i].parent = i
	}
	for i := range n {
		oldSizes[was[i]]++
		newSizes[is[i]]++
		both[[2]int32{was[i], is[i]}]++
		c.join(i, was[i])
		c.join(i, is[i])
	}
	d.OldClusters, d.NewClusters = len(oldSizes), len(newSizes)
	var common int64
	for _, size := range oldSizes {
		d.OldLinks += size * (size - 1) / 2
	}
	for _, size := range newSizes {
		d.NewLinks += size * (size - 1) / 2
	}
	for _, size := range both {
		common += size * (size - 1) / 2
	}
	d.LinksGained, d.LinksLost = d.NewLinks-common, d.OldLinks-common
	d.reviews(before.Links, after.Links)
	// Components of more than one cluster on a side moved.
	olds, news := map[int32]int{}, map[int32]int{}
	for root := range oldSizes {
		olds[c.find(root)]++
	}
	for root := range newSizes {
		news[c.find(root)]++
	}
	moved := map[int32][]int32{}
	for i := range n {
		if root := c.find(i); olds[root] > 1 || news[root] > 1 {
			moved[root] = append(moved[root], i)
		}
	}
	var roots []int32
	for root, members := range moved {
		roots = append(roots, root)
		d.Moved += len(members)
		switch kindOf(olds[root], news[root]) {
		case MoveMerged:
			d.Merged++
		case MoveSplit:
			d.Split++
		default:
			d.Regrouped++
		}
	}
	slices.SortFunc(roots, func(a, b int32) int { return cmp.Or(-cmp.Compare(len(moved[a]), len(moved[b])), cmp.Compare(a, b)) })
	for _, root := range roots[:min(samples, len(roots))] {
		members := moved[root]
		d.Samples = append(d.Samples, Move{
			Kind: kindOf(olds[root], news[root]), Old: x.grouped(members, was), New: x.grouped(members, is),
			Deciding: deciding(&before, &after, members),
		})
	}
	return d, nil
}

func kindOf(olds, news int) string {
	switch {
	case news == 1:
		return MoveMerged
	case olds == 1:
		return MoveSplit
	}
	return MoveRegrouped
}

func (d *Difference) reviews(before, after *Links) {
	was := map[[2]int32]bool{}
	for _, l := range before.Edges {
		if l.Review {
			was[[2]int32{l.A, l.B}] = true
		}
	}
	d.ReviewLost = len(was)
	for _, l := range after.Edges {
		switch {
		case !l.Review:
		case was[[2]int32{l.A, l.B}]:
			d.ReviewLost--
		default:
			d.ReviewGained++
		}
	}
}

// grouped gives the names of records by their clusters.
func (t *Table) grouped(members, cluster []int32) (all [][]string) {
	at := map[int32]int{}
	for _, i := range members {
		k, ok := at[cluster[i]]
		if !ok {
			k = len(all)
			at[cluster[i]] = k
			all = append(all, nil)
		}
		all[k] = append(all[k], t.name(i))
	}
	return all
}

// deciding finds the strongest pair that is together under one model only.
func deciding(before, after *Outcome, members []int32) *DecidingPair {
	was, is := before.Links.Cluster, after.Links.Cluster
	var best *DecidingPair
	var most float32
	for i, a := range members {
		for _, b := range members[i+1:] {
			if (was[a] == was[b]) == (is[a] == is[b]) {
				continue
			}
			o, n := before.weight(a, b), after.weight(a, b)
			linked := n
			if was[a] == was[b] {
				linked = o
			}
			if linked != nil && (best == nil || *linked > most) {
				best, most = &DecidingPair{before.Table.name(a), before.Table.name(b), o, n}, *linked
			}
		}
	}
	return best
}
