package generator

import (
	"context"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/hopluu/hopluu/deploy/local/generator/city"
)

var healthSteps = []step{
	{"new patients and visits", newPatients},
	{"discharges, one at a time", dischargeOneByOne},
	{"large notes left as they are, changed, emptied", touchNotes},
	{"an archive of 40,000 visits in one transaction", importArchive},
	{"an import that is rolled back", abortVisitImport},
	{"visits with savepoints", visitsWithSavepoints},
	{"a new column: triage_level", addTriage},
	{"primary keys changed", renumberPatients},
	{"cards renewed under another number", renewCards},
	{"identity numbers filled in and corrected", correctPatients},
	{"patients registered twice are merged", mergePatients},
	{"visits deleted and written again", rewriteVisits},
}

// archiveRows is the size of the largest transaction.
const archiveRows = 40_000

// newPatients registers people who were never patients, with a card and
// visits, some rows in a transaction; then many visits, one in a transaction.
func newPatients(ctx context.Context, w *work) error {
	for range 40 {
		err := w.transact(ctx, func(t *tx) error {
			people, err := t.without(ctx, "patient")
			if err != nil {
				return err
			}
			people = sample(w.r, only(people, func(p *city.Person) bool { return p.AliveOn(w.city.Base) }), 10)
			return admit(ctx, t, people)
		})
		if err != nil {
			return err
		}
	}
	var patients []record
	return w.finishChunks(ctx, 400, func(t *tx, n int) (err error) {
		if n == 0 {
			patients, err = t.records(ctx, "patient")
			if err != nil {
				return err
			}
			patients = only(patients, func(r record) bool { return r.person.AliveOn(w.city.Base) })
		}
		return visit(ctx, t, patients, 1+n%5)
	})
}

// admit registers patients with their cards and two visits each.
func admit(ctx context.Context, t *tx, people []*city.Person) error {
	w := t.w
	first, err := t.number(ctx, `SELECT max(patient_id) + 1 FROM patient`)
	if err != nil {
		return err
	}
	patients, cards, visits := city.Rows{Table: city.Patients}, city.Rows{Table: city.InsuranceCards}, city.Rows{Table: city.Encounters}
	for i, p := range people {
		id := first + int64(i)
		patients.Rows, patients.People = append(patients.Rows, w.city.PatientRow(w.r, id, p, w.city.Base)), append(patients.People, p.ID)
		if p.Card != "" {
			known, err := t.number(ctx, `SELECT count(*) FROM insurance_card WHERE card_no = $1`, p.Card)
			if err != nil {
				return err
			}
			if known == 0 {
				cards.Rows = append(cards.Rows, w.city.CardRow(w.r, id, p))
			}
		}
		for range 2 {
			visits.Rows = append(visits.Rows, w.city.EncounterRow(w.r, id, p, w.city.Base))
		}
	}
	for _, rows := range []city.Rows{patients, cards, visits} {
		if err := t.insert(ctx, rows); err != nil {
			return err
		}
	}
	return nil
}

// visit writes n visits of today.
func visit(ctx context.Context, t *tx, patients []record, n int) error {
	rows := city.Rows{Table: city.Encounters}
	for _, p := range sample(t.w.r, patients, n) {
		rows.Rows = append(rows.Rows, t.w.city.EncounterRow(t.w.r, p.key, p.person, t.w.city.Base))
	}
	return t.insert(ctx, rows)
}

