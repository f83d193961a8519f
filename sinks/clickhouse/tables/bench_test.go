package tables

import (
	"encoding/binary"
	"fmt"
	"testing"

	chcolumn "github.com/ClickHouse/clickhouse-go/v2/lib/column"
	chproto "github.com/ClickHouse/clickhouse-go/v2/lib/proto"
	"github.com/stretchr/testify/require"

	"github.com/hopluu/hopluu/schemas/avro"
	"github.com/hopluu/hopluu/schemas/event"
)

// messages makes encounters as a connector sends them: 12 columns, about 330
// bytes each.
func messages(b *testing.B, n int) (*avro.Envelope, [][]byte) {
	b.Helper()
	long := func(dst []byte, v int64) []byte { return binary.AppendVarint(dst, v) }
	field := func(name string, column int, typ any, nullable bool, append func(dst, text []byte) ([]byte, error)) avro.Field {
		return avro.Field{Name: name, Column: column, Type: typ, Nullable: nullable, Append: append}
	}
	str := func(dst, text []byte) ([]byte, error) { return avro.AppendBytes(dst, text), nil }
	num := func(dst, text []byte) ([]byte, error) { return long(dst, int64(len(text))*1000), nil }
	dec := func(dst, text []byte) ([]byte, error) { return avro.AppendBytes(dst, []byte{0x01, 0x86, 0xa0}), nil }
	named := func(typ, name string) any { return map[string]any{"type": typ, "connect.name": name} }
	decimal := map[string]any{"type": "bytes", "logicalType": "decimal", "precision": 14, "scale": 2}
	enc, err := avro.Compile(avro.Table{Source: "his", Database: "his", Schema: "public", Name: "encounter", Key: []int{0}, Fields: []avro.Field{
		field("encounter_id", 0, named("string", "io.debezium.data.Uuid"), false, str), field("patient_id", 1, "long", true, num), field("facility_id", 2, "int", true, num),
		field("kind", 3, named("string", "io.debezium.data.Enum"), true, str), field("admitted_at", 4, named("string", "io.debezium.time.ZonedTimestamp"), true, str),
		field("discharged_at", 5, named("string", "io.debezium.time.ZonedTimestamp"), true, str), field("icd10", 6, "string", true, str), field("name", 7, "string", true, str),
		field("diagnosis", 8, "string", true, str), field("cost", 9, decimal, true, dec), field("insured_paid", 10, decimal, true, dec), field("notes", 11, "string", true, str),
	}})
	require.NoError(b, err)
	env, err := avro.ParseEnvelope(enc.ValueSchema())
	require.NoError(b, err)
	var out [][]byte
	for i := range n {
		text := func(s string) event.Value { return event.Value{State: event.Present, Text: []byte(s)} }
		msg, err := enc.AppendValue(nil, 7, &event.Event{
			Op: event.Create, Position: event.Position{Epoch: 1, LSN: event.LSN(1000 + i), Ordinal: 1}, CommitMicros: 1_760_000_000_000_000,
			After: event.Row{
				text(fmt.Sprintf("6f9619ff-8b86-4011-b42d-00c04f%06x", i)), text("12345"), text("12"), text("outpatient"), text("2025-10-09T08:53:20.123456Z"), {},
				text("J18.9"), text("Nguyễn Thị Minh Khai"), text("Viêm phổi, không phân loại, đã điều trị ngoại trú"), text("1"), text("1"), text("khám lại sau bảy ngày"),
			},
		})
		require.NoError(b, err)
		out = append(out, msg)
	}
	return env, out
}

// BenchmarkDecodeToColumns is a message's way from Kafka's bytes into columns:
// the sink's own work for a row.
func BenchmarkDecodeToColumns(b *testing.B) {
	env, msgs := messages(b, 1000)
	tab, err := New(Description{Sector: "health", Name: "encounter"}, env.Columns())
	require.NoError(b, err)
	m, err := tab.Map(env.Columns())
	require.NoError(b, err)
	var d avro.Decoded
	record := []byte("his.encounter:6f9619ff-8b86-4011-b42d-00c04f000000")
	b.SetBytes(int64(len(msgs[0])))
	b.ReportAllocs()
	b.ResetTimer()
	buffer := tab.NewBuffer("his", "his.public.encounter", 0)
	for i := range b.N {
		if i%100_000 == 0 {
			buffer = tab.NewBuffer("his", "his.public.encounter", 0)
		}
		_, payload, err := avro.SplitWire(msgs[i%len(msgs)])
		if err != nil {
			b.Fatal(err)
		}
		if err := env.Decode(payload, &d); err != nil {
			b.Fatal(err)
		}
		meta := Meta{Record: record, Op: d.Op, Position: d.Position, TxID: d.TxID, CommitMicros: d.CommitMicros, Offset: int64(i)}
		if err := buffer.Append(m, d.After, &meta); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "rows/s")
}

// BenchmarkColumnsToBlock is the rest of the way in this process: the columns
// of a batch into the client's block, once for silver and once for bronze, as
// it is sent over HTTP.
func BenchmarkColumnsToBlock(b *testing.B) {
	const rows = 50_000
	env, msgs := messages(b, 1000)
	tab, err := New(Description{Sector: "health", Name: "encounter"}, env.Columns())
	require.NoError(b, err)
	m, err := tab.Map(env.Columns())
	require.NoError(b, err)
	var d avro.Decoded
	buffer := tab.NewBuffer("his", "his.public.encounter", 0)
	for i := range rows {
		_, payload, err := avro.SplitWire(msgs[i%len(msgs)])
		require.NoError(b, err)
		require.NoError(b, env.Decode(payload, &d))
		require.NoError(b, buffer.Append(m, d.After, &Meta{Record: []byte("his.encounter:1"), Op: d.Op, Position: d.Position, Offset: int64(i)}))
	}
	var s Scratch
	b.ReportAllocs()
	b.ResetTimer()
	for range b.N {
		for _, in := range []*Insert{tab.InsertSilver(), tab.InsertBronze()} {
			block := chproto.NewBlock()
			for _, c := range in.Columns {
				require.NoError(b, block.AddColumn(c.Name, chcolumn.Type(c.Plain)))
			}
			require.NoError(b, in.Each(buffer, &s, false, func(i int, values any) error {
				_, err := block.Columns[i].Append(values)
				return err
			}))
			require.Equal(b, rows, block.Rows())
		}
	}
	b.ReportMetric(float64(b.N)*rows/b.Elapsed().Seconds(), "rows/s")
}
