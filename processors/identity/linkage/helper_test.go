package linkage

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// small is a model of a few columns with weights that were set by hand.
const small = `
version: small-1
id: [id]
reference: [register]
variants: [[hoang, huynh]]
columns:
  - {name: name, role: full_name}
  - {name: born, role: date}
  - {name: number, role: number, digits: 9}
comparisons:
  - name: name
    column: name
    levels:
      - {is: equal, m: 0.8, u: 0.001, frequency: true}
      - {is: unmarked, m: 0.1, u: 0.001}
      - {is: toneless, m: 0.01, u: 0.002}
      - {is: variant, m: 0.01, u: 0.002}
      - {is: edit, within: 1, m: 0.02, u: 0.002}
      - {is: partial, m: 0.02, u: 0.002}
      - {is: reordered, m: 0.01, u: 0.002}
      - {is: one_word, m: 0.01, u: 0.05}
      - {is: differ, m: 0.02, u: 0.9}
  - name: born
    column: born
    levels:
      - {is: equal, m: 0.9, u: 0.0001}
      - {is: year_only, m: 0.04, u: 0.001}
      - {is: day_month, m: 0.02, u: 0.0001}
      - {is: one_digit, m: 0.01, u: 0.001}
      - {is: days, within: 3, m: 0.01, u: 0.001}
      - {is: same_month, m: 0.005, u: 0.001}
      - {is: same_year, m: 0.005, u: 0.02}
      - {is: differ, m: 0.01, u: 0.9}
  - name: number
    column: number
    levels:
      - {is: equal, m: 0.95, u: 0.000001}
      - {is: restored, m: 0.01, u: 0.000001}
      - {is: near, m: 0.03, u: 0.00001}
      - {is: differ, m: 0.01, u: 0.99}
blocking:
  - {name: number, keys: [number]}
  - {name: name-year, keys: [sorted(name), year(born)]}
  - {name: born, keys: [swap(born)], max: 50}
training: {rules: [number, name-year]}
thresholds: {link: 4, review: 0}
prior: {matches: 1, coverage: 0.9}
`

func model(t testing.TB, text string) *Model {
	t.Helper()
	m, err := ParseModel([]byte(text))
	require.NoError(t, err)
	return m
}

// table makes a closed table of rows id, source, name, born, number.
func table(t *testing.T, m *Model, rows ...[5]string) *Table {
	t.Helper()
	tab, err := NewTable(m)
	require.NoError(t, err)
	for _, r := range rows {
		f, err := tab.File(r[1], []string{"id", "name", "born", "number"})
		require.NoError(t, err)
		require.NoError(t, f.Add([]string{r[0], r[2], r[3], r[4]}))
	}
	require.NoError(t, tab.Close())
	return tab
}

// levels gives the names of the levels of two records.
func levels(t *testing.T, tab *Table, a, b string) []string {
	t.Helper()
	x, err := tab.Find(a)
	require.NoError(t, err)
	y, err := tab.Find(b)
	require.NoError(t, err)
	c := newComparer(tab)
	p, _ := c.compare(tab.row(x), tab.row(y))
	q, _ := c.compare(tab.row(y), tab.row(x))
	require.Equal(t, p, q, "a comparison is the same both ways")
	var names []string
	for k, s := range tab.model.spec.Comparisons {
		name := "missing"
		if n := p.level(k); n > 0 {
			name = s.Levels[n-1].Is
		}
		names = append(names, name)
	}
	return names
}

func replaceOnce(t *testing.T, text, old, by string) string {
	t.Helper()
	require.Contains(t, text, old)
	return strings.Replace(text, old, by, 1)
}
