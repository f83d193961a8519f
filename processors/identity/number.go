package identity

import (
	"bytes"
	"fmt"
	"unicode"
	"unicode/utf8"
)

// Number is an identifier of digits, without its leading zeros, which its kind
// gives back; 0 is none. It is plaintext, so it prints as redacted (P11).
type Number uint64

// Format keeps a number out of every log and error, whatever the verb (P11).
func (n Number) Format(f fmt.State, _ rune) {
	text := "redacted"
	if n == 0 {
		text = "none"
	}
	// A failed write to a formatter has nowhere to be told.
	_, _ = f.Write([]byte(text))
}

// MarshalJSON keeps a number out of structured logs (P11).
func (n Number) MarshalJSON() ([]byte, error) {
	if n == 0 {
		return []byte("null"), nil
	}
	return []byte(`"redacted"`), nil
}

// MaxNumberBytes is how much of a text is read as a number; what is longer is
// none.
const MaxNumberBytes = 64

// Digits reads the digits of an identifier as people write it: spaces, dots,
// dashes and slashes between them are left out, and what spreadsheets add: an
// apostrophe before the first, ".0" after the last, characters without width.
// It gives their value and count; ok is false when there is anything else,
// nothing, or more than 18.
func Digits(text []byte) (value uint64, count int, ok bool) {
	if len(text) > MaxNumberBytes {
		return 0, 0, false
	}
	text = bytes.TrimPrefix(bytes.TrimSpace(text), []byte("'"))
	if whole, decimal := bytes.CutSuffix(text, []byte(".0")); decimal && allDigits(whole) {
		text = whole // a number that was taken for one with decimals
	}
	for len(text) > 0 {
		c := text[0]
		switch {
		case c >= '0' && c <= '9':
			if count == 18 {
				return 0, 0, false
			}
			value = value*10 + uint64(c-'0')
			count++
		case c == ' ' || c == '.' || c == '-' || c == '/' || c == '\t':
		case c >= utf8.RuneSelf:
			r, size := utf8.DecodeRune(text)
			if r != '\u00a0' && r != '\u202f' && !unicode.Is(unicode.Cf, r) {
				return 0, 0, false
			}
			text = text[size-1:]
		default:
			return 0, 0, false
		}
		text = text[1:]
	}
	return value, count, count > 0
}

func allDigits(text []byte) bool {
	for _, c := range text {
		if c < '0' || c > '9' {
			return false
		}
	}
	return len(text) > 0
}

// Filler tells numbers that people write when they have none: one digit only
// (000000000, 999999999999), or digits that go up or down by one
// (123456789, 012345678901, 987654321).
func Filler(value uint64, count int) bool {
	var d [18]byte
	for i := count - 1; i >= 0; i-- {
		d[i] = byte(value % 10)
		value /= 10
	}
	same, up, down := true, true, true
	for i := 1; i < count; i++ {
		same = same && d[i] == d[0]
		up = up && (d[i] == (d[i-1]+1)%10)
		down = down && (d[i] == (d[i-1]+9)%10)
	}
	return same || up || down
}

// Notes is what normalising found out about a record; it is evidence, and of
// use to quality reports.
type Notes uint32

// The notes.
const (
	CCCDRestored      Notes = 1 << iota // leading zeros were lost (a spreadsheet does that) and put back
	CMNDRestored                        // likewise
	InsuranceRestored                   // likewise
	CCCDFromCMND                        // a 12-digit CMND is the CCCD
	CCCDFromTaxCode                     // since 2025-07-01 a person's tax code is the CCCD
	CMNDFromCCCD                        // the CCCD column held the 9 digits of a CMND
	InsuranceFromCard                   // the last 10 of a health card's 15 characters
	TwoCCCDs                            // another column named another CCCD; the CCCD's own column was kept
	FillerRefused                       // 000000000, 123456789 and their like
	MalformedRefused                    // a value that is no number of its kind
	PhoneRenumbered                     // an 11-digit mobile number of before 2018, written as it is since
	BirthYearOnly                       // of the birth date only the year is written
	BirthSwapped                        // the birth date has the day in the month's place
	BirthImpossible                     // the birth date is none: 29 February of a common year; its year was kept
	BirthRefused                        // the birth date cannot be read, or is 1 January 1900
	TaxCodeRestored                     // as CCCDRestored
)

// Digits of each kind.
const (
	cccdDigits      = 12
	cmndDigits      = 9
	insuranceDigits = 10
	taxCodeDigits   = 10
	branchDigits    = 13
	cardCharacters  = 15
)

// Reading is what a text says of an identifier: its kind, which may be another
// than that of its column, and how it was made out. Number is 0 when the text
// names none.
type Reading struct {
	Kind   Kind
	Number Number
	Notes  Notes
}

