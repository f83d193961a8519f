package linkage

import (
	"cmp"
	"math"
	"slices"
	"sync"
)

// Edge is a pair worth keeping, by the places of its records in the table; A <
// B.
type Edge struct {
	A, B int32
	// Weight is the match weight in bits: log2 of the odds that the two are one
	// entity.
	Weight float32
}

// Probability that the two are one entity.
func (e Edge) Probability() float64 { return 1 / (1 + math.Exp2(-float64(e.Weight))) }

// before is the order in which edges are followed: the stronger first, then by
// the records. It knows nothing of arrival (P9).
func before(x, y Edge) int {
	return cmp.Or(-cmp.Compare(x.Weight, y.Weight), cmp.Compare(x.A, y.A), cmp.Compare(x.B, y.B))
}

// span is a run of blocks of one rule, work for one goroutine.
type span struct {
	rule       int
	from, till int
	pairs      int64
}

// spanPairs is about how many pairs a span has.
const spanPairs = 1 << 16

func (b *blocks) spans() (all []span, pairs int64) {
	for r := range b.rules {
		starts := b.rules[r].starts
		current := span{rule: r}
		for g := range len(starts) - 1 {
			size := int64(starts[g+1] - starts[g])
			current.pairs += size * (size - 1) / 2
			if current.till = g + 1; current.pairs >= spanPairs || g == len(starts)-2 {
				pairs += current.pairs
				all = append(all, current)
				current = span{rule: r, from: g + 1, till: g + 1}
			}
		}
	}
	return all, pairs
}

// score compares all pairs that share a block, each once, and gives those of at
// least keep bits, in the order of the table.
func (t *Table) score(b *blocks, w *weights, keep float32, progress Progress) []Edge {
	spans, total := b.spans()
	found := make([][]Edge, len(spans))
	comparers := sync.Pool{New: func() any { return newComparer(t) }}
	var told sync.Mutex
	var done int64
	each(len(spans), func(i int) {
		c := comparers.Get().(*comparer)
		defer comparers.Put(c)
		s := spans[i]
		var edges []Edge
		for g := s.from; g < s.till; g++ {
			b.pairs(s.rule, g, func(x, y int32) {
				prior := t.priorOf(w, x, y)
				p, rarity, ok := c.compareFrom(w, keep-prior, t.row(x), t.row(y))
				if !ok {
					return
				}
				if weight := w.ratio(p, rarity) + prior; weight >= keep {
					edges = append(edges, Edge{x, y, weight})
				}
			})
		}
		found[i] = edges
		told.Lock()
		done += s.pairs
		progress.tell("comparing", done, total)
		told.Unlock()
	})
	edges := slices.Concat(found...)
	slices.SortFunc(edges, func(x, y Edge) int { return cmp.Or(cmp.Compare(x.A, y.A), cmp.Compare(x.B, y.B)) })
	return edges
}

// keepBelow is how far below the review threshold a pair may be and still be
// kept: as a rival it lowers what others are believed.
const keepBelow = 10

// Candidates scores the pairs of a table and sets those that compete for a
// record of the reference against one another. The edges are in the order of
// the table; pairs below the review threshold are left out.
func (t *Table) Candidates(progress Progress) ([]Edge, error) {
	if !t.model.spec.Trained() {
		return nil, ErrUntrained
	}
	if err := t.Close(); err != nil {
		return nil, err
	}
	progress.tell("blocking", 0, 0)
	b := newBlocks(t)
	w := t.weights()
	edges := t.score(b, w, float32(t.model.spec.Thresholds.Review)-keepBelow, progress)
	if t.live {
		edges = t.withoutShared(edges, w)
	} else {
		t.doubt(edges, w)
	}
	t.compete(edges, w)
	kept := edges[:0]
	c := newComparer(t)
	for _, e := range edges {
		if e.Weight >= float32(t.model.spec.Thresholds.Review) && !t.borrowed(c, e, w) {
			kept = append(kept, e)
		}
	}
	return kept, nil
}
