package identity

import "fmt"

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

// digits reads the digits of an identifier as people write it: spaces, dots,
// dashes and slashes between them are left out. It gives their value and
// count; ok is false when there is anything else, nothing, or more than 18.
func digits(text []byte) (value uint64, count int, ok bool) {
	if len(text) > MaxNumberBytes {
		return 0, 0, false
	}
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c >= '0' && c <= '9':
			if count == 18 {
				return 0, 0, false
			}
			value = value*10 + uint64(c-'0')
			count++
		case c == ' ' || c == '.' || c == '-' || c == '/' || c == '\t':
		case c == 0xc2 && i+1 < len(text) && text[i+1] == 0xa0: // no-break space
			i++
		default:
			return 0, 0, false
		}
	}
	return value, count, count > 0
}

// filler tells numbers that people write when they have none: one digit only
// (000000000, 999999999999), or digits that go up or down by one
// (123456789, 012345678912 up to its last digits, 987654321).
func filler(value uint64, count int) bool {
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

// Notes is what normalising found out about a record's identifiers; it is
// evidence, and of use to quality reports.
type Notes uint16

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
)

// Digits of each kind.
const (
	cccdDigits      = 12
	cmndDigits      = 9
	insuranceDigits = 10
	cardCharacters  = 15
)

// setCCCD reads the column of the CCCD: 12 digits, or 11 or 10 whose leading
// zeros were lost when what stands there with them has a CCCD's structure, or
// the 9 of a CMND.
func (r *Record) setCCCD(text []byte) {
	if blank(text) {
		return
	}
	value, count, ok := digits(text)
	switch {
	case !ok:
		r.Notes |= MalformedRefused
	case filler(value, count):
		r.Notes |= FillerRefused
	case count == cccdDigits:
		r.CCCD = Number(value)
	case count == cccdDigits-1 || count == cccdDigits-2:
		if !Number(value).Structure().Known {
			r.Notes |= MalformedRefused
			return
		}
		r.CCCD = Number(value)
		r.Notes |= CCCDRestored
	case count == cmndDigits:
		r.CMND = Number(value)
		r.Notes |= CMNDFromCCCD
	default:
		r.Notes |= MalformedRefused
	}
}

// setCMND reads the column of the CMND: 9 digits, or 8 whose leading zero was
// lost, or 12 that are the CCCD. It comes after setCCCD.
func (r *Record) setCMND(text []byte) {
	if blank(text) {
		return
	}
	value, count, ok := digits(text)
	switch {
	case !ok:
		r.Notes |= MalformedRefused
	case filler(value, count):
		r.Notes |= FillerRefused
	case count == cmndDigits:
		r.CMND = Number(value)
	case count == cmndDigits-1:
		r.CMND = Number(value)
		r.Notes |= CMNDRestored
	case count == cccdDigits:
		r.otherCCCD(Number(value), CCCDFromCMND)
	default:
		r.Notes |= MalformedRefused
	}
}

// setInsurance reads the insurance column: the 10 digits of the social-insurance
// number, 9 whose leading zero was lost, or the 15 characters of a health card,
// whose last 10 are the number.
func (r *Record) setInsurance(text []byte) {
	if blank(text) {
		return
	}
	if card, ok := healthCard(text); ok {
		text = card
		r.Notes |= InsuranceFromCard
	}
	value, count, ok := digits(text)
	switch {
	case !ok:
		r.Notes |= MalformedRefused
	case filler(value, count):
		r.Notes |= FillerRefused
	case count == insuranceDigits:
		r.Insurance = Number(value)
	case count == insuranceDigits-1:
		r.Insurance = Number(value)
		r.Notes |= InsuranceRestored
	default:
		r.Notes |= MalformedRefused
	}
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

// setTaxCode reads the tax code: 12 digits are the CCCD; 10 and 13 (a branch)
// are kept as what they are, which is no identifier of a person: a company's
// tax code has 10 digits too. It comes after setCCCD and setCMND.
func (r *Record) setTaxCode(text []byte) {
	if blank(text) {
		return
	}
	value, count, ok := digits(text)
	switch {
	case !ok:
		r.Notes |= MalformedRefused
	case filler(value, count):
		r.Notes |= FillerRefused
	case count == cccdDigits:
		r.otherCCCD(Number(value), CCCDFromTaxCode)
	case count == 10 || count == 13:
		r.TaxCode = Number(value)
	default:
		r.Notes |= MalformedRefused
	}
}

func (r *Record) otherCCCD(n Number, note Notes) {
	switch r.CCCD {
	case 0:
		r.CCCD = n
		r.Notes |= note
	case n:
	default:
		r.Notes |= TwoCCCDs
	}
}

// setPhone reads a telephone number; +84 and 0084 stand for 0. No rule links by
// it alone: families share telephones.
func (r *Record) setPhone(text []byte) {
	for len(text) > 0 && (text[0] == '+' || text[0] == ' ') {
		text = text[1:]
	}
	const subscriber = 1_000_000_000 // nine digits after the 0
	value, count, ok := digits(text)
	switch {
	case !ok || filler(value, count):
	case (count == 11 || count == 13) && value/subscriber == 84:
		r.Phone = Number(value % subscriber)
	case (count == 9 || count == 10) && value/subscriber == 0:
		r.Phone = Number(value)
	}
}

func blank(text []byte) bool {
	for _, c := range text {
		if c != ' ' && c != '\t' {
			return false
		}
	}
	return true
}
