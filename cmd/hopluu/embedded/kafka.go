package embedded

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/hopluu/hopluu/cmd/hopluu/embedded/parts"
	"github.com/hopluu/hopluu/deploy/local"
)

// KafkaConfig says how a broker is started.
type KafkaConfig struct {
	Parts    parts.Paths
	Dir      string            // holds configuration, metadata, log and ports, and the topics unless LogDir is set
	LogDir   string            // holds the topics; a test may put it on a disk that it fills
	Port     int               // wanted port, 0 for any; another one when it is taken
	Heap     string            // of the Java machine, "512m" when empty
	Settings map[string]string // over our own
	Listener string            // one more listener, NAME://host:port, whose protocol Settings says; for tests
	// QuickStart compiles less, and has a shorter session: the broker starts
	// sooner, also after a kill, and is slower later. For tests.
	QuickStart bool
	Log        *slog.Logger
}

// Kafka is a running broker; clients connect to Addr.
type Kafka struct {
	*Process
}

// kafkaDefaults are for one broker that is its own controller.
var kafkaDefaults = map[string]string{
	"process.roles":                                               "broker,controller",
	"node.id":                                                     "1",
	"controller.listener.names":                                   "CONTROLLER",
	"listener.security.protocol.map":                              "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
	"inter.broker.listener.name":                                  "PLAINTEXT",
	"auto.create.topics.enable":                                   "false",
	"default.replication.factor":                                  "1",
	"min.insync.replicas":                                         "1",
	"offsets.topic.replication.factor":                            "1",
	"offsets.topic.num.partitions":                                "8",
	"transaction.state.log.replication.factor":                    "1",
	"transaction.state.log.min.isr":                               "1",
	"transaction.state.log.num.partitions":                        "8",
	"share.coordinator.state.topic.replication.factor":            "1",
	"share.coordinator.state.topic.min.isr":                       "1",
	"share.coordinator.state.topic.num.partitions":                "1",
	"group.initial.rebalance.delay.ms":                            "0",
	"transaction.abort.timed.out.transaction.cleanup.interval.ms": "1000",
	"log.segment.bytes":                                           "134217728",
	"log.index.size.max.bytes":                                    "1048576",
	"log.cleaner.dedupe.buffer.size":                              "33554432",
	"num.network.threads":                                         "2",
	"num.io.threads":                                              "4",
	"background.threads":                                          "2",
}

// StartKafka formats the broker's folders when they are new, starts it and
// waits until it answers as a broker. ctx bounds the start, not its life.
func StartKafka(ctx context.Context, cfg KafkaConfig) (*Kafka, error) {
	if cfg.Heap == "" {
		cfg.Heap = "512m"
	}
	dir, err := filepath.Abs(cfg.Dir)
	if err != nil {
		return nil, fmt.Errorf("cannot start Kafka: %w", err)
	}
	if cfg.LogDir == "" {
		cfg.LogDir = filepath.Join(dir, "topics")
	}
	if err := makePassable(dir); err != nil {
		return nil, fmt.Errorf("cannot start Kafka: %w", err)
	}
	port, err := choosePort(dir, "port", cfg.Port)
	if err != nil {
		return nil, fmt.Errorf("cannot start Kafka: %w", err)
	}
	controller, err := choosePort(dir, "controller-port", 0)
	if err != nil {
		return nil, fmt.Errorf("cannot start Kafka: %w", err)
	}
	if err := configureKafka(dir, cfg, port, controller); err != nil {
		return nil, fmt.Errorf("cannot start Kafka: %w", err)
	}
	if err := formatKafka(ctx, dir, cfg); err != nil {
		return nil, fmt.Errorf("cannot start Kafka: %w", err)
	}
	k := &Kafka{&Process{
		Name: "Kafka",
		Addr: address(port),
		Log:  filepath.Join(dir, "log"),
		launch: launch{
			command: func() (*exec.Cmd, error) {
				if err := errors.Join(freeSoon(port), freeSoon(controller)); err != nil {
					return nil, err
				}
				if err := errors.Join(os.RemoveAll(scratch(dir)), os.MkdirAll(scratch(dir), 0o755)); err != nil {
					return nil, err
				}
				return javaCommand(context.Background(), cfg, dir, brokerClass, filepath.Join(dir, "server.properties")), nil
			},
			ready: func(ctx context.Context) error { return ProbeKafka(ctx, address(port)) },
			stop:  syscall.SIGTERM, orphan: syscall.SIGKILL, grace: stopBound,
		},
	}}
	if err := k.start(ctx); err != nil {
		return nil, err
	}
	return k, nil
}

