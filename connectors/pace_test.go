package connectors

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// P7: readers together take no more rows than a second allows, however small
// the pieces are that they ask for.
func TestPace(t *testing.T) {
	p := pace{perSecond: 1000}
	began := time.Now()
	for range 100 {
		require.NoError(t, p.wait(t.Context(), 3))
	}
	require.GreaterOrEqual(t, p.next.Sub(began), 300*time.Millisecond)
	require.NoError(t, (&pace{}).wait(t.Context(), 1<<30), "no limit")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.NoError(t, p.wait(t.Context(), 1_000_000))
	require.ErrorIs(t, p.wait(ctx, 1), context.Canceled, "it is due much later")
}

func TestRangesOfASlowReader(t *testing.T) {
	require.Equal(t, uint32(8192), Load{}.rangeBlocks())
	require.Equal(t, uint32(8192), Load{RowsPerSecond: 1_000_000}.rangeBlocks())
	require.Equal(t, uint32(40), Load{RowsPerSecond: 1000}.rangeBlocks())
	require.Equal(t, uint32(8), Load{RowsPerSecond: 1}.rangeBlocks())
	require.Equal(t, 2, Load{}.connections())
}
