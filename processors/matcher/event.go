package matcher

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"

	"github.com/hopluu/hopluu/processors/identity"
	"github.com/hopluu/hopluu/processors/identity/linkage"
	"github.com/hopluu/hopluu/schemas/avro"
	"github.com/hopluu/hopluu/schemas/erasure"
	"github.com/hopluu/hopluu/schemas/registry"
	"github.com/hopluu/hopluu/schemas/topic"
)

// eventKey and eventValue are the fields of identity.event, a log that is kept:
// which records were one person, before and after each merge and split. It is
// compacted, each event under a key of its own.
var (
	eventKey = []avro.FlatField{
		{Name: "event", Type: "string", Nullable: true, Doc: "The event's own id, by which an erasure replaces it"},
	}
	eventValue = []avro.FlatField{
		{Name: "kind", Type: "string", Doc: "merge: several persons became one; split: one became several; move: several became several others"},
		{Name: "before", Type: "string", Doc: "JSON: the persons before and the records of each: [{\"person_id\", \"records\"}]"},
		{Name: "after", Type: "string", Doc: "JSON: the same after; records that are new or gone are on one side only"},
		{Name: "causes", Type: "string", Doc: "JSON: those of the records whose change, or a decision on which, brought it about; empty when something else did, as another model"},
		{Name: "model_version", Type: "string", Doc: "The version of the model that decided"},
	}
)

// eventWriter writes merges and splits into the open transaction of its
// producer, which is that of the links that they come with.
type eventWriter struct {
	producer         *topic.Producer
	partitions       int32
	key, value       *avro.Flat
	keyID, valueID   uint32
	keyBuf, valueBuf []byte
}

func newEventWriter(ctx context.Context, kafka *topic.Client, schemas *registry.Client) (*eventWriter, error) {
	w := &eventWriter{}
	var err error
	if w.key, err = avro.CompileFlat(topic.IdentityEvent, "Key", eventKey); err != nil {
		return nil, err
	}
	if w.value, err = avro.CompileFlat(topic.IdentityEvent, "Value", eventValue); err != nil {
		return nil, err
	}
	if w.keyID, err = schemas.Register(ctx, topic.IdentityEvent+"-key", w.key.Schema()); err != nil {
		return nil, fmt.Errorf("matcher: %w", err)
	}
	if w.valueID, err = schemas.Register(ctx, topic.IdentityEvent+"-value", w.value.Schema()); err != nil {
		return nil, fmt.Errorf("matcher: %w", err)
	}
	counts, err := kafka.PartitionCounts(ctx, topic.IdentityEvent)
	if err != nil {
		return nil, fmt.Errorf("matcher: %w", err)
	}
	w.partitions = counts[topic.IdentityEvent]
	return w, nil
}

// personRecords is a person of an event as JSON. Records are named as in
// identity.link; nothing here is an identifier (P11).
type personRecords struct {
	Person  string   `json:"person_id"`
	Records []string `json:"records"`
}

// add writes an event, without who is erased (P12); millis is its time, that of
// the source (P6).
func (w *eventWriter) add(ctx context.Context, e *linkage.Event, millis int64, erased func(record string) bool) error {
	causes := e.Causes
	if causes == nil {
		causes = []string{}
	}
	said := erasure.LogEvent{Kind: e.Kind}
	for _, part := range []struct {
		of   any
		into *string
	}{{people(e.Node, e.Before), &said.Before}, {people(e.Node, e.After), &said.After}, {causes, &said.Causes}} {
		written, err := json.Marshal(part.of)
		if err != nil {
			return err
		}
		*part.into = string(written)
	}
	left, changed, stays, err := said.Without(erased)
	if err != nil || !stays {
		return err
	}
	if changed {
		said = left
	}
	if w.keyBuf, err = w.key.Append(w.keyBuf[:0], w.keyID, []avro.Cell{text(rand.Text())}); err != nil {
		return err
	}
	if w.valueBuf, err = w.value.Append(w.valueBuf[:0], w.valueID, []avro.Cell{text(said.Kind), text(said.Before), text(said.After), text(said.Causes), text(e.Model)}); err != nil {
		return err
	}
	part := topic.Partition{Topic: topic.IdentityEvent, ID: topic.PartitionFor(w.keyBuf, w.partitions)}
	return w.producer.Add(ctx, part, w.keyBuf, w.valueBuf, millis)
}

func people(node identity.Node, all []linkage.Members) []personRecords {
	out := []personRecords{}
	for _, m := range all {
		out = append(out, personRecords{node.NodeID(m.Person), m.Records})
	}
	return out
}
