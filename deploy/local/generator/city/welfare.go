package city

import (
	"fmt"
	"math/rand/v2"
	"time"
)

// The tables of the welfare system.
var (
	Households    = Table{"household", []string{"household_id", "code", "category", "lacks", "ward_code", "address", "decided_on", "year"}}
	Members       = Table{"household_member", []string{"member_id", "household_id", "cccd", "cmnd", "full_name", "birth_date", "sex", "relation", "phone", "ward_code", "address", "updated_at"}}
	Beneficiaries = Table{"beneficiary", []string{"beneficiary_id", "cccd", "insurance_no", "full_name", "birth_date", "sex", "phone", "ward_code", "address", "programme", "monthly_amount", "status", "started_on", "updated_at"}}
	Payments      = Table{"payment", []string{"beneficiary_id", "period", "amount", "paid_at", "channel"}}
	Funds         = Table{"fund", []string{"fund_id", "name", "programme", "year", "allocated", "spent"}}
)

// programmes with what they pay a month, in đồng: multiples of the standard of
// 650,000 for social protection, 2,789,000 for people with merit.
var programmes = []struct {
	code, name string
	monthly    []int64
}{
	{"elderly", "Trợ giúp người cao tuổi", []int64{650_000, 975_000, 1_300_000}},
	{"disability", "Trợ giúp người khuyết tật", []int64{975_000, 1_300_000, 1_625_000}},
	{"orphan", "Trợ giúp trẻ em không nguồn nuôi dưỡng", []int64{975_000, 1_625_000}},
	{"child_special", "Hỗ trợ trẻ em có hoàn cảnh đặc biệt", []int64{650_000, 975_000}},
	{"single_parent", "Trợ giúp người đơn thân nghèo nuôi con", []int64{650_000, 1_300_000}},
	{"merit", "Trợ cấp người có công với cách mạng", []int64{2_789_000, 3_500_000, 5_200_000}},
}

// Welfare is the initial content of the welfare system.
func (c *City) Welfare() []Rows {
	households, members := Rows{Table: Households}, Rows{Table: Members}
	decided := date(c.Base.Year()-1, time.December, 15)
	for f, family := range c.Families {
		if !c.Poor(f) {
			continue
		}
		r := Rand(c.Seed, "household", int64(f))
		household := firstHousehold + int64(len(households.Rows))
		head := c.Person(family[0])
		households.Rows = append(households.Rows, c.HouseholdRow(r, household, head, decided))
		for _, id := range family {
			if p := c.Person(id); p.AliveOn(decided) {
				members.add(id, c.MemberRow(r, firstMember+int64(len(members.Rows)), household, p))
			}
		}
	}

	beneficiaries, payments, funds := Rows{Table: Beneficiaries}, Rows{Table: Payments}, Rows{Table: Funds}
	for _, id := range c.shuffled("welfare") {
		p, r := c.Person(id), Rand(c.Seed, "welfare", id)
		programme, ok := c.programme(r, p)
		if !ok {
			continue
		}
		b := firstBeneficiary + int64(len(beneficiaries.Rows))
		benefit := c.Benefit(r, b, p, programme)
		beneficiaries.add(id, benefit.Row)
		payments.Rows = append(payments.Rows, c.paid(r, b, benefit)...)
	}
	for i, p := range programmes {
		for y := range 2 {
			r := Rand(c.Seed, "fund", int64(i), int64(y))
			allocated := int64(between(r, 40, 400)) * 1_000_000_000
			spent := allocated
			if y == 1 {
				spent = allocated / 12 * int64(c.Base.Month()-1)
			}
			funds.Rows = append(funds.Rows, []any{int32(len(funds.Rows) + 1), p.name, p.code, int16(c.Base.Year() - 1 + y), dong(allocated), dong(spent)})
		}
	}
	return []Rows{households, members, beneficiaries, payments, funds}
}

var deprivations = []string{"việc làm", "y tế", "giáo dục", "nhà ở", "nước sạch và vệ sinh", "thông tin"}

// HouseholdRow is a family on the list of poor households by a decision.
func (c *City) HouseholdRow(r *rand.Rand, household int64, head *Person, decided time.Time) []any {
	category := draw(r, []weighted[string]{{"poor", 42}, {"near_poor", 48}, {"escaped", 10}})
	lacks := []string{}
	for _, d := range deprivations {
		if chance(r, 0.35) {
			lacks = append(lacks, d)
		}
	}
	ward := wardOn(head.Ward, head.Address, decided)
	return []any{household, fmt.Sprintf("79-%s-%06d", ward, household), category, lacks, ward, head.Address, decided, int16(decided.Year() + 1)}
}

