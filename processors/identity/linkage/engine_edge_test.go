package linkage

import (
	"errors"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hopluu/hopluu/processors/identity"
)

// stages are instances that share the comparing, of which one solves, and what
// is between them: a log of edges a share, and the links that are published.
type stages struct {
	t         testing.TB
	random    *rand.Rand
	log       []entry
	edges     [][]EdgeChange // by share
	instances []*instance
	links     published
}

// instance is one process: it has taken the log so far, and of each share's
// edges so many.
type instance struct {
	engine *Engine
	order  []int // of the log, with what it is given again
	read   int
	ours   []int
	taken  []int // of each share that is not its own
	solves bool
}

func newStages(t testing.TB, r *rand.Rand, m *Model, log []entry, shares, instances int) *stages {
	s := &stages{t: t, random: r, log: log, edges: make([][]EdgeChange, shares), links: published{}}
	for range instances {
		s.instances = append(s.instances, s.start(m))
	}
	s.rebalance()
	return s
}

// start is a process that knows nothing.
func (s *stages) start(m *Model) *instance {
	x := &instance{engine: engine(s.t, m), order: s.random.Perm(len(s.log))}
	x.order = append(x.order, x.order[:s.random.IntN(len(s.log))]...)
	return x
}

// rebalance gives out the shares anew; who has the first solves.
func (s *stages) rebalance() {
	for _, x := range s.instances {
		x.ours, x.taken, x.solves = nil, make([]int, len(s.edges)), false
	}
	for share := range s.edges {
		x := s.instances[s.random.IntN(len(s.instances))]
		x.ours = append(x.ours, share)
		x.solves = x.solves || share == 0
	}
	for _, x := range s.instances {
		require.NoError(s.t, x.engine.Share(len(s.edges), x.ours))
		for share := range s.edges {
			if x.solves || slices.Contains(x.ours, share) {
				s.take(x, share, len(s.edges[share]))
			}
		}
		if x.solves {
			for _, l := range s.links {
				x.engine.Restore(&l)
			}
		}
		s.compare(x)
	}
}

// take gives an instance so many changes of a share's edges.
func (s *stages) take(x *instance, share, n int) {
	for range n {
		if x.taken[share] == len(s.edges[share]) {
			return
		}
		require.NoError(s.t, x.engine.TakeEdge(&s.edges[share][x.taken[share]]))
		x.taken[share]++
	}
}

// tell takes what an instance tells of edges.
func (s *stages) tell(x *instance) func(*EdgeChange) error {
	return func(c *EdgeChange) error {
		require.Contains(s.t, x.ours, c.Share)
		require.Less(s.t, c.A, c.B)
		s.edges[c.Share] = append(s.edges[c.Share], *c)
		return nil
	}
}

func (s *stages) compare(x *instance) {
	require.NoError(s.t, x.engine.Compare(s.tell(x)))
	if !x.solves {
		x.engine.Rest()
	}
}

// step does one thing that may happen.
func (s *stages) step(m *Model) {
	x := s.instances[s.random.IntN(len(s.instances))]
	switch n := s.random.IntN(40); {
	case n == 0:
		s.rebalance()
	case n == 1: // SIGKILL: what it knew is gone, what it told is not
		s.instances[slices.Index(s.instances, x)] = s.start(m)
		s.rebalance()
	case n == 2: // the group shares out anew while it compares
		over := errors.New("over")
		x.engine.GoOn = func() error { return over }
		require.ErrorIs(s.t, x.engine.Compare(s.tell(x)), over)
		x.engine.GoOn = nil
		s.rebalance()
	case n < 25 && x.read < len(x.order):
		s.log[x.order[x.read]].apply(x.engine)
		x.read++
	case n < 32:
		s.compare(x)
	case x.solves && n < 36:
		share := s.random.IntN(len(s.edges))
		if slices.Contains(x.ours, share) {
			return
		}
		if s.random.IntN(6) == 0 { // it is given some again
			x.taken[share] = s.random.IntN(x.taken[share] + 1)
		}
		s.take(x, share, 1+s.random.IntN(20))
	case x.solves:
		s.compare(x)
		s.links.solve(s.t, x.engine)
	}
}

// end lets all come to rest, and gives the engine that solves.
func (s *stages) end() *Engine {
	for _, x := range s.instances {
		for ; x.read < len(x.order); x.read++ {
			s.log[x.order[x.read]].apply(x.engine)
		}
		s.compare(x)
	}
	for _, x := range s.instances {
		if !x.solves {
			continue
		}
		for share := range s.edges {
			if !slices.Contains(x.ours, share) {
				s.take(x, share, len(s.edges[share]))
			}
		}
		s.links.solve(s.t, x.engine)
		return x.engine
	}
	return nil
}

// kept is what compacted logs of edges hold, by pair.
func (s *stages) kept() map[[2]string]EdgeChange {
	all := map[[2]string]EdgeChange{}
	for _, log := range s.edges {
		last := map[[2]string]EdgeChange{}
		for _, c := range log {
			last[[2]string{c.A, c.B}] = c
		}
		for pair, c := range last {
			if !c.Deleted {
				require.NotContains(s.t, all, pair, "one share has a pair")
				c.Share = 0
				all[pair] = c
			}
		}
	}
	return all
}

