package main

import (
	"context"
	"crypto/rand"
	_ "embed"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"

	"github.com/hopluu/hopluu/cmd/hopluu/config"
	"github.com/hopluu/hopluu/cmd/hopluu/embedded"
	"github.com/hopluu/hopluu/cmd/hopluu/embedded/parts"
	"github.com/hopluu/hopluu/schemas/topic"
	"github.com/jackc/pgx/v5"
	"go.yaml.in/yaml/v3"
)

// rig is the servers that all contenders share.
type rig struct {
	options    options
	dir        string
	bin        string // the hopluu program
	parts      parts.Paths
	postgres   *embedded.Postgres
	kafka      *embedded.Kafka
	registry   *embedded.Process
	topics     *topic.Client
	admin      *pgx.Conn // to the database of the stream
	watcher    *pgx.Conn // sees when a slot becomes active
	settings   config.Config
	configPath string
	next       int // the next row's number
}

const (
	// database is of the stream; snapshotDatabase holds the table that is read
	// whole, so that nothing else is in it.
	database         = "bench"
	streamSource     = "visits"
	snapshotDatabase = "bench_snapshot"
	publication      = "bench"
	// createPublication leaves nothing out, as our connector wants it.
	createPublication = "CREATE PUBLICATION " + publication + " FOR TABLE public.visit WITH (publish = 'insert, update, delete, truncate', publish_via_partition_root = true)"
	// partitions of every topic: those of a fresh configuration of ours.
	partitions = 6
)

//go:embed bench.yaml
var sectorFile []byte

func startRig(ctx context.Context, o options) (r *rig, err error) {
	r = &rig{options: o, next: 1}
	defer func() {
		if err != nil {
			err = errors.Join(err, r.stop(context.WithoutCancel(ctx)))
		}
	}()
	if r.dir, err = os.MkdirTemp("/var/tmp", "hopluu-bench-"); err != nil {
		return r, err
	}
	if err := os.Chmod(r.dir, 0o755); err != nil { // PostgreSQL may be another user
		return r, err
	}
	if r.bin, err = program(ctx, o, r.dir); err != nil {
		return r, err
	}
	if r.parts, err = parts.Ensure(ctx, "", nil); err != nil {
		return r, err
	}
	say("starting PostgreSQL and Kafka")
	r.postgres, err = embedded.StartPostgres(ctx, embedded.PostgresConfig{Parts: r.parts, Dir: filepath.Join(r.dir, "postgres"), Settings: map[string]string{
		"shared_buffers": "512MB", "max_wal_size": "16GB", "max_slot_wal_keep_size": "-1", "autovacuum": "off",
		// A checkpoint in the middle of a run would be one contender's bad luck.
		"checkpoint_timeout": "1h",
	}})
	if err != nil {
		return r, err
	}
	r.kafka, err = embedded.StartKafka(ctx, embedded.KafkaConfig{Parts: r.parts, Dir: filepath.Join(r.dir, "kafka"), Heap: "1g"})
	if err != nil {
		return r, err
	}
	if r.topics, err = topic.Dial(ctx, topic.Config{Brokers: []string{r.kafka.Addr}, ClientID: "bench"}); err != nil {
		return r, err
	}
	if err := r.prepare(ctx); err != nil {
		return r, err
	}
	return r, r.startRegistry(ctx)
}

// program builds hopluu, with Go's profiler in it when that is asked for.
func program(ctx context.Context, o options, dir string) (string, error) {
	if o.bin != "" {
		return filepath.Abs(o.bin)
	}
	bin := filepath.Join(dir, "hopluu")
	args := []string{"build", "-o", bin}
	if o.profile != "" {
		overlay, err := profilerOverlay(ctx, dir)
		if err != nil {
			return "", err
		}
		args = append(args, "-overlay", overlay)
	}
	say("building hopluu")
	if out, err := exec.CommandContext(ctx, "go", append(args, "github.com/hopluu/hopluu/cmd/hopluu")...).CombinedOutput(); err != nil {
		return "", fmt.Errorf("build: %w: %s", err, out)
	}
	return bin, nil
}

