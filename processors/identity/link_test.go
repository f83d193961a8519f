package identity

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestPersonID(t *testing.T) {
	p := PersonOf("population.citizen:1")
	require.Len(t, p.String(), 25)
	back, err := ParsePersonID(p.String())
	require.NoError(t, err)
	require.Equal(t, p, back)
	for _, s := range []string{"", "p", "x" + p.String()[1:], p.String()[:24] + "g", p.String() + "0"} {
		_, err := ParsePersonID(s)
		require.Error(t, err, s)
	}
	// The name of a person is published: a change of how it is made breaks
	// every reader's joins.
	require.Equal(t, "pc5c8dd2398b1fd805f102928", p.String())
}
