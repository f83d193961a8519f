package commandline

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/hopluu/hopluu/cmd/hopluu/embedded"
	"github.com/hopluu/hopluu/integration/harness"
	"github.com/stretchr/testify/require"
)

// barrier stands before a server, and can hold what is asked of it in the middle of
// a work: whoever asks that is there, and gets no further.
type barrier struct {
	front   *httptest.Server
	holds   atomic.Bool
	arrived chan struct{}
}

// newBarrier is before a server of HTTP; middle tells a request, by its path,
// query and body, that is in the middle.
func newBarrier(t *testing.T, address string, middle func(asked string) bool) *barrier {
	t.Helper()
	target, err := url.Parse(address)
	require.NoError(t, err)
	next := httputil.NewSingleHostReverseProxy(target)
	b := &barrier{arrived: make(chan struct{}, 1)}
	b.front = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return // the client was killed
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		if b.holds.Load() && middle(r.URL.Path+"?"+r.URL.RawQuery+"\n"+string(body)) {
			select {
			case b.arrived <- struct{}{}:
			default:
			}
			<-r.Context().Done()
			return
		}
		next.ServeHTTP(w, r)
	}))
	t.Cleanup(b.front.Close)
	return b
}

// address is host and port.
func (b *barrier) address() string { return strings.TrimPrefix(b.front.URL, "http://") }

// kills waits until a process is in the middle, and kills it.
func (b *barrier) kills(t *testing.T, p *embedded.Process) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	select {
	case <-b.arrived:
	case <-p.Done():
		text, err := os.ReadFile(p.Log)
		t.Fatalf("%s ended before its middle: %s (%v)", p.Name, text, err)
	case <-ctx.Done():
		t.Fatalf("%s does not come to its middle", p.Name)
	}
	require.NoError(t, p.Kill())
	b.holds.Store(false)
}

// killed starts a command, and kills it in the middle.
func (w *world) killed(t *testing.T, b *barrier, args ...string) {
	t.Helper()
	b.holds.Store(true)
	path := w.save()
	p := w.program.Start(t, args[0], args, append([]string{"HOPLUU_CONFIG=" + path}, w.env...)...)
	b.kills(t, p)
}

// A backup and a restore that are killed in their middle: the one is never taken
// for whole, the other is given again and ends right.
func TestBackupAndRestoreKilledInTheMiddle(t *testing.T) {
	w := newWorld(t, harness.Postgres(t), harness.Kafka(t))
	backups := filepath.Join(harness.TempDir(t), "backups")
	house := harness.ClickHouse(t, harness.WithBackups(backups))
	// It asks how far ClickHouse is.
	b := newBarrier(t, house.URL(), func(asked string) bool { return strings.Contains(asked, "bytes_read") })
	w.set("clickhouse.dsn", "http://default@"+b.address()+"/default")
	w.set("backup", tree{"to": backups, "key_file": w.write("backup.key", strings.Repeat("5c", 32))})
	w.registry()
	w.good("topics", "create")
	sink := w.start("sink", "run")
	sink.ready()
	sink.stop(syscall.SIGTERM)
	conn, err := clickhouse.Open(house.Options())
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, conn.Close()) })
	require.NoError(t, conn.Exec(t.Context(), "CREATE TABLE silver.kept (a UInt64) ENGINE = MergeTree ORDER BY a AS SELECT number FROM numbers(1000)"))
	rows := func() (n uint64) {
		require.NoError(t, conn.QueryRow(t.Context(), "SELECT count() FROM silver.kept").Scan(&n))
		return n
	}

	w.killed(t, b, "backup")
	left, err := filepath.Glob(filepath.Join(backups, "2*"))
	require.NoError(t, err)
	require.Len(t, left, 1)
	require.Contains(t, w.good("backup", "list"), "not complete")
	w.refused([]string{"backup", "verify", left[0]}, "did not come to its end")
	w.refused([]string{"restore", left[0], "--replace"}, "did not come to its end")
	require.EqualValues(t, 1000, rows(), "nothing was changed")
	dir := filepath.Join(backups, parse[backupResult](t, w.good("backup", "--json")).Name)
	w.good("backup", "verify", dir)

	require.NoError(t, conn.Exec(t.Context(), "TRUNCATE TABLE silver.kept"))
	w.killed(t, b, "restore", dir, "--replace")
	w.refused([]string{"sink", "run"}, "is not restored in full")
	w.good("restore", dir)
	require.EqualValues(t, 1000, rows())
	sink = w.start("sink", "run")
	sink.ready()
	sink.stop(syscall.SIGTERM)
}
