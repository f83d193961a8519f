package city

import (
	"fmt"
	"math/rand/v2"
	"time"
)

// The tables of the construction system.
var (
	WorkKinds   = Table{"work_kind", []string{"code", "name", "max_floors"}}
	Permits     = Table{"permit", []string{"permit_id", "permit_no", "owner_cccd", "owner_name", "owner_birth_date", "owner_phone", "work_kind", "ward_code", "address", "floor_area", "floors", "status", "applied_on", "issued_on", "documents", "tags"}}
	Inspections = Table{"inspection", []string{"inspection_id", "permit_id", "inspected_at", "result", "violation", "fine"}}
)

// WorkKindRows is the catalogue of kinds of works.
func WorkKindRows() [][]any {
	return [][]any{
		{"house", "Nhà ở riêng lẻ", int16(7)}, {"villa", "Biệt thự", int16(4)}, {"rental", "Nhà trọ cho thuê", int16(5)}, {"shop", "Nhà ở kết hợp kinh doanh", int16(7)},
		{"office", "Văn phòng", nil}, {"warehouse", "Kho, xưởng", int16(2)}, {"repair", "Sửa chữa, cải tạo", nil}, {"temporary", "Công trình tạm có thời hạn", int16(3)},
		{"fence", "Tường rào, cổng", int16(1)}, {"religious", "Công trình tín ngưỡng", int16(3)}, {"heritage", "Công trình trong khu bảo tồn", int16(3)}, {"telecom", "Trạm viễn thông", nil},
	}
}

// Construction is the initial content of the construction system. Some owners
// owe tax.
func (c *City) Construction() []Rows {
	kinds := Rows{Table: WorkKinds, Rows: WorkKindRows()}
	permits, inspections := Rows{Table: Permits}, Rows{Table: Inspections}
	build := func(id int64) {
		n := int64(len(permits.Rows))
		p, r := c.Person(id), Rand(c.Seed, "permit", n)
		applied := c.before(r, p, 900)
		row := c.PermitRow(r, n+1, p, applied)
		permits.add(id, row)
		for range r.IntN(3) {
			inspections.Rows = append(inspections.Rows, c.InspectionRow(r, firstInspection+int64(len(inspections.Rows)), row[0].([16]byte), applied))
		}
	}
	for i, id := range c.taxBooks().debtors {
		if i%8 == 0 && c.Person(id).AliveOn(c.Base) {
			build(id)
		}
	}
	for _, id := range c.shuffled("construction") {
		if len(permits.Rows) >= len(c.People)/8 {
			break
		}
		if p := c.Person(id); p.Age(c.Base) >= 24 && p.AliveOn(c.Base) {
			build(id)
		}
	}
	return []Rows{kinds, permits, inspections}
}

var tags = []string{"hẻm nhỏ", "cải tạo", "di sản", "mặt tiền", "nâng tầng", "tầng hầm", "gấp", "khiếu nại", "quy hoạch treo"}

// PermitRow is the file of a person who applied on a day; number makes the
// permit's number.
func (c *City) PermitRow(r *rand.Rand, number int64, p *Person, applied time.Time) []any {
	id := c.Observe(r, p, "construction", applied)
	status := draw(r, []weighted[string]{{"issued", 72}, {"refused", 8}, {"expired", 12}, {"reviewing", 8}})
	if c.Base.Sub(applied) < 30*24*time.Hour {
		status = draw(r, []weighted[string]{{"received", 45}, {"reviewing", 40}, {"issued", 15}})
	}
	var no, issued any
	if status == "issued" || status == "expired" {
		on := applied.AddDate(0, 0, between(r, 5, 45))
		if on.After(c.Base) {
			on = c.Base
		}
		no, issued = PermitNo(number, on), on
	}
	// The site is where the owner lives for two thirds, elsewhere for the others.
	ward, site := p.Ward, p.Address
	if chance(r, 0.33) {
		ward, site = wardOf(r), address(r)
	}
	kind := draw(r, []weighted[string]{{"house", 60}, {"repair", 14}, {"shop", 9}, {"rental", 7}, {"villa", 3}, {"warehouse", 3}, {"temporary", 2}, {"office", 2}})
	labels := []string{}
	for _, t := range tags {
		if chance(r, 0.12) {
			labels = append(labels, t)
		}
	}
	documents := map[string]any{
		"don":               "Mẫu số 01",
		"giay_chung_nhan":   fmt.Sprintf("%s %s", pick(r, []string{"BĐ", "CK", "DA", "CS"}), digits(r, 6)),
		"ban_ve":            between(r, 2, 14),
		"cam_ket_lien_ke":   chance(r, 0.7),
		"dien_tich_dat_m2":  float64(between(r, 240, 4000)) / 10,
		"nop_truc_tuyen":    chance(r, 0.6),
		"don_vi_thiet_ke":   map[string]any{"ten": "Công ty Kiến trúc " + pick(r, maleGivens), "chung_chi": digits(r, 5)},
		"lien_he_phu_trach": []string{"Phòng Kinh tế, Hạ tầng và Đô thị"},
	}
	return []any{UUID(r), no, null(id.CCCD), id.FullName, nullDate(id.Born), null(id.Phone), kind, wardOn(ward, site, applied), site, hundredths(int64(between(r, 3_000, 60_000))), int16(between(r, 1, 6)), status, applied, issued, documents, labels}
}

// PermitNo is the number of a permit that was issued on a day.
func PermitNo(number int64, on time.Time) string {
	return fmt.Sprintf("%06d/GPXD-%d", number, on.Year())
}

// InspectionRow is an inspection of a site within some months of a day.
func (c *City) InspectionRow(r *rand.Rand, inspection int64, permit [16]byte, after time.Time) []any {
	days := min(200, int(c.Base.Sub(after).Hours()/24))
	when := after.AddDate(0, 0, r.IntN(days+1))
	if !when.Before(c.Base) {
		when = c.Base.AddDate(0, 0, -1)
	}
	result := draw(r, []weighted[string]{{"compliant", 82}, {"minor", 13}, {"serious", 5}})
	var fine any
	switch result {
	case "minor":
		fine = dong(int64(between(r, 10, 40)) * 500_000)
	case "serious":
		fine = dong(int64(between(r, 40, 240)) * 1_000_000)
	}
	// A timestamp without time zone holds Vietnamese time as it is.
	local := time.Date(when.Year(), when.Month(), when.Day(), between(r, 7, 16), r.IntN(60), 0, 0, time.UTC)
	return []any{inspection, permit, local, result, result != "compliant", fine}
}
