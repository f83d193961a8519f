package kafka

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/hopluu/hopluu/cmd/hopluu/embedded"
	"github.com/hopluu/hopluu/integration/harness"
	"github.com/hopluu/hopluu/schemas/topic"
)

// P1, P2: the broker is killed again and again while one goroutine writes
// transactions, every fifth of which it aborts, and another reads. Both go on
// by themselves; every record of a committed transaction is read once and in
// order, and no other.
func TestBrokerIsKilledInTheMiddle(t *testing.T) {
	const kills, partitions = 4, 3
	broker := harness.Kafka(t, harness.Own())
	c := dial(t, broker.Brokers())
	name := newTopic(t, c, partitions, nil)
	p := newProducer(t, c, name)

	stop := make(chan struct{})
	var sofar atomic.Uint64 // records committed
	var total atomic.Uint64 // records committed in all, 0 while the writer writes
	work, ctx := errgroup.WithContext(testContext(t))
	work.Go(func() error {
		committed, err := writeTransactions(ctx, p, name, partitions, &sofar, stop)
		total.Store(committed)
		return err
	})
	work.Go(func() error { return checkSequence(ctx, c, name, partitions, &total) })
	work.Go(func() error {
		defer close(stop)
		for range kills {
			if err := furtherThan(ctx, &sofar, sofar.Load()); err != nil {
				return err
			}
			// Somewhere in the transactions that follow.
			if err := pass(ctx, time.Duration(rand.IntN(900))*time.Millisecond); err != nil {
				return err
			}
			if err := broker.Kill(); err != nil {
				return err
			}
			if err := broker.Restart(ctx); err != nil {
				return err
			}
		}
		return furtherThan(ctx, &sofar, sofar.Load())
	})
	require.NoError(t, work.Wait())

	n := uint64(0)
	require.NoError(t, c.ReadAll(testContext(t), name, func(topic.Record) error { n++; return nil }))
	require.Equal(t, total.Load(), n)
	require.Greater(t, n, uint64(kills*perTransaction))
}

// furtherThan waits until more is committed than was.
func furtherThan(ctx context.Context, committed *atomic.Uint64, was uint64) error {
	return harness.Poll(ctx, func(context.Context) error {
		if n := committed.Load(); n <= was {
			return fmt.Errorf("nothing is committed since the %dth record", n)
		}
		return nil
	})
}

const perTransaction = 2000

// pass lets the others work for a while.
func pass(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// writeTransactions writes the numbers from 0 on, round the partitions, until
// stop is closed, and gives how many it committed, which sofar tells meanwhile. A
// record is its number, then 1 if it is to be aborted, then noise.
func writeTransactions(ctx context.Context, p *topic.Producer, name string, partitions uint64, sofar *atomic.Uint64, stop <-chan struct{}) (uint64, error) {
	committed := uint64(0)
	random := rand.NewChaCha8([32]byte{})
	value := make([]byte, 300)
	for round := 0; ; round++ {
		select {
		case <-stop:
			return committed, nil
		default:
		}
		if _, err := random.Read(value); err != nil {
			return committed, err
		}
		aborts := round%5 == 4
		value[8] = 0
		if aborts {
			value[8] = 1
		}
		for n := committed; n < committed+perTransaction; n++ {
			binary.BigEndian.PutUint64(value, n)
			if err := p.Add(ctx, topic.Partition{Topic: name, ID: int32(n % partitions)}, value[:8], value, now()); err != nil {
				return committed, fmt.Errorf("record %d: %w", n, err)
			}
		}
		if aborts {
			if err := p.Abort(ctx); err != nil {
				return committed, fmt.Errorf("abort after %d: %w", committed, err)
			}
			continue
		}
		if err := p.Commit(ctx); err != nil {
			return committed, fmt.Errorf("commit after %d: %w", committed, err)
		}
		committed += perTransaction
		sofar.Store(committed)
	}
}

// checkSequence reads what writeTransactions writes until it has read total,
// once that is known.
func checkSequence(ctx context.Context, c *topic.Client, name string, partitions uint64, total *atomic.Uint64) error {
	positions := map[topic.Partition]int64{}
	want := map[topic.Partition]uint64{}
	for i := range partitions {
		positions[topic.Partition{Topic: name, ID: int32(i)}] = 0
		want[topic.Partition{Topic: name, ID: int32(i)}] = i
	}
	r := c.NewReader(positions)
	defer r.Close()
	read := uint64(0)
	for total.Load() == 0 || read < total.Load() {
		batches, err := r.Poll(ctx)
		if err != nil {
			return fmt.Errorf("after %d records: %w", read, err)
		}
		for _, b := range batches {
			for _, rec := range b.Records {
				if rec.Value[8] == 1 {
					return fmt.Errorf("%s offset %d: an aborted record shows", rec.Partition, rec.Offset)
				}
				if n := binary.BigEndian.Uint64(rec.Value); n != want[rec.Partition] {
					return fmt.Errorf("%s offset %d: record %d, not %d", rec.Partition, rec.Offset, n, want[rec.Partition])
				}
				want[rec.Partition] += partitions
				read++
			}
		}
	}
	return nil
}

// A broker that hangs has a batch in its hands when the producer gives the
// transaction up. Whether it wakes and takes it, or dies with it, the next
// transaction is whole and has nothing of it.
func TestBatchThatIsGivenUp(t *testing.T) {
	for name, end := range map[string]func(context.Context, *embedded.Kafka) error{
		"the broker wakes": func(_ context.Context, k *embedded.Kafka) error { return k.Signal(syscall.SIGCONT) },
		"the broker dies":  func(ctx context.Context, k *embedded.Kafka) error { return errors.Join(k.Kill(), k.Restart(ctx)) },
	} {
		t.Run(name, func(t *testing.T) {
			ctx := testContext(t)
			broker, err := embedded.StartKafka(ctx, embedded.KafkaConfig{Parts: harness.Parts(t), Dir: harness.TempDir(t), Heap: "384m"})
			require.NoError(t, err)
			t.Cleanup(func() { require.NoError(t, broker.Kill()) })
			c := dial(t, []string{broker.Addr})
			part := topic.Partition{Topic: newTopic(t, c, 1, nil)}
			p := newProducer(t, c, part.Topic)
			put(t, p, part, "1")
			require.NoError(t, p.Commit(ctx))

			put(t, p, part, large("late"), large("late")) // enrolled, and connected
			put(t, p, part, "late")
			require.NoError(t, broker.Signal(syscall.SIGSTOP))
			stopped(t, broker.PID())
			hasty, cancel := context.WithTimeout(ctx, 300*time.Millisecond)
			defer cancel()
			require.ErrorIs(t, p.Commit(hasty), topic.ErrMustAbort)
			require.NoError(t, end(ctx, broker))
			require.NoError(t, p.Abort(ctx))
			for _, v := range []string{"2", "3"} {
				put(t, p, part, v)
				require.NoError(t, p.Commit(ctx))
			}
			requireValues(t, c, part, "1", "2", "3")
		})
	}
}

// stopped waits until a process that was sent SIGSTOP is: a busy machine takes
// its time to stop all of its threads.
func stopped(t *testing.T, pid int) {
	t.Helper()
	harness.Eventually(t, within, func(context.Context) error {
		threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", pid))
		if err != nil {
			return err
		}
		for _, thread := range threads {
			stat, err := os.ReadFile(thread)
			if err != nil {
				return err
			}
			if !bytes.Contains(stat, []byte(") T ")) {
				return fmt.Errorf("it runs: %s", stat)
			}
		}
		return nil
	})
}
