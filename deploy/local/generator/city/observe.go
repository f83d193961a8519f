package city

import (
	"math/rand/v2"
	"strings"
	"time"

	"golang.org/x/text/unicode/norm"
)

// Identity is what a register wrote down of a person. Empty texts and zero
// times are unknown, NULL in a database.
type Identity struct {
	CCCD, CMND, Insurance string
	FullName              string
	Born                  time.Time
	Sex                   string
	Phone                 string
	WardCode, Address     string
}

// True is the person as the population register has them on a day: without a
// fault.
func (c *City) True(p *Person, on time.Time) Identity {
	return Identity{CCCD: p.CCCD, CMND: p.CMND, Insurance: p.Social, FullName: p.Name(), Born: p.Born, Sex: string(p.Sex), Phone: p.Phone, WardCode: wardOn(p.Ward, p.Address, on), Address: p.Address}
}

// Observe is the person as a register of a sector wrote them down on a day, with
// the faults that the city's Rates give.
func (c *City) Observe(r *rand.Rand, p *Person, sector string, on time.Time) Identity {
	rates := c.Rates.Source[sector]
	id := c.True(p, on)
	id.CCCD = c.observeCCCD(r, p, rates.CCCDMissing)
	if chance(r, rates.CMNDMissing) {
		id.CMND = ""
	}
	id.Insurance = c.observeInsurance(r, p, sector, rates.InsuranceMissing)
	id.FullName = c.observeName(r, p)
	id.Born = c.observeBirth(r, p.Born)
	if chance(r, c.Rates.SexWrong) {
		id.Sex = string(p.Sex.other())
	}
	switch {
	case chance(r, c.Rates.PhoneMissing):
		id.Phone = ""
	case id.Phone != "" && chance(r, c.Rates.PhoneChanged):
		id.Phone = phone(r)
	}
	c.observeAddress(r, &id, p, on)
	return id
}

// fillers are what clerks type where a number must be.
var fillers = []string{"000000000000", "123456789012", "111111111111", "123456789", "000000000"}

func (c *City) observeCCCD(r *rand.Rand, p *Person, missing float64) string {
	if chance(r, missing) {
		return ""
	}
	if p.Age(c.Base) < 14 && chance(r, c.Rates.CCCDOfKin) {
		if kin := c.Person(p.Mother); kin != nil {
			return kin.CCCD
		}
	}
	x := r.Float64()
	if x -= c.Rates.CCCDTypo; x < 0 {
		return mistypeDigits(r, p.CCCD)
	}
	if x -= c.Rates.CCCDZeros; x < 0 {
		return strings.TrimLeft(p.CCCD, "0")
	}
	if x -= c.Rates.CCCDFiller; x < 0 {
		return pick(r, fillers)
	}
	return p.CCCD
}

// mistypeDigits exchanges two neighbouring digits or changes one, each in half
// of the cases.
func mistypeDigits(r *rand.Rand, number string) string {
	b := []byte(number)
	if chance(r, 0.5) {
		for range 20 {
			i := r.IntN(len(b) - 1)
			if b[i] != b[i+1] {
				b[i], b[i+1] = b[i+1], b[i]
				return string(b)
			}
		}
	}
	i := r.IntN(len(b))
	if b[i] < '0' || b[i] > '9' {
		i = len(b) - 1
	}
	b[i] = '0' + (b[i]-'0'+byte(between(r, 1, 9)))%10
	return string(b)
}

// observeInsurance is the card's number in health, most often in full, and the
// social-insurance number elsewhere.
func (c *City) observeInsurance(r *rand.Rand, p *Person, sector string, missing float64) string {
	number := p.Social
	if sector == "health" {
		number = p.Card
		if number != "" && chance(r, 0.2) {
			number = p.Social
		}
	}
	if number == "" || chance(r, missing) {
		return ""
	}
	if chance(r, c.Rates.InsuranceTypo) {
		return number[:len(number)-10] + mistypeDigits(r, number[len(number)-10:])
	}
	return number
}

func (c *City) observeName(r *rand.Rand, p *Person) string {
	name := p.Name()
	if chance(r, c.Rates.NameNoMiddle) {
		name = p.Surname + " " + p.Given
	}
	if chance(r, c.Rates.NameRegional/regionalShare) {
		name, _ = regional(name)
	}
	if chance(r, c.Rates.NameSpelling/spellingShare) {
		name, _ = respell(name)
	}
	if chance(r, c.Rates.NameTypo) {
		name = mistype(r, name)
	}
	if chance(r, c.Rates.NameTurned) {
		if surname, rest, ok := strings.Cut(name, " "); ok {
			name = rest + " " + surname
		}
	}
	x := r.Float64()
	if x -= c.Rates.NameToneless; x < 0 {
		return strings.ToUpper(Toneless(name))
	}
	if x -= c.Rates.NameUpper; x < 0 {
		return strings.ToUpper(name)
	}
	if x -= c.Rates.NameNFD; x < 0 {
		return norm.NFD.String(name)
	}
	return name
}

// Not every name has a regional form or a second spelling; these are the
// shares that have, so that the rates hold over all names.
const (
	regionalShare = 0.19
	spellingShare = 0.11
)

func (c *City) observeBirth(r *rand.Rand, born time.Time) time.Time {
	x := r.Float64()
	if x -= c.Rates.BirthFirstJanuary; x < 0 {
		return time.Date(born.Year(), time.January, 1, 0, 0, 0, 0, time.UTC)
	}
	if x -= c.Rates.BirthSwapped; x < 0 {
		if born.Day() <= 12 {
			return time.Date(born.Year(), time.Month(born.Day()), int(born.Month()), 0, 0, 0, 0, time.UTC)
		}
		// A day above 12 can stand in no month's place: the clerk errs in the day.
		return wrongDay(r, born)
	}
	if x -= c.Rates.BirthDay; x < 0 {
		return wrongDay(r, born)
	}
	if x -= c.Rates.NoBirth; x < 0 {
		return time.Time{}
	}
	return born
}

// wrongDay is another day of the same month.
func wrongDay(r *rand.Rand, born time.Time) time.Time {
	day := between(r, 1, 28)
	if day == born.Day() {
		day = day%28 + 1
	}
	return time.Date(born.Year(), born.Month(), day, 0, 0, 0, 0, time.UTC)
}

func (c *City) observeAddress(r *rand.Rand, id *Identity, p *Person, on time.Time) {
	switch {
	case chance(r, c.Rates.OtherAddress):
		ward := p.Ward
		id.Address = address(r)
		if chance(r, 0.5) {
			ward = wardOf(r)
		}
		id.WardCode = wardOn(ward, id.Address, on)
	case chance(r, 0.1):
		id.Address = "Số " + strings.Replace(id.Address, " ", " đường ", 1)
	}
}
