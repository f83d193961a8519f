package topic

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/stretchr/testify/require"
)

// While a call is tried again, whoever asks hears of its error; afterwards not.
func TestTrouble(t *testing.T) {
	c := &Client{patience: time.Minute}
	require.NoError(t, c.Trouble(0))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	began, fail, ended := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	go func() {
		first := true
		_, err := retry(ctx, c, func(context.Context) (int, error) {
			if first {
				first = false
				close(began)
				<-fail
			}
			return 0, kafka.Error(56)
		})
		ended <- err
	}()
	<-began
	require.ErrorContains(t, c.Trouble(0), "has not answered")
	require.NoError(t, c.Trouble(time.Hour), "not that long")
	close(fail)
	for {
		if err := c.Trouble(0); errors.Is(err, kafka.Error(56)) {
			require.ErrorContains(t, err, "disks")
			break
		}
	}
	cancel()
	require.Error(t, <-ended)
	require.NoError(t, c.Trouble(0))
}
