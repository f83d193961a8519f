package linkage

import (
	"cmp"
	"slices"
)

// Score counts right and wrong.
type Score struct {
	Right     int64   `json:"right"`
	Found     int64   `json:"found"`
	True      int64   `json:"true"`
	Precision float64 `json:"precision"`
	Recall    float64 `json:"recall"`
	F1        float64 `json:"f1"`
}

func newScore(right, found, all int64) Score {
	s := Score{Right: right, Found: found, True: all, Precision: 1, Recall: 1}
	if found > 0 {
		s.Precision = float64(right) / float64(found)
	}
	if all > 0 {
		s.Recall = float64(right) / float64(all)
	}
	if s.Precision+s.Recall > 0 {
		s.F1 = 2 * s.Precision * s.Recall / (s.Precision + s.Recall)
	}
	return s
}

// Evaluation holds links against the truth.
type Evaluation struct {
	Records int `json:"records"`
	// Pairs are of records in one cluster, whether compared or not.
	Pairs Score `json:"pairs"`
	// Clusters are those of two records or more that are an entity whole.
	Clusters Score `json:"clusters"`
	// Review is what Pairs would be if every pair to be looked at were decided
	// rightly.
	Review      Score `json:"with_review"`
	ReviewPairs int   `json:"review_pairs"`
	ReviewRight int   `json:"review_right"`
	// Curve is Pairs at other thresholds, the highest first.
	Curve []CurvePoint `json:"curve"`
}

// CurvePoint is what links of at least Threshold bits give.
type CurvePoint struct {
	Threshold float64 `json:"threshold"`
	Score
}

// curveStep is the distance of the thresholds of the curve, in bits.
const curveStep = 2

// Evaluate holds the links of n records against the entity that each record
// truly is of. Links may come in any order.
func Evaluate(entities []int32, links []Link) Evaluation {
	sorted := slices.Clone(links)
	slices.SortFunc(sorted, func(x, y Link) int { return before(x.Edge, y.Edge) })
	e := Evaluation{Records: len(entities)}
	sizes := map[int32]int64{}
	for _, x := range entities {
		sizes[x]++
	}
	var all int64
	for _, n := range sizes {
		all += n * (n - 1) / 2
	}
	decided := newPartition(entities)
	for _, l := range sorted {
		if !l.Review {
			decided.join(l.A, l.B)
		}
	}
	e.Pairs = newScore(decided.right, decided.found, all)
	e.Clusters = decided.whole(sizes)
	for _, l := range sorted {
		if l.Review {
			e.ReviewPairs++
			if entities[l.A] == entities[l.B] {
				e.ReviewRight++
				decided.join(l.A, l.B)
			}
		}
	}
	e.Review = newScore(decided.right, decided.found, all)
	curve := newPartition(entities)
	for i, l := range sorted {
		curve.join(l.A, l.B)
		at := floorTo(float64(l.Weight), curveStep)
		if i == len(sorted)-1 || floorTo(float64(sorted[i+1].Weight), curveStep) < at {
			e.Curve = append(e.Curve, CurvePoint{at, newScore(curve.right, curve.found, all)})
		}
	}
	return e
}

func floorTo(x, step float64) float64 {
	n := float64(int(x / step))
	if n*step > x {
		n--
	}
	return n * step
}

// partition joins records and counts the pairs of one cluster, and those of
// them that are right.
type partition struct {
	parent       []int32
	members      [][]memberCount // of each root, by entity
	found, right int64
}

type memberCount struct {
	entity int32
	count  int64
}

func newPartition(entities []int32) *partition {
	p := &partition{parent: make([]int32, len(entities)), members: make([][]memberCount, len(entities))}
	single := make([]memberCount, len(entities))
	for i, e := range entities {
		p.parent[i] = int32(i)
		single[i] = memberCount{e, 1}
		p.members[i] = single[i : i+1 : i+1]
	}
	return p
}

func (p *partition) find(i int32) int32 {
	for p.parent[i] != i {
		p.parent[i] = p.parent[p.parent[i]]
		i = p.parent[i]
	}
	return i
}

func (p *partition) join(a, b int32) {
	a, b = p.find(a), p.find(b)
	if a == b {
		return
	}
	if len(p.members[a]) < len(p.members[b]) {
		a, b = b, a
	}
	var sizeA, sizeB int64
	for _, m := range p.members[a] {
		sizeA += m.count
	}
	for _, m := range p.members[b] {
		sizeB += m.count
		at, ok := slices.BinarySearchFunc(p.members[a], m, func(x, y memberCount) int { return cmp.Compare(x.entity, y.entity) })
		if !ok {
			p.members[a] = slices.Insert(p.members[a], at, m)
			continue
		}
		p.right += p.members[a][at].count * m.count
		p.members[a][at].count += m.count
	}
	p.found += sizeA * sizeB
	p.parent[b], p.members[b] = a, nil
}

// whole counts the clusters of two or more that are an entity, all of it and
// nothing else.
func (p *partition) whole(sizes map[int32]int64) Score {
	var right, found, all int64
	for i, root := range p.parent {
		if int32(i) != root {
			continue
		}
		var size int64
		for _, m := range p.members[i] {
			size += m.count
		}
		if size < 2 {
			continue
		}
		found++
		if len(p.members[i]) == 1 && sizes[p.members[i][0].entity] == size {
			right++
		}
	}
	for _, n := range sizes {
		if n > 1 {
			all++
		}
	}
	return newScore(right, found, all)
}
