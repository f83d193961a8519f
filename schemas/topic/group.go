package topic

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/segmentio/kafka-go"
)

// GroupConfig names a consumer group and what its members share out.
type GroupConfig struct {
	ID     string
	Topics []string
}

// Group is one member of a consumer group. It is given partitions for a
// generation at a time; any member that comes or goes begins a new one.
type Group struct {
	c       *Client
	config  GroupConfig
	group   *kafka.ConsumerGroup
	current *Generation
}

// Intervals of the group protocol.
const (
	heartbeatInterval = time.Second
	// After a broker came back, kafka-go joins as a new member, and the group
	// waits for the old one until its session ends: so it is short.
	sessionTimeout   = 10 * time.Second
	rebalanceTimeout = 30 * time.Second
)

// Join makes a member of the group. Partitions are shared out by ranges, so
// that topics with the same number of partitions go along together. The topics
// must be there.
func (c *Client) Join(ctx context.Context, config GroupConfig) (*Group, error) {
	have, err := c.PartitionCounts(ctx, config.Topics...)
	if err != nil {
		return nil, err
	}
	for _, t := range config.Topics {
		if _, ok := have[t]; !ok {
			return nil, fmt.Errorf("group %s: topic %s is not there: %w", config.ID, t, kafka.UnknownTopicOrPartition)
		}
	}
	g, err := kafka.NewConsumerGroup(kafka.ConsumerGroupConfig{
		ID:                     config.ID,
		Brokers:                c.config.Brokers,
		Dialer:                 c.dialer(),
		Topics:                 config.Topics,
		GroupBalancers:         []kafka.GroupBalancer{rangeBalancer{}},
		HeartbeatInterval:      heartbeatInterval,
		SessionTimeout:         sessionTimeout,
		RebalanceTimeout:       rebalanceTimeout,
		JoinGroupBackoff:       500 * time.Millisecond,
		PartitionWatchInterval: 5 * time.Second,
		WatchPartitionChanges:  true,
	})
	if err != nil {
		return nil, fmt.Errorf("group %s: %w", config.ID, err)
	}
	return &Group{c: c, config: config, group: g}, nil
}

// Next waits for the member's next generation. Calling it says that the
// previous generation's work has ended: until then the member does not join
// the next one, so that, within the rebalance timeout, nobody else is given
// partitions that are still worked on.
func (g *Group) Next(ctx context.Context) (*Generation, error) {
	g.letGo()
	var since time.Time
	for {
		next, err := g.group.Next(ctx)
		if err == nil {
			g.current = newGeneration(g, next)
			return g.current, nil
		}
		switch {
		case ctx.Err() != nil:
			return nil, context.Cause(ctx)
		case errors.Is(err, kafka.ErrGroupClosed):
			return nil, fmt.Errorf("group %s: %w", g.config.ID, ErrClosed)
		case since.IsZero():
			since = time.Now()
		}
		if !rejoins(err) || time.Since(since) > g.c.patience {
			return nil, fmt.Errorf("group %s cannot be joined: %w", g.config.ID, err)
		}
	}
}

// rejoins tells whether a member that was refused may ask again.
func rejoins(err error) bool {
	return retriable(err) || errors.Is(err, kafka.RebalanceInProgress) || errors.Is(err, kafka.UnknownMemberId) ||
		errors.Is(err, kafka.IllegalGeneration) || errors.Is(err, kafka.MemberIDRequired)
}

// Close leaves the group.
func (g *Group) Close() error {
	g.letGo()
	return g.group.Close()
}

func (g *Group) letGo() {
	if g.current != nil {
		g.current.release()
		g.current = nil
	}
}

// Generation is what a member may work on until the next rebalance.
type Generation struct {
	group    *Group
	inner    *kafka.Generation
	assigned map[Partition]int64
	done     chan struct{}
	released chan struct{}
	release  func()
}

func newGeneration(g *Group, inner *kafka.Generation) *Generation {
	gen := &Generation{
		group:    g,
		inner:    inner,
		assigned: make(map[Partition]int64),
		done:     make(chan struct{}),
		released: make(chan struct{}),
	}
	gen.release = sync.OnceFunc(func() { close(gen.released) })
	for topic, parts := range inner.Assignments {
		for _, p := range parts {
			// kafka-go has a negative number for "from the start" here.
			gen.assigned[Partition{topic, int32(p.ID)}] = max(p.Offset, -1)
		}
	}
	inner.Start(func(ctx context.Context) {
		select {
		case <-ctx.Done():
			close(gen.done)
			// kafka-go joins the next generation when this returns.
			select {
			case <-gen.released:
			case <-time.After(rebalanceTimeout):
			}
		case <-gen.released: // the member leaves
			close(gen.done)
		}
	})
	return gen
}

// Assigned gives the member's partitions and the offset that the group
// committed for each, -1 when it committed none.
func (gen *Generation) Assigned() map[Partition]int64 { return gen.assigned }

// Done is closed when the generation ends.
func (gen *Generation) Done() <-chan struct{} { return gen.done }

// Commit notes the offsets at which the group goes on. It is refused with
// ErrGenerationEnded when a rebalance has left this member behind.
func (gen *Generation) Commit(ctx context.Context, offsets map[Partition]int64) error {
	noted := make(map[Partition]Noted, len(offsets))
	for p, offset := range offsets {
		noted[p] = Noted{Offset: offset}
	}
	return gen.CommitNoted(ctx, noted)
}

// CommitNoted is Commit with a note beside each offset.
func (gen *Generation) CommitNoted(ctx context.Context, offsets map[Partition]Noted) error {
	err := gen.group.c.commit(ctx, gen.group.config.ID, int(gen.inner.ID), gen.inner.MemberID, offsets)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, kafka.IllegalGeneration), errors.Is(err, kafka.UnknownMemberId), errors.Is(err, kafka.FencedInstanceID), errors.Is(err, kafka.RebalanceInProgress):
		return fmt.Errorf("group %s: %w: %w", gen.group.config.ID, ErrGenerationEnded, err)
	}
	return fmt.Errorf("group %s cannot commit: %w", gen.group.config.ID, err)
}
