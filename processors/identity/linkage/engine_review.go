package linkage

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hopluu/hopluu/processors/identity"
)

// RuleConflict is the rule of a Review that asks whether a decision Same, which
// something forbids, is right.
const RuleConflict = "conflict"

// Review is a pair that a person should look at. Of all pairs between two
// clusters it is the strongest: what is said of it settles the others. It holds
// no value of any column (P11).
type Review struct {
	A, B string // in order
	// Rule says why it is asked: RuleWeights, the weight is between the
	// thresholds; RuleForbidden, it is above, but something forbids the link;
	// RuleShared or the name of a contradiction, the two hold one identifier and
	// are apart; RuleConflict.
	Rule   string
	Weight float64 // in bits, after competition; 0 but for RuleWeights and RuleForbidden
	// Effect is what one person instead of two would change.
	Effect Effect
	// Evidence is JSON: the level of agreement of every comparison, by name.
	Evidence string
}

// Effect is what it changes when two clusters become one.
type Effect struct {
	// Records of either cluster.
	Records [2]int
	// Sectors of either cluster, sorted.
	Sectors [2][]string
	// Register tells that one of them has a record of the register: the other's
	// records would be linked to a citizen.
	Register bool
	// Died tells that one of them has a death that the other does not know.
	Died bool
}

// reviews are the pairs to be looked at. Each is kept with the records whose
// solving finds it, for the others of a component are found again with them.
type reviews struct {
	of     map[string][]*Review     // by record
	asking map[[2]string][]*Review  // by pair; two when both records ask
	marked map[[2]string]struct{}   // may be other than last handed over
	seen   map[[2]int32]struct{}    // pairs of clusters, of the component being solved
	sector map[int32]map[string]int // records by sector, of each cluster of it
}

func newReviews() reviews {
	return reviews{
		of: map[string][]*Review{}, asking: map[[2]string][]*Review{}, marked: map[[2]string]struct{}{},
		seen: map[[2]int32]struct{}{}, sector: map[int32]map[string]int{},
	}
}

// forget takes away what a record asks.
func (r *reviews) forget(id string) {
	for _, x := range r.of[id] {
		pair := [2]string{x.A, x.B}
		left := slices.DeleteFunc(r.asking[pair], func(y *Review) bool { return x == y })
		if r.asking[pair] = left; len(left) == 0 {
			delete(r.asking, pair)
		}
		r.marked[pair] = struct{}{}
	}
	delete(r.of, id)
}

func (r *reviews) ask(id string, x *Review) {
	pair := [2]string{x.A, x.B}
	r.of[id] = append(r.of[id], x)
	r.asking[pair] = append(r.asking[pair], x)
	r.marked[pair] = struct{}{}
}

// Reviews hands over each pair that is to be looked at other than at the last
// call, in the order of their names, with nil when nobody need look at it any
// more. Some may be as they were. It is called after Solve.
func (e *Engine) Reviews(changed func(pair [2]string, r *Review) error) error {
	pairs := make([][2]string, 0, len(e.reviews.marked))
	for pair := range e.reviews.marked {
		pairs = append(pairs, pair)
	}
	slices.SortFunc(pairs, func(x, y [2]string) int { return slices.Compare(x[:], y[:]) })
	for _, pair := range pairs {
		if err := changed(pair, e.Review(pair[0], pair[1])); err != nil {
			return err
		}
	}
	clear(e.reviews.marked)
	return nil
}

// Review gives what is asked of a pair, named in either order; nil when nothing
// is. It is the engine's own: nobody changes it.
func (e *Engine) Review(a, b string) *Review {
	if all := e.reviews.asking[(&Decision{A: a, B: b}).pair()]; len(all) > 0 {
		return all[0] // both of two are of the same records, and alike
	}
	return nil
}

// reviewComponent finds what is to be asked of the component that was solved.
func (e *Engine) reviewComponent() {
	r := &e.reviews
	clear(r.seen)
	clear(r.sector)
	for _, i := range e.component {
		r.forget(e.at(i).id)
	}
	for _, s := range e.same {
		if a, b := e.clusters.find(s[0]), e.clusters.find(s[1]); a != b {
			r.seen[[2]int32{min(a, b), max(a, b)}] = struct{}{}
			e.askBetween(s[0], s[1], RuleConflict, 0)
		}
	}
	// Edges are sorted: the first between two clusters is the strongest.
	for _, x := range e.edges {
		a, b := e.clusters.find(x.A), e.clusters.find(x.B)
		if a == b {
			continue
		}
		clusters := [2]int32{min(a, b), max(a, b)}
		if _, again := r.seen[clusters]; again {
			continue
		}
		r.seen[clusters] = struct{}{}
		switch forbidden := e.clusters.forbidden(a, b); {
		case !forbidden:
			e.askBetween(x.A, x.B, RuleWeights, x.Weight)
		case x.Weight >= e.link && !e.clusters.apart(a, b):
			e.askBetween(x.A, x.B, RuleForbidden, x.Weight)
		}
	}
	for place, i := range e.component {
		if b := &e.best[place]; b.speaks == speaksShared {
			e.askShared(i, b.with)
		}
	}
}

