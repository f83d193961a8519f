package kafka

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hopluu/hopluu/integration/harness"
	"github.com/hopluu/hopluu/schemas/topic"
)

// P2, case 34: a successor takes the transactional id over just when its
// predecessor ends a transaction. The coordinator then has two changes of state
// in its hands (Kafka 4.1 logs "Preparing transaction state transition to
// PREPARE_COMMIT while it already a pending state PREPARE_EPOCH_FENCE", about
// one time in a hundred here, and answers with an unknown server error).
// Whoever wins: a commit that was said to be one shows, whole; what was not
// committed never does; the successor is not fenced; and no transaction is left
// open, which would hold the partition's readers back until it times out.
func TestCase34SuccessorRacesWithTheEnd(t *testing.T) {
	const rounds = 60
	broker := harness.Kafka(t)
	c := dial(t, broker.Brokers())
	ctx := testContext(t)
	part := topic.Partition{Topic: newTopic(t, c, 1, nil)}
	config := topic.ProducerConfig{TransactionalID: part.Topic}
	random := rand.New(rand.NewPCG(34, 0))
	var shown []string
	ends := map[string]int{}
	for round := range rounds {
		old, err := c.NewProducer(ctx, config)
		require.NoError(t, err)
		first, second := fmt.Sprintf("first of %d", round), fmt.Sprintf("second of %d", round)
		put(t, old, part, large(first)) // fills a batch: it is sent
		put(t, old, part, second)       // goes with the commit
		aborts := round%4 == 3
		ended := make(chan error, 1)
		end := func() {
			if aborts {
				ended <- old.Abort(ctx)
			} else {
				ended <- old.Commit(ctx)
			}
		}
		var fresh *topic.Producer
		succeed := func() {
			fresh, err = c.NewProducer(ctx, config)
			require.NoError(t, err)
		}
		switch round % 5 {
		case 0: // the end is first
			end()
			succeed()
		case 1: // the successor is first
			succeed()
			end()
		default:
			go end()
			require.NoError(t, pass(ctx, time.Duration(random.IntN(6000))*time.Microsecond))
			succeed()
		}
		err = <-ended
		switch {
		case err == nil && aborts:
			ends["aborted"]++
		case err == nil:
			ends["committed"]++
			shown = append(shown, first, second)
		default:
			require.True(t, errors.Is(err, topic.ErrFenced) || errors.Is(err, topic.ErrMustAbort), "%v", err)
			ends["fenced"]++
		}
		last := fmt.Sprintf("successor %d", round)
		shown = append(shown, last)
		put(t, fresh, part, last)
		require.NoError(t, fresh.Commit(ctx), "the successor is fenced by its predecessor")
		// Readers see the end only when no transaction is open; the time of one
		// is longer than we wait.
		harness.Eventually(t, within, func(ctx context.Context) error {
			got, err := values(ctx, c, part)
			if err == nil && !slices.Equal(got, shown) {
				err = fmt.Errorf("round %d: %q shows, not %q", round, got[max(0, len(got)-4):], shown[max(0, len(shown)-4):])
			}
			return err
		})
		_ = old.Close() // it may be fenced, and said so
		require.NoError(t, fresh.Close())
	}
	t.Log(ends)
	require.Len(t, ends, 3)
}
