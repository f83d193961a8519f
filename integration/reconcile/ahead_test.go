package reconcile

import (
	"bytes"
	"context"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hopluu/hopluu/cmd/hopluu/dev"
	"github.com/stretchr/testify/require"
)

// silverAhead compares while rows flow and bronze is slow to write: at most
// moments silver, which is written first, has events that bronze has not.
func (c *city) silverAhead(t *testing.T) {
	c.t = t
	real, err := url.Parse(c.stack.Settings.ClickHouse.DSN)
	require.NoError(t, err)
	forward := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: real.Host})
	var held atomic.Int64
	slow := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if query := r.URL.Query().Get("query"); strings.HasPrefix(query, "INSERT INTO") && strings.Contains(query, "bronze") {
			held.Add(1)
			select {
			case <-time.After(300 * time.Millisecond): // what a slow disk takes
			case <-r.Context().Done():
			}
		}
		forward.ServeHTTP(w, r)
	}))
	defer slow.Close()
	fast, err := os.ReadFile(c.stack.ConfigPath)
	require.NoError(t, err)
	through := bytes.ReplaceAll(fast, []byte(real.Host), []byte(strings.TrimPrefix(slow.URL, "http://")))
	require.NotEqual(t, string(fast), string(through), "the configuration names ClickHouse")
	c.restartSink(through)
	c.whileRowsFlow(t)
	c.t = t
	require.Positive(t, held.Load(), "bronze was never slow")
	c.restartSink(fast)
}

// restartSink starts the sink again with another configuration.
func (c *city) restartSink(config []byte) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), 2*time.Minute)
	defer cancel()
	sink, ok := c.stack.Process(dev.Sink)
	require.True(c.t, ok)
	require.NoError(c.t, sink.Stop(ctx))
	require.NoError(c.t, os.WriteFile(c.stack.ConfigPath, config, 0o600))
	require.NoError(c.t, sink.Restart(ctx))
}
