package linkage

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hopluu/hopluu/processors/identity"
	"github.com/hopluu/hopluu/schemas/event"
)

// The hardest cases, by the numbers of the list of hard cases. want names for each record the record that its person begins
// with; decisions those that matter.
var cases = []struct {
	name      string
	people    []person
	want      map[string]string
	decisions map[string]string
}{
	{
		name: "case01 twins, one with the other's number",
		people: []person{
			{id: "population.citizen:1", in: register, cccd: "079212000001", name: "Nguyễn Minh Anh", birth: "2012-12-01", sex: "male"},
			{id: "population.citizen:2", in: register, cccd: "079212000002", name: "Nguyễn Minh Bảo", birth: "2012-12-01", sex: "male"},
			{id: "health.patient:1", in: health, cccd: "079212000001", name: "Nguyễn Minh Anh", birth: "2012-12-01", sex: "male"},
			{id: "health.patient:2", in: health, cccd: "079212000001", name: "Nguyễn Minh Bảo", birth: "2012-12-01", sex: "male"},
		},
		// The number says one twin, and all else the other, whose own it is one
		// digit from.
		want: map[string]string{"health.patient:1": "population.citizen:1", "health.patient:2": "population.citizen:2", "population.citizen:2": "population.citizen:2"},
	},
	{
		name: "case02 twins of opposite sex",
		people: []person{
			{id: "population.citizen:1", in: register, cccd: "079212000001", name: "Nguyễn Minh Anh", birth: "2012-12-01", sex: "male"},
			{id: "health.patient:2", in: health, cccd: "079212000001", name: "Nguyễn Thị Ngọc Lan", birth: "2012-12-01", sex: "female"},
		},
		want:      map[string]string{"health.patient:2": "health.patient:2"},
		decisions: map[string]string{"health.patient:2": identity.DecisionReview},
	},
	{
		name: "case03 one name and birth date, two people",
		people: []person{
			{id: "population.citizen:1", in: register, cccd: "079085000001", name: "Nguyễn Văn An", birth: "1985-03-20"},
			{id: "population.citizen:2", in: register, cccd: "079085000002", name: "Nguyễn Văn An", birth: "1985-03-20"},
			{id: "health.patient:1", in: health, name: "Nguyễn Văn An", birth: "1985-03-20"},
		},
		want: map[string]string{"population.citizen:1": "population.citizen:1", "population.citizen:2": "population.citizen:2", "health.patient:1": "health.patient:1"},
		// It is one of the two as likely as the other.
		decisions: map[string]string{"health.patient:1": identity.DecisionReview},
	},
	{
		name: "case04 father and son of one name, the son with the father's number",
		people: []person{
			{id: "population.citizen:1", in: register, cccd: "079060000001", name: "Trần Văn Tài", birth: "1960-02-11", sex: "male"},
			{id: "health.patient:1", in: health, cccd: "079060000001", name: "Trần Văn Tài", birth: "1988-07-30", sex: "male"},
		},
		want:      map[string]string{"health.patient:1": "health.patient:1"},
		decisions: map[string]string{"health.patient:1": identity.DecisionReview},
	},
	{
		name: "case05 one CMND, two people of the register",
		people: []person{
			{id: "population.citizen:1", in: register, cccd: "079085000001", cmnd: "024517348", name: "Nguyễn Văn An", birth: "1985-03-20"},
			{id: "population.citizen:2", in: register, cccd: "079085000002", cmnd: "024517348", name: "Lê Thị Bích", birth: "1979-01-02"},
			{id: "health.patient:1", in: health, cmnd: "024517348", name: "Nguyễn Văn An", birth: "1985-03-20"},
			{id: "health.patient:2", in: health, cmnd: "024517348"},
		},
		want: map[string]string{"population.citizen:1": "population.citizen:1", "population.citizen:2": "population.citizen:2", "health.patient:1": "population.citizen:1", "health.patient:2": "health.patient:2"},
		// The number says nothing; name and birth date do. The register's own
		// record is a citizen whatever it shares.
		decisions: map[string]string{"health.patient:2": identity.DecisionReview, "population.citizen:2": identity.DecisionLink},
	},
	{
		name: "case05 a CMND that only one of the register holds, also used by a stranger",
		people: []person{
			{id: "population.citizen:1", in: register, cccd: "079085000001", cmnd: "024517348", name: "Nguyễn Văn An", birth: "1985-03-20"},
			{id: "health.patient:1", in: health, cmnd: "024517348", name: "Nguyễn Văn An", birth: "1985-03-20"},
			{id: "health.patient:2", in: health, cmnd: "024517348", name: "Lê Thị Bích", birth: "1979-01-02"},
			{id: "health.patient:3", in: health, cmnd: "024517348"},
		},
		want:      map[string]string{"health.patient:1": "population.citizen:1", "health.patient:2": "health.patient:2", "health.patient:3": "health.patient:3"},
		decisions: map[string]string{"health.patient:2": identity.DecisionReview, "health.patient:3": identity.DecisionReview},
	},
	{
		name: "case06 one person, two CMNDs",
		people: []person{
			{id: "population.citizen:1", in: register, cccd: "079085000001", cmnd: "024517348", name: "Nguyễn Văn An", birth: "1985-03-20"},
			{id: "health.patient:1", in: health, cmnd: "024517348", name: "Nguyễn Văn An", birth: "1985-03-20"},
			{id: "welfare.beneficiary:1", in: welfare, cccd: "079085000001", cmnd: "311234987", name: "Nguyễn Văn An", birth: "1985-03-20"},
		},
		want: map[string]string{"health.patient:1": "population.citizen:1", "welfare.beneficiary:1": "population.citizen:1"},
	},
	{
		name: "case07 two digits of the CCCD exchanged, the CMND right",
		people: []person{
			{id: "population.citizen:1", in: register, cccd: "079085001234", cmnd: "024517348", name: "Nguyễn Văn An", birth: "1985-03-20"},
			{id: "health.patient:1", in: health, cccd: "079085001243", cmnd: "024517348", name: "Nguyen Van An", birth: ""},
		},
		want: map[string]string{"health.patient:1": "population.citizen:1"},
	},
	{
		name: "case08 a typo that is another's CCCD",
		people: []person{
			{id: "population.citizen:1", in: register, cccd: "079085001234", cmnd: "024517348", name: "Nguyễn Văn An", birth: "1985-03-20"},
			{id: "population.citizen:2", in: register, cccd: "079085001235", name: "Phạm Thị Cúc", birth: "1985-11-02"},
			{id: "health.patient:1", in: health, cccd: "079085001235", cmnd: "024517348", name: "Nguyễn Văn An", birth: "1985-03-20"},
			{id: "health.patient:2", in: health, cccd: "079085001235", name: "Phạm Thị Cúc", birth: "1985-11-02"},
		},
		want: map[string]string{"health.patient:1": "population.citizen:1", "health.patient:2": "population.citizen:2"},
	},
	{
		name: "case09 the CCCD's sex against the stated one",
		people: []person{
			{id: "population.citizen:1", in: register, cccd: "079085001234", name: "Nguyễn Văn An", birth: "1985-03-20", sex: "male"},
			{id: "health.patient:1", in: health, cccd: "079085001234", name: "Nguyễn Văn An", birth: "1985-03-20", sex: "female"},
			{id: "welfare.beneficiary:1", in: welfare, cccd: "079085001234", sex: "female"},
		},
		want:      map[string]string{"health.patient:1": "population.citizen:1", "welfare.beneficiary:1": "welfare.beneficiary:1"},
		decisions: map[string]string{"welfare.beneficiary:1": identity.DecisionReview},
	},
	{
		name: "case10 CCCD issued anew, the old one still in use",
		people: []person{
			{id: "population.citizen:1", in: register, cccd: "079085009999", cmnd: "024517348", name: "Nguyễn Văn An", birth: "1985-03-20"},
			{id: "health.patient:1", in: health, cccd: "079085001234", cmnd: "024517348", name: "Nguyễn Văn An", birth: "1985-03-20"},
			{id: "welfare.beneficiary:1", in: welfare, cccd: "079085001234", name: "Nguyễn Văn An", birth: "1985-03-20"},
		},
		want: map[string]string{"health.patient:1": "population.citizen:1", "welfare.beneficiary:1": "population.citizen:1"},
	},
	{
		name: "case11 a child with the guardian's CCCD and phone",
		people: []person{
			{id: "population.citizen:1", in: register, cccd: "079185001234", phone: "0903123456", name: "Lê Thị Hoa", birth: "1985-03-20", sex: "female"},
			{id: "health.patient:1", in: health, cccd: "079185001234", phone: "+84903123456", name: "Trần Lê Gia Bảo", birth: "2018-09-09", sex: "male"},
			{id: "health.patient:2", in: health, cccd: "079185001234", name: "LE THI HOA", birth: "1985-03-20", sex: "female"},
		},
		want:      map[string]string{"health.patient:1": "health.patient:1", "health.patient:2": "population.citizen:1"},
		decisions: map[string]string{"health.patient:1": identity.DecisionReview},
	},
	{
		name: "case12 a newborn's placeholder name is no name",
		people: []person{
			{id: "population.citizen:1", in: register, cccd: "079223001234", name: "Trần Gia Bảo", birth: "2023-05-06", sex: "male"},
			{id: "health.patient:1", in: health, cccd: "079223001234", name: "Con bà Lê Thị Hoa", birth: "2023-05-06", sex: "male"},
		},
		want: map[string]string{"health.patient:1": "population.citizen:1"},
	},
	{
		name: "case13 diacritics stripped, case14 NFD, case15 tone, y and Ð",
		people: []person{
			{id: "population.citizen:1", in: register, cccd: "079085001234", name: "Đặng Thị Hòa Vỹ"},
			{id: "health.patient:13", in: health, cccd: "079085001234", name: "DANG THI HOA VY"},
			{id: "health.patient:14", in: health, cccd: "079085001234", name: "Đặng Thị Ho\u0300a Vy\u0303"},
			{id: "health.patient:15", in: health, cccd: "079085001234", name: "Ðặng Thị Hoà Vĩ"},
		},
		want: map[string]string{"health.patient:13": "population.citizen:1", "health.patient:14": "population.citizen:1", "health.patient:15": "population.citizen:1"},
	},
	{
		name: "case16 name order turned, middle name missing; case17 regional variants",
		people: []person{
			{id: "population.citizen:1", in: register, cccd: "079085001234", name: "Huỳnh Thị Ngọc Phúc"},
			{id: "health.patient:1", in: health, cccd: "079085001234", name: "Thị Ngọc Phúc Huỳnh"},
			{id: "health.patient:2", in: health, cccd: "079085001234", name: "Huỳnh Phúc"},
			{id: "health.patient:3", in: health, cccd: "079085001234", name: "Hoàng Thị Ngọc Phước"},
		},
		want: map[string]string{"health.patient:1": "population.citizen:1", "health.patient:2": "population.citizen:1", "health.patient:3": "population.citizen:1"},
	},
	{
		name: "case18 year only, case19 29 February of a common year, case20 day and month swapped",
		people: []person{
			{id: "population.citizen:1", in: register, cccd: "079085001234", birth: "1985-03-05"},
			{id: "health.patient:18", in: health, cccd: "079085001234", birth: "1985-01-01"},
			{id: "health.patient:19", in: health, cccd: "079085001234", birth: "29/02/1985"},
			{id: "health.patient:20", in: health, cccd: "079085001234", birth: "1985-05-03"},
			{id: "health.patient:0", in: health, cccd: "079085001234", birth: "1985-07-09"},
		},
		want:      map[string]string{"health.patient:18": "health.patient:18", "health.patient:0": "health.patient:0"},
		decisions: map[string]string{"health.patient:0": identity.DecisionReview},
	},
	{
		name: "case18 to case20 while nobody contradicts",
		people: []person{
			{id: "population.citizen:1", in: register, cccd: "079085001234", birth: "1985-03-05"},
			{id: "health.patient:18", in: health, cccd: "079085001234", birth: "1985-01-01"},
			{id: "health.patient:19", in: health, cccd: "079085001234", birth: "29/02/1985"},
		},
		want: map[string]string{"health.patient:18": "population.citizen:1", "health.patient:19": "population.citizen:1"},
	},
	{
		name: "case20 day and month swapped, name written otherwise",
		people: []person{
			{id: "population.citizen:1", in: register, cccd: "079085001234", name: "Nguyễn Văn An", birth: "1985-03-05"},
			{id: "health.patient:20", in: health, cccd: "079085001234", name: "Văn An", birth: "1985-05-03"},
		},
		want: map[string]string{"health.patient:20": "population.citizen:1"},
	},
	{
		name: "case21 the head's number on every member of the household",
		people: []person{
			{id: "population.citizen:1", in: register, cccd: "079060001234", name: "Phạm Văn Đức", birth: "1960-04-05", sex: "male"},
			{id: "welfare.beneficiary:1", in: welfare, cccd: "079060001234", name: "Phạm Văn Đức", birth: "1960-04-05", sex: "male"},
			{id: "welfare.beneficiary:2", in: welfare, cccd: "079060001234", name: "Lê Thị Mai", birth: "1963-08-01", sex: "female"},
			{id: "welfare.beneficiary:3", in: welfare, cccd: "079060001234", name: "Phạm Văn Dũng", birth: "1990-10-10", sex: "male"},
			{id: "welfare.beneficiary:4", in: welfare, cccd: "079060001234"},
		},
		want: map[string]string{"welfare.beneficiary:1": "population.citizen:1", "welfare.beneficiary:2": "welfare.beneficiary:2",
			"welfare.beneficiary:3": "welfare.beneficiary:3", "welfare.beneficiary:4": "welfare.beneficiary:4"},
	},
	{
		name: "case22 a household business under its owner's CCCD",
		people: []person{
			{id: "population.citizen:1", in: register, cccd: "079085001234", name: "Nguyễn Văn An", birth: "1985-03-20"},
			{id: "tax.taxpayer:1", in: tax, tax: "079085001234", name: "Nguyễn Văn An"},
		},
		want: map[string]string{"tax.taxpayer:1": "population.citizen:1"},
	},
	{
		name: "case23 a company's tax code is no insurance number",
		people: []person{
			{id: "health.patient:1", in: health, insurance: "0301442989"},
			{id: "tax.taxpayer:1", in: tax, tax: "0301442989"},
			{id: "tax.taxpayer:2", in: tax, tax: "0301442989-001"},
		},
		want:      map[string]string{"health.patient:1": "health.patient:1", "tax.taxpayer:1": "tax.taxpayer:1", "tax.taxpayer:2": "tax.taxpayer:2"},
		decisions: map[string]string{"tax.taxpayer:1": identity.DecisionSingle},
	},
	{
		name: "case25 nobody is born after having died: an id used again",
		people: []person{
			{id: "population.citizen:1", in: register, cccd: "079085001234", died: "1984-01-09"},
			{id: "health.patient:1", in: health, cccd: "079085001234", birth: "1985-03-20"},
		},
		want:      map[string]string{"health.patient:1": "health.patient:1"},
		decisions: map[string]string{"health.patient:1": identity.DecisionReview},
	},
	{
		name: "case25 deceased, then active",
		people: []person{
			{id: "population.citizen:1", in: register, cccd: "079050001234", name: "Nguyễn Văn An", birth: "1950-03-20", died: "2020-01-09"},
			{id: "welfare.beneficiary:1", in: welfare, cccd: "079050001234", name: "Nguyễn Văn An", birth: "1950-03-20"},
		},
		want: map[string]string{"welfare.beneficiary:1": "population.citizen:1"},
	},
	{
		name: "case27 married, moved to another ward",
		people: []person{
			{id: "population.citizen:1", in: register, cccd: "079190001234", name: "Lê Thị Mai", birth: "1990-11-02", ward: "26734"},
			{id: "health.patient:1", in: health, cccd: "079190001234", name: "Lê Thị Mai", birth: "1990-11-02", ward: "27460"},
		},
		want: map[string]string{"health.patient:1": "population.citizen:1"},
	},
	{
		name: "case28 leading zeros lost, and fillers",
		people: []person{
			{id: "population.citizen:1", in: register, cccd: "079085001234", name: "Nguyễn Văn An"},
			{id: "population.citizen:2", in: register, cccd: "001185004321", cmnd: "024517348", name: "Lê Thị Mai"},
			{id: "health.patient:1", in: health, cccd: "79085001234", name: "Nguyễn Văn An"},
			{id: "health.patient:2", in: health, cccd: "1185004321", name: "Lê Thị Mai"},
			{id: "health.patient:3", in: health, cmnd: "24517348", name: "Lê Thị Mai"},
			{id: "health.patient:4", in: health, cccd: "000000000000", cmnd: "123456789", insurance: "9999999999", name: "Bùi Văn Hai"},
			{id: "health.patient:5", in: health, cccd: "000000000000", cmnd: "123456789", insurance: "9999999999", name: "Bùi Văn Hai"},
		},
		want: map[string]string{"health.patient:1": "population.citizen:1", "health.patient:2": "population.citizen:2", "health.patient:3": "population.citizen:2",
			"health.patient:4": "health.patient:4", "health.patient:5": "health.patient:5"},
	},
	{
		name: "insurance number through a record that is linked otherwise",
		people: []person{
			{id: "population.citizen:1", in: register, cccd: "079085001234", name: "Nguyễn Văn An", birth: "1985-03-20"},
			{id: "health.patient:1", in: health, cccd: "079085001234", insurance: "DN4797912345670", name: "Nguyễn Văn An", birth: "1985-03-20"},
			{id: "welfare.beneficiary:1", in: welfare, insurance: "7912345670", name: "Nguyễn Văn An", birth: "1985-03-20"},
			{id: "welfare.beneficiary:2", in: welfare, insurance: "7912345670", name: "Trần Thị Dung", birth: "1991-03-21"},
		},
		want:      map[string]string{"welfare.beneficiary:1": "population.citizen:1", "welfare.beneficiary:2": "welfare.beneficiary:2"},
		decisions: map[string]string{"welfare.beneficiary:2": identity.DecisionReview},
	},
	{
		name: "case06 a CMND on two records, without the register",
		people: []person{
			{id: "health.patient:1", in: health, cmnd: "024517348", name: "Nguyễn Văn An", birth: "1985-03-20"},
			{id: "welfare.beneficiary:1", in: welfare, cmnd: "024517348", name: "Nguyễn Văn An", birth: "1985-03-20"},
			{id: "welfare.beneficiary:2", in: welfare, cmnd: "024517349", name: "Lê Thị Bích", birth: "1979-01-02"},
		},
		want: map[string]string{"welfare.beneficiary:1": "health.patient:1", "welfare.beneficiary:2": "welfare.beneficiary:2"},
	},
	{
		name: "case24 a foreigner, whose passport no column keeps, renewed or not",
		people: []person{
			{id: "health.patient:1", in: health, name: "Johansson Erik Lars", birth: "1979-06-11", sex: "male", phone: "0903123456", address: "12 Thảo Điền"},
			{id: "tax.taxpayer:1", in: tax, name: "JOHANSSON ERIK LARS", birth: "1979-06-11", sex: "male", phone: "0903123456"},
			{id: "tax.taxpayer:2", in: tax, name: "Johansson Mia", birth: "1981-02-03", sex: "female", phone: "0903123456"},
		},
		want: map[string]string{"tax.taxpayer:1": "health.patient:1", "tax.taxpayer:2": "tax.taxpayer:2"},
	},
	{
		name: "case26 a ward's code that names another place now",
		people: []person{
			{id: "population.citizen:1", in: register, cccd: "079190001234", name: "Lê Thị Mai", birth: "1990-11-02", ward: "26737"},
			{id: "health.patient:1", in: health, name: "Lê Thị Mai", birth: "1991-11-02", ward: "26737"},
		},
		want: map[string]string{"health.patient:1": "health.patient:1"},
	},
	{
		name: "case26 a ward's code of two times, of one and of none",
		people: []person{
			{id: "health.patient:1", in: health, name: "Quách Thị Sương", birth: "1990-01-01", sex: "female", ward: "26737", written: "2024-03-04"},
			{id: "welfare.beneficiary:1", in: welfare, name: "Quách Thị Sương", birth: "1990-01-01", sex: "female", ward: "26737", written: "2025-10-11"},
			{id: "health.patient:2", in: health, name: "Kha Thị Sương", birth: "1990-01-01", sex: "female", ward: "26737", written: "2024-03-04"},
			{id: "welfare.beneficiary:2", in: welfare, name: "Kha Thị Sương", birth: "1990-01-01", sex: "female", ward: "26737", written: "2025-06-30"},
		},
		want:      map[string]string{"welfare.beneficiary:1": "welfare.beneficiary:1", "welfare.beneficiary:2": "health.patient:2"},
		decisions: map[string]string{"welfare.beneficiary:1": identity.DecisionReview},
	},
	{
		name: "neighbouring numbers, names a letter apart, no birth date: the next person, or two mistakes",
		people: []person{
			{id: "population.citizen:1", in: register, cccd: "079085001234", cmnd: "024517348", name: "Thạch Gia Khuê", ward: "26734", sex: "male"},
			{id: "health.patient:1", in: health, cccd: "079085001235", name: "Thạch Gia Khuy", ward: "26734", sex: "male"},
			{id: "health.patient:2", in: health, cccd: "079085001134", cmnd: "024517349", name: "Thạch Gia Khuế", ward: "26734", sex: "male"},
			// Its CMND says whose it is.
			{id: "tax.taxpayer:1", in: tax, cccd: "079085001243", cmnd: "024517348", name: "Thạch Gia Khua"},
		},
		want:      map[string]string{"health.patient:1": "health.patient:1", "health.patient:2": "health.patient:2", "tax.taxpayer:1": "population.citizen:1"},
		decisions: map[string]string{"health.patient:1": identity.DecisionReview, "health.patient:2": identity.DecisionReview},
	},
}

