package checkpoint

import (
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestKeysAreAskedOnceAndAnsweredOnce(t *testing.T) {
	one, two := []string{"1", "a"}, []string{"1a", ""}
	state, ok := Table{Complete: true}.AskedKeys(one, two, one)
	require.True(t, ok)
	require.Equal(t, [][]string{one, two}, state.Keys)
	again, ok := state.AskedKeys(two)
	require.True(t, ok)
	require.Equal(t, state, again)
	c := Checkpoint{Tables: map[string]Table{"public.t": state}}
	require.Equal(t, []string{"public.t"}, c.Pending([]string{"public.t"}))

	state = state.AnsweredKeys(two, []string{"9", "z"})
	require.Equal(t, [][]string{one}, state.Keys)
	require.Equal(t, [][]string{one, two}, again.Keys, "another state stays as it is")
	state = state.AnsweredKeys(one)
	require.Nil(t, state.Keys)
	c.Tables["public.t"] = state
	require.Empty(t, c.Pending([]string{"public.t"}))
}

// P8: what a checkpoint carries is bounded.
func TestKeysAreBounded(t *testing.T) {
	var keys [][]string
	for i := range MaxKeys {
		keys = append(keys, []string{strconv.Itoa(i)})
	}
	state := Table{Complete: true, Keys: keys}
	_, ok := state.AskedKeys([]string{"7"})
	require.True(t, ok, "it is asked for already")
	same, ok := state.AskedKeys([]string{"one more"})
	require.False(t, ok)
	require.Len(t, same.Keys, MaxKeys)
}
