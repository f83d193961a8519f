package outbox

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/stretchr/testify/require"

	"github.com/hopluu/hopluu/schemas/lineage"
)

func event(i int) lineage.Event {
	r := lineage.Run{ID: fmt.Sprint(i), Job: lineage.Job{Namespace: "n", Name: "j"}}
	return r.Event(lineage.Running, time.UnixMilli(int64(i)), nil, nil, "")
}

func open(t *testing.T, url string) *Outbox {
	t.Helper()
	o, err := New(Config{URL: url, Key: "secret", Log: slog.New(slog.NewTextHandler(io.Discard, nil)), Metrics: prometheus.NewRegistry()})
	require.NoError(t, err)
	return o
}

func value(t *testing.T, c prometheus.Counter) float64 {
	t.Helper()
	var m dto.Metric
	require.NoError(t, c.Write(&m))
	return m.GetCounter().GetValue()
}

// Events reach the server in their order, with the key; what it refuses is
// counted, and those behind it go on.
func TestEventsAreSentInOrder(t *testing.T) {
	var mu sync.Mutex
	var got []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var e struct{ Run struct{ RunID string } }
		if r.URL.Path != "/api/v1/lineage" || r.Header.Get("Authorization") != "Bearer secret" || json.NewDecoder(r.Body).Decode(&e) != nil || e.Run.RunID == "2" {
			http.Error(w, "no", http.StatusBadRequest)
			return
		}
		mu.Lock()
		defer mu.Unlock()
		got = append(got, e.Run.RunID)
	}))
	defer server.Close()
	o := open(t, server.URL)
	for i := range 4 {
		o.Put(event(i))
	}
	o.Close()
	require.Equal(t, []string{"0", "1", "3"}, got)
	require.EqualValues(t, 3, value(t, o.sent))
	require.EqualValues(t, 1, value(t, o.dropped))
	o.Put(event(9)) // behind the end: nobody waits for it
}

// A server that never answers holds nobody: Put returns, what waits is bounded,
// the rest is counted, and Close gives up after its time.
func TestASilentServerHoldsNobody(t *testing.T) {
	quiet, asked := make(chan struct{}), make(chan struct{}, 1)
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		select {
		case asked <- struct{}{}:
		default:
		}
		<-quiet
	}))
	defer server.Close()
	defer close(quiet)
	o := open(t, server.URL)
	o.Put(event(0))
	<-asked // the first is under way: room is what waits behind it
	for i := range room + 100 {
		o.Put(event(i + 1))
	}
	require.EqualValues(t, 100, value(t, o.dropped))
	o.Close()
	require.EqualValues(t, room+101, value(t, o.dropped))
	require.Zero(t, value(t, o.sent))
}

func TestEventsGoIntoAFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lineage.jsonl")
	for i := range 2 { // a second process goes on behind the first
		o := open(t, "file://"+path)
		o.Put(event(i))
		o.Close()
	}
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	require.Len(t, lines, 2)
	require.Contains(t, lines[1], `"runId":"1"`)
}
