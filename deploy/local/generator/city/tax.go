package city

import (
	"math/rand/v2"
	"strings"
	"time"
)

// The tables of the tax system.
var (
	Taxpayers    = Table{"taxpayer", []string{"taxpayer_id", "tax_code", "cccd", "kind", "full_name", "business_name", "birth_date", "sex", "phone", "ward_code", "address", "registered_on", "updated_at"}}
	Declarations = Table{"declaration", []string{"declaration_id", "taxpayer_id", "tax_kind", "period", "declared", "due_on", "submitted_at"}}
	TaxPayments  = Table{"tax_payment", []string{"payment_id", "taxpayer_id", "declaration_id", "amount", "paid_at"}}
)

// The kinds of taxpayer.
const (
	kindPerson    = "person"
	kindHousehold = "household_business"
	kindCompany   = "company"
)

// taxBooks is the tax system's content while it is made.
type taxBooks struct {
	taxpayers, declarations, payments Rows
	debtors                           []int64 // people with tax overdue, in the order found
}

// Tax is the initial content of the tax system.
func (c *City) Tax() []Rows {
	b := c.taxBooks()
	return []Rows{b.taxpayers, b.declarations, b.payments}
}

func (c *City) taxBooks() *taxBooks {
	b := &taxBooks{taxpayers: Rows{Table: Taxpayers}, declarations: Rows{Table: Declarations}, payments: Rows{Table: TaxPayments}}
	for _, id := range c.shuffled("tax") {
		p, r := c.Person(id), Rand(c.Seed, "tax", id)
		if p.Age(c.Base) < 18 {
			continue
		}
		if chance(r, 0.38) {
			c.taxpayer(b, r, p, kindPerson)
		}
		if p.Age(c.Base) < 70 && chance(r, 0.075) {
			c.taxpayer(b, r, p, kindHousehold)
		}
	}
	codes := numbers{used: map[string]bool{}}
	for i := range len(c.People) / 30 {
		r := Rand(c.Seed, "company", int64(i))
		c.company(b, r, codes.companyTaxCode(r))
	}
	return b
}

func (c *City) taxpayer(b *taxBooks, r *rand.Rand, p *Person, kind string) {
	taxpayer := firstTaxpayer + int64(len(b.taxpayers.Rows))
	b.taxpayers.add(p.ID, c.TaxpayerRow(r, taxpayer, p, kind))
	owes := false
	switch kind {
	case kindPerson:
		for y := 1; y <= 3; y++ {
			owes = c.declare(b, r, taxpayer, "pit", date(c.Base.Year()-y, time.January, 1), between(r, 0, 60)*250_000) || owes
		}
		if chance(r, 0.3) {
			owes = c.declare(b, r, taxpayer, "land", date(c.Base.Year()-1, time.January, 1), between(r, 1, 40)*25_000) || owes
		}
	case kindHousehold:
		for q := 1; q <= 5; q++ {
			period := quarter(c.Base).AddDate(0, -3*q, 0)
			owes = c.declare(b, r, taxpayer, "vat", period, between(r, 2, 60)*300_000) || owes
		}
		owes = c.declare(b, r, taxpayer, "pit", quarter(c.Base).AddDate(0, -3, 0), between(r, 1, 30)*200_000) || owes
	}
	if owes {
		b.debtors = append(b.debtors, p.ID)
	}
}

// TaxpayerRow is a person's or a household business's record. Since July 2025
// the tax code is the representative's CCCD; not all records were changed.
func (c *City) TaxpayerRow(r *rand.Rand, taxpayer int64, p *Person, kind string) []any {
	updated := c.Base.AddDate(0, 0, -between(r, 1, 400))
	id := c.Observe(r, p, "tax", updated)
	code := p.TaxNo
	if id.CCCD != "" && chance(r, 0.6) {
		code = id.CCCD
	}
	var business any
	if kind == kindHousehold {
		business = pick(r, trades) + " " + p.Given
		if len(code) == 10 {
			code += "-001"
		}
	}
	registered := c.Base.AddDate(0, 0, -between(r, 90, 5000))
	return []any{taxpayer, code, null(id.CCCD), kind, id.FullName, business, nullDate(id.Born), id.Sex, null(id.Phone), id.WardCode, id.Address, registered, officeHours(r, updated)}
}

