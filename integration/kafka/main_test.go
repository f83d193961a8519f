package kafka

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/hopluu/hopluu/integration/harness"
	"github.com/hopluu/hopluu/schemas/topic"
)

func TestMain(m *testing.M) { os.Exit(harness.Main(m)) }

// within is how long a test waits for what must come: long, for a machine that
// is busy with other things.
const within = 3 * time.Minute

func testContext(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 3*within)
	t.Cleanup(cancel)
	return ctx
}

func dial(t testing.TB, brokers []string) *topic.Client {
	t.Helper()
	c, err := topic.Dial(testContext(t), topic.Config{Brokers: brokers})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, c.Close()) })
	return c
}

// newTopic makes a topic that no other test has.
func newTopic(t testing.TB, c *topic.Client, partitions int32, config map[string]string) string {
	t.Helper()
	name := harness.Name("t")
	created, err := c.Ensure(testContext(t), topic.Spec{Name: name, Partitions: partitions, Config: config})
	require.NoError(t, err)
	require.Equal(t, []string{name}, created)
	return name
}

func newProducer(t testing.TB, c *topic.Client, id string) *topic.Producer {
	t.Helper()
	p, err := c.NewProducer(testContext(t), topic.ProducerConfig{TransactionalID: id})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, p.Close()) })
	return p
}

// now is the time of a record. One of long ago is not for these tests: thirty
// seconds after its start, and every five minutes, a broker removes what is
// older than the topic's retention.
func now() int64 { return time.Now().UnixMilli() }

func put(t testing.TB, p *topic.Producer, part topic.Partition, values ...string) {
	t.Helper()
	for _, v := range values {
		require.NoError(t, p.Add(testContext(t), part, []byte("k"), []byte(v), now()))
	}
}

// large is a value that alone fills a batch, so that it goes to the broker
// before the commit.
func large(begin string) string { return begin + strings.Repeat(" ", 600<<10) }

// values gives the values that stand in a partition, or in all partitions of
// its topic when its id is negative.
func values(ctx context.Context, c *topic.Client, part topic.Partition) ([]string, error) {
	var got []string
	err := c.ReadAll(ctx, part.Topic, func(r topic.Record) error {
		if part.ID < 0 || r.Partition == part {
			got = append(got, strings.TrimSpace(string(r.Value)))
		}
		return nil
	})
	return got, err
}

// requireValues waits until a partition holds the values, and no others, in
// their order: what is committed shows when the broker has marked it.
func requireValues(t testing.TB, c *topic.Client, part topic.Partition, want ...string) {
	t.Helper()
	harness.Eventually(t, within, func(ctx context.Context) error {
		got, err := values(ctx, c, part)
		if err == nil && !slices.Equal(got, want) {
			err = fmt.Errorf("%s holds %q, not %q", part, got, want)
		}
		return err
	})
}

// witness reads a topic with another client library, read committed, up to its
// stable end.
func witness(t testing.TB, c *topic.Client, brokers []string, name string, isolation kgo.IsolationLevel) []string {
	t.Helper()
	ctx := testContext(t)
	counts, err := c.PartitionCounts(ctx, name)
	require.NoError(t, err)
	var parts []topic.Partition
	for i := range counts[name] {
		parts = append(parts, topic.Partition{Topic: name, ID: i})
	}
	ends, err := c.EndOffsets(ctx, parts...)
	require.NoError(t, err)
	starts, err := c.StartOffsets(ctx, parts...)
	require.NoError(t, err)
	offsets := map[int32]kgo.Offset{}
	for _, p := range parts {
		if starts[p] < ends[p] {
			offsets[p.ID] = kgo.NewOffset().At(starts[p])
		} else {
			delete(ends, p)
		}
	}
	cl, err := kgo.NewClient(kgo.SeedBrokers(brokers...), kgo.FetchIsolationLevel(isolation), kgo.KeepControlRecords(),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{name: offsets}))
	require.NoError(t, err)
	defer cl.Close()
	got := []string{}
	for len(ends) > 0 {
		fetches := cl.PollFetches(ctx)
		require.NoError(t, fetches.Err0())
		fetches.EachRecord(func(r *kgo.Record) {
			part := topic.Partition{Topic: r.Topic, ID: r.Partition}
			if end, ok := ends[part]; ok && r.Offset+1 >= end {
				delete(ends, part)
			}
			if !r.Attrs.IsControl() {
				got = append(got, strings.TrimSpace(string(r.Value)))
			}
		})
	}
	return got
}
