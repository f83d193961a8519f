package harness

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/network"
	"github.com/testcontainers/testcontainers-go"
	"github.com/testcontainers/testcontainers-go/wait"

	"github.com/hopluu/hopluu/cmd/hopluu/embedded"
)

// containersEnv asks for containers where an engine and images are there.
const containersEnv = "HOPLUU_TEST_CONTAINERS"

// Images of the parts; the environment may name others, e.g. of a mirror.
func imagePostgres(version int) string {
	if version != 0 {
		return firstSet(os.Getenv("HOPLUU_TEST_IMAGE_POSTGRES"+strconv.Itoa(version)), "postgres:"+strconv.Itoa(version))
	}
	return firstSet(os.Getenv("HOPLUU_TEST_IMAGE_POSTGRES"), "postgres:18")
}
func imageKafka() string {
	return firstSet(os.Getenv("HOPLUU_TEST_IMAGE_KAFKA"), "apache/kafka:4.1.0")
}
func imageClickHouse() string {
	return firstSet(os.Getenv("HOPLUU_TEST_IMAGE_CLICKHOUSE"), "clickhouse/clickhouse-server:26.5")
}

func firstSet(texts ...string) string {
	for _, t := range texts {
		if t != "" {
			return t
		}
	}
	return ""
}

// useContainers says where the parts of this test process come from. It is
// decided once, and logged.
var useContainers = sync.OnceValue(func() bool {
	ctx, cancel := context.WithTimeout(context.Background(), startTime)
	defer cancel()
	yes, why := choose(os.Getenv(containersEnv), func() error { return imagesReady(ctx) })
	slog.Info("harness: the real parts are "+map[bool]string{true: "containers", false: "processes of this machine"}[yes], "why", why)
	return yes
})

// choose decides between containers and local processes.
func choose(asked string, ready func() error) (containers bool, why string) {
	if asked != "1" {
		return false, containersEnv + " is not 1"
	}
	if err := ready(); err != nil {
		return false, "containers were asked for, but " + err.Error()
	}
	return true, containersEnv + " is 1, and engine and images are there"
}

// imagesReady says why containers cannot be used: no engine, or an image that
// is neither there nor can be pulled.
func imagesReady(ctx context.Context) (err error) {
	provider, err := testcontainers.NewDockerProvider()
	if err != nil {
		return fmt.Errorf("no container engine: %w", err)
	}
	defer func() { err = errors.Join(err, provider.Close()) }()
	if err := provider.Health(ctx); err != nil {
		return fmt.Errorf("the container engine does not answer: %w", err)
	}
	have, err := provider.ListImages(ctx)
	if err != nil {
		return fmt.Errorf("the container engine does not list its images: %w", err)
	}
	for _, name := range []string{imagePostgres(0), imagePostgres(OldestPostgres), imageKafka(), imageClickHouse()} {
		if slices.ContainsFunc(have, func(i testcontainers.ImageInfo) bool { return i.Name == name }) {
			continue
		}
		if err := provider.PullImage(ctx, name); err != nil {
			return fmt.Errorf("the image %s is not there: %w", name, err)
		}
	}
	return nil
}

// box is a container that tests can kill and start again.
type box struct {
	c     testcontainers.Container
	addr  string
	ready func(ctx context.Context, addr string) error
}

func (b *box) Kill() error { return b.stop(context.Background(), 0) }

func (b *box) Stop(ctx context.Context) error { return b.stop(ctx, 20*time.Second) }

// stop with no time at all is a SIGKILL.
func (b *box) stop(ctx context.Context, within time.Duration) error {
	return b.c.Stop(ctx, &within)
}

func (b *box) Restart(ctx context.Context) error {
	if err := b.c.Start(ctx); err != nil {
		return err
	}
	return Poll(ctx, func(ctx context.Context) error { return b.ready(ctx, b.addr) })
}

func (b *box) remove() error { return testcontainers.TerminateContainer(b.c) }

