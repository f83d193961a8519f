package embedded

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A server that is killed twice within a minute is worth another try both
// times: each start has its own bound.
func TestEachStartWaitsForAKilledServersChildren(t *testing.T) {
	data := t.TempDir()
	again := stillDying(data)
	require.False(t, again(0), "no killed server's pid file is there")
	require.NoError(t, os.WriteFile(filepath.Join(data, "postmaster.pid"), []byte("1"), 0o600))
	require.True(t, again(time.Second))
	require.False(t, again(dyingBound+time.Second))
	require.True(t, again(time.Second), "the next start")
}
