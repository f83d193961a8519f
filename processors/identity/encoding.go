package identity

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/unicode/norm"
)

// Encoding is what a text was written in before it was taken for something
// else: most of what was typed before 2005 is in one of two fonts' encodings,
// and still arrives as letters of Western Europe.
type Encoding uint8

// The encodings.
const (
	Unicode     Encoding = iota
	TCVN3                // TCVN 5712:1993, VN3: the fonts .VnTime
	VNI                  // VNI for Windows: a vowel and a sign, two characters
	UTF8Twice            // UTF-8 whose bytes were taken for Windows-1252 or Latin-1 and written as UTF-8 again
	Windows1252          // bytes that are not UTF-8
)

func (e Encoding) String() string {
	return [...]string{"unicode", "tcvn3", "vni", "utf-8 twice", "windows-1252"}[e]
}

// tcvn3 are the letters of TCVN3 by its bytes from 0xa1 on (TCVN 5712:1993,
// table VN3). A font shows its capitals, so only seven have codes of their own.
var tcvn3 = func() map[rune]rune {
	m := map[rune]rune{}
	const bytes = "¡¢£¤¥¦§¨©ª«¬\u00ad®µ¶·¸¹»¼½¾ÆÇÈÉÊËÌÎÏÐÑÒÓÔÕÖ×ØÜÝÞßáâãäåæçèéêëìíîïñòóôõö÷øùúûüýþ"
	const letters = "ĂÂÊÔƠƯĐăâêôơưđàảãáạằẳẵắặầẩẫấậèẻẽéẹềểễếệìỉĩíịòỏõóọồổỗốộờởỡớợùủũúụừửữứựỳỷỹýỵ"
	to := []rune(letters)
	for i, r := range []rune(bytes) {
		m[r] = to[i]
	}
	return m
}()

// vniAlone are the characters of VNI that are letters by themselves, vniSigns
// those that stand after a vowel (VNI Software, "VNI-Win character set").
var (
	vniAlone = runes("ñđÑĐôơÔƠöưÖƯììÌÌííÍÍæỉÆỈóĩÓĨòịÒỊîỵÎỴ")
	vniSigns = func() map[[2]rune]rune {
		m := map[[2]rune]rune{}
		add := func(base rune, signs, letters string) {
			to := []rune(letters)
			for i, sign := range []rune(signs) {
				m[[2]rune{base, sign}] = to[i]
			}
		}
		add('a', "øùûõïâàáåãäêèéúüë", "àáảãạâầấẩẫậăằắẳẵặ")
		add('e', "øùûõïâàáåãä", "èéẻẽẹêềếểễệ")
		add('o', "øùûõïâàáåãä", "òóỏõọôồốổỗộ")
		add('ô', "øùûõï", "ờớởỡợ")
		add('u', "øùûõï", "ùúủũụ")
		add('ö', "øùûõï", "ừứửữự")
		add('y', "øùûõ", "ỳýỷỹ")
		return m
	}()
)

func runes(pairs string) map[rune]rune {
	m := map[rune]rune{}
	all := []rune(pairs)
	for i := 0; i+1 < len(all); i += 2 {
		m[all[i]] = all[i+1]
	}
	return m
}

// Repair gives a text as it was meant, composed (NFC), and what it was written
// in. A text is taken for something else only if as it stands it is no
// Vietnamese and as something else it is, word for word: "NguyÔn" and "Nguyeãn"
// become "Nguyễn", and "Müller" stays. What the text was is for the caller to
// keep. Single bytes of a text that is not UTF-8 are read as Windows-1252.
func Repair(text string) (string, Encoding) {
	if ascii(text) {
		return text, Unicode
	}
	was := Unicode
	if !utf8.ValidString(text) {
		text, was = fromBytes(text), Windows1252
	}
	if plain, ok := oncePlain(text); ok {
		return norm.NFC.String(plain), UTF8Twice
	}
	text = norm.NFC.String(text)
	// One Vietnamese letter in a word that is none may be a slip of the pen, two
	// or a letter that is not Vietnamese are none.
	suspicion := 0
	for _, r := range text {
		switch {
		case r > 0xff:
			return text, was // neither encoding comes out as such letters
		case r < 0xa1:
		default:
			suspicion += 2
			if _, ok := vowelOf(unicode.ToLower(r)); ok {
				suspicion--
			}
		}
	}
	if suspicion < 2 || vietnamese(text) {
		return text, was
	}
	tcvn, vni := fromTCVN3(text), fromVNI(text)
	switch asTCVN, asVNI := vietnamese(tcvn), vietnamese(vni); {
	case asTCVN == asVNI: // neither, or nobody knows
		return text, was
	case asTCVN:
		return tcvn, TCVN3
	default:
		return vni, VNI
	}
}

func ascii[T string | []byte](text T) bool {
	for i := 0; i < len(text); i++ {
		if text[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// fromBytes reads a text that is not UTF-8 as Windows-1252, and the five bytes
// that it has no letters for as Latin-1.
func fromBytes(text string) string {
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		r := charmap.Windows1252.DecodeByte(text[i])
		if r == utf8.RuneError {
			r = rune(text[i])
		}
		b.WriteRune(r)
	}
	return b.String()
}

// oncePlain takes back one reading of UTF-8 as Windows-1252 or Latin-1. That
// the bytes are UTF-8 with a character of several bytes is no chance.
func oncePlain(text string) (string, bool) {
	for _, r := range text {
		if r > 0xff {
			if _, ok := charmap.Windows1252.EncodeRune(r); !ok {
				return text, false // as nearly every Vietnamese text has
			}
		}
	}
	b := make([]byte, 0, len(text))
	for _, r := range text {
		c := byte(r)
		if r > 0xff {
			c, _ = charmap.Windows1252.EncodeRune(r)
		}
		b = append(b, c)
	}
	return string(b), utf8.Valid(b)
}

func fromTCVN3(text string) string {
	return strings.Map(func(r rune) rune {
		if to, ok := tcvn3[r]; ok {
			return to
		}
		return r
	}, text)
}

func fromVNI(text string) string {
	var b strings.Builder
	letters := []rune(text)
	for i := 0; i < len(letters); i++ {
		r := letters[i]
		if i+1 < len(letters) {
			pair := [2]rune{unicode.ToLower(r), unicode.ToLower(letters[i+1])}
			if to, ok := vniSigns[pair]; ok {
				if unicode.IsUpper(r) {
					to = unicode.ToUpper(to)
				}
				b.WriteRune(to)
				i++
				continue
			}
		}
		if to, ok := vniAlone[r]; ok {
			r = to
		}
		b.WriteRune(r)
	}
	return b.String()
}

// vietnamese tells whether every word of a text with a letter beyond ASCII is a
// Vietnamese syllable, and at least one more word than not of the others: names
// of people and streets have few that are not.
func vietnamese(text string) bool {
	marked, plain, others := 0, 0, 0
	var space [64]byte
	for word := range strings.FieldsFuncSeq(text, func(r rune) bool { return r < utf8.RuneSelf && !unicode.IsLetter(r) || r == '\u00a0' }) {
		lower := append(space[:0], strings.ToLower(word)...)
		_, right := placeTone(lower)
		switch {
		case !ascii(word) && right != spelled:
			return false
		case !ascii(word):
			marked++
		case right == spelled:
			plain++
		case len(word) > 3: // not the Q and TP of an address
			others++
		}
	}
	return marked > 0 && marked+plain > others
}
