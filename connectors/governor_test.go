package connectors

import (
	"testing"
	"time"

	"github.com/hopluu/hopluu/connectors/postgres"
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

// Who alerts on the time that is left sees -1, as the metric's text says, while
// no end is in sight.
func TestTimeLeft(t *testing.T) {
	var g governor
	g.Connector = &Connector{}
	safe, now := int64(1000), time.Unix(1_800_000_000, 0)
	require.Equal(t, float64(-1), g.left(postgres.SlotStatus{SafeBytes: &safe}).Seconds(), "the rate is not known")
	g.rate.Add(0, now)
	g.rate.Add(100, now.Add(time.Second))
	require.Equal(t, float64(-1), g.left(postgres.SlotStatus{}).Seconds(), "nothing ends it")
	require.Equal(t, float64(10), g.left(postgres.SlotStatus{SafeBytes: &safe}).Seconds())
	g.Budget = walbudget.Budget{Limit: 600}
	require.Equal(t, float64(2), g.left(postgres.SlotStatus{SafeBytes: &safe, RetainedBytes: 400}).Seconds(), "the budget ends sooner")
}
