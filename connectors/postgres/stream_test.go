package postgres

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestProtocolThatBothSidesSpeak(t *testing.T) {
	for server, want := range map[string]int{
		"10.23": 1, "13.14": 1, "14.11": 2, "15.17 (Debian 15.17-0+deb12u1)": 3, "16.0": 4, "18.1": 4, "19beta1": 4, "": 1, "unknown": 1,
	} {
		require.Equal(t, want, protocol(server, 0), server)
		require.Equal(t, 1, protocol(server, 1), server)
		require.Equal(t, min(want, 2), protocol(server, 2), server)
		require.Equal(t, want, protocol(server, 9), server)
	}
}

// A transaction now and then is taken at once, a stream of rows in pieces.
func TestFlow(t *testing.T) {
	var f flow
	now := time.Now()
	for range 1000 {
		now = now.Add(2 * time.Millisecond)
		require.False(t, f.strong(now, 12), "6,000 rows a second")
	}
	strong := 0
	for range 1000 {
		now = now.Add(5 * time.Microsecond)
		if f.strong(now, 1) {
			strong++
			now = now.Add(gather)
		}
	}
	require.Greater(t, strong, 5, "200,000 rows a second, one a read")
	for range 10 {
		now = now.Add(gather)
		strong = 0
		if f.strong(now, 100) {
			strong++
		}
		require.Equal(t, 1, strong, "200,000 rows a second, a hundred a read")
	}
}
