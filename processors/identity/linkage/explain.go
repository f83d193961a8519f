package linkage

import (
	"errors"
	"fmt"
	"math"
	"strings"
)

// Explanation is the way from the prior to the weight of a pair, in bits. The
// prior and the steps add up to the weight.
type Explanation struct {
	Prior float64 `json:"prior"`
	Steps []Step  `json:"steps"`
	// Weight is before competition: that depends on all candidates of a record.
	Weight      float64 `json:"weight"`
	Probability float64 `json:"probability"`
	// Blocks are the blocking rules that bring the two together; without one,
	// they are never compared.
	Blocks []string `json:"blocks"`
}

// Step is what one comparison adds.
type Step struct {
	Name  string  `json:"name"`
	Level string  `json:"level"`
	Bits  float64 `json:"bits"`
	// Rarity is the part of Bits that comes of how rare the value is.
	Rarity float64 `json:"rarity,omitempty"`
	M      float64 `json:"m,omitempty"`
	U      float64 `json:"u,omitempty"`
}

// Beside the comparisons, and what is in doubt by the name of the doubt:
// StepHousehold is the name of the step that weighs the evidence against what
// people of one household share.
const StepHousehold = "household"

// Find gives the record of a name: an id, or source/id where several sources
// have it.
func (t *Table) Find(name string) (int32, error) {
	found := int32(-1)
	for i := range int32(t.Len()) {
		if id := t.id(i); string(id) != name && t.Source(i)+"/"+string(id) != name {
			continue
		}
		if found >= 0 {
			return 0, fmt.Errorf("record %q is in %s and in %s: write %s/%s or %s/%s", name, t.Source(found), t.Source(i), t.Source(found), t.ID(found), t.Source(i), t.ID(i))
		}
		found = i
	}
	if found < 0 {
		return 0, fmt.Errorf("no file has a record %q: give its id, or source/id, with a source of %s", name, strings.Join(t.sources[:min(8, len(t.sources))], ", "))
	}
	return found, nil
}

// Explain tells how the weight of a pair comes about.
func (t *Table) Explain(a, b int32) (Explanation, error) {
	if !t.model.spec.Trained() {
		return Explanation{}, ErrUntrained
	}
	if err := t.Close(); err != nil {
		return Explanation{}, err
	}
	w := t.weights()
	e := explain(newComparer(t), w, t.row(a), t.row(b), t.priorOf(w, a, b), 0, t.ceiling(w), t.isReference(a) || t.isReference(b))
	blocks := newBlocks(t)
	width := len(t.model.rules)
	for r := range width {
		if k := blocks.keys[int(a)*width+r]; k != 0 && k == blocks.keys[int(b)*width+r] {
			e.Blocks = append(e.Blocks, t.model.spec.Blocking[r].Name)
		}
	}
	for n := range t.model.near {
		if blocks.nearKey(n, a, b) != 0 {
			e.Blocks = append(e.Blocks, t.model.spec.Blocking[width+n].Name)
		}
	}
	return e, nil
}

// ErrUnknownRecord is the error of a record that an Engine does not have.
var ErrUnknownRecord = errors.New("there is no such record: it was never seen, or is deleted")

// Explain tells how the weight of a pair comes about. An identifier that is no
// evidence, as others hold it too, is at the level "contested" and adds nothing.
func (e *Engine) Explain(a, b string) (Explanation, error) {
	var places [2]int32
	for side, id := range [2]string{a, b} {
		var ok bool
		if places[side], ok = e.byID[id]; !ok {
			return Explanation{}, fmt.Errorf("record %q: %w", id, ErrUnknownRecord)
		}
	}
	i, j := places[0], places[1]
	x, y := e.row(i), e.row(j)
	reference := e.at(i).origin.Register || e.at(j).origin.Register
	out := explain(e.comparer(), e.w, x, y, e.prior(reference), e.live.without(e.contested, x, y), e.limit, reference)
	for r := range e.model.rules {
		rule := &e.model.rules[r]
		if k := rule.of(&e.t.texts, x); k != 0 && k == rule.of(&e.t.texts, y) && int(e.blocks.of(blockKey(r, k)).count) <= rule.max {
			out.Blocks = append(out.Blocks, e.model.spec.Blocking[r].Name)
		}
	}
	for n := range e.model.near {
		if e.sharesNear(n, x, y) {
			out.Blocks = append(out.Blocks, e.model.spec.Blocking[len(e.model.rules)+n].Name)
		}
	}
	return out, nil
}

// explain tells how the weight of two rows comes about; what the comparisons in
// without compare is no evidence.
func explain(c *comparer, w *weights, x, y []cell, prior float32, without pattern, limit ceiling, reference bool) Explanation {
	m := c.model.spec
	p, _ := c.compare(x, y)
	counting, rarity := c.compareWithout(x, y, without)
	e := Explanation{Prior: float64(prior)}
	sum := e.Prior
	for k := range m.Comparisons {
		s := Step{Name: m.Comparisons[k].Name, Level: levelMissing}
		switch n := counting.level(k); {
		case n > 0:
			l, compiled := &m.Comparisons[k].Levels[n-1], &c.model.comparisons[k].levels[n-1]
			s.Level, s.M, s.U = l.text(m.Comparisons[k].Column), l.M, l.U
			if compiled.frequency {
				s.Rarity = float64(c.rarity(compiled, x[compiled.column], y[compiled.column]))
			}
			s.Bits = float64(w.m[k][n]-w.u[k][n]) + s.Rarity
		case p.level(k) > 0:
			s.Level = levelContested
		}
		sum += s.Bits
		e.Steps = append(e.Steps, s)
	}
	e.Weight = e.Prior + float64(w.ratio(counting, rarity))
	if w.hasKin {
		e.Steps = append(e.Steps, Step{Name: StepHousehold, Level: "what kin share", Bits: e.Weight - sum})
	}
	if weight := float32(e.Weight); limit.of(counting, weight, reference) < weight {
		most := float64(limit.of(counting, weight, reference))
		doubt := limit.doubts[firstOf(limit.doubts, counting)-1].name
		e.Steps = append(e.Steps, Step{Name: doubt, Level: "for a person to look at", Bits: most - e.Weight})
		e.Weight = most
	}
	e.Probability = 1 / (1 + math.Exp2(-e.Weight))
	return e
}

// levelContested is the level of what both records hold and others do too.
const levelContested = "contested"

// text tells a level in a word or two.
func (l *LevelSpec) text(column string) string {
	s := l.Is
	switch {
	case l.Within > 0:
		s += fmt.Sprintf(" within %d", l.Within)
	case l.AtLeast > 0:
		s += fmt.Sprintf(" at least %g", l.AtLeast)
	}
	if l.Of != "" && l.Of != column {
		s = l.Of + " " + s
	}
	return s
}
