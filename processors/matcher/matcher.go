package matcher

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/hopluu/hopluu/processors/identity/linkage"
	"github.com/hopluu/hopluu/schemas/registry"
	"github.com/hopluu/hopluu/schemas/seal"
	"github.com/hopluu/hopluu/schemas/sectors"
	"github.com/hopluu/hopluu/schemas/topic"
)

// SourceRef names one source database and the sector whose file describes it.
type SourceRef struct {
	Name, Sector string
}

// Config is what a matcher needs. All fields are required that say nothing else.
type Config struct {
	Kafka    *topic.Client
	Registry *registry.Client
	Sectors  *sectors.Set
	// Sources are all sources of the platform: links of records of any other
	// are withdrawn.
	Sources []SourceRef
	// TransactionalID is the same for every matcher of a platform, and names
	// their consumer group too: they share the work.
	TransactionalID string
	Log             *slog.Logger
	Metrics         prometheus.Registerer
	// Reviewers may ask Handler; none when empty.
	Reviewers []Reviewer
	// TwoPersons asks that a second reviewer says the same before a decision is
	// in force.
	TwoPersons bool
	// Vault opens what connectors sealed; nil when they seal nothing.
	Vault *seal.Ring
	// SinkGroup is the sink's consumer group, whose part of an erasure is waited
	// for; none when empty.
	SinkGroup string
	// Model and Frequencies are what is decided by; without, those of
	// DefaultModel.
	Model       *linkage.Model
	Frequencies *linkage.Frequencies
}

// DefaultModel is the model that comes with the program.
const DefaultModel = "city"

const (
	// batchRecords and batchWait say when what was read is published.
	batchRecords = 5000
	batchWait    = 200 * time.Millisecond
	// topicsWait is how often missing topics are looked for.
	topicsWait = 2 * time.Second
	// transactionTimeout leaves time to solve and publish the records of a
	// whole city in one transaction; brokers allow 15 minutes by default.
	transactionTimeout = 10 * time.Minute
)

// Matcher links records to persons, from Run until its context ends.
type Matcher struct {
	config Config
	log    *slog.Logger
	model  *linkage.Model
	known  *linkage.Frequencies
	lanes  map[string]*lane // by vault topic

	engine   *linkage.Engine
	turn     *turn
	producer *topic.Producer // of who solves
	edges    *edgeTopic
	links    *linkWriter
	events   *eventWriter
	letters  *letterBox
	desk     *desk
	calls    *calls
	metrics  *metrics
	decoder  *decoder
	erased   *eraser

	reader    *topic.Reader             // at the positions, but for what is held; nil between turns
	held      []topic.Batch             // read, and not yet taken
	positions map[topic.Partition]int64 // where to read on
	stable    map[topic.Partition]int64 // what the broker had when last asked
	// staleDelete is the record whose deletion, the last event of a partition,
	// came too late: the tombstone that follows it does too.
	staleDelete map[topic.Partition]string
	// markers are those of new snapshots that did not come in every partition
	// of their topic yet.
	markers map[marked]marker
	asOf    int64 // the latest commit time at a source, in microseconds

	unready atomic.Pointer[string]
}

// New makes a matcher; it does not connect to anything.
func New(c Config) (*Matcher, error) {
	model, known, err := modelOf(c)
	if err != nil {
		return nil, err
	}
	lanes, err := lanesOf(c.Sectors, c.Sources)
	if err != nil {
		return nil, err
	}
	m := &Matcher{
		config: c, log: c.Log, model: model, known: known, lanes: lanes,
		decoder: newDecoder(c.Registry, c.Vault), calls: newCalls(), letters: &letterBox{},
	}
	if m.metrics, err = newMetrics(c.Metrics, lanes); err != nil {
		return nil, err
	}
	m.notReady("the matcher has not started")
	return m, nil
}

// Ready is nil once the records of all vault topics were solved and published.
func (m *Matcher) Ready() error {
	if why := m.unready.Load(); why != nil {
		return errors.New(*why)
	}
	return nil
}

