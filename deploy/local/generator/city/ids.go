package city

import (
	"fmt"
	"math/rand/v2"
	"time"
)

// provinces of birth registration as a CCCD begins with them, by how many of
// the city's people come from there.
var provinces = []weighted[string]{
	{"079", 62}, {"074", 7}, {"077", 5}, {"082", 3}, {"080", 3}, {"083", 3}, {"087", 2}, {"086", 1.5}, {"089", 2}, {"092", 1.5},
	{"091", 1}, {"096", 1}, {"094", 1}, {"075", 1.5}, {"072", 1.5}, {"052", 1.5}, {"051", 1.5}, {"038", 1}, {"040", 1}, {"001", 1}, {"030", 0.5}, {"036", 0.5},
}

// numbers hands out the numbers of the city's people, each once.
type numbers struct{ used map[string]bool }

func (n *numbers) once(draw func() string) string {
	for {
		if s := draw(); !n.used[s] {
			n.used[s] = true
			return s
		}
	}
}

// cccd is a personal identity number: 3 digits province of birth registration,
// 1 digit century and sex (0 and 1 for men and women of the 1900s, 2 and 3 of
// the 2000s), 2 digits year of birth, 6 random digits; it has no check digit.
func (n *numbers) cccd(r *rand.Rand, born time.Time, s Sex) string {
	province := draw(r, provinces)
	// Children are mostly registered where they live.
	if born.Year() >= 2015 && chance(r, 0.8) {
		province = "079"
	}
	century := (born.Year()/100 - 19) * 2
	if s == Female {
		century++
	}
	return n.once(func() string {
		return fmt.Sprintf("%s%d%02d%s", province, century, born.Year()%100, digits(r, 6))
	})
}

// cmnd is an old identity card number: 9 digits, of which the first two or
// three name the province of issue. It has no relation to the CCCD.
func (n *numbers) cmnd(r *rand.Rand) string {
	prefix := draw(r, []weighted[string]{{"02", 70}, {"280", 8}, {"281", 4}, {"273", 8}, {"31", 4}, {"34", 3}, {"21", 3}})
	return n.once(func() string { return prefix + digits(r, 9-len(prefix)) })
}

// social is a social-insurance number: 10 digits for life.
func (n *numbers) social(r *rand.Rand) string {
	return n.once(func() string { return "79" + digits(r, 8) })
}

// companyTaxCode is the 10-digit tax code of a company of the city.
func (n *numbers) companyTaxCode(r *rand.Rand) string {
	return n.once(func() string { return "03" + digits(r, 8) })
}

// personalTaxCode is a personal tax code as given until 30 June 2025.
func (n *numbers) personalTaxCode(r *rand.Rand) string {
	return n.once(func() string { return "8" + digits(r, 9) })
}

// card is a health insurance card's number: group, level of benefit, province,
// and the social-insurance number.
func card(group string, level int, social string) string {
	return fmt.Sprintf("%s%d79%s", group, level, social)
}

var phonePrefixes = []string{"032", "033", "034", "035", "036", "037", "038", "039", "070", "076", "077", "078", "079", "081", "082", "083", "084", "085", "088", "089", "090", "091", "093", "094", "096", "097", "098"}

// phone is a mobile number. Two people may come to have the same one.
func phone(r *rand.Rand) string { return pick(r, phonePrefixes) + digits(r, 7) }
