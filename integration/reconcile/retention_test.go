package reconcile

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hopluu/hopluu/cmd/hopluu/operations/reconcile"
	"github.com/hopluu/hopluu/connectors"
	"github.com/hopluu/hopluu/integration/harness"
	sink "github.com/hopluu/hopluu/sinks/clickhouse"
)

const shelfFile = `
system: 5
name: {vi: Kho, en: Shelf}
owner: {vi: Sở, en: Department}
tables:
  - name: item
    meaning: {vi: Đồ, en: Items}
    columns:
      - {name: id, type: bigint, meaning: {vi: Mã, en: Id}, sensitivity: internal}
      - {name: n, type: integer, meaning: {vi: Số, en: Number}, sensitivity: internal}
`

// P2: what bronze's retention let go is not lost, nor are rows of before a column
// got another name; what is lost, doubled or made up since is still told.
func TestReconcileKnowsWhatRetentionLetGo(t *testing.T) {
	r := newRig(t, shelfFile, `
		CREATE TABLE public.item (id bigint PRIMARY KEY, n integer);
		INSERT INTO public.item SELECT n, 0 FROM generate_series(1, 40) n`, 1)
	s := r.sources[0]
	c := r.connector(s, connectors.Load{})
	harness.Eventually(t, within, func(context.Context) error { return c.Ready() })
	stop := r.sink()
	r.agree()
	for n := range 5 {
		r.exec(s, fmt.Sprintf("UPDATE public.item SET n = %d", n+1))
	}
	r.exec(s, "DELETE FROM public.item WHERE id = 40")
	r.agree()
	stop()
	bronze := "bronze." + r.dataset("public.item")
	do := func(sql string) {
		t.Helper()
		require.NoError(t, r.config.ClickHouse.Exec(t.Context(), sql))
	}
	// What is there landed long ago.
	do("ALTER TABLE " + bronze + " UPDATE _ingested_at = _ingested_at - INTERVAL 3 HOUR WHERE 1 SETTINGS mutations_sync = 2")
	r.sink(func(c *sink.Config) { c.BronzeRetention = time.Hour })
	r.exec(s, "ALTER TABLE public.item RENAME COLUMN n TO number")
	r.exec(s, "UPDATE public.item SET number = 10 WHERE id <= 20")
	// The table is read anew, for the log tells no renaming from a drop and an add.
	harness.Eventually(t, within, func(ctx context.Context) error {
		list, err := reconcile.Run(ctx, r.config, s)
		if err == nil && !list[0].OK {
			err = fmt.Errorf("not read anew yet: %+v", list[0])
		}
		return err
	})
	do("OPTIMIZE TABLE " + bronze + " FINAL")
	require.NotEqual(t, []string{"280"}, texts(t, r.config.ClickHouse, "SELECT toString(count()) FROM "+bronze), "retention let events go")
	result := r.compare(s)["public.item"]
	require.True(t, result.OK, "%+v", result)
	require.Positive(t, result.Topic.LetGo)
	require.Equal(t, result.Topic.Events, result.Topic.Bronze+result.Topic.LetGo, "%+v", result.Topic)

	// An erasure notes its offsets before it deletes the rows.
	do("INSERT INTO ops.erased_offset (topic, partition, offset, deleted) SELECT _topic, _partition, _offset, 1 FROM " + bronze + " WHERE id = 7 ORDER BY _offset DESC LIMIT 1")
	require.True(t, r.compare(s)["public.item"].OK)

	// An event of today is lost, one of before is there twice, one nobody wrote.
	do("ALTER TABLE " + bronze + " DELETE WHERE id = 5 AND _offset = (SELECT max(_offset) FROM " + bronze + " WHERE id = 5) SETTINGS mutations_sync = 2")
	copied := "INSERT INTO " + bronze + " SELECT * FROM " + bronze + " WHERE id = 6 ORDER BY _version LIMIT 1 SETTINGS insert_deduplicate = 0"
	do("ALTER TABLE " + bronze + " REMOVE TTL") // it would join the two
	do(copied)
	result = r.compare(s)["public.item"]
	require.False(t, result.OK)
	require.EqualValues(t, 1, result.Topic.Offsets.LostCount, "%+v", result.Topic)
	require.EqualValues(t, 1, result.Topic.Offsets.DoubledCount, "%+v", result.Topic)
	require.EqualValues(t, 1, result.Topic.Duplicates, "%+v", result.Topic)
	require.Zero(t, result.Topic.Offsets.UnknownCount)
}