// runBox starts an image with one of its ports on a free port of this
// machine, always the same one, so that it stays over a restart.
func runBox(ctx context.Context, image, port string, ready func(ctx context.Context, addr string) error, request func(hostPort int) testcontainers.ContainerRequest) (*box, error) {
	hostPort, err := embedded.FreePort()
	if err != nil {
		return nil, err
	}
	req := request(hostPort)
	req.Image = image
	req.ExposedPorts = []string{port}
	req.WaitingFor = wait.ForListeningPort(port).SkipInternalCheck().WithStartupTimeout(2 * time.Minute)
	parsed, err := network.ParsePort(port)
	if err != nil {
		return nil, err
	}
	req.HostConfigModifier = func(h *container.HostConfig) {
		h.PortBindings = network.PortMap{parsed: []network.PortBinding{{HostPort: strconv.Itoa(hostPort)}}}
	}
	c, err := testcontainers.GenericContainer(ctx, testcontainers.GenericContainerRequest{ContainerRequest: req, Started: true})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("harness: the container %s: %w", image, err), testcontainers.TerminateContainer(c))
	}
	host, err := c.Host(ctx)
	if err != nil {
		return nil, errors.Join(err, testcontainers.TerminateContainer(c))
	}
	b := &box{c: c, addr: host + ":" + strconv.Itoa(hostPort), ready: ready}
	if err := Poll(ctx, func(ctx context.Context) error { return ready(ctx, b.addr) }); err != nil {
		return nil, errors.Join(fmt.Errorf("harness: the container %s: %w", image, err), b.remove())
	}
	return b, nil
}

func containerPostgres(ctx context.Context, o options) (*PostgresServer, func() error, error) {
	const user, password = "postgres", "for-tests-only"
	args := []string{"postgres", "-c", "wal_level=logical", "-c", "max_replication_slots=20", "-c", "max_wal_senders=20"}
	for name, value := range o.settings {
		args = append(args, "-c", name+"="+value)
	}
	s := &PostgresServer{User: user, Password: password}
	b, err := runBox(ctx, imagePostgres(o.version), "5432/tcp", func(ctx context.Context, addr string) error {
		s.Addr = addr
		return embedded.ProbePostgres(ctx, s.DSN("postgres"))
	}, func(int) testcontainers.ContainerRequest {
		return testcontainers.ContainerRequest{Cmd: args, Env: map[string]string{"POSTGRES_USER": user, "POSTGRES_PASSWORD": password}}
	})
	if err != nil {
		return nil, nil, err
	}
	s.life = b
	return s, b.remove, nil
}

func containerKafka(ctx context.Context, o options) (*KafkaBroker, func() error, error) {
	b, err := runBox(ctx, imageKafka(), "9092/tcp", embedded.ProbeKafka, func(hostPort int) testcontainers.ContainerRequest {
		env := map[string]string{
			"KAFKA_PROCESS_ROLES":                            "broker,controller",
			"KAFKA_NODE_ID":                                  "1",
			"KAFKA_LISTENERS":                                "PLAINTEXT://:9092,CONTROLLER://:9093",
			"KAFKA_ADVERTISED_LISTENERS":                     "PLAINTEXT://127.0.0.1:" + strconv.Itoa(hostPort),
			"KAFKA_CONTROLLER_LISTENER_NAMES":                "CONTROLLER",
			"KAFKA_LISTENER_SECURITY_PROTOCOL_MAP":           "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
			"KAFKA_CONTROLLER_QUORUM_VOTERS":                 "1@localhost:9093",
			"KAFKA_AUTO_CREATE_TOPICS_ENABLE":                "false",
			"KAFKA_LOG_RETENTION_MS":                         "-1",
			"KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR":         "1",
			"KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR": "1",
			"KAFKA_TRANSACTION_STATE_LOG_MIN_ISR":            "1",
			"KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS":         "0",
		}
		for name, value := range o.settings {
			env["KAFKA_"+strings.ToUpper(strings.ReplaceAll(name, ".", "_"))] = value
		}
		return testcontainers.ContainerRequest{Env: env}
	})
	if err != nil {
		return nil, nil, err
	}
	return &KafkaBroker{b.addr, b}, b.remove, nil
}

func containerClickHouse(ctx context.Context) (*ClickHouseServer, func() error, error) {
	const user, password = "hopluu", "for-tests-only"
	b, err := runBox(ctx, imageClickHouse(), "8123/tcp", func(ctx context.Context, addr string) error {
		return embedded.ProbeHTTP("http://" + addr + "/ping")(ctx)
	}, func(int) testcontainers.ContainerRequest {
		return testcontainers.ContainerRequest{Env: map[string]string{"CLICKHOUSE_USER": user, "CLICKHOUSE_PASSWORD": password, "CLICKHOUSE_DEFAULT_ACCESS_MANAGEMENT": "1"}}
	})
	if err != nil {
		return nil, nil, err
	}
	return &ClickHouseServer{b.addr, user, password, b}, b.remove, nil
}