// prepare makes the databases, the table and the publication.
func (r *rig) prepare(ctx context.Context) error {
	maintenance, err := pgx.Connect(ctx, r.postgres.DSN("postgres"))
	if err != nil {
		return err
	}
	for _, name := range []string{database, snapshotDatabase} {
		if _, err := maintenance.Exec(ctx, "CREATE DATABASE "+name); err != nil {
			return err
		}
	}
	if err := maintenance.Close(ctx); err != nil {
		return err
	}
	if r.admin, err = pgx.Connect(ctx, r.postgres.DSN(database)); err != nil {
		return err
	}
	if r.watcher, err = pgx.Connect(ctx, r.postgres.DSN(database)); err != nil {
		return err
	}
	return r.exec(ctx, createTable, "CREATE TABLE public.unpublished (at timestamptz)", createPublication)
}

func (r *rig) startRegistry(ctx context.Context) error {
	sectors := filepath.Join(r.dir, "sectors")
	if err := os.Mkdir(sectors, 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(sectors, "bench.yaml"), sectorFile, 0o644); err != nil {
		return err
	}
	port, err := embedded.FreePort()
	if err != nil {
		return err
	}
	key := make([]byte, 32)
	if _, err := rand.Read(key); err != nil {
		return err
	}
	c := config.Default()
	c.SingleMachine = true
	c.Kafka.Brokers = []string{r.kafka.Addr}
	c.Registry.Listen = "127.0.0.1:" + strconv.Itoa(port)
	c.Registry.URL = "http://" + c.Registry.Listen
	c.Tokens.Key = hex.EncodeToString(key)
	c.Topics = config.Topics{Partitions: partitions, Replication: 1, MinInsyncReplicas: 1}
	c.HTTP.Listen = ""
	c.SectorsDir = sectors
	c.Sources = nil
	r.settings = c
	r.settings.Sources = append(r.snapshotSources(), r.source(database, streamSource))
	data, err := yaml.Marshal(r.settings)
	if err != nil {
		return err
	}
	r.configPath = filepath.Join(r.dir, "hopluu.yaml")
	if err := os.WriteFile(r.configPath, data, 0o600); err != nil {
		return err
	}
	r.registry, err = r.self(ctx, "registry", "run")
	return err
}

// source is a source of ours; its name tells it apart from others in topics.
func (r *rig) source(db, name string) config.Source {
	return config.Source{Name: name, Sector: "bench", Slot: "bench_" + name, Publication: publication, DSN: r.postgres.DSN(db)}
}

// self starts a long-running subcommand of hopluu and waits until it lives;
// the registry until it serves.
func (r *rig) self(ctx context.Context, args ...string) (*embedded.Process, error) {
	port, err := embedded.FreePort()
	if err != nil {
		return nil, err
	}
	health := "127.0.0.1:" + strconv.Itoa(port)
	env := []string{"HOPLUU_CONFIG=" + r.configPath}
	if r.options.profile != "" {
		env = append(env, profilerEnv+"="+filepath.Join(r.dir, args[0]+".profiler"))
	}
	p, err := embedded.StartSelf(ctx, args[0], r.bin, append(args, "--http", health), env, filepath.Join(r.dir, args[0]+".log"))
	if err != nil {
		return nil, err
	}
	path := "/startz"
	if args[0] == "registry" {
		path = "/readyz"
	}
	bound, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	if err := p.WaitReady(bound, embedded.ProbeHTTP("http://"+health+path)); err != nil {
		return nil, errors.Join(err, p.Kill())
	}
	return p, nil
}

func (r *rig) stop(ctx context.Context) error {
	var errs []error
	if r.registry != nil {
		errs = append(errs, r.registry.Stop(ctx))
	}
	for _, c := range []*pgx.Conn{r.admin, r.watcher} {
		if c != nil {
			errs = append(errs, c.Close(ctx))
		}
	}
	if r.topics != nil {
		errs = append(errs, r.topics.Close())
	}
	if r.kafka != nil {
		errs = append(errs, r.kafka.Kill()) // its data goes with it
	}
	if r.postgres != nil {
		errs = append(errs, r.postgres.Kill())
	}
	if r.dir != "" {
		errs = append(errs, os.RemoveAll(r.dir))
	}
	return errors.Join(errs...)
}
