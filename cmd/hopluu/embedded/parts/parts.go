package parts

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/hopluu/hopluu/deploy/local"
)

// Paths says where the unpacked parts are.
type Paths struct {
	Java       string // the java program
	Kafka      string // the folder of the broker's jars
	Postgres   string // the folder with bin, lib and share
	ClickHouse string // the shared library of ClickHouse's engine
}

// Progress is told how far a part is: its name, the bytes that are done, the
// bytes in all (-1 when unknown) and what is being done. It is called from
// one goroutine at a time.
type Progress func(name string, done, total int64, message string)

// Names of the parts, as Progress gets them.
const (
	Kafka      = "Kafka " + local.KafkaVersion
	Postgres   = "PostgreSQL " + local.PostgresVersion
	ClickHouse = "ClickHouse engine " + local.ClickHouseVersion
	Postgres15 = "PostgreSQL " + local.Postgres15Version
)

// part is one thing to fetch: fetch fills an empty folder that becomes the
// part's folder in the cache, all or nothing.
type part struct {
	name  string
	dir   string // name of the folder in the cache, with the version in it
	space int64  // bytes that fetching and unpacking need on the cache's disk
	fetch func(ctx context.Context, into string, r reporter) error
}

func all() []part {
	return []part{
		{Kafka, "kafka-" + local.KafkaVersion + "-" + short(local.KafkaPOM), 120 << 20, fetchKafka},
		{Postgres, "postgres-" + local.PostgresVersion + "-" + short(local.PostgresPOM), 150 << 20, fetchPostgres(local.PostgresPOM)},
		{ClickHouse, "clickhouse-" + local.ClickHouseVersion + "-" + short([]byte(local.ClickHouseIntegrity)), 800 << 20, fetchClickHouse},
	}
}

// postgres15 is fetched by those who ask for it only.
func postgres15() part {
	return part{Postgres15, "postgres-" + local.Postgres15Version + "-" + short(local.Postgres15POM), 150 << 20, fetchPostgres(local.Postgres15POM)}
}

func short(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:4])
}

// Ensure makes sure that all parts are in dir (DefaultDir when empty) and
// says where. What is there already is left as it is, which takes
// milliseconds; the rest is fetched at the same time, part by part, each
// complete or not there at all. Two processes may call it at once: one
// fetches, the other waits. progress may be nil.
//
// Errors are one line and say what to install, free or check.
func Ensure(ctx context.Context, dir string, progress Progress) (Paths, error) {
	dir, err := cacheDir(dir)
	if err != nil {
		return Paths{}, err
	}
	java, err := program("java")
	if err != nil {
		return Paths{}, err
	}
	paths := Paths{
		Java:       java,
		Kafka:      filepath.Join(dir, all()[0].dir, "libs"),
		Postgres:   filepath.Join(dir, all()[1].dir, "pg"),
		ClickHouse: filepath.Join(dir, all()[2].dir, libraryName),
	}
	return paths, ensure(ctx, dir, all(), progress)
}

// EnsurePostgres15 does the same for the binaries of PostgreSQL 15 alone, and
// gives their folder.
func EnsurePostgres15(ctx context.Context, dir string, progress Progress) (string, error) {
	dir, err := cacheDir(dir)
	if err != nil {
		return "", err
	}
	return filepath.Join(dir, postgres15().dir, "pg"), ensure(ctx, dir, []part{postgres15()}, progress)
}

// cacheDir is the folder of the cache on a machine that the parts run on.
func cacheDir(dir string) (string, error) {
	if runtime.GOOS != "linux" || runtime.GOARCH != "amd64" {
		return "", fmt.Errorf("the embedded Kafka, PostgreSQL and ClickHouse are for linux/amd64, this is %s/%s: configure addresses of real servers instead", runtime.GOOS, runtime.GOARCH)
	}
	if dir == "" {
		var err error
		if dir, err = DefaultDir(); err != nil {
			return "", err
		}
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", fmt.Errorf("the cache folder %s: %w", dir, err)
	}
	return dir, nil
}

// ensure fetches those of the parts that are not there.
func ensure(ctx context.Context, dir string, parts []part, progress Progress) error {
	if len(missing(dir, parts)) == 0 {
		return nil
	}
	if err := makeCache(dir); err != nil {
		return err
	}
	report := serialise(progress)
	unlock, err := lock(ctx, filepath.Join(dir, ".lock"), func() {
		for _, p := range missing(dir, parts) {
			report(p.name, 0, -1, "another process is fetching it")
		}
	})
	if err != nil {
		return err
	}
	defer unlock()
	return fetchMissing(ctx, dir, missing(dir, parts), report)
}

// fetchMissing runs with the cache's lock held.
func fetchMissing(ctx context.Context, dir string, parts []part, report Progress) error {
	if err := removeUnfinished(dir); err != nil {
		return err
	}
	var need int64
	for _, p := range parts {
		need += p.space
	}
	if err := checkSpace(dir, need); err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	for _, p := range parts {
		group.Go(func() error { return install(ctx, dir, p, report) })
	}
	return group.Wait()
}

// install fetches one part beside its place and moves it there by one rename.
func install(ctx context.Context, dir string, p part, report Progress) (err error) {
	r := reporter{name: p.name, to: report}
	r.say(0, -1, "starting")
	temp, err := os.MkdirTemp(dir, unfinished)
	if err != nil {
		return fmt.Errorf("%s: %w", p.name, explain(dir, err))
	}
	defer func() { err = errors.Join(err, os.RemoveAll(temp)) }()
	// MkdirTemp's folders are for the owner only; the server may be another user.
	if err := os.Chmod(temp, 0o755); err != nil {
		return fmt.Errorf("%s: %w", p.name, err)
	}
	if err := p.fetch(ctx, temp, r); err != nil {
		return fmt.Errorf("%s: %w", p.name, explain(dir, err))
	}
	if err := writeMarker(temp, p); err != nil {
		return fmt.Errorf("%s: %w", p.name, explain(dir, err))
	}
	place := filepath.Join(dir, p.dir)
	// A folder without its marker is damaged: a rename onto it would fail.
	if err := os.RemoveAll(place); err != nil {
		return fmt.Errorf("%s: %w", p.name, err)
	}
	if err := os.Rename(temp, place); err != nil {
		return fmt.Errorf("%s: %w", p.name, err)
	}
	r.say(1, 1, "ready")
	return nil
}

// reporter reports on one part.
type reporter struct {
	name string
	to   Progress
}

func (r reporter) say(done, total int64, message string) { r.to(r.name, done, total, message) }

func serialise(p Progress) Progress {
	if p == nil {
		return func(string, int64, int64, string) {}
	}
	var mu sync.Mutex
	return func(name string, done, total int64, message string) {
		mu.Lock()
		defer mu.Unlock()
		p(name, done, total, message)
	}
}
