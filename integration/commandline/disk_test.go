package commandline

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/hopluu/hopluu/integration/harness"
	"github.com/hopluu/hopluu/schemas/topic"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// disk is where a broker keeps its topics, and can be filled.
type disk interface {
	fill()
	room()
}

// smallDisk gives a folder on a disk that can be filled: a file system in
// memory, or where mounting is not allowed, a limit on the size of the broker's
// files, which fails its writes as a full disk does.
func smallDisk(t *testing.T) (dir string, d disk) {
	dir = filepath.Join(harness.TempDir(t), "topics")
	require.NoError(t, os.Mkdir(dir, 0o755))
	err := unix.Mount("hopluu", dir, "tmpfs", 0, "size=64m")
	if errors.Is(err, fs.ErrPermission) {
		return dir, &limitedFiles{t, dir}
	}
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, unix.Unmount(dir, unix.MNT_DETACH)) })
	return dir, &smallFileSystem{t, dir}
}

type smallFileSystem struct {
	t   *testing.T
	dir string
}

// spare is what a full disk has left, so that it becomes full while we write.
const spare = 512 << 10

func (f *smallFileSystem) fill() {
	var s unix.Statfs_t
	require.NoError(f.t, unix.Statfs(f.dir, &s))
	ballast, err := os.Create(filepath.Join(f.dir, "ballast"))
	require.NoError(f.t, err)
	require.NoError(f.t, unix.Fallocate(int(ballast.Fd()), 0, 0, int64(s.Bavail)*s.Bsize-spare))
	require.NoError(f.t, ballast.Close())
}

func (f *smallFileSystem) room() {
	require.NoError(f.t, os.Remove(filepath.Join(f.dir, "ballast")))
}

type limitedFiles struct {
	t   *testing.T
	dir string
}

func (f *limitedFiles) fill() {
	// An index file has 1 MiB from the beginning.
	limit := unix.Rlimit{Cur: 1<<20 + spare, Max: unix.RLIM_INFINITY}
	require.NoError(f.t, unix.Prlimit(f.broker(), unix.RLIMIT_FSIZE, &limit, nil))
}

// room has nothing to do: the limit went with the process, or goes with it.
func (f *limitedFiles) room() {}

// broker finds the process that has files open in the folder.
func (f *limitedFiles) broker() int {
	links, err := filepath.Glob("/proc/[0-9]*/fd/*")
	require.NoError(f.t, err)
	for _, link := range links {
		to, err := os.Readlink(link)
		if err == nil && strings.HasPrefix(to, f.dir+"/") {
			pid, err := strconv.Atoi(strings.Split(link, "/")[2])
			require.NoError(f.t, err)
			if pid != os.Getpid() {
				return pid
			}
		}
	}
	f.t.Fatal("no process has files open in " + f.dir)
	return 0
}

