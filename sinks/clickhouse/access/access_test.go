package access

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hopluu/hopluu/schemas/sectors"
)

func city() *sectors.Set {
	return &sectors.Set{Sectors: []sectors.Sector{{
		Sector: "health",
		Tables: []sectors.Table{
			{Name: "patient", Schema: "public", Columns: []sectors.Column{
				{Name: "patient_id", Sensitivity: sectors.Internal},
				{Name: "full_name", Sensitivity: sectors.Personal, Unfit: sectors.UnfitText},
				{Name: "level", Sensitivity: sectors.Public},
			}},
			{Name: "card", Schema: "public", Columns: []sectors.Column{
				{Name: "card_no", Sensitivity: sectors.Identifier},
				{Name: "kind", Sensitivity: sectors.Public},
			}},
		},
	}, {Sector: "tax", Tables: []sectors.Table{{Name: "payer", Columns: []sectors.Column{{Name: "payer_id", Sensitivity: sectors.Internal}}}}}}}
}

func table(database, name string, columns ...string) []Column {
	var out []Column
	for _, c := range columns {
		out = append(out, Column{Database: database, Table: name, Name: c, Key: c == "patient_id" || c == "card_no" || c == "payer_id" || c == "_source"})
	}
	return out
}

func there() []Column {
	return slices.Concat(
		table("silver", "health_patient", "patient_id", "full_name", "full_name__v2", "full_name_unfit", "level", "level__v2", "brand_new", "person_id", "_source", "_record", "_version"),
		table("silver", "v_health_patient", "patient_id", "full_name", "level", "brand_new", "person_id", "_person_id", "citizen", "_source", "_record"),
		table("silver", "health_patient_history", "patient_id", "full_name", "_record"),
		table("silver", "health_card", "card_no", "kind", "_source", "_record"),
		table("silver", "tax_payer", "payer_id", "_source", "_record"),
		table("silver", "identity_link", "record", "person_id", "reasons", "_source"),
		table("silver", "stranger", "anything"),
		table("bronze", "health_patient", "patient_id", "full_name"),
		table("bronze", "identity_audit", "who"),
		table("gold", "indicators", "code", "value"),
		table("gold", "restatement", "figure", "dimensions"),
		table("gold", "person", "person_id", "full_name"),
		table("gold", "a_new_mart", "anything"),
		table("ops", "dead_letter", "at", "reason", "value"),
		table("ops", "access", "at", "user"),
		table("ops", "a_new_table", "anything"),
	)
}

// reads tells what a role may read, by table.
func reads(grants []Grant, role string) map[string][]string {
	out := map[string][]string{}
	for _, g := range grants {
		if g.Role != role {
			continue
		}
		name := g.Database + "." + g.Table
		if g.Column == "" {
			out[name] = []string{"*"}
		} else {
			out[name] = append(out[name], g.Column)
		}
	}
	return out
}

// P11: what nobody described, and what is personal, is closed to leaders and
// analysts.
func TestRightsOfEachRole(t *testing.T) {
	all := Wanted(city(), there())
	for role, want := range map[string]map[string][]string{
		Leader: {"gold.indicators": {"*"}, "gold.restatement": {"figure"}},
		Analyst: {
			"gold.indicators": {"*"}, "gold.restatement": {"figure"},
			// A column of the source named person_id is not the view's, and is not
			// described.
			"silver.health_patient":   {"_record", "_source", "_version", "level", "level__v2", "patient_id"},
			"silver.v_health_patient": {"_person_id", "_record", "_source", "citizen", "level", "patient_id"},
			// Its key is a personal number, and so its records' names hold one.
			"silver.health_card":   {"_source", "kind"},
			"silver.tax_payer":     {"_record", "_source", "payer_id"},
			"silver.identity_link": {"_source", "person_id", "record"},
		},
		PersonReader: {"gold.indicators": {"*"}, "gold.restatement": {"*"}, "gold.person": {"*"}, "gold.a_new_mart": {"*"}, "silver.identity_link": {"*"}},
		Steward("health"): {
			"silver.health_patient": {"*"}, "silver.v_health_patient": {"*"}, "silver.health_patient_history": {"*"}, "silver.health_card": {"*"},
			"bronze.health_patient": {"*"}, "silver.identity_link": {"person_id", "record"},
		},
		Steward("tax"): {"silver.tax_payer": {"*"}, "silver.identity_link": {"person_id", "record"}},
		Operator:       {"ops.dead_letter": {"at"}},
		Auditor:        {"ops.access": {"*"}, "bronze.identity_audit": {"*"}},
	} {
		require.Equal(t, want, reads(all, role), role)
	}
}

