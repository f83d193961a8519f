package identity

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestModelRefuses(t *testing.T) {
	good := "version: t\nmax_holders: 9\nrules:\n- {name: a, when: {name: [equal]}, outcome: link}\n"
	_, err := ParseModel([]byte(good))
	require.NoError(t, err)
	for text, want := range map[string]string{
		"max_holders: 9\nrules: []":                                         "version is missing",
		"version: t\nrules: []":                                             "max_holders",
		"version: t\nmax_holders: 9\nrules: []":                             "0 rules",
		strings.Replace(good, "when", "if", 1):                              "unknown field",
		strings.Replace(good, "equal", "exact", 1):                          `no level "exact"`,
		strings.Replace(good, "equal", "swapped", 1):                        `name has no level "swapped"`,
		strings.Replace(good, "[equal]", "[]", 1):                           "never holds",
		strings.Replace(good, "{name: [", "{nom: [", 1):                     `no field "nom"`,
		strings.Replace(good, "link", "join", 1):                            `outcome is "join"`,
		strings.Replace(good, "name: a, ", "", 1):                           "name is missing",
		strings.Replace(good, "outcome", "contradiction: true, outcome", 1): "cannot link",
		good + "- {name: a, when: {}, outcome: apart}\n":                    "stands twice",
		good + "variants: [[hoang, huynh], [hoàng]]\n":                      "variants twice",
		good + "sets: &a {}\n":                                              "without tags",
		good + "weights: {name: {swapped: 1}}\n":                            "weights",
	} {
		_, err := ParseModel([]byte(text))
		require.ErrorContains(t, err, want, text)
	}
}

// TestWeightsOrderEdges: a model with weights ranks the pairs of one rule by
// their sum, and says them in the reasons.
func TestWeightsOrderEdges(t *testing.T) {
	m, err := ParseModel([]byte(`
version: weighted-test
max_holders: 9
weights:
  cccd: {equal: 10}
  name: {equal: 4.5, toneless: 3}
rules:
  - {name: by-weight, when: {}, outcome: link}
`))
	require.NoError(t, err)
	s := NewState(m)
	for _, p := range []person{
		{id: "population.citizen:1", in: register, cccd: "079085001234", name: "Nguyen Van An"},
		{id: "population.citizen:2", in: register, cmnd: "024517348", name: "Nguyễn Văn An"},
		{id: "health.patient:1", in: health, cccd: "079085001234", cmnd: "024517348", name: "Nguyễn Văn An"},
	} {
		s.Upsert(p.record())
	}
	links := solve(t, s)
	require.Equal(t, "population.citizen:1", links["health.patient:1"].Citizen, "13 against 4.5")
	require.JSONEq(t, `{"with":"population.citizen:1","evidence":{"cccd":"equal","register":"one","name":"toneless"},"weight":13.00}`, links["health.patient:1"].Reasons)

	a, b := s.solver.edges[0].Decision, s.solver.edges[1].Decision
	require.Greater(t, a.Weight, b.Weight)
	require.Equal(t, []Evidence{{FieldCCCD, Equal, 10}, {FieldRegister, One, 0}, {FieldName, Toneless, 3}}, m.Evidence(a.Why))
	require.Equal(t, "by-weight", m.Rule(a))
}

// TestNoRuleIsApart: a pair that no rule speaks of is two people.
func TestNoRuleIsApart(t *testing.T) {
	m, err := ParseModel([]byte("version: t\nmax_holders: 9\nrules:\n- {name: a, when: {name: [equal]}, outcome: link}\n"))
	require.NoError(t, err)
	s := NewState(m)
	for _, p := range []person{
		{id: "health.patient:1", in: health, cccd: "079085001234", name: "Nguyễn Văn An"},
		{id: "health.patient:2", in: health, cccd: "079085001234", name: "Lê Thị Mai"},
	} {
		s.Upsert(p.record())
	}
	links := solve(t, s)
	require.Equal(t, DecisionApart, links["health.patient:1"].Decision)
	require.Empty(t, links["health.patient:1"].Rule)
	require.Contains(t, links["health.patient:1"].Reasons, `"name":"differ"`)
	require.Equal(t, []DecisionCount{{DecisionApart, "", 2}}, s.Decisions())
}

// TestComparisonIsSymmetric: an edge is a function of the pair, whichever
// record comes first (P9).
func TestComparisonIsSymmetric(t *testing.T) {
	m := model(t)
	for seed := range uint64(20) {
		people := randomPeople(newRand(seed), 40)
		for _, p := range people {
			for _, q := range people {
				a, b := p.record(), q.record()
				require.Equal(t, m.Compare(&a, &b), m.Compare(&b, &a), "%v %v", p, q)
			}
		}
	}
}

func TestFieldsAndLevelsByName(t *testing.T) {
	for f := range fields {
		got, err := ParseField(f.String())
		require.NoError(t, err)
		require.Equal(t, f, got)
	}
	for l := range levels {
		got, err := ParseLevel(l.String())
		require.NoError(t, err)
		require.Equal(t, l, got)
	}
}

func TestPersonID(t *testing.T) {
	p := PersonOf("population.citizen:1")
	require.Len(t, p.String(), 25)
	back, err := ParsePersonID(p.String())
	require.NoError(t, err)
	require.Equal(t, p, back)
	for _, s := range []string{"", "p", "x" + p.String()[1:], p.String()[:24] + "g", p.String() + "0"} {
		_, err := ParsePersonID(s)
		require.Error(t, err, s)
	}
	// The name of a person is published: a change of how it is made breaks
	// every reader's joins.
	require.Equal(t, "pc5c8dd2398b1fd805f102928", p.String())
}

func FuzzParseModel(f *testing.F) {
	f.Add(deterministic1)
	f.Add([]byte("version: t\nmax_holders: 9\nsets: {s: [equal]}\nvariants: [[a, b]]\nrules:\n- {name: a, when: {name: [s]}, outcome: link}\n"))
	f.Add([]byte("rules: !!map []"))
	f.Fuzz(func(t *testing.T, text []byte) {
		m, err := ParseModel(text)
		if err != nil {
			return
		}
		s := NewState(m)
		for _, p := range []person{{id: "a.b:1", in: health, cccd: "079085001234", name: "a"}, {id: "a.b:2", in: health, cccd: "079085001234", name: "b"}} {
			s.Upsert(p.record())
		}
		solve(t, s)
	})
}
