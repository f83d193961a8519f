package commandline

import (
	"os"

	"github.com/stretchr/testify/require"

	"github.com/hopluu/hopluu/processors/identity/linkage"
)

// acceptsItsModel accepts the model of the configuration, as an operator who sees
// what is in force does before; and no other.
func (w *world) acceptsItsModel() {
	type inForce struct {
		Model    string
		Accepted *struct{ Version, By, Why string }
		Links    map[string]int
		Waits    bool
	}
	show := func() inForce { return parse[inForce](w.t, w.good("identity", "model", "show", "--json")) }
	city, err := linkage.Default("city")
	require.NoError(w.t, err)
	require.Equal(w.t, inForce{Model: city.Version, Links: map[string]int{}}, show())
	w.refused([]string{"identity", "model", "accept", "other-1", "--why", "a test"}, "the model of this configuration is "+city.Version)
	require.Contains(w.t, w.good("identity", "model", "accept", city.Version, "--why", "a test", "--by", "lan"), "was accepted by lan")
	w.refused([]string{"identity", "model", "accept", city.Version, "--why", "a test"}, "there is nothing to do")
	now := show()
	require.Equal(w.t, []string{city.Version, "lan", "a test"}, []string{now.Accepted.Version, now.Accepted.By, now.Accepted.Why})
	require.False(w.t, now.Waits)
	require.NotEmpty(w.t, w.actions("model "+city.Version))

	own := w.ownModel()
	w.set("identity", tree{"model": own.path})
	frequencies := linkage.FrequenciesBeside(own.path)
	require.NoError(w.t, os.Rename(frequencies, frequencies+".away"))
	w.refused([]string{"config", "check"}, "identity.model", "own.frequencies.tsv is missing")
	require.NoError(w.t, os.Rename(frequencies+".away", frequencies))
	w.good("config", "check")
	now = show()
	require.Equal(w.t, own.version, now.Model)
	require.True(w.t, now.Waits)
	require.Contains(w.t, w.good("identity", "model", "show"), "hopluu identity model accept "+own.version)
	w.set("identity", nil)
	require.NotContains(w.t, w.good("identity", "model", "show"), "waits")
}

// ownModel is a model file, and its version.
type ownModel struct{ path, version string }

// ownModel writes the city's model with frequencies of one's own, which make it
// another.
func (w *world) ownModel() ownModel {
	city, err := linkage.Default("city")
	require.NoError(w.t, err)
	frequencies := []byte("sex\t\t1.00\n")
	require.NoError(w.t, city.Stamp(frequencies))
	text, err := city.Marshal()
	require.NoError(w.t, err)
	path := w.write("own.yaml", string(text))
	require.NoError(w.t, os.WriteFile(linkage.FrequenciesBeside(path), frequencies, 0o600))
	return ownModel{path, city.Version}
}
