package sectors

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestLoad(t *testing.T) {
	set, err := Load()
	require.NoError(t, err)
	var names []string
	for _, s := range set.Sectors {
		names = append(names, s.Sector)
	}
	require.Equal(t, []string{"construction", "health", "population", "tax", "welfare"}, names)

	health, ok := set.Sector("health")
	require.True(t, ok)
	require.Equal(t, 5, health.System)
	encounter, ok := health.Table("encounter")
	require.True(t, ok)
	require.Equal(t, "public", encounter.Schema)
	require.Equal(t, health.Owner, encounter.Owner)
	require.Equal(t, &Person{Via: "patient_id", To: "patient"}, encounter.Person)
	require.False(t, encounter.Vault())
	patient, ok := health.Table("patient")
	require.True(t, ok)
	require.Equal(t, &Person{Direct: true}, patient.Person)
	require.True(t, patient.Vault())
	cccd, ok := patient.Column("cccd")
	require.True(t, ok)
	require.Equal(t, CCCD, cccd.Identifier)
	require.Equal(t, CCCD, cccd.Match)

	population, ok := set.Sector("population")
	require.True(t, ok)
	birth, ok := population.Table("birth")
	require.True(t, ok)
	require.Equal(t, 4, birth.System)
	require.Equal(t, "Sở Tư pháp", birth.Owner.Vi)

	_, ok = set.Sector("schools")
	require.False(t, ok)
	_, ok = health.Table("nurse")
	require.False(t, ok)
	_, ok = patient.Column("shoe_size")
	require.False(t, ok)
}

func TestLoadDir(t *testing.T) {
	dir := t.TempDir()
	_, err := LoadDir(dir)
	require.ErrorContains(t, err, "no *.yaml file found")

	good, err := files.ReadFile("tax.yaml")
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "tax.yaml"), good, 0o600))
	set, err := LoadDir(dir)
	require.NoError(t, err)
	require.Len(t, set.Sectors, 1)

	// Every broken file is named, not the first alone.
	require.NoError(t, os.WriteFile(filepath.Join(dir, "a.yaml"), []byte("sector: b\n"), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "z.yaml"), nil, 0o600))
	_, err = LoadDir(dir)
	require.ErrorContains(t, err, "a.yaml:1")
	require.ErrorContains(t, err, "z.yaml: is empty")
}
