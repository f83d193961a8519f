package embedded

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/hopluu/hopluu/cmd/hopluu/embedded/parts"
)

// The test program is also a process to be started: one that waits for its
// end, and one that starts such a child and waits to be killed.
func TestMain(m *testing.M) {
	switch os.Getenv("EMBEDDED_TEST_ROLE") {
	case "child":
		fmt.Println("level=ERROR msg=\"the child's complaint\"")
		if os.Getenv("EMBEDDED_TEST_EXIT") != "" {
			os.Exit(3)
		}
		select {}
	case "parent":
		p, err := StartSelf(context.Background(), "child", os.Args[0], nil, []string{"EMBEDDED_TEST_ROLE=child"}, os.Getenv("EMBEDDED_TEST_LOG"))
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		fmt.Println(p.PID())
		select {}
	}
	os.Exit(m.Run())
}

func paths(t *testing.T) parts.Paths {
	t.Helper()
	p, err := parts.Ensure(t.Context(), "", nil)
	require.NoError(t, err)
	return p
}

// open makes a folder that the user of PostgreSQL can enter.
func openDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "hopluu-embedded-")
	require.NoError(t, err)
	require.NoError(t, os.Chmod(dir, 0o755))
	t.Cleanup(func() {
		// A killed server's children may write for another moment.
		require.Eventually(t, func() bool { return os.RemoveAll(dir) == nil }, time.Minute, 20*time.Millisecond)
	})
	return dir
}

func killAtEnd(t *testing.T, p *Process) {
	t.Helper()
	t.Cleanup(func() { require.NoError(t, p.Kill()) })
}

func TestPostgres(t *testing.T) {
	dir := openDir(t)
	cfg := PostgresConfig{Parts: paths(t), Dir: filepath.Join(dir, "health"), Settings: map[string]string{"max_connections": "21"}}
	p, err := StartPostgres(t.Context(), cfg)
	require.NoError(t, err)
	killAtEnd(t, p.Process)

	show := func(dsn, what string) string {
		conn, err := pgx.Connect(t.Context(), dsn)
		require.NoError(t, err)
		var value string
		require.NoError(t, conn.QueryRow(t.Context(), what).Scan(&value))
		require.NoError(t, conn.Close(t.Context()))
		return value
	}
	for what, want := range map[string]string{
		"wal_level": "logical", "max_replication_slots": "20", "max_wal_senders": "20", "max_slot_wal_keep_size": "4GB",
		"shared_buffers": "48MB", "fsync": "on", "max_connections": "21", "password_encryption": "scram-sha-256",
	} {
		require.Equal(t, want, show(p.DSN("postgres"), "SHOW "+what), what)
	}
	// A password is needed, and is kept for the next start.
	_, err = pgx.Connect(t.Context(), strings.Replace(p.DSN("postgres"), p.Password, "wrong", 1))
	require.Error(t, err)

	addr := p.Addr
	show(p.DSN("postgres"), "SELECT 1::text FROM pg_create_logical_replication_slot('kept', 'pgoutput')")
	require.NoError(t, p.Kill())
	require.False(t, p.Running())
	require.NoError(t, p.Restart(t.Context()))
	require.Equal(t, addr, p.Addr)
	require.Equal(t, "kept", show(p.DSN("postgres"), "SELECT slot_name::text FROM pg_replication_slots"))
	require.NoError(t, p.Stop(t.Context()))

	// A new process of ours finds data, port and password.
	again, err := StartPostgres(t.Context(), cfg)
	require.NoError(t, err)
	killAtEnd(t, again.Process)
	require.Equal(t, p.DSN("postgres"), again.DSN("postgres"))

	// A password that is not the data's is an error at once, which says so.
	require.NoError(t, again.Stop(t.Context()))
	cfg.Password = "another"
	_, err = StartPostgres(t.Context(), cfg)
	require.ErrorContains(t, err, "another user or password")
}

// PostgreSQL 15 starts without the settings that it does not know.
func TestPostgres15(t *testing.T) {
	dir, err := parts.EnsurePostgres15(t.Context(), "", nil)
	require.NoError(t, err)
	p, err := StartPostgres(t.Context(), PostgresConfig{Parts: parts.Paths{Postgres: dir}, Dir: filepath.Join(openDir(t), "pg")})
	require.NoError(t, err)
	killAtEnd(t, p.Process)
	conn, err := pgx.Connect(t.Context(), p.DSN("postgres"))
	require.NoError(t, err)
	var version int
	var encoding string
	require.NoError(t, conn.QueryRow(t.Context(), "SELECT current_setting('server_version_num')::int / 10000, current_setting('server_encoding')").Scan(&version, &encoding))
	require.Equal(t, 15, version)
	require.Equal(t, "UTF8", encoding)
	require.NoError(t, conn.Close(t.Context()))
}

