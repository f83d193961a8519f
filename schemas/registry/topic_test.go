package registry

import (
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/hopluu/hopluu/schemas/topic"
)

// The server on a topic: it makes it, and a second server takes over with all
// that the first one wrote.
func TestServerOnATopic(t *testing.T) {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1))
	require.NoError(t, err)
	t.Cleanup(cluster.Close)
	ctx := testContext(t)
	client, err := topic.Dial(ctx, topic.Config{Brokers: cluster.ListenAddrs()})
	require.NoError(t, err)
	defer client.Close()

	old, err := NewServer(ctx, client, ServerConfig{})
	require.NoError(t, err)
	require.NoError(t, old.Ready())
	oldWeb := httptest.NewServer(old)
	defer oldWeb.Close()
	require.Equal(t, "compact", *cluster.TopicInfo("_schemas").Configs["cleanup.policy"])
	for i, s := range []string{person1, person2} {
		id, err := New(oldWeb.URL).Register(ctx, "a", s)
		require.NoError(t, err)
		require.EqualValues(t, i+1, id)
	}

	young, err := NewServer(ctx, client, ServerConfig{})
	require.NoError(t, err)
	youngWeb := httptest.NewServer(young)
	defer youngWeb.Close()
	c := New(youngWeb.URL)
	id, err := c.Register(ctx, "b", person2)
	require.NoError(t, err)
	require.EqualValues(t, 2, id)
	status, body := do(t, "POST", oldWeb.URL+"/subjects/x/versions", schemaBody(t, `"int"`))
	require.Equal(t, 503, status, body)
	require.NoError(t, old.Close())
	_, err = c.Register(ctx, "c", `"int"`)
	require.NoError(t, err, "the old one's end does not disturb the new one")
	require.NoError(t, young.Close())

	last, err := NewServer(ctx, client, ServerConfig{})
	require.NoError(t, err)
	lastWeb := httptest.NewServer(last)
	defer lastWeb.Close()
	_, all := do(t, "GET", lastWeb.URL+"/subjects", "")
	require.JSONEq(t, `["a","b","c"]`, all)
	id, err = New(lastWeb.URL).Register(ctx, "d", `"int"`)
	require.NoError(t, err)
	require.EqualValues(t, 3, id)
	require.NoError(t, last.Close())
}

// A topic with more than one partition would have no one order.
func TestTopicOfSeveralPartitionsIsRefused(t *testing.T) {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(3, "_schemas"))
	require.NoError(t, err)
	t.Cleanup(cluster.Close)
	ctx := testContext(t)
	client, err := topic.Dial(ctx, topic.Config{Brokers: cluster.ListenAddrs()})
	require.NoError(t, err)
	defer client.Close()
	_, err = NewServer(ctx, client, ServerConfig{})
	var wrong *topic.PartitionCountError
	require.ErrorAs(t, err, &wrong)
}
