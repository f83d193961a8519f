package linkage

import (
	"encoding/json"
	"slices"

	"github.com/hopluu/hopluu/processors/identity"
)

// reason is what speaks for a record's decision.
type reason struct {
	speaks uint8
	with   int32 // the other record, nowhere for none
	weight float32
}

// How something speaks for a record, from the least.
const (
	speaksNot       = iota
	speaksRole      // an identifier is shared with a node of another kind
	speaksApart     // a person said that it is another
	speaksShared    // an identifier is shared with somebody else
	speaksForbidden // a link that something forbids
	speaksReview    // an edge that is not enough for a link
	speaksSame      // a person said so
	speaksLink      // within the cluster
	speaksCitizen   // within the cluster, to the record of the register
)

// The rules of a link, beside RuleRegister and the names of contradictions.
const (
	RuleWeights   = "weights"       // the weight of the pair
	RuleForbidden = "forbidden"     // a link that the register or a death forbids
	RuleShared    = "shared-number" // an identifier that somebody else holds too
	RuleDecision  = "decision"      // a person said so
	RuleRole      = "role"          // alone: the one of another kind that it shares a number with answers for it, or it for that one
)

// findLeaders finds for each cluster, by its first record's place, the record
// that names it, the first by name where those of the reference come before all
// others, and its record of the reference.
func (e *Engine) findLeaders() {
	e.leaders, e.citizens = e.leaders[:0], e.citizens[:0]
	for range e.component {
		e.leaders, e.citizens = append(e.leaders, nowhere), append(e.citizens, nowhere)
	}
	for place, i := range e.component {
		c, n := e.clusters.find(int32(place)), e.at(i)
		if n.origin.Register {
			e.citizens[c] = i
		}
		if leader := e.leaders[c]; leader == nowhere || n.id < e.at(leader).id {
			e.leaders[c] = i
		}
	}
	for c, citizen := range e.citizens {
		if citizen != nowhere {
			e.leaders[c] = citizen
		}
	}
}

// findReasons finds what speaks for each record.
func (e *Engine) findReasons() {
	e.best = e.best[:0]
	for range e.component {
		e.best = append(e.best, reason{})
	}
	better := func(place, other int32, speaks uint8, weight float32) {
		if b := &e.best[place]; speaks > b.speaks {
			*b = reason{speaks, e.component[other], weight}
		}
	}
	// Edges are sorted: of those that speak alike, the first is the strongest.
	for _, x := range e.edges {
		speaks := uint8(speaksLink)
		a, b := e.clusters.find(x.A), e.clusters.find(x.B)
		if a == b && x.Weight < e.link {
			continue // something stronger joined them
		}
		if a != b {
			switch {
			case slices.Contains(e.clusters.different, [2]int32{x.A, x.B}):
				speaks = speaksApart
			case e.clusters.forbidden(a, b):
				speaks = speaksForbidden
			default:
				speaks = speaksReview
			}
		}
		for _, side := range [2][2]int32{{x.A, x.B}, {x.B, x.A}} {
			if speaks == speaksLink && e.at(e.component[side[1]]).origin.Register {
				better(side[0], side[1], speaksCitizen, x.Weight)
			} else {
				better(side[0], side[1], speaks, x.Weight)
			}
		}
	}
	for _, s := range e.same {
		if e.clusters.find(s[0]) == e.clusters.find(s[1]) {
			better(s[0], s[1], speaksSame, 0)
			better(s[1], s[0], speaksSame, 0)
		}
	}
	for place, i := range e.component {
		if e.best[place].speaks <= speaksShared && !e.at(i).origin.Register {
			e.findShared(&e.best[place], i)
		}
	}
}

// findShared finds the record that a record shares an identifier with, and
// nothing else that would make them one.
func (e *Engine) findShared(b *reason, i int32) {
	n := e.at(i)
	var best, role half
	for k := n.halves; k != 0; k = e.halves.at(k).next {
		h := *e.halves.at(k)
		if e.model.otherKinds(e.row(i), e.row(h.to)) {
			if role.to == nowhere || e.nearer(h.to, role.to) {
				role = h
			}
			continue
		}
		if !e.live.shares(e.row(i), e.row(h.to)) || e.decisions[(&Decision{A: n.id, B: e.at(h.to).id}).pair()].Verdict == Different {
			continue
		}
		if best.to == nowhere || h.weight > best.weight || h.weight == best.weight && e.compareOrder(h.to, best.to) < 0 {
			best = h
		}
	}
	switch {
	case best.to != nowhere:
		*b = reason{speaks: speaksShared, with: best.to}
	case role.to != nowhere && b.speaks == speaksNot:
		*b = reason{speaks: speaksRole, with: role.to}
	}
}

// nearer tells which of two records a role is said of: the register's, then the
// first.
func (e *Engine) nearer(i, j int32) bool {
	if a, b := e.at(i).origin.Register, e.at(j).origin.Register; a != b {
		return a
	}
	return e.compareOrder(i, j) < 0
}

