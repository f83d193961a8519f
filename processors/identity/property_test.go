package identity

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hopluu/hopluu/schemas/event"
)

// logEntry is an event of the log that a state is fed with.
type logEntry struct {
	record Record
	delete bool
}

func (e logEntry) apply(s *State) {
	if e.delete {
		s.Delete(e.record.ID, e.record.Origin, e.record.Position)
		return
	}
	s.Upsert(e.record)
}

// randomLog writes a history of records: created, corrected, deleted and
// inserted again, each at its own position.
func randomLog(r *rand.Rand, records int) []logEntry {
	var log []logEntry
	for _, p := range randomPeople(r, records) {
		history := 1 + r.IntN(4)
		for v := range history {
			q := randomPeople(r, records)[r.IntN(records)]
			q.id, q.in, q.at = p.id, p.in, uint64(10*v+1)
			log = append(log, logEntry{record: q.record(), delete: v > 0 && r.IntN(4) == 0})
		}
	}
	return log
}

// TestCase32PartitionKnowsNoOrder is P9: any permutation and repetition of a log of
// events, solved at any moments between, ends with the same links.
func TestCase32PartitionKnowsNoOrder(t *testing.T) {
	for seed := range uint64(150) {
		r := rand.New(rand.NewPCG(seed, 5))
		log := randomLog(r, 3+r.IntN(40))

		want := NewState(model(t))
		for _, e := range log {
			e.apply(want)
		}
		wantLinks := published{}
		wantLinks.solve(t, want)

		for range 4 {
			got, gotLinks := NewState(model(t)), published{}
			shuffled := append(append([]logEntry{}, log...), log[:r.IntN(len(log))]...)
			r.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
			for _, e := range shuffled {
				e.apply(got)
				if r.IntN(5) == 0 {
					gotLinks.solve(t, got)
				}
			}
			gotLinks.solve(t, got)
			require.Equal(t, want.PartitionHash(), got.PartitionHash(), "seed %d", seed)
			require.Equal(t, wantLinks, gotLinks, "seed %d", seed)
			require.Equal(t, want.Decisions(), got.Decisions(), "seed %d", seed)
			require.Equal(t, want.Table(health), got.Table(health), "seed %d", seed)
		}
	}
}

// published is what a reader of the changes has.
type published map[string]Link

func (p published) solve(t *testing.T, s *State) {
	for id, l := range solve(t, s) {
		if l.Decision == "withdrawn" {
			delete(p, id)
			continue
		}
		p[id] = l
	}
}

// TestDeletionAndReinsertionLeaveNoTrace is P9 for a set that shrinks and grows:
// the state after deleting half of it is the state that never had it.
func TestDeletionAndReinsertionLeaveNoTrace(t *testing.T) {
	for seed := range uint64(100) {
		r := rand.New(rand.NewPCG(seed, 7))
		people := randomPeople(r, 5+r.IntN(60))
		half := len(people) / 2

		small, smallLinks := NewState(model(t)), published{}
		for _, p := range people[:half] {
			small.Upsert(p.record())
		}
		smallLinks.solve(t, small)

		s, links := NewState(model(t)), published{}
		for _, p := range people {
			s.Upsert(p.record())
		}
		links.solve(t, s)
		whole := s.PartitionHash()
		for _, p := range people[half:] {
			p.at = 50
			gone := p.record()
			require.True(t, s.Delete(gone.ID, gone.Origin, gone.Position))
			if r.IntN(3) == 0 {
				links.solve(t, s)
			}
		}
		links.solve(t, s)
		require.Equal(t, small.PartitionHash(), s.PartitionHash(), "seed %d", seed)
		require.Equal(t, smallLinks, links, "seed %d", seed)

		for _, p := range people[half:] {
			require.False(t, s.Upsert(p.record()), "older than its deletion")
			p.at = 60
			require.True(t, s.Upsert(p.record()))
		}
		links.solve(t, s)
		require.Equal(t, whole, s.PartitionHash(), "seed %d", seed)
	}
}

// TestCrowdedNumber crosses the number of holders from which an identifier says
// nothing, up and down, in any order (P9).
func TestCrowdedNumber(t *testing.T) {
	m := model(t)
	crowd := func(n int) []person {
		people := []person{{id: "population.citizen:1", in: register, cccd: "079085000001", name: "Nguyễn Văn An", birth: "1985-03-20"}}
		for i := range n - 1 {
			people = append(people, person{id: fmt.Sprintf("health.patient:%03d", i), in: health, cccd: "079085000001", name: "Nguyễn Văn An", birth: "1985-03-20"})
		}
		return people
	}
	full := linksOf(t, crowd(m.MaxHolders)...)
	require.Equal(t, DecisionLink, full["health.patient:000"].Decision)
	over := linksOf(t, crowd(m.MaxHolders+1)...)
	require.Equal(t, DecisionSingle, over["health.patient:000"].Decision)

	s, links := NewState(m), published{}
	for _, p := range crowd(m.MaxHolders + 5) {
		s.Upsert(p.record())
		links.solve(t, s)
	}
	require.Equal(t, DecisionSingle, links["health.patient:000"].Decision)
	for i := range 5 {
		s.Delete(fmt.Sprintf("health.patient:%03d", m.MaxHolders-1+i), health, event.Position{Epoch: 1, LSN: 9})
		links.solve(t, s)
	}
	require.Equal(t, full, map[string]Link(links))
}

