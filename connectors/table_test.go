package connectors

import (
	"slices"
	"strings"
	"testing"

	"github.com/hopluu/hopluu/connectors/postgres"
	"github.com/hopluu/hopluu/connectors/postgres/pgvalue"
	"github.com/hopluu/hopluu/schemas/sectors"
	"github.com/stretchr/testify/require"
)

// What a column's type cannot hold has a field of its own beside it, where
// there is room for one.
func TestUnfitFields(t *testing.T) {
	relation := postgres.Relation{Schema: "public", Table: "bill", Primary: []string{"id"}, Columns: []pgvalue.Column{
		{Name: "id", OID: 1700, Typmod: 12<<16 | 2 + 4}, {Name: "paid", OID: 1700, Typmod: 12<<16 | 2 + 4}, {Name: "due", OID: 1082, Typmod: -1},
	}}
	sector := func(column string) sectors.Table {
		return sectors.Table{Schema: "public", Name: "bill", Columns: []sectors.Column{{Name: column, Unfit: sectors.UnfitText}}}
	}
	public, _, _, err := fields(relation, sector("paid"), nil, nil)
	require.NoError(t, err)
	var names []string
	for _, f := range public {
		names = append(names, f.Name)
	}
	require.Equal(t, []string{"id", "paid", "paid_unfit", "due"}, names)
	require.Equal(t, public[1].Column, public[2].Column)
	require.True(t, public[2].Nullable)

	_, _, _, err = fields(relation, sector("id"), nil, nil)
	require.ErrorContains(t, err, "column id is of the key")
	for _, taken := range []string{"paid_unfit", "paid-unfit"} { // one name in Avro
		other := relation
		other.Columns = append(slices.Clone(relation.Columns), pgvalue.Column{Name: taken, OID: 25, Typmod: -1})
		_, _, _, err = fields(other, sector("paid"), nil, nil)
		require.ErrorContains(t, err, "has a column of that name: rename it", taken)
	}
}

// What tells the matcher of an organisation's name and kind, and when a ward was
// written, is in the vault beside what it compares, and may be absent, as it is
// in messages of before; nothing else is.
func TestVaultFields(t *testing.T) {
	set, err := sectors.Load()
	require.NoError(t, err)
	tokens, records := tokenizerOf(t, 1), recordsOf(t)
	for name, want := range map[string][]string{
		"tax/taxpayer":          {"taxpayer_id", "tax_code", "cccd", "kind", "full_name", "business_name", "birth_date", "sex", "phone", "ward_code", "address", "updated_at"},
		"construction/permit":   {"permit_id", "owner_cccd", "owner_name", "owner_birth_date", "owner_phone", "ward_code", "address", "applied_on"},
		"population/death":      {"death_id", "died_on"},
		"health/insurance_card": {"card_no", "card_no_plain"},
	} {
		sectorName, tableName, _ := strings.Cut(name, "/")
		sector, ok := set.Sector(sectorName)
		require.True(t, ok)
		described, ok := sector.Table(tableName)
		require.True(t, ok)
		relation := postgres.Relation{Schema: "public", Table: tableName, Primary: []string{described.Columns[0].Name}}
		for _, c := range described.Columns {
			relation.Columns = append(relation.Columns, pgvalue.Column{Name: c.Name, OID: 25, Typmod: -1})
		}
		_, vault, _, err := fields(relation, *described, tokens, records)
		require.NoError(t, err)
		var names []string
		for _, f := range vault {
			names = append(names, f.Name)
			require.Equal(t, f.Name != relation.Primary[0], f.Nullable, f.Name)
		}
		require.Equal(t, want, names, name)
	}
}
