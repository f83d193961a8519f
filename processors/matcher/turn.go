package matcher

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/hopluu/hopluu/processors/identity/linkage"
	"github.com/hopluu/hopluu/schemas/topic"
)

// Every matcher of a platform reads the vault and knows all records. The work is
// shared out by the group: whoever has a partition of identity.edge compares
// within that share of the blocks and writes what it finds there, and who has
// partition 0 solves. What it publishes is of one set of records, its own and
// the others' edges: it waits for them where they are behind, and reads on where
// they are ahead. A pair whose records change may change its share, and would be
// in both or in neither for a while: a split or a merge that no record tells.

// turn is what one generation of the group gives a matcher to do.
type turn struct {
	gen       *topic.Generation
	ours      []int
	solves    bool
	producers map[int]*topic.Producer // of our shares
	others    map[int]*other          // by share; only who solves has them
	stop      context.CancelFunc
	reading   sync.WaitGroup
	told      map[topic.Partition]int64 // how far we last said that we are
	accepted  bool                      // a person accepted our model, whatever the links are of
}

// other is a share that another matcher compares.
type other struct {
	// progress is what the edges that were taken are of, to the record; nil while
	// not all are taken that were found at once.
	progress offsets
	batches  chan topic.Batch
	held     []topic.Record
	failed   error // once batches is closed
}

// errTurnOver ends the work of a turn: the group shares out anew.
var errTurnOver = errors.New("the group shares out its work anew")

// goesOn is errTurnOver when the group shares out anew. What is long asks it now
// and then: the group gives up a member that does not come in half a minute, and
// with a city that takes longer two would throw each other out for ever.
func (t *turn) goesOn() error {
	select {
	case <-t.gen.Done():
		return errTurnOver
	default:
		return nil
	}
}

const (
	// edgesInOne bounds a transaction of edges: each is true without the others.
	edgesInOne = 20_000
	// fencedWait is how long a generation may take to end that ended for the
	// others already.
	fencedWait = 20 * time.Second
)

// takeTurns works as the group shares out, until ctx ends.
func (m *Matcher) takeTurns(ctx context.Context, missing []string) (err error) {
	m.notReady("the group has not shared out the work yet; after a crash that takes some seconds")
	group, err := m.config.Kafka.Join(ctx, topic.GroupConfig{ID: m.config.TransactionalID, Topics: []string{topic.IdentityEdge}})
	if err != nil {
		return fmt.Errorf("matcher: %w", err)
	}
	defer func() { err = errors.Join(err, group.Close()) }()
	for {
		gen, err := group.Next(ctx)
		if err != nil {
			return fmt.Errorf("matcher: %w", err)
		}
		missing, err = m.takeTurn(ctx, gen, missing)
		switch {
		case err == nil:
		case errors.Is(err, topic.ErrFenced) && ends(ctx, gen):
			// The others did not wait for us. What we said since our last commit
			// is not true; what we know of it is no more than memory.
			m.log.Warn("this matcher was too slow for its group and begins anew", "error", err)
			if missing, err = m.load(ctx); err != nil {
				return err
			}
		default:
			return err
		}
		m.notReady("the group shares out its work anew")
		m.log.Info("the group shares out its work anew")
	}
}

// ends waits for the end of a generation that another has fenced.
func ends(ctx context.Context, gen *topic.Generation) bool {
	timer := time.NewTimer(fencedWait)
	defer timer.Stop()
	select {
	case <-gen.Done():
		return true
	case <-timer.C:
	case <-ctx.Done():
	}
	return false
}

// takeTurn works for one generation, and gives the vault topics that are still
// missing.
func (m *Matcher) takeTurn(ctx context.Context, gen *topic.Generation, missing []string) (still []string, err error) {
	t := &turn{gen: gen, producers: map[int]*topic.Producer{}, others: map[int]*other{}, stop: func() {}}
	for part := range gen.Assigned() {
		t.ours = append(t.ours, int(part.ID))
	}
	slices.Sort(t.ours)
	t.solves = slices.Contains(t.ours, 0)
	m.turn = t
	defer func() {
		t.stop()
		t.reading.Wait()
		err = errors.Join(err, m.endReading())
		m.calls.collect()
		m.calls.leave()
		for _, p := range t.producers {
			err = errors.Join(err, p.Close())
		}
		if m.producer != nil {
			err = errors.Join(err, m.producer.Close())
			m.producer = nil
		}
		if errors.Is(err, errTurnOver) {
			err = nil
		}
	}()
	m.log.Info("shares of the comparing", "shares", t.ours, "of", m.edges.partitions, "solves", t.solves)
	if err := m.openTurn(ctx, t); err != nil {
		return missing, err
	}
	if missing, err = m.begin(ctx, t, missing); err != nil {
		return missing, err
	}
	return m.follow(ctx, missing)
}

