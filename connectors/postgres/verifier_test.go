package postgres

import (
	"encoding/base64"
	"testing"

	"github.com/stretchr/testify/require"
)

// The example of RFC 7677, 3: user, pencil.
func TestVerifier(t *testing.T) {
	salt, err := base64.StdEncoding.DecodeString("W22ZaJ0SNY7soEsUEjb6gQ==")
	require.NoError(t, err)
	got, err := verifier("pencil", salt)
	require.NoError(t, err)
	require.Equal(t, "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=", got)

	one, err := Verifier("pencil")
	require.NoError(t, err)
	another, err := Verifier("pencil")
	require.NoError(t, err)
	require.NotEqual(t, one, another, "each with a salt of its own")
	for _, left := range []string{"", "mật khẩu", "a\tb"} {
		got, err := Verifier(left)
		require.NoError(t, err)
		require.Equal(t, left, got)
	}
}
