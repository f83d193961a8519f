package connectors

import (
	"testing"
	"time"

	"github.com/hopluu/hopluu/connectors/postgres/walbudget"
	"github.com/stretchr/testify/require"
)

// A change of the level is told at once, and what is beyond the budget again
// and again; what is within it is not.
func TestGovernorTellsAgain(t *testing.T) {
	g, now := governor{}, time.Unix(1_800_000_000, 0)
	require.False(t, g.due(walbudget.Within, now))
	require.True(t, g.due(walbudget.Warned, now))
	g.level, g.told = walbudget.Warned, now
	require.False(t, g.due(walbudget.Warned, now.Add(alertEvery-1)))
	require.True(t, g.due(walbudget.Warned, now.Add(alertEvery)))
	require.True(t, g.due(walbudget.Over, now.Add(1)))
	require.True(t, g.due(walbudget.Within, now.Add(1)))
}
