package topic

import (
	"testing"

	"github.com/hopluu/hopluu/schemas/event"
	"github.com/stretchr/testify/require"
)

func TestDeletedAt(t *testing.T) {
	p := event.Position{Epoch: 3, LSN: 1<<40 | 7, Ordinal: 1<<32 - 1}
	at, ok := ReadDeletedAt([]Header{{Key: "other", Value: []byte("x")}, DeletedAt(p)})
	require.True(t, ok)
	require.Equal(t, p, at)
	for _, headers := range [][]Header{nil, {{Key: deletedAt, Value: []byte("short")}}} {
		_, ok = ReadDeletedAt(headers)
		require.False(t, ok)
	}
}
