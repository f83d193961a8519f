package topic

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
	"github.com/segmentio/kafka-go/protocol/produce"
	"github.com/segmentio/kafka-go/protocol/rawproduce"

	"github.com/hopluu/hopluu/schemas/topic/recordbatch"
)

// sending is a batch on its way. done is closed when err is set.
type sending struct {
	Partition
	builder *recordbatch.Builder
	from    recordbatch.Origin
	encoded []byte // the batch, its length before it in four bytes

	done chan struct{}
	err  error
	// lingering is true when an attempt ended without an answer: its
	// connection may still be reading the bytes.
	lingering bool
}

func (s *sending) finish(err error) {
	s.err = err
	close(s.done)
}

// requestBytes bounds what goes to a broker in one request.
const requestBytes = 8 << 20

var encodedBuffers = sync.Pool{New: func() any { return new([]byte) }}

// flush sends the partition's batch, after the one that is in flight: one at a
// time, so that their order and sequences hold whatever is retried.
func (p *Producer) flush(ctx context.Context, w *writing) error {
	if err := p.await(ctx, w); err != nil {
		return err
	}
	if err := p.enrol(ctx); err != nil {
		return err
	}
	p.launch([]*sending{p.seal(w)})
	return nil
}

// flushAll sends every partition's batch, as few requests as may be, and waits
// until all is durable.
func (p *Producer) flushAll(ctx context.Context) error {
	if err := p.enrol(ctx); err != nil {
		return err
	}
	// All are free before one is sealed: a sealed batch that nobody sends would
	// be waited for without end.
	for _, w := range p.partitions {
		if w.building == nil {
			continue
		}
		if err := p.await(ctx, w); err != nil {
			return err
		}
	}
	var batches []*sending
	for _, w := range p.partitions {
		if w.building != nil {
			batches = append(batches, p.seal(w))
		}
	}
	p.launch(batches)
	for _, w := range p.partitions {
		if err := p.await(ctx, w); err != nil {
			return err
		}
	}
	return nil
}

// seal makes the partition's records into a batch to send.
func (p *Producer) seal(w *writing) *sending {
	s := &sending{
		Partition: w.Partition,
		builder:   w.building,
		from:      recordbatch.Origin{ProducerID: p.id, ProducerEpoch: p.epoch, Sequence: w.sequence, Transactional: true},
		done:      make(chan struct{}),
	}
	w.sequence = recordbatch.NextSequence(w.sequence, s.builder.Records())
	w.building, w.inFlight = nil, s
	return s
}

// launch sends the batches in the background, each broker's together.
func (p *Producer) launch(batches []*sending) {
	if len(batches) == 0 {
		return
	}
	go p.c.deliver(p.ctx, p.config, batches)
}

// await waits for the partition's batch in flight.
func (p *Producer) await(ctx context.Context, w *writing) error {
	if w.inFlight == nil {
		return p.usable()
	}
	select {
	case <-w.inFlight.done:
		return p.settle(w)
	case <-ctx.Done():
		return p.fail(context.Cause(ctx))
	}
}

// settle takes the result of the partition's batch, which is done.
func (p *Producer) settle(w *writing) error {
	s := w.inFlight
	w.inFlight = nil
	p.buffered -= s.builder.Len() - recordbatch.Overhead
	p.giveBuilder(s.builder)
	if s.err != nil {
		// Its sequence may be used or not: only a new epoch tells.
		p.unsure = true
		return p.fail(s.err)
	}
	return nil
}

// enrol tells the coordinator which partitions the transaction writes to,
// before anything is sent to them.
func (p *Producer) enrol(ctx context.Context) error {
	var added []*writing
	topics := make(map[string][]kafka.AddPartitionToTxn)
	for _, w := range p.partitions {
		if w.building != nil && !w.enrolled {
			added = append(added, w)
			topics[w.Topic] = append(topics[w.Topic], kafka.AddPartitionToTxn{Partition: int(w.ID)})
		}
	}
	if len(added) == 0 {
		return nil
	}
	_, err := retry(ctx, p.c, func(ctx context.Context) (struct{}, error) {
		res, err := p.c.kafka.AddPartitionsToTxn(ctx, &kafka.AddPartitionsToTxnRequest{
			TransactionalID: p.config.TransactionalID,
			ProducerID:      int(p.id),
			ProducerEpoch:   int(p.epoch),
			Topics:          topics,
		})
		if err != nil {
			p.stale = true
			return struct{}{}, err
		}
		// After EndTxn the coordinator may still be busy with the last
		// transaction: it says so for each partition (51).
		var again error
		for topic, parts := range res.Topics {
			for _, part := range parts {
				if part.Error == nil {
					continue
				}
				err := fmt.Errorf("%s cannot be written to: %w", Partition{topic, int32(part.Partition)}, part.Error)
				if !retriable(err) {
					return struct{}{}, err
				}
				again = err
			}
		}
		return struct{}{}, again
	})
	if err != nil {
		// The coordinator may have some of them: aborting must reach it.
		p.unsure = true
		return p.fail(err)
	}
	for _, w := range added {
		w.enrolled = true
	}
	p.enrolled += len(added)
	return nil
}

