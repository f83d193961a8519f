package main

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

// The page says what the code does: after a change of the type table, `make
// generate`.
func TestThePageIsUpToDate(t *testing.T) {
	data, err := os.ReadFile("../../connectors/postgres/pgvalue/testdata/golden.jsonl")
	require.NoError(t, err)
	want, err := render(data)
	require.NoError(t, err)
	have, err := os.ReadFile("../../docs/types.md")
	require.NoError(t, err)
	require.Equal(t, string(want), string(have))
}
