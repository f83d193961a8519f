package capture

import (
	"strings"
	"testing"

	"github.com/hopluu/hopluu/connectors"
	"github.com/hopluu/hopluu/integration/harness"
	"github.com/hopluu/hopluu/schemas/event"
	"github.com/stretchr/testify/require"
)

// Cases 8 and 35: changes that the server can no longer send are found and
// said, not passed over. A new snapshot under the next epoch ends with a
// marker, so that rows that went meanwhile do not survive.
func TestCase08Gap(t *testing.T) {
	for name, c := range map[string]struct {
		// sql is run between what was captured and the next start; SLOT is
		// the slot.
		sql []string
		why string
	}{
		"the slot dropped": {[]string{`SELECT pg_drop_replication_slot('SLOT')`, changes}, "is gone"},
		"the slot moved":   {[]string{changes, `SELECT pg_replication_slot_advance('SLOT', pg_current_wal_lsn())`}, "moved by someone else"},
		"the slot made anew": {[]string{`SELECT pg_drop_replication_slot('SLOT')`, changes,
			`SELECT pg_create_logical_replication_slot('SLOT', 'pgoutput')`}, "made anew"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.exec(`INSERT INTO public.visit SELECT n, '2026-01-01', n FROM generate_series(1, 10) n`)
			r.exec(`INSERT INTO public.patient VALUES (1, NULL, 'An', NULL, 1), (2, NULL, 'Bé', NULL, 2)`)
			c1 := r.start()
			r.ready(c1)
			public, patient := r.tail(r.public("visit")), r.tail(r.public("patient"))
			public.shows(visits)
			require.NoError(t, c1.stop())
			before := r.checkpoint()
			for _, sql := range c.sql {
				r.eventually(func() error { // the server may still be letting the slot go
					conn := r.connect()
					_, err := conn.PgConn().Exec(t.Context(), strings.ReplaceAll(sql, "SLOT", r.config.Slot)).ReadAll()
					return err
				})
			}

			err := r.ends()
			var gap *connectors.GapError
			require.ErrorAs(t, err, &gap)
			require.True(t, connectors.Permanent(err))
			require.Contains(t, err.Error(), c.why)
			require.Contains(t, err.Error(), "hopluu connector resnapshot "+r.config.Source)
			require.NotContains(t, err.Error(), "\n")
			require.Equal(t, before, r.checkpoint(), "nothing was done")

			r.resnapshot()
			r.ready(r.start())
			all := public.shows(visits)
			patient.shows(patients)
			require.Equal(t, before.Epoch+1, r.checkpoint().Epoch)
			for id := range int32(2) {
				var second []message
				for _, m := range all {
					if m.Partition.ID == id && m.Event.Position.Epoch == before.Epoch+1 {
						second = append(second, m)
					}
				}
				require.Equal(t, event.Marker, second[len(second)-1].Event.Op, "it ends the new snapshot in partition %d", id)
				require.Negative(t, second[len(second)-1].Event.Position.Compare(second[0].Event.Position), "its rows stay")
			}
			r.exec(`DELETE FROM public.visit WHERE patient_id = 8`)
			public.shows(visits)
			once(t, public.all)
		})
	}
}

const changes = `
	DELETE FROM public.visit WHERE patient_id < 4;
	UPDATE public.visit SET cost = 99 WHERE patient_id = 5;
	INSERT INTO public.visit VALUES (11, '2026-01-01', 11);
	DELETE FROM public.patient WHERE patient_id = 2`

// Case 8: another server under the same address, such as a restored copy, is
// not the one that was captured.
func TestCase08AnotherSystem(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	c := r.start()
	r.ready(c)
	require.NoError(t, c.stop())
	copied := newRigOn(t, harness.Postgres(t, harness.Own()), harness.Kafka(t))
	r.dropSlot()
	copied.config.Source, copied.config.Kafka = r.config.Source, r.config.Kafka
	err := copied.ends()
	var gap *connectors.GapError
	require.ErrorAs(t, err, &gap)
	require.Contains(t, err.Error(), "it is another cluster or a restored copy")
}

// A Kafka that lost its checkpoints may have readers that still hold rows: the
// tables are captured from the beginning, with a marker at the end.
func TestSlotWithoutCheckpoint(t *testing.T) {
	r := newRig(t)
	r.exec(`SELECT pg_create_logical_replication_slot('` + r.config.Slot + `', 'pgoutput')`)
	r.exec(`INSERT INTO public.visit VALUES (1, '2026-01-01', 1)`)
	r.ready(r.start())
	all := r.tail(r.public("visit")).events(3)
	require.Equal(t, 2, strings.Count(ops(all), "m"))
	r.exec(`INSERT INTO public.visit VALUES (2, '2026-01-01', 2)`)
	r.tail(r.public("visit")).shows(visits)
}
