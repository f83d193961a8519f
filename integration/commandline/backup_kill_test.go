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
	"github.com/hopluu/hopluu/integration/harness"
	"github.com/stretchr/testify/require"
)

// barrier stands before ClickHouse, and holds the question how far a BACKUP or
// RESTORE is: whoever asks it is in the middle of one.
type barrier struct {
	front   *httptest.Server
	holds   atomic.Bool
	arrived chan struct{}
}

func newBarrier(t *testing.T, house *harness.ClickHouseServer) *barrier {
	t.Helper()
	target, err := url.Parse(house.URL())
	require.NoError(t, err)
	next := httputil.NewSingleHostReverseProxy(target)
	b := &barrier{arrived: make(chan struct{}, 1)}
	b.front = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return // the client was killed
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		asked := r.URL.RawQuery + string(body)
		if b.holds.Load() && strings.Contains(asked, "bytes_read") {
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

// killed starts a command, and kills it in the middle.
func (w *world) killed(b *barrier, args ...string) {
	w.t.Helper()
	b.holds.Store(true)
	path := w.save()
	p := w.program.Start(w.t, args[0], args, append([]string{"HOPLUU_CONFIG=" + path}, w.env...)...)
	ctx, cancel := context.WithTimeout(w.t.Context(), within)
	defer cancel()
	select {
	case <-b.arrived:
	case <-p.Done():
		text, err := os.ReadFile(p.Log)
		w.t.Fatalf("%v ended before its middle: %s (%v)", args, text, err)
	case <-ctx.Done():
		w.t.Fatalf("%v does not come to its middle", args)
	}
	require.NoError(w.t, p.Kill())
	b.holds.Store(false)
}

// A backup and a restore that are killed in their middle: the one is never taken
// for whole, the other is given again and ends right.
func TestBackupAndRestoreKilledInTheMiddle(t *testing.T) {
	w := newWorld(t, harness.Postgres(t), harness.Kafka(t))
	backups := filepath.Join(harness.TempDir(t), "backups")
	house := harness.ClickHouse(t, harness.WithBackups(backups))
	b := newBarrier(t, house)
	w.set("clickhouse.dsn", "http://default@"+strings.TrimPrefix(b.front.URL, "http://")+"/default")
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

	w.killed(b, "backup")
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
	w.killed(b, "restore", dir, "--replace")
	w.refused([]string{"sink", "run"}, "is not restored in full")
	w.good("restore", dir)
	require.EqualValues(t, 1000, rows())
	sink = w.start("sink", "run")
	sink.ready()
	sink.stop(syscall.SIGTERM)
}
