package sinks

import (
	"context"
	"errors"

	"github.com/hopluu/hopluu/schemas/topic"
)

// ErrFull is what Batch.Add returns for a record that has to go into the next
// batch, such as the first one of a new schema. It was not added.
var ErrFull = errors.New("the record belongs into the next batch")

// Store keeps what a sink reads. One goroutine calls Lane, Resume, Open and
// Batch.Add; Batch.Write, Mark and CaughtUp run beside it, but never two
// writes of one lane.
type Store interface {
	// Lane names the batches that the records of a topic go to: a data set,
	// which one or many topics feed.
	Lane(topicName string) string
	// Resume tells for each partition the offset after the last record that
	// the store holds, 0 when it holds none.
	Resume(ctx context.Context, parts []topic.Partition) (map[topic.Partition]int64, error)
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

// Batch is records of one lane on their way into the store.
type Batch interface {
	// Add takes a record, in the order of its partition's offsets. It keeps
	// nothing of the record's memory. An error other than ErrFull stops the
	// sink: what may pass is waited for inside.
	Add(ctx context.Context, r *topic.Record) error
	// Rows and Bytes are what the batch holds.
	Rows() int
	Bytes() int
	// Newest is the newest commit time in the batch, in microseconds, 0 when
	// it has none.
	Newest() int64
	// Write puts the batch into the store. next are the offsets after the
	// batch's records. It can be called again after an error.
	Write(ctx context.Context, next map[topic.Partition]int64) error
}
