package matcher

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hopluu/hopluu/schemas/erasure"
)

// Who asks again finds what the matcher wrote, also while Kafka does not show it
// yet; what somebody said since counts more.
func TestLedgerHasWhatWasSaidHere(t *testing.T) {
	proposed := erasure.Erasure{ID: "abcdefghijklmnop", Version: 1, Person: "p_1", Records: []string{"health.patient:1"}, Reason: "asked", By: "an", At: 1, Pending: true}
	approved, _, err := erasure.Say(&proposed, proposed, erasure.Statement{Reason: "asked", By: "binh", At: 2}, true)
	require.NoError(t, err)
	message := func(e erasure.Erasure) (key, value []byte) {
		key, value, err := e.Message()
		require.NoError(t, err)
		return key, value
	}
	read := func(shown ...erasure.Erasure) *erasure.Ledger {
		l := erasure.New()
		for _, e := range shown {
			require.NoError(t, l.Take(message(e)))
		}
		return l
	}
	key, value := message(approved)
	e := &eraser{said: map[string]saidErasure{approved.ID: {approved.Version, key, value}}}
	for _, stale := range []*erasure.Ledger{read(), read(proposed)} {
		e.ledger = stale
		require.NoError(t, e.ours())
		known, ok := e.ledger.Of(approved.ID)
		require.True(t, ok)
		require.Equal(t, approved, known)
		require.NotEmpty(t, e.said)
	}
	lifted := approved
	lifted.Version++
	lifted.Lift = &erasure.Lift{Reason: "a mistake", By: "an", At: 3}
	e.ledger = read(lifted)
	require.NoError(t, e.ours())
	known, _ := e.ledger.Of(approved.ID)
	require.Equal(t, lifted, known)
	require.Empty(t, e.said, "it is shown")
}
