package sectors

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const business = `sector: trade
system: 5
name: {vi: Thương mại, en: Trade}
owner: {vi: Sở Công Thương, en: Department of Industry and Trade}
tables:
  - name: house
    meaning: {vi: Hộ, en: Households}
    node: household
    columns:
      - {name: id, type: bigint, sensitivity: internal, meaning: {vi: Số, en: Number}}
  - name: licence
    meaning: {vi: Giấy phép, en: Licences}
    person: direct
    survives: {trust: 70, as_of: issued_on}
    organisation:
      column: kind
      kinds: {organisation: [company], household_business: [house]}
      name: shop
      tax_code: tax_code
    role: {name: member_of, via: house_id, to: house, as: kind}
    columns:
      - {name: id, type: bigint, sensitivity: internal, meaning: {vi: Số, en: Number}}
      - {name: kind, type: text, sensitivity: internal, meaning: {vi: Loại, en: Kind}}
      - {name: shop, type: text, sensitivity: internal, meaning: {vi: Cửa hàng, en: Shop}}
      - {name: tax_code, type: text, sensitivity: identifier, identifier: tax_code, meaning: {vi: Mã số thuế, en: Tax code}}
      - {name: who, type: text, sensitivity: personal, match: full_name, meaning: {vi: Họ tên, en: Name}}
      - {name: born, type: date, sensitivity: personal, match: birth_date, survives: {trust: 81}, meaning: {vi: Ngày sinh, en: Born}}
      - {name: ward, type: text, sensitivity: personal, match: ward, survives: {never: true}, meaning: {vi: Phường, en: Ward}}
      - {name: house_id, type: bigint, sensitivity: internal, meaning: {vi: Hộ, en: Household}}
      - {name: issued_on, type: date, sensitivity: internal, meaning: {vi: Ngày cấp, en: Issued on}}
      - {name: updated_at, type: timestamp with time zone, sensitivity: internal, meaning: {vi: Cập nhật, en: Updated}}
`

func TestSurvival(t *testing.T) {
	s, err := Parse("trade.yaml", []byte(business))
	require.NoError(t, err)
	table, _ := s.Table("licence")
	require.Equal(t, "issued_on", table.AsOf())
	for name, want := range map[string][2]int{"who": {70, 35}, "born": {81, 41}, "ward": {0, 0}} {
		c, ok := table.Column(name)
		require.True(t, ok)
		trust, partial := table.Trust(c)
		require.Equal(t, want, [2]int{trust, partial}, name)
	}
	require.Equal(t, map[string]string{"name": "shop", TaxCode: "tax_code"}, table.Organisation.Describes())

	// The defaults: trust 50, and the time of updated_at.
	plain, err := Parse("trade.yaml", []byte(strings.Replace(business, "    survives: {trust: 70, as_of: issued_on}\n", "", 1)))
	require.NoError(t, err)
	table, _ = plain.Table("licence")
	require.Equal(t, "updated_at", table.AsOf())
	who, _ := table.Column("who")
	trust, partial := table.Trust(who)
	require.Equal(t, [2]int{50, 25}, [2]int{trust, partial})
	house, _ := plain.Table("house")
	require.Empty(t, house.AsOf())
}

// Every fault of a rule names its place and says what to do.
func TestGoldenFaults(t *testing.T) {
	for _, c := range []struct{ title, old, new, want string }{
		{"trust", "trust: 70", "trust: 170", "trade.yaml:14: table licence: trust is 170; write 1 to 100"},
		{"partial above trust", "trust: 70", "trust: 70, partial: 71", "trade.yaml:14: table licence: partial is 71; write 1 to 100, at most the trust"},
		{"never of a table", "trust: 70", "never: true", "trade.yaml:14: table licence: survives never is for a column; write it there"},
		{"never with a trust", "{never: true}", "{never: true, trust: 5}", "table licence, column ward: never survives and has a trust; remove one of the two"},
		{"as_of", "as_of: issued_on", "as_of: shop", "trade.yaml:14: table licence: as_of names column shop, which is no described date or timestamp that may be seen; name another"},
		{"as_of of a column", "{trust: 81}", "{as_of: issued_on}", "table licence, column born: as_of is the table's; write it there"},
		{"survives without match", "type: bigint, sensitivity: internal, meaning: {vi: Hộ, ", "type: bigint, sensitivity: internal, survives: {trust: 5}, meaning: {vi: Hộ, ", "table licence, column house_id: survives is for a column with match, or one that describes the organisation; remove it"},
		{"node", "node: household", "node: house", `trade.yaml:8: table house: node is "house"; write household, or leave it away`},
		{"two ways to tell", "column: kind\n", "column: kind\n      kind: organisation\n", "organisation has both kind and column; kind is for a table whose rows are all of one kind"},
		{"column that is not there", "column: kind\n", "column: sort\n", `trade.yaml:16: table licence: organisation is told by column "sort", which is not described or is kept back; name another`},
		{"no kinds", "      kinds: {organisation: [company], household_business: [house]}\n", "", "organisation has a column but no kinds; write kinds: {household_business: [value], organisation: [value]}"},
		{"value of two kinds", "household_business: [house]", "household_business: [company]", "trade.yaml:17: table licence: value company is both a household business and an organisation; keep one"},
		{"unknown kind", "      column: kind\n      kinds: {organisation: [company], household_business: [house]}\n", "      kind: firm\n", `organisation is of kind "firm"; write organisation or household_business, or a column with kinds`},
		{"no name", "      name: shop\n", "", "organisation needs the column of its name"},
		{"name that is not there", "name: shop\n", "name: shops\n", "trade.yaml:18: table licence: organisation's name is column shops, which is not described or is kept back; name another"},
		{"number in plain text", "      tax_code: tax_code\n", "      tax_code: shop\n", "trade.yaml:19: table licence: organisation's tax_code is column shop, so that must have identifier: tax_code"},
		{"role's name", "role: {name: member_of", "role: {name: Member of", `role is named "Member of"; use lower-case letters, digits and _, such as represents or member_of`},
		{"role via", "via: house_id", "via: home", `role goes via column "home", which is not described or is kept back; name another`},
		{"role to", "to: house,", "to: home,", `role leads to table "home", which is no household and no organisation of this file; give it node or organisation, or name another`},
		{"role as", "as: kind", "as: sort", "role is described by column sort, which is not described or is kept back; name another"},
		{"role without a person", "    node: household\n", "    node: household\n    role: {name: represents}\n", "table house: has a role but no person who has it; add person, or remove role"},
		{"role to nothing", "    node: household\n", "    node: household\n    role: {name: represents}\n", "table house: role leads nowhere; add via and to, or describe the row's organisation"},
	} {
		t.Run(c.title, func(t *testing.T) {
			broken := strings.Replace(business, c.old, c.new, 1)
			require.NotEqual(t, business, broken)
			_, err := Parse("trade.yaml", []byte(broken))
			require.ErrorContains(t, err, c.want)
		})
	}
}