// ReadCCCD reads the column of the CCCD: 12 digits, or 11 or 10 whose leading
// zeros were lost when what stands there with them has a CCCD's structure, or
// the 9 of a CMND.
func ReadCCCD(text []byte) Reading {
	value, count, refused := number(text)
	n := Number(value)
	switch {
	case count == 0:
		return Reading{Kind: CCCD, Notes: refused}
	case count == cccdDigits:
		return Reading{Kind: CCCD, Number: n}
	case (count == cccdDigits-1 || count == cccdDigits-2) && n.Structure().Known:
		return Reading{CCCD, n, CCCDRestored}
	case count == cmndDigits:
		return Reading{CMND, n, CMNDFromCCCD}
	}
	return Reading{Kind: CCCD, Notes: MalformedRefused}
}

// ReadCMND reads the column of the CMND: 9 digits, or 8 whose leading zero was
// lost, or 12 that are the CCCD.
func ReadCMND(text []byte) Reading {
	value, count, refused := number(text)
	n := Number(value)
	switch count {
	case 0:
		return Reading{Kind: CMND, Notes: refused}
	case cmndDigits:
		return Reading{Kind: CMND, Number: n}
	case cmndDigits - 1:
		return Reading{CMND, n, CMNDRestored}
	case cccdDigits:
		return Reading{CCCD, n, CCCDFromCMND}
	}
	return Reading{Kind: CMND, Notes: MalformedRefused}
}

// ReadInsurance reads the insurance column: the 10 digits of the social-insurance
// number, 9 whose leading zero was lost, or the 15 characters of a health card,
// also without its two letters, whose last 10 are the number.
func ReadInsurance(text []byte) Reading {
	var note Notes
	if card, ok := healthCard(text); ok {
		text, note = card, InsuranceFromCard
	}
	value, count, refused := number(text)
	switch count {
	case 0:
		return Reading{Kind: Insurance, Notes: note | refused}
	case insuranceDigits:
		return Reading{Insurance, Number(value), note}
	case insuranceDigits - 1:
		return Reading{Insurance, Number(value), note | InsuranceRestored}
	case cardCharacters - 2: // a card without its letters
		return Reading{Insurance, Number(value % tenDigits), InsuranceFromCard}
	}
	return Reading{Kind: Insurance, Notes: note | MalformedRefused}
}

// number reads digits that are no filler; count is 0 when there are none, and
// refused says why, unless the text is blank.
func number(text []byte) (value uint64, count int, refused Notes) {
	if blank(text) {
		return 0, 0, 0
	}
	value, count, ok := Digits(text)
	switch {
	case !ok:
		return 0, 0, MalformedRefused
	case Filler(value, count):
		return 0, 0, FillerRefused
	}
	return value, count, 0
}

// set puts what a column says into its place. A CCCD of another column than its
// own stands behind what its own says, so that comes first.
func (r *Record) set(x Reading) {
	switch {
	case x.Number == 0: // its notes say why
	case x.Kind == CCCD && r.CCCD != 0:
		if r.CCCD != x.Number {
			r.Notes |= TwoCCCDs
		}
		return
	case x.Kind == CCCD:
		r.CCCD = x.Number
	case x.Kind == CMND:
		r.CMND = x.Number
	case x.Kind == TaxCode:
		r.TaxCode = x.Number
	default:
		r.Insurance = x.Number
	}
	r.Notes |= x.Notes
}

// healthCard gives the last 10 of a health card's 15 characters: two letters
// (the group of the insured), 3 digits, and the social-insurance number.
func healthCard(text []byte) ([]byte, bool) {
	if len(text) > MaxNumberBytes {
		return nil, false
	}
	kept := make([]byte, 0, cardCharacters)
	for _, c := range text {
		if c == ' ' || c == '.' || c == '-' {
			continue
		}
		if len(kept) == cardCharacters {
			return nil, false
		}
		kept = append(kept, c)
	}
	if len(kept) != cardCharacters {
		return nil, false
	}
	for _, c := range kept[:2] {
		if c|0x20 < 'a' || c|0x20 > 'z' {
			return nil, false
		}
	}
	return kept[cardCharacters-insuranceDigits:], true
}

// ReadTaxCode reads the column of the tax code: 10 digits, 9 whose leading zero
// was lost, 13 of a branch or a place of business, or 12 that are the CCCD of a
// person or of who answers for a household business.
func ReadTaxCode(text []byte) Reading {
	value, count, refused := number(text)
	switch count {
	case 0:
		return Reading{Kind: TaxCode, Notes: refused}
	case cccdDigits:
		return Reading{CCCD, Number(value), CCCDFromTaxCode}
	case taxCodeDigits, branchDigits:
		return Reading{Kind: TaxCode, Number: Number(value)}
	case taxCodeDigits - 1:
		return Reading{TaxCode, Number(value), TaxCodeRestored}
	}
	return Reading{Kind: TaxCode, Notes: MalformedRefused}
}

// setTaxCode takes the tax code, which is no identifier of a person, as a
// company's has 10 digits too, unless it is the CCCD. It comes after the CCCD
// and the CMND.
func (r *Record) setTaxCode(text []byte) { r.set(ReadTaxCode(text)) }

func blank(text []byte) bool {
	for _, c := range text {
		if c != ' ' && c != '\t' {
			return false
		}
	}
	return true
}
