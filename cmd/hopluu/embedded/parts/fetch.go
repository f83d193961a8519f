package parts

import (
	"bytes"
	"context"
	"crypto/sha512"
	"encoding/base64"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"github.com/hopluu/hopluu/deploy/local"
)

// Sizes of what is downloaded, in bytes, for the progress only.
const (
	kafkaSize      = 57 << 20
	postgresSize   = 15 << 20
	clickHouseSize = 166572008
)

func fetchKafka(ctx context.Context, into string, r reporter) error {
	return copyDependencies(ctx, local.KafkaPOM, filepath.Join(into, "libs"), kafkaSize, r)
}

// fetchPostgres fetches the PostgreSQL that a pom names.
func fetchPostgres(pom []byte) func(ctx context.Context, into string, r reporter) error {
	return func(ctx context.Context, into string, r reporter) error {
		jars := filepath.Join(into, "jar")
		if err := copyDependencies(ctx, pom, jars, postgresSize, r); err != nil {
			return err
		}
		found, err := filepath.Glob(filepath.Join(jars, "*.jar"))
		if err != nil {
			return err
		}
		if len(found) != 1 {
			return fmt.Errorf("mvn gave %d jars, expected one with PostgreSQL's binaries", len(found))
		}
		r.say(postgresSize, postgresSize, "unpacking")
		if err := unpackPostgres(ctx, found[0], filepath.Join(into, "pg")); err != nil {
			return fmt.Errorf("unpacking: %w", err)
		}
		return os.RemoveAll(jars)
	}
}

// copyDependencies puts the jars that a pom names into a folder.
func copyDependencies(ctx context.Context, pom []byte, into string, total int64, r reporter) error {
	mvn, err := program("mvn")
	if err != nil {
		return err
	}
	project, err := os.MkdirTemp("", "hopluu-mvn-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(project) }() // a leftover of some bytes in the temp folder
	if err := os.WriteFile(filepath.Join(project, "pom.xml"), pom, 0o644); err != nil {
		return err
	}
	if err := os.Mkdir(into, 0o755); err != nil {
		return err
	}
	if err := os.Chmod(into, 0o755); err != nil {
		return err
	}
	// mvn downloads into its own repository, all of it before it copies.
	var downloaded atomic.Int64
	stop := watch(func() int64 { return max(downloaded.Load(), sizeOf(into)) }, total, "downloading", r)
	defer stop()
	// -C: a jar whose checksum differs is an error, not a warning.
	_, err = run(ctx, func(line string) { downloaded.Add(downloadedBytes(line)) }, project, mvn, "--batch-mode", "--strict-checksums", "dependency:copy-dependencies", "-DoutputDirectory="+into)
	if err != nil {
		return fmt.Errorf("%w: check the network, and proxy and mirror in ~/.m2/settings.xml", err)
	}
	return openUp(into)
}

// downloadedBytes reads how much mvn downloaded, for the progress only:
//
//	[INFO] Downloaded from central: <address> (6.7 MB at 29 MB/s)
func downloadedBytes(line string) int64 {
	if !strings.HasPrefix(line, "[INFO] Downloaded from ") {
		return 0
	}
	var size float64
	var unit string
	if _, err := fmt.Sscanf(line[strings.LastIndexByte(line, '(')+1:], "%f %s at", &size, &unit); err != nil {
		return 0
	}
	return int64(size * map[string]float64{"B": 1, "kB": 1e3, "MB": 1e6, "GB": 1e9}[unit])
}

// openUp lets other users read what mvn wrote under a strict umask.
func openUp(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if err := os.Chmod(filepath.Join(dir, e.Name()), 0o644); err != nil {
			return err
		}
	}
	return nil
}

func fetchClickHouse(ctx context.Context, into string, r reporter) error {
	npm, err := program("npm")
	if err != nil {
		return err
	}
	download := filepath.Join(into, "download")
	if err := os.Mkdir(download, 0o755); err != nil {
		return err
	}
	// npm writes into its own cache first, so that is what grows.
	cacheTemp := ""
	if out, err := run(ctx, nil, into, npm, "config", "get", "cache"); err == nil {
		cacheTemp = filepath.Join(strings.TrimSpace(string(out)), "_cacache", "tmp")
	}
	before := sizeOf(cacheTemp)
	stop := watch(func() int64 { return max(sizeOf(cacheTemp)-before, sizeOf(download)) }, clickHouseSize, "downloading", r)
	_, err = run(ctx, nil, download, npm, "pack", "--ignore-scripts", "--silent", local.ClickHousePackage)
	stop()
	if err != nil {
		return fmt.Errorf("%w: check the network, and registry and proxy in ~/.npmrc", err)
	}
	found, err := filepath.Glob(filepath.Join(download, "*.tgz"))
	if err != nil {
		return err
	}
	if len(found) != 1 {
		return fmt.Errorf("npm pack gave %d archives, expected one", len(found))
	}
	r.say(clickHouseSize, clickHouseSize, "unpacking")
	sum, err := unpackClickHouse(ctx, found[0], filepath.Join(into, libraryName))
	if err != nil {
		return fmt.Errorf("unpacking: %w", err)
	}
	if got := integrity(sum); got != local.ClickHouseIntegrity {
		return fmt.Errorf("the archive %s has the checksum %s, expected %s: run npm cache clean --force and try again", local.ClickHousePackage, got, local.ClickHouseIntegrity)
	}
	return os.RemoveAll(download)
}

func newIntegrity() hash.Hash { return sha512.New() }

// integrity writes a SHA-512 as npm does.
func integrity(h hash.Hash) string {
	return "sha512-" + base64.StdEncoding.EncodeToString(h.Sum(nil))
}

// watch reports a growing size until its result is called.
func watch(size func() int64, total int64, message string, r reporter) (stop func()) {
	ended, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(200 * time.Millisecond)
		defer tick.Stop()
		for {
			r.say(min(size(), total), total, message)
			select {
			case <-ended:
				return
			case <-tick.C:
			}
		}
	}()
	return func() { close(ended); <-done }
}

// sizeOf sums the sizes of the files below dir; what cannot be read counts as
// nothing, since this is for the progress only.
func sizeOf(dir string) int64 {
	if dir == "" {
		return 0
	}
	var sum int64
	// Files come and go while we walk: every error is "nothing here".
	_ = filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil {
			return nil
		}
		if info, err := d.Info(); err == nil && info.Mode().IsRegular() {
			sum += info.Size()
		}
		return nil
	})
	return sum
}

// cancelReader ends a long read when the context does.
type cancelReader struct {
	ctx context.Context
	r   io.Reader
}

func (c cancelReader) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.Read(p)
}

// lastComplaint picks the line of a tool's output that says what went wrong.
func lastComplaint(output []byte) string {
	var first, last string
	for line := range bytes.Lines(output) {
		text := strings.TrimSpace(string(line))
		if text == "" {
			continue
		}
		last = text
		if first == "" && (strings.HasPrefix(text, "[ERROR]") || strings.HasPrefix(text, "npm error") || strings.HasPrefix(text, "npm ERR!")) {
			first = text
		}
	}
	if first != "" {
		last = first
	}
	if len(last) > 400 {
		last = last[:400] + "..."
	}
	return last
}

var errNoOutput = errors.New("it said nothing")
