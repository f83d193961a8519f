package sink

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hopluu/hopluu/integration/harness"
	"github.com/hopluu/hopluu/schemas/avro"
	"github.com/hopluu/hopluu/schemas/sectors"
	"github.com/hopluu/hopluu/schemas/topic"
)

// described makes a feeder of a table as its sector file describes it; the
// first keys columns are its key.
func (w *world) described(sector, table string, keys int) *feeder {
	w.t.Helper()
	s, ok := w.sectors.Sector(sector)
	require.True(w.t, ok)
	t, ok := s.Table(table)
	require.True(w.t, ok)
	var columns []column
	for i, c := range t.Columns {
		columns = append(columns, column{c.Name, c.Type, i < keys})
	}
	return w.feed(sector, sector, table, 1, columns...)
}

// linker writes identity.link as the matcher does.
type linker struct {
	w        *world
	key      *avro.Flat
	value    *avro.Flat
	keyID    uint32
	valueID  uint32
	producer *topic.Producer
	millis   int64 // the time of what comes next
}

func (w *world) linker() *linker {
	w.t.Helper()
	l := &linker{w: w, millis: commitMicros / 1000}
	var err error
	l.key, err = avro.CompileFlat("identity.link", "Key", []avro.FlatField{{Name: "record", Type: "string"}})
	require.NoError(w.t, err)
	text := func(name string, nullable bool) avro.FlatField {
		return avro.FlatField{Name: name, Type: "string", Nullable: nullable}
	}
	l.value, err = avro.CompileFlat("identity.link", "Value", []avro.FlatField{
		text("record", false), text("source", false), text("sector", false), text("table", false), text("person_id", false),
		text("citizen", true), text("decision", false), text("rule", true), text("reasons", true), text("model_version", false),
	})
	require.NoError(w.t, err)
	l.keyID, err = w.registry.Register(w.t.Context(), topic.IdentityLink+"-key", l.key.Schema())
	require.NoError(w.t, err)
	l.valueID, err = w.registry.Register(w.t.Context(), topic.IdentityLink+"-value", l.value.Schema())
	require.NoError(w.t, err)
	_, err = w.kafka.Ensure(w.t.Context(), topic.Spec{Name: topic.IdentityLink, Partitions: 2, Config: map[string]string{"cleanup.policy": "compact"}})
	require.NoError(w.t, err)
	l.producer, err = w.kafka.NewProducer(w.t.Context(), topic.ProducerConfig{TransactionalID: harness.Name("linker")})
	require.NoError(w.t, err)
	w.t.Cleanup(func() { require.NoError(w.t, l.producer.Close()) })
	return l
}

// link says that a record belongs to a person, and to that person's citizen
// record when there is one.
func (l *linker) link(record, person, citizen string) {
	t := l.w.t
	t.Helper()
	cell := func(s string) avro.Cell { return avro.Cell{B: []byte(s)} }
	source, rest, _ := strings.Cut(record, ".")
	table, _, _ := strings.Cut(rest, ":")
	linked := avro.Cell{Null: true}
	if citizen != "" {
		linked = cell(citizen)
	}
	key, err := l.key.Append(nil, l.keyID, []avro.Cell{cell(record)})
	require.NoError(t, err)
	value, err := l.value.Append(nil, l.valueID, []avro.Cell{
		cell(record), cell(source), cell(source), cell(table), cell(person), linked, cell("link"), cell("cccd"), {Null: true}, cell("1"),
	})
	require.NoError(t, err)
	part := topic.Partition{Topic: topic.IdentityLink, ID: topic.PartitionFor(key, 2)}
	require.NoError(t, l.producer.Add(t.Context(), part, key, value, l.millis))
}

func (l *linker) unlink(record string) {
	t := l.w.t
	t.Helper()
	key, err := l.key.Append(nil, l.keyID, []avro.Cell{{B: []byte(record)}})
	require.NoError(t, err)
	part := topic.Partition{Topic: topic.IdentityLink, ID: topic.PartitionFor(key, 2)}
	require.NoError(t, l.producer.Add(t.Context(), part, key, nil, l.millis))
}

