package linkage

import (
	"cmp"
	"math"
	"slices"

	"github.com/hopluu/hopluu/processors/identity"
)

// scratch is memory that Solve uses again.
type scratch struct {
	visit   int32
	workers []*worker
	rowBuf  []cell
	texts   []known // by a hash of the text
	forms   []uint64
	keys    []uint64 // of the record that is listed, by rule
	newKeys []uint64
	touched uint64 // see blockIndex.touch

	verdicts  []bool // of suspects
	component []int32
	edges     []Edge
	odds      []float64
	same      [][2]int32
	clusters  clusters
	best      []reason
	citizens  []int32
	leaders   []int32
	buf       []byte
	reasons   []byte
	moves     []move

	lastLeader string
	lastPerson identity.PersonID
}

// Change is a link that is to be published, or withdrawn when Deleted.
type Change struct {
	Record  string
	Deleted bool
	Link    identity.Link
}

// Solve decides every component that changed since the last call and hands over
// each link that is other than published, then each merge and split of persons,
// in the order of their names. What it hands over is valid during the call only.
// When a function fails Solve stops with its error, and the engine no longer
// knows what is published: make another.
func (e *Engine) Solve(emit func(*Change) error, happened func(*Event) error) error {
	if err := e.compareAll(nil); err != nil {
		return err
	}
	e.detectAll()
	e.moves = e.moves[:0]
	if err := e.withdraw(emit); err != nil {
		return err
	}
	if e.visit == math.MaxInt32 {
		for i := int32(1); i < e.used; i++ {
			e.at(i).visited = 0
		}
		e.visit = 0
	}
	e.visit++
	for _, i := range e.dirty {
		n := e.at(i)
		if !n.alive || n.visited == e.visit {
			continue
		}
		e.collect(i)
		if err := e.solveComponent(emit); err != nil {
			return err
		}
	}
	e.dirty = again(e.dirty)
	err := e.tell(happened)
	e.causes = emptied(e.causes)
	e.moves = again(e.moves)
	return err
}

// large is what a change seldom is, and a start always.
const large = 1 << 16

// again empties a slice, to be filled again, unless it has become large.
func again[T any](s []T) []T {
	if cap(s) > large {
		return nil
	}
	return s[:0]
}

// emptied empties a map. One that was large once is given up, as clearing and
// walking it costs as much as it was ever large.
func emptied[K comparable, V any](m map[K]V) map[K]V {
	if len(m) > large {
		return map[K]V{}
	}
	clear(m)
	return m
}

// withdraw hands over the records that are gone, but for those that came again.
func (e *Engine) withdraw(emit func(*Change) error) error {
	for id, person := range e.gone {
		if i, again := e.byID[id]; again {
			// A node knows of no published link until it is told, so it
			// publishes its own, which replaces the old one.
			if n := e.at(i); !n.solved {
				n.person = person
			}
			continue
		}
		e.moves = append(e.moves, move{record: id, before: person})
		if err := emit(&Change{Record: id, Deleted: true}); err != nil {
			return err
		}
	}
	e.gone = emptied(e.gone)
	return nil
}

// collect gathers the component of a record: all that is reached over edges
// that may be worth a look, and over decisions.
func (e *Engine) collect(start int32) {
	e.component = e.component[:0]
	reach := func(i int32) {
		if n := e.at(i); n.visited != e.visit {
			n.visited = e.visit
			e.component = append(e.component, i)
		}
	}
	reach(start)
	for at := 0; at < len(e.component); at++ {
		n := e.at(e.component[at])
		for k := n.halves; k != 0; k = e.halves.at(k).next {
			h := *e.halves.at(k)
			weight := h.weight
			if n.origin.Register != e.at(h.to).origin.Register {
				weight += e.shift
			}
			// Competition and identifiers without power only take from it.
			if weight >= e.review {
				reach(h.to)
			}
		}
		for _, other := range e.decided[n.id] {
			if i, ok := e.byID[other]; ok {
				reach(i)
			}
		}
	}
	slices.SortFunc(e.component, e.compareOrder)
	for place, i := range e.component {
		e.at(i).place = int32(place)
	}
}

// compareOrder orders records as a Table of them does.
func (e *Engine) compareOrder(i, j int32) int {
	x, y := e.at(i), e.at(j)
	return cmp.Or(cmp.Compare(x.order, y.order), cmp.Compare(x.id, y.id))
}

