package event

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// Ranges are told apart by their text: a compacted topic keeps one marker of
// each (P2).
func TestRangesHaveTextsOfTheirOwn(t *testing.T) {
	text := func(s string) *string { return &s }
	seen := map[string]bool{}
	for _, r := range []Range{
		{Column: "id", From: text("1"), To: text("9")},
		{Column: "id", From: text("1")},
		{Column: "id", To: text("9")},
		{Column: "id", From: text("")},
		{Column: "id", From: text(`1" to "9`)},
		{Column: `id" from "1`, To: text("9")},
	} {
		require.False(t, seen[r.String()], r.String())
		seen[r.String()] = true
	}
	require.Equal(t, `"id" from "1" to "9"`, Range{Column: "id", From: text("1"), To: text("9")}.String())
}
