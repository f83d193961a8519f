package identity

import (
	"strings"
	"unicode"
	"unicode/utf8"
	"unique"

	"golang.org/x/text/unicode/norm"
)

// Name is a full name in the three forms that comparing and showing need. Equal
// forms share their memory.
type Name struct {
	// Raw is what the source wrote.
	Raw unique.Handle[string]
	// Canonical is composed (NFC), lower case, single spaces, every Đ the
	// Vietnamese one, tone marks where the older orthography puts them (hòa,
	// not hoà).
	Canonical unique.Handle[string]
	// Toneless is Canonical without any diacritic, đ as d.
	Toneless unique.Handle[string]
	// Was is what Raw was written in, when that is not Unicode: Canonical is
	// what it was meant to be.
	Was Encoding
}

// MaxNameBytes is how much of a text is read as a name; of what is longer the
// beginning counts.
const MaxNameBytes = 512

var noName = unique.Make("")

// Known tells whether there is a name. A placeholder for a newborn who has
// none yet ("con bà Lê Thị Hoa", "bé trai") is none: it is the mother's.
func (n Name) Known() bool { return n.Toneless != (unique.Handle[string]{}) && n.Toneless != noName }

// ParseName makes the forms of a name.
func ParseName(text []byte) Name {
	f := fold(beginning(string(text)))
	n := Name{Raw: unique.Make(f.raw), Canonical: noName, Toneless: noName, Was: f.Was}
	if f.Canonical != "" && !f.NoName() {
		n.Canonical, n.Toneless = unique.Make(f.Canonical), unique.Make(f.Toneless)
	}
	return n
}

// notes tells what reading the name found out.
func (n Name) notes(text []byte) (notes Notes) {
	switch n.Was {
	case TCVN3:
		notes = NameFromTCVN3
	case VNI:
		notes = NameFromVNI
	case UTF8Twice, Windows1252:
		notes = NameFromBytes
	}
	if lost(string(text[:min(len(text), MaxNameBytes)])) {
		notes |= NameLost
	}
	return notes
}

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
