package capture

import (
	"context"
	"errors"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/hopluu/hopluu/connectors"
	"github.com/hopluu/hopluu/integration/harness"
	"github.com/hopluu/hopluu/schemas/event"
	"github.com/hopluu/hopluu/schemas/topic"
	"github.com/stretchr/testify/require"
)

func TestBroker(t *testing.T) {
	t.Parallel()
	// A broker that was killed waits for the end of its own last session.
	broker := harness.Kafka(t, harness.Own(), harness.WithSetting("broker.session.timeout.ms", "3000"))
	t.Run("another source's open transaction holds nobody", func(t *testing.T) { openElsewhere(t, broker) })
	t.Run("an open transaction hides no checkpoint", func(t *testing.T) { openTransaction(t, broker) })
	t.Run("killed, nothing is confirmed", func(t *testing.T) { brokerKilled(t, broker) })
}

// P1: with the broker gone nothing is confirmed that Kafka does not have, and
// when it is back everything arrives once.
func brokerKilled(t *testing.T, broker *harness.KafkaBroker) {
	r := newRigOn(t, harness.Postgres(t), broker)
	c := r.start()
	r.ready(c)
	r.exec(`INSERT INTO public.visit SELECT n, '2026-01-01', n FROM generate_series(1, 1000) n`)
	r.caughtUp()
	require.NoError(t, broker.Kill())
	var at string
	require.NoError(t, r.query(`SELECT pg_current_wal_lsn()::text`).Scan(&at))
	before, err := event.ParseLSN(at)
	require.NoError(t, err)
	r.exec(`INSERT INTO public.visit SELECT n, '2026-01-02', n FROM generate_series(1, 1000) n`)
	r.exec(`UPDATE public.visit SET cost = cost + 1 WHERE day = '2026-01-01'`)
	var written string
	require.NoError(t, r.query(`SELECT pg_current_wal_lsn()::text`).Scan(&written))
	end, err := event.ParseLSN(written)
	require.NoError(t, err)
	r.eventually(func() error {
		var sent string
		if err := r.query(`SELECT sent_lsn::text FROM pg_stat_replication JOIN pg_replication_slots ON active_pid = pid WHERE slot_name = $1`, r.config.Slot).Scan(&sent); err != nil {
			return err
		}
		if lsn, err := event.ParseLSN(sent); err != nil || lsn < end {
			return fmt.Errorf("the server has sent %s of %s (%v)", sent, end, err)
		}
		return nil
	})
	// The connector has the rows in hand, and waits for the broker.
	require.LessOrEqual(t, r.confirmed(), before)
	require.NoError(t, broker.Restart(t.Context()))
	all := r.tail(r.public("visit")).shows(visits)
	require.Equal(t, 3000, len(all))
	once(t, all)
	r.caughtUp()
	require.NoError(t, c.stop())
	require.LessOrEqual(t, r.confirmed(), r.checkpoint().Confirmed)
}

// A killed connector leaves its transaction open. The other sources' connectors
// start all the same: none of their readers comes by it.
func openElsewhere(t *testing.T, broker *harness.KafkaBroker) {
	killed := newRigOn(t, harness.Postgres(t), broker)
	c := killed.start()
	killed.ready(c)
	require.NoError(t, c.stop())
	left, err := killed.client.NewProducer(t.Context(), topic.ProducerConfig{TransactionalID: "left", TransactionTimeout: 10 * time.Minute})
	require.NoError(t, err)
	for _, name := range []string{connectors.StateTopic(killed.config.Source), killed.public("visit")} {
		require.NoError(t, left.Add(t.Context(), topic.Partition{Topic: name}, []byte("left"), make([]byte, 600<<10), 0)) // more than a batch: it is sent
	}
	r := newRigOn(t, harness.Postgres(t), broker)
	r.ready(r.start())
	require.NoError(t, left.Abort(t.Context()))
	require.NoError(t, left.Close())
}

// A transaction that is still open in the state topic hides all checkpoints
// behind it from readers. A start that took the last one that shows for the last
// would produce events twice.
func openTransaction(t *testing.T, broker *harness.KafkaBroker) {
	r := newRigOn(t, harness.Postgres(t), broker)
	c := r.start()
	r.ready(c)
	other, err := r.client.NewProducer(t.Context(), topic.ProducerConfig{TransactionalID: "another", TransactionTimeout: 10 * time.Minute})
	require.NoError(t, err)
	state := topic.Partition{Topic: connectors.StateTopic(r.config.Source)}
	require.NoError(t, other.Add(t.Context(), state, []byte("another"), make([]byte, 600<<10), 0)) // more than a batch: it is sent
	r.eventually(func() error {
		// Until the open transaction is in the log, checkpoints still show.
		at := r.readable().Confirmed
		r.exec(`INSERT INTO public.visit VALUES ((SELECT count(*) FROM public.visit), '2026-01-01', 1)`)
		r.caughtUp()
		if r.readable().Confirmed != at {
			return fmt.Errorf("the transaction is not in the log yet")
		}
		return nil
	})
	require.NoError(t, c.stop())

	// Whoever needs the last checkpoint waits for it.
	bound, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	err = connectors.Resnapshot(bound, r.client, r.config.Source, "public.visit")
	// Its time ran out while it waited, or within a request.
	require.True(t, errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded), "%v", err)
	r.start()
	r.exec(`INSERT INTO public.visit VALUES (-1, '2026-01-01', 1)`)
	require.NoError(t, other.Abort(t.Context()))
	all := r.tail(r.public("visit")).shows(visits)
	once(t, all)
	require.NoError(t, other.Close())
}
