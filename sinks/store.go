package sinks

import (
	"context"
	"errors"

	"github.com/hopluu/hopluu/schemas/topic"
)

// ErrFull is what Batch.Add returns for a record that has to go into the next
// batch, such as the first one of a new schema. It was not added.
var ErrFull = errors.New("the record belongs into the next batch")

// Store keeps what a sink reads. One goroutine calls Lane, Resume, Hold,
// Prepare, Open and Batch.Add; Batch.Write, Mark and CaughtUp run beside it, but never two
// writes of one lane.
type Store interface {
	// Lane names the batches that the records of a topic go to: a data set,
	// which one or many topics feed.
	Lane(topicName string) string
	// Resume begins a generation with these partitions. It tells for each the
	// offset after the last record that the store holds for good, 0 when it
	// holds none. Records below it that are read again are not kept twice.
	Resume(ctx context.Context, parts []topic.Partition) (map[topic.Partition]int64, error)
	// Hold raises what Resume said of a partition: records below next are about
	// to be written, before any that are added later.
	Hold(p topic.Partition, next int64)
	// Epoch is the number by which the store tells a range that is written again
	// on purpose from one that is only sent again. NewEpoch raises it above a
	// number, and says why.
	Epoch() uint32
	NewEpoch(ctx context.Context, above uint32, reason string) error
	// Retries gives records that could not be applied when they came, and that are
	// to be tried again now, in the order of their offsets, until they are in a
	// batch.
	Retries(ctx context.Context) ([]topic.Record, error)
	// Prepare is called now and then between reads.
	Prepare(ctx context.Context) error
	// Open begins a batch of a lane.
	Open(lane string) Batch
	// Mark gives, for each source, the newest commit time read so far, in
	// microseconds since 1970-01-01 UTC.
	Mark() Mark
	// CaughtUp tells that what was in the partitions when mark was taken is
	// written, up to the given offsets.
	CaughtUp(ctx context.Context, mark Mark, next map[topic.Partition]int64) error
}

// Mark is commit times by source.
type Mark map[string]int64

// Range is the records of one partition from offset First to before Next, as
// they are written in one go. Under the same epoch the same range is written
// once, however often and by whomever it is sent.
type Range struct {
	Epoch       uint32
	First, Next int64
}

// Batch is records of one lane on their way into the store.
type Batch interface {
	// Add takes a record, in the order of its partition's offsets. It keeps
	// nothing of the record's memory. An error other than ErrFull stops the
	// sink: what may pass is waited for inside.
	Add(ctx context.Context, r *topic.Record) error
	// Retry takes a record of Store.Retries.
	Retry(ctx context.Context, r *topic.Record) error
	// Drop gives up a batch of which nothing was written. One goroutine calls it,
	// as with Add.
	Drop()
	// Rows and Bytes are what the batch holds.
	Rows() int
	Bytes() int
	// Newest is the newest commit time in the batch, in microseconds, 0 when
	// it has none.
	Newest() int64
	// Held is the offset after the last record of a partition that the store
	// keeps for good when the batch is written, 0 when it has none.
	Held(p topic.Partition) int64
	// Write puts the batch into the store. next are the offsets after the
	// batch's records, ranges what of them is new to the store. It can be called
	// again after an error.
	Write(ctx context.Context, next map[topic.Partition]int64, ranges map[topic.Partition]Range) error
}
