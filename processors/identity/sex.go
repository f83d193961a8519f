package identity

import "bytes"

// Sex as registers keep it.
type Sex uint8

// The values of Sex.
const (
	SexUnknown Sex = iota
	Male
	Female
)

// ParseSex reads what systems write: male and female, m and f, nam and nữ, in
// any case. Anything else is unknown.
func ParseSex(text []byte) Sex {
	var scratch [8]byte
	if text = bytes.TrimSpace(text); len(text) > len(scratch) {
		return SexUnknown
	}
	switch string(append(scratch[:0], bytes.ToLower(text)...)) {
	case "male", "m", "nam":
		return Male
	case "female", "f", "nữ", "nu\u031b\u0303", "nu":
		return Female
	}
	return SexUnknown
}
