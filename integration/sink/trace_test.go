package sink

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hopluu/hopluu/cmd/hopluu/operations/replay"
	"github.com/hopluu/hopluu/cmd/hopluu/operations/trace"
	"github.com/hopluu/hopluu/integration/harness"
	"github.com/hopluu/hopluu/schemas/erasure"
	"github.com/hopluu/hopluu/schemas/event"
	"github.com/hopluu/hopluu/schemas/topic"
	"github.com/hopluu/hopluu/sinks/clickhouse"
)

func (w *world) tracer() *trace.Tracer {
	w.t.Helper()
	t, err := trace.New(w.t.Context(), trace.Config{ClickHouse: w.conn, Kafka: w.kafka, Registry: w.registry})
	require.NoError(w.t, err)
	return t
}

// rowsOfFigure gives all rows of a figure.
func rowsOfFigure(t testing.TB, tr *trace.Tracer, f *trace.Figure) (rows []trace.Row) {
	t.Helper()
	require.NoError(t, tr.Rows(t.Context(), f, 0, func(r trace.Row) error {
		rows = append(rows, r)
		return nil
	}))
	return rows
}

// traced goes on in the small city of TestIndicatorsOfASmallCity. P10: every
// figure of every mart can be traced to its events, and is the same when it is
// counted over its rows alone.
func traced(t *testing.T, w *world) {
	// The sink writes silver first: the events of all rows are there, too.
	datasets, err := w.rows(t.Context(), "SELECT name FROM system.tables WHERE database = 'silver' AND engine LIKE '%MergeTree' ORDER BY name")
	require.NoError(t, err)
	require.Greater(t, len(datasets), 15)
	for _, dataset := range datasets {
		dataset = strings.Trim(dataset, "()'")
		w.expect("SELECT count() FROM silver."+dataset+" WHERE (_record, _version) NOT IN (SELECT _record, _version FROM bronze."+dataset+")", "(0)")
	}
	tr := w.tracer()
	marts, err := clickhouse.Traced()
	require.NoError(t, err)
	require.Greater(t, len(marts), 20)
	if os.Getenv("HOPLUU_TEST_TRACE") != "all" {
		// Each takes some seconds of the engine: 'make trace' looks at all.
		rand.Shuffle(len(marts), func(i, j int) { marts[i], marts[j] = marts[j], marts[i] })
		marts = marts[:4]
		t.Log("traced here:", marts)
	}
	for _, mart := range marts {
		c, ok, err := clickhouse.ContributorsOf(mart)
		require.NoError(t, err)
		require.True(t, ok)
		keys, err := w.rows(t.Context(), "SELECT arrayStringConcat(["+asTexts(c.Keys)+"], '\\t') FROM gold."+mart+" ORDER BY 1")
		require.NoError(t, err)
		require.NotEmpty(t, keys, mart)
		// The first row of each, for each trace costs a dozen statements.
		r := trace.Request{View: "gold." + mart}
		for i, value := range strings.Split(strings.Trim(keys[0], "()'"), `\t`) {
			r.Where = append(r.Where, trace.Condition{Column: c.Keys[i], Value: value})
		}
		f, err := tr.Trace(t.Context(), r)
		require.NoError(t, err, r)
		require.True(t, f.Named && f.Same, "%+v: %+v", r, f)
		require.NotEmpty(t, f.AsOf)
		rows := rowsOfFigure(t, tr, f)
		for _, row := range rows {
			require.NotEmpty(t, row.Events, "%+v", row)
			require.True(t, row.Events[0].Now && row.Note == "" && row.Events[0].Topic != "", "%+v", row)
		}
		for _, cell := range f.Row {
			if cell.Column == "as_of" || slices.Contains(c.Keys, cell.Column) {
				continue
			}
			// Of a count the counted rows are as many as it says: not one is here
			// that it does not count.
			counted := 0
			for _, row := range rows {
				if row.Part == "counted" && slices.Contains(row.Figures, cell.Column) {
					counted++
				}
			}
			if counts[mart+"."+cell.Column] {
				require.Equal(t, *cell.Value, strconv.Itoa(counted), "%s.%s", mart, cell.Column)
			}
			if counted > 0 && counted < len(rows) {
				r.Figure = cell.Column
			}
		}
		if r.Figure != "" && slices.Contains([]string{"insured_share_by_ward", "poverty_by_ward", "health_facilities", "welfare_by_programme"}, mart) { // one of fewer rows than all is the same by them alone
			one, err := tr.Trace(t.Context(), r)
			require.NoError(t, err, r)
			require.True(t, one.Same, "%+v: %+v", r, one)
		}
		if !slices.Contains([]string{"insured_share_by_ward", "records_linked"}, mart) {
			continue
		}
		// As of a time since which nothing came it is the same.
		r.Figure, r.At = "", time.UnixMicro(commitMicros).Add(time.Hour)
		then, err := tr.Trace(t.Context(), r)
		require.NoError(t, err, r)
		require.True(t, then.Same, "%+v: %+v", r, then)
		require.Equal(t, f.Row, then.Row)
		require.Equal(t, f.Counts, then.Counts)
	}
	tracedWhoCounts(t, w, tr)
	tracedAndReplayed(t, w)
}

