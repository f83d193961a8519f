package connectors

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/hopluu/hopluu/schemas/avro"
	"github.com/hopluu/hopluu/schemas/event"
	"github.com/hopluu/hopluu/schemas/topic"
)

// order counts the events of one table in one transaction. It begins anew with
// each, and since a transaction that is sent again is sent from its beginning,
// an event has the same place whenever it is delivered (P6): no checkpoint
// needs to keep it.
type order struct {
	table string
	// lsn is the commit of the transaction that is counted.
	lsn event.LSN
	// place is the last one taken. An update with an old image takes two,
	// whether or not it is two events (P6).
	place uint32
	// events that were made.
	events int64
}

// next takes the next place in a transaction.
func (o *order) next(lsn event.LSN) uint32 {
	if o.lsn != lsn {
		o.lsn, o.place, o.events = lsn, 0, 0
	}
	o.place++
	return o.place
}

// order gives the count of a table.
func (f *follower) order(table string) *order {
	o := f.orders[table]
	if o == nil {
		o = &order{table: table}
		f.orders[table] = o
	}
	return o
}

// begin tells, before the first event of a transaction, that it begins: in the
// same Kafka transaction, so that both are there or neither.
func (f *follower) begin(ctx context.Context) error {
	if f.begun {
		return nil
	}
	f.begun = true
	if !f.Transactions {
		return nil
	}
	return f.boundary(ctx, &avro.Boundary{TxID: f.xid, LSN: f.position.LSN, CommitMicros: f.micros})
}

// end tells that a transaction was whole, if there were events of it. It takes
// the place behind the last event, so that after a restart it is known whether
// it was told.
func (f *follower) end(ctx context.Context) error {
	if !f.Transactions || !f.begun {
		return nil
	}
	f.position.Ordinal++
	if f.checkpoint.Produced(f.position) {
		return nil
	}
	b := avro.Boundary{TxID: f.xid, LSN: f.position.LSN, CommitMicros: f.micros, End: true}
	for _, o := range f.orders {
		if o.lsn == f.position.LSN && o.events > 0 {
			b.Tables = append(b.Tables, avro.TableEvents{Table: o.table, Events: o.events})
		}
	}
	slices.SortFunc(b.Tables, func(x, y avro.TableEvents) int { return cmp.Compare(x.Table, y.Table) })
	f.touch()
	return f.boundary(ctx, &b)
}

// boundaryLane is where boundaries go; its zero value is not ready.
type boundaryLane struct {
	keyID, valueID uint32
	key, value     []byte
}

func (f *follower) boundary(ctx context.Context, b *avro.Boundary) error {
	l := &f.boundaries
	l.key = avro.AppendBoundaryKey(l.key[:0], l.keyID, b)
	l.value = avro.AppendBoundaryValue(l.value[:0], l.valueID, b)
	return f.producer.Add(ctx, topic.Partition{Topic: topic.Transactions(f.Source)}, l.key, l.value, b.CommitMicros/1000)
}

// registerBoundaries makes the lane of boundaries ready.
func (f *follower) registerBoundaries(ctx context.Context) error {
	if !f.Transactions {
		return nil
	}
	key, value, err := avro.BoundarySchemas()
	if err != nil {
		return err
	}
	name := topic.Transactions(f.Source)
	if f.boundaries.keyID, err = f.Registry.Register(ctx, name+"-key", key); err == nil {
		f.boundaries.valueID, err = f.Registry.Register(ctx, name+"-value", value)
	}
	if err != nil {
		return fmt.Errorf("schemas of topic %s: %w", name, err)
	}
	return nil
}
