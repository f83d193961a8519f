package capture

import (
	"fmt"
	"strings"
	"testing"

	"github.com/hopluu/hopluu/connectors/postgres/pgoutput"
	"github.com/hopluu/hopluu/integration/harness"
	"github.com/hopluu/hopluu/schemas/registry"
	"github.com/hopluu/hopluu/schemas/sectors"
	"github.com/stretchr/testify/require"
)

// quarantined waits until a table is set aside and gives the reason.
func (r *rig) quarantined(table string) (reason string) {
	r.t.Helper()
	r.eventually(func() error {
		if reason = r.checkpoint().Tables[table].Quarantined; reason == "" {
			return fmt.Errorf("%s is not quarantined", table)
		}
		return nil
	})
	return reason
}

// healed marks a table and waits until the topic shows it again.
func (r *rig) healed(table string, public *tail, sql string) []message {
	r.t.Helper()
	r.resnapshot("public." + table)
	r.exec(`INSERT INTO public.patient (patient_id) VALUES (-1) ON CONFLICT (patient_id) DO UPDATE SET paid = 0`) // an idle connector looks up seldom
	r.eventually(func() error {
		if state := r.checkpoint().Tables["public."+table]; !state.Complete || state.Restart || state.Quarantined != "" {
			return fmt.Errorf("%+v", state)
		}
		return nil
	})
	return public.shows(sql)
}

// letter is a change in the dead letters, as the source sent it.
func letterOf(t *testing.T, m message) pgoutput.Message {
	t.Helper()
	require.Equal(t, "pgoutput", header(m, "hopluu.format"))
	var d pgoutput.Decoder
	message, err := d.Decode(m.Value)
	require.NoError(t, err)
	return message
}

// A schema that the registry refuses sets its table aside: raw events go to its
// dead letters, the others flow, and once the cause is gone it is captured
// anew, without a restart.
func TestRefusedSchema(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	c := r.start()
	r.ready(c)
	public, patient := r.tail(r.public("visit")), r.tail(r.public("patient"))
	r.exec(`ALTER TABLE public.visit ADD COLUMN room int`)
	r.exec(`INSERT INTO public.visit VALUES (1, '2026-01-01', 1, 1)`)
	public.shows(`SELECT * FROM public.visit`)
	require.NoError(t, r.registry.SetCompatibility(t.Context(), r.public("visit")+"-value", registry.Full))
	r.exec(`ALTER TABLE public.visit ALTER COLUMN room TYPE bigint`) // readers of the old schema could not read it
	r.exec(`BEGIN; INSERT INTO public.visit VALUES (2, '2026-01-01', 2, 2); INSERT INTO public.patient VALUES (2); UPDATE public.visit SET cost = 3; COMMIT`)
	r.exec(`DELETE FROM public.visit WHERE patient_id = 1`)

	patient.events(1) // of the same transaction
	reason := r.quarantined("public.visit")
	require.Contains(t, reason, "not compatible")
	r.caughtUp()

	require.NoError(t, r.registry.SetCompatibility(t.Context(), r.public("visit")+"-value", registry.Backward))
	all := r.healed("visit", public, `SELECT * FROM public.visit`)
	require.Contains(t, ops(all), "m")
	r.exec(`INSERT INTO public.visit VALUES (5, '2026-01-01', 5, 5)`)
	public.shows(`SELECT * FROM public.visit`)
	require.NoError(t, c.Ready(), "it was never restarted")
}

// The same for a schema that is in the way from the beginning: nothing of the
// table is read, its changes are kept.
func TestRefusedSchemaAtTheSnapshot(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	subject := r.public("visit") + "-value"
	_, err := r.registry.Register(t.Context(), subject, `"string"`)
	require.NoError(t, err)
	r.exec(`INSERT INTO public.visit VALUES (1, '2026-01-01', 1); INSERT INTO public.patient VALUES (1)`)
	c := r.start()
	r.tail(r.public("patient")).shows(patients)
	r.ready(c)
	require.Contains(t, r.quarantined("public.visit"), "not compatible")
	r.exec(`INSERT INTO public.visit VALUES (2, '2026-01-01', 2)`)
	letters := r.tail(r.letters("visit")).records(2)
	require.Equal(t, "pgoutput-relation", header(letters[0], "hopluu.format"))
	insert, ok := letterOf(t, letters[1]).(*pgoutput.Insert)
	require.True(t, ok)
	require.Equal(t, "2026-01-01", string(insert.New[1].Text))
	require.Empty(t, r.tail(r.public("visit")).all)
	require.NoError(t, r.registry.SetCompatibility(t.Context(), subject, registry.None))
	r.healed("visit", r.tail(r.public("visit")), visits)
}

