package postgres

import (
	"testing"

	"github.com/hopluu/hopluu/connectors/postgres/pgvalue"
	"github.com/stretchr/testify/require"
)

// A key that is no value of its column would break the reading of the table, so
// it is refused before.
func TestCheckKeys(t *testing.T) {
	relation := Relation{Schema: "public", Table: "t", Columns: []pgvalue.Column{
		{Name: "i", OID: int4Type, TypeName: "int4"}, {Name: "s", OID: textType, TypeName: "text"}, {Name: "u", OID: uuidType, TypeName: "uuid"},
		{Name: "d", OID: dateType, TypeName: "date"}, {Name: "f", OID: 701, TypeName: "float8"},
	}}
	for _, c := range []struct {
		column, text string
		ok           bool
	}{
		{"i", "-5", true}, {"i", "05", false}, {"i", "2147483648", false}, {"i", "", false}, {"i", "1; DROP", false},
		{"s", "", true}, {"s", "it's \\", true}, {"s", "\x00", false}, {"s", "\xff", false},
		{"u", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", true}, {"u", "A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11", false}, {"u", "a0eebc999c0b4ef8bb6d6bb9bd380a11", false}, {"u", "", false},
		{"d", "2026-01-31", true}, {"d", "2026-02-30", false}, {"d", "infinity", false},
		{"f", "1", false}, {"gone", "1", false},
	} {
		err := relation.CheckKeys(Keys{Columns: []string{c.column}, Rows: [][]string{{c.text}}})
		require.Equal(t, c.ok, err == nil, "%s %q: %v", c.column, c.text, err)
	}
	require.Error(t, relation.CheckKeys(Keys{Columns: []string{"i", "s"}, Rows: [][]string{{"1"}}}))
}
