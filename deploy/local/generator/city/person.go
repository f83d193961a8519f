package city

import (
	"fmt"
	"math/rand/v2"
	"time"
)

// Sex is what the registers write.
type Sex string

// The two values that the registers know.
const (
	Male   Sex = "male"
	Female Sex = "female"
)

func (s Sex) other() Sex {
	if s == Male {
		return Female
	}
	return Male
}

// The places in a family, as welfare's household_relation writes them.
const (
	Head       = "head"
	Spouse     = "spouse"
	Child      = "child"
	Parent     = "parent"
	Grandchild = "grandchild"
)

// Person is one person as they truly are; the registers see them through
// Observe.
type Person struct {
	ID       int64 // number of the person in the generated truth, from 1
	Family   int
	Relation string // to the head of the family

	Surname, Middle, Given string
	Sex                    Sex
	Born                   time.Time // a date, UTC midnight
	Died                   time.Time // a date; zero while alive

	CCCD   string
	CMND   string // empty for the young and for some others
	Social string // social-insurance number, 10 digits
	Card   string // health insurance card, 15 characters; empty when uninsured
	Phone  string // a child's is a parent's
	TaxNo  string // personal tax code of the time before July 2025

	Ward    int // index into wards
	Address string

	Father, Mother int64 // person numbers, 0 when not in the city
	// Registered tells whether the population register knows the person.
	Registered bool
}

// Name is the full name in its usual order, composed Unicode.
func (p *Person) Name() string { return p.Surname + " " + p.Middle + " " + p.Given }

// Age is the age in full years on a date.
func (p *Person) Age(on time.Time) int {
	age := on.Year() - p.Born.Year()
	if on.Month() < p.Born.Month() || on.Month() == p.Born.Month() && on.Day() < p.Born.Day() {
		age--
	}
	return age
}

// AliveOn tells whether the person is born and has not died by a date.
func (p *Person) AliveOn(on time.Time) bool {
	return !p.Born.After(on) && (p.Died.IsZero() || p.Died.After(on))
}

// Params say which city is made.
type Params struct {
	Seed    uint64
	Persons int
	Base    time.Time // the day on which the city stands: a date, UTC midnight
	Rates   Rates
}

// City is a generated city: its people, and how its registers err.
type City struct {
	Params
	People   []Person
	Families [][]int64 // numbers of the people of each family

	n numbers
}

// Person finds a person by number; nil when the city was not built with one.
func (c *City) Person(id int64) *Person {
	if id < 1 || id > int64(len(c.People)) {
		return nil
	}
	return &c.People[id-1]
}

// Build makes the city. The same Params give the same city.
func Build(p Params) (*City, error) {
	if p.Persons < 10 {
		return nil, fmt.Errorf("a city of %d persons is too small; ask for at least 10", p.Persons)
	}
	y, m, d := p.Base.Date()
	p.Base = time.Date(y, m, d, 0, 0, 0, 0, time.UTC)
	c := &City{Params: p, n: numbers{used: make(map[string]bool, 4*p.Persons)}}
	r := Rand(p.Seed, "people")
	for len(c.People) < p.Persons {
		c.family(r)
	}
	c.sharedCMND(r)
	return c, nil
}

// family adds one family that lives at one address.
func (c *City) family(r *rand.Rand) {
	f := &household{c: c, r: r, ward: wardOf(r), address: address(r)}
	shape := draw(r, []weighted[string]{{"couple", 58}, {"three generations", 15}, {"single", 14}, {"one parent", 9}, {"old couple", 4}})
	switch shape {
	case "single":
		f.add(Head, sexOf(r), c.aged(r, between(r, 19, 88)), "")
	case "old couple":
		age := between(r, 62, 90)
		f.couple(age)
	case "one parent":
		mother := f.add(Head, Female, c.aged(r, between(r, 24, 52)), "")
		f.children(between(r, 1, 2), 0, mother, Child)
	default:
		father, mother := f.couple(between(r, 24, 62))
		f.children(draw(r, []weighted[int]{{0, 15}, {1, 33}, {2, 38}, {3, 12}, {4, 2}}), father, mother, Child)
		if shape == "three generations" {
			f.grandparents(father)
		}
	}
	c.Families = append(c.Families, f.members)
}

// household is a family while it is made.
type household struct {
	c       *City
	r       *rand.Rand
	ward    int
	address string
	members []int64
}

// couple adds a head and a spouse of about an age.
func (f *household) couple(age int) (father, mother int64) {
	father = f.add(Head, Male, f.c.aged(f.r, age), "")
	mother = f.add(Spouse, Female, f.c.aged(f.r, max(19, age-between(f.r, -2, 7))), "")
	return father, mother
}

// grandparents adds one or both parents of the father.
func (f *household) grandparents(father int64) {
	son := *f.c.Person(father)
	age := son.Age(f.c.Base) + between(f.r, 21, 34)
	if age > 100 {
		return
	}
	if chance(f.r, 0.6) {
		f.add(Parent, Male, f.c.aged(f.r, age), son.Surname)
	}
	f.add(Parent, Female, f.c.aged(f.r, age-between(f.r, 0, 4)), "")
}

