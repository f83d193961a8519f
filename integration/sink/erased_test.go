package sink

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hopluu/hopluu/integration/harness"
	"github.com/hopluu/hopluu/schemas/erasure"
	"github.com/hopluu/hopluu/schemas/erasure/feed"
	"github.com/hopluu/hopluu/schemas/sectors"
	"github.com/hopluu/hopluu/schemas/topic"
	"github.com/hopluu/hopluu/sinks"
	"github.com/hopluu/hopluu/sinks/clickhouse"
)

// clinic is a sector of patients, who are persons, and of encounters, which
// speak of them.
const clinic = `
system: 5
name: {vi: Khám, en: Clinic}
owner: {vi: Sở Y tế, en: Department of Health}
tables:
  - name: patient
    meaning: {vi: Người bệnh, en: Patients}
    person: direct
    columns:
      - {name: id, type: bigint, meaning: {vi: Mã, en: Id}, sensitivity: internal}
      - {name: name, type: text, meaning: {vi: Tên, en: Name}, sensitivity: personal, match: full_name}
  - name: encounter
    meaning: {vi: Lần khám, en: Encounters}
    person: {via: patient, to: patient}
    columns:
      - {name: id, type: bigint, meaning: {vi: Mã, en: Id}, sensitivity: internal}
      - {name: patient, type: bigint, meaning: {vi: Người bệnh, en: Patient}, sensitivity: internal}
      - {name: note, type: text, meaning: {vi: Ghi chú, en: Note}, sensitivity: sensitive}
  - name: licence
    meaning: {vi: Giấy phép, en: Licences}
    columns:
      - {name: id, type: bigint, meaning: {vi: Mã, en: Id}, sensitivity: internal}
      - {name: officer, type: text, meaning: {vi: Người ký, en: Officer}, sensitivity: identifier, identifier: cccd}
`

// ledger is the erasure ledger, which a test makes before its sinks.
func (w *world) ledger() {
	w.t.Helper()
	_, err := w.kafka.Ensure(w.t.Context(), topic.Spec{Name: topic.IdentityErasure, Partitions: 1, Config: map[string]string{"cleanup.policy": "compact"}})
	require.NoError(w.t, err)
}

func (w *world) say(e erasure.Erasure) {
	w.t.Helper()
	key, value, err := e.Message()
	require.NoError(w.t, err)
	require.NoError(w.t, feed.Write(w.t.Context(), w.kafka, harness.Name("says"), 1, feed.Message{Key: key, Value: value}))
}

// swept waits until the sink has said that an erasure is done.
func (w *world) swept(id string) (ledger *erasure.Ledger) {
	w.t.Helper()
	harness.Eventually(w.t, within, func(ctx context.Context) (err error) {
		if ledger, _, err = feed.Read(ctx, w.kafka); err != nil {
			return err
		}
		if _, done := ledger.Done(id)[erasure.StepClickHouse+w.group]; !done {
			return fmt.Errorf("not done yet: %v", ledger.Done(id))
		}
		return nil
	})
	return ledger
}

