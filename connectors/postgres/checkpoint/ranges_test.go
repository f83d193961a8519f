package checkpoint

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hopluu/hopluu/schemas/event"
)

// A range is kept until it was read, also when the state is written and read in
// between, and asked for again it is read once.
func TestRangesArePendingUntilAnswered(t *testing.T) {
	from, to := "1", "9"
	first, second := event.Range{Column: "id", From: &from, To: &to}, event.Range{Column: "id", To: &to}
	state := Table{Complete: true}.Asked(first).Asked(second).Asked(first)
	data, err := MarshalTables(map[string]Table{"public.b": state})
	require.NoError(t, err)
	tables, err := ParseTables(data)
	require.NoError(t, err)
	require.Equal(t, []event.Range{first, second}, tables["public.b"].Ranges)
	c := Checkpoint{Tables: map[string]Table{"public.a": {Complete: true}, "public.b": tables["public.b"]}}
	require.Equal(t, []string{"public.b"}, c.Pending([]string{"public.a", "public.b"}))

	copied, to9 := first, "9"
	copied.To = &to9
	left, ok := c.Tables["public.b"].Answered(copied)
	require.True(t, ok)
	require.Equal(t, []event.Range{second}, left.Ranges)
	require.Len(t, c.Tables["public.b"].Ranges, 2, "the state before stays")
	_, ok = left.Answered(first)
	require.False(t, ok)
	left, ok = left.Answered(second)
	require.True(t, ok)
	c.Tables["public.b"] = left
	require.Empty(t, c.Pending([]string{"public.a", "public.b"}))
	require.Empty(t, Checkpoint{Tables: map[string]Table{"b": state}}.Restarted().Tables["b"].Ranges, "all is read anew")
}
