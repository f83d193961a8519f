package matcher

import (
	"context"
	"fmt"
	"slices"

	"github.com/hopluu/hopluu/schemas/avro"
	"github.com/hopluu/hopluu/schemas/registry"
	"github.com/hopluu/hopluu/schemas/topic"
)

// flatTopic writes flat records to one topic.
type flatTopic struct {
	name             string
	partitions       int32
	key, value       *avro.Flat // key is nil where messages have none
	keyID, valueID   uint32
	keyBuf, valueBuf []byte
}

func openFlat(ctx context.Context, kafka *topic.Client, schemas *registry.Client, name string, key, value []avro.FlatField) (*flatTopic, error) {
	f := &flatTopic{name: name}
	var err error
	if f.value, err = avro.CompileFlat(name, "Value", value); err != nil {
		return nil, err
	}
	if f.valueID, err = schemas.Register(ctx, name+"-value", f.value.Schema()); err != nil {
		return nil, fmt.Errorf("matcher: %w", err)
	}
	if key != nil {
		if f.key, err = avro.CompileFlat(name, "Key", key); err != nil {
			return nil, err
		}
		if f.keyID, err = schemas.Register(ctx, name+"-key", f.key.Schema()); err != nil {
			return nil, fmt.Errorf("matcher: %w", err)
		}
	}
	counts, err := kafka.PartitionCounts(ctx, name)
	if err != nil {
		return nil, fmt.Errorf("matcher: %w", err)
	}
	f.partitions = counts[name]
	return f, nil
}

// add writes a record into the producer's open transaction; a nil value is a
// tombstone.
func (f *flatTopic) add(ctx context.Context, producer *topic.Producer, key, value []avro.Cell, millis int64) error {
	var keyBytes, valueBytes []byte
	var err error
	if f.key != nil {
		if f.keyBuf, err = f.key.Append(f.keyBuf[:0], f.keyID, key); err != nil {
			return err
		}
		keyBytes = f.keyBuf
	}
	if value != nil {
		if f.valueBuf, err = f.value.Append(f.valueBuf[:0], f.valueID, value); err != nil {
			return err
		}
		valueBytes = f.valueBuf
	}
	part := topic.Partition{Topic: f.name, ID: topic.PartitionFor(keyBytes, f.partitions)}
	return producer.Add(ctx, part, keyBytes, valueBytes, millis)
}

// flatReader reads flat records of any schema that has our fields, by their
// names: those of an older or a newer program too.
type flatReader struct {
	fields  []avro.FlatField
	schemas map[uint32]*flatSchema
	cells   []avro.Cell
}

type flatSchema struct {
	record *avro.Record
	places []int // of each field; -1 where it is absent
	err    error
}

func newFlatReader(fields []avro.FlatField) *flatReader {
	return &flatReader{fields: fields, schemas: map[uint32]*flatSchema{}}
}

// read gives a cell for each field, null where the schema has none. They are
// valid until the next read. An *undecodableError is the message's own fault.
func (r *flatReader) read(ctx context.Context, d *decoder, wire []byte, into []avro.Cell) error {
	id, payload, err := avro.SplitWire(wire)
	if err != nil {
		return undecodable("%w", err)
	}
	s, err := r.schema(ctx, d, id)
	if err != nil {
		return err
	}
	if s.err != nil {
		return undecodable("schema %d: %w", id, s.err)
	}
	if r.cells, err = s.record.Decode(payload, r.cells); err != nil {
		return undecodable("%w", err)
	}
	for i, place := range s.places {
		into[i] = avro.Cell{Null: true}
		if place >= 0 {
			into[i] = r.cells[place]
		}
	}
	return nil
}

func (r *flatReader) schema(ctx context.Context, d *decoder, id uint32) (*flatSchema, error) {
	if s, ok := r.schemas[id]; ok {
		return s, nil
	}
	text, err := d.schema(ctx, id)
	s := &flatSchema{err: err}
	if err != nil && !isUndecodable(err) {
		return nil, err
	}
	if err == nil {
		s.record, s.err = avro.ParseRecord(text)
	}
	if s.err == nil {
		s.err = s.bind(r.fields)
	}
	r.schemas[id] = s
	return s, nil
}

// flatKinds are what a field of a type may be read from.
var flatKinds = map[string][]avro.Kind{
	"string": {avro.String}, "long": {avro.Long, avro.Int}, "double": {avro.Double}, "boolean": {avro.Boolean},
}

func (s *flatSchema) bind(fields []avro.FlatField) error {
	for _, f := range fields {
		place := -1
		for i, c := range s.record.Columns() {
			if c.Name != f.Name {
				continue
			}
			if !slices.Contains(flatKinds[f.Type], c.Type.Kind) {
				return fmt.Errorf("field %s is no %s", f.Name, f.Type)
			}
			place = i
		}
		if place < 0 && !f.Nullable {
			return fmt.Errorf("there is no field %s", f.Name)
		}
		s.places = append(s.places, place)
	}
	return nil
}
