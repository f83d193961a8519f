package connectors

import (
	"context"
	"fmt"
	"slices"

	"github.com/hopluu/hopluu/schemas/avro"
	"github.com/hopluu/hopluu/schemas/event"
	"github.com/hopluu/hopluu/schemas/registry"
	"github.com/hopluu/hopluu/schemas/topic"
)

// FormerKeys are the forms that the keys of a compacted topic had before. A key's
// bytes begin with the id of its schema, and that changes when a column of the key
// is widened, or when the meaning is worded anew that its schema holds: compaction
// would keep what the topic has under the former bytes for ever. nil has none. It
// is for one goroutine.
type FormerKeys struct {
	now   *avro.Record
	forms []formerKey
	buf   []byte
}

type formerKey struct {
	id     uint32
	record *avro.Record
}

// ReadFormerKeys asks the registry for the schemas that the keys of a topic had
// before the one of this id.
func ReadFormerKeys(ctx context.Context, schemas *registry.Client, name string, id uint32, schema string) (*FormerKeys, error) {
	versions, err := schemas.Versions(ctx, name+"-key")
	if err != nil {
		return nil, err
	}
	f := &FormerKeys{}
	if f.now, err = avro.ParseRecord(schema); err != nil {
		return nil, fmt.Errorf("key schema %d: %w", id, err)
	}
	for _, v := range versions {
		if v.ID == id || slices.ContainsFunc(f.forms, func(k formerKey) bool { return k.id == v.ID }) {
			continue
		}
		// One that is no flat record was never ours.
		if record, err := avro.ParseRecord(v.Schema); err == nil {
			f.forms = append(f.forms, formerKey{v.ID, record})
		}
	}
	if len(f.forms) == 0 {
		return nil, nil
	}
	return f, nil
}

// addRecord is a producer's Add.
type addRecord func(ctx context.Context, part topic.Partition, key, value []byte, timestampMs int64, headers ...topic.Header) error

// Bury adds a tombstone for a deleted record under each former form of its key.
// What stands there would stay otherwise, and a matcher that begins anew would
// find who was deleted (P2, P11).
func (f *FormerKeys) Bury(ctx context.Context, add addRecord, name string, partitions int32, key []byte, at event.Position, timestampMs int64) error {
	if f == nil {
		return nil
	}
	_, payload, err := avro.SplitWire(key)
	if err != nil {
		return err
	}
	for _, form := range f.forms {
		var ok bool
		if f.buf, ok = avro.Rekey(f.buf[:0], payload, f.now, form.record, form.id); !ok {
			continue
		}
		if err := add(ctx, topic.Partition{Topic: name, ID: topic.PartitionFor(f.buf, partitions)}, f.buf, nil, timestampMs, topic.DeletedAt(at)); err != nil {
			return err
		}
	}
	return nil
}
