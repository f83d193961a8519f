package city

import (
	"math/rand/v2"
	"strings"

	"golang.org/x/text/unicode/norm"
)

// Toneless gives a text without any Vietnamese sign: "Đỗ Thị Thủy" becomes
// "Do Thi Thuy". The letter đ has no decomposition and is replaced by name.
func Toneless(s string) string {
	var b strings.Builder
	for _, c := range norm.NFD.String(s) {
		switch {
		case c >= 0x0300 && c <= 0x036F: // combining signs
		case c == 'đ':
			b.WriteByte('d')
		case c == 'Đ':
			b.WriteByte('D')
		default:
			b.WriteRune(c)
		}
	}
	return b.String()
}

// tonePlaces are the two places of a tone on oa, oe and uy at the end of a
// syllable.
var tonePlaces = twoWays("òa", "oà", "óa", "oá", "ỏa", "oả", "õa", "oã", "ọa", "oạ", "òe", "oè", "óe", "oé", "ỏe", "oẻ", "õe", "oẽ", "ọe", "oẹ", "ùy", "uỳ", "úy", "uý", "ủy", "uỷ", "ũy", "uỹ", "ụy", "uỵ")

// iOrY are the endings that are written both ways.
var iOrY = twoWays("ý", "í", "ỳ", "ì", "ỷ", "ỉ", "ỹ", "ĩ", "ỵ", "ị", "y", "i")

// twoWays makes of pairs of endings the map of each to the other, in an order
// that does not vary.
func twoWays(pairs ...string) [][2]string {
	var out [][2]string
	for i := 0; i < len(pairs); i += 2 {
		out = append(out, [2]string{pairs[i], pairs[i+1]}, [2]string{pairs[i+1], pairs[i]})
	}
	return out
}

// respell writes one part of a name in the other usual spelling: hoà for hòa,
// Vĩ for Vỹ. ok is false when no part of the name has two spellings.
func respell(name string) (_ string, ok bool) {
	parts := strings.Fields(name)
	for i := len(parts) - 1; i >= 0; i-- {
		for _, pair := range tonePlaces {
			head, found := strings.CutSuffix(parts[i], pair[0])
			// In quý the u belongs to the consonant: there is one place only.
			if found && !strings.HasSuffix(strings.ToLower(head), "q") {
				parts[i] = head + pair[1]
				return strings.Join(parts, " "), true
			}
		}
		for _, pair := range iOrY {
			head, found := strings.CutSuffix(parts[i], pair[0])
			if found && takesBoth(head) {
				parts[i] = head + pair[1]
				return strings.Join(parts, " "), true
			}
		}
	}
	return name, false
}

// takesBoth tells whether a syllable of this beginning and the vowel i is
// written with i and with y: Mỹ and Mĩ, Quý and Quí, but only Thị and Nhi.
func takesBoth(head string) bool {
	switch strings.ToLower(head) {
	case "h", "k", "l", "m", "s", "t", "v", "qu":
		return true
	}
	return false
}

// regional replaces one part of a name by its form in the other half of the
// country. ok is false when no part has one.
func regional(name string) (_ string, ok bool) {
	parts := strings.Fields(name)
	for _, i := range []int{len(parts) - 1, 0} {
		if other, found := regionalNames[parts[i]]; found {
			parts[i] = other
			return strings.Join(parts, " "), true
		}
	}
	return name, false
}

// tones of one vowel, which a typing error mixes up.
var tones = [][]rune{
	[]rune("aàáảãạ"), []rune("ăằắẳẵặ"), []rune("âầấẩẫậ"), []rune("eèéẻẽẹ"), []rune("êềếểễệ"), []rune("iìíỉĩị"),
	[]rune("oòóỏõọ"), []rune("ôồốổỗộ"), []rune("ơờớởỡợ"), []rune("uùúủũụ"), []rune("ưừứửữự"), []rune("yỳýỷỹỵ"),
}

// mistype makes one typing error in a name: a letter left out, two letters
// exchanged, a letter doubled, or another tone.
func mistype(r *rand.Rand, name string) string {
	runes := []rune(name)
	for range 20 {
		i := between(r, 1, len(runes)-1)
		if runes[i] == ' ' || runes[i-1] == ' ' {
			continue
		}
		out := append([]rune(nil), runes[:i]...)
		switch r.IntN(4) {
		case 0:
			return string(append(out, runes[i+1:]...))
		case 1:
			if i+1 < len(runes) && runes[i+1] != ' ' && runes[i+1] != runes[i] {
				out = append(out, runes[i+1], runes[i])
				return string(append(out, runes[i+2:]...))
			}
		case 2:
			out = append(out, runes[i], runes[i])
			return string(append(out, runes[i+1:]...))
		default:
			if t, ok := otherTone(r, runes[i]); ok {
				out = append(out, t)
				return string(append(out, runes[i+1:]...))
			}
		}
	}
	return name + "h"
}

func otherTone(r *rand.Rand, c rune) (rune, bool) {
	for _, group := range tones {
		for k, t := range group {
			if t == c {
				return group[(k+between(r, 1, len(group)-1))%len(group)], true
			}
		}
	}
	return 0, false
}
