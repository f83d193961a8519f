package harness

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hopluu/hopluu/cmd/hopluu/embedded/clickhouse"
	"github.com/hopluu/hopluu/cmd/hopluu/embedded/parts"
)

// serveEnv makes the test program itself the server that holds ClickHouse's
// engine, so that nothing needs to be built first.
const serveEnv = "HOPLUU_HARNESS_SERVE"

// keepEnv keeps the folders of the parts, with their logs and data.
const keepEnv = "HOPLUU_TEST_KEEP"

// startTime bounds the start of one part, on a busy machine and with downloads.
const startTime = 5 * time.Minute

// Main runs the tests of a package and then stops and removes all that they
// started. It returns the exit code.
func Main(m *testing.M) int {
	if os.Getenv(serveEnv) != "" {
		command := clickhouse.Command()
		command.SetArgs(os.Args[2:]) // behind "embedded"
		if err := command.ExecuteContext(context.Background()); err != nil {
			return 1
		}
		return 0
	}
	code := m.Run()
	if err := shared.close(code != 0); err != nil {
		fmt.Fprintln(os.Stderr, "harness: cleaning up:", err)
		if code == 0 {
			code = 1
		}
	}
	return code
}

// rootPrefix begins the name of the folder of a test process, before its id.
const rootPrefix = "hopluu-test-"

// shared is what the tests of this process have in common.
var shared state

type state struct {
	mu      sync.Mutex
	root    string
	cleanup []func() error
	servers map[string]any // by kind and options
}

// dir gives the folder of this test process.
func (s *state) dir() (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.dirLocked()
}

func (s *state) dirLocked() (string, error) {
	if s.root != "" {
		return s.root, nil
	}
	removeAbandoned()
	root, err := os.MkdirTemp("", fmt.Sprintf("%s%d-", rootPrefix, os.Getpid()))
	if err != nil {
		return "", err
	}
	// As root, PostgreSQL runs as another user, who must get in.
	if err := os.Chmod(root, 0o755); err != nil {
		return "", err
	}
	s.root = root
	return root, nil
}

// removeAbandoned removes the folders of test processes that were killed,
// with whom their servers died.
func removeAbandoned() {
	if os.Getenv(keepEnv) != "" {
		return
	}
	found, err := filepath.Glob(filepath.Join(os.TempDir(), rootPrefix+"*"))
	if err != nil {
		return
	}
	for _, dir := range found {
		pid, _, _ := strings.Cut(strings.TrimPrefix(filepath.Base(dir), rootPrefix), "-")
		if _, err := os.Stat("/proc/" + pid); pid != "" && errors.Is(err, fs.ErrNotExist) {
			_ = os.RemoveAll(dir) // another user's, perhaps: not ours to complain about
		}
	}
}

func (s *state) close(failed bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var errs []error
	for i := len(s.cleanup) - 1; i >= 0; i-- {
		errs = append(errs, s.cleanup[i]())
	}
	if s.root == "" {
		return errors.Join(errs...)
	}
	if failed {
		printLogs(s.root)
	}
	if os.Getenv(keepEnv) != "" {
		fmt.Fprintln(os.Stderr, "harness: kept", s.root)
		return errors.Join(errs...)
	}
	return errors.Join(append(errs, removeAll(s.root))...)
}

// removeAll removes a folder in which a killed server's children may write for
// another moment: a backend of PostgreSQL notices its end when it next waits.
func removeAll(dir string) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	return Poll(ctx, func(context.Context) error { return os.RemoveAll(dir) })
}

// printLogs shows the end of every log, since the folder goes away.
func printLogs(root string) {
	logs, err := filepath.Glob(filepath.Join(root, "*", "log"))
	if err != nil {
		return
	}
	for _, log := range logs {
		content, err := os.ReadFile(log)
		if err != nil {
			continue
		}
		lines := strings.Split(strings.TrimSpace(string(content)), "\n")
		fmt.Fprintf(os.Stderr, "--- %s\n%s\n", log, strings.Join(lines[max(0, len(lines)-15):], "\n"))
	}
}

// server gives the server of a kind that the tests of this process share,
// started by the first that asks.
func server[T any](t testing.TB, kind, key string, start func(ctx context.Context, dir string) (T, func() error, error)) T {
	t.Helper()
	shared.mu.Lock()
	defer shared.mu.Unlock()
	if s, ok := shared.servers[key].(T); ok {
		return s
	}
	root, err := shared.dirLocked()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), startTime)
	defer cancel()
	s, stop, err := start(ctx, filepath.Join(root, fmt.Sprintf("%s-%d", kind, len(shared.servers))))
	if err != nil {
		t.Fatal(err)
	}
	shared.cleanup = append(shared.cleanup, stop)
	if shared.servers == nil {
		shared.servers = map[string]any{}
	}
	shared.servers[key] = s
	return s
}

// own gives a server that only this test has; it ends with the test.
func own[T any](t testing.TB, kind string, start func(ctx context.Context, dir string) (T, func() error, error)) T {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), startTime)
	defer cancel()
	s, stop, err := start(ctx, filepath.Join(TempDir(t), kind))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
	return s
}

var partsOnce = sync.OnceValues(func() (parts.Paths, error) {
	ctx, cancel := context.WithTimeout(context.Background(), startTime)
	defer cancel()
	return parts.Ensure(ctx, "", showFetched)
})

func showFetched(name string, _, _ int64, message string) {
	if message == "ready" || message == "starting" {
		fmt.Fprintln(os.Stderr, "harness:", name, message)
	}
}

// Parts gives the programs of the real parts, fetching them when they are not
// there yet.
func Parts(t testing.TB) parts.Paths {
	t.Helper()
	p, err := partsOnce()
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TempDir is a folder for one test that other users may enter, unlike t.TempDir's.
func TempDir(t testing.TB) string {
	t.Helper()
	root, err := shared.dir()
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp(root, "own-")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			printLogs(dir)
		}
		if os.Getenv(keepEnv) != "" {
			return
		}
		if err := removeAll(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}

var names atomic.Int64

// Name makes a name that no other test of this process has, usable for
// databases, topics, groups and slots.
func Name(prefix string) string {
	return fmt.Sprintf("%s_%d", prefix, names.Add(1))
}