// deliver sends the batches until each is durable, refused, or given up:
// retriable errors are met with the very same bytes, which the broker knows by
// their sequence when they come twice (P2).
func (c *Client) deliver(ctx context.Context, config ProducerConfig, batches []*sending) {
	for i, s := range batches {
		if err := s.encode(config.Compression.codec()); err != nil {
			s.finish(fmt.Errorf("%s: %w", s.Partition, err))
			batches[i] = nil
		}
	}
	left := make([]*sending, 0, len(batches))
	for _, s := range batches {
		if s != nil {
			left = append(left, s)
		}
	}
	_, err := retry(ctx, c, func(ctx context.Context) (struct{}, error) {
		var err error
		left, err = c.attempt(ctx, config.TransactionalID, left)
		return struct{}{}, err
	})
	for _, s := range left {
		s.finish(fmt.Errorf("%s: a batch could not be written within %s: %w", s.Partition, c.patience, err))
	}
}

// attempt sends each batch once. It finishes those that are settled and gives
// back those to try again, with one of their errors.
func (c *Client) attempt(ctx context.Context, transactionalID string, batches []*sending) (left []*sending, again error) {
	if len(batches) == 0 {
		return nil, nil
	}
	topics := make([]string, 0, len(batches))
	seen := make(map[string]bool)
	for _, s := range batches {
		if !seen[s.Topic] {
			seen[s.Topic] = true
			topics = append(topics, s.Topic)
		}
	}
	leaders, err := c.leaderOf(ctx, topics)
	if err != nil {
		return batches, err
	}
	type request struct {
		batches []*sending
		bytes   int
		errs    []error
	}
	var requests []*request
	filling := make(map[int32]*request)
	for _, s := range batches {
		leader, ok := leaders[s.Partition]
		if !ok {
			left = append(left, s)
			again = fmt.Errorf("%s has no leader: %w", s.Partition, kafka.LeaderNotAvailable)
			continue
		}
		r := filling[leader]
		if r == nil || r.bytes+len(s.encoded) > requestBytes {
			r = &request{}
			filling[leader] = r
			requests = append(requests, r)
		}
		r.batches = append(r.batches, s)
		r.bytes += len(s.encoded)
	}
	var wg sync.WaitGroup
	for _, r := range requests {
		wg.Go(func() { r.errs = c.produce(ctx, transactionalID, r.batches) })
	}
	wg.Wait()
	for _, r := range requests {
		for i, s := range r.batches {
			switch err := r.errs[i]; {
			case err == nil, errors.Is(err, kafka.DuplicateSequenceNumber): // it was there already
				s.release()
				s.finish(nil)
			case errors.Is(err, kafka.MessageSizeTooLarge), errors.Is(err, kafka.RecordListTooLarge):
				size := len(s.encoded) - 4
				s.release()
				s.finish(&TooLargeError{Partition: s.Partition, Records: s.builder.Records(), Bytes: size})
			case retriable(err):
				left = append(left, s)
				again = err
			default:
				s.release()
				s.finish(fmt.Errorf("%s refuses a batch: %w", s.Partition, err))
			}
		}
	}
	return left, again
}

// produce sends batches to their common leader and gives each one's error.
func (c *Client) produce(ctx context.Context, transactionalID string, batches []*sending) []error {
	req := &rawproduce.Request{
		TransactionalID: transactionalID,
		Acks:            int16(kafka.RequireAll), // P1
		Timeout:         int32(attemptTimeout.Milliseconds()),
	}
	at := make(map[string]int)
	for _, s := range batches {
		i, ok := at[s.Topic]
		if !ok {
			i = len(req.Topics)
			at[s.Topic] = i
			req.Topics = append(req.Topics, rawproduce.RequestTopic{Topic: s.Topic})
		}
		req.Topics[i].Partitions = append(req.Topics[i].Partitions, rawproduce.RequestPartition{
			Partition: s.ID,
			RecordSet: protocol.RawRecordSet{Reader: bytes.NewReader(s.encoded)},
		})
	}
	errs := make([]error, len(batches))
	res, err := ask[*produce.Response](ctx, c, req)
	answers := make(map[Partition]error)
	if err == nil {
		for _, t := range res.Topics {
			for _, p := range t.Partitions {
				answers[Partition{t.Topic, p.Partition}] = makeError(p.ErrorCode)
			}
		}
	}
	for i, s := range batches {
		answer, ok := answers[s.Partition]
		switch {
		case err != nil:
			s.lingering = true
			errs[i] = err
		case !ok:
			errs[i] = fmt.Errorf("the broker's answer leaves %s out: %w", s.Partition, kafka.UnknownTopicOrPartition)
		default:
			errs[i] = answer
		}
	}
	return errs
}

func (s *sending) encode(codec recordbatch.Compression) error {
	buf := encodedBuffers.Get().(*[]byte)
	b, err := s.builder.AppendBatch(append((*buf)[:0], 0, 0, 0, 0), codec, s.from)
	if err != nil {
		encodedBuffers.Put(buf)
		return err
	}
	binary.BigEndian.PutUint32(b, uint32(len(b)-4))
	s.encoded = b
	return nil
}

// release gives the encoded bytes back for reuse, unless a request that was
// given up may still read them.
func (s *sending) release() {
	b := s.encoded
	s.encoded = nil
	if !s.lingering {
		encodedBuffers.Put(&b)
	}
}
