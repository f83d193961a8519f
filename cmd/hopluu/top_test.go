package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hopluu/hopluu/cmd/hopluu/top"
)

// The matcher commits no place to Kafka: how far behind it is tells the process
// that solves, and nobody while that one reads its topics from the beginning.
func TestTopAsksTheMatcherHowFarBehindItIs(t *testing.T) {
	for _, c := range []struct {
		ready  int
		solves string
		behind *int64
	}{
		{http.StatusOK, "hopluu_matcher_solves 1", new(int64(1234567))},
		{http.StatusServiceUnavailable, "hopluu_matcher_solves 1", nil},
		{http.StatusOK, "hopluu_matcher_solves 0", nil}, // stands by
		{http.StatusOK, "hopluu_sink_rows 1", nil},
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/readyz" {
				w.WriteHeader(c.ready)
			}
			_, err := fmt.Fprintf(w, "# HELP x y\n%s\nhopluu_matcher_lag_messages 1.234567e+06\nprocess_resident_memory_bytes 5e7\n", c.solves)
			require.NoError(t, err)
		}))
		defer server.Close()
		p := askProcess(t.Context(), strings.TrimPrefix(server.URL, "http://"))
		require.Equal(t, 5e7, *p.MemoryBytes)
		groups := []top.Group{{Name: "hopluu-sink"}, {Name: matcherGroup}, {Name: matcherGroup, Away: "away"}}
		matchers(groups, []top.Process{{Address: "127.0.0.1:1", Away: "refused"}, p})
		require.Equal(t, c.behind, groups[1].Behind, c.solves)
		require.NotEmpty(t, groups[1].Worst, "who tells it, or who is to be asked")
		require.Equal(t, top.Group{Name: "hopluu-sink"}, groups[0])
		require.Nil(t, groups[2].Behind)
	}
}