// A cluster's rows are in databases of their own, which a Distributed table reads
// with the rights of who asks.
func TestShardsHaveTheRightsOfTheirTables(t *testing.T) {
	all := Wanted(city(), slices.Concat(
		table("silver_shard", "health_patient", "patient_id", "full_name", "_record"),
		table("silver", "health_patient", "patient_id", "full_name", "_record"),
		table("bronze_shard", "health_patient", "full_name"),
	))
	require.Equal(t, map[string][]string{"silver.health_patient": {"_record", "patient_id"}, "silver_shard.health_patient": {"_record", "patient_id"}}, reads(all, Analyst))
	require.Contains(t, reads(all, Steward("health")), "bronze_shard.health_patient")
}

func texts(changes []Change) []string {
	out := []string{}
	for _, c := range changes {
		out = append(out, c.Statement)
	}
	return out
}

func TestPlanBringsGrantsToWhatIsWanted(t *testing.T) {
	set := &sectors.Set{}
	var roles []string
	for _, r := range Roles(set) {
		roles = append(roles, r.Name)
	}
	held := func(role, kind, database, table, column string) Held {
		return Held{Grant: Grant{role, database, table, column}, Kind: kind}
	}
	wanted := []Grant{{Analyst, "silver", "p", "a"}, {Analyst, "silver", "p", "b"}, {Leader, "gold", "m", ""}}
	right := []Held{held(Analyst, Select, "silver", "p", "a"), held(Analyst, Select, "silver", "p", "b"), held(Leader, Select, "gold", "m", "")}
	for name, c := range map[string]struct {
		roles []string
		held  []Held
		want  []string
	}{
		"done": {roles, right, []string{}},
		"a new server": {nil, nil, []string{
			"CREATE ROLE IF NOT EXISTS `hopluu_leader`", "CREATE ROLE IF NOT EXISTS `hopluu_analyst`", "CREATE ROLE IF NOT EXISTS `hopluu_person_reader`",
			"CREATE ROLE IF NOT EXISTS `hopluu_operator`", "CREATE ROLE IF NOT EXISTS `hopluu_auditor`",
			"GRANT SELECT(`a`, `b`) ON `silver`.`p` TO `hopluu_analyst`", "GRANT SELECT ON `gold`.`m` TO `hopluu_leader`",
		}},
		"a column became personal": {roles, slices.Concat(right, []Held{held(Analyst, Select, "silver", "p", "c")}), []string{
			"REVOKE SELECT(`c`) ON `silver`.`p` FROM `hopluu_analyst`",
		}},
		// The narrower rights go with the wide one, and come again.
		"somebody granted too much": {roles, slices.Concat(right, []Held{held(Analyst, Select, "silver", "", ""), held(Leader, "INSERT", "", "", "")}), []string{
			"REVOKE INSERT ON *.* FROM `hopluu_leader`", "REVOKE SELECT ON `silver`.* FROM `hopluu_analyst`",
			"GRANT SELECT(`a`, `b`) ON `silver`.`p` TO `hopluu_analyst`",
		}},
		"the whole table": {roles, slices.Concat(right[2:], []Held{held(Analyst, Select, "silver", "p", "")}), []string{
			"REVOKE SELECT ON `silver`.`p` FROM `hopluu_analyst`", "GRANT SELECT(`a`, `b`) ON `silver`.`p` TO `hopluu_analyst`",
		}},
		"an exception": {roles, slices.Concat(right, []Held{{Grant: Grant{Leader, "gold", "m", "x"}, Kind: Select, Revoked: true}}), []string{
			"GRANT SELECT ON `gold`.`m` TO `hopluu_leader`",
		}},
		"another's role": {roles, slices.Concat(right, []Held{held("hopluu_theirs", Select, "silver", "p", "c")}), []string{}},
	} {
		require.Equal(t, c.want, texts(Plan(set, wanted, c.roles, c.held)), name)
	}
}

func TestReadingsTellPersonalColumns(t *testing.T) {
	r := NewReadings(city(), there())
	personal, of := r.Personal([]string{
		"silver.health_patient.level", "silver.health_patient.full_name", "`gold`.`person`.`full_name`", "gold.indicators.value",
		"silver.health_patient.brand_new", "system.tables.name", "ops.dead_letter.value", "ops.dead_letter.at", "silver.gone.x", "_table_function.merge.full_name", "silver_shard.health_card.card_no",
	})
	require.Equal(t, []string{
		"silver.health_patient.full_name", "gold.person.full_name", "silver.health_patient.brand_new", "ops.dead_letter.value", "silver.gone.x", "_table_function.merge.full_name", "silver_shard.health_card.card_no",
	}, personal)
	require.Equal(t, []string{"silver.health_patient", "gold.person", "ops.dead_letter", "silver.gone", "_table_function.merge", "silver_shard.health_card"}, of)
}
