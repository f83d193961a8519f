package linkage

import (
	"github.com/hopluu/hopluu/processors/identity"
)

// kind is how the values of a column are kept and compared.
type kind uint8

const (
	textKind kind = iota
	dateKind
	numberKind
)

// form is how a text is made equal.
type form uint8

const (
	plainForm   form = iota
	nameForm         // placeholders of newborns, and names of which letters are gone, are none
	addressForm      // without the words that some leave out
	sexForm
	wardForm       // a ward's code or name of today
	wardBeforeForm // the same of before 1 July 2025
)

// role is what a column means, and so how its values are made equal.
type role struct {
	kind kind
	form form
	// read reads a number that has rules of its own.
	read func([]byte) identity.Reading
	// typed tells that the number is of kind id, and may turn out to be of
	// another, whose column it goes to.
	typed bool
	id    identity.Kind
	// own tells that everybody has one of their own, which a household does not
	// share.
	own bool
}

var roles = map[string]role{
	"full_name":  {form: nameForm},
	"given_name": {form: nameForm},
	"surname":    {form: nameForm},
	"address":    {form: addressForm},
	"street":     {},
	"place":      {},
	"ward":       {form: wardForm},
	"postcode":   {},
	"sex":        {form: sexForm},
	"category":   {},
	"text":       {},
	"identifier": {own: true}, // letters and digits
	"date":       {kind: dateKind},
	"number":     {kind: numberKind, own: true}, // an identifier of digits
	"phone":      {kind: numberKind},
	// Numbers of Vietnam.
	"cccd":             {kind: numberKind, read: identity.ReadCCCD, typed: true, id: identity.CCCD},
	"cmnd":             {kind: numberKind, read: identity.ReadCMND, typed: true, id: identity.CMND},
	"social_insurance": {kind: numberKind, read: identity.ReadInsurance, typed: true, id: identity.Insurance},
	"phone_vn":         {kind: numberKind, read: identity.ReadPhone},
	"tax_code":         {kind: numberKind, read: identity.ReadTaxCode, typed: true, id: identity.TaxCode},
	"province":         {kind: numberKind, read: identity.ReadProvince},
	// What the record speaks of: a person, a household, a household business, an
	// organisation.
	"node": {kind: numberKind, read: identity.ReadNode},
}

// maxDigits is how long a number may be.
const maxDigits = 15

// made is what a text was made into.
type made struct {
	// Both are empty when the text says nothing.
	canonical, toneless string
	// converted tells that it was in another encoding.
	converted bool
	node      identity.Node // what bears the name
}

// forms makes the canonical form of a text and the same without diacritics.
func forms(f form, text string) made {
	var t identity.Text
	switch f {
	case sexForm:
		sex := identity.ParseSex([]byte(text)).String()
		return made{canonical: sex, toneless: sex}
	case wardForm, wardBeforeForm:
		period := identity.WardsToday
		if f == wardBeforeForm {
			period = identity.WardsBefore
		}
		ward := identity.ParseWard([]byte(text), period).String()
		return made{canonical: ward, toneless: ward}
	case addressForm:
		t = identity.FoldAddress(text)
	default:
		t = identity.Fold(text)
	}
	m := made{canonical: t.Canonical, toneless: t.Toneless, converted: t.Was != identity.Unicode}
	if f == nameForm {
		m.node = t.Node()
		if t.NoName() {
			m.canonical, m.toneless = "", ""
		}
	}
	return m
}

const zerosRestored = identity.CCCDRestored | identity.CMNDRestored | identity.InsuranceRestored | identity.TaxCodeRestored

// readNumber reads an identifier of digits, or a telephone number. Fillers (one
// digit repeated, digits in a row) and what has letters are none.
func readNumber(c *ColumnSpec, text []byte) identity.Reading {
	if c.Role == "phone" {
		text = onlyDigits(text)
	}
	value, count, ok := identity.Digits(text)
	switch {
	case !ok || count < 4:
		return identity.Reading{Notes: identity.MalformedRefused}
	case identity.Filler(value, count):
		return identity.Reading{Notes: identity.FillerRefused}
	case c.Last > 0 && count > c.Last:
		value, count = value%tenTo(c.Last), c.Last
	case count > maxDigits:
		return identity.Reading{Notes: identity.MalformedRefused}
	}
	var notes identity.Notes
	if c.Digits > 0 {
		if count > c.Digits || count < c.Digits-2 {
			return identity.Reading{Notes: identity.MalformedRefused}
		}
		if count < c.Digits {
			notes = identity.CCCDRestored
		}
	}
	return identity.Reading{Number: identity.Number(value), Notes: notes}
}

func tenTo(n int) uint64 {
	p := uint64(1)
	for range n {
		p *= 10
	}
	return p
}

// onlyDigits leaves out of a telephone number all that is no digit.
func onlyDigits(text []byte) []byte {
	digits := make([]byte, 0, len(text))
	for _, c := range text {
		if c >= '0' && c <= '9' {
			digits = append(digits, c)
		}
	}
	return digits
}
