package identity

import (
	"strings"
	"unicode/utf8"
)

// A Vietnamese syllable is an initial consonant, a rime and a tone. Which rimes
// there are is closed (Hoàng Phê, "Từ điển chính tả", 1995, its table of
// rimes), so that a text can be told from bytes read in another encoding, and
// a misplaced tone be put in its place.

// tone marks, as tones orders them; toneless is 0.
const (
	noTone = iota
	grave
	acute
	hook
	tilde
	dot
	toneMarks
)

// toned are the vowels with each tone, in the order of the marks.
var toned = [...][toneMarks]rune{
	{'a', 'à', 'á', 'ả', 'ã', 'ạ'}, {'ă', 'ằ', 'ắ', 'ẳ', 'ẵ', 'ặ'}, {'â', 'ầ', 'ấ', 'ẩ', 'ẫ', 'ậ'},
	{'e', 'è', 'é', 'ẻ', 'ẽ', 'ẹ'}, {'ê', 'ề', 'ế', 'ể', 'ễ', 'ệ'}, {'i', 'ì', 'í', 'ỉ', 'ĩ', 'ị'},
	{'o', 'ò', 'ó', 'ỏ', 'õ', 'ọ'}, {'ô', 'ồ', 'ố', 'ổ', 'ỗ', 'ộ'}, {'ơ', 'ờ', 'ớ', 'ở', 'ỡ', 'ợ'},
	{'u', 'ù', 'ú', 'ủ', 'ũ', 'ụ'}, {'ư', 'ừ', 'ứ', 'ử', 'ữ', 'ự'}, {'y', 'ỳ', 'ý', 'ỷ', 'ỹ', 'ỵ'},
}

// vowel is a vowel's place in toned; row counts from 1, 0 is none.
type vowel struct {
	row, tone uint8
}

// vowels tells the vowels by their lower-case letters.
var vowels = func() (table [0x1f00]vowel) {
	for row, letters := range toned {
		for tone, r := range letters {
			table[r] = vowel{uint8(row + 1), uint8(tone)}
		}
	}
	return table
}()

// vowelOf tells whether a lower-case letter is a vowel.
func vowelOf(r rune) (vowel, bool) {
	if int(r) >= len(vowels) || r < 0 || vowels[r].row == 0 {
		return vowel{}, false
	}
	return vowels[r], true
}

// with gives the vowel with a tone.
func (v vowel) with(tone int) rune { return toned[v.row-1][tone] }

// onsets are the initial consonants, the longer first.
var onsets = []string{"ngh", "ng", "nh", "ch", "gh", "gi", "kh", "ph", "qu", "th", "tr", "b", "c", "d", "đ", "g", "h", "k", "l", "m", "n", "p", "r", "s", "t", "v", "x", ""}

// rimes are all rimes without their tone, and where the tone stands by the
// older orthography: the place of the vowel from the start, in letters.
var rimes = func() map[string]int {
	const all = `a ac ach ai am an ang anh ao ap at au ay ăc ăm ăn ăng ăp ăt âc âm ân âng âp ât âu ây
e ec em en eng eo ep et ê êch êm ên ênh êp êt êu êng i ia ich im in inh ip it iu iêc iêm iên iêng iêp iêt iêu
o oc oi om on ong op ot ooc oong oa oac oach oai oam oan oang oanh oao oap oat oay oăc oăm oăn oăng oăt oe oem oen oeo oet
ô ôc ôi ôm ôn ông ôp ôt ơ ơi ơm ơn ơp ơt u ua uc ui um un ung up ut uân uâng uât uây uê uêch uênh uên ui uôc uôi uôm uôn uông uôt
uơ uy uya uych uyên uyêt uyn uynh uyp uyt uyu ư ưa ưc ưi ưm ưn ưng ưt ưu ươc ươi ươm ươn ương ươp ươt ươu y yêm yên yêng yêt yêu ych yn ynh yt`
	m := map[string]int{}
	for rime := range strings.FieldsSeq(all) {
		m[rime] = tonePlace(rime)
	}
	return m
}()

// tonePlace is where the older orthography has the tone of a rime: on the one
// vowel with a sign of its own (the last of ươ), else on the last vowel before
// a consonant, else on the first of two and the middle of three vowels.
func tonePlace(rime string) int {
	letters := []rune(rime)
	count, signed := 0, -1
	for i, r := range letters {
		v, ok := vowelOf(r)
		if !ok {
			break
		}
		if v.with(noTone) >= utf8.RuneSelf {
			signed = i
		}
		count++
	}
	switch {
	case signed >= 0:
		return signed
	case count < len(letters): // a consonant ends it
		return count - 1
	case count == 3:
		return 1
	}
	return 0
}

// maxSyllable is how many letters a syllable has at most: nghiêng.
const maxSyllable = 7

// How right a syllable is.
const (
	noSyllable = iota
	misplaced  // its tone stands where neither orthography has it
	spelled
)

// placeTone gives a lower-case composed syllable with its tone where the older
// orthography has it (hòa for hoà, toàn for tòan), in the memory of the
// syllable, and leaves what is no Vietnamese syllable as it is.
func placeTone(syllable []byte) (placed []byte, right int) {
	var letters [maxSyllable]rune
	n, tone, stands := 0, noTone, 0
	for i := 0; i < len(syllable); {
		r, size := utf8.DecodeRune(syllable[i:])
		i += size
		if n == maxSyllable {
			return syllable, noSyllable
		}
		if v, isVowel := vowelOf(r); isVowel {
			if v.tone != noTone {
				if tone != noTone {
					return syllable, noSyllable
				}
				tone, stands = int(v.tone), n
			}
			r = v.with(noTone)
		}
		letters[n] = r
		n++
	}
	plain := string(letters[:n])
	for _, onset := range onsets {
		rime, begins := strings.CutPrefix(plain, onset)
		if !begins {
			continue
		}
		place, known := rimes[rime]
		if !known && onset == "gi" && rime == "" { // gì
			rime, place, known, onset = "i", 0, true, "g"
		}
		if !known || stopped(rime) && tone != noTone && tone != acute && tone != dot {
			continue
		}
		if tone == noTone {
			return syllable, spelled
		}
		at := utf8.RuneCountInString(onset) + place
		v, _ := vowelOf(letters[at])
		letters[at] = v.with(tone)
		out := syllable[:0]
		for _, r := range letters[:n] {
			out = utf8.AppendRune(out, r)
		}
		right = misplaced
		if stands == at || stands == at+1 && (rime == "oa" || rime == "oe" || rime == "uy") { // the newer orthography has hoà
			right = spelled
		}
		return out, right
	}
	return syllable, noSyllable
}

// stopped tells rimes that end in c, ch, p or t: they bear no tone but two.
func stopped(rime string) bool {
	switch rime[len(rime)-1] {
	case 'c', 'p', 't':
		return true
	}
	return strings.HasSuffix(rime, "ch")
}

// FoldSyllable writes the last y after a consonant of a syllable without
// diacritics as i (Vỹ and Vĩ, Quý and Quí): which of the two is used tells
// nothing.
func FoldSyllable(s string) string {
	if len(s) < 2 || s[len(s)-1] != 'y' {
		return s
	}
	if before := s[len(s)-2]; strings.IndexByte("aeiou", before) >= 0 && s != "quy" {
		return s
	}
	return s[:len(s)-1] + "i"
}
