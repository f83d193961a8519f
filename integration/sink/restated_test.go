package sink

import (
	"encoding/json"

	ch "github.com/ClickHouse/clickhouse-go/v2"
	"github.com/stretchr/testify/require"

	"github.com/hopluu/hopluu/integration/harness"
)

// restated goes on in the small city of TestIndicatorsOfASmallCity: what merges
// and splits change is listed, with the cause, and what data change is not.
func restated(w *world, r *running, e *teller, put func(sector, table string, keys int, rows ...[]any)) {
	t := w.t
	commit := func() { require.NoError(t, e.producer.Commit(t.Context())) }
	lines := func(first int) string {
		return "SELECT figure, column, mapValues(dimensions), old_value, new_value FROM gold.restatement WHERE causes = 1 AND event_first = " +
			"(SELECT arraySort(groupUniqArray(_offset))[" + string(rune('0'+first)) + "] FROM silver.identity_event) ORDER BY figure, toString(dimensions), column"
	}
	an := []string{"construction.permit:00000000-0000-0000-0000-000000000001", "health.patient:1", "population.citizen:1", "tax.taxpayer:2", "welfare.beneficiary:2", "welfare.household_member:1"}
	without := append([]string{an[0]}, an[2:]...)

	// The patient proves to be another An: the city's figures of the citizen's
	// insurance and of the poor in hospital change, those of money do not.
	e.link("health.patient:1", "p8", "")
	e.tell("split", []members{{"p1", an}}, []members{{"p1", without}, {"p8", an[1:2]}}, "health.patient:1")
	commit()
	split := []string{
		"('gold.beneficiaries_without_insurance_by_programme','share',['merit'],0,1)",
		"('gold.beneficiaries_without_insurance_by_programme','uninsured',['merit'],0,1)",
		"('gold.indicators','value',['citizens.insured_share'],0.3333333333333333,0)",
		"('gold.indicators','value',['citizens.poor_in_hospital'],1,0)",
		"('gold.indicators','value',['citizens.uninsured_beneficiaries'],1,2)",
		"('gold.indicators','value',['identity.linked_share'],0.9375,0.875)",
		"('gold.insured_share_by_ward','insured',['26737'],1,0)",
		"('gold.insured_share_by_ward','share',['26737'],0.5,0)",
		"('gold.poor_members_in_hospital_by_ward','admissions',['26737','2000-01-01'],1,NULL)",
		"('gold.poor_members_in_hospital_by_ward','cost',['26737','2000-01-01'],1000000,NULL)",
		"('gold.poor_members_in_hospital_by_ward','insured_paid',['26737','2000-01-01'],800000,NULL)",
		"('gold.poor_members_in_hospital_by_ward','people',['26737','2000-01-01'],1,NULL)",
		"('gold.records_linked','linked',['health','health','patient'],3,2)",
		"('gold.records_linked','share',['health','health','patient'],0.75,0.5)",
	}
	w.expect(lines(1), split...)
	w.expect("SELECT DISTINCT cause, toString(caused_at), causes, persons_before, persons_after, records, model_version, toString(as_of) FROM gold.restatement",
		"('split','2025-10-09 15:53:20.000000',1,['p1'],['p1','p8'],['health.patient:1'],'m1','2025-10-09 15:53:20.000000')")
	// What was counted after it is what gold shows.
	w.expect("SELECT insured FROM gold.insured_share_by_ward WHERE ward_code = '26737'", "(0)")
	w.expect("SELECT value FROM gold.indicators WHERE code = 'identity.linked_share'", "(0.875)")

	// Ordinary data changes figures too, and a record that comes is linked: that
	// is no restatement. The same log read by another group, and a start, are none.
	require.NoError(t, r.stop())
	w.group = harness.Name("again")
	w.run()
	put("health", "patient", 1, []any{5, "t1_b", nil, nil, "Binh", "1980-05-05", "female", nil, "26737", nil, nil, nil})
	put("health", "insurance_card", 1, []any{"t1_k5", 5, "2025-01-01", "2025-12-31", 1})
	e.link("health.patient:5", "p2", "population.citizen:2")
	commit()
	w.expect("SELECT insured FROM gold.insured_share_by_ward WHERE ward_code = '26737'", "(1)")

	// The two prove to be one after all, found by a record that came with it: it
	// is the person's on both sides. The commit is an earlier one by its clock.
	e.millis -= 3_600_000
	for _, record := range an {
		e.link(record, "p1", "population.citizen:1")
	}
	e.link("health.patient:6", "p1", "population.citizen:1")
	e.tell("merge", []members{{"p1", without}, {"p8", an[1:2]}}, []members{{"p1", append(append([]string{}, an...), "health.patient:6")}}, "health.patient:6")
	commit()
	w.expect("SELECT figure, column, old_value, new_value FROM gold.restatement WHERE cause = 'merge' AND figure IN ('gold.insured_share_by_ward', 'gold.poor_members_in_hospital_by_ward', 'gold.records_linked') ORDER BY figure, column",
		"('gold.insured_share_by_ward','insured',1,2)",
		"('gold.insured_share_by_ward','share',0.5,1)",
		"('gold.poor_members_in_hospital_by_ward','admissions',NULL,1)",
		"('gold.poor_members_in_hospital_by_ward','cost',NULL,1000000)",
		"('gold.poor_members_in_hospital_by_ward','insured_paid',NULL,800000)",
		"('gold.poor_members_in_hospital_by_ward','people',NULL,1)",
		"('gold.records_linked','linked',4,5)",
		"('gold.records_linked','share',0.6666666666666666,0.8333333333333334)")
	w.expect(lines(1), split...)
	w.expect("SELECT cause, count() FROM gold.restatement GROUP BY cause ORDER BY cause", "('merge',14)", "('split',14)")
	w.expect("SELECT count(), sum(length(events)), sum(length(skipped)) FROM ops.restated WHERE figure = ''", "(2,2,0)")

	// Another process that counts the same events, and is late, writes nothing:
	// an insert's token names the event that it follows.
	late := ch.Context(t.Context(), ch.WithSettings(ch.Settings{"insert_deduplication_token": "restated:0:-1", "async_insert": 0}))
	require.NoError(t, w.conn.Exec(late, "INSERT INTO ops.restated (event_partition, figure, events) SELECT 0, '', [0]"))
	w.expect("SELECT count() FROM ops.restated WHERE figure = ''", "(2)")

	// Several at once: each is counted, and once.
	e.link("health.patient:1", "p8", "")
	e.tell("split", []members{{"p1", an}}, []members{{"p1", without}, {"p8", an[1:2]}})
	e.link("health.patient:1", "p1", "population.citizen:1")
	e.tell("merge", []members{{"p1", without}, {"p8", an[1:2]}}, []members{{"p1", an}})
	commit()
	w.expect("SELECT sum(length(events)), uniqExactArray(events) FROM ops.restated WHERE figure = ''", "(4,4)")
	w.expect("SELECT argMax((old_value, new_value), event_last) FROM gold.restatement WHERE column = 'insured' AND figure = 'gold.insured_share_by_ward'", "((1,2))")

	// The command.
	stdout, stderr, code := w.hopluu("identity", "restated", "--figure", "gold.insured_share_by_ward.insured", "--json")
	require.Zero(t, code, stderr)
	require.Empty(t, stderr)
	var found []struct {
		Cause         string
		Causes        int
		Old           *float64          `json:"old_value"`
		New           *float64          `json:"new_value"`
		Dimensions    map[string]string `json:"dimensions"`
		PersonsBefore []string          `json:"persons_before"`
	}
	require.NoError(t, json.Unmarshal([]byte(stdout), &found))
	require.GreaterOrEqual(t, len(found), 2) // those that came together may be counted together
	first := found[len(found)-1]             // the newest is first
	require.Equal(t, []any{"split", 1, 1.0, 0.0, "26737", "p1"}, []any{first.Cause, first.Causes, *first.Old, *first.New, first.Dimensions["ward_code"], first.PersonsBefore[0]})
	stdout, _, code = w.hopluu("identity", "restated", "--since", "1h", "--figure", "identity.linked_share")
	require.Zero(t, code)
	require.Contains(t, stdout, "code=identity.linked_share")
	stdout, _, code = w.hopluu("identity", "restated", "--since", "2999-01-01")
	require.Zero(t, code)
	require.Equal(t, "0 figures restated\n", stdout)
	_, stderr, code = w.hopluu("identity", "restated", "--since", "yesterday")
	require.NotZero(t, code)
	require.Contains(t, stderr, "--since yesterday is neither")
}