func TestCases(t *testing.T) {
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			links := linksOf(t, c.people...)
			for record, leader := range c.want {
				require.Equal(t, identity.PersonOf(leader), links[record].Person, "%s: %s %s %s", record, links[record].Decision, links[record].Rule, links[record].Reasons)
			}
			for record, decision := range c.decisions {
				require.Equal(t, decision, links[record].Decision, record)
			}
		})
	}
}

// TestCase29ABridgeThatGoesParts: a record that joins two clusters is deleted.
func TestCase29ABridgeThatGoesParts(t *testing.T) {
	e, links := engine(t, cityModel(t)), published{}
	a := person{id: "health.patient:1", in: health, cccd: "079085001234", name: "Nguyễn Văn An"}
	b := person{id: "welfare.beneficiary:1", in: welfare, insurance: "7912345670", name: "Nguyễn Văn An"}
	bridge := person{id: "tax.taxpayer:1", in: tax, cccd: "079085001234", insurance: "7912345670", name: "Nguyễn Văn An", at: 1}
	for _, p := range []person{a, b} {
		e.Upsert(p.raw())
	}
	links.solve(t, e)
	before := links[b.id].Person
	require.NotEqual(t, links[a.id].Person, before)

	e.Upsert(bridge.raw())
	changes, events := solve(t, e)
	require.Equal(t, changes[bridge.id].Person, changes[b.id].Person)
	require.Equal(t, []Event{{
		Kind:   EventMerge,
		Before: inOrder(Members{identity.PersonOf(a.id), []string{a.id}}, Members{before, []string{b.id}}),
		After:  []Members{{identity.PersonOf(a.id), []string{a.id, bridge.id, b.id}}},
		Causes: []string{bridge.id}, Model: "city-5",
	}}, events)

	require.True(t, e.Delete(bridge.id, bridge.in, event.Position{Epoch: 1, LSN: 1, Ordinal: 1}))
	changes, events = solve(t, e)
	require.Equal(t, "withdrawn", changes[bridge.id].Decision)
	require.Equal(t, before, changes[b.id].Person)
	require.Equal(t, []Event{{
		Kind:   EventSplit,
		Before: []Members{{identity.PersonOf(a.id), []string{a.id, bridge.id, b.id}}},
		After:  inOrder(Members{identity.PersonOf(a.id), []string{a.id}}, Members{before, []string{b.id}}),
		Causes: []string{bridge.id}, Model: "city-5",
	}}, events)
}

