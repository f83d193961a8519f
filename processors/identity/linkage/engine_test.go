package linkage

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hopluu/hopluu/processors/identity"
	"github.com/hopluu/hopluu/schemas/event"
)

var (
	register = &identity.Origin{Source: "population", Sector: "population", Table: "citizen", Register: true}
	health   = &identity.Origin{Source: "health", Sector: "health", Table: "patient"}
	welfare  = &identity.Origin{Source: "welfare", Sector: "welfare", Table: "beneficiary"}
	tax      = &identity.Origin{Source: "tax", Sector: "tax", Table: "taxpayer"}
)

// person is a record in the words of a table test.
type person struct {
	id                                    string
	in                                    *identity.Origin
	cccd, cmnd, insurance, tax, phone     string
	name, birth, died, sex, ward, address string
	place                                 string // of birth
	written                               string // when the ward was
	node                                  identity.Node
	at                                    uint64 // position
}

func (p person) raw() *identity.Raw {
	return &identity.Raw{
		ID: []byte(p.id), Origin: p.in, Position: event.Position{Epoch: 1, LSN: event.LSN(p.at)},
		CCCD: []byte(p.cccd), CMND: []byte(p.cmnd), Insurance: []byte(p.insurance), TaxCode: []byte(p.tax), Phone: []byte(p.phone),
		FullName: []byte(p.name), Birth: identity.ParseDate([]byte(p.birth)), Died: identity.ParseDate([]byte(p.died)),
		Sex: identity.ParseSex([]byte(p.sex)), Ward: []byte(p.ward), Written: identity.ParseDate([]byte(p.written)), Address: []byte(p.address), BirthPlace: []byte(p.place), Node: p.node,
	}
}

func cityModel(t testing.TB) *Model {
	m, err := Default("city")
	require.NoError(t, err)
	return m
}

var cityFrequencies = sync.OnceValues(func() (*Frequencies, error) { return DefaultFrequencies("city") })

func engine(t testing.TB, m *Model) *Engine {
	f, err := cityFrequencies()
	require.NoError(t, err)
	e, err := NewEngine(m, f)
	require.NoError(t, err)
	return e
}

// solve runs Solve and gives the changes by record, "withdrawn" for a deletion.
func solve(t testing.TB, e *Engine) (map[string]identity.Link, []Event) {
	changes := map[string]identity.Link{}
	var events []Event
	require.NoError(t, e.Solve(func(c *Change) error {
		l := c.Link
		if c.Deleted {
			l.Decision = "withdrawn"
		}
		if _, twice := changes[c.Record]; twice {
			return fmt.Errorf("%s changed twice", c.Record)
		}
		changes[c.Record] = l
		return nil
	}, func(ev *Event) error {
		events = append(events, *ev)
		return nil
	}))
	return changes, events
}

// batchHash links the records as a Table of them does.
func batchHash(t testing.TB, m *Model, people []person, decisions []Decision) (identity.Partition, []Conflict) {
	var h identity.PartitionHasher
	if len(people) < 2 {
		for _, p := range people {
			h.Add(identity.PersonOf(p.id), p.id)
		}
		return h.Sum(), nil
	}
	tab, err := NewTable(m)
	require.NoError(t, err)
	known, err := cityFrequencies()
	require.NoError(t, err)
	require.NoError(t, tab.Live(known))
	f, err := tab.File("city", []string{"record_id", "source", "cccd", "cmnd", "insurance", "full_name", "birth_date", "sex", "phone", "ward", "address", "died", "birth_place", "node", "tax_code"})
	require.NoError(t, err)
	for _, p := range people {
		r := identity.Numbers(p.raw())
		number := func(n identity.Number, digits int, lost identity.Notes) string {
			switch {
			case n == 0:
				return ""
			case r.Notes&lost != 0:
				digits--
			}
			return fmt.Sprintf("%0*d", digits, uint64(n))
		}
		taxDigits := 10
		if r.TaxCode >= 1e10 {
			taxDigits = 13 // a branch
		}
		require.NoError(t, f.Add([]string{p.id, p.in.Sector, number(r.CCCD, 12, identity.CCCDRestored), number(r.CMND, 9, identity.CMNDRestored),
			number(r.Insurance, 10, identity.InsuranceRestored), p.name, p.birth, p.sex, number(r.Phone, 9, 0), p.ward, p.address, p.died, p.place, p.node.String(), number(r.TaxCode, taxDigits, identity.TaxCodeRestored)}))
	}
	edges, err := tab.Candidates(nil)
	require.NoError(t, err)
	links, err := tab.Resolve(edges, decisions...)
	require.NoError(t, err)
	leaders := map[int32]int32{}
	for i := range int32(tab.Len()) {
		c := links.Cluster[i]
		if l, ok := leaders[c]; !ok || tab.isReference(i) || !tab.isReference(l) && tab.ID(i) < tab.ID(l) {
			leaders[c] = i
		}
	}
	for i := range int32(tab.Len()) {
		h.Add(identity.PersonOf(tab.ID(leaders[links.Cluster[i]])), tab.ID(i))
	}
	for i, c := range links.Conflicts {
		links.Conflicts[i] = Conflict{min(c.A, c.B), max(c.A, c.B)}
	}
	slices.SortFunc(links.Conflicts, func(x, y Conflict) int { return slices.Compare([]string{x.A, x.B}, []string{y.A, y.B}) })
	return h.Sum(), links.Conflicts
}

