package linkage

import (
	"cmp"
	"slices"

	"github.com/hopluu/hopluu/processors/identity"
)

// outcome is what the statistics count of a record; decision and rule are the
// places of their names.
type outcome struct {
	decision, rule uint8
	linked         bool
}

// stats counts what Solve last decided.
type stats struct {
	tables map[*identity.Origin]*TableStats
	names  []string // of decisions and rules
	counts map[outcome]int
}

// TableStats counts the records of a table.
type TableStats struct {
	Records int
	Linked  int // to a citizen of the register
}

// DecisionCount is how many records have a decision by a rule; Rule is "" for
// single records.
type DecisionCount struct {
	Decision, Rule string
	Records        int
}

func (s *stats) table(o *identity.Origin) *TableStats {
	t := s.tables[o]
	if t == nil {
		t = &TableStats{}
		s.tables[o] = t
	}
	return t
}

// name gives the place of a name. There are a few: decisions, rules and the
// model's contradictions.
func (s *stats) name(name string) uint8 {
	i := slices.Index(s.names, name)
	if i < 0 {
		i = len(s.names)
		s.names = append(s.names, name)
	}
	return uint8(i)
}

// restart forgets what was decided; the records are known as before.
func (s *stats) restart() {
	s.counts = nil
	for _, t := range s.tables {
		t.Linked = 0
	}
}

func (s *stats) count(o *identity.Origin, x outcome)   { s.add(o, x, 1) }
func (s *stats) uncount(o *identity.Origin, x outcome) { s.add(o, x, -1) }

func (s *stats) add(o *identity.Origin, x outcome, by int) {
	if x.linked {
		s.table(o).Linked += by
	}
	x.linked = false
	if s.counts == nil {
		s.counts = map[outcome]int{}
	}
	s.counts[x] += by
}

// move takes note that a record is another table's.
func (s *stats) move(n *node, to *identity.Origin) {
	if n.origin == to {
		return
	}
	if n.solved {
		s.uncount(n.origin, n.outcome)
		n.solved = false
	}
	s.table(n.origin).Records--
	s.table(to).Records++
}

// Table gives the counts of one table.
func (e *Engine) Table(o *identity.Origin) TableStats { return *e.stats.table(o) }

// Outgrown tells that the register has more than twice the people of the city
// that the model is for: namesakes are more than it thinks, and links of names
// and birth dates less sure.
func (e *Engine) Outgrown() (people int, outgrown bool) {
	for o, t := range e.stats.tables {
		if o.Register {
			people += t.Records
		}
	}
	return people, people > 2*e.live.spec.People
}

// Decisions gives the counts by decision and rule, in the order of their names;
// those that were once and are no more are left out.
func (e *Engine) Decisions() []DecisionCount {
	var all []DecisionCount
	for x, n := range e.stats.counts {
		if n != 0 {
			all = append(all, DecisionCount{Decision: e.stats.names[x.decision], Rule: e.stats.names[x.rule], Records: n})
		}
	}
	slices.SortFunc(all, func(a, b DecisionCount) int {
		return cmp.Or(cmp.Compare(a.Decision, b.Decision), cmp.Compare(a.Rule, b.Rule))
	})
	return all
}
