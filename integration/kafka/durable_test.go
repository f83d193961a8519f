package kafka

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/hopluu/hopluu/cmd/hopluu/embedded"
	"github.com/hopluu/hopluu/integration/harness"
	"github.com/hopluu/hopluu/schemas/topic"
)

// P1, case 31: a commit is one only when all replicas that must have it do.
// While one is away it waits, and says for what; a producer that asks the leader
// alone is told that all is well.
func TestCase31CommitWaitsForAllReplicas(t *testing.T) {
	first, second := twoBrokers(t)
	c := dial(t, []string{first.Addr})
	ctx := testContext(t)
	part := topic.Partition{Topic: harness.Name("t")}
	_, err := c.Ensure(ctx, topic.Spec{Name: part.Topic, Partitions: 1, Replication: 2, Config: map[string]string{"min.insync.replicas": "2"}})
	require.NoError(t, err)
	p := newProducer(t, c, part.Topic)
	put(t, p, part, "on both")
	require.NoError(t, p.Commit(ctx))
	requireValues(t, c, part, "on both")

	require.NoError(t, second.Kill())
	put(t, p, part, "later on both")
	committed := make(chan error, 1)
	go func() { committed <- p.Commit(ctx) }()
	harness.Eventually(t, within, func(context.Context) error {
		if err := c.Trouble(0); err == nil || !strings.Contains(err.Error(), "[19]") && !strings.Contains(err.Error(), "[20]") { // not enough replicas, before or after the append
			return fmt.Errorf("it does not say that replicas are missing, but: %v", err)
		}
		return nil
	})
	require.Empty(t, committed, "a commit without its replicas")
	other, err := kgo.NewClient(kgo.SeedBrokers(first.Addr), kgo.RequiredAcks(kgo.LeaderAck()), kgo.DisableIdempotentWrite(), kgo.DefaultProduceTopic(part.Topic))
	require.NoError(t, err)
	defer other.Close()
	require.NoError(t, other.ProduceSync(ctx, &kgo.Record{Value: []byte("on one")}).FirstErr())
	require.Empty(t, committed)
	require.NoError(t, second.Restart(ctx))
	require.NoError(t, <-committed)
	// The batch may have been taken before the other's record, and refused after.
	harness.Eventually(t, within, func(ctx context.Context) error {
		got, err := values(ctx, c, part)
		slices.Sort(got)
		if want := []string{"later on both", "on both", "on one"}; err == nil && !slices.Equal(got, want) {
			err = fmt.Errorf("it holds %q, not %q", got, want)
		}
		return err
	})
}

// twoBrokers starts a broker with the controller and the coordinator of
// transactions, and one more in its cluster.
func twoBrokers(t *testing.T) (first, second *embedded.Kafka) {
	t.Helper()
	ctx := testContext(t)
	dir, dir2 := harness.TempDir(t), harness.TempDir(t)
	quick := map[string]string{"replica.lag.time.max.ms": "2000", "replica.fetch.wait.max.ms": "200"}
	first, err := embedded.StartKafka(ctx, embedded.KafkaConfig{Parts: harness.Parts(t), Dir: dir, Heap: "384m", QuickStart: true, Settings: quick})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, first.Kill()) })
	// The state of transactions gets its place while there is one broker.
	newProducer(t, dial(t, []string{first.Addr}), "first")

	var controller struct{ Chosen int }
	data, err := os.ReadFile(filepath.Join(dir, "controller-port.json"))
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(data, &controller))
	id, err := os.ReadFile(filepath.Join(dir, "cluster-id"))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir2, "cluster-id"), id, 0o600))
	port := harness.FreePort(t)
	listener := fmt.Sprintf("PLAINTEXT://127.0.0.1:%d", port)
	settings := map[string]string{"process.roles": "broker", "node.id": "2", "listeners": listener, "advertised.listeners": listener,
		"controller.quorum.voters": fmt.Sprintf("1@127.0.0.1:%d", controller.Chosen)}
	maps.Copy(settings, quick)
	second, err = embedded.StartKafka(ctx, embedded.KafkaConfig{Parts: harness.Parts(t), Dir: dir2, Port: port, Heap: "256m", QuickStart: true, Settings: settings})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, second.Kill()) })
	return first, second
}

// P1, case 31: a batch that was sent while others were added, and was refused,
// fails the commit. Its error is not lost with the goroutine that met it.
func TestCase31ErrorInTheBackgroundFailsTheCommit(t *testing.T) {
	broker := harness.Kafka(t)
	c := dial(t, broker.Brokers())
	ctx := testContext(t)
	small := topic.Partition{Topic: newTopic(t, c, 1, map[string]string{"max.message.bytes": "10000"})}
	part := topic.Partition{Topic: newTopic(t, c, 1, nil)}
	p, err := c.NewProducer(ctx, topic.ProducerConfig{TransactionalID: part.Topic, Compression: topic.None})
	require.NoError(t, err)
	defer p.Close()
	put(t, p, small, large("refused")) // sent at once
	for range 100 {
		put(t, p, part, "good")
	}
	err = p.Commit(ctx)
	var refused *topic.TooLargeError
	require.ErrorAs(t, err, &refused)
	require.Equal(t, small, refused.Partition)
	require.ErrorIs(t, p.Commit(ctx), topic.ErrMustAbort, "and asked again it is the same")
	require.NoError(t, p.Abort(ctx))
	put(t, p, part, "after")
	require.NoError(t, p.Commit(ctx))
	requireValues(t, c, part, "after")
}