// dischargeOneByOne ends stays and settles bills, a row a statement, 100 in a
// transaction; then raises what the insurance pays with one statement.
func dischargeOneByOne(ctx context.Context, w *work) error {
	var open [][16]byte
	err := w.transact(ctx, func(t *tx) (err error) {
		open, err = keys[[16]byte](ctx, t, `SELECT encounter_id FROM encounter WHERE discharged_at IS NULL OR kind = 'inpatient' ORDER BY encounter_id LIMIT 2500`)
		return err
	})
	if err != nil {
		return err
	}
	for _, chunk := range chunks(open, 100) {
		err := w.transact(ctx, func(t *tx) error {
			var b pgx.Batch
			for _, id := range chunk {
				b.Queue(`UPDATE encounter SET discharged_at = coalesce(discharged_at, $2), cost = cost + $3 WHERE encounter_id = $1`, id, w.today(), city.Hundredths(int64(w.r.IntN(900))*100_000))
			}
			return t.updates(ctx, "encounter", &b)
		})
		if err != nil {
			return err
		}
	}
	return w.finish(ctx, func(t *tx) error {
		_, err := t.update(ctx, "encounter", `UPDATE encounter SET insured_paid = round(cost * 0.85, 2) WHERE kind = 'inpatient' AND insured_paid > 0`)
		return err
	})
}

// touchNotes updates rows with notes that are stored out of line: most without
// touching the notes, which the stream then does not send (P4), some with
// other notes, large, small or none.
func touchNotes(ctx context.Context, w *work) error {
	return w.finish(ctx, func(t *tx) error {
		large, err := keys[[16]byte](ctx, t, `SELECT encounter_id FROM encounter WHERE length(notes) > 8192 ORDER BY encounter_id`)
		if err != nil {
			return err
		}
		small, err := keys[[16]byte](ctx, t, `SELECT encounter_id FROM encounter WHERE notes IS NULL ORDER BY encounter_id LIMIT 40`)
		if err != nil {
			return err
		}
		var b pgx.Batch
		for i, id := range sample(w.r, large, 320) {
			switch {
			case i < 20:
				b.Queue(`UPDATE encounter SET notes = $2 WHERE encounter_id = $1`, id, "Siêu âm: "+city.Incompressible(w.r, 12_000))
			case i < 40:
				b.Queue(`UPDATE encounter SET notes = 'Đã lưu vào kho hồ sơ' WHERE encounter_id = $1`, id)
			case i < 60:
				b.Queue(`UPDATE encounter SET notes = NULL WHERE encounter_id = $1`, id)
			default:
				b.Queue(`UPDATE encounter SET cost = cost + 50000.25, diagnosis = diagnosis || ' (đã rà soát)' WHERE encounter_id = $1`, id)
			}
		}
		for _, id := range small {
			b.Queue(`UPDATE encounter SET notes = $2 WHERE encounter_id = $1`, id, "Nội soi: "+city.Incompressible(w.r, 10_000))
		}
		return t.updates(ctx, "encounter", &b)
	})
}

// importArchive writes the visits of earlier years that a hospital kept in
// another system.
func importArchive(ctx context.Context, w *work) error {
	return w.finish(ctx, func(t *tx) error {
		patients, err := t.records(ctx, "patient")
		if err != nil {
			return err
		}
		then := w.city.Base.AddDate(-2-w.round, 0, 0)
		patients = only(patients, func(r record) bool { return r.person.AliveOn(then) })
		if len(patients) == 0 {
			return fmt.Errorf("no patient lived on %s", then.Format("2006-01-02"))
		}
		rows := city.Rows{Table: city.Encounters, Rows: make([][]any, 0, archiveRows)}
		for range archiveRows {
			p := patients[w.r.IntN(len(patients))]
			rows.Rows = append(rows.Rows, w.city.EncounterRow(w.r, p.key, p.person, then.AddDate(0, 0, w.r.IntN(365))))
		}
		return t.copy(ctx, rows)
	})
}

// abortVisitImport writes 2,000 visits and takes them back.
func abortVisitImport(ctx context.Context, w *work) error {
	err := w.transact(ctx, func(t *tx) error {
		patients, err := t.records(ctx, "patient")
		if err != nil {
			return err
		}
		if err := visit(ctx, t, patients, 2000); err != nil {
			return err
		}
		return errRollback
	})
	if err != nil {
		return err
	}
	return w.finish(ctx, func(*tx) error { return nil })
}

