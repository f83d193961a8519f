package linkage

import (
	"errors"
	"fmt"
	"slices"

	"github.com/hopluu/hopluu/processors/identity"
)

// A CCCD says of its bearer the sex, the year of birth and the province where
// the birth was registered. What its own record says too counts there; what the
// record leaves out is compared with what the other record says, or its CCCD.
// And a CCCD that contradicts its own record is doubted: it was mistyped, or is
// somebody else's, so that it speaks less against a record with another.

// SaysSpec names the columns of a record that its CCCD speaks of too; "" is none.
type SaysSpec struct {
	Sex  string `yaml:"sex,omitempty" json:"sex,omitempty"`
	Born string `yaml:"born,omitempty" json:"born,omitempty"`
	// Place is the province of birth, of role province.
	Place string `yaml:"place,omitempty" json:"place,omitempty"`
}

// says are the columns of a SaysSpec, -1 without.
type says struct{ cccd, sex, born, place int }

func (m *Model) compileSays(at int) (*says, error) {
	c := &m.Columns[at]
	if c.Role != "cccd" {
		return nil, fmt.Errorf("columns: %s: says is for role cccd", c.Name)
	}
	out := &says{cccd: at, sex: -1, born: -1, place: -1}
	for _, part := range []struct {
		name, role string
		to         *int
	}{{c.Says.Sex, "sex", &out.sex}, {c.Says.Born, "date", &out.born}, {c.Says.Place, "province", &out.place}} {
		if part.name == "" {
			continue
		}
		if *part.to = m.column(part.name); *part.to < 0 || m.Columns[*part.to].Role != part.role {
			return nil, fmt.Errorf("columns: %s: says names %q, which is no column of role %s", c.Name, part.name, part.role)
		}
	}
	return out, nil
}

// What a CCCD's cell keeps in b beside whether its zeros were restored, for what
// its record leaves out: the sex, the year of birth and the province of today.
const (
	saidSexAt    = 1
	saidYearAt   = 3
	saidPlaceAt  = 15
	saidSexBits  = 3 << saidSexAt
	saidYearBits = 0xfff << saidYearAt
	saidPlaces   = 0x7f << saidPlaceAt
	doubtedBit   = 1 << 22
	saidBits     = saidSexBits | saidYearBits | saidPlaces
)

func (c cell) doubted() bool { return c.b&doubtedBit != 0 }

// The numbers of the texts of the sexes: a table interns them first.
const (
	maleText   = 1
	femaleText = 2
)

func sexOf(c cell) identity.Sex {
	switch c.id() {
	case maleText:
		return identity.Male
	case femaleText:
		return identity.Female
	}
	return identity.SexUnknown
}

// mark writes into the cell of a record's CCCD what it says beyond the record,
// and whether the two contradict one another.
func (s *says) mark(row []cell) {
	c := &row[s.cccd]
	if c.missing() {
		return
	}
	structure := identity.Number(c.a).Structure()
	if !structure.Known {
		return
	}
	var sex identity.Sex
	if s.sex >= 0 {
		if sex = sexOf(row[s.sex]); sex == identity.SexUnknown {
			c.b |= uint64(structure.Sex) << saidSexAt
		}
	}
	var born identity.Date
	if s.born >= 0 {
		if born = row[s.born].date(); born == 0 {
			c.b |= uint64(structure.BirthYear) << saidYearAt
		}
	}
	if s.place >= 0 && row[s.place].missing() {
		c.b |= uint64(structure.Province.Now()) << saidPlaceAt
	}
	if structure.Contradicts(sex, born) {
		// What it says is not to be relied on.
		c.b = c.b&^saidBits | doubtedBit
	}
}

// saying is a comparison of what CCCDs say.
type saying struct {
	op           op
	cccd, column int
}

// compileSaid makes a comparison of what CCCDs say of one that has such a level.
func (m *Model) compileSaid(c *comparison) error {
	at := slices.IndexFunc(c.levels, func(l level) bool { return l.op >= opSaysSex && l.op <= opSaysPlace })
	if at < 0 {
		return nil
	}
	if len(c.levels) != 2 || at != 0 || c.levels[1].op != opDiffer || c.levels[1].column != c.levels[0].column {
		return errors.New("what a CCCD says is a comparison of its own: one level says_sex, says_year or says_place, and differ")
	}
	columns, err := m.compileSays(c.levels[0].column)
	if err != nil {
		return err
	}
	s := &saying{op: c.levels[0].op, cccd: columns.cccd}
	switch s.op {
	case opSaysSex:
		s.column = columns.sex
	case opSaysYear:
		s.column = columns.born
	default:
		s.column = columns.place
	}
	if s.column < 0 {
		return errors.New("column " + m.Columns[s.cccd].Name + " does not name under says what the level compares")
	}
	c.says, c.columns, c.memo = s, append(c.columns, s.column), false
	return nil
}

// level is 1 when what the one side's CCCD says is what the other record says, 2
// when it is not, and 0 when no CCCD says more than its record does, or both
// records have the same or near ones. That is evidence of its own, of which what
// the digits say follows: counted again, it made one of two people whose numbers
// were issued one after the other.
func (s *saying) level(x, y []cell) int {
	cx, cy := x[s.cccd], y[s.cccd]
	if (cx.b|cy.b)&saidBits == 0 || !cx.missing() && !cy.missing() && (cx.a == cy.a || nearNumbers(cx.a, cy.a)) {
		return 0
	}
	n := s.one(cx, cy, y)
	if m := s.one(cy, cx, x); m > n {
		n = m
	}
	return n
}

// one compares what a CCCD says with another record.
func (s *saying) one(c, other cell, row []cell) int {
	says := s.of(c)
	if says == 0 {
		return 0
	}
	is := s.of(other) // neither record says it: their numbers do
	if v := row[s.column]; !v.missing() {
		switch s.op {
		case opSaysSex:
			is = uint64(sexOf(v))
		case opSaysYear:
			is = uint64(v.date().Year())
		default:
			is = v.a
		}
	}
	switch is {
	case 0:
		return 0
	case says:
		return 1
	}
	return 2
}

// of is what a CCCD says beyond its record, 0 for nothing.
func (s *saying) of(c cell) uint64 {
	switch s.op {
	case opSaysSex:
		return c.b & saidSexBits >> saidSexAt
	case opSaysYear:
		return c.b & saidYearBits >> saidYearAt
	}
	return c.b & saidPlaces >> saidPlaceAt
}