func (m *Matcher) notReady(why string) { m.unready.Store(&why) }

// Run matches until ctx ends, which is no error. Any error ends it for good:
// started again, it builds its state anew from the topics.
func (m *Matcher) Run(ctx context.Context) (err error) {
	defer m.notReady("the matcher has stopped")
	defer func() {
		if ctx.Err() != nil && errors.Is(err, context.Cause(ctx)) {
			err = nil
		}
	}()
	if err := m.waitForTopics(ctx); err != nil {
		return err
	}
	kafka, schemas := m.config.Kafka, m.config.Registry
	if m.edges, err = openEdges(ctx, m); err != nil {
		return err
	}
	if m.links, err = newLinkWriter(ctx, kafka, schemas); err != nil {
		return err
	}
	if m.events, err = newEventWriter(ctx, kafka, schemas); err != nil {
		return err
	}
	if m.desk, err = openDesk(ctx, kafka, schemas, m.decoder); err != nil {
		return err
	}
	for {
		// Outside of the group: who decides by the model in force is not kept from it.
		if err := m.awaitModel(ctx); err != nil {
			return err
		}
		missing, err := m.load(ctx)
		if err != nil {
			return err
		}
		err = m.takeTurns(ctx, missing)
		if !asOtherModel(err) {
			return err
		}
		m.log.Warn("this matcher leaves its group", "error", err)
		m.metrics.turn(&turn{})
	}
}

// reset forgets what an earlier Run knew.
func (m *Matcher) reset() (err error) {
	if m.engine, err = linkage.NewEngine(m.model, m.known); err != nil {
		return err
	}
	m.engine.GoOn = func() error { return m.turn.goesOn() }
	m.desk.reset(m.engine)
	m.letters.met = nil
	m.positions, m.stable = map[topic.Partition]int64{}, map[topic.Partition]int64{}
	m.staleDelete = map[topic.Partition]string{}
	m.markers = map[marked]marker{}
	m.asOf = 0
	m.erased = &eraser{said: map[string]saidErasure{}}
	return nil
}

// publish compares what changed and commits the edges of our shares. Who solves
// then solves it, once it has the edges of the others too, and commits the links,
// with the merges and splits that it made, what people said and is to be asked of
// them, and the dead letters so far, as one transaction.
func (m *Matcher) publish(ctx context.Context) error {
	started := time.Now()
	if err := m.compare(ctx); err != nil {
		return err
	}
	if !m.turn.solves {
		m.engine.Rest()
		return nil
	}
	if err := m.agree(ctx); err != nil {
		return err
	}
	if m.calls.collected() {
		if err := m.calls.serve(ctx, m.desk); err != nil {
			return fmt.Errorf("matcher: %w", err)
		}
		// Who is erased by a call leaves no edge (P12).
		if err := m.compare(ctx); err != nil {
			return err
		}
	}
	millis := m.asOf / 1000
	changes := 0
	err := m.engine.Solve(func(c *linkage.Change) error {
		changes++
		return m.links.add(ctx, c, millis)
	}, func(e *linkage.Event) error {
		m.metrics.happened(e)
		return m.events.add(ctx, e, millis, m.desk.isErased)
	})
	if err != nil {
		return fmt.Errorf("matcher: links cannot be written: %w", err)
	}
	if err := m.desk.publish(ctx, millis); err != nil {
		return fmt.Errorf("matcher: reviews cannot be written: %w", err)
	}
	if err := m.saidErased(ctx); err != nil {
		return fmt.Errorf("matcher: the erasure ledger cannot be written: %w", err)
	}
	if err := m.letters.publish(ctx); err != nil {
		return err
	}
	if err := m.producer.Commit(ctx); err != nil {
		return fmt.Errorf("matcher: links cannot be committed: %w", err)
	}
	m.letters.committed()
	m.calls.answer(m.desk)
	m.metrics.asked(m.desk.open)
	m.metrics.published(m.engine, changes, time.Since(started))
	return nil
}
