package topic

import (
	"net"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kfake"
)

func TestDialNamesTheBrokerThatDoesNotAnswer(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	addr := l.Addr().String()
	require.NoError(t, l.Close())
	_, err = Dial(testContext(t), Config{Brokers: []string{addr}})
	require.ErrorContains(t, err, addr)
	require.ErrorContains(t, err, "check kafka.brokers")
	require.NotContains(t, err.Error(), "\n")

	_, err = Dial(testContext(t), Config{})
	require.ErrorContains(t, err, "no Kafka broker is configured")
	_, err = Dial(testContext(t), Config{Brokers: []string{addr}, SASL: &SASL{Mechanism: "GSSAPI"}})
	require.ErrorContains(t, err, "SCRAM-SHA-512")
}

func TestDialLogsIn(t *testing.T) {
	for _, mechanism := range []string{"PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"} {
		cluster, err := kfake.NewCluster(kfake.EnableSASL(), kfake.Superuser(mechanism, "admin", "secret"))
		require.NoError(t, err)
		t.Cleanup(cluster.Close)
		c, err := Dial(testContext(t), Config{Brokers: cluster.ListenAddrs(), SASL: &SASL{Mechanism: mechanism, Username: "admin", Password: "secret"}})
		require.NoError(t, err, mechanism)
		_, err = c.Ensure(testContext(t), Spec{Name: "a", Partitions: 1})
		require.NoError(t, err, mechanism)
		require.NoError(t, c.Close())
		_, err = Dial(testContext(t), Config{Brokers: cluster.ListenAddrs(), SASL: &SASL{Mechanism: mechanism, Username: "admin", Password: "wrong"}})
		require.ErrorContains(t, err, "SASL settings", mechanism)
	}
}

func TestEnsure(t *testing.T) {
	cluster, c := fakeBroker(t, kfake.NumBrokers(3))
	ctx := testContext(t)
	specs := []Spec{
		{Name: "a", Partitions: 3},
		{Name: "b", Partitions: 1, Replication: 1, Config: map[string]string{"cleanup.policy": "compact"}},
	}
	created, err := c.Ensure(ctx, specs...)
	require.NoError(t, err)
	require.Equal(t, []string{"a", "b"}, created)
	require.Equal(t, "compact", *cluster.TopicInfo("b").Configs["cleanup.policy"])

	created, err = c.Ensure(ctx, specs...)
	require.NoError(t, err)
	require.Empty(t, created)

	// Another number of partitions would send keys elsewhere: said, and
	// nothing made.
	_, err = c.Ensure(ctx, Spec{Name: "c", Partitions: 1}, Spec{Name: "a", Partitions: 4})
	var wrong *PartitionCountError
	require.ErrorAs(t, err, &wrong)
	require.Equal(t, PartitionCountError{Topic: "a", Have: 3, Want: 4}, *wrong)
	counts, err := c.PartitionCounts(ctx, "a", "b", "c")
	require.NoError(t, err)
	require.Equal(t, map[string]int32{"a": 3, "b": 1}, counts)

	// A topic that another process made shows at once.
	require.NoError(t, cluster.CreateTopic("d", 2, nil))
	counts, err = c.PartitionCounts(ctx, "d")
	require.NoError(t, err)
	require.Equal(t, map[string]int32{"d": 2}, counts)
}

func TestOffsets(t *testing.T) {
	cluster, c := fakeBroker(t, kfake.NumBrokers(2), kfake.SeedTopics(2, "a"))
	ctx := testContext(t)
	a0, a1 := Partition{"a", 0}, Partition{"a", 1}
	p := producer(t, c, "w")
	put(t, p, a0, "1", "2")
	require.NoError(t, p.Commit(ctx))
	put(t, p, a0, "open")
	require.NoError(t, p.flushAll(ctx))

	ends, err := c.EndOffsets(ctx, a0, a1)
	require.NoError(t, err)
	require.Equal(t, map[Partition]int64{a0: 3, a1: 0}, ends, "two records and a marker are stable, the open transaction is not")
	require.NoError(t, cluster.DeleteRecords("a", 0, 1))
	starts, err := c.StartOffsets(ctx, a0, a1)
	require.NoError(t, err)
	require.Equal(t, map[Partition]int64{a0: 1, a1: 0}, starts)
	require.NoError(t, p.Close())

	committed, err := c.Committed(ctx, "nobody", a0)
	require.NoError(t, err)
	require.Equal(t, map[Partition]int64{a0: -1}, committed)
}
