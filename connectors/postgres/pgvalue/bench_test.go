package pgvalue

import (
	"encoding/binary"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hopluu/hopluu/connectors/postgres/pgoutput"
	"github.com/hopluu/hopluu/schemas/avro"
	"github.com/hopluu/hopluu/schemas/event"
)

// visitColumns is a table of 13 columns with the types that sector databases
// are mostly made of.
var visitColumns = []struct {
	name, text string
	oid        uint32
	typmod     int32
}{
	{"id", "1234567", 20, -1},
	{"uid", "9b2f6a1e-3c44-4f5e-8a77-0d1c2b3a4f55", 2950, -1},
	{"insurance_no", "DN4010123456789", 1043, 19},
	{"full_name", "Nguyễn Thị Minh Khai", 25, -1},
	{"birth_date", "1984-07-21", 1082, -1},
	{"sex", "F", 1042, 5},
	{"facility", "BV Đa khoa tỉnh", 25, -1},
	{"admitted_at", "2024-02-29 12:34:56.123456+00", 1184, -1},
	{"icd10", "J18.9", 1043, 12},
	{"cost", "1250000.00", 1700, 786438},
	{"inpatient", "t", 16, -1},
	{"note", "viêm phổi, theo dõi 7 ngày", 25, -1},
	{"days", "12", 23, -1},
}

func visitFrame() []byte {
	b := binary.BigEndian.AppendUint32([]byte{'I'}, 16414)
	b = append(b, 'N')
	b = binary.BigEndian.AppendUint16(b, uint16(len(visitColumns)))
	for _, c := range visitColumns {
		b = append(b, 't')
		b = binary.BigEndian.AppendUint32(b, uint32(len(c.text)))
		b = append(b, c.text...)
	}
	return b
}

func visitEncoder(t testing.TB) *avro.Encoder {
	table := avro.Table{Source: "health", Database: "health", Schema: "public", Name: "visit", Key: []int{0}}
	for i, c := range visitColumns {
		codec, err := Lookup(Column{Name: c.name, OID: c.oid, Typmod: c.typmod})
		require.NoError(t, err)
		table.Fields = append(table.Fields, avro.Field{Name: c.name, Column: i, Type: codec.Avro, Nullable: i > 0, Append: codec.Append})
	}
	e, err := avro.Compile(table)
	require.NoError(t, err)
	return e
}

// rowToAvro is the way of a row through the pure half of the connector: a
// frame to the bytes of its key and its value.
type rowToAvro struct {
	decoder pgoutput.Decoder
	encoder *avro.Encoder
	event   event.Event
	key     []byte
	value   []byte
}

func (r *rowToAvro) run(frame []byte) error {
	m, err := r.decoder.Decode(frame)
	if err != nil {
		return err
	}
	r.event.Position.Ordinal++
	r.event.After = m.(*pgoutput.Insert).New
	if r.key, err = r.encoder.AppendKey(r.key[:0], 1, r.event.After); err != nil {
		return err
	}
	r.value, err = r.encoder.AppendValue(r.value[:0], 2, &r.event)
	return err
}

func newRowToAvro(t testing.TB) *rowToAvro {
	return &rowToAvro{encoder: visitEncoder(t), event: event.Event{
		Op: event.Create, Position: event.Position{Epoch: 1, LSN: 0x16B374D848}, TxID: 701, CommitMicros: 1_709_210_096_123_456,
	}}
}

// BenchmarkRowToAvro is the end-to-end figure: pgoutput frame to Avro bytes,
// in ns a row.
func BenchmarkRowToAvro(b *testing.B) {
	r, frame := newRowToAvro(b), visitFrame()
	b.SetBytes(int64(len(frame)))
	b.ReportAllocs()
	for b.Loop() {
		if err := r.run(frame); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "rows/s")
}

// No map and no memory per row, from the frame to the bytes.
func TestRowToAvroDoesNotAllocate(t *testing.T) {
	r, frame := newRowToAvro(t), visitFrame()
	require.NoError(t, r.run(frame))
	require.Zero(t, testing.AllocsPerRun(100, func() {
		if err := r.run(frame); err != nil {
			panic(err)
		}
	}))
}

// BenchmarkAppend is the cost of the types that rows are mostly made of.
func BenchmarkAppend(b *testing.B) {
	for _, c := range []struct {
		name, text string
		oid        uint32
		typmod     int32
	}{
		{"int8", "1234567", 20, -1},
		{"float8", "12345.678", 701, -1},
		{"numeric12", "1250000.00", 1700, 786438},
		{"numeric38", "1234567890123456789012345678.0123456789", 1700, 2490382},
		{"text", "Nguyễn Thị Minh Khai", 25, -1},
		{"date", "1984-07-21", 1082, -1},
		{"timestamp", "2024-02-29 12:34:56.123456", 1114, -1},
		{"timestamptz", "2024-02-29 12:34:56.123456+00", 1184, -1},
		{"timestamptz_offset", "2024-02-29 12:34:56.123456+07", 1184, -1},
		{"bytea", `\x00ff5c7800ff5c7800ff5c7800ff5c78`, 17, -1},
		{"text_array", `{a,"b \"quoted\"",NULL}`, 1009, -1},
	} {
		codec, err := Lookup(Column{Name: "c", OID: c.oid, Typmod: c.typmod})
		require.NoError(b, err)
		b.Run(c.name, func(b *testing.B) {
			text, dst := []byte(c.text), make([]byte, 0, 4096)
			b.ReportAllocs()
			for b.Loop() {
				if dst, err = codec.Append(dst[:0], text); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