// P3, P8, case 14: what cannot be encoded, and a row that is too large, set their table
// aside, named by key and LSN; the row before it in the same transaction stays.
func TestCase14RowsThatCannotBeCarried(t *testing.T) {
	for name, c := range map[string]struct{ bad, cure, why string }{
		"NaN":   {`UPDATE public.patient SET paid = 'NaN' WHERE patient_id = 2`, `UPDATE public.patient SET paid = 1 WHERE patient_id = 2`, "NaN"},
		"large": {`UPDATE public.patient SET notes = repeat('x', 2000000) WHERE patient_id = 2`, `UPDATE public.patient SET notes = NULL WHERE patient_id = 2`, "max_row_bytes is 1048576"},
	} {
		t.Run(name+" in the stream", func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.exec(`INSERT INTO public.patient VALUES (1, '079201001234', 'An', '', 1), (2, '079201005678', 'Bé', '', 1)`)
			r.ready(r.start())
			public, visit := r.tail(r.public("patient")), r.tail(r.public("visit"))
			r.exec(`BEGIN; UPDATE public.patient SET full_name = 'Ân' WHERE patient_id = 1; ` + c.bad + `; INSERT INTO public.visit VALUES (1, '2026-01-01', 1); COMMIT`)
			visit.events(1)
			reason := r.quarantined("public.patient")
			require.Contains(t, reason, "row patient_id=2 at LSN ")
			require.Contains(t, reason, c.why)
			require.NotContains(t, reason, "079201005678")
			r.exec(`DELETE FROM public.patient WHERE patient_id = 1`)
			letters := r.tail(r.letters("patient")).records(3)
			require.Equal(t, []string{"pgoutput-relation", "pgoutput", "pgoutput"}, []string{header(letters[0], "hopluu.format"), header(letters[1], "hopluu.format"), header(letters[2], "hopluu.format")})
			require.Equal(t, reason, header(letters[1], "hopluu.reason"))
			update, ok := letterOf(t, letters[1]).(*pgoutput.Update)
			require.True(t, ok)
			require.Equal(t, "079201005678", string(update.New[1].Text), "the dead letters are the vault's: the event is whole")
			require.True(t, strings.HasPrefix(r.letters("patient"), "vault."), "P11")
			_, ok = letterOf(t, letters[2]).(*pgoutput.Delete)
			require.True(t, ok)
			require.Equal(t, "rru", ops(public.events(3)), "what came before is there, nothing of what came after")

			r.exec(c.cure)
			r.healed("patient", public, patients)
			vault := r.tail(r.vault("patient"))
			vault.shows(`SELECT patient_id, cccd, full_name FROM public.patient`)
		})
		t.Run(name+" in the snapshot", func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.exec(`INSERT INTO public.patient VALUES (1, NULL, 'An', '', 1), (2, NULL, 'Bé', '', 1); INSERT INTO public.visit VALUES (1, '2026-01-01', 1)`)
			r.exec(c.bad)
			r.ready(r.start())
			r.tail(r.public("visit")).shows(visits)
			reason := r.quarantined("public.patient")
			require.Contains(t, reason, "row patient_id=2 at LSN ")
			require.Contains(t, reason, c.why)
			r.exec(c.cure)
			r.healed("patient", r.tail(r.public("patient")), patients)
		})
	}
}