// visitsWithSavepoints writes visits in subtransactions, some nested, some
// taken back.
func visitsWithSavepoints(ctx context.Context, w *work) error {
	return w.finishChunks(ctx, 5, func(t *tx, n int) error {
		patients, err := t.records(ctx, "patient")
		if err != nil {
			return err
		}
		if err := visit(ctx, t, patients, 20); err != nil {
			return err
		}
		err = t.savepoint(ctx, func(t *tx) error {
			if err := visit(ctx, t, patients, 300); err != nil {
				return err
			}
			return errRollback
		})
		if err != nil {
			return err
		}
		return t.savepoint(ctx, func(t *tx) error {
			if err := visit(ctx, t, patients, 30); err != nil {
				return err
			}
			err := t.savepoint(ctx, func(t *tx) error {
				if err := visit(ctx, t, patients, 10); err != nil {
					return err
				}
				return errRollback
			})
			if err != nil {
				return err
			}
			return visit(ctx, t, patients, 15)
		})
	})
}

// addTriage adds a column while the system is at work, first in a transaction
// that also writes rows before and after, then fills it.
func addTriage(ctx context.Context, w *work) error {
	triaged := city.Table{Name: "encounter", Columns: append(slices.Clone(city.Encounters.Columns), "triage_level")}
	var patients []record
	arrive := func(t *tx, n int) city.Rows {
		rows := city.Rows{Table: triaged}
		for _, p := range sample(w.r, patients, n) {
			row := w.city.EncounterRow(w.r, p.key, p.person, w.city.Base)
			rows.Rows = append(rows.Rows, append(row, int16(1+w.r.IntN(5))))
		}
		return rows
	}
	err := w.transact(ctx, func(t *tx) (err error) {
		if patients, err = t.records(ctx, "patient"); err != nil {
			return err
		}
		if err := visit(ctx, t, patients, 10); err != nil {
			return err
		}
		if _, err := t.Exec(ctx, `ALTER TABLE encounter ADD COLUMN IF NOT EXISTS triage_level smallint`); err != nil {
			return err
		}
		return t.insert(ctx, arrive(t, 10))
	})
	if err != nil {
		return err
	}
	if err := w.transact(ctx, func(t *tx) error { return t.copy(ctx, arrive(t, 2000)) }); err != nil {
		return err
	}
	return w.finish(ctx, func(t *tx) error {
		_, err := t.update(ctx, "encounter", `UPDATE encounter SET triage_level = 2 WHERE kind = 'emergency' AND triage_level IS NULL AND admitted_at > $1`, w.city.Base.AddDate(0, 0, -90))
		return err
	})
}

// renumberPatients changes primary keys; visits and cards follow.
func renumberPatients(ctx context.Context, w *work) error {
	return w.finish(ctx, func(t *tx) error {
		patients, err := keys[int64](ctx, t, `SELECT patient_id FROM patient ORDER BY patient_id`)
		if err != nil {
			return err
		}
		to, err := t.number(ctx, `SELECT max(patient_id) FROM patient`)
		if err != nil {
			return err
		}
		for _, from := range sample(w.r, patients, 20) {
			to++
			for _, table := range []string{"encounter", "insurance_card"} { // they follow by ON UPDATE CASCADE
				n, err := t.number(ctx, `SELECT count(*) FROM `+table+` WHERE patient_id = $1`, from)
				if err != nil {
					return err
				}
				t.count(table, Count{Updated: n})
			}
			if _, err := t.update(ctx, "patient", `UPDATE patient SET patient_id = $2, updated_at = now() WHERE patient_id = $1`, from, to); err != nil {
				return err
			}
			if err := t.moved(ctx, "patient", from, to); err != nil {
				return err
			}
		}
		return nil
	})
}