// publish makes the link of one record and hands it over when it changed.
func (e *Engine) publish(place, i int32, emit func(*Change) error) error {
	n := e.at(i)
	cluster := e.clusters.find(place)
	c := Change{Record: n.id}
	l := &c.Link
	l.Record, l.Source, l.Sector, l.Table = n.id, n.origin.Source, n.origin.Sector, n.origin.Table
	l.Person = e.personOf(e.at(e.leaders[cluster]).id)
	if citizen := e.citizens[cluster]; citizen != nowhere {
		l.Citizen = e.at(citizen).id
	}
	l.Model, l.Node = e.model.spec.Version, e.nodeOf(i)
	l.Decision = identity.DecisionSingle
	switch b := &e.best[place]; {
	case n.origin.Register:
		// A citizen's own link does not move with every record that joins it.
		l.Decision, l.Rule = identity.DecisionLink, identity.RuleRegister
	case b.speaks != speaksNot:
		e.explain(l, i, b)
	}
	o := outcome{decision: e.stats.name(l.Decision), rule: e.stats.name(l.Rule), linked: l.Citizen != ""}
	if n.solved {
		e.stats.uncount(n.origin, n.outcome)
	}
	e.stats.count(n.origin, o)
	if n.person != l.Person || n.person != (identity.PersonID{}) {
		e.moves = append(e.moves, move{record: n.id, before: n.person, after: l.Person})
	}
	n.solved, n.outcome, n.person = true, o, l.Person

	digest, buf := l.Digest(e.buf)
	e.buf = buf
	if digest == n.published {
		return nil
	}
	n.published = digest
	return emit(&c)
}

// nodeOf tells what a record speaks of: of a person, unless it says otherwise.
func (e *Engine) nodeOf(i int32) identity.Node {
	return max(e.model.nodeOf(e.row(i)), identity.PersonNode)
}

// explain says in a link what speaks for it.
func (e *Engine) explain(l *identity.Link, i int32, b *reason) {
	x, y := e.row(i), e.row(b.with)
	if len(e.workers) == 0 {
		e.workers = append(e.workers, &worker{comparer: newComparer(e.t)})
	}
	p, _ := e.workers[0].comparer.compare(x, y)
	l.Weight = float64(b.weight)
	l.Decision = identity.DecisionReview
	switch b.speaks {
	case speaksLink, speaksCitizen:
		l.Decision, l.Rule = identity.DecisionLink, RuleWeights
	case speaksSame:
		l.Decision, l.Rule = identity.DecisionLink, RuleDecision
	case speaksReview:
		l.Rule = RuleWeights
	case speaksForbidden:
		l.Rule = RuleForbidden
	case speaksApart:
		l.Decision, l.Rule = identity.DecisionApart, RuleDecision
	case speaksRole:
		l.Decision, l.Rule = identity.DecisionSingle, RuleRole
	case speaksShared:
		l.Rule = RuleShared
		if k := e.live.contradicts(p); k > 0 {
			l.Rule = e.live.contradictions[k-1].name
		}
	}
	e.reasons = append(e.reasons[:0], `{"with":`...)
	e.reasons = appendJSON(e.reasons, e.at(b.with).id)
	e.reasons = e.words.append(append(e.reasons, `,"evidence":{`...), p, e.live.without(e.contested, x, y))
	e.reasons = append(e.reasons, "}}"...)
	l.Reasons = string(e.reasons)
}

// evidenceWords are the names of the levels of each comparison, as JSON.
type evidenceWords [][]string

func newEvidenceWords(m *Model) evidenceWords {
	var all evidenceWords
	for i := range m.Comparisons {
		s := &m.Comparisons[i]
		name := string(appendJSON(nil, s.Name)) + ":"
		levels := []string{name + `"` + levelContested + `"`}
		for k := range s.Levels {
			levels = append(levels, name+string(appendJSON(nil, s.Levels[k].text(s.Column))))
		}
		all = append(all, levels)
	}
	return all
}

// append writes the levels of a pair; those in without are evidence no more.
// They are kinds and levels only, never a value (P11).
func (w evidenceWords) append(dst []byte, p, without pattern) []byte {
	comma := false
	for k := range w {
		n := p.level(k)
		if n == 0 {
			continue
		}
		if without>>(4*k)&15 != 0 {
			n = 0
		}
		if comma {
			dst = append(dst, ',')
		}
		dst, comma = append(dst, w[k][n]...), true
	}
	return dst
}

// personOf is identity.PersonOf, remembered for the leader of the records at
// hand.
func (e *Engine) personOf(leader string) identity.PersonID {
	if e.lastLeader != leader {
		e.lastLeader, e.lastPerson = leader, identity.PersonOf(leader)
	}
	return e.lastPerson
}

// appendJSON writes a text as JSON does.
func appendJSON(dst []byte, s string) []byte {
	for i := 0; i < len(s); i++ {
		if c := s[i]; c < 0x20 || c >= 0x7f || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&' {
			quoted, err := json.Marshal(s)
			if err != nil { // a string never fails
				return append(dst, `""`...)
			}
			return append(dst, quoted...)
		}
	}
	return append(append(append(dst, '"'), s...), '"')
}