// MemberRow is a member of a poor household as the ward's officer wrote them
// down. The address is the household's.
func (c *City) MemberRow(r *rand.Rand, member, household int64, p *Person) []any {
	updated := c.Base.AddDate(0, 0, -between(r, 1, 300))
	id := c.Observe(r, p, "welfare", updated)
	return []any{member, household, null(id.CCCD), null(id.CMND), id.FullName, nullDate(id.Born), id.Sex, p.Relation, null(id.Phone), wardOn(p.Ward, p.Address, updated), p.Address, officeHours(r, updated)}
}

// programme draws whether, and from which programme, a person benefits.
func (c *City) programme(r *rand.Rand, p *Person) (int, bool) {
	age, poor := p.Age(c.Base), c.Poor(p.Family)
	x := r.Float64()
	take := func(share float64) bool { x -= share; return x < 0 }
	switch {
	case age >= 80 && take(0.85), age >= 75 && poor && take(0.9):
		return 0, true
	case age >= 60 && take(0.17):
		return 5, true
	case take(0.035):
		return 1, true
	case age < 16 && p.Father == 0 && take(0.12):
		return 2, true
	case age < 16 && take(0.035), age < 16 && poor && take(0.2):
		return 3, true
	case poor && p.Relation == Head && p.Sex == Female && age < 55 && take(0.6):
		return 4, true
	}
	return 0, false
}

// Benefit is what a beneficiary is granted.
type Benefit struct {
	Row     []any     // of Beneficiaries
	Amount  int64     // a month, in đồng
	Started time.Time // a date
	Last    time.Time // the last month that is paid, as its first day
}

// Benefit grants a programme to a person. A death stops payments in time for
// most, months late for the others.
func (c *City) Benefit(r *rand.Rand, beneficiary int64, p *Person, programme int) Benefit {
	updated := c.Base.AddDate(0, 0, -between(r, 1, 200))
	id := c.Observe(r, p, "welfare", updated)
	status, last := "active", monthStart(c.Base)
	if c.Base.Day() < 13 {
		last = last.AddDate(0, -1, 0) // this month's payments go out until the 12th
	}
	switch {
	case p.Died.IsZero() && chance(r, 0.03):
		status, last = "suspended", last.AddDate(0, -between(r, 2, 6), 0)
	case !p.Died.IsZero() && chance(r, 0.55):
		status, last = "stopped", monthStart(p.Died)
	case !p.Died.IsZero():
		if late := monthStart(p.Died).AddDate(0, between(r, 1, 8), 0); late.Before(last) {
			status, last = "stopped", late
		}
	}
	amount := pick(r, programmes[programme].monthly)
	started := c.Base.AddDate(0, 0, -between(r, 60, 2500))
	if started.Before(p.Born) {
		started = p.Born
	}
	if !p.Died.IsZero() && started.After(p.Died) {
		started = p.Died.AddDate(0, -3, 0)
	}
	row := []any{beneficiary, null(id.CCCD), null(id.Insurance), id.FullName, nullDate(id.Born), id.Sex, null(id.Phone), id.WardCode, id.Address,
		programmes[programme].code, dong(amount), status, started, officeHours(r, updated)}
	return Benefit{Row: row, Amount: amount, Started: started, Last: last}
}

// paid are the payments of the last 14 months up to the last that is paid.
func (c *City) paid(r *rand.Rand, beneficiary int64, b Benefit) [][]any {
	first := monthStart(c.Base).AddDate(0, -14, 0)
	if s := monthStart(b.Started); s.After(first) {
		first = s
	}
	var rows [][]any
	channel := draw(r, channels)
	for m := first; !m.After(b.Last); m = m.AddDate(0, 1, 0) {
		rows = append(rows, PaymentRow(r, beneficiary, m, b.Amount, channel))
	}
	return rows
}

var channels = []weighted[string]{{"bank", 62}, {"post", 28}, {"cash", 10}}

// PaymentRow is the payment for a month, made between its 5th and 12th day.
func PaymentRow(r *rand.Rand, beneficiary int64, period time.Time, amount int64, channel string) []any {
	return []any{beneficiary, period, dong(amount), officeHours(r, period.AddDate(0, 0, between(r, 4, 11))), channel}
}
