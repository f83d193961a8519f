package identity

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/text/unicode/norm"
)

func TestNames(t *testing.T) {
	for _, c := range []struct{ raw, canonical, toneless string }{
		{"Nguyễn Văn An", "nguyễn văn an", "nguyen van an"},
		{"  NGUYỄN\u00a0 VĂN\tAN. ", "nguyễn văn an", "nguyen van an"},
		{norm.NFD.String("Trần Thị Ngọc Ánh"), "trần thị ngọc ánh", "tran thi ngoc anh"},
		{"Hoà", "hòa", "hoa"}, {"Hòa", "hòa", "hoa"}, {"Thuý", "thúy", "thuy"}, {"Thoại", "thoại", "thoai"}, {"Quý", "quý", "quy"},
		{"Ðỗ Đỗ ðỗ", "đỗ đỗ đỗ", "do do do"},
		{"H’Hen Niê", "hhen niê", "hhen nie"},
		{"Y\u200bến", "yến", "yen"},
		{"Con bà Lê Thị Hoa", "", ""}, {"BÉ TRAI", "", ""},
		{"", "", ""}, {" . ", "", ""},
		// Tones where nobody has them.
		{"Hòang Tòan Thúân", "hoàng toàn thuấn", "hoang toan thuan"}, {"Thuỷ Gìa Quí Khuỷu", "thủy già quí khuỷu", "thuy gia qui khuyu"},
		{"Qúy", "quý", "quy"},
		// Letters that are gone.
		{"Nguy?n V?n An", "", ""}, {"Nguy\ufffdn", "", ""}, {"Lê Lan?", "lê lan", "le lan"},
		{strings.Repeat("ệ", 400), strings.Repeat("ệ", 170), strings.Repeat("e", 170)},
	} {
		n := Fold(c.raw)
		if n.NoName() {
			n = Text{}
		}
		require.Equal(t, c.canonical, n.Canonical, "%q", c.raw)
		require.Equal(t, c.toneless, n.Toneless, "%q", c.raw)
	}
}

func TestDates(t *testing.T) {
	for text, want := range map[string]Date{
		"1985-03-20": NewDate(1985, 3, 20), "20/03/1985": NewDate(1985, 3, 20), "20-3-1985": NewDate(1985, 3, 20), "20.03.1985": NewDate(1985, 3, 20),
		"19850320": NewDate(1985, 3, 20), "1985-03-20 00:00:00": NewDate(1985, 3, 20), "1985-03-20T00:00:00Z": NewDate(1985, 3, 20),
		"1985": NewDate(1985, 0, 0), "03/1985": NewDate(1985, 0, 0), "29/02/1985": NewDate(1985, 0, 0), "1984-02-29": NewDate(1984, 2, 29),
		"": 0, "0": 0, "20/03/85": 0, "1985-03-20-01": 0, "abc": 0, "1700-01-01": 0, "1985--20": 0, "99999999999999999999": 0, "1985/": NewDate(1985, 0, 0),
	} {
		require.Equal(t, want, ParseDate([]byte(text)), text)
	}
	require.Equal(t, NewDate(1970, 1, 1), DateOfDays(0))
	require.Equal(t, NewDate(1965, 12, 31), DateOfDays(-1462))
	require.Zero(t, DateOfDays(2147483647), "PostgreSQL's infinity")
	require.Equal(t, 1985, NewDate(1985, 3, 20).Year())
	require.Equal(t, 3, NewDate(1985, 3, 20).Month())
	require.Equal(t, 20, NewDate(1985, 3, 20).Day())
}

func TestDateNotes(t *testing.T) {
	for _, c := range []struct {
		text       string
		monthFirst bool
		want       Date
		notes      Notes
	}{
		{"1985-03-20", false, NewDate(1985, 3, 20), 0},
		{"20/03/1985", false, NewDate(1985, 3, 20), 0},
		{"03/20/1985", true, NewDate(1985, 3, 20), 0},
		{"03/20/1985", false, NewDate(1985, 3, 20), BirthSwapped},
		{"1985-20-03", false, NewDate(1985, 3, 20), BirthSwapped},
		{"19852003", false, NewDate(1985, 3, 20), BirthSwapped},
		{"20/03/1985", true, NewDate(1985, 3, 20), BirthSwapped},
		{"1985", false, NewDate(1985, 0, 0), BirthYearOnly},
		{"03/1985", false, NewDate(1985, 0, 0), BirthYearOnly},
		{"00/00/1985", false, NewDate(1985, 0, 0), BirthYearOnly},
		{"1985-03-00", false, NewDate(1985, 0, 0), BirthYearOnly},
		{"29/02/1985", false, NewDate(1985, 0, 0), BirthImpossible},
		{"30/02/1984", false, NewDate(1984, 0, 0), BirthImpossible},
		{"31/04/1985", false, NewDate(1985, 0, 0), BirthImpossible},
		{"13/13/1985", false, NewDate(1985, 0, 0), BirthImpossible},
		{"29/02/1984", false, NewDate(1984, 2, 29), 0},
		{"29/02/1900", false, NewDate(1900, 0, 0), BirthImpossible},
		{"29/02/2000", false, NewDate(2000, 2, 29), 0},
		{"1900-01-01", false, 0, BirthRefused},
		{"01/01/1985", false, NewDate(1985, 1, 1), 0},
		{"không rõ", false, 0, BirthRefused}, {"9999-12-31", false, 0, BirthRefused}, {"", false, 0, 0}, {"  ", false, 0, 0},
	} {
		got, notes := ReadDate([]byte(c.text), c.monthFirst)
		require.Equal(t, c.want, got, c.text)
		require.Equal(t, c.notes, notes, c.text)
	}
}

