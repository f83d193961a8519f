package reconcile

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hopluu/hopluu/cmd/hopluu/operations/erase"
	"github.com/hopluu/hopluu/connectors"
	"github.com/hopluu/hopluu/integration/harness"
	"github.com/hopluu/hopluu/schemas/erasure"
	"github.com/hopluu/hopluu/schemas/erasure/feed"
	"github.com/hopluu/hopluu/schemas/seal"
	"github.com/hopluu/hopluu/schemas/topic"
)

const clinicFile = `
system: 5
name: {vi: Khám, en: Clinic}
owner: {vi: Sở Y tế, en: Department of Health}
tables:
  - name: patient
    meaning: {vi: Người bệnh, en: Patients}
    person: direct
    columns:
      - {name: id, type: bigint, meaning: {vi: Mã, en: Id}, sensitivity: internal}
      - {name: cccd, type: text, meaning: {vi: Số định danh, en: Identity number}, sensitivity: identifier, identifier: cccd, match: cccd}
      - {name: name, type: text, meaning: {vi: Tên, en: Name}, sensitivity: personal, match: full_name}
  - name: encounter
    meaning: {vi: Lần khám, en: Encounters}
    person: {via: patient, to: patient}
    columns:
      - {name: id, type: bigint, meaning: {vi: Mã, en: Id}, sensitivity: internal}
      - {name: patient, type: bigint, meaning: {vi: Người bệnh, en: Patient}, sensitivity: internal}
      - {name: note, type: text, meaning: {vi: Ghi chú, en: Note}, sensitivity: sensitive}
`

// licenceFile has a table of nobody's own, whose rows name a person.
const licenceFile = clinicFile + `
  - name: licence
    meaning: {vi: Giấy phép, en: Licences}
    columns:
      - {name: id, type: bigint, meaning: {vi: Mã, en: Id}, sensitivity: internal}
      - {name: officer, type: text, meaning: {vi: Người ký, en: Officer}, sensitivity: identifier, identifier: cccd}
`

