package kafka

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/hopluu/hopluu/integration/harness"
	"github.com/hopluu/hopluu/schemas/registry"
	"github.com/hopluu/hopluu/schemas/topic"
)

func serve(t testing.TB, c *topic.Client, name string) (*registry.Server, *httptest.Server) {
	t.Helper()
	s, err := registry.NewServer(testContext(t), c, registry.ServerConfig{Topic: name})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	web := httptest.NewServer(s)
	t.Cleanup(web.Close)
	return s, web
}

func schema(n int) string {
	return fmt.Sprintf(`{"type":"record","name":"r%d","fields":[{"name":"id","type":"long"}]}`, n)
}

// The broker is killed while schemas are registered; a second server takes
// over from the first in the middle. In the end every schema that was
// registered has the id that was told, and no id has two.
func TestRegistryOverKillsAndASecondServer(t *testing.T) {
	broker := harness.Kafka(t, harness.Own())
	c := dial(t, broker.Brokers())
	name := harness.Name("schemas")
	_, web := serve(t, c, name)
	client := registry.New(web.URL)
	told := map[int]uint32{}
	n := 0
	register := func(ctx context.Context, count int) error {
		for range count {
			id, err := client.Register(ctx, fmt.Sprintf("s%d", n%7), schema(n))
			if err != nil {
				return err
			}
			told[n] = id
			n++
		}
		return nil
	}
	ctx := testContext(t)
	require.NoError(t, client.SetCompatibility(ctx, "", registry.None))
	require.NoError(t, register(ctx, 20))

	started := make(chan struct{})
	work, ctx := errgroup.WithContext(ctx)
	work.Go(func() error {
		<-started
		if err := broker.Kill(); err != nil {
			return err
		}
		return broker.Restart(ctx)
	})
	work.Go(func() error {
		close(started)
		// The client's own time limit is shorter than a restart may be.
		for n < 60 {
			if err := register(ctx, 1); err != nil && ctx.Err() != nil {
				return err
			}
		}
		return nil
	})
	require.NoError(t, work.Wait())
	ctx = testContext(t)

	_, second := serve(t, c, name)
	old := client
	client = registry.New(second.URL)
	require.NoError(t, register(ctx, 20))
	_, err := old.Register(ctx, "s0", schema(1000))
	require.ErrorContains(t, err, "taken over")
	res, err := http.Post(web.URL+"/subjects/s0/versions", "application/json", strings.NewReader(`{"schema":"\"int\""}`))
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	require.Equal(t, http.StatusServiceUnavailable, res.StatusCode)

	_, third := serve(t, c, name)
	client = registry.New(third.URL)
	ids := map[uint32]bool{}
	for i, id := range told {
		got, err := client.Schema(ctx, id)
		require.NoError(t, err)
		require.JSONEq(t, schema(i), got)
		again, err := client.Register(ctx, fmt.Sprintf("s%d", i%7), schema(i))
		require.NoError(t, err)
		require.Equal(t, id, again)
		ids[id] = true
	}
	require.Len(t, ids, len(told))
	require.NoError(t, register(ctx, 1))
	require.NotContains(t, ids, told[n-1], "the next id is a new one")
}
