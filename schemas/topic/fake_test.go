package topic

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kfake"
)

// testContext ends before the test binary's own limit would.
func testContext(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// fakeBroker starts an in-process Kafka and a client of it.
func fakeBroker(t testing.TB, opts ...kfake.Opt) (*kfake.Cluster, *Client) {
	t.Helper()
	cluster, err := kfake.NewCluster(opts...)
	require.NoError(t, err)
	t.Cleanup(cluster.Close)
	return cluster, dialFake(t, cluster)
}

func dialFake(t testing.TB, cluster *kfake.Cluster) *Client {
	t.Helper()
	c, err := Dial(testContext(t), Config{Brokers: cluster.ListenAddrs(), ClientID: "test"})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, c.Close()) })
	return c
}

func producer(t testing.TB, c *Client, id string) *Producer {
	t.Helper()
	p, err := c.NewProducer(testContext(t), ProducerConfig{TransactionalID: id})
	require.NoError(t, err)
	return p
}

// put adds values to a partition.
func put(t testing.TB, p *Producer, part Partition, values ...string) {
	t.Helper()
	for _, v := range values {
		require.NoError(t, p.Add(testContext(t), part, []byte("k"), []byte(v), 1))
	}
}

// values gives a topic's committed values, partition by partition in the order
// they come.
func values(t testing.TB, c *Client, topic string) []string {
	t.Helper()
	got := []string{}
	require.NoError(t, c.ReadAll(testContext(t), topic, func(r Record) error {
		got = append(got, string(r.Value))
		return nil
	}))
	return got
}

func numbered(prefix string, n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = fmt.Sprintf("%s%d", prefix, i)
	}
	return out
}

// breaking are the broker's ends of its connections: the next answer that is
// written when breakNext is set is lost with its connection.
type breaking struct{ breakNext atomic.Bool }

func (b *breaking) listen(network, address string) (net.Listener, error) {
	l, err := net.Listen(network, address)
	return breakingListener{l, b}, err
}

type breakingListener struct {
	net.Listener
	breaking *breaking
}

func (l breakingListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	return breakingConn{c, l.breaking}, err
}

type breakingConn struct {
	net.Conn
	breaking *breaking
}

func (c breakingConn) Write(b []byte) (int, error) {
	if c.breaking.breakNext.CompareAndSwap(true, false) {
		return 0, errors.Join(io.ErrClosedPipe, c.Close())
	}
	return c.Conn.Write(b)
}
