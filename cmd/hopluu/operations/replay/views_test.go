package replay

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hopluu/hopluu/cmd/hopluu/operations/views"
)

// The views that read a table are found by their texts, through others too, and a
// copy of each reads the copies of those before it.
func TestViewsOverATable(t *testing.T) {
	all := []views.View{
		{Database: "gold", Name: "indicators", Query: "SELECT * FROM (SELECT 'health.stays' AS code, sum(n) FROM gold.stays UNION ALL SELECT 'tax.paid' AS code, 1 FROM gold.paid) AS i"},
		{Database: "gold", Name: "paid", Query: "SELECT sum(amount) FROM silver.v_tax_payment"},
		{Database: "gold", Name: "stays", Query: "SELECT count() AS n FROM silver.v_health_stay AS s INNER JOIN silver.`v_health_a b` AS p ON p.id = s.id"},
		{Database: "silver", Name: "health_stay_history", Query: "SELECT * FROM bronze.health_stay"},
		{Database: "silver", Name: "v_health_stay", Query: "SELECT * FROM silver.health_stay AS t FINAL LEFT ANY JOIN (SELECT record FROM silver.identity_link FINAL) AS l ON 1"},
		{Database: "silver", Name: "v_health_stay_2", Query: "SELECT * FROM silver.health_stay_2"},
		{Database: "silver", Name: "v_tax_payment", Query: "SELECT * FROM silver.tax_payment FINAL"},
	}
	var names []string
	found := views.Over(all, "silver.health_stay")
	for _, v := range found {
		names = append(names, v.String())
	}
	require.Equal(t, []string{"silver.v_health_stay", "gold.stays", "gold.indicators"}, names)
	require.Equal(t, []string{"health.stays"}, touches(all[0].Query, found))
	require.Len(t, views.Over(all, "silver.identity_link"), 3)

	by := map[string]string{"silver.v_health_stay": beside(found[0], "then"), "silver.v_health_a b": "`x`.`y`"}
	require.Equal(t, "SELECT count() AS n FROM `replay`.`silver__v_health_stay__then` AS s INNER JOIN `x`.`y` AS p ON p.id = s.id", views.Substitute(all[2].Query, by))
	require.Equal(t, all[3].Query, views.Substitute(all[3].Query, by))
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
