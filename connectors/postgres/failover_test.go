package postgres

import (
	"syscall"
	"testing"

	"github.com/hopluu/hopluu/schemas/event"
	"github.com/stretchr/testify/require"
)

func TestTimelineEnd(t *testing.T) {
	history := []byte("1\t0/5000060\tno recovery target specified\n\n# a comment\n2\t1/A0\tbefore 2026-01-01\n")
	for of, want := range map[int32]event.LSN{1: 0x5000060, 2: 0x1000000A0, 3: 0, 7: 0} {
		got, err := timelineEnd(history, of)
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	for _, bad := range []string{"one\t0/1\n", "1\tnowhere\n"} {
		_, err := timelineEnd([]byte(bad), 1)
		require.Error(t, err)
	}
}

func TestLostReason(t *testing.T) {
	rows, other := "rows_removed", "idle_timeout"
	require.Contains(t, lostReason(nil), "max_slot_wal_keep_size")
	require.Contains(t, lostReason(&rows), "hot_standby_feedback")
	require.Equal(t, other, lostReason(&other))
}

// An error is one line, also for several hosts.
func TestUnreachableIsOneLine(t *testing.T) {
	_, err := Connect(t.Context(), "host=127.0.0.1,127.0.0.1 port=1,2 user=u dbname=d sslmode=disable")
	require.ErrorContains(t, err, "cannot be reached")
	require.NotContains(t, err.Error(), "\n")
	require.ErrorIs(t, err, syscall.ECONNREFUSED)
}
