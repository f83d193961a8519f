package capture

import (
	"fmt"
	"testing"

	"github.com/hopluu/hopluu/integration/harness"
	"github.com/hopluu/hopluu/schemas/event"
	"github.com/hopluu/hopluu/schemas/topic"
	"github.com/stretchr/testify/require"
)

// P1: with the broker gone nothing is confirmed that Kafka does not have, and
// when it is back everything arrives once.
func TestBrokerKilledConfirmsNothing(t *testing.T) {
	broker := harness.Kafka(t, harness.Own())
	r := newRigOn(t, harness.Postgres(t), broker)
	c := r.start()
	r.ready(c)
	r.exec(`INSERT INTO public.visit SELECT n, '2026-01-01', n FROM generate_series(1, 1000) n`)
	r.caughtUp()
	before := r.checkpoint()

	require.NoError(t, broker.Kill())
	r.exec(`INSERT INTO public.visit SELECT n, '2026-01-02', n FROM generate_series(1, 1000) n`)
	r.exec(`UPDATE public.visit SET cost = cost + 1 WHERE day = '2026-01-01'`)
	var written string
	require.NoError(t, r.query(`SELECT pg_current_wal_lsn()::text`).Scan(&written))
	end, err := event.ParseLSN(written)
	require.NoError(t, err)
	r.eventually(func() error {
		var sent string
		if err := r.query(`SELECT coalesce(max(sent_lsn), '0/0')::text FROM pg_stat_replication WHERE state = 'streaming' AND application_name = 'hopluu'`).Scan(&sent); err != nil {
			return err
		}
		if lsn, err := event.ParseLSN(sent); err != nil || lsn < end {
			return fmt.Errorf("the server has sent %s of %s (%v)", sent, end, err)
		}
		return nil
	})
	// The connector has the rows in hand, and asks for a while.
	require.LessOrEqual(t, r.confirmed(), before.Confirmed)
	require.NoError(t, c.stop())
	require.LessOrEqual(t, r.confirmed(), before.Confirmed)

	c = r.start() // waits for the broker
	require.NoError(t, broker.Restart(t.Context()))
	all := r.tail(r.public("visit")).shows(visits)
	require.Equal(t, 3000, len(all))
	once(t, all)
	r.caughtUp()
	require.NoError(t, c.stop())
	require.LessOrEqual(t, r.confirmed(), r.checkpoint().Confirmed)
}

// Another source's connector, killed while it wrote its checkpoint, leaves a
// transaction open that hides all checkpoints behind it from readers. A start
// that took the last one that shows for the last would produce events twice.
func TestAnotherSourcesOpenTransactionHidesNoCheckpoint(t *testing.T) {
	r := newRigOn(t, harness.Postgres(t), harness.Kafka(t, harness.Own()))
	c := r.start()
	r.ready(c)
	other, err := r.client.NewProducer(t.Context(), topic.ProducerConfig{TransactionalID: "another"})
	require.NoError(t, err)
	state := topic.Partition{Topic: "hopluu.state.connector"}
	require.NoError(t, other.Add(t.Context(), state, []byte("another"), make([]byte, 600<<10), 0)) // more than a batch: it is sent
	r.eventually(func() error {
		// Until the open transaction is in the log, checkpoints still show.
		at := r.checkpoint().Confirmed
		r.exec(`INSERT INTO public.visit VALUES ((SELECT count(*) FROM public.visit), '2026-01-01', 1)`)
		r.caughtUp()
		if r.checkpoint().Confirmed != at {
			return fmt.Errorf("the transaction is not in the log yet")
		}
		return nil
	})
	require.NoError(t, c.stop())

	r.start()
	r.exec(`INSERT INTO public.visit VALUES (-1, '2026-01-01', 1)`)
	require.NoError(t, other.Abort(t.Context()))
	all := r.tail(r.public("visit")).shows(visits)
	once(t, all)
	require.NoError(t, other.Close())
}
