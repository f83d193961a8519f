package main

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// A server that is just starting again is waited for; a refused login is not,
// and who is interrupted hears what the server said last.
func TestAServerThatRestartsIsWaitedFor(t *testing.T) {
	refused := fmt.Errorf("post: %w", syscall.ECONNREFUSED)
	asked := 0
	require.NoError(t, answers(t.Context(), func(context.Context) error {
		if asked++; asked < 3 {
			return refused
		}
		return nil
	}))
	require.Equal(t, 3, asked)

	login := errors.New("wrong password")
	asked = 0
	require.ErrorIs(t, answers(t.Context(), func(context.Context) error { asked++; return login }), login)
	require.Equal(t, 1, asked)

	ctx, cancel := context.WithCancel(t.Context())
	err := answers(ctx, func(context.Context) error { cancel(); return refused })
	require.ErrorIs(t, err, syscall.ECONNREFUSED)
}
