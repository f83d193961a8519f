package matcher

import (
	"context"
	"encoding/json"
	"fmt"
	"math"

	"github.com/hopluu/hopluu/processors/identity/linkage"
	"github.com/hopluu/hopluu/schemas/avro"
	"github.com/hopluu/hopluu/schemas/topic"
)

// edgeKey and edgeValue are the fields of identity.edge, which is compacted: the
// pairs that each share of the comparing found, in the share's partition. It
// holds names of records, weights and offsets, no value of any column (P11).
var (
	edgeKey = []avro.FlatField{
		{Name: "record_a", Type: "string", Doc: "The source record that is first by name: <source>.<table>:<key>; empty in what tells how far the partition is"},
		{Name: "record_b", Type: "string", Doc: "The other one"},
	}
	edgeValue = []avro.FlatField{
		{Name: "weight", Type: "double", Nullable: true, Doc: "The match weight in bits, before competition; null for two that contradict one another and share a number"},
		{Name: "model_version", Type: "string", Doc: "The version of the model that compared"},
		{Name: "progress", Type: "string", Nullable: true, Doc: "JSON: the offsets of every topic, by partition, that are compared as far as this partition is concerned"},
	}
)

// Places of edgeValue's fields.
const (
	edgeWeight = iota
	edgeModel
	edgeProgress
	edgeFields
)

// edgeTopic writes and reads identity.edge.
type edgeTopic struct {
	*flatTopic
	model string

	a, b   []byte // names of records that are written
	cells  [edgeFields]avro.Cell
	keys   *flatReader
	values *flatReader
	key    []avro.Cell
	value  []avro.Cell
}

func openEdges(ctx context.Context, m *Matcher) (*edgeTopic, error) {
	flat, err := openFlat(ctx, m.config.Kafka, m.config.Registry, topic.IdentityEdge, edgeKey, edgeValue)
	if err != nil {
		return nil, err
	}
	if flat.partitions > linkage.MaxShares {
		return nil, fmt.Errorf("matcher: topic %s has %d partitions: at most %d work; delete it and let 'hopluu topics create' make it anew, the matcher fills it again", flat.name, flat.partitions, linkage.MaxShares)
	}
	return &edgeTopic{
		flatTopic: flat, model: m.model.Version, keys: newFlatReader(edgeKey), values: newFlatReader(edgeValue),
		key: make([]avro.Cell, len(edgeKey)), value: make([]avro.Cell, edgeFields),
	}, nil
}

// change writes a change of an edge into the open transaction of its share's
// producer.
func (w *edgeTopic) change(ctx context.Context, p *topic.Producer, c *linkage.EdgeChange, millis int64) error {
	w.a, w.b = append(w.a[:0], c.A...), append(w.b[:0], c.B...)
	if c.Deleted {
		return w.write(ctx, p, int32(c.Share), nil, millis)
	}
	w.cells[edgeWeight] = avro.Cell{Null: c.Contradicts, F: float64(c.Weight)}
	w.cells[edgeModel], w.cells[edgeProgress] = text(w.model), avro.Cell{Null: true}
	return w.write(ctx, p, int32(c.Share), w.cells[:], millis)
}

// progress writes how far a share is.
func (w *edgeTopic) progress(ctx context.Context, p *topic.Producer, share int32, positions map[topic.Partition]int64, millis int64) error {
	all := offsets{}
	for part, next := range positions {
		if all[part.Topic] == nil {
			all[part.Topic] = map[int32]int64{}
		}
		all[part.Topic][part.ID] = next
	}
	written, err := json.Marshal(all)
	if err != nil {
		return err
	}
	w.a, w.b = w.a[:0], w.b[:0]
	w.cells = [edgeFields]avro.Cell{edgeWeight: {Null: true}, edgeModel: text(w.model), edgeProgress: {B: written}}
	return w.write(ctx, p, share, w.cells[:], millis)
}

func (w *edgeTopic) write(ctx context.Context, p *topic.Producer, share int32, value []avro.Cell, millis int64) error {
	w.key[0], w.key[1] = avro.Cell{B: w.a}, avro.Cell{B: w.b}
	var err error
	if w.keyBuf, err = w.flatTopic.key.Append(w.keyBuf[:0], w.keyID, w.key); err != nil {
		return err
	}
	var wire []byte
	if value != nil {
		if w.valueBuf, err = w.flatTopic.value.Append(w.valueBuf[:0], w.valueID, value); err != nil {
			return err
		}
		wire = w.valueBuf
	}
	return p.Add(ctx, topic.Partition{Topic: w.name, ID: share}, w.keyBuf, wire, millis)
}

// offsets are positions by topic and partition.
type offsets map[string]map[int32]int64

// cover tells whether they are at the positions or past them.
func (o offsets) cover(positions map[topic.Partition]int64) bool {
	for part, next := range positions {
		if o[part.Topic][part.ID] < next {
			return false
		}
	}
	return true
}

// otherModel is the weight of an edge that another model gave, which is none of
// this one's: no weight is equal to it.
var otherModel = float32(math.NaN())

// read reads a message: a change of an edge, whose weight is otherModel when it
// is another model's, or how far a share is, which is nil otherwise.
func (w *edgeTopic) read(ctx context.Context, d *decoder, rec *topic.Record) (c linkage.EdgeChange, progress offsets, err error) {
	defer func() {
		if isUndecodable(err) {
			err = fmt.Errorf("%s, offset %d: the message is no edge of this program (%w): delete topic identity.edge and let 'hopluu topics create' make it anew, the matcher fills it again", rec.Partition, rec.Offset, err)
		}
	}()
	if err := w.keys.read(ctx, d, rec.Key, w.key); err != nil {
		return c, nil, err
	}
	c = linkage.EdgeChange{Share: int(rec.ID), A: string(w.key[0].B), B: string(w.key[1].B), Deleted: rec.Value == nil}
	if c.Deleted {
		return c, nil, nil
	}
	if err := w.values.read(ctx, d, rec.Value, w.value); err != nil {
		return c, nil, err
	}
	ours := string(w.value[edgeModel].B) == w.model
	if v := &w.value[edgeProgress]; !v.Null {
		progress = offsets{}
		if !ours {
			return c, progress, nil
		}
		if err := json.Unmarshal(v.B, &progress); err != nil {
			return c, nil, undecodable("progress: %w", err)
		}
		return c, progress, nil
	}
	c.Weight, c.Contradicts = float32(w.value[edgeWeight].F), w.value[edgeWeight].Null
	if !ours {
		c.Weight, c.Contradicts = otherModel, false
	}
	return c, nil, nil
}
