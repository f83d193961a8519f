package identity

// Structure is what a CCCD says of its bearer: three digits for the province
// of birth registration (079 is Ho Chi Minh City), one for century and sex,
// two for the year of birth, then six at random; there is no check digit
// (Circular 59/2021/TT-BCA, articles 3 and 4). It is evidence for or against
// another's claim, never a reason to refuse a number.
type Structure struct {
	Known     bool // the digits can be a CCCD's
	Province  Province
	Sex       Sex
	BirthYear int
}

// Structure reads a CCCD.
func (n Number) Structure() Structure {
	province := n / 1_000_000_000
	century := int(n / 100_000_000 % 10)
	year := int(n / 1_000_000 % 100)
	// 96 is the last province code; people born in the 22nd century have none yet.
	if province < 1 || province > 96 || century > 3 {
		return Structure{}
	}
	s := Structure{Known: true, Province: Province(province), BirthYear: 1900 + century/2*100 + year, Sex: Male}
	if century%2 == 1 {
		s.Sex = Female
	}
	return s
}

// Contradicts tells that a number cannot be that of somebody of whom this is
// known: it says another sex or year of birth, or a province that never was. It
// was mistyped, or is somebody else's; or what is known is wrong.
func (s Structure) Contradicts(sex Sex, born Date) bool {
	return s.Known && (!s.Province.Known() || sex != SexUnknown && sex != s.Sex || born != 0 && born.Year() != s.BirthYear)
}