// randomPeople draws records from so small a world that every level, cannot-link,
// crowded block and shared number comes about: few values, much missing.
func randomPeople(r *rand.Rand, n int) []person {
	names := []string{"", "Nguyễn Văn An", "Nguyễn Văn Anh", "NGUYEN VAN AN", "Nguyễn An", "An Nguyễn Văn", "Trần Thị Hoà", "Trần Thị Hòa", "Huỳnh Thị Lý", "Hoàng Thị Lí", "Lê Bá Sơn", "Đỗ Quốc Toản", "Con bà Lê Thị Hoa", "Công ty TNHH Sơn Toản", "Hộ kinh doanh Nguyễn Văn An"}
	births := []string{"", "1985-03-20", "1985-01-01", "1985-03-21", "1950-05-06", "1950-06-05", "2012-12-01", "1985"}
	addresses := []string{"", "7 Pasteur", "8 Pasteur", "12/3 Lê Lợi", "401 Tỉnh Lộ 8"}
	origins := []*identity.Origin{register, health, welfare, tax, health}
	pick := func(list []string) string { return list[r.IntN(len(list))] }
	number := func(digits, among int) string {
		if r.IntN(3) == 0 {
			return ""
		}
		s := fmt.Sprintf("%0*d", digits, 79_085_000_000+r.IntN(among)*13)
		return s[len(s)-digits:]
	}
	var people []person
	for i := range n {
		o := origins[r.IntN(len(origins))]
		p := person{
			id: fmt.Sprintf("%s.%s:%d", o.Source, o.Table, i), in: o,
			cccd: number(12, n/3+1), cmnd: number(9, n/3+1), insurance: number(10, n/4+1), phone: number(9, n/4+1),
			name: pick(names), birth: pick(births), sex: pick([]string{"", "male", "female"}), address: pick(addresses), ward: pick([]string{"", "26734", "27460"}),
		}
		if r.IntN(12) == 0 {
			p.died = pick([]string{"1960-01-02", "2020-02-03"})
		}
		if r.IntN(12) == 0 {
			p.node, p.place = identity.Node(r.IntN(5)), pick([]string{"79", "Bình Dương", "Hà Nội"})
			p.tax = pick([]string{"0301442989", "0301442989-001", "079085000013"})
		}
		if p.cccd != "" && r.IntN(10) == 0 {
			p.cccd = p.cccd[1:]
		}
		people = append(people, p)
	}
	return people
}

// entry is one input of an engine.
type entry struct {
	person   person
	delete   bool
	decision *Decision
}

func (x entry) apply(e *Engine) {
	switch {
	case x.decision != nil:
		e.Decide(*x.decision)
	case x.delete:
		raw := x.person.raw()
		e.Delete(string(raw.ID), raw.Origin, raw.Position)
	default:
		e.Upsert(x.person.raw())
	}
}

// randomLog writes a history: records created, corrected, deleted and inserted
// again, each at its own position, and what people said of pairs of them. It
// gives what is left of it in the end, too.
func randomLog(r *rand.Rand, records int) (log []entry, left []person, decisions []Decision) {
	people := randomPeople(r, records)
	for _, p := range people {
		last := entry{}
		for v := range 1 + r.IntN(4) {
			q := randomPeople(r, records)[r.IntN(records)]
			q.id, q.in, q.at = p.id, p.in, uint64(10*v+1)
			last = entry{person: q, delete: v > 0 && r.IntN(4) == 0}
			log = append(log, last)
		}
		if !last.delete {
			left = append(left, last.person)
		}
	}
	for v := range r.IntN(1 + records/4) {
		d := Decision{A: people[r.IntN(records)].id, B: people[r.IntN(records)].id, Verdict: Verdict(r.IntN(3)), Version: uint64(v / 2)}
		if d.A != d.B {
			log = append(log, entry{decision: &d})
			decisions = append(decisions, d)
		}
	}
	return log, left, decisions
}

// tight is the city's model in a small town, with blocks that are soon too
// large: what a million records seldom do comes about with forty.
func tight(t testing.TB) *Model {
	m := cityModel(t)
	m.Live.People, m.Live.Records = 300, 800
	for i := range m.Blocking {
		m.Blocking[i].Max = 3 + i%4
	}
	return m
}

