package identity

import (
	"bytes"
	"strings"
)

// Province is a province by the code that a CCCD begins with (Circular
// 59/2021/TT-BCA, annex I): 79 is Ho Chi Minh City; 0 is none.
type Province uint8

// provinces are the names of the codes, without diacritics and kind, and the
// code of the province that each is part of since 1 July 2025 (Resolution
// 202/2025/QH15).
var provinces = [...]struct {
	name string
	now  Province
}{
	1: {"ha noi", 1}, 2: {"ha giang", 8}, 4: {"cao bang", 4}, 6: {"bac kan", 19}, 8: {"tuyen quang", 8}, 10: {"lao cai", 15},
	11: {"dien bien", 11}, 12: {"lai chau", 12}, 14: {"son la", 14}, 15: {"yen bai", 15}, 17: {"hoa binh", 25}, 19: {"thai nguyen", 19},
	20: {"lang son", 20}, 22: {"quang ninh", 22}, 24: {"bac giang", 24}, 25: {"phu tho", 25}, 26: {"vinh phuc", 25}, 27: {"bac ninh", 24},
	30: {"hai duong", 31}, 31: {"hai phong", 31}, 33: {"hung yen", 33}, 34: {"thai binh", 33}, 35: {"ha nam", 37}, 36: {"nam dinh", 37},
	37: {"ninh binh", 37}, 38: {"thanh hoa", 38}, 40: {"nghe an", 40}, 42: {"ha tinh", 42}, 44: {"quang binh", 44}, 45: {"quang tri", 44},
	46: {"hue", 46}, 48: {"da nang", 48}, 49: {"quang nam", 48}, 51: {"quang ngai", 51}, 52: {"binh dinh", 52}, 54: {"phu yen", 66},
	56: {"khanh hoa", 56}, 58: {"ninh thuan", 56}, 60: {"binh thuan", 68}, 62: {"kon tum", 51}, 64: {"gia lai", 52}, 66: {"dak lak", 66},
	67: {"dak nong", 68}, 68: {"lam dong", 68}, 70: {"binh phuoc", 75}, 72: {"tay ninh", 80}, 74: {"binh duong", 79}, 75: {"dong nai", 75},
	77: {"ba ria vung tau", 79}, 79: {"ho chi minh", 79}, 80: {"long an", 80}, 82: {"tien giang", 82}, 83: {"ben tre", 86}, 84: {"tra vinh", 86},
	86: {"vinh long", 86}, 87: {"dong thap", 82}, 89: {"an giang", 91}, 91: {"kien giang", 91}, 92: {"can tho", 92}, 93: {"hau giang", 92},
	94: {"soc trang", 92}, 95: {"bac lieu", 96}, 96: {"ca mau", 96},
}

var provincesByName = func() map[string]Province {
	byName := map[string]Province{"hcm": 79, "sai gon": 79, "tphcm": 79, "thua thien hue": 46, "vung tau": 77, "dac lac": 66, "dac nong": 67, "daklak": 66}
	for code, p := range provinces {
		if p.name != "" {
			byName[p.name] = Province(code)
		}
	}
	return byName
}()

// Known tells a code that a province has or had.
func (p Province) Known() bool { return int(p) < len(provinces) && provinces[p].name != "" }

// Name is the province's name, without diacritics and kind; "" of a code that is
// not known.
func (p Province) Name() string {
	if !p.Known() {
		return ""
	}
	return provinces[p].name
}

// Now is the province that it is part of since 1 July 2025, by its code in
// CCCDs: what was written before and after agree by it. It is none of a code that
// is not known.
func (p Province) Now() Province {
	if !p.Known() {
		return 0
	}
	return provinces[p].now
}

// ParseProvince reads a province as systems write it: its code, or its name with
// or without its kind ("TP.", "Tỉnh"). Of a whole place ("Phường Sài Gòn, Thành phố
// Hồ Chí Minh") the part after the last comma counts.
func ParseProvince(text []byte) Province {
	if value, _, ok := Digits(text); ok {
		if p := Province(min(value, 255)); p.Known() {
			return p
		}
		return 0
	}
	if len(text) > MaxNameBytes {
		return 0
	}
	if i := bytes.LastIndexByte(text, ','); i >= 0 {
		text = text[i+1:]
	}
	name := Fold(string(text)).Toneless
	for _, kind := range []string{"thanh pho ", "tinh ", "tp "} {
		name = strings.TrimPrefix(name, kind)
	}
	return provincesByName[name]
}

// ReadProvince is ParseProvince as the reading of a number, which is that of
// the province of today.
func ReadProvince(text []byte) Reading {
	p := ParseProvince(text)
	if p == 0 {
		if blank(text) {
			return Reading{}
		}
		return Reading{Notes: MalformedRefused}
	}
	return Reading{Number: Number(p.Now())}
}