// inOrder puts two persons in the order of an event.
func inOrder(x, y Members) []Members {
	if x.Person.String() > y.Person.String() {
		return []Members{y, x}
	}
	return []Members{x, y}
}

// TestCase30AHumanNo: what a person keeps apart stays apart, whatever comes
// later, and what a person joins that the register keeps apart is a conflict.
func TestCase30AHumanNo(t *testing.T) {
	e, links := engine(t, cityModel(t)), published{}
	a := person{id: "health.patient:1", in: health, insurance: "7912345670", name: "Nguyễn Văn An"}
	b := person{id: "welfare.beneficiary:1", in: welfare, insurance: "7912345670", name: "Nguyễn Văn An"}
	require.True(t, e.Decide(Decision{A: b.id, B: a.id, Verdict: Different, Version: 2}), "before the records are there")
	require.False(t, e.Decide(Decision{A: a.id, B: b.id, Verdict: Same, Version: 1}), "an older one, late")
	for _, p := range []person{a, b} {
		e.Upsert(p.raw())
	}
	links.solve(t, e)
	require.NotEqual(t, links[a.id].Person, links[b.id].Person)
	require.Equal(t, identity.DecisionApart, links[a.id].Decision)
	require.Equal(t, RuleDecision, links[a.id].Rule)

	both := person{id: "tax.taxpayer:1", in: tax, name: "Nguyễn Văn An", birth: "1985-03-20", phone: "0903123456"}
	a.birth, a.phone, a.at = both.birth, both.phone, 1
	b.birth, b.phone, b.at = both.birth, both.phone, 1
	for _, p := range []person{a, b, both} {
		e.Upsert(p.raw())
	}
	links.solve(t, e)
	require.NotEqual(t, links[a.id].Person, links[b.id].Person, "a record that would link both")

	require.True(t, e.Decide(Decision{A: a.id, B: b.id, Verdict: Unsaid, Version: 3}))
	links.solve(t, e)
	require.Equal(t, links[a.id].Person, links[b.id].Person)

	first := person{id: "population.citizen:1", in: register, cccd: "079085000001", name: "Nguyễn Văn An"}
	second := person{id: "population.citizen:2", in: register, cccd: "079085000002", name: "Trần Văn Ba"}
	for _, p := range []person{first, second} {
		e.Upsert(p.raw())
	}
	e.Decide(Decision{A: first.id, B: second.id, Verdict: Same, Version: 1})
	e.Decide(Decision{A: first.id, B: a.id, Verdict: Same, Version: 1})
	links.solve(t, e)
	require.Equal(t, []Conflict{{first.id, second.id}}, e.Conflicts())
	require.NotEqual(t, links[first.id].Person, links[second.id].Person)
	require.Equal(t, first.id, links[a.id].Citizen)
}