// openTurn makes the producers of a turn. They end those who had its work
// before, and what these left open.
func (m *Matcher) openTurn(ctx context.Context, t *turn) error {
	var err error
	for _, share := range t.ours {
		t.producers[share], err = m.config.Kafka.NewProducer(ctx, topic.ProducerConfig{TransactionalID: m.config.TransactionalID + ".edge." + strconv.Itoa(share)})
		if err != nil {
			return fmt.Errorf("matcher: %w", err)
		}
	}
	m.metrics.turn(t)
	if !t.solves {
		return nil
	}
	m.producer, err = m.config.Kafka.NewProducer(ctx, topic.ProducerConfig{
		TransactionalID: m.config.TransactionalID, TransactionTimeout: transactionTimeout,
	})
	if err != nil {
		return fmt.Errorf("matcher: %w", err)
	}
	m.links.producer, m.events.producer, m.desk.producer = m.producer, m.producer, m.producer
	return m.letters.open(ctx, m.config.Kafka, m.producer, m.lanes)
}

// begin finds what is published, and publishes what should be: first the edges
// of our shares, then, by who solves, the links.
func (m *Matcher) begin(ctx context.Context, t *turn, missing []string) ([]string, error) {
	started := time.Now()
	// Another model may have been accepted since we joined.
	var err error
	if t.accepted, err = m.accepted(ctx); err != nil {
		return missing, err
	}
	for told := false; ; {
		m.notReady("the vault topics are being read")
		if err := m.catchUp(ctx); err != nil {
			return missing, err
		}
		m.notReady("identity.edge is being read")
		if err := m.engine.Share(int(m.edges.partitions), t.ours); err != nil {
			return missing, fmt.Errorf("matcher: %w", err)
		}
		if err := m.readEdges(ctx, t); err != nil {
			return missing, err
		}
		if !t.solves {
			break
		}
		m.notReady("identity.link is being read")
		m.desk.begin()
		err := m.restore(ctx, missing)
		var lost *lostTopicError
		if err == nil {
			break
		} else if !errors.As(err, &lost) {
			return missing, err
		}
		m.notReady(err.Error())
		if !told {
			told = true
			m.log.Error("waiting for the topics rather than withdrawing the links: restore them, or make them empty with 'hopluu topics create', or take their source out of the configuration", "topics", lost.topics)
		}
		if err := m.waitForLost(ctx, t, lost.topics); err != nil {
			return missing, err
		}
		if missing, err = m.enlist(ctx, missing); err != nil {
			return missing, err
		}
	}
	if t.solves {
		if err := m.desk.restore(ctx, m.config.Kafka); err != nil {
			return missing, err
		}
	}
	m.notReady("the records are being matched")
	if err := m.publish(ctx); err != nil {
		return missing, err
	}
	m.unready.Store(nil)
	if !t.solves {
		m.log.Info("records compared, another matcher solves", "duration", time.Since(started).Round(time.Millisecond).String())
		return missing, nil
	}
	if people, outgrown := m.engine.Outgrown(); outgrown {
		m.log.Warn("the register has grown beyond the city that the model is for: train a model of a larger city and give it with identity.model, as docs/linkage.md says", "people", people, "model_people", m.model.Live.People, "model", m.model.Version)
	}
	m.log.Info("records matched", "duration", time.Since(started).Round(time.Millisecond).String(), "partition_hash", m.engine.PartitionHash().String())
	return missing, nil
}

// readEdges takes what is published of our shares; and of all others, where we
// solve, which are followed from there on.
func (m *Matcher) readEdges(ctx context.Context, t *turn) error {
	t.stop()
	t.reading.Wait()
	reading, stop := context.WithCancel(ctx)
	t.stop = stop
	clear(t.others)
	var parts []topic.Partition
	for share := range int(m.edges.partitions) {
		if t.solves || slices.Contains(t.ours, share) {
			parts = append(parts, topic.Partition{Topic: topic.IdentityEdge, ID: int32(share)})
		}
		if t.solves && !slices.Contains(t.ours, share) {
			t.others[share] = &other{batches: make(chan topic.Batch, 1)}
		}
	}
	positions, err := m.config.Kafka.StartOffsets(ctx, parts...)
	if err != nil {
		return fmt.Errorf("matcher: %w", err)
	}
	ends, err := m.config.Kafka.EndOffsets(ctx, parts...)
	if err != nil {
		return fmt.Errorf("matcher: %w", err)
	}
	err = m.readTo(ctx, positions, ends, func(b *topic.Batch) error {
		if err := t.goesOn(); err != nil {
			return err
		}
		for i := range b.Records {
			if err := m.takeEdge(ctx, &b.Records[i]); err != nil {
				return err
			}
		}
		positions[b.Partition] = b.Next
		return nil
	})
	if err != nil {
		return err
	}
	for share, o := range t.others {
		part := topic.Partition{Topic: topic.IdentityEdge, ID: int32(share)}
		reader := m.config.Kafka.NewReader(map[topic.Partition]int64{part: positions[part]})
		t.reading.Go(func() { o.read(reading, reader) })
	}
	return nil
}

