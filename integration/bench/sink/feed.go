package main

import (
	"context"
	"fmt"
	"time"

	"github.com/hopluu/hopluu/connectors/postgres/pgvalue"
	"github.com/hopluu/hopluu/schemas/avro"
	"github.com/hopluu/hopluu/schemas/event"
	"github.com/hopluu/hopluu/schemas/registry"
	"github.com/hopluu/hopluu/schemas/topic"
)

// The events are of encounters, 12 columns and about 220 bytes a row, as a
// connector writes them.
const (
	source  = "health"
	table   = "encounter"
	dataset = source + "_" + table
)

var topicName = topic.Public(source, "public", table)

func compile() (*avro.Encoder, error) {
	t := avro.Table{Source: source, Database: source, Schema: "public", Name: table, Key: []int{0}}
	for i, c := range []struct {
		name string
		typ  pgvalue.Column
	}{
		{"encounter_id", pgvalue.Column{OID: 2950}}, {"patient_id", pgvalue.Column{OID: 20}}, {"facility_id", pgvalue.Column{OID: 23}},
		{"kind", pgvalue.Column{Enum: true}}, {"admitted_at", pgvalue.Column{OID: 1184}}, {"discharged_at", pgvalue.Column{OID: 1184}},
		{"icd10", pgvalue.Column{OID: 25}}, {"secondary_icd10", pgvalue.Column{OID: 1009}}, {"diagnosis", pgvalue.Column{OID: 25}},
		{"cost", pgvalue.Column{OID: 1700, Typmod: (14<<16 | 2) + 4}}, {"insured_paid", pgvalue.Column{OID: 1700, Typmod: (14<<16 | 2) + 4}}, {"notes", pgvalue.Column{OID: 25}},
	} {
		c.typ.Name = c.name
		if c.typ.Typmod == 0 {
			c.typ.Typmod = -1
		}
		codec, err := pgvalue.Lookup(c.typ)
		if err != nil {
			return nil, err
		}
		t.Fields = append(t.Fields, avro.Field{Name: c.name, Column: i, Type: codec.Avro, Nullable: i > 0, Append: codec.Append})
	}
	return avro.Compile(t)
}

// begin is the commit time of the first event: the topic's retention is that of
// the configuration.
var begin = time.Now().UnixMicro()

// eventOf is the n-th event.
func eventOf(n int) *event.Event {
	e := &event.Event{Op: event.Create, Position: event.Position{Epoch: 1, LSN: event.LSN(1000 + n/10), Ordinal: uint32(n%10 + 1)}, TxID: uint32(n / 10), CommitMicros: begin + int64(n)}
	for _, v := range []string{
		fmt.Sprintf("%08x-0000-4000-8000-%012d", n*2654435761%(1<<32), n), fmt.Sprint(n % 400_000), fmt.Sprint(n % 100),
		[]string{"outpatient", "inpatient", "emergency"}[n%3], fmt.Sprintf("2025-10-%02d 01:00:00+00", n%30+1), fmt.Sprintf("2025-10-%02d 02:00:%02d.5+00", n%30+1, n%60),
		fmt.Sprintf("J%02d.%d", n%100, n%10), "{}", "Viêm phổi, không phân loại", fmt.Sprintf("%d.00", n%1_000_000), fmt.Sprintf("%d.50", n%700_000), "khám lại sau bảy ngày nếu còn sốt",
	} {
		e.After = append(e.After, event.Value{State: event.Present, Text: []byte(v)})
	}
	return e
}

// feed writes events into the topic.
func feed(ctx context.Context, kafka *topic.Client, schemas *registry.Client, n int) error {
	enc, err := compile()
	if err != nil {
		return err
	}
	keyID, err := schemas.Register(ctx, topicName+"-key", enc.KeySchema())
	if err != nil {
		return err
	}
	valueID, err := schemas.Register(ctx, topicName+"-value", enc.ValueSchema())
	if err != nil {
		return err
	}
	counts, err := kafka.PartitionCounts(ctx, topicName)
	if err != nil {
		return err
	}
	p, err := kafka.NewProducer(ctx, topic.ProducerConfig{TransactionalID: "bench"})
	if err != nil {
		return err
	}
	var key, value []byte
	for i := range n {
		e := eventOf(i)
		if key, err = enc.AppendKey(key[:0], keyID, e.After); err != nil {
			return err
		}
		if value, err = enc.AppendValue(value[:0], valueID, e); err != nil {
			return err
		}
		part := topic.Partition{Topic: topicName, ID: topic.PartitionFor(key, counts[topicName])}
		if err := p.Add(ctx, part, key, value, e.CommitMicros/1000); err != nil {
			return err
		}
		if i%10_000 == 9_999 {
			if err := p.Commit(ctx); err != nil {
				return err
			}
		}
	}
	if err := p.Commit(ctx); err != nil {
		return err
	}
	return p.Close()
}
