package topic

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/hopluu/hopluu/schemas/topic/recordbatch"
)

// ProducerConfig says how a producer writes.
type ProducerConfig struct {
	// TransactionalID names the one writer that may be alive at a time.
	TransactionalID string
	Compression     Compression
	// TransactionTimeout is how long the broker lets a transaction stay
	// open; default 2 minutes, more than a producer waits for a broker that
	// went away, and at most the broker's transaction.max.timeout.ms.
	TransactionTimeout time.Duration
}

const (
	defaultTransactionTimeout = 2 * time.Minute

	// batchBytes is when a batch is full, before compression, and
	// maxBatchBytes what it never exceeds unless one record alone does:
	// Kafka's max.message.bytes is 1 MiB by default.
	batchBytes    = 512 << 10
	maxBatchBytes = 1000 << 10

	// maxBufferedBytes bounds the records that are not durable yet, over all
	// partitions (P8).
	maxBufferedBytes = 64 << 20
)

// Producer writes records in transactions: what is added between two commits
// shows to read-committed readers at once or not at all, and exactly once
// (P1, P2). One goroutine at a time uses it.
type Producer struct {
	c      *Client
	config ProducerConfig

	id    int64
	epoch int16

	partitions map[Partition]*writing
	open       bool // a transaction is begun on our side
	enrolled   int  // partitions that the coordinator knows to be in it
	records    int  // in the open transaction
	bytes      int
	buffered   int // bytes not durable yet

	failed  error // of the open transaction: it can only be aborted
	unsure  bool  // a batch may still arrive: aborting must raise the epoch
	stale   bool  // so may a request to the coordinator: raise it before the next transaction
	dead    error // of the producer: it can only be closed
	builder []*recordbatch.Builder

	ctx    context.Context // of what is in flight
	cancel context.CancelFunc
}

// writing is one partition's part of the open transaction.
type writing struct {
	Partition
	building *recordbatch.Builder
	inFlight *sending
	sequence int32 // of the next record, in the producer's epoch
	enrolled bool
}

// NewProducer takes the transactional id over: an older producer of the same
// id is fenced, and what it left open is aborted, before this returns.
func (c *Client) NewProducer(ctx context.Context, config ProducerConfig) (*Producer, error) {
	if config.TransactionalID == "" {
		return nil, errors.New("a producer needs a transactional id")
	}
	if config.TransactionTimeout == 0 {
		config.TransactionTimeout = defaultTransactionTimeout
	}
	if config.Compression == 0 {
		config.Compression = c.config.Compression
	}
	p := &Producer{c: c, config: config, partitions: make(map[Partition]*writing)}
	// -1 asks for the transactional id as it is; 0 would be taken for an
	// old producer's id.
	if err := p.initialise(ctx, -1, -1); err != nil {
		return nil, err
	}
	p.ctx, p.cancel = context.WithCancel(context.Background())
	return p, nil
}

// initialise gets the producer's id and a new epoch.
func (p *Producer) initialise(ctx context.Context, id int64, epoch int16) error {
	session, err := retry(ctx, p.c, func(ctx context.Context) (*kafka.ProducerSession, error) {
		res, err := p.c.kafka.InitProducerID(ctx, &kafka.InitProducerIDRequest{
			TransactionalID:      p.config.TransactionalID,
			TransactionTimeoutMs: int(p.config.TransactionTimeout.Milliseconds()),
			ProducerID:           int(id),
			ProducerEpoch:        int(epoch),
		})
		if err != nil {
			return nil, err
		}
		return res.Producer, res.Error
	})
	switch {
	case err == nil:
	case fenced(err):
		return p.die(err)
	case errors.Is(err, kafka.InvalidTransactionTimeout):
		return fmt.Errorf("transactional id %s: the broker allows no transaction of %s; lower the timeout or raise transaction.max.timeout.ms", p.config.TransactionalID, p.config.TransactionTimeout)
	default:
		return fmt.Errorf("transactional id %s cannot be taken: %w", p.config.TransactionalID, err)
	}
	p.id, p.epoch = int64(session.ProducerID), int16(session.ProducerEpoch)
	p.stale = false
	for _, w := range p.partitions {
		w.sequence = 0 // sequences begin anew with each epoch
	}
	return nil
}

// Add puts a record into the open transaction, or begins one. Key, value and
// headers are copied; a nil value is a tombstone; timestampMs is in
// milliseconds since 1970-01-01 UTC. Add waits when the partition's last batch
// is not durable yet while the next one is full.
//
// An error that is not ErrFenced, ErrCommitUnknown or ErrClosed wraps
// ErrMustAbort: the transaction can only be aborted.
func (p *Producer) Add(ctx context.Context, part Partition, key, value []byte, timestampMs int64, headers ...Header) error {
	if err := p.usable(); err != nil {
		return err
	}
	if !p.open {
		if err := p.begin(ctx); err != nil {
			return err
		}
	}
	w := p.partitions[part]
	if w == nil {
		w = &writing{Partition: part}
		p.partitions[part] = w
	}
	size := len(key) + len(value)
	if w.building != nil && w.building.Len()+size > maxBatchBytes {
		if err := p.flush(ctx, w); err != nil {
			return err
		}
	}
	if w.building == nil {
		w.building = p.takeBuilder()
	}
	before := w.building.Len()
	w.building.Append(timestampMs, key, value, headers)
	added := w.building.Len() - before
	p.records++
	p.bytes += added
	p.buffered += added
	if w.building.Len() >= batchBytes {
		return p.flush(ctx, w)
	}
	if p.buffered > maxBufferedBytes { // P8: many partitions, none full
		return p.flushAll(ctx)
	}
	return nil
}