// read reads on until ctx ends. It runs beside the matcher, which takes from
// batches.
func (o *other) read(ctx context.Context, reader *topic.Reader) {
	defer close(o.batches)
	for {
		batches, err := reader.Poll(ctx)
		for i := range batches {
			select {
			case o.batches <- batches[i]:
			case <-ctx.Done():
				err = context.Cause(ctx)
			}
		}
		if err != nil {
			o.failed = errors.Join(err, reader.Close())
			return
		}
	}
}

// takeEdge takes a message of identity.edge.
func (m *Matcher) takeEdge(ctx context.Context, rec *topic.Record) error {
	c, progress, err := m.edges.read(ctx, m.decoder, rec)
	if err != nil {
		return fmt.Errorf("matcher: %w", err)
	}
	o := m.turn.others[c.Share]
	if o != nil {
		o.progress = progress
	}
	if progress != nil {
		return nil
	}
	if o != nil && c.Weight != c.Weight {
		c.Deleted = true // another model's: its matcher is not yet one of ours
	}
	return m.engine.TakeEdge(&c)
}

// mostRounds bounds how often those who share the work are brought to one set of
// records. Two are after the second round. Three or four, each of which goes on
// meanwhile, may not be while changes pour in: what they publish is then of
// slightly different sets, and right a moment later.
const mostRounds = 4

// agree brings the others and us to the same records: nobody behind, nobody
// ahead.
func (m *Matcher) agree(ctx context.Context) error {
	for round := 0; ; round++ {
		if err := m.await(ctx); err != nil {
			return err
		}
		ahead := m.turn.ahead(m.positions)
		if len(ahead) == 0 || round == mostRounds {
			return nil
		}
		if err := m.readOn(ctx, ahead); err != nil {
			return err
		}
		if err := m.compare(ctx); err != nil {
			return err
		}
	}
}

// ahead gives where the others are beyond positions.
func (t *turn) ahead(positions map[topic.Partition]int64) map[topic.Partition]int64 {
	ahead := map[topic.Partition]int64{}
	for _, o := range t.others {
		for part, next := range positions {
			if theirs := o.progress[part.Topic][part.ID]; theirs > max(next, ahead[part]) {
				ahead[part] = theirs
			}
		}
	}
	return ahead
}

// await takes the edges of the others until they have seen all that we have, and
// no further: what they saw later is taken with its records.
func (m *Matcher) await(ctx context.Context) error {
	for share, o := range m.turn.others {
		for told := time.Now(); !o.progress.cover(m.positions); {
			if len(o.held) > 0 {
				if err := m.takeEdge(ctx, &o.held[0]); err != nil {
					return err
				}
				o.held = o.held[1:]
				continue
			}
			select {
			case batch, ok := <-o.batches:
				if !ok {
					return fmt.Errorf("matcher: %w", o.failed)
				}
				o.held = batch.Records
			case <-m.turn.gen.Done():
				return errTurnOver
			case <-ctx.Done():
				return context.Cause(ctx)
			case <-time.After(othersWait):
				if time.Since(told) < othersWait {
					continue
				}
				told = time.Now()
				m.log.Warn("waiting for the matcher that compares a share: is it up, with the same configuration?", "share", share)
			}
		}
	}
	return nil
}

// othersWait is how often it is told that another matcher is waited for.
const othersWait = 30 * time.Second

// compare writes what changed of the edges of our shares, and then how far we
// are: who solves takes edges up to there.
func (m *Matcher) compare(ctx context.Context) error {
	t, millis := m.turn, m.asOf/1000
	err := m.engine.Compare(func(c *linkage.EdgeChange) error {
		m.metrics.edges.Inc()
		p := t.producers[c.Share]
		if err := m.edges.change(ctx, p, c, millis); err != nil {
			return err
		}
		if n, _ := p.Pending(); n >= edgesInOne {
			return p.Commit(ctx)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("matcher: edges cannot be written: %w", err)
	}
	if !t.solves {
		// Who solves needs not tell itself.
		for share, p := range t.producers {
			if err := m.edges.progress(ctx, p, int32(share), m.positions, millis); err != nil {
				return fmt.Errorf("matcher: edges cannot be written: %w", err)
			}
		}
		t.told = maps.Clone(m.positions)
	}
	var commits sync.WaitGroup
	failed := make([]error, len(t.ours))
	for i, share := range t.ours {
		commits.Go(func() { failed[i] = t.producers[share].Commit(ctx) })
	}
	commits.Wait()
	if err := errors.Join(failed...); err != nil {
		return fmt.Errorf("matcher: edges cannot be committed: %w", err)
	}
	return nil
}
