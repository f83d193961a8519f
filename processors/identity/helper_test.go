package identity

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hopluu/hopluu/schemas/event"
)

var (
	register = &Origin{Source: "population", Sector: "population", Table: "citizen", Register: true}
	health   = &Origin{Source: "health", Sector: "health", Table: "patient"}
	welfare  = &Origin{Source: "welfare", Sector: "welfare", Table: "beneficiary"}
	tax      = &Origin{Source: "tax", Sector: "tax", Table: "taxpayer"}
)

// person is a record in the words of a table test.
type person struct {
	id                                string
	in                                *Origin
	cccd, cmnd, insurance, tax, phone string
	name, birth, died, sex, ward      string
	at                                uint64 // position
}

func (p person) record() Record {
	return Normalise(&Raw{
		ID: []byte(p.id), Origin: p.in, Position: event.Position{Epoch: 1, LSN: event.LSN(p.at)},
		CCCD: []byte(p.cccd), CMND: []byte(p.cmnd), Insurance: []byte(p.insurance), TaxCode: []byte(p.tax), Phone: []byte(p.phone),
		Ward:     []byte(p.ward),
		FullName: []byte(p.name), Birth: ParseDate([]byte(p.birth)), Died: ParseDate([]byte(p.died)), Sex: ParseSex([]byte(p.sex)),
	})
}

func model(t testing.TB) *Model {
	m, err := Deterministic1()
	require.NoError(t, err)
	return m
}

// solve runs Solve and gives the changes by record, "withdrawn" for a deletion.
func solve(t testing.TB, s *State) map[string]Link {
	changes := map[string]Link{}
	require.NoError(t, s.Solve(func(c *Change) error {
		l := c.Link
		if c.Deleted {
			l.Decision = "withdrawn"
		}
		if _, twice := changes[c.Record]; twice {
			return fmt.Errorf("%s changed twice", c.Record)
		}
		changes[c.Record] = l
		return nil
	}))
	return changes
}

// linksOf solves the records from nothing.
func linksOf(t testing.TB, people ...person) map[string]Link {
	s := NewState(model(t))
	for _, p := range people {
		require.True(t, s.Upsert(p.record()))
	}
	return solve(t, s)
}

// randomPeople draws records from so small a world that every rule, cannot-link
// and shared number comes about: few names, dates and numbers, much missing.
func randomPeople(r *rand.Rand, n int) []person {
	names := []string{"", "Nguyễn Văn An", "Nguyễn Văn Anh", "NGUYEN VAN AN", "Nguyễn An", "An Nguyễn Văn", "Trần Thị Hoà", "Trần Thị Hòa", "Huỳnh Thị Lý", "Hoàng Thị Lí", "Lê Bá Sơn"}
	births := []string{"", "1985-03-20", "1985-01-01", "1985-03-21", "1950-05-06", "1950-06-05", "2012-12-01"}
	origins := []*Origin{register, health, welfare, tax}
	pick := func(list []string) string { return list[r.IntN(len(list))] }
	number := func(digits, among int) string {
		if r.IntN(3) == 0 {
			return ""
		}
		return fmt.Sprintf("%0*d", digits, 79_085+r.IntN(among)*13)
	}
	var people []person
	for i := range n {
		o := origins[r.IntN(len(origins))]
		p := person{
			id: fmt.Sprintf("%s.%s:%d", o.Source, o.Table, i), in: o,
			cccd: number(12, n/3+1), cmnd: number(9, n/3+1), insurance: number(10, n/4+1),
			name: pick(names), birth: pick(births), sex: pick([]string{"", "male", "female"}),
		}
		if r.IntN(12) == 0 {
			p.died = pick([]string{"1960-01-02", "2020-02-03"})
		}
		people = append(people, p)
	}
	return people
}

func newRand(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 3)) }
