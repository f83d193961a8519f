package sink

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hopluu/hopluu/integration/harness"
	"github.com/hopluu/hopluu/schemas/sectors"
)

// nodeID is the id of what a record is the first of.
func nodeID(letter, record string) string {
	sum := sha256.Sum256([]byte(record))
	return letter + hex.EncodeToString(sum[:12])
}

// Persons, organisations and what they are to one another, as the rules of the
// sector files make them of seven tables.
func TestMasterData(t *testing.T) {
	set, err := sectors.Load()
	require.NoError(t, err)
	// identity.link has one name: a broker of its own.
	w := newWorldOn(t, set, harness.Kafka(t, harness.Own()), harness.Own())
	links := w.linker()
	put := func(source, sector, table string, rows ...[]any) {
		s, ok := set.Sector(sector)
		require.True(t, ok)
		said, ok := s.Table(table)
		require.True(t, ok)
		var columns []column
		for i, c := range said.Columns {
			columns = append(columns, column{c.Name, c.Type, i == 0})
		}
		f := w.feed(source, sector, table, 1, columns...)
		for _, r := range rows {
			for len(r) < len(columns) {
				r = append(r, nil)
			}
			f.create(r...)
		}
		f.commit()
	}
	const (
		may  = "2025-05-01 01:00:00+00"
		june = "2025-06-01 01:00:00+00"
		july = "2025-07-01 01:00:00+00"
	)
	put("population", "population", "citizen",
		[]any{1, "t1_a", "t1_c", "Nguyễn Văn Đức", "1985-01-01", "male", "26734", "1 Lê Lợi", "t1_p1", "alive", may, may},
		[]any{2, "t1_b", nil, "Trần Thị Hoa", "1990-02-03", "female", "26737", "2 Lê Lợi", nil, "dead", may, may})
	put("population", "population", "death", []any{1, 2, "2025-08-15", nil, july})
	put("health", "health", "patient",
		// The same person, without tones and in another form of Unicode: neither disagrees.
		[]any{1, "t1_a", nil, "t1_i", "NGUYEN VAN DUC", "1985-03-20", "male", "t1_p2", "26740", "9 Hai Bà Trưng", may, june},
		[]any{2, nil, nil, nil, "Nguye\u0302\u0303n Va\u0306n \u0110u\u031b\u0301c", "1985-01-01", "male", nil, nil, nil, may, july},
		// Nobody of the register: three records of equal trust.
		[]any{3, nil, nil, "t1_x", "Lê Mai", "1970-01-01", "female", "t1_p3", "26740", nil, may, july},
		[]any{4, nil, nil, "t1_y", "Lê Thị Mai", "1970-05-06", "female", "t1_p4", "26734", nil, may, june},
		[]any{5, nil, nil, "t1_y", "Lê Thị Mai", nil, "female", nil, nil, nil, may, may})
	put("welfare", "welfare", "household", []any{7, "H7", "poor", "{}", "26734", nil, "2025-01-01", 2025})
	put("welfare", "welfare", "household_member",
		[]any{1, 7, "t1_a", nil, "Nguyễn Văn Đức", "1985-01-01", "male", "head", nil, "26734", "1 Lê Lợi", may},
		[]any{2, nil, nil, nil, "Không Hộ", nil, nil, "other", nil, nil, nil, may})
	put("tax", "tax", "taxpayer",
		// A household business under its representative's number.
		[]any{1, "t1_n", "t1_a", "household_business", "Nguyễn Văn Đức", "Quán phở Đức", "1985-01-01", "male", "t1_p9", "26740", "5 Nguyễn Huệ", "2020-01-01", july},
		[]any{2, "t1_n", "t1_a", "household_business", "Nguyễn Văn Đức", "Tạp hóa Đức", "1985-01-01", "male", nil, "26740", "7 Nguyễn Huệ", "2021-01-01", july},
		// A company in two tax databases, here without a representative.
		[]any{3, "t1_m", nil, "company", nil, "Công ty TNHH Sông Xanh", nil, nil, "t1_p5", "26740", "10 Đồng Khởi", "2015-01-01", june},
		[]any{4, "t1_z", "t1_a", "person", "Nguyễn Văn Đức", nil, "1985-01-01", "male", nil, "26734", "3 Lê Lợi", "2012-01-01", june})
	put("tax_old", "tax", "taxpayer",
		[]any{8, "t1_m", "t1_b", "company", "Trần Thị Hoa", "CÔNG TY TNHH  SÔNG XANH", "1990-02-03", "female", "t1_p6", "26734", nil, "2015-01-01", july},
		[]any{9, nil, nil, "company", nil, "Công ty Không Mã", nil, nil, nil, nil, nil, "2015-01-01", may})
	put("construction", "construction", "permit",
		[]any{"00000000-0000-0000-0000-000000000001", "GP1", "t1_a", "Nguyễn Văn Đức", "1985-01-01", "t1_p7", "house", "27000", "99 công trường", "10.00", 1, "issued", "2025-09-01", nil, "{}", "{}"})
	for record, person := range map[string]string{
		"population.citizen:1": "1", "population.citizen:2": "2", "health.patient:1": "1", "health.patient:2": "1", "welfare.household_member:1": "1",
		"welfare.household_member:2": "5", "tax.taxpayer:1": "1", "tax.taxpayer:2": "1", "tax.taxpayer:4": "1", "tax_old.taxpayer:8": "2",
		"construction.permit:00000000-0000-0000-0000-000000000001": "1",
	} {
		links.link(record, "p"+person, map[string]string{"1": "population.citizen:1", "2": "population.citizen:2"}[person])
	}
	for _, record := range []string{"health.patient:3", "health.patient:4", "health.patient:5"} {
		links.link(record, "p3", "")
	}
	links.link("tax.taxpayer:3", "p4", "") // alone, and no person
	links.link("tax_old.taxpayer:9", "p6", "")
	require.NoError(t, links.producer.Commit(t.Context()))
	w.run()
	w.expect("SELECT count() FROM silver.identity_link FINAL", "(16)")
	for table, n := range map[string]int{"population_citizen": 2, "population_death": 1, "health_patient": 5, "welfare_household_member": 2, "tax_taxpayer": 6, "construction_permit": 1, "welfare_household": 1} {
		w.expect("SELECT count() FROM silver."+table+" FINAL", fmt.Sprintf("(%d)", n))
	}

	// The register's name and birth date survive though others are newer; of a
	// telephone, trusted alike, the newest; the site of a building is no home.
	w.expect("SELECT citizen, members, sources, full_name, birth_date, sex, cccd, cmnd, insurance_no, tax_code, phone, ward_code, address FROM gold.person WHERE person_id = 'p1'",
		"('population.citizen:1',8,['construction','health','population','tax','welfare'],'Nguyễn Văn Đức','1985-01-01','male','t1_a','t1_c','t1_i','t1_z','t1_p7','26734','1 Lê Lợi')")
	// Every value names its record (P10), and who says otherwise: a name without
	// tones, or in another form of Unicode, does not.
	w.expect("SELECT full_name_from.record, full_name_from.trust, full_name_disagree, birth_date_disagree, toString(phone_from.as_of), phone_from.source, phone_from.table, phone_disagree, address_disagree FROM gold.person WHERE person_id = 'p1'",
		"('population.citizen:1',100,0,1,'2025-09-01 00:00:00.000000','construction','permit',2,2)")
	w.expect("SELECT phone_from.version = (SELECT _version FROM silver.construction_permit FINAL) FROM gold.person WHERE person_id = 'p1'", "(1)")
	w.expect("SELECT died_on, died_on_from.record, members FROM gold.person WHERE person_id = 'p2'", "('2025-08-15','population.death:1',2)")
	// Trusted alike: the name and the number that most records state, the birth
	// date that says more than its year, the newest address of all.
	w.expect("SELECT full_name, birth_date, insurance_no, insurance_no_disagree, phone, ward_code, citizen FROM gold.person WHERE person_id = 'p3'",
		"('Lê Thị Mai','1970-05-06','t1_y',1,'t1_p3','26740',NULL)")
	// A company is no person, and a value that nobody states is NULL.
	w.expect("SELECT arraySort(groupArray(person_id)) FROM gold.person", "(['p1','p2','p3','p5'])")
	w.expect("SELECT birth_date, birth_date_from.record, birth_date_disagree FROM gold.person WHERE person_id = 'p5'", "(NULL,'',0)")

	// Two businesses of one number stay two; one company in two databases is one,
	// whose name is written in two ways and disagrees in none.
	company := nodeID("o", "tax.taxpayer:3")
	w.expect("SELECT organisation_id, kind, members, sources, name, name_from.record, name_disagree, phone, ward_code, address FROM gold.organisation ORDER BY name",
		fmt.Sprintf("('%s','organisation',2,['tax','tax_old'],'CÔNG TY TNHH  SÔNG XANH','tax_old.taxpayer:8',0,'t1_p6','26734','10 Đồng Khởi')", company),
		fmt.Sprintf("('%s','organisation',1,['tax_old'],'Công ty Không Mã','tax_old.taxpayer:9',0,NULL,NULL,NULL)", nodeID("o", "tax_old.taxpayer:9")),
		fmt.Sprintf("('%s','household_business',1,['tax'],'Quán phở Đức','tax.taxpayer:1',0,'t1_p9','26740','5 Nguyễn Huệ')", nodeID("o", "tax.taxpayer:1")),
		fmt.Sprintf("('%s','household_business',1,['tax'],'Tạp hóa Đức','tax.taxpayer:2',0,NULL,'26740','7 Nguyễn Huệ')", nodeID("o", "tax.taxpayer:2")))
	// case22: one number, two nodes and a role between them.
	w.expect("SELECT person_id, role, kind, node_id, node_record, stated, record, toString(stated_as_of) FROM gold.role ORDER BY person_id, role, node_record",
		fmt.Sprintf("('p1','member_of','household','%s','welfare.household:7','head','welfare.household_member:1','2025-05-01 08:00:00.000000')", nodeID("h", "welfare.household:7")),
		fmt.Sprintf("('p1','represents','household_business','%s','tax.taxpayer:1',NULL,'tax.taxpayer:1','2025-07-01 08:00:00.000000')", nodeID("o", "tax.taxpayer:1")),
		fmt.Sprintf("('p1','represents','household_business','%s','tax.taxpayer:2',NULL,'tax.taxpayer:2','2025-07-01 08:00:00.000000')", nodeID("o", "tax.taxpayer:2")),
		fmt.Sprintf("('p2','represents','organisation','%s','tax_old.taxpayer:8',NULL,'tax_old.taxpayer:8','2025-07-01 08:00:00.000000')", company))

	w.sameInAnyOrder("gold.person", "gold.organisation", "gold.role")

	w.expect("SELECT table, name FROM system.columns WHERE database = 'gold' AND comment = ''")
	w.expect("SELECT countIf(meaning_vi = '' OR meaning_en = '' OR meaning_vi = meaning_en) FROM gold.catalogue WHERE mart IN ('gold.person', 'gold.organisation', 'gold.organisation_record', 'gold.role', 'gold.person_history')", "(0)")
}

