package avro

import (
	"strconv"
	"testing"

	"github.com/linkedin/goavro/v2"
	"github.com/stretchr/testify/require"

	"github.com/hopluu/hopluu/schemas/event"
)

// benchTable has 13 columns of about 220 bytes, as the load of the capture
// benchmarks has it.
func benchTable() Table {
	t := Table{Source: "health", Database: "health", Schema: "public", Name: "visit", Key: []int{0}}
	for i := range 13 {
		f := Field{Name: "c" + strconv.Itoa(i), Column: i, Type: "string", Nullable: i > 0, Append: appendText}
		if i%3 == 0 {
			f.Type, f.Append = "long", appendInteger
		}
		t.Fields = append(t.Fields, f)
	}
	return t
}

func benchEvent() *event.Event {
	ev := &event.Event{Op: event.Create, Position: event.Position{Epoch: 1, LSN: 0x16B374D848, Ordinal: 9}, TxID: 700, TableOrder: 9, CommitMicros: 1_709_210_096_123_456}
	for i := range 13 {
		if i%3 == 0 {
			ev.After = append(ev.After, present(strconv.Itoa(1234567*i)))
		} else {
			ev.After = append(ev.After, present("Nguyễn Thị Minh Khai"))
		}
	}
	return ev
}

func BenchmarkEncode(b *testing.B) {
	e, ev := mustCompile(b, benchTable()), benchEvent()
	var key, value []byte
	var err error
	b.ReportAllocs()
	for b.Loop() {
		if key, err = e.AppendKey(key[:0], 1, ev.After); err != nil {
			b.Fatal(err)
		}
		if value, err = e.AppendValue(value[:0], 1, ev); err != nil {
			b.Fatal(err)
		}
	}
	b.SetBytes(int64(len(value)))
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "rows/s")
}

func benchPayload(b *testing.B) (schema string, payload []byte) {
	e := mustCompile(b, benchTable())
	msg, err := e.AppendValue(nil, 1, benchEvent())
	require.NoError(b, err)
	return e.ValueSchema(), payloadOf(b, msg)
}

func BenchmarkDecode(b *testing.B) {
	schema, payload := benchPayload(b)
	env, err := ParseEnvelope(schema)
	require.NoError(b, err)
	var d Decoded
	b.SetBytes(int64(len(payload)))
	b.ReportAllocs()
	for b.Loop() {
		if err := env.Decode(payload, &d); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "rows/s")
}

// BenchmarkDecodeReference is the library that we test against, to compare.
func BenchmarkDecodeReference(b *testing.B) {
	schema, payload := benchPayload(b)
	codec, err := goavro.NewCodec(schema)
	require.NoError(b, err)
	b.SetBytes(int64(len(payload)))
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := codec.NativeFromBinary(payload); err != nil {
			b.Fatal(err)
		}
	}
}