// P3, case 14: a table that a value stopped goes on without anyone mending its
// row, once its sector file has a field for such values; snapshot and stream
// give the same (P5), and a value that an update does not send stays unchanged
// in both fields (P4).
func TestCase14UnfitGoesAsText(t *testing.T) {
	t.Parallel()
	r := newRigOf(t, source(t), harness.Kafka(t), strings.Replace(clinic, "- {name: notes, type: text,", "- {name: marks, type: \"integer[]\", meaning: {vi: Điểm, en: Marks}, sensitivity: internal}\n      - {name: notes, type: text,", 1),
		clinicSQL+`ALTER TABLE public.patient ADD COLUMN marks int[]; ALTER TABLE public.patient ALTER COLUMN marks SET STORAGE EXTERNAL`)
	marks := `(SELECT array_agg(ARRAY[n, n]) FROM generate_series(1, 2000) n)` // stored apart (TOAST)
	r.exec(`INSERT INTO public.patient VALUES (1, NULL, 'An', '', 1, '{1,2}'), (2, NULL, 'Bé', '', 'NaN', NULL), (3, NULL, 'Cả', '', 3, ` + marks + `)`)
	c := r.start()
	r.ready(c)
	reason := r.quarantined("public.patient")
	require.Contains(t, reason, "NaN")
	require.Contains(t, reason, "unfit: text")
	require.NoError(t, c.stop())

	for i := range r.config.Sector.Tables[0].Columns {
		if column := &r.config.Sector.Tables[0].Columns[i]; column.Name == "paid" || column.Name == "marks" {
			column.Unfit = sectors.UnfitText
		}
	}
	c = r.start()
	r.ready(c)
	r.resnapshot("public.patient")
	public := r.tail(r.public("patient"))
	const all = `SELECT patient_id, full_name, nullif(paid, 'NaN') AS paid, CASE WHEN paid = 'NaN' THEN 'NaN' END AS paid_unfit, CASE WHEN array_ndims(marks) = 2 THEN marks::text END AS marks_unfit FROM public.patient`
	public.shows(all)
	r.complete("public.patient")
	r.exec(`INSERT INTO public.patient VALUES (4, NULL, 'Dư', '', 'NaN', '{7}'); UPDATE public.patient SET paid = 'NaN' WHERE patient_id = 1`)
	r.exec(`UPDATE public.patient SET paid = 2 WHERE patient_id = 2; UPDATE public.patient SET full_name = 'Ca' WHERE patient_id = 3`)
	public.shows(all)
	require.Equal(t, []string{"marks", "marks_unfit"}, last(public.all, "3").Unchanged)
	require.Empty(t, r.checkpoint().Tables["public.patient"].Quarantined)
	require.NoError(t, c.stop())
}

// A quarantine outlives the process; a change that came before the new snapshot
// and cannot be encoded does not end the cure: the snapshot has what it became.
func TestQuarantineOverRestarts(t *testing.T) {
	r := newRig(t)
	c := r.start()
	r.ready(c)
	r.exec(`INSERT INTO public.visit VALUES (1, '2026-01-01', 'NaN')`)
	r.quarantined("public.visit")
	require.NoError(t, c.stop())
	r.exec(`INSERT INTO public.visit VALUES (2, '2026-01-01', 'NaN')`)
	c = r.start()
	letters := r.tail(r.letters("visit")).records(4)
	require.Equal(t, "2", string(letterOf(t, letters[3]).(*pgoutput.Insert).New[0].Text))
	require.NoError(t, c.stop())

	r.exec(`INSERT INTO public.visit VALUES (3, '2026-01-01', 'NaN')`)
	r.exec(`UPDATE public.visit SET cost = 7`)
	r.resnapshot("public.visit")
	r.ready(r.start())
	public := r.tail(r.public("visit"))
	public.markers(2) // the stream alone shows the rows too, maybe before the snapshot is taken
	public.shows(visits)
	r.exec(`INSERT INTO public.visit VALUES (4, '2026-01-01', 8)`)
	public.shows(visits)
	require.Empty(t, r.checkpoint().Tables["public.visit"].Quarantined)
	last := r.tail(r.letters("visit")).records(6)[5]
	require.Equal(t, "3", string(letterOf(t, last).(*pgoutput.Insert).New[0].Text), "P3: it is kept all the same")
	require.Equal(t, "c", ops(of(events(public.all), "4")))
}

// A dead letter larger than Kafka takes is divided.
func TestLargeDeadLetter(t *testing.T) {
	r := started(t)
	const size = 20 << 20
	r.exec(fmt.Sprintf(`INSERT INTO public.patient VALUES (1, NULL, 'An', repeat('x', %d), 1)`, size))
	letters := r.tail(r.letters("patient")).records(4)
	var whole []byte
	for i, m := range letters[1:] {
		require.Equal(t, fmt.Sprintf("%d/3", i+1), header(m, "hopluu.part"))
		whole = append(whole, m.Value...)
	}
	var d pgoutput.Decoder
	message, err := d.Decode(whole)
	require.NoError(t, err)
	require.Len(t, message.(*pgoutput.Insert).New[3].Text, size)
	r.caughtUp()
}
