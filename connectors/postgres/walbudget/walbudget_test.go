package walbudget

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestJudge(t *testing.T) {
	b := Budget{Warn: 10, Limit: 20, Policy: Alert}
	require.Equal(t, Within, b.Judge(10))
	require.Equal(t, Warned, b.Judge(11))
	require.Equal(t, Warned, b.Judge(20))
	require.Equal(t, Over, b.Judge(21))
	require.Equal(t, []string{"within", "warned", "over"}, []string{Within.String(), Warned.String(), Over.String()})
	require.Equal(t, Within, Budget{}.Judge(1<<60), "no budget, no judgement")
}

func TestCheckRefusesContradictions(t *testing.T) {
	require.NoError(t, Budget{Policy: Alert}.Check())
	require.NoError(t, Budget{Warn: 1, Limit: 2, Policy: Release}.Check())
	for _, b := range []Budget{{Warn: -1, Policy: Alert}, {}, {Policy: "drop"}, {Warn: 3, Limit: 2, Policy: Alert}, {Policy: Release}} {
		require.Error(t, b.Check(), "%+v", b)
	}
}

func TestRateGivesTheTimeThatIsLeft(t *testing.T) {
	var r Rate
	start := time.Unix(0, 0)
	_, ok := r.Left(100)
	require.False(t, ok, "nothing is known yet")
	r.Add(1000, start)
	_, ok = r.Left(100)
	require.False(t, ok, "one position is no rate")
	r.Add(2000, start.Add(10*time.Second))
	perSecond, ok := r.PerSecond()
	require.True(t, ok)
	require.InDelta(t, 100, perSecond, 1e-9)
	left, ok := r.Left(500)
	require.True(t, ok)
	require.Equal(t, 5*time.Second, left)
	left, ok = r.Left(-5)
	require.True(t, ok)
	require.Zero(t, left)
	// A calm minute brings the rate down, not to nothing at once.
	r.Add(2000, start.Add(70*time.Second))
	calm, ok := r.Left(500)
	require.True(t, ok)
	require.Greater(t, calm, left)
	// Another history begins anew.
	r.Add(5, start.Add(80*time.Second))
	_, ok = r.Left(500)
	require.False(t, ok)
}
