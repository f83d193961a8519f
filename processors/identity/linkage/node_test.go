package linkage

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hopluu/hopluu/processors/identity"
)

// TestCase22AHouseholdBusinessIsNotItsOwner: a business that bears its owner's
// CCCD is a node of its own with a role, in whatever way it is told, and the
// number stays evidence of who the owner is.
func TestCase22AHouseholdBusinessIsNotItsOwner(t *testing.T) {
	owner := person{id: "population.citizen:1", in: register, cccd: "079070263150", name: "Trương Hữu Nghĩa", birth: "1970-07-27", sex: "male"}
	patient := person{id: "health.patient:1", in: health, cccd: "079070263150", name: "Trương Nghĩa"}
	for about, business := range map[string]person{
		"by its name":                     {id: "tax.taxpayer:1", in: tax, tax: "079070263150", name: "Hộ kinh doanh Trương Hữu Nghĩa"},
		"by its kind, under another name": {id: "tax.taxpayer:1", in: tax, cccd: "079070263150", name: "Phở Nghĩa", node: identity.HouseholdBusinessNode},
		"by its kind, under the owner's":  {id: "tax.taxpayer:1", in: tax, cccd: "079070263150", name: "Trương Hữu Nghĩa", node: identity.OrganisationNode},
		"without a name":                  {id: "tax.taxpayer:1", in: tax, cccd: "079070263150", node: identity.HouseholdBusinessNode},
		"a household":                     {id: "tax.taxpayer:1", in: tax, cccd: "079070263150", name: "Hộ ông Trương Hữu Nghĩa"},
	} {
		links := linksOf(t, owner, patient, business)
		require.Equal(t, identity.PersonOf(business.id), links[business.id].Person, about)
		require.Equal(t, identity.DecisionSingle, links[business.id].Decision, about)
		require.Equal(t, RuleRole, links[business.id].Rule, about)
		require.Contains(t, links[business.id].Reasons, `{"with":"population.citizen:1","evidence":{"cccd":"equal"`, about)
		require.Equal(t, owner.id, links[patient.id].Citizen, "%s: the number is still evidence", about)
		require.NotContains(t, links[patient.id].Reasons, "contested", about)
	}
}

// Two businesses of one owner are two, though they share the owner's number; two
// records of one business are one.
func TestHouseholdBusinessesAreNotOneByTheirOwner(t *testing.T) {
	pho := person{id: "tax.taxpayer:1", in: tax, cccd: "079070263150", name: "Hộ kinh doanh Phở Nghĩa", address: "5 Nguyễn Huệ", phone: "0903111246"}
	grocer := person{id: "tax.taxpayer:2", in: tax, cccd: "079070263150", name: "Hộ kinh doanh Tạp hóa Bảy", address: "9 Lê Lợi"}
	again := person{id: "welfare.beneficiary:3", in: welfare, cccd: "079070263150", name: "HO KINH DOANH PHO NGHIA", address: "5 Nguyễn Huệ", phone: "0903111246"}
	links := linksOf(t, pho, grocer, again)
	require.NotEqual(t, links[pho.id].Person, links[grocer.id].Person)
	require.Equal(t, links[pho.id].Person, links[again.id].Person)
}

