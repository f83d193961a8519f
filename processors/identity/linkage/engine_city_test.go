package linkage

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hopluu/hopluu/deploy/local/generator/city"
)

// said is a person as a system wrote them down on a day.
func said(id string, p city.Identity, on time.Time) person {
	out := person{id: id, cccd: p.CCCD, cmnd: p.CMND, insurance: p.Insurance, phone: p.Phone, name: p.FullName, sex: p.Sex, ward: p.WardCode, written: on.Format(time.DateOnly), address: p.Address}
	if !p.Born.IsZero() {
		out.birth = p.Born.Format(time.DateOnly)
	}
	return out
}

// TestACityAsATableOfIt is P9 at a size at which records are compared by all
// processors: loaded at once, then changed in parts, the engine has the
// partition of a Table of the records that are left, and links nearly all.
func TestACityAsATableOfIt(t *testing.T) {
	c := buildCity(t, 1200)
	m := cityModel(t)
	r := rand.New(rand.NewPCG(8, 8))
	left, gone := map[string]person{}, map[string]uint64{}
	e, links := engine(t, m), published{}
	upsert := func(p person) {
		left[p.id] = p
		require.True(t, e.Upsert(p.raw()))
	}
	hash := func() any {
		var people []person
		for _, p := range left {
			people = append(people, p)
		}
		want, _ := batchHash(t, m, people, nil)
		return want
	}
	for i := range c.People {
		p := &c.People[i]
		if p.Registered {
			truth := said(fmt.Sprintf("population.citizen:%d", p.ID), c.True(p, c.Base), c.Base)
			truth.in, truth.insurance = register, ""
			upsert(truth)
		}
		for _, o := range others[:3] {
			if r.IntN(2) == 0 {
				on := writtenOn(c, r)
				seen := said(fmt.Sprintf("%s.%s:%d", o.Source, o.Table, p.ID), c.Observe(r, p, o.Source, on), on)
				seen.in = o
				upsert(seen)
			}
		}
	}
	links.take(t, e)
	require.Equal(t, hash(), e.PartitionHash())
	linked := 0
	for _, l := range links {
		if l.Citizen != "" {
			linked++
		}
	}
	require.Greater(t, float64(linked)/float64(len(links)), 0.9)

	for range 3 {
		for i := range c.People {
			p := &c.People[i]
			o := others[r.IntN(3)]
			on := writtenOn(c, r)
			seen := said(fmt.Sprintf("%s.%s:%d", o.Source, o.Table, p.ID), c.Observe(r, p, o.Source, on), on)
			seen.in, seen.at = o, max(left[seen.id].at, gone[seen.id])+1
			switch r.IntN(6) {
			case 0:
				upsert(seen)
			case 1:
				if _, ok := left[seen.id]; ok {
					require.True(t, e.Delete(seen.id, o, seen.raw().Position))
					delete(left, seen.id)
					gone[seen.id] = seen.at
				}
			}
		}
		links.take(t, e)
		require.Equal(t, hash(), e.PartitionHash())
	}
}

// take is solve without holding the events against the links, which costs a
// comparison of every two records.
func (p published) take(t testing.TB, e *Engine) {
	changes, _ := solve(t, e)
	for id, l := range changes {
		if l.Decision == "withdrawn" {
			delete(p, id)
			continue
		}
		p[id] = l
	}
}
