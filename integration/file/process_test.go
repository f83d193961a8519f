package file

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/hopluu/hopluu/connectors"
	"github.com/hopluu/hopluu/connectors/file"
	"github.com/hopluu/hopluu/integration/harness"
	"github.com/hopluu/hopluu/schemas/registry"
	"github.com/hopluu/hopluu/schemas/sectors"
	"github.com/hopluu/hopluu/schemas/token"
	"github.com/hopluu/hopluu/schemas/topic"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
)

// processEnv makes the test program a connector instead, so that it can be
// killed as a process is.
const processEnv = "HOPLUU_FILE_CONNECTOR"

// setting is what the process needs to know.
type setting struct {
	Source, Location, Scratch, Registry string
	Brokers                             []string
	Tables                              []file.Table
}

// runProcess captures until it is killed.
func runProcess(text string) int {
	if err := capture(text); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

func capture(text string) (err error) {
	var s setting
	if err := json.Unmarshal([]byte(text), &s); err != nil {
		return err
	}
	sector, err := sectors.Parse("labour.yaml", []byte(labour))
	if err != nil {
		return err
	}
	client, err := topic.Dial(context.Background(), topic.Config{Brokers: s.Brokers, ClientID: "test"})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, client.Close()) }()
	tokens, err := token.New(tokenKey)
	if err != nil {
		return err
	}
	records, err := token.NewRecord(recordKey)
	if err != nil {
		return err
	}
	return file.New(file.Config{
		Source: s.Source, Location: s.Location, Sector: *sector, Tables: s.Tables, Interval: interval, Scratch: s.Scratch,
		Kafka: client, Registry: registry.New(s.Registry), Tokens: tokens, Records: records,
		Topics: connectors.Topics{Partitions: 2, Replication: 1, MinISR: 1}, MaxRowBytes: 1 << 20,
		Log: slog.New(slog.NewTextHandler(os.Stderr, nil)), Metrics: prometheus.NewRegistry(),
	}).Run(context.Background())
}

// startProcess runs the connector as a process of its own until kill.
func (r *rig) startProcess() (kill func()) {
	r.t.Helper()
	text, err := json.Marshal(setting{r.config.Source, r.config.Location, r.config.Scratch, r.web, harness.Kafka(r.t).Brokers(), r.config.Tables})
	require.NoError(r.t, err)
	command := exec.Command(os.Args[0])
	command.Env = append(os.Environ(), processEnv+"="+string(text))
	command.Stderr = r.logged
	require.NoError(r.t, command.Start())
	ended := false
	kill = func() {
		if ended {
			return
		}
		ended = true
		require.NoError(r.t, command.Process.Kill())
		var exit *exec.ExitError
		err := command.Wait()
		require.True(r.t, errors.As(err, &exit) && !exit.Exited(), "the process ended by itself: %v", err)
	}
	r.t.Cleanup(kill)
	return kill
}

// told is how many files the connector has said to be taken in.
func (r *rig) told() int { return strings.Count(r.logged.String(), "file taken in") }

// complete tells whether n files are taken in, as the state says it: an end may
// come between the last commit of a file and the word of it.
func (r *rig) complete(n int) bool {
	if r.told() >= n {
		return true
	}
	found := 0
	for _, record := range r.state() {
		if strings.HasPrefix(record, "content/") {
			found++
		}
	}
	return found >= n
}

// interval between two looks in tests.
const interval = 20 * time.Millisecond

var (
	tokenKey  = token.Key{Version: 1, Secret: []byte(strings.Repeat("k", 32))}
	recordKey = token.Key{Version: 1, Secret: []byte(strings.Repeat("r", 32))}
)
