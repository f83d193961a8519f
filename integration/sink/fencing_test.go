package sink

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hopluu/hopluu/integration/harness"
	"github.com/hopluu/hopluu/sinks/clickhouse"
)

// holder stands between a sink and ClickHouse, and holds the first statement
// that begins with a text, as a whole, until it is let go.
type holder struct {
	prefix string
	next   *httputil.ReverseProxy
	addr   string

	once    sync.Once
	caught  chan struct{}
	release chan struct{}
	arrived chan struct{} // ClickHouse has carried it out
}

func (w *world) holder(prefix string) *holder {
	target, err := url.Parse(w.clickhouse.URL())
	require.NoError(w.t, err)
	h := &holder{
		prefix: prefix, next: httputil.NewSingleHostReverseProxy(target),
		caught: make(chan struct{}), release: make(chan struct{}), arrived: make(chan struct{}),
	}
	server := httptest.NewServer(h)
	w.t.Cleanup(server.CloseClientConnections)
	h.addr = strings.TrimPrefix(server.URL, "http://")
	return h
}

func (h *holder) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	mine := false
	if strings.HasPrefix(r.URL.Query().Get("query"), h.prefix) {
		h.once.Do(func() { mine = true })
	}
	if !mine {
		h.next.ServeHTTP(w, r)
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	close(h.caught)
	<-h.release
	// Whatever became of the client: the statement is under way. A context that
	// can end keeps the proxy from watching the client itself.
	ctx, cancel := context.WithCancel(context.WithoutCancel(r.Context()))
	defer cancel()
	late := r.Clone(ctx)
	late.Body = io.NopCloser(bytes.NewReader(body))
	defer close(h.arrived) // also when the answer finds nobody
	h.next.ServeHTTP(w, late)
}

func (w *world) await(c <-chan struct{}, what string) {
	w.t.Helper()
	harness.Eventually(w.t, within, func(context.Context) error {
		select {
		case <-c:
			return nil
		default:
			return fmt.Errorf("not yet: %s", what)
		}
	})
}

// P2, case 23: a sink comes to a stop, as a process that is paused does, with an
// insert under way. Another takes over its partitions, and works on; only then
// the insert arrives, and the first one wakes up. Bronze has every event once,
// and nothing in silver comes back that went.
func TestCase23APausedSinkWakesUp(t *testing.T) {
	for _, database := range []string{"bronze", "silver"} {
		t.Run(database, func(t *testing.T) {
			set, sector := notes()
			w := newWorld(t, set)
			f := w.feed(harness.Name("his"), sector, "note", 1, shortColumns...)
			dataset := sector + "_note"
			events := 0
			change := func(from, to int, body string) {
				for i := from; i < to; i++ {
					f.update(i, body)
					events++
				}
				f.commit()
			}
			change(0, 50, "before")
			h := w.holder("INSERT INTO `" + database + "`.`" + dataset)
			paused := w.process("paused", h.addr)
			w.await(h.caught, "the insert of the sink that is to be paused")
			require.NoError(t, paused.Signal(syscall.SIGSTOP))

			change(0, 40, "after")
			for i := range 10 {
				f.delete(i)
				events++
			}
			f.commit()
			// As large a batch as it can be: the successor has no reason of its
			// own to end one where the other did.
			patient := w.run(func(c *clickhouse.Config) { c.BatchWait = 10 * within })
			w.expect("SELECT count() FROM bronze."+dataset, "(50)")
			require.NoError(t, patient.stop())
			successor := w.run()
			w.noDuplicates(dataset, events)

			close(h.release)
			w.await(h.arrived, "the late insert")
			w.noDuplicates(dataset, events)
			require.NoError(t, paused.Signal(syscall.SIGCONT))
			// It is back when it takes over in its turn.
			require.NoError(t, successor.stop())
			change(100, 150, "last")
			w.noDuplicates(dataset, events)
			w.expect("SELECT body, count() FROM silver."+dataset+" FINAL GROUP BY body ORDER BY body", "('after',30)", "('before',10)", "('last',50)")
		})
	}
}
