package linkage

import (
	"errors"
	"fmt"
	"slices"

	"github.com/hopluu/hopluu/processors/identity"
)

// LiveSpec is what a model needs to decide records one by one, where nothing
// may depend on how many others there are: an edge is a function of its two
// records and of the model (P9).
type LiveSpec struct {
	// People and Records are the sizes of the city that the model is for: of the
	// reference, and of all tables.
	People  int `yaml:"people" json:"people"`
	Records int `yaml:"records" json:"records"`
	// Shared are the blocking rules on one identifier each. An identifier whose
	// holders contradict one another, that two records of the reference hold, or
	// that more records than the rule's max hold, is no evidence; and whoever
	// shares one and stays apart is for a person to look at.
	Shared []string `yaml:"shared,omitempty" json:"shared,omitempty"`
	// Chance is the probability at most that two strangers bear one identifier
	// of Shared: pairs drawn at random are too few to show it.
	Chance float64 `yaml:"chance,omitempty" json:"chance,omitempty"`
	// Contradictions are pairs that are never linked whatever they weigh.
	Contradictions []PatternSpec `yaml:"contradictions,omitempty" json:"contradictions,omitempty"`
	// Born and Died are columns: nobody is born after having died.
	Born string `yaml:"born,omitempty" json:"born,omitempty"`
	Died string `yaml:"died,omitempty" json:"died,omitempty"`
}

// live is a compiled LiveSpec.
type live struct {
	spec           *LiveSpec
	shared         []sharedRule
	contradictions []patterns
	born, died     int // columns, -1 without
}

// sharedRule is an identifier that the detector watches.
type sharedRule struct {
	rule, column int
	comparisons  pattern // ones in the places of the comparisons that read the column
}

// maxContradictions leaves room for the other rules in a byte.
const maxContradictions = 200

func (m *Model) compileLive(c *compiled) (*live, error) {
	s := m.Live
	l := &live{spec: s, born: -1, died: -1}
	if s.People < 2 || s.Records <= s.People {
		return nil, errors.New("people is 2 or more, and records are more than people")
	}
	if m.OneEach || m.LinkOnly {
		return nil, errors.New("one_each and link_only are for files")
	}
	if len(m.Reference) == 0 {
		return nil, errors.New("reference is empty: name the register")
	}
	if !(s.Chance >= 0 && s.Chance < 1) {
		return nil, errors.New("chance is from 0 to below 1")
	}
	for _, name := range s.Shared {
		r := slices.IndexFunc(m.Blocking, func(b RuleSpec) bool { return b.Name == name })
		if r < 0 || r >= len(c.rules) || len(c.rules[r].keys) != 1 || c.rules[r].keys[0].op != keyValue || c.rules[r].keys[0].kind != numberKind {
			return nil, fmt.Errorf("shared: %q is no blocking rule on one number", name)
		}
		out := sharedRule{rule: r, column: c.rules[r].keys[0].column}
		for k := range c.comparisons {
			if slices.Contains(c.comparisons[k].columns, out.column) {
				out.comparisons |= 15 << (4 * k)
			}
		}
		l.shared = append(l.shared, out)
	}
	if len(s.Contradictions) > maxContradictions {
		return nil, fmt.Errorf("%d contradictions: give at most %d", len(s.Contradictions), maxContradictions)
	}
	var err error
	if l.contradictions, err = m.compilePatterns(s.Contradictions); err != nil {
		return nil, fmt.Errorf("contradictions: %w", err)
	}
	for _, at := range []struct {
		name string
		to   *int
	}{{s.Born, &l.born}, {s.Died, &l.died}} {
		if at.name == "" {
			continue
		}
		if *at.to = m.column(at.name); *at.to < 0 || c.roles[*at.to].kind != dateKind {
			return nil, fmt.Errorf("born and died: %q is no column of dates", at.name)
		}
	}
	return l, nil
}

// contradicts gives the contradiction that holds, from 1 on; 0 when none does.
func (l *live) contradicts(p pattern) int { return firstOf(l.contradictions, p) }

// shares tells whether two records hold one identifier.
func (l *live) shares(x, y []cell) bool {
	for i := range l.shared {
		if c := l.shared[i].column; x[c].a != 0 && x[c].a == y[c].a {
			return true
		}
	}
	return false
}

// dates gives when a record's person was born and died, 0 when it does not say.
func (l *live) dates(row []cell) (born, died identity.Date) {
	if l.born >= 0 {
		born = row[l.born].date()
	}
	if l.died >= 0 {
		died = row[l.died].date()
	}
	return born, died
}

// after compares as far as both sides know: a year alone is after nothing in it.
func after(d, e identity.Date) bool {
	if d.YearOnly() || e.YearOnly() {
		return d.Year() > e.Year()
	}
	return d > e
}
