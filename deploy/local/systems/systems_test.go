package systems

import (
	"io/fs"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hopluu/hopluu/schemas/sectors"
)

// Every sector that is described has a system, and the other way round.
func TestEverySectorHasASystem(t *testing.T) {
	names, err := Names()
	require.NoError(t, err)
	set, err := sectors.Load()
	require.NoError(t, err)
	var described []string
	for _, s := range set.Sectors {
		described = append(described, s.Sector)
	}
	require.Equal(t, described, names)
	for _, n := range names {
		script, err := SQL(n)
		require.NoError(t, err)
		require.Contains(t, script, "CREATE TABLE IF NOT EXISTS public.")
	}
}

func TestUnknownSector(t *testing.T) {
	_, err := SQL("schools")
	require.ErrorIs(t, err, fs.ErrNotExist)
	require.ErrorContains(t, err, "deploy/local/systems/schools.sql")
}