// A merge and a split, and who everybody was before, between and after.
func TestPersonHistory(t *testing.T) {
	// identity.link has one name: a broker of its own.
	w := newWorldOn(t, &sectors.Set{}, harness.Kafka(t, harness.Own()), harness.Own())
	links := w.linker()
	for record, person := range map[string]string{"1": "p1", "2": "p1", "3": "p3", "4": "p3", "5": "p3"} {
		links.link("health.patient:"+record, person, "")
	}
	require.NoError(t, links.producer.Commit(t.Context()))
	w.run()

	// At T1 p3 proves to be p2; at T2, after a correction, no longer, and one of
	// its records is withdrawn.
	t1 := time.Date(2025, 10, 20, 3, 0, 0, 0, time.UTC)
	t2 := t1.AddDate(0, 0, 10)
	links.millis = t1.UnixMilli()
	for _, record := range []string{"health.patient:3", "health.patient:4", "health.patient:5"} {
		links.link(record, "p2", "population.citizen:2")
	}
	require.NoError(t, links.producer.Commit(t.Context()))
	links.millis = t2.UnixMilli()
	links.link("health.patient:3", "p3", "")
	links.link("health.patient:4", "p3", "")
	links.unlink("health.patient:5")
	require.NoError(t, links.producer.Commit(t.Context()))
	asOf := func(at time.Time) string {
		when := fmt.Sprintf("fromUnixTimestamp64Milli(%d)", at.UnixMilli())
		return "SELECT record, person_id FROM gold.person_history WHERE record LIKE 'health.patient:%' AND valid_from <= " + when + " AND (valid_to IS NULL OR valid_to > " + when + ") ORDER BY record"
	}
	w.expect(asOf(t1.AddDate(0, -1, 0)))
	for at, want := range map[time.Time][3]string{t1.Add(-time.Minute): {"p3", "p3", "p3"}, t1: {"p2", "p2", "p2"}, t2.Add(-time.Minute): {"p2", "p2", "p2"}, t2: {"p3", "p3", ""}} {
		rows := []string{"('health.patient:1','p1')", "('health.patient:2','p1')"}
		for i, p := range want {
			if p != "" {
				rows = append(rows, fmt.Sprintf("('health.patient:%d','%s')", i+3, p))
			}
		}
		w.expect(asOf(at), rows...)
	}

	// A link whose change has an earlier time than the one before it: nobody is
	// two people at a time.
	links.millis = t1.Add(time.Hour).UnixMilli()
	links.link("health.patient:3", "p7", "")
	require.NoError(t, links.producer.Commit(t.Context()))
	w.expect("SELECT person_id, valid_to IS NULL FROM gold.person_history WHERE record = 'health.patient:3' ORDER BY version", "('p3',0)", "('p2',0)", "('p7',1)")
	w.expect("SELECT count() FROM gold.person_history AS a INNER JOIN gold.person_history AS b ON a.record = b.record WHERE a.version < b.version AND (a.valid_to IS NULL OR a.valid_to > b.valid_from)", "(0)")
}

