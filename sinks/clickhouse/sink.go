package clickhouse

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/hopluu/hopluu/schemas/registry"
	"github.com/hopluu/hopluu/schemas/sectors"
	"github.com/hopluu/hopluu/schemas/topic"
	"github.com/hopluu/hopluu/sinks"
)

// SourceRef is one source and the sector whose file describes it.
type SourceRef struct{ Name, Sector string }

// Config is what a sink is made of. Zero batch limits and an empty group stand
// for the defaults.
type Config struct {
	Kafka      *topic.Client
	Registry   *registry.Client
	Sectors    *sectors.Set
	Sources    []SourceRef
	ClickHouse *clickhouse.Options
	// Cluster is the name of the ClickHouse cluster, and Shards the replicas of
	// each of its shards, in their order; both empty without one.
	Cluster string
	Shards  []*clickhouse.Options
	Group   string // consumer group
	// A batch of a data set is written when it has this many rows or bytes, or
	// this much time went by since its first record.
	BatchRows  int
	BatchBytes int
	BatchWait  time.Duration
	// Held tells whether an operator holds a data set, "health_patient", still.
	// Nil: none ever is.
	Held func(dataset string) bool
	// BronzeRetention is how long bronze keeps every event after it landed; of
	// older ones it keeps the last of each record. 0 for ever.
	BronzeRetention time.Duration
	Log             *slog.Logger
	Metrics         prometheus.Registerer
}

const (
	defaultGroup      = "hopluu-sink"
	defaultBatchRows  = 100_000
	defaultBatchBytes = 64 << 20
	defaultBatchWait  = time.Second
	// maxBatchRows keeps one insert one block, and so one part: ClickHouse
	// cuts larger ones.
	maxBatchRows = 1_000_000
)

// Sink lands topics in ClickHouse.
type Sink struct {
	loop   *sinks.Sink
	store  *store
	health *sinks.Health
}

// New makes a sink. It opens no connection: Run does.
func New(c Config) (*Sink, error) {
	c.Group = cmp.Or(c.Group, defaultGroup)
	c.BatchRows = min(cmp.Or(c.BatchRows, defaultBatchRows), maxBatchRows)
	c.BatchBytes = cmp.Or(c.BatchBytes, defaultBatchBytes)
	c.BatchWait = cmp.Or(c.BatchWait, defaultBatchWait)
	routes, err := newRoutes(c.Sectors, c.Sources)
	if err != nil {
		return nil, err
	}
	m, err := newMetrics(c.Metrics)
	if err != nil {
		return nil, fmt.Errorf("sink metrics: %w", err)
	}
	server, shards, err := openAll(&c)
	if err != nil {
		return nil, err
	}
	health := sinks.NewHealth(c.Log)
	s := &store{
		server: server, shards: shards, kafka: c.Kafka, registry: c.Registry, sectors: c.Sectors, group: c.Group, retention: c.BronzeRetention,
		routes: routes, health: health, log: c.Log, metrics: m,
		lanes: map[string]*lane{}, values: map[schemaKey]*valueSchema{}, keys: map[uint32]*keySchema{},
		mark: sinks.Mark{}, fresh: map[topic.Partition]freshness{},
		gold: newGold(server, c.Log), restater: newRestater(server, routes, m, c.Log),
	}
	s.eraser = newEraser(s)
	loop, err := sinks.New(sinks.Config{
		Kafka: c.Kafka, Group: c.Group, Topics: routes.topics(),
		BatchRows: c.BatchRows, BatchBytes: c.BatchBytes, BatchWait: c.BatchWait, Held: c.Held, Thinned: c.BronzeRetention > 0,
		Health: health, Log: c.Log, Metrics: c.Metrics,
	}, s)
	if err != nil {
		return nil, err
	}
	return &Sink{loop: loop, store: s, health: health}, nil
}

// Ready is nil when the sink has its partitions and neither Kafka, the
// registry nor ClickHouse is away.
func (s *Sink) Ready() error { return s.loop.Ready() }

// Run works until ctx ends, which is no error. A server that is away is waited
// for; a refused password, or offsets that are gone, end it.
func (s *Sink) Run(ctx context.Context) (err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer func() { err = errors.Join(err, s.store.shards.close(), s.store.server.conn.Close()) }()
	if err := s.store.start(ctx); err != nil {
		cancel()
		if ctx.Err() != nil && errors.Is(err, context.Canceled) {
			return nil
		}
		return fmt.Errorf("sink: %w", err)
	}
	var beside sync.WaitGroup
	beside.Go(func() { s.store.gold.keep(ctx) })
	beside.Go(func() { s.store.landAudit(ctx) })
	beside.Go(func() { s.store.keepRoles(ctx) })
	beside.Go(func() { s.store.noteReadings(ctx) })
	beside.Go(func() { s.store.eraser.keep(ctx) })
	beside.Go(func() { s.store.restater.keep(ctx) })
	defer beside.Wait()
	defer cancel()
	return s.loop.Run(ctx)
}