var (
	trades     = []string{"Tạp hóa", "Quán cơm", "Cà phê", "Tiệm may", "Sửa xe", "Quán phở", "Vật liệu xây dựng", "Điện thoại di động", "Nhà trọ", "Tiệm tóc", "Trái cây", "Quán nước"}
	industries = []string{"Thương mại", "Xây dựng", "Sản xuất", "Dịch vụ", "Vận tải", "Công nghệ", "Thực phẩm", "Dệt may"}
)

// company adds a company with its declarations: no person, so no identity.
func (c *City) company(b *taxBooks, r *rand.Rand, code string) {
	taxpayer := firstTaxpayer + int64(len(b.taxpayers.Rows))
	name := "Công ty TNHH " + pick(r, industries) + " " + strings.Join([]string{pick(r, maleGivens), pick(r, femaleGivens)}, " ")
	ward, place, updated := wardOf(r), address(r), c.Base.AddDate(0, 0, -between(r, 1, 400))
	b.taxpayers.add(0, []any{taxpayer, code, nil, kindCompany, nil, name, nil, nil, phone(r), wardOn(ward, place, updated), place, c.Base.AddDate(0, 0, -between(r, 90, 6000)), officeHours(r, updated)})
	for q := 1; q <= 5; q++ {
		c.declare(b, r, taxpayer, "vat", quarter(c.Base).AddDate(0, -3*q, 0), between(r, 5, 900)*1_000_000)
	}
	c.declare(b, r, taxpayer, "cit", date(c.Base.Year()-1, time.January, 1), between(r, 0, 500)*2_000_000)
}

// declare adds a declaration and what was paid on it, and tells whether the
// taxpayer owes tax that is due.
func (c *City) declare(b *taxBooks, r *rand.Rand, taxpayer int64, kind string, period time.Time, amount int) (owes bool) {
	declaration := firstDeclaration + int64(len(b.declarations.Rows))
	row, due := c.DeclarationRow(r, declaration, taxpayer, kind, period, int64(amount))
	b.declarations.Rows = append(b.declarations.Rows, row)
	if amount == 0 {
		return false
	}
	paid := int64(amount)
	switch x := r.Float64(); {
	case x < 0.09:
		return due.Before(c.Base)
	case x < 0.15:
		paid = paid / 2
	}
	on := due.AddDate(0, 0, -between(r, 0, 25))
	if !on.Before(c.Base) {
		on = c.Base.AddDate(0, 0, -1)
	}
	payment := firstTaxPayment + int64(len(b.payments.Rows))
	b.payments.Rows = append(b.payments.Rows, TaxPaymentRow(r, payment, taxpayer, declaration, paid, on))
	return paid < int64(amount) && due.Before(c.Base)
}

// DeclarationRow is a declaration with the day on which the tax is due: for a
// year on 31 March (land: 31 October) after it, for a quarter on the last day
// of the month after it.
func (c *City) DeclarationRow(r *rand.Rand, declaration, taxpayer int64, kind string, period time.Time, amount int64) (row []any, due time.Time) {
	switch {
	case kind == "land":
		due = date(period.Year(), time.October, 31)
	case kind == "vat":
		due = period.AddDate(0, 4, -1)
	default:
		due = date(period.Year()+1, time.March, 31)
	}
	var submitted any
	if on := due.AddDate(0, 0, -between(r, 0, 20)); on.Before(c.Base) && !chance(r, 0.04) {
		submitted = officeHours(r, on)
	}
	return []any{declaration, taxpayer, kind, period, dong(amount), due, submitted}, due
}

// TaxPaymentRow is a payment on a declaration.
func TaxPaymentRow(r *rand.Rand, payment, taxpayer, declaration, amount int64, on time.Time) []any {
	return []any{payment, taxpayer, declaration, dong(amount), officeHours(r, on)}
}

// quarter is the first day of the quarter of a date.
func quarter(d time.Time) time.Time {
	return date(d.Year(), (d.Month()-1)/3*3+1, 1)
}