// counts are the figures whose value is a number of rows.
var counts = map[string]bool{
	"population_by_ward.citizens": true, "population_by_ward.male": true, "population_by_ward.under_6": true, "insured_share_by_ward.citizens": true,
	"insured_share_by_ward.insured": true, "poverty_by_ward.poor": true, "poverty_by_ward.near_poor": true, "births_and_deaths_by_month.births": true,
	"births_and_deaths_by_month.deaths": true, "births_not_in_register_by_ward.births": true, "births_not_in_register_by_ward.late": true,
	"health_cost_by_month.encounters": true, "health_diagnoses_this_month.admissions": true, "health_facilities.staying": true, "health_facilities.inpatient": true,
	"inspections_by_month.violations": true, "inspections_by_month.serious": true, "permits_by_ward.applied": true, "permits_by_ward.pending": true,
	"poor_members_in_hospital_by_ward.admissions": true, "records_linked.records": true, "records_linked.linked": true, "tax_by_kind.on_time": true,
	"tax_by_kind.missing": true, "tax_collected_by_month.payments": true, "welfare_by_programme.active": true, "welfare_paid_to_dead.payments": true,
	"beneficiaries_without_insurance_by_programme.uninsured": true, "permit_times_by_month.issued": true,
}

func asTexts(columns []string) string {
	var all []string
	for _, c := range columns {
		all = append(all, "ifNull(toString(`"+c+"`), 'NULL')")
	}
	return strings.Join(all, ", ")
}

