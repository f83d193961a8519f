package linkage

import (
	"os"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// A model that is deployed decides on people, and its version is all that tells it
// from another: a file that does not say what it is, or cannot decide on what the
// vault has, is refused before anything moves.
func TestParseLive(t *testing.T) {
	frequencies, err := os.ReadFile("models/trained/city.frequencies.tsv")
	require.NoError(t, err)
	made := func(change func(*Model)) []byte {
		m, err := Default("city")
		require.NoError(t, err)
		change(m)
		require.NoError(t, m.Stamp(frequencies))
		text, err := m.Marshal()
		require.NoError(t, err)
		return text
	}
	good := made(func(*Model) {})
	m, known, err := ParseLive(good, frequencies)
	require.NoError(t, err)
	require.Regexp(t, `^city-\d+\+[0-9a-f]{8}$`, m.Version)
	require.NotEmpty(t, known.columns)
	again, err := m.Marshal()
	require.NoError(t, err)
	require.Equal(t, string(good), string(again))

	stricter, _, err := ParseLive(made(func(m *Model) { m.Thresholds.Link++ }), frequencies)
	require.NoError(t, err)
	require.NotEqual(t, m.Version, stricter.Version)

	for want, c := range map[string]struct {
		text        []byte
		frequencies string
	}{
		"the model has no section live": {made(func(m *Model) { m.Live = nil }), string(frequencies)},
		"column died is missing, which vault topics": {made(func(m *Model) {
			m.Columns = slices.DeleteFunc(m.Columns, func(c ColumnSpec) bool { return c.Name == "died" })
			m.Live.Died = ""
		}), string(frequencies)},
		`column "blood" is nothing`:                     {made(func(m *Model) { m.Columns = append(m.Columns, ColumnSpec{Name: "blood", Role: "text"}) }), string(frequencies)},
		"the model has no weights":                      {made(func(m *Model) { m.Prior = nil }), string(frequencies)},
		"coverage is missing":                           {made(func(m *Model) { m.Prior.Coverage = 0 }), string(frequencies)},
		"or its frequencies were: write version: city-": {good, string(frequencies) + "sex\tother\t1.00\n"},
		"frequencies: line 1":                           {good, "nonsense\n"},
	} {
		_, _, err := ParseLive(c.text, []byte(c.frequencies))
		require.ErrorContains(t, err, want)
		require.NotContains(t, err.Error(), "\n")
	}
	m.Thresholds.Link++ // by hand, with the version that it had
	edited, err := m.Marshal()
	require.NoError(t, err)
	_, _, err = ParseLive(edited, frequencies)
	require.ErrorContains(t, err, "was changed after its training")
	require.ErrorContains(t, err, "write version: "+stricter.Version)
}
