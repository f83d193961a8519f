package parts

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/klauspost/compress/gzip"
	"github.com/stretchr/testify/require"
)

// fake puts programs of the given names into an otherwise empty PATH: shell
// scripts in place of package managers.
func fake(t *testing.T, scripts map[string]string) {
	t.Helper()
	dir := t.TempDir()
	for name, script := range scripts {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"+script), 0o755))
	}
	t.Setenv("PATH", dir)
}

// installed makes a cache folder in which some parts stand complete.
func installed(t *testing.T, names ...string) string {
	t.Helper()
	dir := t.TempDir()
	for _, p := range all() {
		for _, name := range names {
			if p.name == name {
				require.NoError(t, os.Mkdir(filepath.Join(dir, p.dir), 0o755))
				require.NoError(t, writeMarker(filepath.Join(dir, p.dir), p))
			}
		}
	}
	return dir
}

func TestEverythingThere(t *testing.T) {
	fake(t, map[string]string{"java": "exit 0"}) // neither mvn nor npm is needed
	dir := installed(t, Kafka, Postgres, ClickHouse)
	p, err := Ensure(t.Context(), dir, func(string, int64, int64, string) { t.Error("nothing is to be reported") })
	require.NoError(t, err)
	require.True(t, strings.HasPrefix(p.Kafka, dir))
	require.True(t, strings.HasPrefix(p.Postgres, dir))
	require.Equal(t, libraryName, filepath.Base(p.ClickHouse))
}

// PostgreSQL 15 is fetched when it is asked for, and neither with the others nor
// they with it.
func TestPostgres15Alone(t *testing.T) {
	fake(t, map[string]string{"java": "", "mvn": "exit 0"})
	dir := installed(t, Kafka, Postgres, ClickHouse)
	_, err := EnsurePostgres15(t.Context(), dir, nil)
	require.ErrorContains(t, err, Postgres15)
	require.ErrorContains(t, err, "mvn gave 0 jars")
	p := postgres15()
	require.NoError(t, os.Mkdir(filepath.Join(dir, p.dir), 0o755))
	require.NoError(t, writeMarker(filepath.Join(dir, p.dir), p))
	fake(t, nil)
	where, err := EnsurePostgres15(t.Context(), dir, func(string, int64, int64, string) { t.Error("nothing is to be reported") })
	require.NoError(t, err)
	require.Equal(t, filepath.Join(dir, p.dir, "pg"), where)
	_, err = EnsurePostgres15(t.Context(), t.TempDir(), nil)
	require.ErrorContains(t, err, "mvn is not installed")
}

func TestWhatIsMissingIsSaid(t *testing.T) {
	for _, c := range []struct {
		name    string
		scripts map[string]string
		have    []string
		want    string
	}{
		{"java", nil, nil, "apt-get install -y openjdk-17-jre-headless"},
		{"mvn", map[string]string{"java": ""}, []string{Kafka, ClickHouse}, "mvn is not installed: apt-get install -y maven"},
		{"npm", map[string]string{"java": ""}, []string{Kafka, Postgres}, "npm is not installed: apt-get install -y npm"},
		{"offline mvn", map[string]string{"java": "", "mvn": "echo '[INFO] x'; echo '[ERROR] Unknown host'; echo '[ERROR] and more'; exit 1"}, []string{Postgres, ClickHouse}, "[ERROR] Unknown host: check the network, and proxy and mirror in ~/.m2/settings.xml"},
		{"offline npm", map[string]string{"java": "", "npm": "echo 'npm error network timed out' >&2; exit 1"}, []string{Kafka, Postgres}, "npm error network timed out: check the network, and registry and proxy in ~/.npmrc"},
		{"empty npm", map[string]string{"java": "", "npm": "exit 0"}, []string{Kafka, Postgres}, "npm pack gave 0 archives"},
	} {
		t.Run(c.name, func(t *testing.T) {
			fake(t, c.scripts)
			dir := installed(t, c.have...)
			_, err := Ensure(t.Context(), dir, nil)
			require.ErrorContains(t, err, c.want)
			require.NotContains(t, err.Error(), "\n")
			left, err := filepath.Glob(filepath.Join(dir, unfinished+"*"))
			require.NoError(t, err)
			require.Empty(t, left)
		})
	}
}

// A tarball that is not the one we know is not loaded into our process.
func TestForeignLibraryIsRefused(t *testing.T) {
	archive := filepath.Join(t.TempDir(), "a.tgz")
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	w := tar.NewWriter(z)
	require.NoError(t, w.WriteHeader(&tar.Header{Name: "package/" + libraryName, Mode: 0o755, Size: 3}))
	_, err := w.Write([]byte("ELF"))
	require.NoError(t, err)
	require.NoError(t, errors.Join(w.Close(), z.Close()))
	require.NoError(t, os.WriteFile(archive, b.Bytes(), 0o644))

	fake(t, map[string]string{"java": "", "npm": `if [ "$1" = pack ]; then while read -r l; do echo "$l"; done < /dev/null; /bin/cp ` + archive + ` chdb.tgz; fi`})
	dir := installed(t, Kafka, Postgres)
	_, err = Ensure(t.Context(), dir, nil)
	require.ErrorContains(t, err, "has the checksum sha512-")
	require.Len(t, missing(dir, all()), 1)
}

