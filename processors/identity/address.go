package identity

import "strings"

// streetWords are the words of an address that some leave out: "Số 12 đường Lê
// Lợi" is "12 Lê Lợi".
var streetWords = map[string]bool{"so": true, "nha": true, "duong": true, "d": true, "sn": true}

// FoldAddress makes the forms of a house's address in Vietnam: as Fold, without
// the words that some leave out. The words are left out before the first letter
// of the street's name only, so that a street "Đường 3 Tháng 2" keeps none of
// it and "Bình Đường" all.
func FoldAddress(text string) Text {
	f := Fold(text)
	canonical, toneless := strings.Fields(f.Canonical), strings.Fields(f.Toneless)
	if len(canonical) != len(toneless) {
		return f
	}
	kept := 0
	for i, word := range toneless {
		if streetWords[word] && i+1 < len(toneless) && street(toneless[:kept]) {
			continue
		}
		canonical[kept], toneless[kept] = canonical[i], word
		kept++
	}
	f.Canonical, f.Toneless = strings.Join(canonical[:kept], " "), strings.Join(toneless[:kept], " ")
	return f
}

// street tells whether the words so far are the house's number, or nothing: the
// street's name has not begun.
func street(words []string) bool {
	for _, w := range words {
		if w[0] < '0' || w[0] > '9' {
			return false
		}
	}
	return true
}