// tracedWhoCounts looks at a figure closely, at one of the marts' marts, at an
// indicator and at a view that nothing is declared of.
func tracedWhoCounts(t *testing.T, w *world, tr *trace.Tracer) {
	f, err := tr.Trace(t.Context(), trace.Request{View: "gold.insured_share_by_ward", Where: []trace.Condition{{Column: "ward_code", Value: "26737"}}, Figure: "insured"})
	require.NoError(t, err)
	require.Equal(t, []trace.Count{{Dataset: "population_citizen", Part: "counted", Rows: 1}, {Dataset: "health_insurance_card", Part: "joined", Rows: 1}}, f.Counts)
	rows := rowsOfFigure(t, tr, f)
	require.Len(t, rows, 2)
	require.Equal(t, "population.citizen:1", rows[0].Record)
	require.Equal(t, []string{"insured"}, rows[0].Figures)
	card := rows[1]
	require.Equal(t, "health.insurance_card:t1_k1", card.Record)
	require.Len(t, card.Events, 1)
	e := card.Events[0]
	require.Equal(t, "health.public.insurance_card/0/0 c 7 health", fmt.Sprint(e.Position(), " ", e.Op, " ", e.Transaction, " ", e.Source))
	require.Equal(t, event.LSN(1001).String(), e.LSN)
	require.Equal(t, int64(commitMicros), e.CommitTime.UnixMicro())
	// Its person is found through the patient.
	require.Equal(t, "health.patient:1", card.Link.Record)
	require.Equal(t, "p1 link cccd 1", strings.Join([]string{card.Link.Person, card.Link.Decision, card.Link.Rule, card.Link.Model}, " "))
	require.Equal(t, topic.IdentityLink, card.Link.Topic)

	for _, code := range []string{"citizens.permits_of_debtors", "population.births_this_month"} {
		f, err := tr.Trace(t.Context(), trace.Request{View: "gold.indicators", Where: []trace.Condition{{Column: "code", Value: code}}})
		require.NoError(t, err, code)
		require.True(t, f.Named && f.Same, "%s: %+v", code, f)
		require.NotEmpty(t, rowsOfFigure(t, tr, f), code)
	}

	// And back: from the card's event to the figures that it changes.
	var found []trace.Found
	require.NoError(t, tr.Back(t.Context(), trace.Find{Partition: topic.Partition{Topic: e.Topic, ID: e.Partition}, Offset: e.Offset}, func(f trace.Found) error {
		found = append(found, f)
		return nil
	}))
	require.Len(t, found, 1)
	b := found[0]
	require.Equal(t, trace.RowNow, b.State)
	require.True(t, b.Kafka.There && b.Kafka.Same, "%+v", b.Kafka)
	require.Equal(t, card.Link, b.Link)
	var uses []string
	for _, u := range b.Uses {
		uses = append(uses, fmt.Sprint(u.View, " ", *u.Row[0].Value, " ", u.Part, " ", u.Figures))
	}
	slices.Sort(uses)
	require.Equal(t, []string{
		"gold.beneficiaries_without_insurance_by_programme merit joined [uninsured]",
		"gold.indicators citizens.insured_share joined [value]",
		"gold.indicators citizens.uninsured_beneficiaries joined [value]",
		"gold.insured_share_by_ward 26737 joined [insured]",
	}, uses)

	w.exec("CREATE VIEW gold.my_own AS SELECT count() AS n FROM gold.poverty_by_ward")
	own, err := w.tracer().Trace(t.Context(), trace.Request{View: "gold.my_own"})
	require.NoError(t, err)
	require.False(t, own.Named)
	var parts []string
	for _, d := range own.Datasets {
		require.NotNil(t, d.AsOf)
		parts = append(parts, d.Name)
	}
	require.Equal(t, []string{"identity_link", "population_ward", "welfare_household", "welfare_household_member"}, parts)
	w.exec("DROP VIEW gold.my_own")

	for text, r := range map[string]trace.Request{
		"there is no view":                                 {View: "gold.none"},
		"has no column \"ward\": it has ward_code":         {View: "gold.poverty_by_ward", Where: []trace.Condition{{Column: "ward", Value: "1"}}},
		"has no row where ward_code = 1":                   {View: "gold.poverty_by_ward", Where: []trace.Condition{{Column: "ward_code", Value: "1"}}},
		"several rows where nothing is asked: say with --": {View: "gold.poverty_by_ward"},
	} {
		_, err := tr.Trace(t.Context(), r)
		require.ErrorContains(t, err, text)
	}
}

// tracedAndReplayed is P10 as a whole: somebody changed a row by hand; the tables
// that the trace names are replayed, and the figure is again what it was, of
// the same rows and events.
func tracedAndReplayed(t *testing.T, w *world) {
	tr := w.tracer()
	r := trace.Request{View: "gold.tax_by_kind", Where: []trace.Condition{{Column: "tax_kind", Value: "pit"}}, Figure: "declared"}
	before, err := tr.Trace(t.Context(), r)
	require.NoError(t, err)
	rows := rowsOfFigure(t, tr, before)
	require.Equal(t, []string{"hopluu replay plan --table tax_declaration --from earliest"}, before.Replay)
	w.exec("ALTER TABLE silver.tax_declaration UPDATE declared = 9000000 WHERE declaration_id = 2 SETTINGS mutations_sync = 2")
	w.expect("SELECT declared FROM gold.tax_by_kind WHERE tax_kind = 'pit'", "(9000000)")
	o := w.operator()
	for _, command := range before.Replay {
		table := strings.Fields(command)[4]
		_, err := o.Run(t.Context(), replay.Request{Table: table, From: "earliest", Empty: true})
		require.NoError(t, err)
		_, err = o.Swap(t.Context(), table, false)
		require.NoError(t, err)
		_, err = o.Drop(t.Context(), table)
		require.NoError(t, err)
	}
	after, err := tr.Trace(t.Context(), r)
	require.NoError(t, err)
	require.True(t, after.Same)
	require.Equal(t, before.Row, after.Row)
	require.Equal(t, rows, rowsOfFigure(t, tr, after))
}