func TestUnfinishedAndDamagedPartsAreMadeAgain(t *testing.T) {
	dir := installed(t, Postgres, ClickHouse)
	require.NoError(t, os.Mkdir(filepath.Join(dir, unfinished+"1"), 0o755))
	damaged := filepath.Join(dir, all()[0].dir) // without its marker
	require.NoError(t, os.MkdirAll(filepath.Join(damaged, "libs"), 0o755))
	fake(t, map[string]string{"java": "", "mvn": `for a; do case $a in -DoutputDirectory=*) echo jar > "${a#-DoutputDirectory=}/kafka.jar";; esac; done`})
	var mu sync.Mutex
	var messages []string
	p, err := Ensure(t.Context(), dir, func(name string, done, total int64, message string) {
		mu.Lock()
		defer mu.Unlock()
		if len(messages) == 0 || messages[len(messages)-1] != message {
			messages = append(messages, message)
		}
		require.Equal(t, Kafka, name)
		require.LessOrEqual(t, done, max(total, done))
	})
	require.NoError(t, err)
	require.FileExists(t, filepath.Join(p.Kafka, "kafka.jar"))
	require.NoDirExists(t, filepath.Join(dir, unfinished+"1"))
	require.Equal(t, []string{"starting", "downloading", "ready"}, messages)
	require.Empty(t, missing(dir, all()))
}

// Of two that want the same part at once, one fetches it.
func TestTwoAtOnce(t *testing.T) {
	dir := installed(t, Postgres, ClickHouse)
	log := filepath.Join(t.TempDir(), "log")
	fake(t, map[string]string{"java": "", "mvn": `echo run >> ` + log + `; for a; do case $a in -DoutputDirectory=*) echo jar > "${a#-DoutputDirectory=}/kafka.jar";; esac; done`})
	var both sync.WaitGroup
	for range 2 {
		both.Go(func() {
			_, err := Ensure(t.Context(), dir, nil)
			require.NoError(t, err)
		})
	}
	both.Wait()
	content, err := os.ReadFile(log)
	require.NoError(t, err)
	require.Equal(t, "run\n", string(content))
}

func TestWaitingForTheLockCanBeGivenUp(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	unlock, err := lock(t.Context(), path, func() {})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	waited := false
	_, err = lock(ctx, path, func() { waited = true; cancel() })
	require.ErrorIs(t, err, context.Canceled)
	require.True(t, waited)
	unlock()
	unlock, err = lock(t.Context(), path, func() {})
	require.NoError(t, err)
	unlock()
}

func TestFullDisk(t *testing.T) {
	err := checkSpace(t.TempDir(), 1<<60)
	require.ErrorContains(t, err, "set HOPLUU_CACHE to a folder on another disk")
	require.ErrorIs(t, explain("/c", &os.PathError{Op: "write", Path: "/c/x", Err: syscall.ENOSPC}), syscall.ENOSPC)
	require.ErrorContains(t, explain("/c", syscall.ENOSPC), "the disk of /c is full")
}

func TestUnpackTarStaysInItsFolder(t *testing.T) {
	pack := func(entries ...tar.Header) *bytes.Buffer {
		var b bytes.Buffer
		w := tar.NewWriter(&b)
		for _, h := range entries {
			h.Size = int64(len("content"))
			if h.Typeflag != tar.TypeReg {
				h.Size = 0
			}
			require.NoError(t, w.WriteHeader(&h))
			if h.Size > 0 {
				_, err := w.Write([]byte("content"))
				require.NoError(t, err)
			}
		}
		require.NoError(t, w.Close())
		return &b
	}
	dir := t.TempDir()
	require.NoError(t, unpackTar(pack(
		tar.Header{Name: "./bin/", Typeflag: tar.TypeDir, Mode: 0o700},
		tar.Header{Name: "./bin/postgres", Typeflag: tar.TypeReg, Mode: 0o700},
		tar.Header{Name: "lib/deep/libpq.so.5", Typeflag: tar.TypeReg, Mode: 0o600},
		tar.Header{Name: "lib/libpq.so", Typeflag: tar.TypeSymlink, Linkname: "deep/libpq.so.5"},
	), filepath.Join(dir, "good")))
	info, err := os.Stat(filepath.Join(dir, "good", "bin", "postgres"))
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o744), info.Mode().Perm(), "the owner may run it, others may read it")
	content, err := os.ReadFile(filepath.Join(dir, "good", "lib", "libpq.so"))
	require.NoError(t, err)
	require.Equal(t, "content", string(content))

	for i, name := range []string{"../escaped", "/../escaped", "lib/../../escaped"} {
		err := unpackTar(pack(tar.Header{Name: name, Typeflag: tar.TypeReg, Mode: 0o644}), filepath.Join(dir, string(rune('a'+i))))
		require.Error(t, err, name)
		require.NoFileExists(t, filepath.Join(dir, "escaped"))
	}
}

func TestDefaultDir(t *testing.T) {
	t.Setenv("HOPLUU_CACHE", "/somewhere")
	dir, err := DefaultDir()
	require.NoError(t, err)
	require.Equal(t, "/somewhere", dir)
	t.Setenv("HOPLUU_CACHE", "")
	t.Setenv("XDG_CACHE_HOME", "/home/x/.cache")
	dir, err = DefaultDir()
	require.NoError(t, err)
	if os.Geteuid() == 0 {
		require.Equal(t, "/var/cache/hopluu", dir)
	} else {
		require.Equal(t, "/home/x/.cache/hopluu", dir)
	}
}

func TestDownloadedBytes(t *testing.T) {
	for line, want := range map[string]int64{
		"[INFO] Downloaded from central: https://x/zstd-jni-1.5.6-3.jar (6.7 MB at 29 MB/s)": 6_700_000,
		"[INFO] Downloaded from central: https://x/a.pom (373 kB at 1.9 MB/s)":               373_000,
		"[INFO] Downloaded from central: https://x/a.pom (80 B at 1 kB/s)":                   80,
		"[INFO] Downloading from central: https://x/a.pom":                                   0,
		"[INFO] Downloaded from nowhere":                                                     0,
		"":                                                                                   0,
	} {
		require.Equal(t, want, downloadedBytes(line), line)
	}
}
