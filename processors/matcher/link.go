package matcher

import (
	"context"
	"fmt"

	"github.com/hopluu/hopluu/processors/identity"
	"github.com/hopluu/hopluu/processors/identity/linkage"
	"github.com/hopluu/hopluu/schemas/avro"
	"github.com/hopluu/hopluu/schemas/registry"
	"github.com/hopluu/hopluu/schemas/topic"
)

// linkKey and linkValue are the fields of identity.link, which is compacted: a
// reader has the last value of every record.
var (
	linkKey = []avro.FlatField{
		{Name: "record", Type: "string", Doc: "The source record: <source>.<table>:<key>"},
	}
	linkValue = []avro.FlatField{
		{Name: "record", Type: "string", Doc: "The source record: <source>.<table>:<key>"},
		{Name: "source", Type: "string", Doc: "The source database"},
		{Name: "sector", Type: "string", Doc: "The sector of the source"},
		{Name: "table", Type: "string", Doc: "The table"},
		{Name: "person_id", Type: "string", Doc: "The person, the same for all records of one; empty when the record speaks of no person"},
		{Name: "citizen", Type: "string", Nullable: true, Doc: "The person's record in the population register; null when none is known"},
		{Name: "decision", Type: "string", Doc: "link, review, apart or single"},
		{Name: "rule", Type: "string", Nullable: true, Doc: "What decided: register, weights, decision (a person), forbidden, shared-number, role (it shares a number with a node of another kind), or a contradiction of the model"},
		{Name: "reasons", Type: "string", Nullable: true, Doc: "JSON: the record compared with, and the level of agreement of every comparison; never a value"},
		{Name: "model_version", Type: "string", Doc: "The version of the model that decided"},
		{Name: "weight", Type: "double", Nullable: true, Doc: "The match weight in bits that decided: log2 of the odds that the two records are one person's"},
		{Name: "node", Type: "string", Nullable: true, Doc: "What the record speaks of: person, household, household_business or organisation"},
		{Name: "node_id", Type: "string", Nullable: true, Doc: "The node, the same for all records of one; a person's is person_id"},
	}
)

// Places of linkValue's fields.
const (
	linkRecord = iota
	linkSource
	linkSector
	linkTable
	linkPerson
	linkCitizen
	linkDecision
	linkRule
	linkReasons
	linkModel
	linkWeight
	linkNode
	linkNodeID
	linkFields
)

// linkWriter writes links into the open transaction of its producer.
type linkWriter struct {
	producer         *topic.Producer
	partitions       int32
	key, value       *avro.Flat
	keyID, valueID   uint32
	keyBuf, valueBuf []byte
	cells            [linkFields]avro.Cell
}

func newLinkWriter(ctx context.Context, kafka *topic.Client, schemas *registry.Client) (*linkWriter, error) {
	w := &linkWriter{}
	var err error
	if w.key, err = avro.CompileFlat(topic.IdentityLink, "Key", linkKey); err != nil {
		return nil, err
	}
	if w.value, err = avro.CompileFlat(topic.IdentityLink, "Value", linkValue); err != nil {
		return nil, err
	}
	if w.keyID, err = schemas.Register(ctx, topic.IdentityLink+"-key", w.key.Schema()); err != nil {
		return nil, fmt.Errorf("matcher: %w", err)
	}
	if w.valueID, err = schemas.Register(ctx, topic.IdentityLink+"-value", w.value.Schema()); err != nil {
		return nil, fmt.Errorf("matcher: %w", err)
	}
	counts, err := kafka.PartitionCounts(ctx, topic.IdentityLink)
	if err != nil {
		return nil, fmt.Errorf("matcher: %w", err)
	}
	w.partitions = counts[topic.IdentityLink]
	return w, nil
}

// add writes a change; millis is its time, that of the source (P6).
func (w *linkWriter) add(ctx context.Context, c *linkage.Change, millis int64) error {
	var err error
	w.cells[0] = text(c.Record)
	if w.keyBuf, err = w.key.Append(w.keyBuf[:0], w.keyID, w.cells[:len(linkKey)]); err != nil {
		return err
	}
	part := topic.Partition{Topic: topic.IdentityLink, ID: topic.PartitionFor(w.keyBuf, w.partitions)}
	if c.Deleted {
		return w.producer.Add(ctx, part, w.keyBuf, nil, millis)
	}
	l := &c.Link
	node := l.Node.NodeID(l.Person)
	person := node
	if l.Node > identity.PersonNode {
		person = ""
	}
	w.cells = [linkFields]avro.Cell{
		linkRecord: text(l.Record), linkSource: text(l.Source), linkSector: text(l.Sector), linkTable: text(l.Table),
		linkPerson: text(person), linkCitizen: optional(l.Citizen), linkDecision: text(l.Decision),
		linkRule: optional(l.Rule), linkReasons: optional(l.Reasons), linkModel: text(l.Model), linkWeight: {Null: l.Weight == 0, F: l.Weight},
		linkNode: text(max(l.Node, identity.PersonNode).String()), linkNodeID: text(node),
	}
	if w.valueBuf, err = w.value.Append(w.valueBuf[:0], w.valueID, w.cells[:]); err != nil {
		return err
	}
	return w.producer.Add(ctx, part, w.keyBuf, w.valueBuf, millis)
}

func text(s string) avro.Cell { return avro.Cell{B: []byte(s)} }

func optional(s string) avro.Cell {
	if s == "" {
		return avro.Cell{Null: true}
	}
	return text(s)
}

// linkReader reads back what is published. A link written with another schema
// than ours counts as unknown, so that it is published again in ours.
type linkReader struct {
	key, value     *avro.Record
	keyID, valueID uint32
	cells          []avro.Cell
}

func newLinkReader(w *linkWriter) (*linkReader, error) {
	r := &linkReader{keyID: w.keyID, valueID: w.valueID}
	var err error
	if r.key, err = avro.ParseRecord(w.key.Schema()); err != nil {
		return nil, err
	}
	r.value, err = avro.ParseRecord(w.value.Schema())
	return r, err
}

// read gives the link of one message of identity.link, or only the record of
// one that was withdrawn.
func (r *linkReader) read(rec *topic.Record) (l identity.Link, withdrawn bool, err error) {
	id, payload, err := avro.SplitWire(rec.Key)
	if err != nil {
		return l, false, err
	}
	if id != r.keyID {
		return l, false, fmt.Errorf("key schema %d is not ours, %d", id, r.keyID)
	}
	if r.cells, err = r.key.Decode(payload, r.cells); err != nil {
		return l, false, err
	}
	l.Record = string(r.cells[0].B)
	if rec.Value == nil {
		return l, true, nil
	}
	if id, payload, err = avro.SplitWire(rec.Value); err != nil || id != r.valueID {
		return l, false, err
	}
	if r.cells, err = r.value.Decode(payload, r.cells); err != nil {
		return l, false, err
	}
	l.Node = identity.ParseNode(r.cells[linkNode].B)
	if l.Person, err = l.Node.ParseNodeID(string(r.cells[linkNodeID].B)); err != nil {
		return l, false, err
	}
	l.Source, l.Sector, l.Table = string(r.cells[linkSource].B), string(r.cells[linkSector].B), string(r.cells[linkTable].B)
	l.Citizen, l.Decision, l.Rule = string(r.cells[linkCitizen].B), string(r.cells[linkDecision].B), string(r.cells[linkRule].B)
	l.Reasons, l.Model = string(r.cells[linkReasons].B), string(r.cells[linkModel].B)
	if w := &r.cells[linkWeight]; !w.Null {
		l.Weight = w.F
	}
	return l, false, nil
}
