package capture

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/hopluu/hopluu/cmd/hopluu/embedded"
	"github.com/hopluu/hopluu/connectors"
	"github.com/hopluu/hopluu/integration/harness"
	"github.com/hopluu/hopluu/schemas/registry"
	"github.com/hopluu/hopluu/schemas/sectors"
	"github.com/hopluu/hopluu/schemas/topic"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
)

// childEnv makes the test program a connector and nothing else, so that it can
// be killed and stopped as a process. It holds what the connector needs.
const childEnv = "HOPLUU_CAPTURE_CHILD"

type childConfig struct {
	Source, DSN, Slot, Publication, Sector, Registry string
	Brokers                                          []string
	Topics                                           connectors.Topics
	MaxRowBytes                                      int
	Transactions                                     bool
	Messages                                         []string
	Snapshot                                         connectors.Load
}

// startProcess runs the connector as a process of its own.
func (r *rig) startProcess() *embedded.Process {
	r.t.Helper()
	bin, err := os.Executable()
	require.NoError(r.t, err)
	c := r.config
	config, err := json.Marshal(childConfig{Source: c.Source, DSN: c.DSN, Slot: c.Slot, Publication: c.Publication,
		Sector: r.sector, Registry: r.web, Brokers: r.brokers, Topics: c.Topics, MaxRowBytes: c.MaxRowBytes, Transactions: c.Transactions, Messages: c.Messages, Snapshot: c.Snapshot})
	require.NoError(r.t, err)
	return (&harness.Program{Bin: bin}).Start(r.t, "connector", nil, childEnv+"="+string(config))
}

// child is the life of such a process. It ends with status 1 when the connector
// ends by itself, which its log then tells.
func child() int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	if err := runChild(ctx); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

func runChild(ctx context.Context) (err error) {
	var c childConfig
	if err := json.Unmarshal([]byte(os.Getenv(childEnv)), &c); err != nil {
		return err
	}
	sector, err := sectors.Parse("clinic.yaml", []byte(c.Sector))
	if err != nil {
		return err
	}
	kafka, err := topic.Dial(ctx, topic.Config{Brokers: c.Brokers, ClientID: "child"})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, kafka.Close()) }()
	return connectors.New(connectors.Config{
		Source: c.Source, DSN: c.DSN, Slot: c.Slot, Publication: c.Publication, Sector: *sector,
		Kafka: kafka, Registry: registry.New(c.Registry), Tokens: newTokens(), Records: newRecords(), Topics: c.Topics, MaxRowBytes: c.MaxRowBytes, Transactions: c.Transactions, Messages: c.Messages, Snapshot: c.Snapshot,
		Log: slog.Default(), Metrics: prometheus.NewRegistry(),
	}).Run(ctx)
}
