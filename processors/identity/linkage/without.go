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

// Without gives the model without a column, and without weights: its levels,
// the comparisons that have none left, and the blocking rules that read it go.
// It tells what the column is worth.
func (m *Model) Without(column string) *Model {
	out := *m
	out.Prior, out.Report = nil, nil
	out.Columns = slices.DeleteFunc(slices.Clone(m.Columns), func(c ColumnSpec) bool { return c.Name == column })
	out.Comparisons = nil
	for _, c := range m.Comparisons {
		levels := slices.DeleteFunc(slices.Clone(c.Levels), func(l LevelSpec) bool {
			return l.Of == column || l.With == column || l.Of == "" && c.Column == column
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
