package postgres

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestProtocolThatBothSidesSpeak(t *testing.T) {
	for server, want := range map[string]int{
		"10.23": 1, "13.14": 1, "14.11": 2, "15.17 (Debian 15.17-0+deb12u1)": 3, "16.0": 4, "18.1": 4, "19beta1": 4, "": 1, "unknown": 1,
	} {
		require.Equal(t, want, protocol(server, 0), server)
		require.Equal(t, 1, protocol(server, 1), server)
		require.Equal(t, min(want, 2), protocol(server, 2), server)
		require.Equal(t, want, protocol(server, 9), server)
	}
}