// P12, P2: erased at a source that goes on having the rows, changing them and
// writing new ones, a person is in no topic and no table any more: through the
// stream, a new snapshot of the tables, a new snapshot of everything, and new
// starts. Reconcile knows it, and still sees a row that somebody puts back by hand.
func TestP12ErasedPersonStaysGoneThroughSnapshots(t *testing.T) {
	r := newRig(t, licenceFile, `
		CREATE TABLE public.patient (id bigint PRIMARY KEY, cccd text, name text);
		CREATE TABLE public.encounter (id bigint PRIMARY KEY, patient bigint, note text);
		CREATE TABLE public.licence (id bigint PRIMARY KEY, officer text);
		INSERT INTO public.licence SELECT n, '07908500' || (1000 + n) FROM generate_series(1, 10) n;
		INSERT INTO public.patient SELECT n, '07908500' || (1000 + n), 'Name of ' || n FROM generate_series(1, 50) n;
		INSERT INTO public.encounter SELECT n, n % 50 + 1, 'Note of ' || (n % 50 + 1) FROM generate_series(1, 200) n`, 1)
	s := r.sources[0]
	var err error
	r.vault, err = seal.New(seal.Key{Version: 2, Secret: []byte(strings.Repeat("v", seal.KeySize))})
	require.NoError(t, err)
	// The vault is sealed, which erasing has to see through.
	start := func() running {
		c := r.connector(s, connectors.Load{})
		harness.Eventually(t, within, func(context.Context) error { return c.Ready() })
		return c
	}
	c := start()
	r.sink()
	r.agree()

	id, record := harness.Name("e"), s.Name+".patient:7"
	key, value, err := (&erasure.Erasure{ID: id, Version: 1, Records: []string{record}, By: "an", Reason: "asked"}).Message()
	require.NoError(t, err)
	require.NoError(t, feed.Write(t.Context(), r.config.Kafka, harness.Name("says"), 1, feed.Message{Key: key, Value: value}))
	eraser := erase.New(erase.Config{
		Kafka: r.config.Kafka, Registry: r.schemas, Sources: []erase.Source{{Name: s.Name, Sector: r.sector}},
		Tokens: r.config.Tokens.Clone(), Vault: r.vault, Log: slog.New(slog.DiscardHandler),
	})
	harness.Eventually(t, within, func(ctx context.Context) error {
		if err := eraser.Step(ctx); err != nil {
			return err
		}
		ledger, _, err := feed.Read(ctx, r.config.Kafka)
		if err != nil {
			return err
		}
		for _, step := range []string{erasure.StepVault, erasure.StepClickHouse + r.config.Group} {
			if _, done := ledger.Done(id)[step]; !done {
				return fmt.Errorf("%s is not done: %v", step, ledger.Done(id))
			}
		}
		return nil
	})
	dataset := func(table string) string { return r.dataset("public." + table) }
	gone := func() {
		t.Helper()
		for _, table := range []string{"patient", "encounter"} {
			for _, database := range []string{"bronze", "silver"} {
				require.Equal(t, []string{"0"}, texts(t, r.config.ClickHouse,
					fmt.Sprintf("SELECT toString(count()) FROM %s.%s WHERE toString(tuple(*)) LIKE '%%of 7''%%'", database, dataset(table))), "%s.%s", database, table)
			}
		}
		results := r.compare(s)
		for name, result := range results {
			require.True(t, result.OK, "%s: %+v", name, result)
			if name != "public.licence" {
				require.Positive(t, result.Erased, name)
			}
		}
		// A licence that names the person stays, without the number.
		for _, database := range []string{"bronze", "silver"} {
			require.Equal(t, []string{"1"}, texts(t, r.config.ClickHouse,
				fmt.Sprintf("SELECT toString(countIf(officer IS NULL) > 0 AND countIf(officer IS NULL AND id > 0 AND id NOT IN (7, 70)) = 0 AND countIf(officer IS NOT NULL AND id IN (7, 70)) = 0 AND uniqExact(id) >= 10) FROM %s.%s", database, dataset("licence"))), database)
		}
		require.Equal(t, int64(1), results["public.patient"].Erased)
	}
	plain := func(table string) (all string) {
		last := map[string]string{}
		require.NoError(t, r.config.Kafka.ReadAll(t.Context(), topic.Vault(s.Name, "public", table), func(rec topic.Record) error {
			// P11: no broker has it plain.
			require.NotContains(t, string(rec.Value), "0790850")
			require.NotContains(t, string(rec.Value), "ame of")
			value, err := r.vault.Open(rec.Value, rec.Topic, rec.Key)
			last[string(rec.Key)] = string(value)
			return err
		}))
		for _, v := range last {
			all += v
		}
		return all
	}
	gone()
	require.NotContains(t, plain("patient"), "079085001007")
	require.Contains(t, plain("patient"), "079085001008")

	// The sector goes on: it changes the rows, writes new ones, and writes the
	// person down again under another key.
	r.exec(s, `UPDATE public.patient SET name = 'New name of 7' WHERE id = 7;
		INSERT INTO public.encounter VALUES (1000, 7, 'New note of 7'), (1001, 8, 'New note of 8');
		DELETE FROM public.encounter WHERE id = 6;
		INSERT INTO public.licence VALUES (70, '079 085 001007'), (71, '079085001008');
		UPDATE public.patient SET name = 'New name of 8' WHERE id = 8`)
	gone()
	count := func() (n int) {
		for _, table := range []string{"patient", "encounter"} {
			require.NoError(t, r.config.Kafka.ReadAll(t.Context(), topic.Public(s.Name, "public", table), func(rec topic.Record) error { n++; return nil }))
		}
		return n
	}
	events := count()

	// Read anew: tables of it, then everything under a new epoch.
	require.NoError(t, connectors.Resnapshot(t.Context(), r.config.Kafka, s.Name, "public.patient", "public.encounter", "public.licence"))
	harness.Eventually(t, within, func(ctx context.Context) error {
		state, err := connectors.Checkpoint(ctx, r.config.Kafka, s.Name)
		for _, table := range []string{"public.patient", "public.encounter", "public.licence"} {
			if now := state.Tables[table]; err == nil && (!now.Complete || now.Restart) {
				err = fmt.Errorf("not read yet: %+v", state.Tables)
			}
		}
		return err
	})
	gone()
	require.Greater(t, count(), events+200, "the tables were read")
	// Read anew, a licence is in the vault without the number too.
	require.NotContains(t, plain("licence"), "001007")
	require.Contains(t, plain("licence"), "079085001008")
	c.stop()
	require.NoError(t, connectors.Resnapshot(t.Context(), r.config.Kafka, s.Name))
	c = start()
	r.exec(s, `INSERT INTO public.patient VALUES (700, '079 085 001007', 'Again the name of 7'), (701, '079085009999', 'Another')`)
	gone2 := r.compare(s)["public.patient"]
	require.True(t, gone2.OK, "%+v", gone2)
	require.Equal(t, int64(2), gone2.Erased, "under a new key it is the same person")
	for _, table := range []string{"patient", "encounter"} {
		name := topic.Public(s.Name, "public", table)
		after := map[string]bool{}
		require.NoError(t, r.config.Kafka.ReadAll(t.Context(), name, func(rec topic.Record) error {
			after[string(rec.Value)] = true
			return nil
		}))
		for value := range after {
			require.NotContains(t, value, "New name of 7")
			require.NotContains(t, value, "New note of 7")
			require.NotContains(t, value, "Again the name of 7")
		}
	}
	state, err := connectors.Checkpoint(t.Context(), r.config.Kafka, s.Name)
	require.NoError(t, err)
	require.Positive(t, state.Erased, "what is kept out is counted")

	// Somebody puts the row back by hand, and it is seen.
	require.NoError(t, r.config.ClickHouse.Exec(t.Context(), fmt.Sprintf("INSERT INTO silver.%s (id, name, _record, _source) SELECT 7, 'x', '%s', '%s'", dataset("patient"), record, s.Name)))
	require.Equal(t, []string{"7"}, r.compare(s)["public.patient"].Extra)
	c.stop()
}
