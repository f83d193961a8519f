package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hopluu/hopluu/cmd/hopluu/config"
	"github.com/hopluu/hopluu/schemas/topic"
	"github.com/stretchr/testify/require"
)

// P11: whatever the configuration, nobody but the matcher may read a topic of the
// vault, by its name or by a prefix.
func TestOnlyTheMatcherReadsTheVault(t *testing.T) {
	path := filepath.Join(t.TempDir(), "hopluu.yaml")
	require.NoError(t, os.WriteFile(path, []byte(config.Example), 0o600))
	c, err := config.Load(path)
	require.NoError(t, err)
	acls, err := leastRights(c, principals{connector: "User:connector", matcher: "User:matcher", sink: "User:sink", analyst: "User:analyst", operator: "User:operator"})
	require.NoError(t, err)
	read := 0
	for _, a := range acls {
		for _, operation := range a.Operations {
			if a.Resource != topic.ACLTopic || operation != "Read" {
				continue
			}
			vault := strings.HasPrefix(a.Name, "vault.") || a.Name == "*" || a.Prefixed && strings.HasPrefix("vault.", a.Name)
			if vault {
				read++
				require.Equal(t, "User:matcher", a.Principal, "%+v", a)
			}
		}
	}
	require.Positive(t, read)
}
