package reconcile

import (
	"context"
	"fmt"
	"testing"

	"github.com/hopluu/hopluu/connectors"
	"github.com/hopluu/hopluu/connectors/postgres"
	"github.com/hopluu/hopluu/integration/harness"
	"github.com/stretchr/testify/require"
)

const roomFile = `
system: 5
name: {vi: Phòng, en: Rooms}
owner: {vi: Sở Y tế, en: Department of Health}
tables:
  - name: room
    meaning: {vi: Phòng, en: Rooms}
    columns:
      - {name: room_id, type: bigint, meaning: {vi: Mã, en: Id}, sensitivity: internal}
      - {name: beds, type: integer, meaning: {vi: Số giường, en: Beds}, sensitivity: internal}
      - {name: note, type: text, meaning: {vi: Ghi chú, en: Note}, sensitivity: internal}
`

const roomRows = 4000

// Case 35: while a table is read anew silver never has fewer rows than there
// are, though the connector stops in the middle of it; at the end what went
// without an event is gone, and the two agree.
func TestCase35SilverIsNeverShort(t *testing.T) {
	r := newRig(t, roomFile, fmt.Sprintf(`
		CREATE TABLE public.room (room_id bigint PRIMARY KEY, beds int, note text) WITH (fillfactor = 10, autovacuum_enabled = off);
		INSERT INTO public.room SELECT n, 1, repeat('x', 300) FROM generate_series(1, %d) n`, roomRows), 1)
	s := r.sources[0]
	c := r.connector(s, connectors.Load{})
	harness.Eventually(t, within, func(context.Context) error { return c.Ready() })
	r.sink()
	r.agree()
	c.stop()

	// What a lost slot leaves behind: rows that went without an event.
	conn := r.connect(s)
	require.NoError(t, postgres.ReleaseSlot(t.Context(), conn, s.Slot))
	require.NoError(t, postgres.DropSlot(t.Context(), conn, s.Slot))
	r.exec(s, `DELETE FROM public.room WHERE room_id % 4 = 0`)
	const left = roomRows * 3 / 4
	require.NoError(t, connectors.Resnapshot(t.Context(), r.config.Kafka, s.Name))
	c = r.connector(s, connectors.Load{Connections: 2, RowsPerSecond: 100})

	sql := "SELECT toString(count()) || ' ' || toString(countIf(room_id % 4 != 0)) FROM silver." + r.dataset("public.room") + " FINAL"
	stopped := false
	harness.Eventually(t, within, func(ctx context.Context) error {
		var all, found int
		_, err := fmt.Sscan(texts(t, r.config.ClickHouse, sql)[0], &all, &found)
		require.NoError(t, err)
		require.Equal(t, left, found, "no row is missing, ever: %d rows", all)
		saved, err := connectors.Checkpoint(ctx, r.config.Kafka, s.Name)
		require.NoError(t, err)
		if state := saved.Tables["public.room"]; !stopped && len(state.Done) > 0 && !state.Complete {
			stopped = true
			require.Equal(t, roomRows, all, "nothing goes before the end")
			c.stop()
			c = r.connector(s, connectors.Load{Connections: 2, RowsPerSecond: 1500})
		}
		if all > left {
			return fmt.Errorf("%d rows are still to go", all-left)
		}
		return nil
	})
	require.True(t, stopped, "the snapshot was too quick for the test")
	// A change of a row that was read before the stop.
	r.exec(s, `UPDATE public.room SET beds = 2 WHERE room_id < 10`)
	r.agree()
	c.stop()
}
