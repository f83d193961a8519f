package linkage

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// A rule by a column of whole names implies the names in it, though they are
// other columns of the file: in its blocks they say nothing, or namesakes would
// pass for one person and the weights of all else with them.
func TestWhatARuleImpliesSaysNothingInIt(t *testing.T) {
	m := model(t, `
version: implied-1
id: [id]
columns:
  - {name: given, role: given_name}
  - {name: surname, role: surname}
  - {name: whole, role: full_name}
  - {name: born, role: date}
  - {name: street, role: street}
comparisons:
  - {name: given, column: given, levels: [{is: equal}]}
  - {name: surname, column: surname, levels: [{is: equal}]}
  - {name: born, column: born, levels: [{is: equal}]}
  - {name: street, column: street, levels: [{is: equal}]}
blocking:
  - {name: whole, keys: [whole]}
  - {name: born, keys: [born]}
training: {rules: [whole, born], pairs: 200000}
thresholds: {link: 3, review: 0}
`)
	tab, err := NewTable(m)
	require.NoError(t, err)
	f, err := tab.File("a", []string{"id", "given", "surname", "whole", "born", "street"})
	require.NoError(t, err)
	r := rand.New(rand.NewPCG(4, 4))
	for i := range 2000 {
		given, surname := fmt.Sprintf("given%c", 'a'+r.IntN(20)), fmt.Sprintf("family%c%c", 'a'+r.IntN(20), 'a'+r.IntN(4))
		// Of times before any register of today.
		born, street := fmt.Sprintf("%d-%02d-%02d", 1640+r.IntN(150), 1+r.IntN(12), 1+r.IntN(28)), fmt.Sprintf("street %d", r.IntN(300))
		for k := range 2 {
			if k > 0 && r.IntN(5) == 0 {
				street = fmt.Sprintf("street %d", r.IntN(300))
			}
			if k > 0 && r.IntN(10) == 0 {
				given += "x"
			}
			require.NoError(t, f.Add([]string{fmt.Sprintf("%d-%d", i, k), given, surname, given + " " + surname, born, street}))
		}
	}
	require.NoError(t, tab.Train(nil))
	rule := m.Report.Rules[0]
	require.Equal(t, []string{"given", "surname"}, rule.Implied)
	require.InDelta(t, 0.29, rule.Lambda, 0.03, "of the pairs of one name most are namesakes")
	require.InDelta(t, 0.8, m.Comparisons[m.comparison("street")].Levels[0].M, 0.03)
	require.Zero(t, tab.Intake()[3].Refused)
}
