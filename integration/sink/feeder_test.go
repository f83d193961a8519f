package sink

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/stretchr/testify/require"

	"github.com/hopluu/hopluu/connectors/postgres/pgvalue"
	"github.com/hopluu/hopluu/schemas/avro"
	"github.com/hopluu/hopluu/schemas/event"
	"github.com/hopluu/hopluu/schemas/topic"
	"github.com/hopluu/hopluu/sinks/clickhouse"
)

// feeder writes events of one source's table as a connector does.
type feeder struct {
	w             *world
	source, table string
	topic         string
	partitions    int32
	columns       []column
	enc           *avro.Encoder
	keyID, id     uint32
	producer      *topic.Producer
	lsn           uint64
	last          event.Position
}

// column is a column of a source's table: its name, its PostgreSQL type, and
// whether it is in the key.
type column struct {
	name, sql string
	key       bool
}

// unchanged stands for a value that an update did not send.
const unchanged = "\x00unchanged"

// feed makes a table of a source, its topic and its schemas.
func (w *world) feed(source, sector, table string, partitions int32, columns ...column) *feeder {
	w.t.Helper()
	f := &feeder{w: w, source: source, table: table, topic: topic.Public(source, "public", table), partitions: partitions, lsn: 1000}
	known := false
	for _, s := range w.sources {
		known = known || s.Name == source
	}
	if !known {
		w.sources = append(w.sources, clickhouse.SourceRef{Name: source, Sector: sector})
	}
	_, err := w.kafka.Ensure(w.t.Context(), topic.Spec{
		Name: f.topic, Partitions: partitions,
		Config: map[string]string{"retention.ms": "-1"}, // commit times are of the past
	})
	require.NoError(w.t, err)
	f.producer, err = w.kafka.NewProducer(w.t.Context(), topic.ProducerConfig{TransactionalID: "feeder." + f.topic})
	require.NoError(w.t, err)
	w.t.Cleanup(func() { require.NoError(w.t, f.producer.Close()) })
	f.shape(columns...)
	return f
}

// shape gives the table these columns from now on.
func (f *feeder) shape(columns ...column) {
	t := f.w.t
	t.Helper()
	table := avro.Table{Source: f.source, Database: f.source, Schema: "public", Name: f.table}
	for i, c := range columns {
		codec, err := pgvalue.Lookup(pgType(c.sql))
		require.NoError(t, err)
		table.Fields = append(table.Fields, avro.Field{Name: c.name, Column: i, Type: codec.Avro, Nullable: !c.key, Append: codec.Append})
		if c.key {
			table.Key = append(table.Key, i)
		}
	}
	f.columns = columns
	var err error
	f.enc, err = avro.Compile(table)
	require.NoError(t, err)
	if f.enc.KeySchema() != "" {
		f.keyID, err = f.w.registry.Register(t.Context(), f.topic+"-key", f.enc.KeySchema())
		require.NoError(t, err)
	}
	f.id, err = f.w.registry.Register(t.Context(), f.topic+"-value", f.enc.ValueSchema())
	require.NoError(t, err)
}

func pgType(sql string) pgvalue.Column {
	c := pgvalue.Column{Name: sql, Typmod: -1}
	switch {
	case strings.HasPrefix(sql, "numeric("):
		var p, s int32
		if _, err := fmt.Sscanf(sql, "numeric(%d,%d)", &p, &s); err != nil {
			panic(err)
		}
		c.OID, c.Typmod = 1700, (p<<16|s)+4
	default:
		c.OID = map[string]uint32{
			"text": 25, "bigint": 20, "integer": 23, "smallint": 21, "boolean": 16, "date": 1082, "uuid": 2950, "jsonb": 3802,
			"timestamp with time zone": 1184, "timestamp without time zone": 1114, "text[]": 1009, "double precision": 701, "numeric": 1700, "bytea": 17,
		}[sql]
		c.Enum = c.OID == 0
	}
	return c
}

// row makes cells of values: nil is NULL.
func row(values ...any) event.Row {
	var r event.Row
	for _, v := range values {
		switch v := v.(type) {
		case nil:
			r = append(r, event.Value{})
		case string:
			if v == unchanged {
				r = append(r, event.Value{State: event.Unchanged})
				continue
			}
			r = append(r, event.Value{State: event.Present, Text: []byte(v)})
		case int:
			r = append(r, event.Value{State: event.Present, Text: strconv.AppendInt(nil, int64(v), 10)})
		default:
			panic(fmt.Sprintf("%T", v))
		}
	}
	return r
}

// commitMicros is the commit time of all events, unless a test says otherwise.
const commitMicros = 1_760_000_000_000_000 // 2025-10-09 08:53:20 UTC

// next is a new position; a transaction is one event.
func (f *feeder) next() event.Position {
	f.lsn++
	f.last = event.Position{Epoch: 1, LSN: event.LSN(f.lsn), Ordinal: 1}
	return f.last
}

func (f *feeder) create(values ...any) { f.event(event.Create, nil, row(values...)) }
func (f *feeder) update(values ...any) { f.event(event.Update, nil, row(values...)) }

// delete sends the old image of a default replica identity (the key), and the
// tombstone behind it.
func (f *feeder) delete(key ...any) {
	before := make(event.Row, len(f.columns))
	n := 0
	for i, c := range f.columns {
		if c.key {
			before[i] = row(key[n])[0]
			n++
		}
	}
	f.event(event.Delete, before, nil)
	k, part := f.key(before)
	f.add(part, k, nil)
}

// truncate goes to every partition.
func (f *feeder) truncate() {
	for p := range f.partitions {
		f.whole(event.Truncate, f.next(), p)
	}
}

// whole puts what concerns the whole table into one partition.
func (f *feeder) whole(op event.Op, at event.Position, partition int32) {
	f.part(op, nil, at, commitMicros, partition)
}

// part is whole, of a marker that speaks of a range, at a time.
func (f *feeder) part(op event.Op, of *event.Range, at event.Position, micros int64, partition int32) {
	value, err := f.enc.AppendValue(nil, f.id, &event.Event{Op: op, Position: at, CommitMicros: micros, Range: of})
	require.NoError(f.w.t, err)
	f.add(partition, nil, value)
}

func (f *feeder) event(op event.Op, before, after event.Row) {
	f.at(&event.Event{Op: op, Before: before, BeforeKeyOnly: before != nil, After: after, Position: f.next(), TxID: 7, CommitMicros: commitMicros})
}

func (f *feeder) at(ev *event.Event) {
	f.w.t.Helper()
	image := ev.After
	if image == nil {
		image = ev.Before
	}
	key, part := f.key(image)
	value, err := f.enc.AppendValue(nil, f.id, ev)
	require.NoError(f.w.t, err)
	f.add(part, key, value)
}

func (f *feeder) key(image event.Row) ([]byte, int32) {
	if f.enc.KeySchema() == "" {
		return nil, 0
	}
	key, err := f.enc.AppendKey(nil, f.keyID, image)
	require.NoError(f.w.t, err)
	return key, topic.PartitionFor(key, f.partitions)
}

func (f *feeder) add(part int32, key, value []byte) {
	f.w.t.Helper()
	require.NoError(f.w.t, f.producer.Add(f.w.t.Context(), topic.Partition{Topic: f.topic, ID: part}, key, value, commitMicros/1000))
}

func (f *feeder) commit() {
	f.w.t.Helper()
	require.NoError(f.w.t, f.producer.Commit(f.w.t.Context()))
}
