package tables

import (
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hopluu/hopluu/schemas/avro"
)

// A bit string has the digits that its source has: Debezium's bytes say which
// are set, the schema how many there are.
func TestBitsAreTheirDigits(t *testing.T) {
	for _, c := range []struct {
		length string
		bytes  []byte
		want   string // "" for a value that is refused
	}{
		{"4", []byte{0x05}, "0101"}, {"12", []byte{0x01, 0x00}, "000000000001"}, {"12", []byte{0, 0x0c}, "110000000000"}, {"8", []byte{0x80}, "10000000"},
		{"4", []byte{0x15}, ""}, {"12", []byte{1}, ""}, {fmt.Sprint(math.MaxInt32), []byte{0x05, 0}, "101"}, {"", []byte{0x05}, "00000101"},
	} {
		parameters := ""
		if c.length != "" {
			parameters = `,"connect.parameters":{"length":"` + c.length + `"}`
		}
		record, err := avro.ParseRecord(`{"type":"record","name":"r","fields":[{"name":"b","type":["null",{"type":"bytes","connect.name":"io.debezium.data.Bits"` + parameters + `}]}]}`)
		require.NoError(t, err)
		cells, err := record.Decode(avro.AppendBytes([]byte{2}, c.bytes), nil)
		require.NoError(t, err)
		tab, err := New(Description{Sector: "x", Name: "y"}, record.Columns())
		require.NoError(t, err)
		m, err := tab.Map(record.Columns())
		require.NoError(t, err)
		b := tab.NewBuffer("s", "t", 0)
		err = b.Append(m, cells, meta("", 1, 'c'))
		if c.want == "" {
			require.ErrorContains(t, err, "not as many as the column's schema says")
			require.Zero(t, b.Rows())
			continue
		}
		require.NoError(t, err)
		require.Equal(t, []*string{&c.want}, values(t, tab.InsertSilver(), b, false)["b"], "%+v", c)
	}
	for _, length := range []string{"-1", "x", "99999999999", "100000000"} {
		_, err := avro.ParseRecord(`{"type":"record","name":"r","fields":[{"name":"b","type":{"type":"bytes","connect.name":"io.debezium.data.Bits","connect.parameters":{"length":"` + length + `"}}}]}`)
		require.ErrorContains(t, err, "bits of the length", length)
	}
}
