package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"

	"github.com/hopluu/hopluu/cmd/hopluu/embedded"
	"github.com/hopluu/hopluu/cmd/hopluu/embedded/parts"
	"github.com/hopluu/hopluu/schemas/event"
	"github.com/hopluu/hopluu/schemas/topic"
	"github.com/jackc/pgx/v5"
)

var (
	//go:embed debezium/pom.xml
	debeziumPOM []byte
	//go:embed debezium/worker.properties
	debeziumWorker []byte
	//go:embed debezium/connector.properties
	debeziumConnector []byte
)

// debeziumHeap is more than it needs, so that it is not the collector that is
// measured.
const debeziumHeap = "2g"

// debeziumJars fetches Debezium and Kafka Connect through Maven, once.
func debeziumJars(ctx context.Context) (string, error) {
	cache, err := parts.DefaultDir()
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(debeziumPOM)
	dir := filepath.Join(cache, "debezium-"+hex.EncodeToString(sum[:4]))
	if _, err := os.Stat(dir); err == nil {
		return dir, nil
	}
	mvn, err := exec.LookPath("mvn")
	if err != nil {
		return "", &missingError{"mvn, which fetches it, is not in PATH"}
	}
	project, err := os.MkdirTemp(cache, ".unfinished-debezium-")
	if err != nil {
		return "", err
	}
	if err := os.WriteFile(filepath.Join(project, "pom.xml"), debeziumPOM, 0o644); err != nil {
		return "", err
	}
	jars := filepath.Join(project, "jars")
	cmd := exec.CommandContext(ctx, mvn, "--batch-mode", "--quiet", "--strict-checksums", "dependency:copy-dependencies", "-DoutputDirectory="+jars)
	cmd.Dir = project
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", errors.Join(&missingError{"mvn could not fetch it: " + firstLine(string(out))}, os.RemoveAll(project))
	}
	// Whole or not at all: moved to its place by one rename.
	return dir, errors.Join(os.Rename(jars, dir), os.RemoveAll(project))
}

func (r *rig) newDebezium(ctx context.Context) (*contender, error) {
	jars, err := debeziumJars(ctx)
	if err != nil {
		return nil, err
	}
	c := &contender{name: debezium, slot: "bench_debezium", topic: "debezium.public.visit", committed: jsonCommitTime}
	if err := r.createSlot(ctx, c.slot); err != nil {
		return nil, err
	}
	// As many partitions as ours has.
	if _, err := r.topics.Ensure(ctx, topic.Spec{Name: c.topic, Partitions: partitions, Replication: 1}); err != nil {
		return nil, err
	}
	dir := filepath.Join(r.dir, "debezium")
	if err := r.configureDebezium(dir); err != nil {
		return nil, err
	}
	c.start = func(ctx context.Context, _ event.LSN) (*process, error) {
		p, err := embedded.StartSelf(ctx, debezium, r.parts.Java, []string{
			"-Xmx" + debeziumHeap, "-Djava.io.tmpdir=" + dir, "-Dlog4j2.configurationFile=file:" + filepath.Join(dir, "log4j2.properties"),
			"-cp", filepath.Join(jars, "*"), "org.apache.kafka.connect.cli.ConnectStandalone",
			filepath.Join(dir, "worker.properties"), filepath.Join(dir, "connector.properties"),
		}, nil, filepath.Join(r.dir, "debezium.log"))
		if err != nil {
			return nil, err
		}
		return ofEmbedded(p), nil
	}
	return c, r.startOnce(ctx, c)
}

func (r *rig) configureDebezium(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	port, err := embedded.FreePort()
	if err != nil {
		return err
	}
	login, err := pgx.ParseConfig(r.postgres.DSN(database))
	if err != nil {
		return err
	}
	worker := fmt.Appendf(bytes.Clone(debeziumWorker), "\nbootstrap.servers=%s\nlisteners=http://127.0.0.1:%d\noffset.storage.file.filename=%s\n",
		r.kafka.Addr, port, filepath.Join(dir, "offsets"))
	connector := fmt.Appendf(bytes.Clone(debeziumConnector), "\ndatabase.hostname=%s\ndatabase.port=%d\ndatabase.user=%s\ndatabase.password=%s\ndatabase.dbname=%s\n",
		login.Host, login.Port, login.User, login.Password, database)
	logging := []byte("rootLogger.level=warn\nrootLogger.appenderRefs=stdout\nrootLogger.appenderRef.stdout.ref=STDOUT\nappender.stdout.type=Console\nappender.stdout.name=STDOUT\nappender.stdout.layout.type=PatternLayout\nappender.stdout.layout.pattern=%d %p %c %m%n\n")
	return errors.Join(
		os.WriteFile(filepath.Join(dir, "worker.properties"), worker, 0o600),
		os.WriteFile(filepath.Join(dir, "connector.properties"), connector, 0o600),
		os.WriteFile(filepath.Join(dir, "log4j2.properties"), logging, 0o644))
}

// jsonCommitTime finds source.ts_us in Debezium's JSON. It takes no parser: at
// thousands of rows a second that would be measured too.
func jsonCommitTime(value []byte) (int64, error) {
	_, source, _ := bytes.Cut(value, []byte(`"source":{`))
	_, rest, found := bytes.Cut(source, []byte(`"ts_us":`))
	end := bytes.IndexAny(rest, ",}")
	if !found || end < 0 {
		return 0, errors.New("an event of Debezium without source.ts_us")
	}
	return strconv.ParseInt(string(rest[:end]), 10, 64)
}
