package golden

import (
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hopluu/hopluu/schemas/sectors"
	"github.com/hopluu/hopluu/sinks/clickhouse/tables"
)

var update = flag.Bool("update", false, "write testdata/golden.sql anew")

// shapes are the tables that silver has of the sectors: the first column, two
// of a payment, is the key.
func shapes(t testing.TB, set *sectors.Set) map[string]*tables.Table {
	all := map[string]*tables.Table{}
	for i := range set.Sectors {
		s := &set.Sectors[i]
		for j := range s.Tables {
			said := &s.Tables[j]
			var columns []tables.Existing
			for k, c := range said.Columns {
				e := tables.Existing{Name: c.Name, Type: "Nullable(" + sqlType(c.Type) + ")", Key: k == 0}
				if e.Key || strings.HasPrefix(e.Type, "Nullable(Array") {
					e.Type = sqlType(c.Type)
				}
				columns = append(columns, e)
			}
			shape, err := tables.Restore(tables.Description{Sector: s.Sector, Name: said.Name, Table: said}, columns)
			require.NoError(t, err)
			all[shape.Dataset()] = shape
		}
	}
	return all
}

func sqlType(postgres string) string {
	switch postgres {
	case "bigint":
		return "Int64"
	case "integer", "smallint":
		return "Int32"
	case "date":
		return "Date32"
	case "text[]":
		return "Array(String)"
	}
	if strings.HasPrefix(postgres, "timestamp") {
		return "DateTime64(6, 'UTC')"
	}
	return "String"
}

// The statements of the shipped sectors are reviewed as a whole: a rule that
// changes shows in testdata/golden.sql. go test -update writes it anew.
func TestCompile(t *testing.T) {
	set, err := sectors.Load()
	require.NoError(t, err)
	views, err := Compile(set, shapes(t, set))
	require.NoError(t, err)
	var names []string
	var all strings.Builder
	for _, v := range views {
		names = append(names, v.Name)
		all.WriteString(v.SQL + ";\n\n")
	}
	require.Equal(t, []string{"person_history", "person", "organisation_record", "organisation", "role"}, names)
	const file = "testdata/golden.sql"
	if *update {
		require.NoError(t, os.WriteFile(file, []byte(all.String()), 0o600))
	}
	want, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, string(want), all.String())
}

// What silver does not have yet is left out, and found by nothing.
func TestCompileBeforeTheTablesAreThere(t *testing.T) {
	set, err := sectors.Load()
	require.NoError(t, err)
	views, err := Compile(set, nil)
	require.NoError(t, err)
	require.Len(t, views, 1, "the history of links needs no sector")

	all := shapes(t, set)
	some := map[string]*tables.Table{"population_death": all["population_death"], "welfare_household_member": all["welfare_household_member"]}
	views, err = Compile(set, some)
	require.NoError(t, err)
	require.Len(t, views, 2)
	require.Equal(t, "person", views[1].Name)
	// A death is its citizen's, whose table is not there; so is the household.
	require.NotContains(t, views[1].SQL, "population_death")
	require.Contains(t, views[1].SQL, "welfare_household_member")
}