// weigh gives the weight of an edge before competition; below keep, it is none.
func (e *Engine) weigh(i int32, h half) float32 {
	if h.weight < e.keep || len(e.contested) == 0 {
		return h.weight
	}
	x, y := e.row(i), e.row(h.to)
	without := e.live.without(e.contested, x, y)
	if without == 0 {
		return h.weight
	}
	if len(e.workers) == 0 {
		e.workers = append(e.workers, &worker{comparer: newComparer(e.t)})
	}
	p, rarity := e.workers[0].comparer.compareWithout(x, y, without)
	reference := e.at(i).origin.Register || e.at(h.to).origin.Register
	return e.limit.of(p, e.w.ratio(p, rarity)+e.prior(reference), reference)
}

// twice tells whether a list has the edge of a place before it too: while a pair
// moves from one share to another, both may have it.
func (e *Engine) twice(from, k int32) bool {
	if e.log.shares == 1 {
		return false
	}
	to := e.halves.at(k).to
	for ; from != k; from = e.halves.at(from).next {
		if e.halves.at(from).to == to {
			return true
		}
	}
	return false
}

// follow makes the edges of the component that are worth a look, with the
// weights that competition leaves of them.
func (e *Engine) follow() {
	e.edges = e.edges[:0]
	for place, i := range e.component {
		n := e.at(i)
		if n.origin.Register {
			continue // the other end does it
		}
		e.odds = e.odds[:0]
		for k := n.halves; k != 0; k = e.halves.at(k).next {
			h := *e.halves.at(k)
			if h.weight >= e.keep && e.at(h.to).origin.Register && !e.twice(n.halves, k) {
				e.odds = append(e.odds, math.Exp2(float64(e.weigh(i, h)+e.shift)))
			}
		}
		sum := 0.0
		if len(e.odds) > 0 {
			sum = sumOdds(e.odds)
		}
		for k := n.halves; k != 0; k = e.halves.at(k).next {
			h := *e.halves.at(k)
			if h.weight < e.keep {
				continue
			}
			other := e.at(h.to)
			weight := e.weigh(i, h)
			if other.origin.Register {
				weight = against(weight+e.shift, sum)
			} else if other.visited == e.visit && other.place < int32(place) {
				continue // done already
			}
			if other.visited != e.visit {
				continue // it only competes
			}
			if weight >= e.review {
				e.edges = append(e.edges, Edge{min(int32(place), other.place), max(int32(place), other.place), weight})
			}
		}
	}
	slices.SortFunc(e.edges, before)
}

// gatherDecisions finds the decisions within the component.
func (e *Engine) gatherDecisions() {
	e.same, e.clusters.different = e.same[:0], e.clusters.different[:0]
	if len(e.decided) == 0 {
		return
	}
	for place, i := range e.component {
		id := e.at(i).id
		for _, other := range e.decided[id] {
			j, ok := e.byID[other]
			if !ok {
				continue
			}
			pair := [2]int32{int32(place), e.at(j).place}
			if pair[0] >= pair[1] {
				continue
			}
			d := Decision{A: id, B: other}
			switch names := d.pair(); e.decisions[names].Verdict {
			case Same:
				e.same = append(e.same, pair)
				delete(e.conflicts, names)
			case Different:
				e.clusters.different = append(e.clusters.different, pair)
				delete(e.conflicts, names)
			default:
				delete(e.conflicts, names)
			}
		}
	}
	slices.SortFunc(e.same, comparePairs)
}

func (e *Engine) name(place int32) string { return e.at(e.component[place]).id }

// solveComponent decides the collected component and hands over what changed.
func (e *Engine) solveComponent(emit func(*Change) error) error {
	e.follow()
	e.gatherDecisions()
	c := &e.clusters
	c.groups = c.groups[:0]
	for place, i := range e.component {
		g := group{parent: int32(place), reference: e.at(i).origin.Register}
		g.born, g.died = e.live.dates(e.row(i))
		c.groups = append(c.groups, g)
	}
	for _, s := range e.same {
		if !c.join(s[0], s[1]) {
			d := Decision{A: e.name(s[0]), B: e.name(s[1])}
			e.conflicts[d.pair()] = struct{}{}
		}
	}
	for _, x := range e.edges {
		if x.Weight < e.link {
			break
		}
		c.join(x.A, x.B)
	}
	e.findLeaders()
	e.findReasons()
	e.reviewComponent()
	for place, i := range e.component {
		if err := e.publish(int32(place), i, emit); err != nil {
			return err
		}
	}
	return nil
}
