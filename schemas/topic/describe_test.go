package topic

import (
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kfake"
)

func TestDescribe(t *testing.T) {
	_, c := fakeBroker(t, kfake.NumBrokers(3))
	ctx := testContext(t)
	n, err := c.Brokers(ctx)
	require.NoError(t, err)
	require.Equal(t, 3, n)

	_, err = c.Ensure(ctx, Spec{Name: "a", Partitions: 4, Replication: 3, Config: map[string]string{"min.insync.replicas": "2"}}, Spec{Name: "b", Partitions: 1, Replication: 1})
	require.NoError(t, err)
	found, err := c.Describe(ctx, "a", "b", "none")
	require.NoError(t, err)
	require.Len(t, found, 2)
	require.EqualValues(t, 4, found["a"].Partitions)
	require.EqualValues(t, 3, found["a"].Replication)
	require.Equal(t, "2", found["a"].Config["min.insync.replicas"])
	require.EqualValues(t, 1, found["b"].Replication)

	found, err = c.Describe(ctx)
	require.NoError(t, err)
	require.Empty(t, found)
	found, err = c.Describe(ctx, "none")
	require.NoError(t, err)
	require.Empty(t, found)
}
