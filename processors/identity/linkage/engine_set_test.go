package linkage

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hopluu/hopluu/processors/identity"
	"github.com/hopluu/hopluu/schemas/event"
)

// TestDeletionAndReinsertionLeaveNoTrace is P9 for a set that shrinks and grows:
// the state after deleting half of it is the state that never had it.
func TestDeletionAndReinsertionLeaveNoTrace(t *testing.T) {
	for seed := range uint64(30) {
		r := rand.New(rand.NewPCG(seed, 7))
		people := randomPeople(r, 5+r.IntN(60))
		half := len(people) / 2

		small, smallLinks := engine(t, cityModel(t)), published{}
		for _, p := range people[:half] {
			small.Upsert(p.raw())
		}
		smallLinks.solve(t, small)

		s, links := engine(t, cityModel(t)), published{}
		for _, p := range people {
			s.Upsert(p.raw())
		}
		links.solve(t, s)
		whole := s.PartitionHash()
		for _, p := range people[half:] {
			p.at = 50
			gone := p.raw()
			require.True(t, s.Delete(string(gone.ID), gone.Origin, gone.Position))
			if r.IntN(3) == 0 {
				links.solve(t, s)
			}
		}
		links.solve(t, s)
		require.Equal(t, small.PartitionHash(), s.PartitionHash(), "seed %d", seed)
		require.Equal(t, smallLinks, links, "seed %d", seed)

		for _, p := range people[half:] {
			require.False(t, s.Upsert(p.raw()), "older than its deletion")
			p.at = 60
			require.True(t, s.Upsert(p.raw()))
		}
		links.solve(t, s)
		require.Equal(t, whole, s.PartitionHash(), "seed %d", seed)
	}
}

// TestCrowdedNumber crosses the number of holders from which an identifier says
// nothing, up and down, in any order (P9).
func TestCrowdedNumber(t *testing.T) {
	m := cityModel(t)
	most := m.Blocking[0].Max
	crowd := func(n int) []person {
		people := []person{{id: "population.citizen:1", in: register, cccd: "079085000001", name: "Nguyễn Văn An"}}
		for i := range n - 1 {
			people = append(people, person{id: fmt.Sprintf("health.patient:%03d", i), in: health, cccd: "079085000001", name: "Nguyễn Văn An"})
		}
		return people
	}
	full := linksOf(t, crowd(most)...)
	require.Equal(t, identity.DecisionLink, full["health.patient:000"].Decision)
	over := linksOf(t, crowd(most+1)...)
	require.Equal(t, identity.DecisionSingle, over["health.patient:000"].Decision)

	e, links := engine(t, m), published{}
	for _, p := range crowd(most + 5) {
		e.Upsert(p.raw())
		links.solve(t, e)
	}
	require.Equal(t, identity.DecisionSingle, links["health.patient:000"].Decision)
	for i := range 5 {
		e.Delete(fmt.Sprintf("health.patient:%03d", most-1+i), health, event.Position{Epoch: 1, LSN: 9})
		links.solve(t, e)
	}
	require.Equal(t, full, map[string]identity.Link(links))
}

// TestRestoreGivesDifferencesOnly: what is published already is not published
// again after a restart, what is other is, and what is gone is withdrawn.
func TestRestoreGivesDifferencesOnly(t *testing.T) {
	people := randomPeople(rand.New(rand.NewPCG(1, 1)), 40)
	first := engine(t, cityModel(t))
	for _, p := range people {
		first.Upsert(p.raw())
	}
	links := published{}
	links.solve(t, first)

	again := engine(t, cityModel(t))
	for _, p := range people {
		again.Upsert(p.raw())
	}
	for _, l := range links {
		again.Restore(&l)
	}
	changes, events := solve(t, again)
	require.Empty(t, changes)
	require.Empty(t, events)
	require.Equal(t, first.PartitionHash(), again.PartitionHash())

	changed := engine(t, cityModel(t))
	for _, p := range people[1:] {
		changed.Upsert(p.raw())
	}
	for _, l := range links {
		changed.Restore(&l)
	}
	stale := links[people[3].id]
	stale.Model = "older-model"
	changed.Restore(&stale)
	got, _ := solve(t, changed)
	require.Equal(t, "withdrawn", got[people[0].id].Decision)
	require.Equal(t, links[people[3].id].Person, got[people[3].id].Person)
	require.False(t, changed.Pending())

	changed.Restore(&identity.Link{Record: "tax.taxpayer:gone"})
	require.True(t, changed.Pending())
	changed.RestoreWithdrawn("tax.taxpayer:gone")
	changes, _ = solve(t, changed)
	require.Empty(t, changes)
}

