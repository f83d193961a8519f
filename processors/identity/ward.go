package identity

import (
	"bytes"
	"strings"
)

// WardPeriod is the time in which a ward's code names one place.
type WardPeriod uint8

// The periods. On 1 July 2025 the city's wards were merged and most codes were
// used again for other places (Prime Minister's decision 19/2025/QĐ-TTg):
// 26737 was Đa Kao and is Tân Định.
const (
	WardsToday  WardPeriod = iota // since 1 July 2025, and where nobody knows
	WardsBefore                   // until 30 June 2025
)

var wardsMerged = NewDate(2025, 7, 1)

// WardsAt is the period of a code that was written on a day; a day that is not
// known is taken for today.
func WardsAt(written Date) WardPeriod {
	if written != 0 && written < wardsMerged {
		return WardsBefore
	}
	return WardsToday
}

// Ward is a ward by its code or name and the period in which that names it.
// Equal wards are equal; the zero value is none.
type Ward struct {
	// Name is the code in five digits, or the name without diacritics and
	// without its kind ("phường", "P.").
	Name   string
	Period WardPeriod
}

func (w Ward) String() string {
	if w.Name != "" && w.Period == WardsBefore {
		return w.Name + " before 2025"
	}
	return w.Name
}

// wardDigits is how long a ward's code is.
const wardDigits = 5

// wardKinds are the words before a ward's name.
var wardKinds = []string{"phuong ", "thi tran ", "xa ", "dac khu ", "p ", "tt ", "x "}

// ParseWard reads a ward as systems write it: a code, to which lost leading
// zeros are put back, or a name.
func ParseWard(text []byte, period WardPeriod) Ward {
	if value, count, ok := Digits(text); ok && count <= wardDigits {
		if value == 0 {
			return Ward{}
		}
		var code [wardDigits]byte
		for i := wardDigits - 1; i >= 0; i-- {
			code[i] = byte('0' + value%10)
			value /= 10
		}
		return Ward{string(code[:]), period}
	}
	name := Fold(string(bytes.TrimSpace(text))).Toneless
	for _, kind := range wardKinds {
		if rest, ok := strings.CutPrefix(name, kind); ok && rest != "" {
			name = rest
			break
		}
	}
	if name == "" {
		return Ward{}
	}
	return Ward{name, period}
}