// TestStagesKnowNoTiming is P9 for the stages apart: any number of shares and
// instances, whatever each of them sees first, sees again, and does not live to
// see, end with the links and the edges of one engine that does it all, and with
// the partition that a Table gives.
func TestStagesKnowNoTiming(t *testing.T) {
	for name, m := range map[string]*Model{"city": cityModel(t), "tight": tight(t)} {
		t.Run(name, func(t *testing.T) {
			moved := 0 // pairs that went from share to share
			for seed := range uint64(25) {
				r := rand.New(rand.NewPCG(seed, 11))
				log, left, decisions := randomLog(r, 3+r.IntN(40))
				want, conflicts := batchHash(t, m, left, decisions)
				alone := engine(t, m)
				require.NoError(t, alone.Share(1, []int{0}))
				for _, x := range log {
					x.apply(alone)
				}
				edges := map[[2]string]EdgeChange{}
				require.NoError(t, alone.Compare(func(c *EdgeChange) error {
					if c.Deleted {
						delete(edges, [2]string{c.A, c.B})
					} else {
						edges[[2]string{c.A, c.B}] = *c
					}
					return nil
				}))
				links := published{}
				links.solve(t, alone)
				require.Equal(t, want, alone.PartitionHash(), "seed %d", seed)

				for _, shape := range [][2]int{{1, 1}, {4, 1}, {4, 2}, {1 + r.IntN(MaxShares), 1 + r.IntN(4)}} {
					s := newStages(t, r, m, log, shape[0], shape[1])
					for range 40 + r.IntN(4*len(log)) {
						s.step(m)
					}
					got := s.end()
					require.Equal(t, want, got.PartitionHash(), "seed %d: %v", seed, shape)
					require.Equal(t, links, s.links, "seed %d: %v", seed, shape)
					require.Equal(t, edges, s.kept(), "seed %d: %v", seed, shape)
					require.Equal(t, conflicts, got.Conflicts(), "seed %d: %v", seed, shape)
					require.Equal(t, alone.Decisions(), got.Decisions(), "seed %d: %v", seed, shape)
					require.Equal(t, alone.Table(health), got.Table(health), "seed %d: %v", seed, shape)
					require.Empty(t, got.log.waiting, "seed %d: %v", seed, shape)
					moved += s.moved()
				}
			}
			if name == "tight" {
				require.Greater(t, moved, 100, "blocks that become too large move pairs to others")
			}
		})
	}
}

// moved counts the pairs that several shares had.
func (s *stages) moved() (n int) {
	had := map[[2]string]map[int]bool{}
	for share, log := range s.edges {
		for _, c := range log {
			pair := [2]string{c.A, c.B}
			if had[pair] == nil {
				had[pair] = map[int]bool{}
			}
			had[pair][share] = true
		}
	}
	for shares := range maps.Values(had) {
		if len(shares) > 1 {
			n++
		}
	}
	return n
}

// TestSharesCompareTheirOwn: what one of several shares finds is its own, all of
// them together what one finds alone, and each has its part of the work.
func TestSharesCompareTheirOwn(t *testing.T) {
	people := randomPeople(rand.New(rand.NewPCG(1, 2)), 300)
	const shares = 4
	found := [shares]int{}
	for share := range shares {
		e := engine(t, cityModel(t))
		require.NoError(t, e.Share(shares, []int{share}))
		for _, p := range people {
			e.Upsert(p.raw())
		}
		require.NoError(t, e.Compare(func(c *EdgeChange) error {
			require.Equal(t, share, c.Share)
			found[share]++
			return nil
		}))
		require.NoError(t, e.Compare(func(*EdgeChange) error {
			require.Fail(t, "nothing changed")
			return nil
		}))
		require.Error(t, e.TakeEdge(&EdgeChange{Share: shares, A: "a", B: "b"}))
	}
	for share, n := range found {
		require.Positive(t, n, "share %d", share)
	}
	require.Error(t, engine(t, cityModel(t)).Share(0, nil))
	require.Error(t, engine(t, cityModel(t)).Share(MaxShares+1, nil))
}

// TestStrayEdgesAreTakenBack: an edge of ours whose record is gone was told
// before a process ended, and is taken back by the next.
func TestStrayEdgesAreTakenBack(t *testing.T) {
	e := engine(t, cityModel(t))
	require.NoError(t, e.Share(2, []int{1}))
	e.Upsert(person{id: "health.patient:1", in: health}.raw())
	for _, share := range []int{0, 1} {
		require.NoError(t, e.TakeEdge(&EdgeChange{Share: share, A: "health.patient:1", B: "tax.taxpayer:1", Weight: 9}))
	}
	var told []EdgeChange
	tell := func(c *EdgeChange) error {
		told = append(told, *c)
		return nil
	}
	require.NoError(t, e.Compare(tell))
	require.Equal(t, []EdgeChange{{Share: 1, A: "health.patient:1", B: "tax.taxpayer:1", Deleted: true}}, told)
	// That of the other share waits for its record.
	e.Upsert(person{id: "tax.taxpayer:1", in: tax}.raw())
	changes, _ := solve(t, e)
	require.Equal(t, changes["health.patient:1"].Person, changes["tax.taxpayer:1"].Person)
	require.Equal(t, identity.DecisionLink, changes["tax.taxpayer:1"].Decision)
}