// What became of an event is said of each: the row that it is in, or what took
// it from there. Of an erased person nothing else is said (P12).
func TestTraceSaysWhatBecameOfAnEvent(t *testing.T) {
	set, sector := notes()
	w := newWorld(t, set)
	w.ledger()
	f := w.feed(harness.Name("his"), sector, "note", 1, shortColumns...)
	dataset := sector + "_note"
	f.create(1, "first")       // 0
	f.update(1, "second")      // 1
	f.create(2, "gone")        // 2
	f.delete(2)                // 3, and the tombstone at 4
	f.create(3, "of somebody") // 5
	known := f.id
	f.id = 1<<31 - 1
	f.create(4, "of no schema") // 6
	f.id = known
	f.create(5, "last") // 7
	f.commit()
	w.run()
	w.noDuplicates(dataset, 6)
	w.expect("SELECT count() FROM ops.dead_letter FINAL WHERE topic = '"+f.topic+"'", "(1)")
	back := func(find trace.Find) (found []trace.Found) {
		t.Helper()
		require.NoError(t, w.tracer().Back(t.Context(), find, func(f trace.Found) error {
			found = append(found, f)
			return nil
		}))
		return found
	}
	at := func(offset int64) trace.Found {
		t.Helper()
		found := back(trace.Find{Partition: topic.Partition{Topic: f.topic}, Offset: offset})
		require.Len(t, found, 1)
		return found[0]
	}
	name := func(id int) string { return fmt.Sprintf("%s.note:%d", f.source, id) }

	first := at(0)
	require.Equal(t, trace.Superseded, first.State)
	require.Equal(t, f.topic+"/0/1", first.By.Position())
	require.Equal(t, f.topic+"/0/1", first.Row.Position())
	require.True(t, first.Kafka.Same, "%+v", first.Kafka)
	require.Equal(t, trace.RowNow, at(1).State)
	created := at(2)
	require.Equal(t, trace.Deleted, created.State)
	require.Equal(t, "d", created.By.Op)
	require.Equal(t, trace.Deleted, at(3).State)
	require.Equal(t, trace.DeadLetter, at(6).State)
	require.Equal(t, name(4), at(6).Record)
	require.Equal(t, trace.Waiting, at(20).State)
	require.Equal(t, trace.RowNow, back(trace.Find{Record: name(1)})[0].State)
	// One LSN, of this source.
	found := back(trace.Find{LSN: event.LSN(1002), Source: f.source})
	require.Len(t, found, 1)
	require.Equal(t, name(1), found[0].Record)

	e := erasure.Erasure{ID: harness.Name("e"), Version: 1, Records: []string{name(3)}, By: "an", Reason: "asked"}
	w.say(e)
	w.swept(e.ID)
	for _, gone := range []trace.Found{at(5), back(trace.Find{Record: name(3)})[0]} {
		require.Equal(t, trace.Found{State: trace.Erased, Uses: []trace.Use{}, Views: []string{}}, gone)
	}

	f.truncate()
	f.commit()
	w.expect("SELECT count() FROM silver."+dataset+" FINAL", "(0)")
	w.expect("SELECT count() FROM bronze."+dataset+" WHERE _op = 't'", "(1)") // written after silver
	require.Equal(t, trace.Cut, at(7).State)
	require.Equal(t, trace.Whole, at(9).State) // behind the mark of a transaction
	w.exec("ALTER TABLE bronze." + dataset + " DELETE WHERE _offset < 2 SETTINGS mutations_sync = 2")
	require.Equal(t, trace.Thinned, at(0).State)
}
