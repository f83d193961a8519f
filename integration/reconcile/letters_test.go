package reconcile

import (
	"context"
	"fmt"
	"testing"

	"github.com/hopluu/hopluu/cmd/hopluu/operations/reconcile"
	"github.com/hopluu/hopluu/integration/harness"
	"github.com/hopluu/hopluu/schemas/topic"
	sink "github.com/hopluu/hopluu/sinks/clickhouse"
	"github.com/stretchr/testify/require"
)

const visited = "public.visit"

const visitFile = `
system: 5
name: {vi: Khám, en: Visits}
owner: {vi: Sở, en: Department}
tables:
  - name: visit
    meaning: {vi: Khám, en: Visits}
    columns:
      - {name: id, type: bigint, meaning: {vi: Mã, en: Id}, sensitivity: internal}
      - {name: day, type: date, meaning: {vi: Ngày, en: Day}, sensitivity: internal}
      - {name: born, type: date, meaning: {vi: Sinh, en: Born}, sensitivity: internal}
`

// P2: rows of which an event stands in the open dead letters, poisoned or behind
// one that is, are no difference and no repair's; any other row that differs
// beside them is, and so is what an operator gave up.
func TestReconcileExceptsOpenDeadLetters(t *testing.T) {
	r := newRig(t, visitFile, `
		CREATE TABLE public.visit (id bigint, day date, born date, PRIMARY KEY (id, day));
		INSERT INTO public.visit SELECT n, '2024-02-29', '1970-01-01' FROM generate_series(1, 6) n`, 1)
	s := r.sources[0]
	r.run()
	r.agree()
	// ClickHouse has no such dates: of one row the update waits, of one the
	// deletion behind it, of one all.
	r.exec(s, `UPDATE public.visit SET born = '1500-02-28' WHERE id IN (1, 2);
		DELETE FROM public.visit WHERE id = 2;
		UPDATE public.visit SET born = '1970-01-02' WHERE id IN (1, 3);
		INSERT INTO public.visit VALUES (9, '2024-03-01', '1500-02-28')`)
	waiting := []string{"1|2024-02-29", "2|2024-02-29", "9|2024-03-01"}
	// each wants the same of one comparison of everything and of one in the
	// background.
	each := func(look func(reconcile.Result)) {
		t.Helper()
		look(r.compare(s)[visited])
		w, metrics := r.watch(2, 1, reconcile.Budget{Share: 1})
		found, err := w.Run(t.Context())
		require.NoError(t, err)
		require.Len(t, found, 1)
		look(found[0])
		require.Equal(t, map[string]float64{visited: float64(found[0].Waiting)}, gauges(t, metrics, "hopluu_reconcile_waiting_keys"))
		require.Equal(t, map[string]float64{visited: float64(found[0].Keys)}, gauges(t, metrics, "hopluu_reconcile_differing_keys"))
	}
	each(func(result reconcile.Result) {
		require.True(t, result.OK, "%+v\n%s", result, r.explain(s, result))
		require.Zero(t, result.Keys)
		require.Equal(t, 3, result.Waiting)
		require.Equal(t, waiting, result.WaitingKeys)
		require.Zero(t, result.UnreadableLetters)
		require.Empty(t, result.Ranges)
		require.NotEqual(t, result.SourceChecksum, result.ClickHouseChecksum)
	})
	require.Equal(t, []string{"true 3 0 ['waiting 1|2024-02-29','waiting 2|2024-02-29','waiting 9|2024-03-01']"}, texts(t, r.config.ClickHouse,
		"SELECT concat(toString(ok), ' ', toString(waiting), ' ', toString(unreadable_letters), ' ', toString(samples)) FROM ops.reconciliation WHERE source = '"+s.Name+"'"))
	plans, err := reconcile.PlanRepair(t.Context(), r.config, s, 10)
	require.NoError(t, err)
	require.Len(t, plans, 1)
	require.Equal(t, map[string]string{
		waiting[0]: "different: " + reconcile.Waits, waiting[1]: "extra: " + reconcile.Waits, waiting[2]: "missing: " + reconcile.Waits,
	}, actions(plans[0]))
	require.Equal(t, 3, plans[0].Waiting())

	// A row that was changed by hand beside them is a difference, and a letter of
	// which nobody can read the key excuses nothing.
	silver, name := "silver."+r.dataset(visited), topic.Public(s.Name, "public", "visit")
	r.spoil("ALTER TABLE " + silver + " UPDATE born = '1980-01-01' WHERE id = 4")
	r.spoil("INSERT INTO ops.dead_letter SELECT * REPLACE ('' AS record, offset + 1000 AS offset) FROM ops.dead_letter FINAL WHERE topic = '" + name + "' LIMIT 1")
	each(func(result reconcile.Result) {
		require.False(t, result.OK)
		require.Equal(t, []string{"4|2024-02-29"}, result.Different)
		require.Equal(t, 1, result.Keys)
		require.Equal(t, waiting, result.WaitingKeys)
		require.EqualValues(t, 1, result.UnreadableLetters)
	})

	// One is given up: nothing will bring it any more but a repair.
	letters, err := sink.OpenDeadLetters(harness.ClickHouse(t).Options())
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, letters.Close()) })
	open, err := letters.List(t.Context(), sink.Selection{Topic: name, Partition: -1, Offset: -1}, false, 100)
	require.NoError(t, err)
	var asked *sink.Request
	for _, l := range open {
		if l.Record == s.Name+".visit:9|19783" {
			asked, err = letters.Discard(t.Context(), sink.Selection{Topic: name, Partition: l.ID, Offset: l.Offset}, "a test")
			require.NoError(t, err)
		}
	}
	require.NotNil(t, asked, "%+v", open)
	harness.Eventually(t, within, func(ctx context.Context) error {
		a, err := asked.Progress(ctx)
		if err == nil && a.Waiting > 0 {
			err = fmt.Errorf("%d are not dealt with yet", a.Waiting)
		}
		return err
	})
	each(func(result reconcile.Result) {
		require.Equal(t, []string{"9|2024-03-01"}, result.Missing)
		require.Equal(t, []string{"4|2024-02-29"}, result.Different)
		require.Equal(t, waiting[:2], result.WaitingKeys)
	})
	plans, err = reconcile.PlanRepair(t.Context(), r.config, s, 10)
	require.NoError(t, err)
	require.Equal(t, map[string]string{
		waiting[0]: "different: " + reconcile.Waits, waiting[1]: "extra: " + reconcile.Waits,
		waiting[2]: "missing: " + reconcile.ReadAgain, "4|2024-02-29": "different: " + reconcile.ReadAgain,
	}, actions(plans[0]))
}
