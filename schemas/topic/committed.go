package topic

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/hopluu/hopluu/schemas/topic/recordbatch"
)

// committed reads the fetched batches of one partition as a read-committed
// reader sees them, from the offset that was asked for: records of aborted
// transactions and control markers are left out, and so are the records below
// the offset when it fell into the middle of a batch. Batch.Next is past all
// of them, also when none is left.
//
// Which transactions are aborted the answer itself says; each ends at its
// producer's abort marker
// (https://kafka.apache.org/documentation/#consumerconfigs_isolation.level).
func committed(p fetchedPartition, offset int64) (Batch, error) {
	out := Batch{Partition: p.Partition, Next: offset, Stable: p.stable}
	aborted := p.aborted
	slices.SortFunc(aborted, func(a, b abortedTransaction) int { return cmp.Compare(a.firstOffset, b.firstOffset) })
	var aborting map[int64]bool

	for rest := p.batches; ; {
		b, after, err := recordbatch.Next(rest)
		if errors.Is(err, io.EOF) || errors.Is(err, recordbatch.ErrIncomplete) {
			return out, nil
		}
		if err != nil {
			return out, fmt.Errorf("%s at offset %d: %w", p.Partition, out.Next, err)
		}
		rest = after
		for len(aborted) > 0 && aborted[0].firstOffset <= b.LastOffset {
			if aborting == nil {
				aborting = make(map[int64]bool)
			}
			aborting[aborted[0].producerID] = true
			aborted = aborted[1:]
		}
		switch {
		case b.Control:
			typ, err := b.ControlType()
			if err != nil {
				return out, fmt.Errorf("%s: %w", p.Partition, err)
			}
			if typ == recordbatch.ControlAbort {
				delete(aborting, b.ProducerID)
			}
		case b.Transactional && aborting[b.ProducerID]:
		case b.LastOffset < offset:
		default:
			out.Records = slices.Grow(out.Records, int(min(b.Count, 1<<16)))
			err := b.Each(func(r *recordbatch.Record) error {
				if r.Offset >= offset {
					out.Records = append(out.Records, Record{
						Partition: p.Partition, Offset: r.Offset, TimestampMs: r.TimestampMs,
						Key: r.Key, Value: r.Value, Headers: r.Headers,
					})
				}
				return nil
			})
			if err != nil {
				return out, fmt.Errorf("%s: %w", p.Partition, err)
			}
		}
		out.Next = max(out.Next, b.LastOffset+1)
	}
}