// P12, P2: an erased person's rows leave bronze, silver, history and the dead
// letters, with those that speak of them; they do not come back when the sink
// is set back, when the events come again, or when it starts anew; nobody
// else's go, and the offsets that bronze lacks are known.
func TestP12ErasedRowsLeaveAndStayGone(t *testing.T) {
	sector := harness.Name("clinic")
	parsed, err := sectors.Parse(sector+".yaml", []byte("sector: "+sector+clinic))
	require.NoError(t, err)
	w := newWorld(t, &sectors.Set{Sectors: []sectors.Sector{*parsed}})
	w.ledger()
	source := harness.Name("his")
	patients := w.feed(source, sector, "patient", 2, column{"id", "bigint", true}, column{"name", "text", false})
	encounters := w.feed(source, sector, "encounter", 2, column{"id", "bigint", true}, column{"patient", "bigint", false}, column{"note", "text", false})
	// Licences are nobody's own: one names the person as its officer.
	licences := w.feed(source, sector, "licence", 1, column{"id", "bigint", true}, column{"officer", "text", false})
	for i := range 5 {
		licences.create(i, fmt.Sprintf("t1_%d", i+5))
		licences.update(i, fmt.Sprintf("t1_%d", i+5))
	}
	licences.commit()
	write := func() {
		for i := range 20 {
			patients.create(i, fmt.Sprintf("name %d", i))
			patients.update(i, fmt.Sprintf("later name %d", i))
			encounters.create(2*i, i, fmt.Sprintf("note of %d", i))
			encounters.create(2*i+1, i, fmt.Sprintf("note of %d", i))
		}
		// It is another's now: what was said of it while it was not goes, it stays.
		encounters.update(14, 8, "note of 8")
		patients.commit()
		encounters.commit()
	}
	write()
	sink := w.run()
	patient, encounter := sector+"_patient", sector+"_encounter"
	w.expect("SELECT count() FROM bronze."+patient, "(40)")
	w.expect("SELECT count() FROM bronze."+encounter, "(41)")
	record := source + ".patient:7"
	require.NoError(t, w.conn.Exec(t.Context(), "INSERT INTO ops.dead_letter (at, topic, partition, offset, record, value, state) SELECT now64(6), '"+patients.topic+"', 0, 100000, '"+record+"', 'name 7', 'discarded'"))

	w.say(erasure.Erasure{ID: harness.Name("e"), Version: 1, Records: []string{record}, By: "an", Reason: "asked", Pending: true})
	id := harness.Name("e")
	// The ledger has the number's tokens: of the record key, and of the key that
	// rows have.
	key, value, err := erasure.Found{At: 1, Tokens: []string{"k1_7"}, Marks: []string{"t1_7"}}.Message(id, erasure.FoundVault)
	require.NoError(t, err)
	require.NoError(t, feed.Write(t.Context(), w.kafka, harness.Name("says"), 1, feed.Message{Key: key, Value: value}))
	w.say(erasure.Erasure{ID: id, Version: 1, Records: []string{record}, By: "an", Reason: "asked"})
	ledger := w.swept(id)
	records, _ := ledger.Names(id)
	require.ElementsMatch(t, []string{record, source + ".encounter:15"}, records, "the encounters that are theirs, and not the one that is another's now")

	licence := sector + "_licence"
	gone := func() {
		t.Helper()
		// The licences stay, and that one without its officer.
		w.expect(fmt.Sprintf("SELECT count(), countIf(officer = 't1_7'), countIf(id = 2 AND officer IS NULL), countIf(officer = 't1_8') FROM bronze.%s", licence), "(10,0,2,2)")
		w.expect(fmt.Sprintf("SELECT count(), countIf(officer = 't1_7'), countIf(id = 2 AND officer IS NULL), countIf(officer = 't1_8') FROM silver.%s FINAL", licence), "(5,0,1,1)")
		w.expect(fmt.Sprintf("SELECT count(), countIf(officer = 't1_7') FROM silver.%s_history", licence), "(10,0)")
		w.expect(fmt.Sprintf("SELECT count(), countIf(id = 7), uniqExact(_topic, _partition, _offset) FROM bronze.%s", patient), "(38,0,38)")
		w.expect(fmt.Sprintf("SELECT count(), countIf(name LIKE '%%name 7') FROM silver.%s", patient), "(19,0)")
		w.expect(fmt.Sprintf("SELECT count(), countIf(note = 'note of 7'), countIf(id = 14), countIf(id = 15) FROM bronze.%s", encounter), "(39,0,1,0)")
		w.expect(fmt.Sprintf("SELECT count(), countIf(patient = 7), countIf(id = 14 AND patient = 8) FROM silver.%s FINAL", encounter), "(39,0,1)")
		w.expect(fmt.Sprintf("SELECT count() FROM silver.%s_history WHERE name LIKE '%%name 7'", patient), "(0)")
		w.expect("SELECT count() FROM ops.dead_letter WHERE record = '"+record+"'", "(0)")
		w.expect("SELECT uniqExact(topic, partition, offset) FROM ops.erased_offset WHERE topic = '"+patients.topic+"' AND offset < 100000", "(2)")
		w.expect("SELECT uniqExact(topic, partition, offset) FROM ops.erased_offset WHERE topic = '"+encounters.topic+"'", "(2)")
	}
	// Merges keep what FINAL shows, which for silver is all but the versions.
	require.NoError(t, w.conn.Exec(t.Context(), "OPTIMIZE TABLE silver."+patient+" FINAL"))
	gone()
	w.expect("SELECT count() > 0 FROM ops.erasure WHERE key = 'erasure/"+id+"'", "(1)")

	// Set back to the beginning.
	patients.committed()
	encounters.committed()
	require.NoError(t, sink.stop())
	back := map[topic.Partition]int64{}
	for _, f := range []*feeder{patients, encounters, licences} {
		for p := range f.partitions {
			back[topic.Partition{Topic: f.topic, ID: p}] = 0
		}
	}
	require.NoError(t, sinks.Rewind(t.Context(), w.kafka, w.group, back))
	sink = w.run()
	patients.committed()
	encounters.committed()
	licences.committed()
	require.NoError(t, w.conn.Exec(t.Context(), "OPTIMIZE TABLE silver."+patient+" FINAL"))
	gone()

	// Their events come again, with new ones of others.
	patients.create(7, "name 7")
	patients.create(100, "somebody else")
	encounters.create(200, 7, "note of 7")
	encounters.create(201, 100, "note of 100")
	encounters.delete(15)
	patients.commit()
	encounters.commit()
	w.expect(fmt.Sprintf("SELECT count(), countIf(id = 7), countIf(id = 100) FROM bronze.%s", patient), "(39,0,1)")
	w.expect(fmt.Sprintf("SELECT count(), countIf(patient = 7), countIf(id = 201) FROM bronze.%s", encounter), "(40,0,1)")
	w.expect("SELECT uniqExact(topic, partition, offset) FROM ops.erased_offset WHERE topic IN ('"+patients.topic+"', '"+encounters.topic+"') AND offset < 100000", "(7)")
	require.NoError(t, sink.stop())

	// A restored table has them again, until the sweep of the next start.
	require.NoError(t, w.conn.Exec(t.Context(), strings.ReplaceAll("INSERT INTO silver.X (id, name, _record, _source) SELECT 7, 'name 7', '"+record+"', '"+source+"'", "X", patient)))
	sink = w.run()
	w.expect(fmt.Sprintf("SELECT countIf(id = 7), countIf(id = 100) FROM silver.%s", patient), "(0,1)")
	require.NoError(t, sink.stop())
	require.NoError(t, w.conn.Exec(t.Context(), strings.ReplaceAll("INSERT INTO silver.X (id, name, _record, _source) SELECT 7, 'name 7', '"+record+"', '"+source+"'", "X", patient)))
	require.NoError(t, w.conn.Exec(t.Context(), "INSERT INTO silver."+licence+" (id, officer, _record, _source) SELECT 9, 't1_7', '"+source+".licence:9', '"+source+"'"))
	config := w.config()
	deleted, err := clickhouse.Erase(t.Context(), &config, ledger)
	require.NoError(t, err)
	require.Equal(t, map[string]int64{"silver." + patient: 1, "silver." + licence + ".officer": 1}, deleted)
	w.expect("SELECT count() FROM silver."+licence+" WHERE id = 9 AND officer IS NULL", "(1)")

	// A lift, and the sector's next event of the record is as any other.
	w.say(erasure.Erasure{ID: id, Version: 2, Records: []string{record}, By: "an", Reason: "asked", Lift: &erasure.Lift{By: "an", Reason: "came back", At: time.Now().UnixMilli()}})
	w.run()
	patients.create(7, "name 7")
	patients.commit()
	w.expect(fmt.Sprintf("SELECT name FROM silver.%s FINAL WHERE id = 7", patient), "('name 7')")
}