func TestNumbers(t *testing.T) {
	type person struct{ cccd, cmnd, insurance, tax, phone string }
	for _, c := range []struct {
		name string
		in   person
		want Record
	}{
		{"as it is", person{cccd: "079085001234", cmnd: "024517348", insurance: "7912345670", tax: "8301442989", phone: "0903123457"},
			Record{CCCD: 79085001234, CMND: 24517348, Insurance: 7912345670, TaxCode: 8301442989, Phone: 903123457}},
		{"written with spaces", person{cccd: " 079 085 001 234", cmnd: "024.517.348"}, Record{CCCD: 79085001234, CMND: 24517348}},
		{"zeros lost", person{cccd: "79085001234", cmnd: "24517348", insurance: "791234567"},
			Record{CCCD: 79085001234, CMND: 24517348, Insurance: 791234567, Notes: CCCDRestored | CMNDRestored | InsuranceRestored}},
		{"11 digits that no CCCD has", person{cccd: "99985001234"}, Record{Notes: MalformedRefused}},
		{"a CMND in the CCCD's column", person{cccd: "024517348"}, Record{CMND: 24517348, Notes: CMNDFromCCCD}},
		{"12 digits of CMND", person{cmnd: "079085001234"}, Record{CCCD: 79085001234, Notes: CCCDFromCMND}},
		{"12 digits of tax code", person{tax: "079085001234"}, Record{CCCD: 79085001234, Notes: CCCDFromTaxCode}},
		{"another CCCD as tax code", person{cccd: "079085001234", tax: "079085001235"}, Record{CCCD: 79085001234, Notes: TwoCCCDs}},
		{"the same CCCD twice", person{cccd: "079085001234", tax: "079085001234"}, Record{CCCD: 79085001234}},
		{"a branch's tax code", person{tax: "0301442989-001"}, Record{TaxCode: 301442989001}},
		{"health card", person{insurance: "dn 4 79 7912345670"}, Record{Insurance: 7912345670, Notes: InsuranceFromCard}},
		{"health card without its letters", person{insurance: "4797912345670"}, Record{Insurance: 7912345670, Notes: InsuranceFromCard}},
		{"fillers", person{cccd: "999999999999", cmnd: "123456789", insurance: "0000000000", tax: "1111111111"}, Record{Notes: FillerRefused}},
		{"descending", person{cmnd: "987654321"}, Record{Notes: FillerRefused}},
		{"no numbers", person{cccd: "không có", cmnd: "47", insurance: "GD479", tax: "?"}, Record{Notes: MalformedRefused}},
		{"wrong lengths", person{cccd: "0790850012345", cmnd: "1234567891", insurance: "79123456789", tax: "125"}, Record{Notes: MalformedRefused}},
		{"empty", person{cccd: "", cmnd: "  "}, Record{}},
		{"country code", person{phone: "+84 903 123 457"}, Record{Phone: 903123457}},
		{"country code after 00", person{phone: "0084903123457"}, Record{Phone: 903123457}},
		{"phone of strange length", person{phone: "903"}, Record{Notes: MalformedRefused}},
		{"a mobile number of before 2018", person{phone: "01203 123 457"}, Record{Phone: 703123457, Notes: PhoneRenumbered}},
		{"the same with the country", person{phone: "+841693123457"}, Record{Phone: 393123457, Notes: PhoneRenumbered}},
		{"11 digits of no operator", person{phone: "01103123457"}, Record{Notes: MalformedRefused}},
		{"country and 0", person{phone: "(+84) 0903.123.457"}, Record{Phone: 903123457}},
		{"a landline", person{phone: "028 3829 7266"}, Record{Phone: 2838297266}},
		{"a landline with the country", person{phone: "+84 28 3829 7266"}, Record{Phone: 2838297266}},
		{"two telephones", person{phone: "0903123457 / 0912345670"}, Record{Phone: 903123457}},
		{"fillers of telephones", person{phone: "0000000000"}, Record{Notes: FillerRefused}},
		{"a number that was a decimal", person{cccd: "79085001234.0", cmnd: "24517348.0"}, Record{CCCD: 79085001234, CMND: 24517348, Notes: CCCDRestored | CMNDRestored}},
		{"a number that a spreadsheet shortened", person{cccd: "7.9085E+10"}, Record{Notes: MalformedRefused}},
		{"an apostrophe and no width", person{cccd: "'079085001234", cmnd: "\u200b024517348\ufeff"}, Record{CCCD: 79085001234, CMND: 24517348}},
	} {
		got := Numbers(&Raw{CCCD: []byte(c.in.cccd), CMND: []byte(c.in.cmnd), Insurance: []byte(c.in.insurance), TaxCode: []byte(c.in.tax), Phone: []byte(c.in.phone)})
		require.Equal(t, [5]uint64{uint64(c.want.CCCD), uint64(c.want.CMND), uint64(c.want.Insurance), uint64(c.want.TaxCode), uint64(c.want.Phone)},
			[5]uint64{uint64(got.CCCD), uint64(got.CMND), uint64(got.Insurance), uint64(got.TaxCode), uint64(got.Phone)}, c.name)
		require.Equal(t, c.want.Notes, got.Notes, c.name)
	}
}

