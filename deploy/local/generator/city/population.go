package city

import (
	"math/rand/v2"
	"time"
)

// The tables of the population register.
var (
	Wards    = Table{"ward", []string{"ward_id", "code", "name", "kind", "valid_from", "valid_to"}}
	Citizens = Table{"citizen", []string{"citizen_id", "cccd", "cmnd", "full_name", "birth_date", "sex", "ward_code", "address", "phone", "status", "registered_at", "updated_at"}}
	Births   = Table{"birth", []string{"birth_id", "citizen_id", "child_name", "birth_date", "sex", "mother_cccd", "father_cccd", "place", "ward_code", "registered_at"}}
	Deaths   = Table{"death", []string{"death_id", "citizen_id", "died_on", "cause", "registered_at"}}
)

// First numbers of the records of each kind: apart, so that a number taken for
// another system's is seen at once.
const (
	firstCitizen     = 1_000_000
	firstBirth       = 1
	firstDeath       = 1
	firstPatient     = 20_000_000
	firstHousehold   = 300_000
	firstMember      = 3_000_000
	firstBeneficiary = 400_000
	firstTaxpayer    = 50_000_000
	firstDeclaration = 600_000_000
	firstTaxPayment  = 700_000_000
	firstInspection  = 90_000
)

// merger is the day on which the city and its neighbours became one, and ward
// codes were used again.
var merger = date(2025, time.July, 1)

// Population is the initial content of the population register.
func (c *City) Population() []Rows {
	wardRows := Rows{Table: Wards}
	for _, f := range formerWards {
		wardRows.Rows = append(wardRows.Rows, []any{int32(len(wardRows.Rows) + 1), f.code, f.name, kindWard, date(2009, time.January, 1), merger.AddDate(0, 0, -1)})
	}
	for _, w := range wards {
		wardRows.Rows = append(wardRows.Rows, []any{int32(len(wardRows.Rows) + 1), w.Code, w.Name, w.Kind, merger, nil})
	}

	citizens, births, deaths := Rows{Table: Citizens}, Rows{Table: Births}, Rows{Table: Deaths}
	for _, id := range c.shuffled("population") {
		p, r := c.Person(id), Rand(c.Seed, "population", id)
		var citizen int64
		if p.Registered {
			citizen = firstCitizen + int64(len(citizens.Rows))
			citizens.add(id, c.CitizenRow(r, citizen, p))
		}
		if p.Age(c.Base) < 6 && (p.Registered || p.Age(c.Base) == 0 && chance(r, 0.7)) {
			births.Rows = append(births.Rows, c.BirthRow(r, firstBirth+int64(len(births.Rows)), citizen, p))
		}
		if !p.Died.IsZero() && p.Registered {
			deaths.Rows = append(deaths.Rows, c.DeathRow(r, firstDeath+int64(len(deaths.Rows)), citizen, p.Died))
		}
	}
	return []Rows{wardRows, citizens, births, deaths}
}

// CitizenRow is a person's record in the population register, which was written
// anew with the codes of today on the day of the reform.
func (c *City) CitizenRow(r *rand.Rand, citizen int64, p *Person) []any {
	status := "alive"
	if !p.Died.IsZero() {
		status = "dead"
	}
	registered := date(2021, time.March, 1).AddDate(0, 0, r.IntN(900))
	if registered.Before(p.Born) {
		registered = p.Born.AddDate(0, 0, between(r, 2, 40))
	}
	if registered.After(c.Base) {
		registered = c.Base
	}
	at := c.anyHour(r, registered)
	updated := at
	if registered.Before(merger) && !c.Base.Before(merger) {
		registered, updated = merger, c.anyHour(r, merger)
	}
	id := c.True(p, registered)
	return []any{citizen, id.CCCD, null(id.CMND), id.FullName, id.Born, id.Sex, id.WardCode, id.Address, null(id.Phone), status, at, updated}
}

var birthPlaces = []string{"Bệnh viện Từ Dũ", "Bệnh viện Hùng Vương", "Bệnh viện Nhân dân Gia Định", "Bệnh viện Thành phố Thủ Đức", "Bệnh viện Phụ sản Nhi Bình Dương", "Bệnh viện Bà Rịa", "Bệnh viện Đa khoa khu vực Củ Chi"}

// BirthRow is the registration of a person's birth. citizen 0 is a child
// without a citizen's record.
func (c *City) BirthRow(r *rand.Rand, birth, citizen int64, p *Person) []any {
	var record, mother, father any
	if citizen != 0 {
		record = citizen
	}
	if m := c.Person(p.Mother); m != nil {
		mother = m.CCCD
	}
	if f := c.Person(p.Father); f != nil {
		father = f.CCCD
	}
	registered := p.Born.AddDate(0, 0, between(r, 1, 45))
	if registered.After(c.Base) {
		registered = c.Base
	}
	return []any{birth, record, p.Name(), p.Born, string(p.Sex), mother, father, pick(r, birthPlaces), wardOn(p.Ward, p.Address, registered), c.anyHour(r, registered)}
}

var deathCauses = []string{"Nhồi máu cơ tim", "Tai biến mạch máu não", "Ung thư phổi", "Ung thư gan", "Suy tim", "Suy thận mạn", "Đái tháo đường biến chứng", "Viêm phổi", "Tai nạn giao thông", "Già yếu", "Bệnh phổi tắc nghẽn mạn tính"}

// DeathRow is the registration of a death.
func (c *City) DeathRow(r *rand.Rand, death, citizen int64, died time.Time) []any {
	registered := died.AddDate(0, 0, between(r, 0, 30))
	if registered.After(c.Base) {
		registered = c.Base
	}
	return []any{death, citizen, died, pick(r, deathCauses), c.anyHour(r, registered)}
}
