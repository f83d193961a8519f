package capture

import (
	"fmt"
	"strings"
	"testing"

	"github.com/hopluu/hopluu/integration/harness"
	"github.com/hopluu/hopluu/schemas/avro"
	"github.com/stretchr/testify/require"
)

// long is a text that no compression brings below the size at which PostgreSQL
// stores it apart.
const long = `(SELECT string_agg(md5(i::text), '') FROM generate_series(1, 300) i)`

// Case 13, P4: a value that the update did not send is named, stands as the
// placeholder, and is not NULL.
func TestCase13UnchangedIsNotNull(t *testing.T) {
	r := started(t)
	r.exec(`INSERT INTO public.patient VALUES (1, NULL, 'An', ` + long + `, 1), (2, NULL, 'Bé', NULL, 2)`)
	r.exec(`UPDATE public.patient SET full_name = full_name || '!'`)
	r.exec(`UPDATE public.patient SET notes = NULL`)
	public := r.tail(r.public("patient"))
	all := public.events(6)
	one := of(all, "1")
	require.Len(t, one[0].Row["notes"], 9600)
	require.Equal(t, []string{"notes"}, one[1].Unchanged)
	require.Equal(t, avro.Placeholder, one[1].Row["notes"])
	require.Empty(t, one[2].Unchanged)
	require.NotContains(t, one[2].Row, "notes", "now it is NULL")
	two := of(all, "2")
	require.Empty(t, two[1].Unchanged)
	require.NotContains(t, two[1].Row, "notes", "NULL was sent")
	public.shows(patients)
}

// With the whole old row the value is there though it did not change.
func TestCase13ReplicaIdentityFull(t *testing.T) {
	r := started(t)
	r.exec(`ALTER TABLE public.patient REPLICA IDENTITY FULL`)
	r.exec(`INSERT INTO public.patient VALUES (1, '079201001234', 'An', ` + long + `, 1)`)
	r.exec(`UPDATE public.patient SET full_name = 'Ân'`)
	r.exec(`UPDATE public.patient SET patient_id = 2`)
	r.exec(`DELETE FROM public.patient`)
	public := r.tail(r.public("patient"))
	public.events(5)
	all := public.shows(patients)
	require.Equal(t, "cud-", ops(of(all, "1")))
	require.Equal(t, "cd-", ops(of(all, "2")))
	for _, m := range events(all) {
		require.Len(t, m.Row["notes"], 9600, m.Event.Op)
		require.Empty(t, m.Unchanged)
		require.NotContains(t, string(m.Value), "079201001234", "P11: also in the old image")
	}
	update := of(all, "1")[1].Event
	require.True(t, update.HasBefore)
	require.Equal(t, "An", string(update.Before[2].B))
	once(t, all)
}

// A change of key leaves no event under the new key that has the value: it is
// read again.
func TestCase13KeyChangeIsReselected(t *testing.T) {
	r := started(t)
	r.exec(`INSERT INTO public.patient VALUES (1, NULL, 'An', ` + long + `, 1), (5, NULL, 'O''Ba \ x', ` + long + `, 1)`)
	r.exec(`UPDATE public.patient SET patient_id = patient_id + 1`)
	r.exec(`BEGIN; UPDATE public.patient SET patient_id = 9 WHERE patient_id = 6; DELETE FROM public.patient WHERE patient_id = 9; COMMIT`)
	public := r.tail(r.public("patient"))
	public.events(2 + 4 + 3)
	all := public.shows(patients)
	made := of(all, "2")
	require.Equal(t, "c", ops(made))
	require.Empty(t, made[0].Unchanged)
	require.Len(t, made[0].Row["notes"], 9600)
	gone := of(all, "9")
	require.Equal(t, "cd-", ops(gone))
	require.Equal(t, []string{"notes"}, gone[0].Unchanged, "the row was gone when it was asked for; its delete follows")
	once(t, all)
}

const records = `
sector: clinic
system: 5
name: {vi: Phòng khám, en: Clinic}
owner: {vi: Sở Y tế, en: Department of Health}
tables:
  - name: record
    meaning: {vi: Hồ sơ, en: Records}
    columns:
      - {name: id, type: text, meaning: {vi: Mã, en: Id}, sensitivity: internal}
`

// Values that are not strings have no placeholder: they are null, and named.
// So are those of a key that is itself stored apart: it is known all the same.
func TestCase13OtherTypes(t *testing.T) {
	r := newRigOf(t, source(t), harness.Kafka(t), records, `
		CREATE TABLE public.record (id text PRIMARY KEY, doc jsonb, scan bytea, tags int[], big numeric, n int);
		ALTER TABLE public.record ALTER id SET STORAGE EXTERNAL, ALTER doc SET STORAGE EXTERNAL, ALTER scan SET STORAGE EXTERNAL, ALTER tags SET STORAGE EXTERNAL, ALTER big SET STORAGE EXTERNAL;
		INSERT INTO public.record SELECT left(`+long+`, 2100), jsonb_build_object('a', `+long+`), decode(`+long+`, 'hex'), (SELECT array_agg(i) FROM generate_series(1, 2000) i), repeat('1234567890', 1000)::numeric, 1`)
	r.ready(r.start())
	r.exec(`UPDATE public.record SET n = 2`)
	all := r.tail(r.public("record")).events(2)
	require.Equal(t, "ru", ops(all))
	require.Equal(t, string(all[0].Key), string(all[1].Key))
	require.Equal(t, all[0].Row["id"], all[1].Row["id"])
	require.Len(t, all[1].Row["id"], 2100)
	require.Equal(t, []string{"doc", "scan", "tags", "big"}, all[1].Unchanged)
	require.Equal(t, avro.Placeholder, all[1].Row["doc"])
	require.Equal(t, avro.Placeholder, all[1].Row["big"])
	for _, c := range []string{"scan", "tags"} {
		require.NotContains(t, all[1].Row, c)
	}
	require.True(t, strings.HasPrefix(all[0].Row["doc"], `{"a"`), fmt.Sprint(all[0].Row))
}