// TestCase32PartitionKnowsNoOrder is P9: any permutation and repetition of a log
// of events and decisions, solved at any moments between, ends with the links
// of the same set solved at once, and with the partition that a Table gives.
func TestCase32PartitionKnowsNoOrder(t *testing.T) {
	for name, m := range map[string]*Model{"city": cityModel(t), "tight": tight(t)} {
		t.Run(name, func(t *testing.T) {
			joined := 0
			for seed := range uint64(60) {
				r := rand.New(rand.NewPCG(seed, 5))
				log, left, decisions := randomLog(r, 3+r.IntN(40))
				want, conflicts := batchHash(t, m, left, decisions)

				fresh, freshLinks := engine(t, m), published{}
				for _, p := range left {
					fresh.Upsert(p.raw())
				}
				for _, d := range decisions {
					fresh.Decide(d)
				}
				freshLinks.solve(t, fresh)
				require.Equal(t, want, fresh.PartitionHash(), "seed %d: as a Table of the same records", seed)
				require.Equal(t, conflicts, fresh.Conflicts(), "seed %d", seed)
				for _, l := range freshLinks {
					if l.Person != identity.PersonOf(l.Record) {
						joined++
					}
				}

				for range 4 {
					got, links := engine(t, m), published{}
					shuffled := append(append([]entry{}, log...), log[:r.IntN(len(log))]...)
					r.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
					for _, x := range shuffled {
						x.apply(got)
						if r.IntN(5) == 0 {
							links.solve(t, got)
						}
					}
					links.solve(t, got)
					require.Equal(t, want, got.PartitionHash(), "seed %d", seed)
					require.Equal(t, freshLinks, links, "seed %d", seed)
					require.Equal(t, conflicts, got.Conflicts(), "seed %d", seed)
					require.Equal(t, fresh.Decisions(), got.Decisions(), "seed %d", seed)
					require.Equal(t, fresh.Table(health), got.Table(health), "seed %d", seed)
				}
			}
			require.Greater(t, joined, 100, "the logs join records")
		})
	}
}

// published is what a reader of the changes has, who holds the merges and splits
// against them.
type published map[string]identity.Link

func (p published) solve(t testing.TB, e *Engine) {
	before := p.persons()
	was := map[string]identity.PersonID{}
	for id, l := range p {
		was[id] = l.Person
	}
	changes, events := solve(t, e)
	for id, l := range changes {
		if l.Decision == "withdrawn" {
			delete(p, id)
			continue
		}
		p[id] = l
	}
	after := p.persons()
	told := map[string]int{} // the event of a record, from 1
	for n, ev := range events {
		for _, m := range ev.Before {
			require.Equal(t, before[m.Person], m.Records)
			for _, r := range m.Records {
				told[r] = n + 1
			}
		}
		for _, m := range ev.After {
			require.Equal(t, after[m.Person], m.Records)
		}
		require.Greater(t, len(ev.Before)+len(ev.After), 2, "%+v", ev)
	}
	// Who was one person and is not, or is and was not, is told of.
	for x, a := range was {
		for y, b := range was {
			if now, too := p[x], p[y]; now.Record != "" && too.Record != "" && (a == b) != (now.Person == too.Person) {
				require.NotZero(t, told[x], "%s and %s", x, y)
				require.Equal(t, told[x], told[y], "%s and %s", x, y)
			}
		}
	}
}

// persons gives the records of each person, in order.
func (p published) persons() map[identity.PersonID][]string {
	all := map[identity.PersonID][]string{}
	for _, id := range slices.Sorted(maps.Keys(p)) {
		all[p[id].Person] = append(all[p[id].Person], id)
	}
	return all
}

// TestNoPlaintextInLinks is P11: nothing that is published holds an identifier
// or a name.
func TestNoPlaintextInLinks(t *testing.T) {
	people := randomPeople(rand.New(rand.NewPCG(4, 4)), 40)
	e := engine(t, tight(t))
	for _, p := range people {
		e.Upsert(p.raw())
	}
	links, _ := solve(t, e)
	reasons := 0
	for _, l := range links {
		text := fmt.Sprintf("%+v", l)
		for _, p := range people {
			for _, secret := range []string{p.cccd, p.cmnd, p.insurance, p.phone, p.name, p.birth, p.address} {
				if secret != "" && secret != "1985" {
					require.NotContains(t, text, secret)
				}
			}
		}
		if l.Reasons != "" {
			reasons++
			require.True(t, json.Valid([]byte(l.Reasons)), l.Reasons)
		}
	}
	require.Greater(t, reasons, 10)
}

// linksOf solves the records from nothing.
func linksOf(t testing.TB, people ...person) map[string]identity.Link {
	e := engine(t, cityModel(t))
	for _, p := range people {
		require.True(t, e.Upsert(p.raw()))
	}
	links, _ := solve(t, e)
	return links
}
