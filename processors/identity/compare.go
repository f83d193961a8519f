package identity

import (
	"slices"
	"strings"
)

// generationYears is the difference of birth years from which two records are
// of two generations: what parents and children have at the least.
const generationYears = 14

// Compare gives the evidence of two records. The variants are the model's.
func (m *Model) Compare(a, b *Record) Comparison {
	return Comparison{
		FieldCCCD:      compareNumbers(a.CCCD, b.CCCD, (a.Notes|b.Notes)&CCCDRestored != 0),
		FieldCMND:      compareNumbers(a.CMND, b.CMND, (a.Notes|b.Notes)&CMNDRestored != 0),
		FieldInsurance: compareNumbers(a.Insurance, b.Insurance, (a.Notes|b.Notes)&InsuranceRestored != 0),
		FieldRegister:  compareRegister(a, b),
		FieldName:      m.compareNames(a.Name, b.Name),
		FieldBirth:     compareBirths(a.Birth, b.Birth),
		FieldSex:       compareSexes(a.Sex, b.Sex),
		FieldStructure: compareStructure(a, b),
	}
}

func compareNumbers(a, b Number, restored bool) Level {
	switch {
	case a == 0 || b == 0:
		return Missing
	case a == b && restored:
		return Restored
	case a == b:
		return Equal
	case nearNumbers(uint64(a), uint64(b)):
		return Near
	}
	return Differ
}

// nearNumbers tells numbers that differ in one digit, or in two neighbours
// that changed places.
func nearNumbers(a, b uint64) bool {
	// The digits that differ, from the last one, as (a's, b's).
	var first, second [2]uint64
	at, differing := 0, 0
	for i := 0; a != b; i++ {
		if x, y := a%10, b%10; x != y {
			switch differing {
			case 0:
				first, at = [2]uint64{x, y}, i
			case 1:
				if i != at+1 {
					return false
				}
				second = [2]uint64{x, y}
			default:
				return false
			}
			differing++
		}
		a, b = a/10, b/10
	}
	return differing == 1 || first[0] == second[1] && first[1] == second[0]
}

func compareRegister(a, b *Record) Level {
	switch {
	case a.Origin.Register && b.Origin.Register:
		return Both
	case a.Origin.Register || b.Origin.Register:
		return One
	}
	return None
}

func compareBirths(a, b Date) Level {
	if a == 0 || b == 0 {
		return Missing
	}
	if a.Year() != b.Year() {
		if d := a.Year() - b.Year(); d >= generationYears || -d >= generationYears {
			return Generation
		}
		return Differ
	}
	switch {
	case a.YearOnly() || b.YearOnly():
		return Year
	case a == b:
		return Equal
	case a.Day() == b.Month() && a.Month() == b.Day():
		return Swapped
	case a.Day() == b.Day() || a.Month() == b.Month():
		return Near
	}
	return Differ
}

func compareSexes(a, b Sex) Level {
	switch {
	case a == SexUnknown || b == SexUnknown:
		return Missing
	case a == b:
		return Equal
	}
	return Differ
}

// compareStructure holds the sex and the year of birth that a CCCD says its
// bearer has against what the other record says. The register's CCCDs are
// verified, so of a record of the register only its number speaks.
func compareStructure(a, b *Record) Level {
	found := Missing
	for _, pair := range [2][2]*Record{{a, b}, {b, a}} {
		s, other := pair[0].CCCD.Structure(), pair[1]
		if !s.Known {
			continue
		}
		if other.Birth != 0 && other.Birth.Year() != s.BirthYear || other.Sex != SexUnknown && other.Sex != s.Sex {
			return Contradicts
		}
		if other.Birth != 0 || other.Sex != SexUnknown {
			found = Agrees
		}
	}
	return found
}

func (m *Model) compareNames(a, b Name) Level {
	if !a.Known() || !b.Known() {
		return Missing
	}
	if a.Canonical == b.Canonical {
		return Equal
	}
	if a.Toneless == b.Toneless {
		return Toneless
	}
	return m.compareToneless(a.Toneless.Value(), b.Toneless.Value())
}

// maxSyllables bounds the work on a name; what stands after is left out.
const maxSyllables = 12

// compareToneless compares two names that are not equal without diacritics.
func (m *Model) compareToneless(a, b string) Level {
	var spaceA, spaceB [maxSyllables]string
	as, bs := syllables(spaceA[:0], a), syllables(spaceB[:0], b)
	if len(as) == 0 || len(bs) == 0 {
		return Differ
	}
	if m.fold(as, bs) {
		return Variant
	}
	if oneEdit(a, b) {
		return Near
	}
	if len(as) != len(bs) {
		if partial(as, bs) || partial(bs, as) {
			return Partial
		}
		return Differ
	}
	differing := 0
	for i := range as {
		if as[i] != bs[i] {
			differing++
		}
	}
	if differing == 1 && len(as) > 1 {
		return OneSyllable
	}
	slices.Sort(as)
	slices.Sort(bs)
	if slices.Equal(as, bs) {
		return Reordered
	}
	return Differ
}

func syllables(dst []string, s string) []string {
	for s != "" && len(dst) < maxSyllables {
		head, tail, _ := strings.Cut(s, " ")
		if head != "" {
			dst = append(dst, head)
		}
		s = tail
	}
	return dst
}

// fold writes every syllable as the first of its variants and the last y after
// a consonant as i (Vỹ, Vĩ), and tells whether the two are equal then.
func (m *Model) fold(as, bs []string) bool {
	for _, s := range [2][]string{as, bs} {
		for i := range s {
			s[i] = m.foldSyllable(s[i])
		}
	}
	return slices.Equal(as, bs)
}

func (m *Model) foldSyllable(s string) string {
	s = FoldSyllable(s)
	if first, ok := m.variants[s]; ok {
		return first
	}
	return s
}

// partial tells whether short is long without some of its middle syllables:
// the surname and the given name stand.
func partial(long, short []string) bool {
	if len(short) < 2 || len(short) > len(long) || long[0] != short[0] || long[len(long)-1] != short[len(short)-1] {
		return false
	}
	i := 0
	for _, s := range long {
		if i < len(short) && s == short[i] {
			i++
		}
	}
	return i == len(short)
}

// nearLetters is how long a name must be for one letter to be a slip.
const nearLetters = 6

// oneEdit tells whether one letter more, less or other, or two neighbours that
// changed places, make a into b.
func oneEdit(a, b string) bool {
	if len(a) > len(b) {
		a, b = b, a
	}
	if len(a) < nearLetters || len(b)-len(a) > 1 {
		return false
	}
	i := 0
	for i < len(a) && a[i] == b[i] {
		i++
	}
	if len(a) < len(b) {
		return a[i:] == b[i+1:]
	}
	if i == len(a) {
		return true
	}
	if a[i+1:] == b[i+1:] {
		return true
	}
	return i+1 < len(a) && a[i] == b[i+1] && a[i+1] == b[i] && a[i+2:] == b[i+2:]
}
