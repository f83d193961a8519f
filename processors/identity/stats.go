package identity

import (
	"cmp"
	"slices"
)

// stats counts what Solve last decided.
type stats struct {
	tables map[*Origin]*TableStats
	counts [len(decisionNames)][noRule + 1]int
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

func (s *stats) table(o *Origin) *TableStats {
	t := s.tables[o]
	if t == nil {
		t = &TableStats{}
		s.tables[o] = t
	}
	return t
}

func (s *stats) count(o *Origin, x outcome)   { s.add(o, x, 1) }
func (s *stats) uncount(o *Origin, x outcome) { s.add(o, x, -1) }

func (s *stats) add(o *Origin, x outcome, by int) {
	s.counts[x.decision][x.rule] += by
	if x.linked {
		s.table(o).Linked += by
	}
}

// Table gives the counts of one table.
func (s *State) Table(o *Origin) TableStats { return *s.stats.table(o) }

// Decisions gives the counts by decision and rule, in the order of their names;
// those that were once and are no more count 0.
func (s *State) Decisions() []DecisionCount {
	var all []DecisionCount
	for decision := range s.stats.counts {
		for rule, count := range s.stats.counts[decision] {
			if count == 0 {
				continue
			}
			d := DecisionCount{Decision: decisionNames[decision], Rule: s.model.ruleName(uint8(rule)), Records: count}
			if rule == ruleRegister {
				d.Rule = RuleRegister
			}
			all = append(all, d)
		}
	}
	slices.SortFunc(all, func(a, b DecisionCount) int {
		return cmp.Or(cmp.Compare(a.Decision, b.Decision), cmp.Compare(a.Rule, b.Rule))
	})
	return all
}
