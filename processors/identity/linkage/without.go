package linkage

import "slices"

// ColumnNames are the names of the model's columns.
func (m *Model) ColumnNames() []string {
	var all []string
	for _, c := range m.Columns {
		all = append(all, c.Name)
	}
	return all
}

// FileColumns are the columns of files that a column of the model may be.
func (m *Model) FileColumns(column string) []string {
	if at := m.column(column); at >= 0 {
		return m.Columns[at].sources()
	}
	return nil
}

// Without gives the model without a column, and without weights: its levels,
// the comparisons that have none left, and the blocking rules that read it go.
// It tells what the column is worth.
func (m *Model) Without(column string) *Model {
	out := *m
	out.Prior, out.Report, out.Live, out.Doubts = nil, nil, nil, nil // what they name is of the whole model
	unsaid := map[string]string{}                                    // the level that compares what a CCCD says of the column, by the CCCD's
	out.Columns = slices.DeleteFunc(slices.Clone(m.Columns), func(c ColumnSpec) bool { return c.Name == column })
	for i := range out.Columns {
		c := &out.Columns[i]
		if c.Says == nil {
			continue
		}
		says := *c.Says
		for _, part := range []struct {
			of    *string
			level string
		}{{&says.Sex, "says_sex"}, {&says.Born, "says_year"}, {&says.Place, "says_place"}} {
			if *part.of == column {
				*part.of, unsaid[c.Name] = "", part.level
			}
		}
		c.Says = &says
	}
	out.Comparisons = nil
	for _, c := range m.Comparisons {
		levels := slices.DeleteFunc(slices.Clone(c.Levels), func(l LevelSpec) bool {
			return l.Of == column || l.With == column || l.Of == "" && c.Column == column || unsaid[c.Column] != "" && l.Is == unsaid[c.Column]
		})
		if len(levels) == 0 || len(levels) == 1 && levels[0].Is == levelDiffer {
			if out.Training.Twins == c.Name {
				out.Training.Twins = ""
			}
			continue
		}
		if c.Column == column {
			// Levels of another column are left.
			c.Column = levels[0].Of
		}
		c.Levels = levels
		out.Comparisons = append(out.Comparisons, c)
	}
	at := m.column(column)
	gone := map[string]bool{}
	out.Blocking = slices.DeleteFunc(slices.Clone(m.Blocking), func(s RuleSpec) bool {
		r, err := m.compileRule(&s)
		gone[s.Name] = err != nil || r.reads(at)
		return gone[s.Name]
	})
	isGone := func(name string) bool { return gone[name] }
	out.Training.Rules = slices.DeleteFunc(slices.Clone(m.Training.Rules), isGone)
	out.Training.Kin = slices.DeleteFunc(slices.Clone(m.Training.Kin), isGone)
	return &out
}

// Level is a level of a comparison, by their places.
type Level struct{ Comparison, Level int }

// EachLevel are the levels of the model that can be left out, with their names:
// all but those for what differs.
func (m *Model) EachLevel() (all []Level, names []string) {
	for k := range m.Comparisons {
		for i := range m.Comparisons[k].Levels {
			if l := &m.Comparisons[k].Levels[i]; l.Is != levelDiffer {
				all = append(all, Level{k, i})
				names = append(names, m.Comparisons[k].Name+" "+l.text(m.Comparisons[k].Column))
			}
		}
	}
	return all, names
}

// WithoutLevel gives the model without a level, and without weights: what was at
// that level is at the next that holds. A comparison that has none left goes.
func (m *Model) WithoutLevel(at Level) *Model {
	out := *m
	out.Prior, out.Report, out.Live, out.Doubts = nil, nil, nil, nil
	out.Comparisons = slices.Clone(m.Comparisons)
	c := &out.Comparisons[at.Comparison]
	c.Levels = slices.Delete(slices.Clone(c.Levels), at.Level, at.Level+1)
	if len(c.Levels) == 0 || len(c.Levels) == 1 && c.Levels[0].Is == levelDiffer {
		if out.Training.Twins == c.Name {
			out.Training.Twins = ""
		}
		out.Comparisons = slices.Delete(out.Comparisons, at.Comparison, at.Comparison+1)
	}
	return &out
}
