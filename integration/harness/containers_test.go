package harness

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestChoiceOfParts(t *testing.T) {
	there := func() error { return nil }
	yes, why := choose("", func() error { t.Error("nobody asked for containers"); return nil })
	require.False(t, yes)
	require.Contains(t, why, containersEnv)
	yes, _ = choose("1", there)
	require.True(t, yes)
	yes, why = choose("1", func() error { return errors.New("the image postgres:18 is not there") })
	require.False(t, yes, "without images the local processes serve")
	require.Contains(t, why, "postgres:18")
}

// Without an engine that is said, not waited for.
func TestNoEngine(t *testing.T) {
	t.Setenv("DOCKER_HOST", "unix:///nowhere/docker.sock")
	require.Error(t, imagesReady(t.Context()))
}

func TestOptionsTellServersApart(t *testing.T) {
	a := apply([]Option{WithSetting("wal_level", "replica"), WithSetting("fsync", "off")})
	b := apply([]Option{WithSetting("fsync", "off"), WithSetting("wal_level", "replica")})
	require.Equal(t, a.key("postgres"), b.key("postgres"))
	require.NotEqual(t, a.key("postgres"), apply(nil).key("postgres"))
	require.True(t, apply([]Option{WithLogDir("/x")}).own)
}
