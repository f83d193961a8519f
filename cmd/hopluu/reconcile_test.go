package main

import (
	"strings"
	"testing"

	"github.com/hopluu/hopluu/cmd/hopluu/operations/reconcile"
	"github.com/stretchr/testify/require"
)

// What stands in the open dead letters is told with what to do, and is no
// difference; beside a difference it is told, too.
func TestReconciliationTellsOfDeadLetters(t *testing.T) {
	r := reconcile.Result{Source: "health", Table: "public.visit", SourceRows: 3, ClickHouseRows: 2, Waiting: 22, WaitingKeys: []string{"1", "7"}, OK: true}
	var b strings.Builder
	require.NoError(t, printReconciliation(&b, []reconcile.Result{r}, false))
	for _, part := range []string{"agree but for dead letters", "22 keys wait behind open dead letters and are no difference: 1 7 …", "hopluu dlq list"} {
		require.Contains(t, b.String(), part)
	}
	require.Equal(t, []string{"1", "7"}, r.WaitingKeys)

	r.OK, r.UnreadableLetters, r.Topic.OK = false, 2, true
	b.Reset()
	require.ErrorIs(t, printReconciliation(&b, []reconcile.Result{r}, false), errFound)
	for _, part := range []string{"DIFFER", "22 keys wait behind", "2 open dead letters have no key that can be read"} {
		require.Contains(t, b.String(), part)
	}

	b.Reset()
	r.OK = true
	require.NoError(t, printReconciliation(&b, []reconcile.Result{r}, true))
	for _, part := range []string{`"waiting": 22`, `"waiting_keys"`, `"unreadable_letters": 2`} {
		require.Contains(t, b.String(), part)
	}
}

// Numbers of two moments are marked, and never stand beside a bare "agree"; ranges
// are named only where not every key is.
func TestReconciliationTellsWhatIsUnderWay(t *testing.T) {
	show := func(r reconcile.Result) string {
		r.Topic.OK = true
		var b strings.Builder
		if err := printReconciliation(&b, []reconcile.Result{r}, false); err != nil {
			require.ErrorIs(t, err, errFound)
		}
		return b.String()
	}
	like := reconcile.Result{Source: "health", Table: "public.visit", SourceRows: 3, ClickHouseRows: 3, SourceChecksum: "a", ClickHouseChecksum: "a", OK: true}
	require.NotContains(t, show(like), "under way")

	unlike := like
	unlike.ClickHouseRows, unlike.ClickHouseChecksum, unlike.UnderWay = 5, "b", 2
	out := show(unlike)
	require.Contains(t, out, "agree, rows under way")
	require.Contains(t, out, "2 keys changed between the readings")
	unlike.UnderWay = 0 // as in the background, which does not count them
	require.Contains(t, show(unlike), "agree, rows under way")
	unlike.Changed = 1
	require.Contains(t, show(unlike), "agree, rows under way")

	differ := like
	differ.OK, differ.Keys, differ.Counts = false, 1, different(like.Counts, 1)
	differ.Different, differ.Ranges = []string{"17"}, []reconcile.Range{{From: "1", To: "9997", SourceRows: 9997, ClickHouseRows: 9997}}
	out = show(differ)
	require.Contains(t, out, "1 keys different: 17")
	require.NotContains(t, out, "9997")
	differ.Keys, differ.Counts = 30, different(like.Counts, 30)
	require.Contains(t, show(differ), "they lie between 1 and 9997")
}

// different are the counts of a result of which so many keys have other values.
func different[K ~string](_ map[K]int, n int) map[K]int { return map[K]int{"different": n} }

// A repair of which nothing is left but keys that wait is done.
func TestRepairLeavesWhatWaits(t *testing.T) {
	command := (&app{}).reconcileRepair()
	var b strings.Builder
	command.SetOut(&b)
	r := repairing{cmd: command, plans: []reconcile.Plan{{Source: "health", Table: "public.visit", Keys: []reconcile.Mend{{Key: "7", Difference: "missing", Action: reconcile.Waits}}}}}
	require.NoError(t, r.show())
	require.Contains(t, b.String(), "1 keys wait behind dead letters and are left")
	require.NotContains(t, b.String(), "--yes")
	require.Equal(t, []string{"source health, table public.visit: 0 keys"}, r.touched())
	r.plans[0].Keys = append(r.plans[0].Keys, reconcile.Mend{Key: "8", Difference: "extra", Action: reconcile.ReadAgain})
	require.ErrorIs(t, r.show(), errFound)
	require.Contains(t, b.String(), "--yes")
}
