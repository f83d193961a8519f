package clickhouse

import (
	"testing"

	"github.com/stretchr/testify/require"
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
