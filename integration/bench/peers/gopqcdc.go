package main

import (
	"context"
	_ "embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"

	"github.com/hopluu/hopluu/cmd/hopluu/embedded"
	"github.com/hopluu/hopluu/schemas/event"
	"github.com/hopluu/hopluu/schemas/topic"
	"github.com/jackc/pgx/v5"
)

//go:embed gopqcdc/main.go.txt
var goPqCDCDriver []byte

const (
	goPqCDCModule  = "github.com/Trendyol/go-pq-cdc"
	goPqCDCVersion = "v1.10.12"
	kafkaModule    = "github.com/Trendyol/go-pq-cdc-kafka"
)

// buildGoPqCDC builds the driver in a module of its own, so that nothing of the
// peer is in ours. Where no module proxy has the peer, -go-pq-cdc names a folder
// with checkouts of its two repositories.
func (r *rig) buildGoPqCDC(ctx context.Context) (string, error) {
	dir := filepath.Join(r.dir, "gopqcdc")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	if err := os.WriteFile(filepath.Join(dir, "main.go"), goPqCDCDriver, 0o644); err != nil {
		return "", err
	}
	steps := [][]string{{"mod", "init", "driver"}}
	if sources := r.options.goPqCDC; sources != "" {
		sources, err := filepath.Abs(sources)
		if err != nil {
			return "", err
		}
		steps = append(steps,
			[]string{"mod", "edit", "-require", goPqCDCModule + "@" + goPqCDCVersion, "-require", kafkaModule + "@v0.0.0",
				"-replace", goPqCDCModule + "=" + filepath.Join(sources, "go-pq-cdc"), "-replace", kafkaModule + "=" + filepath.Join(sources, "go-pq-cdc-kafka")})
	}
	steps = append(steps, []string{"mod", "tidy", "-e"}, []string{"build", "-o", "driver", "."})
	for _, step := range steps {
		cmd := exec.CommandContext(ctx, "go", step...)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			return "", &missingError{fmt.Sprintf("go %s: %s; -go-pq-cdc names a folder with checkouts of go-pq-cdc and go-pq-cdc-kafka", step[0], firstLine(string(out)))}
		}
	}
	return filepath.Join(dir, "driver"), nil
}

// newGoPqCDC is the peer in our own language.
func (r *rig) newGoPqCDC(ctx context.Context) (*contender, error) {
	bin, err := r.buildGoPqCDC(ctx)
	if err != nil {
		return nil, err
	}
	c := &contender{name: goPqCDC, slot: "bench_gopqcdc", topic: "gopqcdc.public.visit", passesBig: true, noTombstones: true}
	if err := r.createSlot(ctx, c.slot); err != nil {
		return nil, err
	}
	if _, err := r.topics.Ensure(ctx, topic.Spec{Name: c.topic, Partitions: partitions, Replication: 1}); err != nil {
		return nil, err
	}
	login, err := pgx.ParseConfig(r.postgres.DSN(database))
	if err != nil {
		return nil, err
	}
	port, err := embedded.FreePort()
	if err != nil {
		return nil, err
	}
	environment := []string{
		"PEER_HOST=" + login.Host, "PEER_PORT=" + strconv.Itoa(int(login.Port)), "PEER_USER=" + login.User, "PEER_PASSWORD=" + login.Password,
		"PEER_DATABASE=" + database, "PEER_PUBLICATION=" + publication, "PEER_SLOT=" + c.slot, "PEER_METRICS=" + strconv.Itoa(port),
		"PEER_TOPIC=" + c.topic, "PEER_BROKER=" + r.kafka.Addr,
	}
	c.start = func(ctx context.Context, _ event.LSN) (*process, error) {
		p, err := embedded.StartSelf(ctx, goPqCDC, bin, nil, environment, filepath.Join(r.dir, "gopqcdc.log"))
		if err != nil {
			return nil, err
		}
		return ofEmbedded(p), nil
	}
	return c, r.startOnce(ctx, c)
}
