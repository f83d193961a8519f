package golden

import "github.com/hopluu/hopluu/schemas/sectors"

// attribute is one thing that gold says of a person or an organisation.
type attribute struct {
	field  string // what the sector files call it: match of a column, or a field of organisation
	column string // in gold
	kind   kind
	// steady: it does not change in life, so that of values which are trusted
	// alike the one that most records state survives. Of the others it is the
	// newest.
	steady  bool
	meaning sectors.Text // when no sector file has a column for it
}

// kind is how the values of an attribute are read and compared.
type kind uint8

const (
	plain kind = iota // a code, a token: as it is
	name              // of a person: partial without diacritics or of one word
	words             // of a place or an organisation: case and form make no difference
	birth             // a date: partial on 1 January
	date
)

var personAttributes = []attribute{
	{sectors.FullName, "full_name", name, true, sectors.Text{Vi: "Họ và tên", En: "Name"}},
	{sectors.BirthDate, "birth_date", birth, true, sectors.Text{Vi: "Ngày sinh", En: "Date of birth"}},
	{sectors.Sex, "sex", plain, true, sectors.Text{Vi: "Giới tính", En: "Sex"}},
	{sectors.DiedOn, "died_on", date, true, sectors.Text{Vi: "Ngày mất", En: "Date of death"}},
	{sectors.CCCD, "cccd", plain, true, sectors.Text{Vi: "Số định danh cá nhân", En: "Personal identity number"}},
	{sectors.CMND, "cmnd", plain, true, sectors.Text{Vi: "Số chứng minh nhân dân cũ", En: "Old identity card number"}},
	{sectors.Insurance, "insurance_no", plain, true, sectors.Text{Vi: "Mã số bảo hiểm", En: "Insurance number"}},
	{sectors.TaxCode, "tax_code", plain, false, sectors.Text{Vi: "Mã số thuế", En: "Tax code"}},
	{sectors.Phone, "phone", plain, false, sectors.Text{Vi: "Số điện thoại", En: "Telephone number"}},
	{sectors.Ward, "ward_code", plain, false, sectors.Text{Vi: "Mã phường, xã", En: "Code of the ward"}},
	{sectors.Address, "address", words, false, sectors.Text{Vi: "Địa chỉ", En: "Address"}},
}

var organisationAttributes = []attribute{
	{"name", "name", words, true, sectors.Text{Vi: "Tên", En: "Name"}},
	{sectors.TaxCode, "tax_code", plain, true, sectors.Text{Vi: "Mã số thuế", En: "Tax code"}},
	{sectors.Phone, "phone", plain, false, sectors.Text{Vi: "Số điện thoại", En: "Telephone number"}},
	{sectors.Ward, "ward_code", plain, false, sectors.Text{Vi: "Mã phường, xã", En: "Code of the ward"}},
	{sectors.Address, "address", words, false, sectors.Text{Vi: "Địa chỉ", En: "Address"}},
	{"registered_on", "registered_on", date, true, sectors.Text{Vi: "Ngày đăng ký", En: "Date of registration"}},
}

func (a *attribute) sqlType() string {
	if a.kind == birth || a.kind == date {
		return "Nullable(Date32)"
	}
	return "Nullable(String)"
}

// value is the expression for the surviving text, ” for none, as gold has it.
func (a *attribute) value(text string) string {
	if a.kind == birth || a.kind == date {
		return "toDate32OrNull(" + text + ")"
	}
	return "nullIf(" + text + ", '')"
}

// partial is the condition on which a text says only part; "" when it never does.
func (a *attribute) partial(text string) string {
	switch a.kind {
	case name:
		return "isASCII(" + text + ") OR position(" + text + ", ' ') = 0"
	case birth:
		return "endsWith(" + text + ", '-01-01')"
	}
	return ""
}

// differs is the condition on which two texts say different things: a name
// without diacritics agrees with every name that it may stand for.
func (a *attribute) differs(x, y string) string {
	fold := func(s string) string {
		return "lowerUTF8(replaceRegexpAll(trimBoth(" + s + "), '\\\\s+', ' '))"
	}
	bare := func(s string) string {
		return "replaceAll(replaceRegexpAll(normalizeUTF8NFD(" + s + "), '\\\\p{M}', ''), 'đ', 'd')"
	}
	switch a.kind {
	case name:
		fx, fy := fold(x), fold(y)
		return "if(isASCII(" + x + ") OR isASCII(" + y + "), " + bare(fx) + " != " + bare(fy) + ", " + fx + " != " + fy + ")"
	case words:
		return fold(x) + " != " + fold(y)
	}
	return x + " != " + y
}