// configureKafka writes server.properties and the logging configuration.
func configureKafka(dir string, cfg KafkaConfig, port, controller int) error {
	settings := map[string]string{
		"listeners":                "PLAINTEXT://" + address(port) + ",CONTROLLER://" + address(controller),
		"advertised.listeners":     "PLAINTEXT://" + address(port) + ",CONTROLLER://" + address(controller),
		"controller.quorum.voters": "1@" + address(controller),
		"log.dirs":                 cfg.LogDir,
		"metadata.log.dir":         filepath.Join(dir, "metadata"),
	}
	for k, v := range kafkaDefaults {
		settings[k] = v
	}
	if cfg.Listener != "" {
		settings["listeners"] += "," + cfg.Listener
		settings["advertised.listeners"] += "," + cfg.Listener
	}
	// A killed broker may come back only when its session has ended; one that
	// is starved of the processor for that long stands still for a moment.
	settings["broker.heartbeat.interval.ms"] = "500"
	settings["broker.session.timeout.ms"] = "6000"
	if cfg.QuickStart {
		settings["broker.session.timeout.ms"] = "3000"
	}
	for k, v := range cfg.Settings {
		settings[k] = v
	}
	names := make([]string, 0, len(settings))
	for k := range settings {
		names = append(names, k)
	}
	slices.Sort(names)
	var b bytes.Buffer
	for _, k := range names {
		// In a Java properties file a backslash escapes.
		fmt.Fprintf(&b, "%s=%s\n", k, strings.ReplaceAll(settings[k], `\`, `\\`))
	}
	if err := os.WriteFile(filepath.Join(dir, "server.properties"), b.Bytes(), 0o644); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "log4j2.properties"), local.KafkaLogging, 0o644)
}

// formatKafka gives new folders their cluster id. A folder of topics that is
// new beside known metadata is formatted with the cluster id of the metadata.
func formatKafka(ctx context.Context, dir string, cfg KafkaConfig) error {
	formatted := true
	for _, d := range []string{filepath.Join(dir, "metadata"), cfg.LogDir} {
		_, err := os.Stat(filepath.Join(d, "meta.properties"))
		if errors.Is(err, fs.ErrNotExist) {
			formatted = false
		} else if err != nil {
			return err
		}
	}
	if formatted {
		return nil
	}
	id, err := clusterID(dir)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(cfg.LogDir, 0o755); err != nil {
		return err
	}
	cmd := javaCommand(ctx, cfg, dir, "kafka.tools.StorageTool", "format", "--ignore-formatted", "-t", id, "-c", filepath.Join(dir, "server.properties"))
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("formatting its folders failed: %w: %s", err, lastLine(string(out)))
	}
	return nil
}

func clusterID(dir string) (string, error) {
	file := filepath.Join(dir, "cluster-id")
	content, err := os.ReadFile(file)
	if err == nil && len(content) > 0 {
		return string(content), nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	raw := make([]byte, 16)
	_, _ = rand.Read(raw) // never fails: crypto/rand ends the program instead
	raw[0] &= 0x7f        // an id that begins with '-' looks like a flag
	id := base64.RawURLEncoding.EncodeToString(raw)
	return id, os.WriteFile(file, []byte(id), 0o644)
}

const brokerClass = "kafka.Kafka"

// scratch is where the broker unpacks its native compressors. A broker that is
// killed leaves them: beside its data they are gone with the next start, in the
// machine's own folder they would pile up.
func scratch(dir string) string { return filepath.Join(dir, "tmp") }

// javaCommand runs a class of Kafka's jars; ctx kills it when it ends.
func javaCommand(ctx context.Context, cfg KafkaConfig, dir, class string, args ...string) *exec.Cmd {
	java := []string{
		"-Xmx" + cfg.Heap,
		"-XX:+UseSerialGC", // of all collectors the smallest, for a heap this size
		"-XX:+ExitOnOutOfMemoryError",
		"-Djava.awt.headless=true",
		"-Djava.io.tmpdir=" + scratch(dir),
		"-XX:-UsePerfData", // no file of counters in the machine's own folder
		"-Dlog4j2.configurationFile=file:" + filepath.Join(dir, "log4j2.properties"),
		"-cp", filepath.Join(cfg.Parts.Kafka, "*"),
		class,
	}
	if cfg.QuickStart || class != brokerClass {
		java = append([]string{"-XX:TieredStopAtLevel=1"}, java...)
	}
	cmd := exec.CommandContext(ctx, cfg.Parts.Java, append(java, args...)...)
	cmd.Dir = dir
	return cmd
}

// ProbeKafka is a probe of readiness: it asks the broker at addr for the
// cluster's metadata (Metadata, version 1, no topic) and wants a broker in the answer: a broker that is still catching up
// answers without one.
func ProbeKafka(ctx context.Context, addr string) error {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }() // a probe: the answer is all we want
	if deadline, ok := ctx.Deadline(); ok {
		if err := conn.SetDeadline(deadline); err != nil {
			return err
		}
	}
	request := []byte{
		0, 0, 0, 14, // length
		0, 3, 0, 1, // Metadata, version 1
		0, 0, 0, 7, // correlation id
		0xff, 0xff, // no client id
		0, 0, 0, 0, // no topics
	}
	if _, err := conn.Write(request); err != nil {
		return err
	}
	answer := make([]byte, 12) // length, correlation id, number of brokers
	if _, err := io.ReadFull(conn, answer); err != nil {
		return err
	}
	if binary.BigEndian.Uint32(answer[8:]) == 0 {
		return errors.New("the broker has not joined its cluster yet")
	}
	return nil
}