func TestPostgresThatCannotStartSaysWhy(t *testing.T) {
	_, err := StartPostgres(t.Context(), PostgresConfig{Parts: paths(t), Dir: filepath.Join(openDir(t), "pg"), Settings: map[string]string{"wal_level": "loud"}})
	var exit *ExitError
	require.ErrorAs(t, err, &exit)
	require.Contains(t, exit.Last, `invalid value for parameter "wal_level": "loud"`)
}

// As root PostgreSQL runs as another user, who cannot enter root's folders.
func TestPostgresDirMovesAsRoot(t *testing.T) {
	dir := openDir(t)
	actual, moved, err := PostgresDir(filepath.Join(dir, "a", "pg"))
	require.NoError(t, err)
	require.False(t, moved)
	require.Equal(t, filepath.Join(dir, "a", "pg"), actual)

	closed := filepath.Join(dir, "closed")
	require.NoError(t, os.Mkdir(closed, 0o700))
	actual, moved, err = PostgresDir(filepath.Join(closed, "pg"))
	require.NoError(t, err)
	require.Equal(t, os.Geteuid() == 0, moved)
	again, _, err := PostgresDir(filepath.Join(closed, "pg"))
	require.NoError(t, err)
	require.Equal(t, actual, again)
	if moved {
		require.True(t, strings.HasPrefix(actual, relocated+"/"))
		p, err := StartPostgres(t.Context(), PostgresConfig{Parts: paths(t), Dir: filepath.Join(closed, "pg"), Log: slog.New(slog.DiscardHandler)})
		require.NoError(t, err)
		require.Equal(t, actual, p.Dir)
		require.NoError(t, p.Kill())
		require.NoError(t, os.RemoveAll(actual))
	}
}

func TestKafka(t *testing.T) {
	dir := openDir(t)
	cfg := KafkaConfig{Parts: paths(t), Dir: filepath.Join(dir, "kafka"), Heap: "256m", QuickStart: true}
	k, err := StartKafka(t.Context(), cfg)
	require.NoError(t, err)
	killAtEnd(t, k.Process)
	createTopic(t, cfg, k.Addr, "kept")

	// Another process of ours finds data and port, also after a kill. What the
	// killed one had unpacked does not pile up.
	require.NoError(t, k.Kill())
	unpacked := filepath.Join(scratch(cfg.Dir), "liblz4-java.so")
	require.NoError(t, os.WriteFile(unpacked, nil, 0o600))
	again, err := StartKafka(t.Context(), cfg)
	require.NoError(t, err)
	killAtEnd(t, again.Process)
	require.Equal(t, k.Addr, again.Addr)
	require.NoError(t, ProbeKafka(t.Context(), again.Addr))
	require.DirExists(t, filepath.Join(dir, "kafka", "topics", "kept-0"))
	require.NoFileExists(t, unpacked)
	require.NoError(t, again.Stop(t.Context()))
}

// createTopic uses Kafka's own tool.
func createTopic(t *testing.T, cfg KafkaConfig, addr, name string) {
	t.Helper()
	cmd := javaCommand(t.Context(), cfg, cfg.Dir, "org.apache.kafka.tools.TopicCommand",
		"--bootstrap-server", addr, "--create", "--topic", name, "--partitions", "1")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
}

// A broker whose disk is full ends, says so, and comes back when there is room.
func TestKafkaOnAFullDisk(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Log("mounting a small file system takes root: the configured folder alone is tried")
	}
	dir := openDir(t)
	small := filepath.Join(dir, "small")
	require.NoError(t, os.Mkdir(small, 0o755))
	mounted := unix.Mount("tmpfs", small, "tmpfs", 0, "size=16m") == nil
	if mounted {
		t.Cleanup(func() { require.NoError(t, unix.Unmount(small, unix.MNT_DETACH)) })
	}
	cfg := KafkaConfig{Parts: paths(t), Dir: filepath.Join(dir, "kafka"), LogDir: filepath.Join(small, "topics"), Heap: "256m", QuickStart: true}
	k, err := StartKafka(t.Context(), cfg)
	require.NoError(t, err)
	killAtEnd(t, k.Process)
	require.FileExists(t, filepath.Join(small, "topics", "meta.properties"))
	if !mounted {
		return
	}
	ballast := filepath.Join(small, "ballast")
	f, err := os.Create(ballast)
	require.NoError(t, err)
	chunk := make([]byte, 1<<20)
	for err == nil {
		_, err = f.Write(chunk)
	}
	require.ErrorIs(t, err, syscall.ENOSPC)
	require.NoError(t, f.Close())
	cmd := javaCommand(t.Context(), cfg, cfg.Dir, "org.apache.kafka.tools.TopicCommand",
		"--bootstrap-server", k.Addr, "--create", "--topic", "one-too-many", "--partitions", "8")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Log("as expected the topic may be refused:", lastLine(string(out)))
	}
	select {
	case <-k.Done():
	case <-time.After(3 * time.Minute):
		t.Fatal("the broker lives on with a full disk")
	}
	var exit *ExitError
	require.ErrorAs(t, k.Wait(), &exit)
	require.NoError(t, os.Remove(ballast))
	require.NoError(t, k.Restart(t.Context()))
	require.NoError(t, ProbeKafka(t.Context(), k.Addr))
}