// TestCase31ALateCCCDMerges joins two long-lived clusters; the citizen's person
// keeps its name.
func TestCase31ALateCCCDMerges(t *testing.T) {
	e, links := engine(t, cityModel(t)), published{}
	citizen := person{id: "population.citizen:1", in: register, cccd: "079085001234", name: "Nguyễn Văn An", birth: "1985-03-20"}
	a := person{id: "health.patient:1", in: health, insurance: "7912345670", name: "Nguyễn Văn An"}
	b := person{id: "welfare.beneficiary:1", in: welfare, insurance: "7912345670", name: "Nguyễn Văn An"}
	for _, p := range []person{citizen, a, b} {
		e.Upsert(p.raw())
	}
	links.solve(t, e)
	require.Empty(t, links[a.id].Citizen)
	require.Equal(t, identity.DecisionLink, links[a.id].Decision, "one person, whoever it is")
	before := links[citizen.id]

	a.cccd, a.at = citizen.cccd, 9
	e.Upsert(a.raw())
	changed, events := solve(t, e)
	require.Equal(t, before.Person, changed[a.id].Person)
	require.Equal(t, citizen.id, changed[a.id].Citizen)
	require.Equal(t, citizen.id, changed[b.id].Citizen)
	require.NotContains(t, changed, citizen.id, "the citizen's own link does not move")
	require.Len(t, events, 1)
	require.Equal(t, EventMerge, events[0].Kind)
	require.Equal(t, []string{a.id}, events[0].Causes)
}
