package linkage

import (
	"cmp"
	"math"
	"slices"
)

// A record that is not of the reference is one of its entities or none. So its
// candidates are no separate questions: with odds o of each candidate against
// none, the probability of one is o/(1 + sum of all o). A pair alone is
// believed more the more of the city the register covers, and two candidates
// that are equally like the record halve one another.

// rivals are the edges from one record to the reference.
type rivals struct {
	record int32
	edges  []int // places
}

// rivalry groups the edges by the record that is not of the reference.
func (t *Table) rivalry(edges []Edge) []rivals {
	type pair struct {
		record int32
		edge   int
	}
	var pairs []pair
	for i, e := range edges {
		switch a, b := t.isReference(e.A), t.isReference(e.B); {
		case a && !b:
			pairs = append(pairs, pair{e.B, i})
		case b && !a:
			pairs = append(pairs, pair{e.A, i})
		}
	}
	slices.SortFunc(pairs, func(x, y pair) int {
		return cmp.Or(cmp.Compare(x.record, y.record), cmp.Compare(x.edge, y.edge))
	})
	var all []rivals
	for i := 0; i < len(pairs); {
		r := rivals{record: pairs[i].record}
		for ; i < len(pairs) && pairs[i].record == r.record; i++ {
			r.edges = append(r.edges, pairs[i].edge)
		}
		all = append(all, r)
	}
	return all
}

// shift is what makes of a weight the odds against none, in bits.
func (t *Table) shift(w *weights, coverage float64) float32 {
	_, references := t.sizes()
	return log2(coverage/float64(references)) - log2(1-coverage) - w.priorReference
}

// competes tells whether candidates of a record are set against one another.
func (t *Table) competes() bool {
	return (t.referenced || t.live) && t.model.spec.Prior.Coverage > 0
}

// compete changes the weights of edges to the reference into what competition
// leaves of them.
func (t *Table) compete(edges []Edge, w *weights) {
	if !t.competes() {
		return
	}
	shift := t.shift(w, t.model.spec.Prior.Coverage)
	var odds []float64
	for _, r := range t.rivalry(edges) {
		odds = odds[:0]
		for _, i := range r.edges {
			odds = append(odds, math.Exp2(float64(edges[i].Weight+shift)))
		}
		sum := sumOdds(odds)
		for _, i := range r.edges {
			edges[i].Weight = against(edges[i].Weight+shift, sum)
		}
	}
}

// sumOdds adds from the greatest on, so that the sum knows no order. It sorts
// what it is given.
func sumOdds(odds []float64) (sum float64) {
	if len(odds) == 1 {
		return odds[0]
	}
	slices.Sort(odds)
	for _, o := range slices.Backward(odds) {
		sum += o
	}
	return sum
}

// against is what rivals leave of a weight, sum being the odds of all with its
// own.
func against(weight float32, sum float64) float32 {
	others := max(0, sum-math.Exp2(float64(weight)))
	return weight - float32(math.Log2(1+others))
}

// coverage finds the share of records outside the reference whose entity is in
// it, by expectation and maximisation over the candidates.
func (t *Table) coverage(edges []Edge, w *weights) float64 {
	all := t.rivalry(edges)
	outside := float64(t.Len() - t.References())
	if outside == 0 {
		return 0
	}
	const most = 0.9995 // a register that covers all would leave no doubt of anything
	coverage := 0.9
	for range 40 {
		shift := t.shift(w, coverage)
		var found float64
		for _, r := range all {
			var sum float64
			for _, i := range r.edges {
				sum += math.Exp2(float64(edges[i].Weight + shift))
			}
			found += sum / (1 + sum)
		}
		coverage = max(0.001, min(most, found/outside))
	}
	return coverage
}
