package identity

import "bytes"

// mobiles are the prefixes of the 11-digit mobile numbers, without the 0, and
// what stands in their place since 15 September 2018 (Decision
// 798/QĐ-BTTTT of the Ministry of Information and Communications).
var mobiles = map[uint64]uint64{
	120: 70, 121: 79, 122: 77, 126: 76, 128: 78, // MobiFone
	123: 83, 124: 84, 125: 85, 127: 81, 129: 82, // VinaPhone
	162: 32, 163: 33, 164: 34, 165: 35, 166: 36, 167: 37, 168: 38, 169: 39, // Viettel
	186: 56, 188: 58, // Vietnamobile
	199: 59, // Gmobile
}

// The number of a subscriber after the 0: 9 digits, of a landline 10 that begin
// with 2; of a mobile before 2018 also 10 that begin with 1.
const (
	nineDigits = 1_000_000_000
	tenDigits  = 10 * nineDigits
	twoDigits  = 100
)

// ReadPhone reads a telephone number of Vietnam: 0, +84, 84 and 0084 before it are left
// out, and an 11-digit mobile number gets the prefix that it has since 2018. Of
// several numbers the first counts. The Reading's kind says nothing.
func ReadPhone(text []byte) Reading {
	if i := bytes.IndexAny(text, ",;/"); i > 0 {
		if first := ReadPhone(text[:i]); first.Number != 0 {
			return first
		}
	}
	var space [MaxNumberBytes]byte
	plain := space[:0]
	for _, c := range text[:min(len(text), MaxNumberBytes)] {
		if c != '+' && c != '(' && c != ')' {
			plain = append(plain, c)
		}
	}
	value, count, refused := number(plain)
	if count == 0 {
		return Reading{Notes: refused}
	}
	value = afterCountry(value)
	switch {
	case value >= nineDigits/10 && value < nineDigits:
		return Reading{Number: Number(value)}
	case value >= 2*nineDigits && value < 3*nineDigits: // 28 and 8 digits: a landline of the city
		return Reading{Number: Number(value)}
	case value >= nineDigits && value < 2*nineDigits:
		const subscriber = nineDigits / twoDigits
		if prefix, ok := mobiles[value/subscriber]; ok {
			return Reading{Number: Number(prefix*subscriber + value%subscriber), Notes: PhoneRenumbered}
		}
	}
	return Reading{Notes: MalformedRefused}
}

// afterCountry takes 84 from before a number that is too long for one of the
// country's.
func afterCountry(value uint64) uint64 {
	for _, unit := range [...]uint64{nineDigits, tenDigits} {
		if value/unit == 84 {
			return value % unit
		}
	}
	return value
}