// begin opens a transaction on our side; the coordinator learns of it with its
// first partition. A request to the coordinator that was given up and made
// again may still arrive: late, it could commit the new transaction before its
// time. With the epoch raised it is refused (P2).
func (p *Producer) begin(ctx context.Context) error {
	if p.stale {
		if err := p.initialise(ctx, p.id, p.epoch); err != nil {
			return err
		}
	}
	p.open = true
	return nil
}

// Pending is what the open transaction holds: records, and their bytes before
// compression.
func (p *Producer) Pending() (records, bytes int) { return p.records, p.bytes }

// Commit sends what is left, partitions in parallel, and ends the transaction.
// When it returns nil every record is durable on all in-sync replicas and the
// transaction is committed, whatever crashes then (P1); it shows to readers
// milliseconds later, when the broker has marked its partitions. Without a
// record Commit does nothing.
func (p *Producer) Commit(ctx context.Context) error {
	if err := p.usable(); err != nil {
		return err
	}
	if !p.open {
		return nil
	}
	if err := p.flushAll(ctx); err != nil {
		return err
	}
	if p.enrolled > 0 {
		if err := p.end(ctx, true); err != nil {
			if !fenced(err) {
				err = fmt.Errorf("%w: %w", ErrCommitUnknown, err)
			}
			return p.die(err)
		}
	}
	p.reset()
	return nil
}

// Abort gives the open transaction up: none of its records shows, ever. After
// an error that is not ErrFenced it can be called again.
func (p *Producer) Abort(ctx context.Context) error {
	if p.dead != nil {
		return p.dead
	}
	if !p.open {
		return nil
	}
	p.drop()
	if !p.unsure && p.enrolled > 0 {
		err := p.end(ctx, false)
		if err != nil && fenced(err) {
			return p.die(err)
		}
		p.unsure = err != nil
	}
	if p.unsure {
		// A batch whose answer never came may still arrive, even in the
		// next transaction: with the epoch raised the broker refuses it. Our
		// own id and epoch go along, so that a zombie does not fence its
		// successor. The coordinator aborts what was open.
		if err := p.initialise(ctx, p.id, p.epoch); err != nil {
			p.failed = fmt.Errorf("transaction of %s: %w: %w", p.config.TransactionalID, ErrMustAbort, err)
			return err
		}
	}
	p.reset()
	return nil
}

// Close aborts an open transaction, waiting for it some seconds at most, and
// ends the producer.
func (p *Producer) Close() error {
	var err error
	if p.dead == nil && p.open {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		err = p.Abort(ctx)
	}
	p.drop()
	p.cancel()
	if p.dead == nil {
		p.dead = fmt.Errorf("producer %s: %w", p.config.TransactionalID, ErrClosed)
	}
	return err
}

func (p *Producer) usable() error {
	if p.dead != nil {
		return p.dead
	}
	return p.failed
}

// fail marks the open transaction as one that can only be aborted.
func (p *Producer) fail(err error) error {
	if fenced(err) {
		return p.die(err)
	}
	if p.failed == nil {
		p.failed = fmt.Errorf("transaction of %s: %w: %w", p.config.TransactionalID, ErrMustAbort, err)
	}
	return p.failed
}

// die ends the producer.
func (p *Producer) die(err error) error {
	if fenced(err) {
		err = fmt.Errorf("%w: %w", ErrFenced, err)
	}
	p.dead = fmt.Errorf("transactional id %s: %w", p.config.TransactionalID, err)
	return p.dead
}

// reset is after a commit or an abort: the next Add begins a transaction.
func (p *Producer) reset() {
	p.open, p.unsure, p.failed = false, false, nil
	p.enrolled, p.records, p.bytes, p.buffered = 0, 0, 0, 0
	for _, w := range p.partitions {
		w.enrolled = false
	}
}

// drop throws away what is not sent and gives up what is in flight.
func (p *Producer) drop() {
	p.cancel()
	for _, w := range p.partitions {
		if w.building != nil {
			p.giveBuilder(w.building)
			w.building = nil
		}
		if w.inFlight != nil {
			<-w.inFlight.done // its context is cancelled: it comes at once
			p.settle(w)
		}
	}
	p.ctx, p.cancel = context.WithCancel(context.Background())
}

// end ends the transaction at the coordinator. Asked again, the coordinator
// gives the same answer.
func (p *Producer) end(ctx context.Context, commit bool) error {
	_, err := retry(ctx, p.c, func(ctx context.Context) (struct{}, error) {
		res, err := p.c.kafka.EndTxn(ctx, &kafka.EndTxnRequest{
			TransactionalID: p.config.TransactionalID,
			ProducerID:      int(p.id),
			ProducerEpoch:   int(p.epoch),
			Committed:       commit,
		})
		if err != nil {
			p.stale = true
			return struct{}{}, err
		}
		return struct{}{}, res.Error
	})
	return err
}

func (p *Producer) takeBuilder() *recordbatch.Builder {
	if n := len(p.builder); n > 0 {
		b := p.builder[n-1]
		p.builder = p.builder[:n-1]
		return b
	}
	return new(recordbatch.Builder)
}

// maxSpareBuilders bounds the memory that a quiet producer keeps.
const maxSpareBuilders = 16

func (p *Producer) giveBuilder(b *recordbatch.Builder) {
	b.Reset()
	if len(p.builder) < maxSpareBuilders {
		p.builder = append(p.builder, b)
	}
}