// A small city on 9 October 2025, through all five systems, and what leaders
// read of it.
func TestIndicatorsOfASmallCity(t *testing.T) {
	set, err := sectors.Load()
	require.NoError(t, err)
	// identity.link has one name: a broker of its own.
	w := newWorldOn(t, set, harness.Kafka(t, harness.Own()), harness.Own())
	links := w.linker()
	var feeders []*feeder
	put := func(sector, table string, keys int, rows ...[]any) {
		f := w.described(sector, table, keys)
		for _, r := range rows {
			for len(r) < len(f.columns) {
				r = append(r, nil)
			}
			f.create(r...)
		}
		f.commit()
		feeders = append(feeders, f)
	}
	uuid := func(n int) string { return fmt.Sprintf("00000000-0000-0000-0000-%012d", n) }
	const at = "2025-10-01 01:00:00+00"

	put("population", "ward", 1,
		[]any{1, "26737", "Đa Kao", "ward", "2000-01-01", "2025-06-30"},
		[]any{2, "26737", "Tân Định", "ward", "2025-07-01", nil},
		[]any{3, "26740", "Sài Gòn", "ward", "2025-07-01", nil})
	put("population", "citizen", 1,
		[]any{1, "t1_a", nil, "An", "1950-05-05", "male", "26737", nil, nil, "alive", at, at},
		[]any{2, "t1_b", nil, "Bình", "1980-05-05", "female", "26737", nil, nil, "alive", at, at},
		[]any{3, "t1_c", nil, "Chi", "2022-05-05", "female", "26740", nil, nil, "alive", at, at},
		[]any{4, "t1_d", nil, "Dũng", "1940-05-05", "male", "26740", nil, nil, "dead", at, at})
	put("population", "birth", 1,
		[]any{1, 3, "Chi", "2022-05-05", "female", nil, nil, nil, "26737", "2022-09-05 00:00:00+00"},
		[]any{2, nil, "Em", "2025-10-02", "male", nil, nil, nil, "26740", at})
	put("population", "death", 1, []any{1, 4, "2025-08-15", nil, at})
	put("health", "facility", 1, []any{1, "79001", "Bệnh viện", "basic", "26737", 2})
	put("health", "patient", 1,
		[]any{1, "t1_a", nil, nil, "An", "1950-05-05", "male", nil, "26737", nil, at, at},
		[]any{2, "t1_b", nil, nil, "Binh", "1980-05-05", "female", nil, "26737", nil, at, at},
		[]any{3, nil, nil, nil, "Bé", "2023-01-01", "male", nil, "26740", nil, at, at},
		[]any{4, nil, nil, nil, "Chi", "2022-05-05", "female", nil, "26737", nil, "2024-03-01 01:00:00+00", "2024-03-01 01:00:00+00"})
	put("health", "insurance_card", 1,
		[]any{"t1_k1", 1, "2025-01-01", "2025-12-31", 1},
		[]any{"t1_k2", 2, "2024-01-01", "2024-12-31", 1})
	put("health", "encounter", 1,
		[]any{uuid(1), 1, 1, "inpatient", "2025-10-03 01:00:00+00", nil, "J18.9", "{}", nil, "1000000.00", "800000.00", nil},
		[]any{uuid(2), 2, 1, "outpatient", "2025-10-04 01:00:00+00", "2025-10-04 02:00:00+00", "J18.1", nil, nil, "200000.00", nil, nil},
		// In local time this is the last day of September.
		[]any{uuid(3), 1, 1, "emergency", "2025-09-30 16:59:00+00", "2025-09-30 20:00:00+00", "I10", nil, nil, "1.00", nil, nil})
	put("welfare", "household", 1,
		[]any{1, "H1", "poor", "{work}", "26737", nil, "2025-01-01", 2025},
		[]any{2, "H2", "near_poor", "{}", "26740", nil, "2025-01-01", 2025},
		[]any{3, "H3", "escaped", "{}", "26740", nil, "2025-01-01", 2025})
	put("welfare", "household_member", 1,
		[]any{1, 1, "t1_a", nil, "An", "1950-05-05", "male", "head", nil, "26737", nil, at},
		[]any{2, 2, "t1_b", nil, "Bình", "1980-05-05", "female", "head", nil, "26740", nil, at})
	put("welfare", "beneficiary", 1,
		[]any{1, "t1_d", nil, "Dũng", "1940-05-05", "male", nil, "26740", nil, "elderly", 500000, "active", "2020-01-01", at},
		[]any{2, "t1_a", nil, "An", "1950-05-05", "male", nil, "26737", nil, "merit", 1500000, "active", "2020-01-01", at})
	put("welfare", "payment", 2,
		[]any{1, "2025-08-01", 500000, "2025-08-05 00:00:00+00", "post"},
		[]any{1, "2025-09-01", 500000, "2025-09-05 00:00:00+00", "post"},
		[]any{1, "2025-10-01", 500000, "2025-10-05 00:00:00+00", "post"},
		[]any{2, "2025-10-01", 1500000, "2025-10-05 00:00:00+00", "bank"})
	put("welfare", "fund", 1, []any{1, "Quỹ", "elderly", 2025, 10000000, 2500000})
	put("tax", "taxpayer", 1,
		[]any{1, "t1_x", "t1_b", "household_business", "Bình", "Quán", "1980-05-05", "female", nil, "26737", nil, "2020-01-01", at},
		[]any{2, "t1_y", "t1_a", "person", "An", nil, "1950-05-05", "male", nil, "26737", nil, "2020-01-01", at})
	put("tax", "declaration", 1,
		[]any{1, 1, "vat", "2025-07-01", 3000000, "2025-08-01", "2025-07-31 00:00:00+00"},
		[]any{2, 2, "pit", "2025-01-01", 1000000, "2025-05-01", nil},
		[]any{3, 1, "vat", "2025-10-01", 700000, "2025-11-01", nil})
	put("tax", "tax_payment", 1,
		[]any{1, 1, 1, 1000000, "2025-08-01 00:00:00+00"},
		[]any{2, 1, 1, 2500000, "2025-10-02 00:00:00+00"})
	put("construction", "work_kind", 1, []any{"house", "Nhà ở", 5})
	put("construction", "permit", 1,
		[]any{uuid(1), "GP1", "t1_a", "An", "1950-05-05", nil, "house", "26737", "1", "120.50", 3, "issued", "2025-09-20", "2025-10-02", "{}", "{}"},
		[]any{uuid(2), nil, "t1_b", "Bình", "1980-05-05", nil, "house", "26740", "2", "80.00", 2, "reviewing", "2025-10-01", nil, "{}", "{}"})
	put("construction", "inspection", 1,
		[]any{1, uuid(1), "2025-10-03 09:00:00", "serious", "t", 5000000},
		[]any{2, uuid(1), "2025-10-04 09:00:00", "compliant", "f", nil})
	for record, citizen := range map[string]string{
		"population.citizen:1": "1", "population.citizen:2": "2", "population.citizen:3": "3", "population.citizen:4": "4",
		"health.patient:1": "1", "health.patient:2": "2", "health.patient:4": "3", "welfare.household_member:1": "1", "welfare.household_member:2": "2",
		"welfare.beneficiary:1": "4", "welfare.beneficiary:2": "1", "tax.taxpayer:1": "2", "tax.taxpayer:2": "1",
		"construction.permit:" + uuid(1): "1", "construction.permit:" + uuid(2): "2",
	} {
		links.link(record, "p"+citizen, "population.citizen:"+citizen)
	}
	links.link("health.patient:3", "p9", "")
	links.link("health.patient:99", "p99", "")
	links.unlink("health.patient:99")
	require.NoError(t, links.producer.Commit(t.Context()))
	events := links.teller()

	r := w.run()
	for _, f := range feeders {
		w.expect("SELECT count() > 0 FROM bronze."+f.source+"_"+f.table, "(1)")
	}
	w.expect("SELECT count(), countIf(citizen IS NOT NULL) FROM silver.identity_link FINAL", "(16,15)")

	w.expect("SELECT code, value FROM gold.indicators ORDER BY code",
		"('citizens.children_without_record',1)",
		"('citizens.insured_share',0.3333333333333333)",
		"('citizens.near_poor_in_business',1)",
		"('citizens.permits_of_debtors',1)",
		"('citizens.poor_in_hospital',1)",
		"('citizens.uninsured_beneficiaries',1)",
		"('citizens.welfare_paid_to_dead',1000000)",
		"('construction.issued_this_month',1)",
		"('construction.pending',1)",
		"('construction.violation_share',0.5)",
		"('health.encounters_this_month',2)",
		"('health.inpatients_now',1)",
		"('health.insured_cost_share',0.6666666666666666)",
		"('identity.linked_share',0.9375)",
		"('population.births_this_month',1)",
		"('population.births_without_record',1)",
		"('population.deaths_this_month',0)",
		"('population.residents',3)",
		"('tax.collected_this_month',2500000)",
		"('tax.on_time_share',0.3333333333333333)",
		"('tax.overdue',1000000)",
		"('welfare.beneficiaries',2)",
		"('welfare.funds_spent_share',0.25)",
		"('welfare.near_poor_households',1)",
		"('welfare.paid_this_month',2000000)",
		"('welfare.poor_households',1)")
	// P10: every figure carries its "as of", and where it comes from.
	w.expect("SELECT DISTINCT toString(as_of) FROM gold.indicators", "('2025-10-09 15:53:20.000000')")
	w.expect("SELECT count() FROM gold.indicators WHERE empty(sources)", "(0)")
	// A code names the ward that had it when it was written.
	w.expect("SELECT ward_code, ward_since, ward_name, people, admissions, cost FROM gold.poor_members_in_hospital_by_ward", "('26737','2000-01-01','Đa Kao',1,1,1000000)")
	w.expect("SELECT ward_code, ward_since, ward_name, births FROM gold.births_not_in_register_by_ward ORDER BY ward_code", "('26737','2000-01-01','Đa Kao',1)", "('26740','2025-07-01','Sài Gòn',1)")
	w.expect("SELECT ward_code, ward_since, ward_name, children, without_record FROM gold.children_without_civil_record_by_ward ORDER BY ward_code", "('26737','2000-01-01','Đa Kao',1,0)", "('26740','2025-07-01','Sài Gòn',1,1)")
	w.expect("SELECT ward_code, ward_since, ward_name, applied FROM gold.permits_by_ward ORDER BY ward_code", "('26737','2025-07-01','Tân Định',1)", "('26740','2025-07-01','Sài Gòn',1)")
	w.expect("SELECT ward_code, ward_since, ward_name, poor, near_poor, escaped, members FROM gold.poverty_by_ward ORDER BY ward_code", "('26737','2000-01-01','Đa Kao',1,0,0,1)", "('26740',NULL,NULL,0,1,1,1)")
	w.expect("SELECT ward_code, ward_name, citizens FROM gold.population_by_ward ORDER BY ward_code", "('26737','Tân Định',2)", "('26740','Sài Gòn',1)")
	w.expect("SELECT programme, died_on, payments, amount, last_period, record FROM gold.welfare_paid_to_dead", "('elderly','2025-08-15',2,1000000,'2025-10-01','welfare.beneficiary:1')")
	w.expect("SELECT permit_no, overdue FROM gold.permits_of_tax_debtors", "('GP1',1000000)")
	w.expect("SELECT ward_code, citizens, insured FROM gold.insured_share_by_ward ORDER BY ward_code", "('26737',2,1)", "('26740',1,0)")
	w.expect("SELECT month, births, deaths FROM gold.births_and_deaths_by_month ORDER BY month", "('2022-05-01',1,0)", "('2025-08-01',0,1)", "('2025-10-01',1,0)")
	w.expect("SELECT beds, inpatient, emergency, staying, occupancy FROM gold.health_facilities", "(2,1,0,1,0.5)")
	w.expect("SELECT toString(inspected_at) FROM silver.v_construction_inspection ORDER BY inspected_at LIMIT 1", "('2025-10-03 09:00:00.000000')")

	traced(t, w)
	replayMendsAFigure(t, w)

	// The catalogue explains every column of every mart, in both languages.
	w.expect("SELECT uniqExact(mart) >= 26, countIf(meaning_vi = '' OR meaning_en = '' OR mart_vi = '' OR mart_en = '') FROM gold.catalogue", "(1,0)")
	w.expect("SELECT database, table, name FROM system.columns WHERE database IN ('bronze', 'silver', 'gold', 'ops') AND comment = ''")
	w.expect("SELECT database, name FROM system.tables WHERE database IN ('bronze', 'silver', 'gold', 'ops') AND comment = ''")
	// Every mart can be read.
	marts, err := w.conn.Query(t.Context(), "SELECT name FROM system.tables WHERE database = 'gold'")
	require.NoError(t, err)
	var names []string
	for marts.Next() {
		var name string
		require.NoError(t, marts.Scan(&name))
		names = append(names, name)
	}
	require.NoError(t, marts.Err())
	require.GreaterOrEqual(t, len(names), 26)
	restated(w, r, events, put)
	for _, name := range names {
		w.expect("SELECT count() > 0 FROM gold."+name, "(1)")
	}
}
