package reconcile

import (
	"strings"
	"testing"

	"github.com/hopluu/hopluu/connectors/postgres"
	"github.com/hopluu/hopluu/connectors/postgres/pgvalue"
	"github.com/hopluu/hopluu/schemas/sectors"
	"github.com/stretchr/testify/require"
)

// Golden values of ClickHouse's intHash64; integration/reconcile asks
// ClickHouse itself for the same.
func TestIntHash64(t *testing.T) {
	for x, want := range map[uint64]uint64{
		0:                   4761183170873013810,
		1:                   10577349846663553072,
		2:                   18198135717204167749,
		1000000:             14608560239930825669,
		9223372036854775807: 16054072765933828340,
	} {
		require.Equal(t, want, intHash64(x), x)
	}
}

func TestKeyText(t *testing.T) {
	require.Equal(t, "7", keyText([]string{"7"}))
	require.Equal(t, `a\|b|c\\`, keyText([]string{"a|b", `c\`}))
	require.NotEqual(t, keyText([]string{"a|b", "c"}), keyText([]string{"a", "b|c"}))
}

// Columns land under the names of Avro, and not as the sink's own; one whose
// type changed, and changed back, where a value of its present type lands.
func TestLandedName(t *testing.T) {
	landed := map[string]string{
		"t_n": "Nullable(String)", "_offset": "Int64", "_offset_": "Nullable(String)", "_free": "Nullable(String)",
		"n": "Nullable(Int64)", "n__v2": "Nullable(String)", "n__v3": "Nullable(Date32)",
		"cccd": "Nullable(Int64)", "cccd__v2": "Nullable(String)",
	}
	types := map[string]uint32{"bool": 16, "int8": 20, "int4": 23, "text": 25, "date": 1082} // src/include/catalog/pg_type.dat
	for _, c := range []struct{ name, typ, domain, want string }{
		{"tên", "text", "", "t_n"},
		{"_offset", "text", "", "_offset_"},
		{"_free", "text", "", "_free"},
		{"new", "text", "", "new"},
		{"n", "int4", "", "n"},
		{"n", "text", "", "n__v2"},
		{"n", "date", "", "n__v3"},
		{"n", "bool", "", "n__v3"},
		{"cccd", "int8", "cccd", "cccd__v2"},
	} {
		name, err := landedName(pgvalue.Column{Name: c.name, OID: types[c.typ], TypeName: c.typ}, c.domain, landed)
		require.NoError(t, err)
		require.Equal(t, c.want, name, "%s %s", c.name, c.typ)
	}
}

// A column that has not landed yet is NULL, an array of it empty; a sector's key
// wins over the primary key; a token in the key is ordered by us.
func TestLayout(t *testing.T) {
	relation := postgres.Relation{Schema: "public", Table: "patient", Primary: []string{"id"}, Columns: []pgvalue.Column{
		{Name: "id", TypeName: "int8"},
		{Name: "cccd", TypeName: "text"},
		{Name: "tags", TypeName: "_text", Elem: &pgvalue.Column{TypeName: "text"}},
		{Name: "code", TypeName: "short", Base: &pgvalue.Column{TypeName: "int4"}},
	}}
	described := sectors.Table{Name: "patient", Columns: []sectors.Column{{Name: "cccd", Identifier: "cccd"}}}
	l, err := layoutOf(relation, described, map[string]string{"id": "Int64"})
	require.NoError(t, err)
	require.Equal(t, []int{0}, l.key)
	require.Equal(t, []bool{true}, l.integer)
	require.False(t, l.tokenKey)
	require.Equal(t, "toString(`id`)", l.columns[0].clickhouse)
	require.Equal(t, "NULL", l.columns[1].clickhouse)
	require.Equal(t, "cccd", l.columns[1].domain)
	require.Equal(t, "NULL", l.columns[2].clickhouse, "an array too")
	require.True(t, l.columns[3].integer, "through its domain")

	described.Key = []string{"code", "cccd"}
	l, err = layoutOf(relation, described, map[string]string{"id": "Int64"})
	require.NoError(t, err)
	require.Equal(t, []int{3, 1}, l.key)
	require.True(t, l.tokenKey)
	described.Key = []string{"gone"}
	_, err = layoutOf(relation, described, nil)
	require.ErrorContains(t, err, "gone")
}

// The same numeric has zeros at its end or not, by what it landed as.
func TestNumericByWhatItLandedAs(t *testing.T) {
	c := pgvalue.Column{Name: "a", TypeName: "numeric", Typmod: 12<<16 | 2 + 4}
	require.Contains(t, canonical(c, "", "a", "Nullable(Decimal(14, 4))").postgres, "trim_scale")
	require.NotContains(t, canonical(c, "", "a", "Nullable(String)").postgres, "trim_scale")
}

func TestIdentifiersAreQuoted(t *testing.T) {
	require.Equal(t, "`a\\`b\\\\`", identifier("a`b\\"))
	require.True(t, strings.HasPrefix(canonical(pgvalue.Column{Name: `a"b`, TypeName: "text"}, "", "a_b", "String").postgres, `"a""b"`))
}
