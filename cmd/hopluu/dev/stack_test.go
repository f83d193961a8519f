package dev

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"testing"

	"github.com/hopluu/hopluu/cmd/hopluu/config"
	"github.com/hopluu/hopluu/cmd/hopluu/embedded"
	"github.com/stretchr/testify/require"
)

// The configuration of a demonstration lets who may read it review, with a token
// that stays from start to start, is another in each folder, and is nobody else's.
func TestConfigurationHasAReviewer(t *testing.T) {
	configured := func(dir string) config.Identity {
		s := &Stack{StackConfig: StackConfig{Dir: dir}, kafka: &embedded.Kafka{Process: &embedded.Process{Addr: "127.0.0.1:1"}}, house: &embedded.ClickHouse{Process: &embedded.Process{Addr: "127.0.0.1:2"}}}
		require.NoError(t, s.configure())
		c, err := config.Load(s.ConfigPath)
		require.NoError(t, err)
		require.Equal(t, s.Settings.Identity, c.Identity)
		for _, name := range []string{configFile, "reviewer.token"} {
			info, err := os.Stat(filepath.Join(dir, name))
			require.NoError(t, err)
			require.Equal(t, os.FileMode(0o600), info.Mode().Perm(), name)
		}
		return c.Identity
	}
	dir := t.TempDir()
	first := configured(dir)
	require.Len(t, first.Reviewers, 1)
	sum := sha256.Sum256([]byte(first.Token))
	require.Equal(t, hex.EncodeToString(sum[:]), first.Reviewers[0].TokenSHA256)
	require.True(t, first.Reviewers[0].Decides)
	require.Equal(t, first.Token, configured(dir).Token)
	require.NotEqual(t, first.Token, configured(t.TempDir()).Token)
}
