package linkage

import (
	"errors"
	"fmt"
	"math"
)

// PatternSpec holds for pairs of which every comparison that it names has one of
// the levels that it names, as Explain names them.
type PatternSpec struct {
	Name string              `yaml:"name" json:"name"`
	When map[string][]string `yaml:"when" json:"when"`
}

// patterns is a compiled PatternSpec.
type patterns struct {
	name string
	// levels has for each comparison a bit for each level that fits.
	levels [maxComparisons]uint16
}

func (m *Model) compilePatterns(specs []PatternSpec) (all []patterns, err error) {
	for _, x := range specs {
		out := patterns{name: x.Name}
		if x.Name == "" || len(x.When) == 0 {
			return nil, errors.New("name and when are both needed")
		}
		for k := range out.levels {
			out.levels[k] = math.MaxUint16
		}
		for name, levels := range x.When {
			k := m.comparison(name)
			if k < 0 {
				return nil, fmt.Errorf("%s: there is no comparison %q", x.Name, name)
			}
			out.levels[k] = 0
			for _, level := range levels {
				bits := m.Comparisons[k].bits(level)
				if bits == 0 {
					return nil, fmt.Errorf("%s: %s has no level %q", x.Name, name, level)
				}
				out.levels[k] |= bits
			}
		}
		all = append(all, out)
	}
	return all, nil
}

// bits gives a bit for each level of that name.
func (s *ComparisonSpec) bits(name string) (bits uint16) {
	if name == levelMissing {
		return 1
	}
	for i := range s.Levels {
		if s.Levels[i].text(s.Column) == name {
			bits |= 1 << (i + 1)
		}
	}
	return bits
}

// firstOf gives the first that holds, from 1 on; 0 when none does.
func firstOf(all []patterns, p pattern) int {
next:
	for i := range all {
		for k, fits := range all[i].levels {
			if fits>>(p>>(4*k)&15)&1 == 0 {
				continue next
			}
		}
		return i + 1
	}
	return 0
}
