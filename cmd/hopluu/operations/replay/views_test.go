package replay

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// The views that read a table are found by their texts, through others too, and a
// copy of each reads the copies of those before it.
func TestViewsOverATable(t *testing.T) {
	all := []view{
		{"gold", "indicators", "SELECT * FROM (SELECT 'health.stays' AS code, sum(n) FROM gold.stays UNION ALL SELECT 'tax.paid' AS code, 1 FROM gold.paid) AS i"},
		{"gold", "paid", "SELECT sum(amount) FROM silver.v_tax_payment"},
		{"gold", "stays", "SELECT count() AS n FROM silver.v_health_stay AS s INNER JOIN silver.`v_health_a b` AS p ON p.id = s.id"},
		{"silver", "health_stay_history", "SELECT * FROM bronze.health_stay"},
		{"silver", "v_health_stay", "SELECT * FROM silver.health_stay AS t FINAL LEFT ANY JOIN (SELECT record FROM silver.identity_link FINAL) AS l ON 1"},
		{"silver", "v_health_stay_2", "SELECT * FROM silver.health_stay_2"},
		{"silver", "v_tax_payment", "SELECT * FROM silver.tax_payment FINAL"},
	}
	var names []string
	found := over(all, "silver.health_stay")
	for _, v := range found {
		names = append(names, v.String())
	}
	require.Equal(t, []string{"silver.v_health_stay", "gold.stays", "gold.indicators"}, names)
	require.Equal(t, []string{"health.stays"}, touches(all[0].query, found))
	require.Len(t, over(all, "silver.identity_link"), 3)

	by := map[string]string{"silver.v_health_stay": found[0].beside(), "silver.v_health_a b": "`x`.`y`"}
	require.Equal(t, "SELECT count() AS n FROM `replay`.`silver__v_health_stay` AS s INNER JOIN `x`.`y` AS p ON p.id = s.id", substitute(all[2].query, by))
	require.Equal(t, all[3].query, substitute(all[3].query, by))
}

// A figure that comes or goes changes, too.
func TestAnIndicatorChanges(t *testing.T) {
	one, two := 1.0, 2.0
	require.False(t, Indicator{}.Changed())
	require.False(t, Indicator{Now: &one, Then: &one}.Changed())
	require.True(t, Indicator{Now: &one, Then: &two}.Changed())
	require.True(t, Indicator{Then: &two}.Changed())
	require.True(t, Indicator{Now: &one}.Changed())
}
