package sinks

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
)

var errAway = errors.New("away")

func TestRetryLogsAChangeOfStateOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		h := NewHealth(slog.New(slog.NewTextHandler(&log, nil)))
		attempts := 0
		err := h.Retry(t.Context(), "data set x", func(context.Context) error {
			if attempts++; attempts < 20 {
				return &Unavailable{What: "ClickHouse", Err: errAway}
			}
			require.ErrorIs(t, h.Ready(), errAway)
			return nil
		})
		require.NoError(t, err)
		require.NoError(t, h.Ready())
		require.Equal(t, 1, strings.Count(log.String(), "waiting for ClickHouse"), log.String())
		require.Equal(t, 1, strings.Count(log.String(), "ClickHouse works again"))
		require.NotContains(t, log.String(), "data set x")
	})
}

func TestRetryEndsWithWhatWaitingDoesNotMend(t *testing.T) {
	h := NewHealth(slog.New(slog.DiscardHandler))
	err := h.Retry(t.Context(), "ClickHouse", func(context.Context) error { return &Permanent{Err: errAway} })
	require.ErrorIs(t, err, errAway)

	ctx, cancel := context.WithCancelCause(t.Context())
	err = h.Retry(ctx, "ClickHouse", func(context.Context) error {
		cancel(errGeneration)
		return errAway
	})
	require.ErrorIs(t, err, errGeneration)
}

func TestRetryWaitsAsLongAsItTakes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := NewHealth(slog.New(slog.DiscardHandler))
		attempts := 0
		require.NoError(t, h.Retry(t.Context(), "ClickHouse", func(context.Context) error {
			if attempts++; attempts < 1000 { // over an hour
				return errAway
			}
			return nil
		}))
	})
}
