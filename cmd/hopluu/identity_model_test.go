package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hopluu/hopluu/cmd/hopluu/config"
	"github.com/hopluu/hopluu/processors/identity/linkage"
)

// What 'identity link --save-model' writes is what identity.model takes; what
// cannot be taken is told by 'config check', in one line that names the key.
func TestTheModelOfTheConfiguration(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		return path
	}
	check := func(model string) error {
		file := write("hopluu.yaml", "kafka: {brokers: [localhost:1]}\nidentity: {model: "+model+"}\nsources: [{name: health, sector: health}]\n")
		root := rootCommand()
		var out bytes.Buffer
		root.SetOut(&out)
		root.SetErr(&out)
		root.SetArgs([]string{"config", "check", "--config", file})
		return root.ExecuteContext(t.Context())
	}
	require.NoError(t, check(`""`))

	records, trained := write("records.csv", identityRecords), filepath.Join(dir, "trained.yaml")
	_, err := hopluuIdentity(t, "link", "--model", "city", "--input", records, "--output", filepath.Join(dir, "links.csv"), "--train", "--save-model", trained)
	require.NoError(t, err)
	require.NoError(t, check(trained))
	m, known, err := liveModel(config.Identity{Model: trained})
	require.NoError(t, err)
	require.Regexp(t, `^city-\d+\+[0-9a-f]{8}$`, m.Version)
	require.NotNil(t, known)
	built, known, err := liveModel(config.Identity{})
	require.NoError(t, err)
	require.NotEqual(t, m.Version, built.Version)
	require.NotNil(t, known)

	text, err := os.ReadFile(trained)
	require.NoError(t, err)
	febrl, err := linkage.DefaultText("febrl")
	require.NoError(t, err)
	for model, want := range map[string]string{
		filepath.Join(dir, "none.yaml"):         "no such file",
		write("alone.yaml", string(text)):       "alone.frequencies.tsv is missing",
		write("febrl.yaml", string(febrl)):      "has no section live",
		write("broken.yaml", "version: [x\n"):   "model: line 1",
		write("other.yaml", "colour: [blue]\n"): `there is no key "colour"`,
	} {
		err := check(model)
		require.ErrorContains(t, err, want)
		require.ErrorContains(t, err, "identity.model")
		require.NotContains(t, err.Error(), "\n")
	}
}

// To accept is a person's act, on the model that is configured here.
func TestAcceptNeedsItsModelAndAReason(t *testing.T) {
	file := filepath.Join(t.TempDir(), "hopluu.yaml")
	require.NoError(t, os.WriteFile(file, []byte("kafka: {brokers: [localhost:1]}\nsources: [{name: health, sector: health}]\n"), 0o600))
	for want, args := range map[string][]string{
		"needs one version":                         {},
		"--why is needed":                           {"city-3"},
		"of this configuration is city-":            {"mine-1", "--why", "better"},
		"accept that, or name the other's file":     {"mine-1", "--why", "better"},
		`unknown flag: --everything`:                {"city-3", "--everything"},
		"whoever finds people moved must know what": {"city-3", "--why", " "},
	} {
		_, err := hopluuIdentity(t, append([]string{"model", "accept", "--config", file}, args...)...)
		require.ErrorContains(t, err, want)
	}
	out, err := hopluuIdentity(t, "model", "city", "--trained")
	require.NoError(t, err)
	m, err := linkage.ParseModel([]byte(out))
	require.NoError(t, err)
	require.True(t, m.Trained())
}
