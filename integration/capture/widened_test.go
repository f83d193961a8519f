package capture

import (
	"fmt"
	"testing"

	"github.com/hopluu/hopluu/integration/harness"
	"github.com/hopluu/hopluu/schemas/avro"
	"github.com/hopluu/hopluu/schemas/event"
	"github.com/hopluu/hopluu/schemas/topic"
	"github.com/stretchr/testify/require"
)

// alive gives the forms under which compaction would keep each record of a vault
// topic, by the patient's number: the schema ids of its keys. It reads until holds.
func (v *tail) alive(holds func(map[int64][]uint32) error) {
	v.r.t.Helper()
	v.r.eventually(func() error {
		v.poll()
		last := map[topic.Partition]map[string]bool{}
		for _, m := range v.all {
			if last[m.Partition] == nil {
				last[m.Partition] = map[string]bool{}
			}
			last[m.Partition][string(m.Key)] = m.Value != nil
		}
		forms := map[int64][]uint32{}
		for _, keys := range last {
			for key, value := range keys {
				id, payload, err := avro.SplitWire([]byte(key))
				if err != nil || !value {
					continue // of the whole table, or a tombstone
				}
				schema, err := v.r.registry.Schema(v.r.t.Context(), id)
				require.NoError(v.r.t, err)
				record, err := avro.ParseRecord(schema)
				require.NoError(v.r.t, err)
				cells, err := record.Decode(payload, nil)
				require.NoError(v.r.t, err)
				forms[cells[0].N] = append(forms[cells[0].N], id)
			}
		}
		return holds(forms)
	})
}

// P2, P11: who is deleted after the key of the table was widened, or its meaning
// worded anew, leaves the compacted vault under every form that the key had.
func TestVaultForgetsUnderFormerKeys(t *testing.T) {
	t.Parallel()
	r := newRigOf(t, source(t), harness.Kafka(t), clinic, `
		CREATE TABLE public.patient (patient_id int PRIMARY KEY, cccd text, full_name text, notes text, paid numeric(12,2));
		CREATE TABLE public.visit (patient_id bigint, day date, cost numeric(12,2), PRIMARY KEY (patient_id, day));
		INSERT INTO public.patient SELECT n, '07920100' || n, 'An', '', 0 FROM generate_series(1001, 1004) n`)
	c := r.start()
	r.ready(c)
	vault := r.tail(r.vault("patient"))
	forms := func(of map[int64]int) {
		t.Helper()
		vault.alive(func(have map[int64][]uint32) error {
			for id, n := range of {
				if len(have[id]) != n {
					return fmt.Errorf("patient %d is there under %d forms, not %d: %v", id, len(have[id]), n, have)
				}
			}
			return nil
		})
	}
	forms(map[int64]int{1001: 1, 1002: 1, 1003: 1, 1004: 1})

	// The table is rewritten and read anew: each row is there in two forms.
	r.exec(`ALTER TABLE public.patient ALTER COLUMN patient_id TYPE bigint`)
	forms(map[int64]int{1001: 2, 1002: 2, 1003: 2, 1004: 2})
	r.exec(`DELETE FROM public.patient WHERE patient_id = 1001`)
	forms(map[int64]int{1001: 0, 1002: 2})

	// The sector file says the meaning in other words: a third form, which what
	// changes takes.
	require.NoError(t, c.stop())
	for i := range r.config.Sector.Tables[0].Columns {
		if column := &r.config.Sector.Tables[0].Columns[i]; column.Name == "patient_id" {
			column.Meaning.En = "Number"
		}
	}
	c = r.start()
	r.ready(c)
	r.exec(`UPDATE public.patient SET full_name = 'Bình' WHERE patient_id = 1002;
		DELETE FROM public.patient WHERE patient_id IN (1002, 1003);
		INSERT INTO public.patient VALUES (1003, '079201001003', 'Chi', '', 0), (3000000000, '079203000000', 'Dũng', '', 0)`)
	forms(map[int64]int{1002: 0, 1003: 1, 1004: 2, 3000000000: 1})
	// A number that no int holds was never there under the first form.
	r.exec(`DELETE FROM public.patient WHERE patient_id = 3000000000`)
	forms(map[int64]int{3000000000: 0})

	// Each says which deletion it belongs to: that of its record.
	deletions := map[event.Position]bool{}
	var buried []event.Position
	for _, m := range vault.all {
		if m.Event != nil && m.Event.Op == event.Delete {
			deletions[m.Event.Position] = true
		}
		if at, ok := topic.ReadDeletedAt(m.Headers); ok {
			require.Nil(t, m.Value)
			buried = append(buried, at)
		}
	}
	require.Len(t, buried, 1+2+2+1, "of 1001 one, of 1002 and 1003 two each, of the large number one")
	for _, at := range buried {
		require.Contains(t, deletions, at)
	}
	require.NoError(t, c.stop())
}
