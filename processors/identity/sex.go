package identity

import "strings"

// Sex as registers keep it.
type Sex uint8

// The values of Sex.
const (
	SexUnknown Sex = iota
	Male
	Female
)

func (s Sex) String() string { return [...]string{"", "male", "female"}[s] }

// maxSex is how long what says a sex is, in bytes, in whatever encoding.
const maxSex = 24

// ParseSex reads what systems write: male and female, m and f, nam and nữ, trai
// and gái, in any case and encoding. Anything else is unknown.
func ParseSex(text []byte) Sex {
	if len(text) > maxSex {
		return SexUnknown
	}
	switch string(text) { // as most write it
	case "male", "Nam", "M":
		return Male
	case "female", "F":
		return Female
	}
	meant, _ := Repair(strings.TrimSpace(string(text)))
	switch tonelessName(canonicalName(meant)) {
	case "male", "m", "nam", "nam gioi", "trai", "man":
		return Male
	case "female", "f", "nu", "nu gioi", "gai", "woman":
		return Female
	}
	return SexUnknown
}
