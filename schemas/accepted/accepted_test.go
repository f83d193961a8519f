package accepted

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// What is no record of an accepted model stops who reads it, rather than letting
// any model in.
func TestReadRefuses(t *testing.T) {
	m, err := read([]byte(key), []byte(`{"version":"city-5","by":"an","why":"fewer splits","at":"2026-01-31T02:00:00Z"}`))
	require.NoError(t, err)
	require.Equal(t, &Model{Version: "city-5", By: "an", Why: "fewer splits", At: time.Date(2026, 1, 31, 2, 0, 0, 0, time.UTC)}, m)
	require.Equal(t, "model city-5 was accepted by an at 2026-01-31T02:00:00Z: fewer splits", m.String())
	m, err = read([]byte(key), nil)
	require.NoError(t, err)
	require.Nil(t, m)
	for _, r := range [][2]string{{"other", `{"version":"city-5"}`}, {key, `{"version":""}`}, {key, `[`}} {
		_, err := read([]byte(r[0]), []byte(r[1]))
		require.Error(t, err, r)
	}
}