// renewCards gives cards another group, and so another number: a changed
// primary key that is an identifier; the patients' own numbers follow.
func renewCards(ctx context.Context, w *work) error {
	return w.finish(ctx, func(t *tx) error {
		cards, err := keys[string](ctx, t, `SELECT card_no FROM insurance_card WHERE left(card_no, 2) NOT IN ('GB', 'TE') ORDER BY card_no`)
		if err != nil {
			return err
		}
		var renew, follow pgx.Batch
		for _, old := range sample(w.r, cards, 80) {
			anew := "GB" + old[2:]
			renew.Queue(`UPDATE insurance_card SET card_no = $2, valid_from = $3, valid_to = $3::date + 365 WHERE card_no = $1 AND NOT EXISTS (SELECT FROM insurance_card WHERE card_no = $2)`, old, anew, w.city.Base)
			follow.Queue(`UPDATE patient SET insurance_no = $2, updated_at = now() WHERE insurance_no = $1`, old, anew)
		}
		if err := t.updates(ctx, "insurance_card", &renew); err != nil {
			return err
		}
		return t.updates(ctx, "patient", &follow)
	})
}

// correctPatients fills in and corrects identity numbers as patients show
// their cards, and gives newborn children their names.
func correctPatients(ctx context.Context, w *work) error {
	var patients []record
	return w.finishChunks(ctx, 20, func(t *tx, n int) (err error) {
		if n == 0 {
			if patients, err = t.records(ctx, "patient"); err != nil {
				return err
			}
			patients = sample(w.r, patients, 800)
		}
		var b pgx.Batch
		for _, p := range patients[len(patients)*n/20 : len(patients)*(n+1)/20] {
			b.Queue(`UPDATE patient SET cccd = $2, updated_at = now() WHERE patient_id = $1 AND cccd IS DISTINCT FROM $2`, p.key, p.person.CCCD)
			b.Queue(`UPDATE patient SET full_name = $2, updated_at = now() WHERE patient_id = $1 AND full_name LIKE 'CON BÀ %'`, p.key, p.person.Name())
		}
		return t.updates(ctx, "patient", &b)
	})
}

// mergePatients moves the visits of people who were registered twice to one
// record and deletes the other.
func mergePatients(ctx context.Context, w *work) error {
	return w.finishChunks(ctx, 30, func(t *tx, n int) error {
		var keep, drop int64
		rows, err := t.Query(ctx, `SELECT min(key::bigint), max(key::bigint) FROM demo.truth WHERE tbl = 'patient' AND person IS NOT NULL
			GROUP BY person HAVING count(*) = 2 AND NOT EXISTS (SELECT FROM insurance_card c WHERE c.patient_id = max(key::bigint)) ORDER BY 1 LIMIT 1`)
		if err != nil {
			return err
		}
		pair, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (n int, err error) { return 0, row.Scan(&keep, &drop) })
		if err != nil || len(pair) == 0 {
			return err
		}
		if _, err := t.update(ctx, "encounter", `UPDATE encounter SET patient_id = $1 WHERE patient_id = $2`, keep, drop); err != nil {
			return err
		}
		if _, err := t.delete(ctx, "patient", `DELETE FROM patient WHERE patient_id = $1`, drop); err != nil {
			return err
		}
		return t.forgotten(ctx, "patient", drop)
	})
}

// rewriteVisits deletes visits, and others deletes and writes again under the
// same key in the same transaction, large notes among them.
func rewriteVisits(ctx context.Context, w *work) error {
	return w.finish(ctx, func(t *tx) error {
		if _, err := t.delete(ctx, "encounter", `DELETE FROM encounter WHERE encounter_id IN (SELECT encounter_id FROM encounter ORDER BY md5(encounter_id::text || $1) LIMIT 300)`, fmt.Sprint(w.round)); err != nil {
			return err
		}
		again, err := keys[[16]byte](ctx, t, `(SELECT encounter_id FROM encounter WHERE length(notes) > 8192 ORDER BY encounter_id LIMIT 10) UNION ALL (SELECT encounter_id FROM encounter WHERE notes IS NULL ORDER BY encounter_id LIMIT 20)`)
		if err != nil {
			return err
		}
		for _, id := range again {
			if err := t.reinsert(ctx, "encounter", "encounter_id", id); err != nil {
				return err
			}
		}
		return nil
	})
}
