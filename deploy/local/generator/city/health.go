package city

import (
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"
)

// The tables of the hospital system.
var (
	Facilities     = Table{"facility", []string{"facility_id", "code", "name", "level", "ward_code", "beds"}}
	Patients       = Table{"patient", []string{"patient_id", "cccd", "cmnd", "insurance_no", "full_name", "birth_date", "sex", "phone", "ward_code", "address", "created_at", "updated_at"}}
	InsuranceCards = Table{"insurance_card", []string{"card_no", "patient_id", "valid_from", "valid_to", "benefit_level"}}
	Encounters     = Table{"encounter", []string{"encounter_id", "patient_id", "facility_id", "kind", "admitted_at", "discharged_at", "icd10", "secondary_icd10", "diagnosis", "cost", "insured_paid", "notes"}}
)

// facilities are hospitals of the city with their level, ward and beds; the
// wards' health stations follow them.
var facilities = []struct {
	name, level, ward string
	beds              int16
}{
	{"Bệnh viện Chợ Rẫy", "specialised", "27343", 1800}, {"Bệnh viện Nhân dân 115", "specialised", "27163", 1600}, {"Bệnh viện Nhân dân Gia Định", "specialised", "26944", 1500},
	{"Bệnh viện Bình Dân", "specialised", "27154", 700}, {"Bệnh viện Nguyễn Tri Phương", "basic", "27301", 800}, {"Bệnh viện Nguyễn Trãi", "basic", "27301", 800},
	{"Bệnh viện Trưng Vương", "basic", "27169", 700}, {"Bệnh viện An Bình", "basic", "27316", 500}, {"Bệnh viện Từ Dũ", "specialised", "26743", 1200},
	{"Bệnh viện Hùng Vương", "specialised", "27343", 900}, {"Bệnh viện Nhi đồng 1", "specialised", "27169", 1400}, {"Bệnh viện Nhi đồng 2", "specialised", "26740", 1400},
	{"Bệnh viện Nhi đồng Thành phố", "specialised", "27637", 1000}, {"Bệnh viện Ung Bướu", "specialised", "26842", 1300}, {"Bệnh viện Bệnh Nhiệt đới", "specialised", "27301", 550},
	{"Bệnh viện Phạm Ngọc Thạch", "specialised", "27301", 800}, {"Bệnh viện Chấn thương Chỉnh hình", "specialised", "27301", 600}, {"Bệnh viện Mắt", "specialised", "27139", 300},
	{"Bệnh viện Thành phố Thủ Đức", "basic", "26809", 1000}, {"Bệnh viện Đa khoa khu vực Củ Chi", "basic", "27553", 1000}, {"Bệnh viện Đa khoa khu vực Hóc Môn", "basic", "27559", 800},
	{"Bệnh viện Đa khoa Bình Dương", "basic", "25747", 1500}, {"Bệnh viện Vũng Tàu", "basic", "26506", 400}, {"Bệnh viện Bà Rịa", "basic", "26572", 700},
	{"Bệnh viện Quân dân y Côn Đảo", "basic", "26732", 60}, {"Bệnh viện Tân Phú", "basic", "27031", 400}, {"Bệnh viện Bình Tân", "basic", "27442", 500},
	{"Bệnh viện Gò Vấp", "basic", "26890", 300}, {"Bệnh viện Lê Văn Thịnh", "basic", "27097", 800}, {"Bệnh viện Lê Văn Việt", "basic", "26842", 400},
}

// stations is the number of wards whose health station uses the system too.
const stations = 30

// facilityCount is the number of facilities; they are numbered from 1.
var facilityCount = len(facilities) + stations

// Health is the initial content of the hospital system.
func (c *City) Health() []Rows {
	places := Rows{Table: Facilities}
	for i, f := range facilities {
		places.Rows = append(places.Rows, []any{int32(i + 1), fmt.Sprintf("79%03d", i+1), f.name, f.level, f.ward, f.beds})
	}
	for i := range stations {
		w := wards[(i*5+35)%len(wards)]
		places.Rows = append(places.Rows, []any{int32(len(places.Rows) + 1), fmt.Sprintf("79%03d", len(places.Rows)+1), "Trạm y tế " + w.Name, "primary", w.Code, int16(5)})
	}

	patients, cards, encounters := Rows{Table: Patients}, Rows{Table: InsuranceCards}, Rows{Table: Encounters}
	for _, id := range c.shuffled("health") {
		p, r := c.Person(id), Rand(c.Seed, "health", id)
		records := c.patientRecords(r, p)
		for i := range records {
			patient := firstPatient + int64(len(patients.Rows))
			created := c.before(r, p, 1500)
			patients.add(id, c.PatientRow(r, patient, p, created))
			if i == 0 && p.Card != "" {
				cards.Rows = append(cards.Rows, c.CardRow(r, patient, p))
			}
			for range visits(r, p.Age(c.Base)) {
				encounters.Rows = append(encounters.Rows, c.EncounterRow(r, patient, p, c.before(r, p, 720)))
			}
			if i == 0 && c.Poor(p.Family) && p.AliveOn(c.Base) && chance(r, 0.09) {
				encounters.Rows = append(encounters.Rows, c.inpatientThisMonth(r, patient, p))
			}
		}
	}
	return []Rows{places, patients, cards, encounters}
}

// patientRecords is how many records of a person the hospitals have: most have
// one, some are registered twice.
func (c *City) patientRecords(r *rand.Rand, p *Person) int {
	seen := 0.68
	if age := p.Age(c.Base); age < 6 || age >= 60 || c.Poor(p.Family) {
		seen = 0.88
	}
	switch {
	case !chance(r, seen):
		return 0
	case chance(r, 0.09):
		return 2
	}
	return 1
}

