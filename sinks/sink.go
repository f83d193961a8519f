package sinks

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/hopluu/hopluu/schemas/topic"
)

// Config says what a sink reads and how it batches.
type Config struct {
	Kafka  *topic.Client
	Group  string
	Topics []string // those that are not there yet are waited for
	// A batch is written when it has this many rows or bytes, or when this
	// much time went by since its first record.
	BatchRows  int
	BatchBytes int
	BatchWait  time.Duration
	// Held tells whether an operator holds a lane still: its partitions are not
	// read, so that its records wait in Kafka in their order. Nil: none ever is.
	Held func(lane string) bool
	// Thinned: the store lets go of old records by itself, so that it may lack
	// the last of a partition.
	Thinned bool
	Health  *Health
	Log     *slog.Logger
	Metrics prometheus.Registerer
}

// watchInterval is how often topics that are missing are looked for, and the
// lag is measured.
const watchInterval = 3 * time.Second

// Sink reads topics into a Store.
type Sink struct {
	Config
	store   Store
	metrics *metrics
	working atomic.Bool // a generation is at work
}

// New makes a sink. Nothing is connected before Run.
func New(c Config, store Store) (*Sink, error) {
	m, err := newMetrics(c.Metrics)
	if err != nil {
		return nil, fmt.Errorf("sink metrics: %w", err)
	}
	return &Sink{Config: c, store: store, metrics: m}, nil
}

// Ready is nil when the sink has its partitions and waits for nothing.
func (s *Sink) Ready() error {
	if err := s.Health.Ready(); err != nil {
		return err
	}
	if !s.working.Load() {
		return errors.New("no partitions assigned yet")
	}
	return nil
}

// errTopics ends a session whose topics are not all any more.
var errTopics = errors.New("topics were created")

// Run works until ctx ends, which is no error, or something happens that
// waiting does not mend.
func (s *Sink) Run(ctx context.Context) error {
	for {
		topics, err := s.existing(ctx)
		if err == nil {
			err = s.session(ctx, topics)
		}
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, errTopics):
		case err != nil:
			return err
		}
	}
}

// existing waits until at least one of the topics is there, and gives those
// that are.
func (s *Sink) existing(ctx context.Context) ([]string, error) {
	told := false
	for {
		var counts map[string]int32
		err := s.Health.Retry(ctx, "Kafka", func(ctx context.Context) (err error) {
			counts, err = s.Kafka.PartitionCounts(ctx, s.Topics...)
			return err
		})
		if err != nil {
			return nil, err
		}
		if len(counts) > 0 {
			topics := slices.Sorted(maps.Keys(counts))
			if missing := without(s.Topics, counts); len(missing) > 0 {
				s.Log.Info("topics that are not there yet are waited for", "topics", strings.Join(missing, " "))
			}
			return topics, nil
		}
		if !told {
			told = true
			s.Log.Info("none of the topics is there yet: the connectors make them, or `hopluu topics create`", "topics", strings.Join(s.Topics, " "))
		}
		if err := pause(ctx, watchInterval/3); err != nil {
			return nil, err
		}
	}
}

func without(topics []string, have map[string]int32) (missing []string) {
	for _, t := range topics {
		if _, ok := have[t]; !ok {
			missing = append(missing, t)
		}
	}
	return missing
}

// session is one membership of the group: generation after generation, until
// topics that were missing are there.
func (s *Sink) session(ctx context.Context, topics []string) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	if len(topics) < len(s.Topics) {
		go s.watch(ctx, topics, cancel)
	}
	var group *topic.Group
	err := s.Health.Retry(ctx, "Kafka", func(ctx context.Context) (err error) {
		group, err = s.Kafka.Join(ctx, topic.GroupConfig{ID: s.Group, Topics: topics})
		return err
	})
	if err != nil {
		return err
	}
	defer func() {
		s.working.Store(false)
		if err := group.Close(); err != nil {
			s.Log.Warn("leaving the group", "error", err)
		}
	}()
	for {
		var gen *topic.Generation
		err := s.Health.Retry(ctx, "Kafka", func(ctx context.Context) (err error) {
			gen, err = group.Next(ctx)
			return err
		})
		if err != nil {
			return err
		}
		// The writer of a generation has stopped when generation returns, and
		// the group's next one begins with group.Next: no stale batch is
		// written beside a new owner's.
		if err := s.generation(ctx, gen); err != nil {
			return err
		}
	}
}

// watch ends the session when more topics are there, and no others came since
// the last look: they come in groups.
func (s *Sink) watch(ctx context.Context, topics []string, end context.CancelCauseFunc) {
	last := len(topics)
	for pause(ctx, watchInterval) == nil {
		counts, err := s.Kafka.PartitionCounts(ctx, s.Topics...)
		if err != nil {
			continue // the readers tell that Kafka is away
		}
		if len(counts) > len(topics) && len(counts) == last {
			end(errTopics)
			return
		}
		last = len(counts)
	}
}

func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-t.C:
		return nil
	}
}
