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

// Every kind of node has ids of its own, that are read as they are written.
func TestNodeID(t *testing.T) {
	id := PersonOf("tax.taxpayer:1")
	for node, letter := range map[Node]string{AnyNode: "p", PersonNode: "p", HouseholdNode: "h", HouseholdBusinessNode: "o", OrganisationNode: "o"} {
		s := node.NodeID(id)
		require.Equal(t, letter+id.String()[1:], s)
		back, err := node.ParseNodeID(s)
		require.NoError(t, err)
		require.Equal(t, id, back)
		for _, wrong := range []string{"", "x" + s[1:], s[1:]} {
			_, err = node.ParseNodeID(wrong)
			require.Error(t, err)
		}
	}
}