func visits(r *rand.Rand, age int) int {
	if age < 6 || age >= 60 {
		return between(r, 2, 7)
	}
	return between(r, 1, 5)
}

// before is a day on which the person lived, at most days before the base
// date, the later ones more often.
func (c *City) before(r *rand.Rand, p *Person, days int) time.Time {
	last := c.Base
	if !p.Died.IsZero() {
		last = p.Died
	}
	back := min(days, int(last.Sub(p.Born).Hours()/24))
	x := r.Float64()
	return last.AddDate(0, 0, -int(x*x*float64(back)))
}

// PatientRow is a patient's record as a clerk of a hospital made it.
func (c *City) PatientRow(r *rand.Rand, patient int64, p *Person, created time.Time) []any {
	id := c.Observe(r, p, "health", created)
	// A newborn stands under the mother's name until it has its own.
	if m := c.Person(p.Mother); m != nil && created.Sub(p.Born) < 30*24*time.Hour && chance(r, 0.6) {
		id.FullName = "CON BÀ " + strings.ToUpper(m.Name())
		id.CCCD = ""
	}
	at := c.anyHour(r, created)
	return []any{patient, null(id.CCCD), null(id.CMND), null(id.Insurance), id.FullName, nullDate(id.Born), id.Sex, null(id.Phone), id.WardCode, id.Address, at, at}
}

// CardRow is a person's insurance card with its validity: most are valid on
// the base date, a tenth has run out.
func (c *City) CardRow(r *rand.Rand, patient int64, p *Person) []any {
	to := c.Base.AddDate(0, 0, between(r, 0, 364))
	if chance(r, 0.1) {
		to = c.Base.AddDate(0, 0, -between(r, 1, 400))
	}
	return []any{p.Card, patient, to.AddDate(-1, 0, 1), to, int16(p.Card[2] - '0')}
}

// inpatientThisMonth is a stay that began in the month of the base date.
func (c *City) inpatientThisMonth(r *rand.Rand, patient int64, p *Person) []any {
	first := monthStart(c.Base)
	if first.Before(p.Born) {
		first = p.Born
	}
	day := first.AddDate(0, 0, r.IntN(int(c.Base.Sub(first).Hours()/24)+1))
	return c.encounter(r, patient, p, "inpatient", c.anyHour(r, day))
}

// EncounterRow is a visit or a stay that began on a day.
func (c *City) EncounterRow(r *rand.Rand, patient int64, p *Person, day time.Time) []any {
	kind := draw(r, []weighted[string]{{"outpatient", 78}, {"inpatient", 15}, {"emergency", 7}})
	return c.encounter(r, patient, p, kind, c.anyHour(r, day))
}

func (c *City) encounter(r *rand.Rand, patient int64, p *Person, kind string, admitted time.Time) []any {
	facility := int32(between(r, 1, facilityCount))
	var discharged any
	cost := int64(between(r, 120, 1800)) * 1000_00
	left := admitted.Add(time.Duration(between(r, 20, 240)) * time.Minute)
	if kind != "outpatient" {
		facility = int32(between(r, 1, len(facilities)))
		cost = int64(between(r, 1500, 9000))*1000_00 + int64(r.IntN(5))*int64(r.IntN(9000))*1000_00 + int64(r.IntN(100))*50
		left = admitted.Add(time.Duration(between(r, 18, 260)) * time.Hour)
	}
	if left.Before(at(c.Base, 6, 0)) {
		discharged = left
	}
	var paid int64
	if p.Card != "" && chance(r, 0.93) {
		paid = cost / 100 * int64([]int{100, 100, 95, 80, 100}[(p.Card[2]-'1')%5])
	}
	d := draw(r, diseases)
	var secondary any
	if n := r.IntN(5) - 2; n > 0 {
		codes := make([]string, n)
		for i := range codes {
			codes[i] = draw(r, diseases).code
		}
		secondary = codes
	}
	return []any{UUID(r), patient, facility, kind, admitted, discharged, d.code, secondary, d.name, hundredths(cost), hundredths(paid), notes(r, kind, d)}
}

// notes are the clinical notes: often none, mostly some lines, and sometimes
// an attached recording of more than 8 kB that no compression makes smaller,
// so that PostgreSQL keeps it out of line (TOAST).
func notes(r *rand.Rand, kind string, d disease) any {
	x := r.Float64()
	if x < 0.35 && kind == "outpatient" {
		return nil
	}
	text := fmt.Sprintf("Mạch %d lần/phút, huyết áp %d/%d mmHg, nhiệt độ %d,%d°C. Chẩn đoán: %s. %s", between(r, 58, 118), between(r, 95, 175), between(r, 55, 105), between(r, 36, 39), r.IntN(10), d.name, pick(r, advice))
	if x < 0.985 {
		return text
	}
	return text + "\nĐiện tim đồ: " + Incompressible(r, between(r, 9_000, 22_000))
}

// Incompressible is a text of about n bytes that does not compress.
func Incompressible(r *rand.Rand, n int) string {
	raw := make([]byte, n*3/4)
	for i := range raw {
		raw[i] = byte(r.UintN(256))
	}
	return base64.StdEncoding.EncodeToString(raw)
}

var advice = []string{"Tái khám sau 1 tuần.", "Tái khám sau 1 tháng, mang theo toa cũ.", "Nhập viện theo dõi.", "Uống thuốc theo toa, nghỉ ngơi.", "Chuyển chuyên khoa.", "Ăn nhạt, tập thể dục đều đặn.", "Xét nghiệm lại công thức máu sau 3 ngày.", "Chụp X-quang ngực thẳng: chưa ghi nhận bất thường."}