// sameInAnyOrder writes silver's rows again, in parts of another order, with
// older versions of them that say other things before and behind them, and some
// twice; and finds the views unchanged (P9, P10).
func (w *world) sameInAnyOrder(views ...string) {
	t := w.t
	t.Helper()
	read := func() (all []string) {
		for _, v := range views {
			rows, err := w.rows(t.Context(), "SELECT * EXCEPT as_of FROM "+v+" ORDER BY ALL")
			require.NoError(t, err)
			require.NotEmpty(t, rows, v)
			all = append(all, rows...)
		}
		return all
	}
	before := read()
	for table, name := range map[string]string{"population_citizen": "full_name", "health_patient": "full_name", "tax_taxpayer": "business_name", "welfare_household_member": "full_name", "identity_link": "person_id"} {
		again := "default.again_" + table
		into := "INSERT INTO silver." + table + " SELECT "
		older := "* REPLACE (_version - 1 AS _version, 'another' AS " + name + ") FROM " + again
		for _, sql := range []string{
			"CREATE TABLE " + again + " AS silver." + table, "INSERT INTO " + again + " SELECT * FROM silver." + table + " FINAL", "TRUNCATE TABLE silver." + table,
			into + "* FROM " + again + " WHERE sipHash64(_record) % 2 = 1", into + older, into + "* FROM " + again + " WHERE sipHash64(_record) % 2 = 0", into + "* FROM " + again,
		} {
			require.NoError(t, w.conn.Exec(t.Context(), sql))
		}
	}
	require.Equal(t, before, read())
}
