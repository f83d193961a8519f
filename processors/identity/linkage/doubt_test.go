package linkage

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hopluu/hopluu/processors/identity"
)

// neighbours are people with numbers one after the other, no birth dates and
// names a letter apart, of whom the first few are in the register.
func neighbours(citizens int) (people []person) {
	for n := range 30 {
		p := person{id: fmt.Sprintf("health.patient:%d", n), in: health, cccd: fmt.Sprintf("0790850010%02d", n), cmnd: fmt.Sprintf("0245173%02d", n),
			name: fmt.Sprintf("Thạch Gia %c%c", 'A'+n/26, 'a'+n%26), sex: "male", ward: "26734"}
		if n < citizens {
			p.id, p.in = fmt.Sprintf("population.citizen:%d", n), register
		}
		people = append(people, p)
	}
	return people
}

// Nobody of a row of neighbours is linked to another, in an engine or in files,
// where a reference makes a lone candidate more believable or without one.
func TestNeighboursAreNotLinked(t *testing.T) {
	for _, citizens := range []int{0, 1, 15} {
		people := neighbours(citizens)
		asked := 0
		for record, link := range linksOf(t, people...) {
			require.Equal(t, identity.PersonOf(record), link.Person, "%s: %s", record, link.Reasons)
			if link.Decision == identity.DecisionReview {
				asked++
			}
		}
		require.Positive(t, asked, "people look at those who may be one")
		tab := tableOf(t, cityModel(t), people)
		out, err := tab.Link(nil)
		require.NoError(t, err)
		require.NotEmpty(t, out.Links.Edges)
		for _, l := range out.Links.Edges {
			require.True(t, l.Review, "%s and %s, %.1f bits", tab.ID(l.A), tab.ID(l.B), l.Weight)
		}
	}
}

// What is in doubt is just below the threshold after competition, whichever way it
// is weighed, and Explain's steps add up to it.
func TestDoubtIsExplained(t *testing.T) {
	citizen := person{id: "population.citizen:1", in: register, cccd: "079085001234", name: "Thạch Gia Khuê", ward: "26734", address: "7 Pasteur", phone: "0903111222"}
	other := person{id: "health.patient:1", in: health, cccd: "079085001235", name: "Thạch Gia Khuy", ward: "26734", address: "7 Pasteur", phone: "0903111222"}
	m := cityModel(t)
	e := engine(t, m)
	e.Upsert(citizen.raw())
	e.Upsert(other.raw())
	links, _ := solve(t, e)
	require.Equal(t, identity.DecisionReview, links[other.id].Decision)
	require.InDelta(t, m.Thresholds.Link, links[other.id].Weight, 0.011)
	x, err := e.Explain(citizen.id, other.id)
	require.NoError(t, err)
	last := x.Steps[len(x.Steps)-1]
	require.Equal(t, "neighbouring-cccd", last.Name)
	require.Negative(t, last.Bits)
	sum := x.Prior
	for _, s := range x.Steps {
		sum += s.Bits
	}
	require.InDelta(t, x.Weight, sum, 1e-3)
	require.InDelta(t, links[other.id].Weight, x.Weight+float64(e.shift), 1e-3)

	// A birth date on both sides says more than the neighbouring number leaves open.
	citizen.birth, other.birth = "1985-03-20", "1985-03-20"
	x, err = engineOf(t, m, citizen, other).Explain(citizen.id, other.id)
	require.NoError(t, err)
	for _, s := range x.Steps {
		require.NotEqual(t, "neighbouring-cccd", s.Name)
	}
}

func engineOf(t *testing.T, m *Model, people ...person) *Engine {
	e := engine(t, m)
	for _, p := range people {
		require.True(t, e.Upsert(p.raw()))
	}
	solve(t, e)
	return e
}

func TestPatternsThatAreRefused(t *testing.T) {
	for _, c := range [][2]string{
		{"doubts: [{name: x}]", "doubts: name and when are both needed"},
		{"doubts: [{name: x, when: {nothing: [equal]}}]", `doubts: x: there is no comparison "nothing"`},
		{"doubts: [{name: x, when: {name: [near]}}]", `doubts: x: name has no level "near"`},
	} {
		_, err := ParseModel([]byte(small + c[0] + "\n"))
		require.ErrorContains(t, err, c[1])
	}
}
