package postgres

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/hopluu/hopluu/schemas/sectors"
	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write the golden scripts")

// script writes statements as a person would run them.
func script(all []Statement) string {
	var b strings.Builder
	for _, s := range all {
		fmt.Fprintf(&b, "-- %s\n%s;\n", s.Why, s.SQL)
	}
	return b.String()
}

// P7: the scripts that a DBA is shown, with each lock that they take. Names
// that need quoting are quoted.
func TestScripts(t *testing.T) {
	plain := Setup{Database: "health", Role: "hopluu_health", Password: "secret", Slot: "hopluu_health", Publication: "hopluu_health",
		Tables: []sectors.Table{{Schema: "public", Name: "patient"}, {Schema: "public", Name: "visit"}, {Schema: "billing", Name: "payment"}}}
	odd := Setup{Database: `he"alth`, Role: `o'ro\le$$`, Password: `it's a \ secret`, Slot: "slot", Publication: `pub"l'ic`,
		Tables: []sectors.Table{{Schema: "Schema", Name: `ta"ble`}}}
	private := Setup{Database: "health", Role: "hopluu_health", Slot: "hopluu_health", Publication: "hopluu_health",
		Tables: []sectors.Table{
			{Schema: "public", Name: "patient", Where: "closed_on IS NULL OR note <> 'it''s'", Columns: []sectors.Column{{Name: "patient_id"}, {Name: "hiv_test", Privacy: sectors.Drop}, {Name: "birth_date", Privacy: sectors.Mask}}},
			{Schema: "public", Name: "card", Undescribed: sectors.Drop, Columns: []sectors.Column{{Name: "card_no"}}},
			{Schema: "public", Name: "visit", Columns: []sectors.Column{{Name: "visit_id"}, {Name: "doctor", Privacy: sectors.TokenOnly}}},
			{Schema: "public", Name: "room", Undescribed: sectors.Skip, Columns: []sectors.Column{{Name: "room_id"}}},
		}}
	for name, got := range map[string]string{
		"enable-private.sql": script(private.EnableScript()),
		"enable.sql":         script(plain.EnableScript()), "disable.sql": script(plain.DisableScript()),
		"enable-quoted.sql": script(odd.EnableScript()), "disable-quoted.sql": script(odd.DisableScript()),
	} {
		path := "testdata/" + name
		if *update {
			require.NoError(t, os.WriteFile(path, []byte(got), 0o644))
		}
		want, err := os.ReadFile(path)
		require.NoError(t, err, "run go test -update")
		require.Equal(t, string(want), got, name)
	}
}

// A password is not asked for again where none is given.
func TestNoPasswordWithoutOne(t *testing.T) {
	require.NotContains(t, script(Setup{Database: "d", Role: "r", Publication: "p"}.EnableScript()), "PASSWORD")
}
