package commandline

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hopluu/hopluu/integration/harness"
)

// runEvent is what a test asks of an OpenLineage event.
type runEvent struct {
	EventType, EventTime, Producer, SchemaURL string
	Run                                       struct {
		RunID  string
		Facets map[string]tree
	}
	Job             struct{ Namespace, Name string }
	Inputs, Outputs []struct {
		Namespace, Name string
		Facets          map[string]tree
	}
}

// lineageServer takes OpenLineage events. It never answers those of connectors.
type lineageServer struct {
	*httptest.Server
	mu   sync.Mutex
	all  []runEvent
	quit chan struct{}
}

func newLineageServer(t testing.TB) *lineageServer {
	t.Helper()
	l := &lineageServer{quit: make(chan struct{})}
	l.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var e runEvent
		if err := json.NewDecoder(r.Body).Decode(&e); err != nil || r.URL.Path != "/api/v1/lineage" {
			http.Error(w, "no event", http.StatusBadRequest)
			return
		}
		l.mu.Lock()
		l.all = append(l.all, e)
		l.mu.Unlock()
		if strings.HasPrefix(e.Job.Name, "connector.") {
			<-l.quit
		}
	}))
	t.Cleanup(func() { close(l.quit); l.Close() })
	return l
}

// of gives the events of a job, as they came.
func (l *lineageServer) of(job string) (some []runEvent) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, e := range l.all {
		if e.Job.Name == job {
			some = append(some, e)
		}
	}
	return some
}

// began waits until jobs have told that they began.
func (l *lineageServer) began(t testing.TB, jobs ...string) {
	t.Helper()
	harness.Eventually(t, within, func(context.Context) error {
		for _, job := range jobs {
			if len(l.of(job)) == 0 {
				return fmt.Errorf("nothing is told of %s", job)
			}
		}
		return nil
	})
}

// told looks at what the stages of a world told after they ended: a START first
// and a COMPLETE last, of one run; of what the connector reads and writes all is
// said in the first, though the server answers it nothing.
func (l *lineageServer) told(t testing.TB, w *world) {
	t.Helper()
	for _, job := range []string{"matcher", "sink"} {
		events := l.of(job)
		require.GreaterOrEqual(t, len(events), 2, job)
		first, last := events[0], events[len(events)-1]
		require.Equal(t, "START", first.EventType, job)
		require.Equal(t, "COMPLETE", last.EventType, job)
		require.Equal(t, first.Run.RunID, last.Run.RunID)
		require.Equal(t, w.source, first.Job.Namespace)
		require.Equal(t, "hopluu", first.Run.Facets["parent"]["job"].(tree)["name"])
		for i, e := range events {
			require.Equal(t, i == 0, e.EventType == "START", "%s: event %d is %s", job, i, e.EventType)
			require.NotEmpty(t, e.Producer)
			require.True(t, strings.HasSuffix(e.SchemaURL, "/2-0-2/OpenLineage.json#/$defs/RunEvent"))
		}
	}
	connector := l.of("connector." + w.source)
	require.Equal(t, "START", connector[0].EventType)
	in, out := connector[0].Inputs, connector[0].Outputs
	require.Len(t, in, 2)
	require.True(t, strings.HasPrefix(in[0].Namespace, "postgres://"), in[0].Namespace)
	require.Equal(t, w.source+".public.patient", out[0].Name)
	require.True(t, strings.HasSuffix(in[0].Name, ".public.patient"), in[0].Name)
	require.True(t, slices.ContainsFunc(in[0].Facets["schema"]["fields"].([]any), func(f any) bool { return f.(tree)["name"] == "cccd" }))
	from := out[0].Facets["columnLineage"]["fields"].(tree)
	masking := func(column string) any {
		input := from[column].(tree)["inputFields"].([]any)[0].(tree)
		require.Equal(t, in[0].Name, input["name"])
		return input["transformations"].([]any)[0].(tree)["masking"]
	}
	require.Equal(t, true, masking("cccd"), "P11: a token is no value")
	require.Equal(t, false, masking("patient_id"))
}