// TestTruncate takes what is older than the truncation, and refuses it later.
func TestTruncate(t *testing.T) {
	s := engine(t, cityModel(t))
	old := person{id: "health.patient:1", in: health, cccd: "079085000001", at: 5}
	late := person{id: "health.patient:2", in: health, cccd: "079085000001", at: 9}
	other := person{id: "tax.taxpayer:1", in: tax, tax: "079085000001", at: 5}
	for _, p := range []person{old, late, other} {
		require.True(t, s.Upsert(p.raw()))
	}
	solve(t, s)
	at := event.Position{Epoch: 1, LSN: 7}
	require.Equal(t, 1, s.Truncate(health, at))
	require.Equal(t, 0, s.Truncate(health, at), "every partition brings the truncation")
	require.False(t, s.Upsert(old.raw()))
	changes, _ := solve(t, s)
	require.Equal(t, "withdrawn", changes["health.patient:1"].Decision)
	require.Equal(t, 1, s.Table(health).Records)
	require.Equal(t, 1, s.Table(tax).Records)
}

// TestClear takes what is older than the position and within, and refuses it
// later; what is not within stays (case 35).
func TestClear(t *testing.T) {
	s := engine(t, cityModel(t))
	old := person{id: "health.patient:1", in: health, cccd: "079085000001", at: 5}
	outside := person{id: "health.patient:2", in: health, cccd: "079085000001", at: 5}
	late := person{id: "health.patient:3", in: health, cccd: "079085000001", at: 9}
	other := person{id: "tax.taxpayer:1", in: tax, tax: "079085000001", at: 5}
	for _, p := range []person{old, outside, late, other} {
		require.True(t, s.Upsert(p.raw()))
	}
	solve(t, s)
	within := func(id string) bool { return id != outside.id }
	at := event.Position{Epoch: 1, LSN: 7}
	require.Equal(t, 1, s.Clear(health, at, within))
	require.Equal(t, 0, s.Clear(health, at, within))
	require.False(t, s.Upsert(old.raw()))
	require.True(t, s.Upsert(outside.raw()))
	changes, _ := solve(t, s)
	require.Equal(t, "withdrawn", changes["health.patient:1"].Decision)
	require.Equal(t, 2, s.Table(health).Records)
	require.Equal(t, 1, s.Table(tax).Records)
	old.at = 8
	require.True(t, s.Upsert(old.raw()), "it was made again")
}

// TestOutgrown: a register of more than twice the model's people is told.
func TestOutgrown(t *testing.T) {
	m := cityModel(t)
	m.Live.People, m.Live.Records = 2, 5
	e := engine(t, m)
	for i := range 5 {
		people, outgrown := e.Outgrown()
		require.Equal(t, i, people)
		require.False(t, outgrown)
		e.Upsert(person{id: fmt.Sprintf("population.citizen:%d", i), in: register}.raw())
	}
	_, outgrown := e.Outgrown()
	require.True(t, outgrown)
}

// TestForget is for tombstones whose deletion was compacted away.
func TestForget(t *testing.T) {
	s := engine(t, cityModel(t))
	require.False(t, s.Forget("health.patient:1"))
	s.Upsert(person{id: "health.patient:1", in: health}.raw())
	solve(t, s)
	require.True(t, s.Forget("health.patient:1"))
	changes, _ := solve(t, s)
	require.Equal(t, "withdrawn", changes["health.patient:1"].Decision)
}