func TestPortIsMovedAndRemembered(t *testing.T) {
	dir := t.TempDir()
	taken, err := net.Listen("tcp4", host+":0")
	require.NoError(t, err)
	_, text, err := net.SplitHostPort(taken.Addr().String())
	require.NoError(t, err)
	wanted, err := strconv.Atoi(text)
	require.NoError(t, err)

	moved, err := choosePort(dir, "port", wanted)
	require.NoError(t, err)
	require.NotEqual(t, wanted, moved)
	require.GreaterOrEqual(t, moved, lowestPort)
	require.LessOrEqual(t, moved, highestPort)

	require.NoError(t, taken.Close())
	again, err := choosePort(dir, "port", wanted)
	require.NoError(t, err)
	require.Equal(t, moved, again, "the wanted port is free now, but clients know the other one")

	other, err := FreePort()
	require.NoError(t, err)
	changed, err := choosePort(dir, "port", other)
	require.NoError(t, err)
	require.Equal(t, other, changed, "another wish")
}

func TestAPortIsGivenOnce(t *testing.T) {
	seen := map[int]bool{}
	for range 200 {
		port, err := FreePort()
		require.NoError(t, err)
		require.False(t, seen[port])
		seen[port] = true
	}
}

// Another process that chooses a port at the same time chooses another one.
func TestAPortOfAnotherProcessIsNotGiven(t *testing.T) {
	port, err := FreePort()
	require.NoError(t, err)
	require.False(t, reserve(port))
	_, err = net.Listen("unix", "@hopluu-port-"+strconv.Itoa(port))
	require.ErrorIs(t, err, syscall.EADDRINUSE, "this process holds its name")
	theirs, err := net.Listen("unix", "@hopluu-port-1")
	require.NoError(t, err)
	require.False(t, reserve(1))
	require.NoError(t, theirs.Close())
	require.True(t, reserve(1), "it is free when they end")
}

func TestALargeLogIsPutAside(t *testing.T) {
	log := filepath.Join(t.TempDir(), "log")
	require.NoError(t, os.WriteFile(log, []byte("old"), 0o644))
	require.NoError(t, os.Truncate(log, maxLog+1))
	p, err := StartSelf(t.Context(), "child", os.Args[0], nil, []string{"EMBEDDED_TEST_ROLE=child", "EMBEDDED_TEST_EXIT=1"}, log)
	require.NoError(t, err)
	require.Error(t, p.Wait())
	require.FileExists(t, log+".old")
	info, err := os.Stat(log)
	require.NoError(t, err)
	require.Less(t, info.Size(), int64(1000))
}

func TestExitIsExplained(t *testing.T) {
	p, err := StartSelf(t.Context(), "child", os.Args[0], nil, []string{"EMBEDDED_TEST_ROLE=child", "EMBEDDED_TEST_EXIT=1"}, filepath.Join(t.TempDir(), "log"))
	require.NoError(t, err)
	err = p.WaitReady(t.Context(), func(context.Context) error { return errors.New("not yet") })
	var exit *ExitError
	require.ErrorAs(t, err, &exit)
	require.Contains(t, exit.Last, "the child's complaint")
	var status *exec.ExitError
	require.ErrorAs(t, err, &status)
	require.Equal(t, 3, status.ExitCode())
	require.NoError(t, p.Kill(), "killing what has ended")
}

func TestNotReadyInTime(t *testing.T) {
	p, err := StartSelf(t.Context(), "child", os.Args[0], nil, []string{"EMBEDDED_TEST_ROLE=child"}, filepath.Join(t.TempDir(), "log"))
	require.NoError(t, err)
	killAtEnd(t, p)
	ctx, cancel := context.WithTimeout(t.Context(), 80*time.Millisecond)
	defer cancel()
	mine := errors.New("not yet")
	err = p.WaitReady(ctx, func(context.Context) error { return mine })
	require.ErrorIs(t, err, mine)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.True(t, p.Running())
	require.NoError(t, p.Stop(t.Context()), "SIGTERM ends a Go program that does not ask for it")
}

// Children die with their parent, however it dies.
func TestChildrenDieWithTheParent(t *testing.T) {
	parent := exec.Command(os.Args[0])
	parent.Env = append(os.Environ(), "EMBEDDED_TEST_ROLE=parent", "EMBEDDED_TEST_LOG="+filepath.Join(t.TempDir(), "log"))
	out, err := parent.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, parent.Start())
	line, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)
	pid, err := strconv.Atoi(strings.TrimSpace(line))
	require.NoError(t, err, line)
	require.NoError(t, syscall.Kill(pid, 0))

	require.NoError(t, parent.Process.Kill())
	require.Error(t, parent.Wait())
	require.Eventually(t, func() bool {
		// The orphan may stay as a zombie where nobody reaps it.
		state, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		return err != nil || strings.Contains(string(state), ") Z ")
	}, time.Minute, 10*time.Millisecond)
}
