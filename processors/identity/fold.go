package identity

import (
	"strings"
	"unicode/utf8"
)

// Text is a text in the forms that comparing needs, and what was found out
// about it.
type Text struct {
	// Canonical is composed (NFC), lower case, single spaces, every Đ the
	// Vietnamese one, tone marks where the older orthography puts them (hòa,
	// not hoà).
	Canonical string
	// Toneless is Canonical without any diacritic, đ as d.
	Toneless string
	// Was is what the text was written in, when that is not Unicode.
	Was Encoding
	// Lost tells that letters are gone for good: a question mark stands in a word, where a
	// database could not keep the letter ("Nguy?n").
	Lost bool
}

// Fold makes the forms of a text. It keeps nothing, and may be called from many
// goroutines.
func Fold(text string) Text { return fold(beginning(text)) }

// beginning is what of a text is read, in whole characters.
func beginning(text string) string {
	if len(text) <= MaxNameBytes {
		return text
	}
	end := MaxNameBytes
	for end > MaxNameBytes-utf8.UTFMax && !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end]
}

func fold(text string) Text {
	meant, was := Repair(text)
	f := Text{Was: was, Lost: lost(meant)}
	f.Canonical = canonicalName(meant)
	f.Toneless = tonelessName(f.Canonical)
	return f
}

// lost finds a question mark, or the character that stands for what could not be
// read, beside a letter on both sides or at the end of a word.
func lost(s string) bool {
	if strings.Contains(s, "\ufffd") {
		return true
	}
	for i := 1; i < len(s); i++ {
		if s[i] == '?' && letter(s[i-1]) && i+1 < len(s) && letter(s[i+1]) {
			return true
		}
	}
	return false
}

// letter tells a byte of a letter, ASCII or not.
func letter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' || c >= 0x80 }

// NoName tells a text that is no name of a person: what hospitals write for a
// child without one, which is the mother's, and names of which letters are
// gone.
func (f Text) NoName() bool { return f.Lost || placeholder(f.Toneless) }
