package identity

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestClusterNamesTheFirst: whatever the order of the joins, a cluster is named
// by the place of its first record.
func TestClusterNamesTheFirst(t *testing.T) {
	var records []*Record
	for i := range 5 {
		r := person{id: fmt.Sprintf("health.patient:%d", i), in: health}.record()
		records = append(records, &r)
	}
	edge := func(a, b int32, rule uint8, outcome Outcome) Edge {
		return Edge{A: a, B: b, Decision: Decision{Outcome: outcome, rule: rule}}
	}
	edges := []Edge{edge(1, 2, 3, OutcomeLink), edge(0, 2, 1, OutcomeLink), edge(3, 4, 0, OutcomeReview)}
	require.Equal(t, []int32{0, 0, 0, 3, 4}, Cluster(records, edges))
	require.Equal(t, uint8(0), edges[0].Decision.rule, "sorted from the strongest on")
}

// TestStrongerRuleFirst: of two links that exclude one another, the earlier rule
// wins, whatever the records are called.
func TestStrongerRuleFirst(t *testing.T) {
	for _, swapped := range []bool{false, true} {
		a, b := "population.citizen:1", "population.citizen:2"
		if swapped {
			a, b = b, a
		}
		links := linksOf(t,
			person{id: a, in: register, cccd: "079085001234", name: "Nguyễn Văn An", birth: "1985-03-20"},
			person{id: b, in: register, cccd: "079085009999", cmnd: "024517348", name: "Nguyễn Văn An", birth: "1985-03-20"},
			person{id: "health.patient:1", in: health, cccd: "079085001234", cmnd: "024517348", name: "Nguyễn Văn An", birth: "1985-03-20"},
		)
		require.NotEqual(t, links[a].Person, links[b].Person)
		require.Equal(t, a, links["health.patient:1"].Citizen, "the CCCD is stronger than the CMND")
	}
}

// TestCrowdedNumberIsNoEvidence: records that share a crowded number and another
// one are compared by the other alone.
func TestCrowdedNumberIsNoEvidence(t *testing.T) {
	var people []person
	for i := range model(t).MaxHolders + 1 {
		people = append(people, person{id: fmt.Sprintf("health.patient:%03d", i), in: health, cccd: "079085001234"})
	}
	people[3].insurance, people[4].insurance = "7912345670", "7912345670"
	people[5].cmnd, people[6].cmnd = "024517348", "024517348"
	links := linksOf(t, people...)
	require.Equal(t, "insurance-alone", links[people[3].id].Rule, links[people[3].id].Reasons)
	require.Contains(t, links[people[3].id].Reasons, `"cccd":"shared"`)
	require.Equal(t, DecisionReview, links[people[5].id].Decision)
	require.Equal(t, DecisionSingle, links[people[7].id].Decision)
}

// TestRestoredZerosAreEvidence: a number that is the same, but no longer in need
// of its zeros, changes the reasons.
func TestRestoredZerosAreEvidence(t *testing.T) {
	s, links := NewState(model(t)), published{}
	s.Upsert(person{id: "population.citizen:1", in: register, cccd: "079085001234", name: "Nguyễn Văn An"}.record())
	s.Upsert(person{id: "health.patient:1", in: health, cccd: "79085001234", name: "Nguyễn Văn An"}.record())
	links.solve(t, s)
	require.Contains(t, links["health.patient:1"].Reasons, `"cccd":"restored"`)
	s.Upsert(person{id: "health.patient:1", in: health, cccd: "079085001234", name: "Nguyễn Văn An", at: 2}.record())
	links.solve(t, s)
	require.Contains(t, links["health.patient:1"].Reasons, `"cccd":"equal"`)
	s.Upsert(person{id: "health.patient:1", in: health, cccd: "079085001234", name: "NGUYỄN VĂN AN", phone: "0903123457", at: 3}.record())
	require.Empty(t, solve(t, s), "what no rule looks at moves nothing")
}
