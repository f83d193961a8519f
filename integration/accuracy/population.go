package main

import (
	"fmt"
	"iter"
	"math/rand/v2"
	"time"

	"github.com/hopluu/hopluu/deploy/local/generator/city"
)

// header are the columns of a city's records.
var header = []string{"record_id", "source", "cccd", "cmnd", "insurance_no", "full_name", "birth_date", "sex", "phone", "ward_code", "address", "updated_at"}

// record is what a system says of a person, by header, and who it truly is.
type record struct {
	row    []string
	person int64
}

var base = time.Date(2026, time.June, 1, 0, 0, 0, 0, time.UTC)

// reform is the day on which the register was written anew with the codes of
// today's wards.
var reform = time.Date(2025, time.July, 1, 0, 0, 0, 0, time.UTC)

// records gives the records of persons of the five systems, about two and a
// half for each person: the register, and of each other system those whom it
// knows, at the shares that the generated systems have.
func records(c *city.City) iter.Seq[record] {
	return func(yield func(record) bool) {
		var n int64
		give := func(system string, p *city.Person, row []string) bool {
			n++
			// The number tells nothing of the person: the city's order would.
			row[0], row[1] = fmt.Sprintf("%s-%016x", system[:2], city.Rand(c.Seed, "record", n).Uint64()), system
			return yield(record{row, p.ID})
		}
		for i := range c.People {
			p := &c.People[i]
			r, days := city.Rand(c.Seed, "accuracy", p.ID), city.Rand(c.Seed, "written", p.ID)
			if p.Registered && !give("population", p, row(c.True(p, reform), reform, false)) {
				return
			}
			for system, times := range visits(c, r, p) {
				for range times {
					on := written(days, p, system)
					id := c.Observe(r, p, systems[system], on)
					hideColumns(systems[system], &id)
					if !give(systems[system], p, row(id, on, true)) {
						return
					}
				}
			}
		}
	}
}

var systems = [...]string{"health", "welfare", "tax", "construction"}

// visits is how many records each system has of a person.
func visits(c *city.City, r *rand.Rand, p *city.Person) (n [len(systems)]int) {
	chance := func(share float64) int {
		if r.Float64() < share {
			return 1
		}
		return 0
	}
	age, poor := p.Age(c.Base), c.Poor(p.Family)
	seen := 0.68
	if age < 6 || age >= 60 || poor {
		seen = 0.88
	}
	if n[0] = chance(seen); n[0] == 1 {
		n[0] += chance(0.09)
	}
	if poor {
		n[1]++
	}
	switch {
	case age >= 80:
		n[1] += chance(0.85)
	case age >= 60:
		n[1] += chance(0.17)
	default:
		n[1] += chance(0.05)
	}
	if age >= 18 {
		n[2] = chance(0.38) + chance(0.075)
	}
	if age >= 24 {
		n[3] = chance(0.18)
	}
	return n
}

// lately is how many days ago at most a record of each system was last written;
// hospitals and building files, the first and the last, are less often brought
// up to date.
var lately = [len(systems)]float64{1500, 300, 400, 900}

// written is the day on which a system's record of a person was last written:
// what their ward's code is of.
func written(r *rand.Rand, p *city.Person, system int) time.Time {
	x := r.Float64()
	if systems[system] == "health" || systems[system] == "construction" {
		x *= x // most of them of late
	}
	return base.AddDate(0, 0, -int(x*min(lately[system], base.Sub(p.Born).Hours()/24)))
}

// hideColumns takes out what a system has no column for; a building site is
// mostly where its owner lives.
func hideColumns(system string, id *city.Identity) {
	switch system {
	case "tax":
		id.CMND, id.Insurance = "", ""
	case "construction":
		id.CMND, id.Insurance, id.Sex = "", "", ""
	}
}

// row writes an identity by header. The register has no insurance number.
func row(id city.Identity, on time.Time, insurance bool) []string {
	born := ""
	if !id.Born.IsZero() {
		born = id.Born.Format(time.DateOnly)
	}
	if !insurance {
		id.Insurance = ""
	}
	return []string{"", "", id.CCCD, id.CMND, id.Insurance, id.FullName, born, id.Sex, id.Phone, id.WardCode, id.Address, on.Format(time.DateOnly)}
}
