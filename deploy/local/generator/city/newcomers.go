package city

import (
	"errors"
	"math/rand/v2"
	"strings"

	"github.com/jackc/pgx/v5/pgtype"
)

// Newborn is a child that a mother of the city bore on the base date. It is
// not among the city's people and has no number of its own yet.
func (c *City) Newborn(r *rand.Rand, mother *Person) *Person {
	s := sexOf(r)
	p := &Person{
		Family: mother.Family, Relation: Child, Sex: s, Born: c.Base, Middle: middleName(r, s), Given: givenName(r, s),
		Surname: mother.Surname, Phone: mother.Phone, Ward: mother.Ward, Address: mother.Address, Mother: mother.ID,
	}
	for _, id := range c.Families[mother.Family] {
		if f := c.Person(id); f.Sex == Male && (f.Relation == Head || f.Relation == Spouse) && mother.Relation != Child && f.AliveOn(c.Base) {
			p.Father, p.Surname = f.ID, f.Surname
		}
	}
	return p
}

// Complete fills in what the population register gives a child at its first
// record: the parts of its name, its ward, a personal identity number that
// taken says nobody has, and numbers for insurance.
func (c *City) Complete(r *rand.Rand, p *Person, name string, s Sex, wardCode string, taken func(cccd string) (bool, error)) error {
	parts := strings.Fields(name)
	if len(parts) < 2 {
		return errors.New("a child's name has a surname and a given name")
	}
	p.Surname, p.Middle, p.Given = parts[0], strings.Join(parts[1:len(parts)-1], " "), parts[len(parts)-1]
	p.Sex, p.Relation, p.Registered = s, Child, true
	for i, w := range wards {
		if w.Code == wardCode {
			p.Ward = i
		}
	}
	p.Address = address(r)
	n := numbers{used: map[string]bool{}}
	for {
		p.CCCD = n.cccd(r, p.Born, s)
		used, err := taken(p.CCCD)
		if err != nil {
			return err
		}
		if !used {
			return nil
		}
	}
}

// ReissueCCCD is a new number in place of a cancelled one: of the same
// province, century, sex and year.
func ReissueCCCD(r *rand.Rand, old string, used map[string]bool) string {
	for {
		if n := old[:6] + digits(r, 6); !used[n] {
			return n
		}
	}
}

// NewAddress is a place in the city to move to.
func (c *City) NewAddress(r *rand.Rand) (wardCode, addr string) {
	return wards[wardOf(r)].Code, address(r)
}

// Phone is a new mobile number.
func Phone(r *rand.Rand) string { return phone(r) }

// Dong is an amount of money in whole đồng as numeric(n,0).
func Dong(n int64) pgtype.Numeric { return dong(n) }

// Hundredths is a numeric with two decimal places.
func Hundredths(n int64) pgtype.Numeric { return hundredths(n) }
