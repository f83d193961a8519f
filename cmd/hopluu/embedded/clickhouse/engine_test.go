package clickhouse

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hopluu/hopluu/cmd/hopluu/embedded/parts"
)

// The engine in this very process: Go keeps its signal handlers, one process
// has the data folder, and sessions do not see each other's settings.
func TestEngineInProcess(t *testing.T) {
	paths, err := parts.Ensure(t.Context(), "", nil)
	require.NoError(t, err)
	dir := t.TempDir()
	e, err := openEngine(paths.ClickHouse, dir, t.TempDir(), "", 500_000_000)
	require.NoError(t, err)

	// A nil pointer in Go is a SIGSEGV that must become a panic still.
	var nothing *engine
	require.Panics(t, func() { nothing.version = "" })

	_, err = openEngine(paths.ClickHouse, dir, t.TempDir(), "", 500_000_000)
	require.ErrorContains(t, err, "in use by another process")

	require.NoError(t, e.do(t.Context(), func(s *session) error {
		_, err := s.query("SET max_threads = 1", "Null", nil)
		return err
	}))
	require.NoError(t, e.do(t.Context(), func(s *session) error {
		res, err := s.query("SELECT getSetting('max_threads') = 1, (SELECT value FROM system.server_settings WHERE name = 'max_server_memory_usage')", "TSV", nil)
		require.Equal(t, "0\t500000000\n", string(res.data))
		return err
	}))

	// A stream that is given up leaves the session usable.
	require.NoError(t, e.do(t.Context(), func(s *session) error {
		blocks, err := s.stream("SELECT number FROM numbers(100000000)", "Native", nil)
		require.NoError(t, err)
		_, more, err := blocks.next()
		require.NoError(t, err)
		require.True(t, more)
		blocks.close()
		res, err := s.query("SELECT 1", "TSV", nil)
		require.Equal(t, "1\n", string(res.data))
		return err
	}))
	require.NoError(t, e.close())

	_, err = openEngine("/nowhere/libchdb.so", t.TempDir(), t.TempDir(), "", 1)
	require.ErrorContains(t, err, "cannot load ClickHouse's engine from /nowhere/libchdb.so")
}
