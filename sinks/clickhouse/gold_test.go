package clickhouse

import (
	"io/fs"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hopluu/hopluu/sinks/clickhouse/restate"
)

// A mart that is not there hides the headline numbers made from it, and no
// others.
func TestIndicatorsOfTheMartsThatAreThere(t *testing.T) {
	made := map[string]bool{}
	none, err := indicators(made)
	require.NoError(t, err)
	require.Empty(t, none)

	made["poverty_by_ward"] = true
	some, err := indicators(made)
	require.NoError(t, err)
	require.Len(t, some, 2)
	for _, q := range some {
		require.Contains(t, q, "FROM gold.poverty_by_ward")
		require.Contains(t, indicatorsView(some), q)
	}
}

// A mart whose freshness is that of the links, too, says what it counts, so that
// what a merge or split changes in it is listed; and says it of its own columns.
func TestMartsThatDependOnLinksSayTheirFigures(t *testing.T) {
	files, err := fs.Glob(goldFiles, "views/gold/*.sql")
	require.NoError(t, err)
	for _, file := range files {
		sql, err := goldFiles.ReadFile(file)
		require.NoError(t, err)
		m := restate.ReadMart(goldName(file), string(sql))
		require.Equal(t, strings.Contains(m.SQL, "'identity_link'"), len(m.Figures) > 0, file)
		for _, c := range append(slices.Clone(m.Figures), m.Dimensions...) {
			require.Regexp(t, `(?m)^    `+c+` `, m.SQL[:strings.Index(m.SQL, "\n)\nAS")], "%s: %s", file, c)
		}
	}
}

// One merge or split is counted by itself when there are few, and a rush of them
// in few steps.
func TestRestatementsAreCountedInFewSteps(t *testing.T) {
	for events, want := range map[int]int{1: 1, 4: 1, 5: 2, 8: 2, 9: 3, roundEvents: roundEvents / roundParts} {
		require.Equal(t, want, groupSize(events))
		require.LessOrEqual(t, (events+want-1)/want, roundParts)
	}
}

// ClickHouse makes a view with a list of columns over anything: a mart of a sector
// that is not here would stand, and fail its readers and gold.indicators.
func TestMartsWaitForWhatTheyRead(t *testing.T) {
	sql, err := goldFiles.ReadFile("views/gold/tax_collected_by_month.sql")
	require.NoError(t, err)
	there := map[string]bool{"ops.as_of": true, "silver.v_tax_tax_payment": true}
	require.Equal(t, "silver.v_tax_taxpayer", absent("tax_collected_by_month", string(sql), there))
	there["silver.v_tax_taxpayer"] = true
	require.Empty(t, absent("tax_collected_by_month", string(sql), there))
}

// P11: whoever reads a figure needs no right to the persons that it counts.
func TestMartsAreReadWithTheSinksRights(t *testing.T) {
	g := &gold{user: "sink"}
	files, err := fs.Glob(goldFiles, "views/gold/*.sql")
	require.NoError(t, err)
	for _, file := range files {
		sql, err := goldFiles.ReadFile(file)
		require.NoError(t, err)
		require.Contains(t, g.defined(string(sql)), "DEFINER = `sink` SQL SECURITY DEFINER\nAS", file)
	}
	for _, sql := range []string{indicatorsView(nil), goldCatalogue} {
		require.Contains(t, g.defined(sql), "DEFINER = `sink` SQL SECURITY DEFINER\nAS")
	}
}