func TestStructure(t *testing.T) {
	require.Equal(t, Structure{Known: true, Province: 79, Sex: Male, BirthYear: 1985}, Number(79_0_85_001234).Structure())
	require.Equal(t, Structure{Known: true, Province: 1, Sex: Female, BirthYear: 2023}, Number(1_3_23_001234).Structure())
	require.False(t, Number(99_0_85_001234).Structure().Known)
	require.False(t, Number(79_9_85_001234).Structure().Known)
}

func TestSexes(t *testing.T) {
	for text, want := range map[string]Sex{"male": Male, "Nam": Male, "trai": Male, "N÷": Female, "Nöõ": Female, "Gái": Female, "M": Male, "female": Female, "NỮ": Female, "Nu": Female, norm.NFD.String("nữ"): Female, "": SexUnknown, "không rõ": SexUnknown} {
		require.Equal(t, want, ParseSex([]byte(text)), text)
	}
}

// TestNoPlaintextIsPrinted is P11: whatever verb or encoder prints a number
// holds no identifier.
func TestNoPlaintextIsPrinted(t *testing.T) {
	r := Numbers(&Raw{CCCD: []byte("079085001234"), CMND: []byte("024517348"), Insurance: []byte("7912345670"), Phone: []byte("0903123457")})
	encoded, err := json.Marshal(r)
	require.NoError(t, err)
	out := fmt.Sprintf("%v %+v %d %x %s %#v %s", r, r.CCCD, r.CCCD, r.CMND, r.Insurance, r.Phone, encoded)
	for _, secret := range []string{"79085001234", "24517348", "7912345670", "903123457", fmt.Sprintf("%x", uint64(r.CMND))} {
		require.NotContains(t, out, secret)
	}
}

func FuzzFold(f *testing.F) {
	for _, s := range []string{"Nguyễn Văn An", "Hoà", "Thuỷ", "Quý", "Ðỗ", "Đo\u0302\u0303", "\u0300", "İ", "ﬁ", "a\u200d\u0301", "con bà "} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		n := Fold(string(text))
		if again := canonicalName(n.Canonical); again != n.Canonical {
			t.Fatalf("%q became %q and then %q", text, n.Canonical, again)
		}
		if strings.HasPrefix(n.Canonical, " ") || strings.Contains(n.Canonical, "  ") {
			t.Fatalf("%q keeps spaces: %q", text, n.Canonical)
		}
	})
}

func FuzzReadDate(f *testing.F) {
	for _, s := range []string{"1985-03-20", "20/03/1985", "1985", "19850320", "29/02/1985", "1985-20-03", "00/00/1985"} {
		f.Add([]byte(s), false)
		f.Add([]byte(s), true)
	}
	f.Fuzz(func(t *testing.T, text []byte, monthFirst bool) {
		d, notes := ReadDate(text, monthFirst)
		switch {
		case d == 0:
			if notes&^BirthRefused != 0 {
				t.Fatalf("%q is no date, with notes %b", text, notes)
			}
		case NewDate(d.Year(), d.Month(), d.Day()) != d:
			t.Fatalf("%q is %d-%d-%d", text, d.Year(), d.Month(), d.Day())
		case (d.Month() == 0) != (notes&(BirthYearOnly|BirthImpossible) != 0):
			t.Fatalf("%q is %d-%d-%d, with notes %b", text, d.Year(), d.Month(), d.Day(), notes)
		}
	})
}

func FuzzNumbers(f *testing.F) {
	f.Add([]byte("079085001234"), []byte("024517348"), []byte("DN4797912345670"), []byte("8301442989"))
	f.Add([]byte("79085001234"), []byte("079085001234"), []byte("999999999"), []byte("1234567890123"))
	f.Fuzz(func(t *testing.T, cccd, cmnd, insurance, tax []byte) {
		r := Numbers(&Raw{CCCD: cccd, CMND: cmnd, Insurance: insurance, TaxCode: tax, Phone: cccd})
		if r.CCCD >= 1e12 || r.CMND >= 1e9 || r.Insurance >= 1e10 || r.TaxCode >= 1e13 || r.Phone >= 3e9 {
			t.Fatal("a number has more digits than its kind")
		}
	})
}