// TestRestoreGivesDifferencesOnly: what is published already is not published
// again after a restart, what is other is, and what is gone is withdrawn.
func TestRestoreGivesDifferencesOnly(t *testing.T) {
	people := randomPeople(rand.New(rand.NewPCG(1, 1)), 40)
	first := NewState(model(t))
	for _, p := range people {
		first.Upsert(p.record())
	}
	links := published{}
	links.solve(t, first)

	again := NewState(model(t))
	for _, p := range people {
		again.Upsert(p.record())
	}
	for _, l := range links {
		again.Restore(&l)
	}
	require.Empty(t, solve(t, again))
	require.Equal(t, first.PartitionHash(), again.PartitionHash())

	changed := NewState(model(t))
	for _, p := range people[1:] {
		changed.Upsert(p.record())
	}
	for _, l := range links {
		changed.Restore(&l)
	}
	stale := links[people[3].id]
	stale.Model = "older-model"
	changed.Restore(&stale)
	got := solve(t, changed)
	require.Equal(t, "withdrawn", got[people[0].id].Decision)
	require.Equal(t, links[people[3].id].Person, got[people[3].id].Person)
	require.False(t, changed.Pending())

	changed.Restore(&Link{Record: "tax.taxpayer:gone"})
	require.True(t, changed.Pending())
	changed.RestoreWithdrawn("tax.taxpayer:gone")
	require.Empty(t, solve(t, changed))
}

// TestTruncate takes what is older than the truncation, and refuses it later.
func TestTruncate(t *testing.T) {
	s := NewState(model(t))
	old := person{id: "health.patient:1", in: health, cccd: "079085000001", at: 5}
	late := person{id: "health.patient:2", in: health, cccd: "079085000001", at: 9}
	other := person{id: "tax.taxpayer:1", in: tax, tax: "079085000001", at: 5}
	for _, p := range []person{old, late, other} {
		require.True(t, s.Upsert(p.record()))
	}
	solve(t, s)
	at := event.Position{Epoch: 1, LSN: 7}
	require.Equal(t, 1, s.Truncate(health, at))
	require.Equal(t, 0, s.Truncate(health, at), "every partition brings the truncation")
	require.False(t, s.Upsert(old.record()))
	require.Equal(t, "withdrawn", solve(t, s)["health.patient:1"].Decision)
	require.Equal(t, 1, s.Table(health).Records)
	require.Equal(t, 1, s.Table(tax).Records)
}

// TestClear takes what is older than the position and within, and refuses it
// later; what is not within stays (case 35).
func TestClear(t *testing.T) {
	s := NewState(model(t))
	old := person{id: "health.patient:1", in: health, cccd: "079085000001", at: 5}
	outside := person{id: "health.patient:2", in: health, cccd: "079085000001", at: 5}
	late := person{id: "health.patient:3", in: health, cccd: "079085000001", at: 9}
	other := person{id: "tax.taxpayer:1", in: tax, tax: "079085000001", at: 5}
	for _, p := range []person{old, outside, late, other} {
		require.True(t, s.Upsert(p.record()))
	}
	solve(t, s)
	within := func(id string) bool { return id != outside.id }
	at := event.Position{Epoch: 1, LSN: 7}
	require.Equal(t, 1, s.Clear(health, at, within))
	require.Equal(t, 0, s.Clear(health, at, within))
	require.False(t, s.Upsert(old.record()))
	require.True(t, s.Upsert(outside.record()))
	require.Equal(t, "withdrawn", solve(t, s)["health.patient:1"].Decision)
	require.Equal(t, 2, s.Table(health).Records)
	require.Equal(t, 1, s.Table(tax).Records)
	old.at = 8
	require.True(t, s.Upsert(old.record()), "it was made again")
}

// TestForget is for tombstones whose deletion was compacted away.
func TestForget(t *testing.T) {
	s := NewState(model(t))
	require.False(t, s.Forget("health.patient:1"))
	s.Upsert(person{id: "health.patient:1", in: health}.record())
	solve(t, s)
	require.True(t, s.Forget("health.patient:1"))
	require.Equal(t, "withdrawn", solve(t, s)["health.patient:1"].Decision)
}