// children adds up to n children of a mother, born when she was 19 to 41.
func (f *household) children(n int, father, mother int64, relation string) {
	m := *f.c.Person(mother)
	surname := m.Surname
	if father != 0 {
		surname = f.c.Person(father).Surname
	}
	motherAge := m.Age(f.c.Base)
	for range n {
		age := motherAge - between(f.r, 19, 41)
		if age < 0 || age > 27 {
			continue
		}
		born := f.c.aged(f.r, age)
		id := f.add(relation, sexOf(f.r), born, surname)
		f.kin(id, father, mother)
		if chance(f.r, twinRate) {
			twin := f.add(relation, f.c.Person(id).Sex, born, surname)
			f.kin(twin, father, mother)
			f.nameTwins(id, twin)
		}
	}
}

// twinRate is the share of births that are twins, namesakeRate of sons who
// bear their father's full name, sharedCMNDRate of people whose old identity
// card number a stranger has too.
const (
	twinRate       = 0.012
	namesakeRate   = 0.003
	sharedCMNDRate = 0.0004
)

// kin ties a child to its parents, and gives some sons their father's name.
func (f *household) kin(child, father, mother int64) {
	p := f.c.Person(child)
	p.Father, p.Mother = father, mother
	if father != 0 && p.Sex == Male && chance(f.r, namesakeRate) {
		d := f.c.Person(father)
		p.Middle, p.Given = d.Middle, d.Given
	}
	if p.Age(f.c.Base) < 15 {
		p.Phone = f.c.Person(mother).Phone
	}
}

func (f *household) nameTwins(a, b int64) {
	p, q := f.c.Person(a), f.c.Person(b)
	pair := pick(f.r, twinGivens)
	q.Middle = p.Middle
	p.Given, q.Given = pair[0], pair[1]
}

// add makes one person of the family. An empty surname is drawn.
func (f *household) add(relation string, s Sex, born time.Time, surname string) int64 {
	c, r := f.c, f.r
	if surname == "" {
		surname = draw(r, surnames)
	}
	p := Person{
		ID: int64(len(c.People)) + 1, Family: len(c.Families), Relation: relation,
		Surname: surname, Middle: middleName(r, s), Given: givenName(r, s), Sex: s, Born: born,
		CCCD: c.n.cccd(r, born, s), Social: c.n.social(r), TaxNo: c.n.personalTaxCode(r),
		Ward: f.ward, Address: f.address,
	}
	age := p.Age(c.Base)
	if born.Year() <= 2004 && chance(r, 0.88) {
		p.CMND = c.n.cmnd(r)
	}
	if age >= 15 && chance(r, 0.95) {
		p.Phone = phone(r)
	}
	if chance(r, 0.91) {
		group, level := insuranceGroup(r, age)
		p.Card = card(group, level, p.Social)
	}
	p.Died = c.death(r, age, born)
	p.Registered = c.registered(r, age)
	c.People = append(c.People, p)
	f.members = append(f.members, p.ID)
	return p.ID
}

// insuranceGroup is the group on a health insurance card, with its level of
// benefit: small children, pupils, the old, workers, families.
func insuranceGroup(r *rand.Rand, age int) (string, int) {
	switch {
	case age < 6:
		return "TE", 1
	case age < 18:
		return "HS", 4
	case age >= 80:
		return "BT", 2
	case age >= 60:
		return "HT", 3
	}
	return draw(r, []weighted[string]{{"DN", 60}, {"GD", 40}}), 4
}

// death draws whether and when in the last three years a person died.
func (c *City) death(r *rand.Rand, age int, born time.Time) time.Time {
	p := 0.003
	switch {
	case age >= 80:
		p = 0.18
	case age >= 65:
		p = 0.06
	}
	if !chance(r, p) {
		return time.Time{}
	}
	died := c.Base.AddDate(0, 0, -between(r, 10, 3*365))
	if died.Before(born) {
		return time.Time{}
	}
	return died
}

// registered draws whether the population register knows the person: not some
// small children, and not some who came to the city of late.
func (c *City) registered(r *rand.Rand, age int) bool {
	if age < 6 {
		return !chance(r, 0.07)
	}
	return !chance(r, 0.015)
}

// aged draws a date of birth for an age in full years on the base date.
func (c *City) aged(r *rand.Rand, age int) time.Time {
	return c.Base.AddDate(-age, 0, -r.IntN(365))
}

// sharedCMND gives some people the card number of a stranger: the old numbers
// were issued by province, some twice.
func (c *City) sharedCMND(r *rand.Rand) {
	for i := range c.People {
		p := &c.People[i]
		if p.CMND == "" || !chance(r, sharedCMNDRate) {
			continue
		}
		q := &c.People[r.IntN(len(c.People))]
		if q.CMND != "" && q.Family != p.Family {
			p.CMND = q.CMND
		}
	}
}

func sexOf(r *rand.Rand) Sex {
	if chance(r, 0.5) {
		return Male
	}
	return Female
}

// wardOf draws a ward; the wards of the list's middle, the former inner
// districts, have more people.
func wardOf(r *rand.Rand) int {
	if chance(r, 0.6) {
		return between(r, 35, 113)
	}
	return r.IntN(len(wards))
}

func address(r *rand.Rand) string {
	n := fmt.Sprint(between(r, 1, 480))
	if chance(r, 0.45) {
		n += fmt.Sprintf("/%d", between(r, 1, 90))
		if chance(r, 0.3) {
			n += fmt.Sprintf("/%d", between(r, 1, 30))
		}
	}
	if chance(r, 0.08) {
		n += string(rune('A' + r.IntN(4)))
	}
	return n + " " + pick(r, streets)
}
