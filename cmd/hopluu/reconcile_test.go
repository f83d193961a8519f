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