// askBetween asks of two records of the component, in the name of the first.
func (e *Engine) askBetween(x, y int32, rule string, weight float32) {
	i, j := e.component[x], e.component[y]
	a, b := e.clusters.find(x), e.clusters.find(y)
	if e.at(i).id > e.at(j).id {
		i, j, a, b = j, i, b, a
	}
	g, h := &e.clusters.groups[a], &e.clusters.groups[b]
	review := &Review{
		A: e.at(i).id, B: e.at(j).id, Rule: rule, Weight: float64(weight), Evidence: e.evidence(i, j),
		Effect: Effect{Register: g.reference || h.reference, Died: (g.died != 0) != (h.died != 0)},
	}
	for side, c := range [2]int32{a, b} {
		for sector, n := range e.sectorsOf(c) {
			review.Effect.Records[side] += n
			review.Effect.Sectors[side] = append(review.Effect.Sectors[side], sector)
		}
		slices.Sort(review.Effect.Sectors[side])
	}
	e.reviews.ask(review.A, review)
}

// sectorsOf counts the records of a cluster by sector.
func (e *Engine) sectorsOf(cluster int32) map[string]int {
	r := &e.reviews
	if len(r.sector) == 0 {
		for place, i := range e.component {
			c := e.clusters.find(int32(place))
			if r.sector[c] == nil {
				r.sector[c] = map[string]int{}
			}
			r.sector[c][e.at(i).origin.Sector]++
		}
	}
	return r.sector[cluster]
}

// askShared asks of two records that hold one identifier. The other may be of
// another component, so nothing is said of its cluster: what is asked depends on
// the two records alone.
func (e *Engine) askShared(i, j int32) {
	asks := e.at(i).id
	if d, _ := e.Decision(asks, e.at(j).id); d.Verdict == Same {
		return // a conflict, which is asked already
	}
	if e.at(i).id > e.at(j).id {
		i, j = j, i
	}
	x, y := e.at(i), e.at(j)
	review := &Review{A: x.id, B: y.id, Rule: RuleShared, Evidence: e.evidence(i, j), Effect: Effect{
		Records: [2]int{1, 1}, Sectors: [2][]string{{x.origin.Sector}, {y.origin.Sector}},
		Register: x.origin.Register || y.origin.Register,
	}}
	_, xDied := e.live.dates(e.row(i))
	_, yDied := e.live.dates(e.row(j))
	review.Effect.Died = (xDied != 0) != (yDied != 0)
	p, _ := e.comparer().compare(e.row(i), e.row(j))
	if k := e.live.contradicts(p); k > 0 {
		review.Rule = e.live.contradictions[k-1].name
	}
	e.reviews.ask(asks, review)
}

// evidence gives the levels of a pair as JSON.
func (e *Engine) evidence(i, j int32) string {
	x, y := e.row(i), e.row(j)
	p, _ := e.comparer().compare(x, y)
	e.reasons = e.words.append(append(e.reasons[:0], '{'), p, e.live.without(e.contested, x, y))
	return string(append(e.reasons, '}'))
}

func (e *Engine) comparer() *comparer {
	if len(e.workers) == 0 {
		e.workers = append(e.workers, &worker{comparer: newComparer(e.t)})
	}
	return e.workers[0].comparer
}

// Shown is what a person who decides may see of a record: the kinds of
// identifier that it has, never their values (P11), and its other columns.
type Shown struct {
	Record, Source, Sector, Table string
	Register                      bool
	Person                        identity.PersonID // as last solved
	Columns                       []ShownColumn
}

// ShownColumn is a column of a record. Text is normalised, and empty for an
// identifier.
type ShownColumn struct {
	Name       string
	Identifier bool
	Text       string
}

// Show gives a record by its name; ok is false when there is none.
func (e *Engine) Show(id string) (s Shown, ok bool) {
	i, ok := e.byID[id]
	if !ok {
		return s, false
	}
	n := e.at(i)
	s = Shown{Record: n.id, Source: n.origin.Source, Sector: n.origin.Sector, Table: n.origin.Table, Register: n.origin.Register, Person: n.person}
	for c, v := range e.row(i) {
		if v.missing() {
			continue
		}
		column := ShownColumn{Name: e.model.spec.Columns[c].Name}
		switch role := e.model.spec.Columns[c].Role; {
		case role == "node" && identity.Node(v.a) == identity.PersonNode:
			continue // as nearly all are
		case role == "node":
			column.Text = identity.Node(v.a).String()
		case role == "province":
			column.Text = identity.Province(v.a).Name()
		case e.model.roles[c].kind == numberKind:
			column.Identifier = true
		case e.model.roles[c].kind == dateKind:
			column.Text = shownDate(v.date())
		default:
			column.Text = strings.Clone(e.t.texts.words[v.id()].text)
		}
		s.Columns = append(s.Columns, column)
	}
	return s, true
}

// shownDate writes a date, or the year when no more is known.
func shownDate(d identity.Date) string {
	if d.Month() == 0 {
		return fmt.Sprintf("%04d", d.Year())
	}
	return fmt.Sprintf("%04d-%02d-%02d", d.Year(), d.Month(), d.Day())
}

// Decision gives the decision on a pair that counts; ok is false when there is
// none.
func (e *Engine) Decision(a, b string) (d Decision, ok bool) {
	d, ok = e.decisions[(&Decision{A: a, B: b}).pair()]
	return d, ok
}