// TestCase23ACompanyIsFoundByItsCode: records of a company in several systems
// are one by its tax code, also under another name, or by name and address; a
// person whose insurance number has the same digits, or whose telephone it is,
// is somebody else.
func TestCase23ACompanyIsFoundByItsCode(t *testing.T) {
	company := person{id: "tax.taxpayer:1", in: tax, tax: "0301442989", name: "Công ty TNHH Thương mại Quốc Thái", address: "36 Pasteur", phone: "0283829726", node: identity.OrganisationNode}
	shorter := person{id: "health.patient:1", in: health, tax: "0301442989", name: "Công ty TNHH TM Quốc Thái", address: "36 Pasteur", node: identity.OrganisationNode}
	nameless := person{id: "tax.taxpayer:7", in: tax, tax: "301442989", phone: "0283829726", node: identity.OrganisationNode}
	codeless := person{id: "welfare.beneficiary:1", in: welfare, name: "CONG TY TNHH THUONG MAI QUOC THAI", address: "36 Pasteur", phone: "0283829726", node: identity.OrganisationNode}
	branch := person{id: "tax.taxpayer:2", in: tax, tax: "0301442989-001", name: "Chi nhánh Công ty TNHH Thương mại Quốc Thái", address: "1 Tỉnh Lộ 8", node: identity.OrganisationNode}
	other := person{id: "tax.taxpayer:3", in: tax, tax: "0309998887", name: "Công ty TNHH Thương mại Quốc Thái", address: "70 Lê Lợi", node: identity.OrganisationNode}
	insured := person{id: "health.patient:2", in: health, insurance: "0301442989", name: "Lại Quốc Thái", birth: "1975-08-18", sex: "male", phone: "0283829726", address: "36 Pasteur"}
	links := linksOf(t, company, shorter, nameless, codeless, branch, other, insured)
	for _, same := range []person{shorter, nameless, codeless} {
		require.Equal(t, links[company.id].Person, links[same.id].Person, "%s: %s %s", same.id, links[same.id].Rule, links[same.id].Reasons)
	}
	for _, apart := range []person{branch, other, insured} {
		require.NotEqual(t, links[company.id].Person, links[apart.id].Person, apart.id)
	}
}

// TestCase21AHouseholdsNumberMakesNobodyOne: the household's insurance number on
// every member, whoever else of them a system knows.
func TestCase21AHouseholdsNumberMakesNobodyOne(t *testing.T) {
	people := []person{
		{id: "welfare.household:1", in: welfare, insurance: "7912345670", name: "Hộ ông Tống Văn Lực", address: "33 Pasteur", phone: "0903111245", node: identity.HouseholdNode},
		{id: "welfare.household_member:1", in: welfare, insurance: "7912345670", name: "Tống Văn Lực", birth: "1965-06-16", sex: "male", address: "33 Pasteur", phone: "0903111245"},
		{id: "welfare.household_member:2", in: welfare, insurance: "7912345670", name: "Nghiêm Thị Sáu", birth: "1968-10-08", sex: "female", address: "33 Pasteur", phone: "0903111245"},
		{id: "welfare.household_member:3", in: welfare, insurance: "7912345670", name: "Tống Văn Út", birth: "2003-12-12", sex: "male", address: "33 Pasteur", phone: "0903111245"},
	}
	links := linksOf(t, people...)
	seen := map[identity.PersonID]string{}
	for _, p := range people {
		require.Empty(t, seen[links[p.id].Person], p.id)
		seen[links[p.id].Person] = p.id
	}
	require.Equal(t, RuleRole, links["welfare.household:1"].Rule)
}

// A business whose owner goes has no role any more.
func TestARoleGoesWithItsOwner(t *testing.T) {
	e, links := engine(t, cityModel(t)), published{}
	owner := person{id: "population.citizen:1", in: register, cccd: "079070263150", name: "Trương Hữu Nghĩa"}
	business := person{id: "tax.taxpayer:1", in: tax, tax: "079070263150", name: "Hộ kinh doanh Trương Hữu Nghĩa"}
	e.Upsert(owner.raw())
	e.Upsert(business.raw())
	links.solve(t, e)
	require.Equal(t, RuleRole, links[business.id].Rule)
	gone := owner.raw()
	gone.Position.LSN = 9
	require.True(t, e.Delete(owner.id, owner.in, gone.Position))
	links.solve(t, e)
	require.Empty(t, links[business.id].Rule)
	require.Empty(t, links[business.id].Reasons)
}

// Who decides sees what a record is and where its person was born, and no number.
func TestANodeAndAPlaceOfBirthAreShown(t *testing.T) {
	e := engine(t, cityModel(t))
	e.Upsert(person{id: "tax.taxpayer:1", in: tax, tax: "0301442989", node: identity.OrganisationNode}.raw())
	e.Upsert(person{id: "health.patient:1", in: health, cccd: "079085001234", place: "TP HCM", node: identity.PersonNode}.raw())
	for id, want := range map[string][]ShownColumn{
		"tax.taxpayer:1":   {{Name: "node", Text: "organisation"}, {Name: "tax_code", Identifier: true}},
		"health.patient:1": {{Name: "cccd", Identifier: true}, {Name: "birth_place", Text: "ho chi minh"}},
	} {
		shown, ok := e.Show(id)
		require.True(t, ok)
		require.Equal(t, want, shown.Columns)
	}
}
