package identity

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// MaxNameBytes is how much of a text is read as a name; of what is longer the
// beginning counts.
const MaxNameBytes = 512

// placeholder tells what hospitals write for a child without a name.
func placeholder(toneless string) bool {
	for _, start := range []string{"con ba ", "con chi ", "con cua ", "cb ", "be trai", "be gai", "so sinh", "tre so sinh", "chua dat ten", "chua co ten"} {
		if strings.HasPrefix(toneless, start) {
			return true
		}
	}
	return false
}

// canonicalName composes, lowers, separates and places tones.
func canonicalName(s string) string {
	composed := norm.NFC.String(strings.Map(unseen, s))
	b := make([]byte, 0, len(composed))
	start := 0 // of the syllable being written
	for _, r := range composed {
		switch {
		case r == 'Ð' || r == 'Ɖ' || r == 'ð': // Icelandic and African letters that look like Đ
			b = append(b, "đ"...)
		case unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.Is(unicode.Mn, r):
			b = utf8.AppendRune(b, unicode.ToLower(r))
		case len(b) > start:
			b = append(endSyllable(b, start), ' ')
			start = len(b)
		}
	}
	if len(b) > start {
		return string(endSyllable(b, start))
	}
	return string(b[:max(0, len(b)-1)])
}

// endSyllable puts the tone of the syllable that begins at start and ends b in
// its place.
func endSyllable(b []byte, start int) []byte {
	if ascii(b[start:]) {
		return b
	}
	placed, _ := placeTone(b[start:])
	return append(b[:start], placed...)
}

// unseen drops what joins letters and is not seen: zero-width characters, and
// the apostrophes of highland names.
func unseen(r rune) rune {
	if r == '\'' || r == '’' || unicode.Is(unicode.Cf, r) {
		return -1
	}
	return r
}

// bases maps the letters of the Latin blocks to their first letter without
// diacritics, 0 where there is none.
var bases = func() (table [0x1f00]byte) {
	for r := rune(0xc0); r < rune(len(table)); r++ {
		if first, size := utf8.DecodeRuneInString(norm.NFD.String(string(r))); size == 1 && first < utf8.RuneSelf {
			table[r] = byte(first)
		}
	}
	table['đ'] = 'd'
	return table
}()

// tonelessName takes every diacritic from a canonical name.
func tonelessName(canonical string) string {
	if ascii(canonical) {
		return canonical
	}
	b := make([]byte, 0, len(canonical))
	for _, r := range canonical {
		switch {
		case r < utf8.RuneSelf:
			b = append(b, byte(r))
		case r < rune(len(bases)) && bases[r] != 0:
			b = append(b, bases[r])
		case unicode.Is(unicode.Mn, r):
		default:
			b = utf8.AppendRune(b, r)
		}
	}
	return string(b)
}