// A full disk under Kafka: the connector says what it waits for, is not ready,
// confirms nothing that Kafka does not have (P1), and once there is room every
// row arrives, each once (P2).
func TestAFullDiskUnderKafka(t *testing.T) {
	dir, disk := smallDisk(t)
	w := newWorld(t, harness.Postgres(t), harness.Kafka(t, harness.WithLogDir(dir)))
	w.registry()
	w.enable()
	w.exec("INSERT INTO room SELECT n, n FROM generate_series(1, 100) n")
	connector := w.start("connector", "run")
	connector.ready()

	disk.fill()
	// Texts that do not compress.
	const rows = 600
	w.exec(fmt.Sprintf(`INSERT INTO patient SELECT n, lpad(n::text, 12, '0'), (SELECT string_agg(md5(n::text || '.' || i), '') FROM generate_series(1, 400) i) FROM generate_series(1, %d) n`, rows))
	written := w.value("pg_current_wal_insert_lsn()")
	harness.Eventually(t, within, func(context.Context) error {
		if status, _ := connector.get("/readyz"); status != 503 {
			return errors.New("the connector is ready without Kafka")
		}
		return nil
	})
	_, text := connector.get("/readyz")
	t.Log("readyz:", text)
	harness.Eventually(t, within, func(context.Context) error {
		if !strings.Contains(connector.log(), "level=ERROR") {
			return errors.New("no error is told")
		}
		return nil
	})
	t.Log(connector.log())
	require.True(t, connector.Running(), "it waits")
	status, _ := connector.get("/healthz")
	require.Equal(t, 200, status)
	confirmed := "SELECT confirmed_flush_lsn < '" + written + "' FROM pg_replication_slots WHERE slot_name = 'hopluu_" + w.source + "'"
	require.Equal(t, "true", w.value(confirmed), "an LSN is confirmed that Kafka does not have")

	disk.room()
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	require.NoError(t, w.broker.Restart(ctx))
	connector.ready()
	harness.Eventually(t, within, func(context.Context) error {
		if w.value(confirmed) == "true" {
			return errors.New("the rows are not confirmed")
		}
		return nil
	})
	seen := map[string]int{}
	kafka := w.kafka()
	harness.Eventually(t, within, func(ctx context.Context) error { // a commit is answered before it shows
		clear(seen)
		err := kafka.ReadAll(ctx, topic.Public(w.source, "public", "patient"), func(r topic.Record) error {
			seen[string(r.Key)]++
			return nil
		})
		if err == nil && len(seen) < rows {
			err = fmt.Errorf("%d rows of %d", len(seen), rows)
		}
		return err
	})
	require.Len(t, seen, rows)
	for key, n := range seen {
		require.Equal(t, 1, n, "%x", key)
	}
	connector.stop(syscall.SIGTERM)
}

// A full disk under ClickHouse: the sink says what it waits for and is not ready,
// Kafka holds what comes meanwhile and no source's slot is held, and once there is
// room everything arrives, each once (P2).
func TestAFullDiskUnderClickHouse(t *testing.T) {
	dir, disk := smallDisk(t)
	house := harness.ClickHouse(t, harness.WithLogDir(dir))
	w := shared(t)
	w.set("clickhouse.dsn", "http://default@"+house.Addr+"/default")
	w.registry()
	w.enable()
	w.exec("INSERT INTO room SELECT n, n FROM generate_series(1, 100) n")
	connector, sink := w.start("connector", "run"), w.start("sink", "run")
	connector.ready()
	sink.ready()
	w.good("reconcile")

	disk.fill()
	const rows = 900
	w.exec(fmt.Sprintf(`INSERT INTO patient SELECT n, lpad(n::text, 12, '0'), (SELECT string_agg(md5(n::text || '.' || i), '') FROM generate_series(1, 400) i) FROM generate_series(1, %d) n`, rows))
	kafka := w.kafka()
	patients := topic.Public(w.source, "public", "patient")
	harness.Eventually(t, within, func(ctx context.Context) error { return atLeast(ctx, kafka, patients, rows) })
	sink.until("waiting for ")
	_, text := sink.get("/readyz")
	t.Log("readyz:", text)
	require.Contains(t, sink.log(), "level=ERROR")
	t.Log(sink.log())
	behind := "pg_current_wal_insert_lsn() <= (SELECT confirmed_flush_lsn FROM pg_replication_slots WHERE slot_name = 'hopluu_" + w.source + "')"
	harness.Eventually(t, within, func(context.Context) error {
		if w.value(behind) != "true" {
			return errors.New("a full ClickHouse holds the slot")
		}
		return nil
	})

	disk.room()
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	require.NoError(t, house.Restart(ctx))
	sink.ready()
	harness.Eventually(t, within, func(context.Context) error {
		if d := w.run("reconcile"); d.code != 0 {
			return errors.New(d.stdout + d.stderr)
		}
		return nil
	})
	sink.stop(syscall.SIGTERM)
	connector.stop(syscall.SIGTERM)
}
