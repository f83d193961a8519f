package pgvalue

import (
	"bytes"
	"testing"

	"github.com/hopluu/hopluu/schemas/avro"
	"github.com/stretchr/testify/require"
)

// Case 14, P3: each value is in one of the two fields, whole, and what the type
// holds is there as it always was.
func TestCase14Unfit(t *testing.T) {
	for _, c := range []struct {
		column     Column
		fit, unfit []string
	}{
		{Column{OID: 1700, Typmod: 12<<16 | 2 + 4}, []string{"1.50", "-0.01"}, []string{"NaN"}},
		{Column{OID: 1114, Typmod: -1}, []string{"1900-01-01 00:00:00", "2261-12-31 23:59:59.999999"},
			[]string{"294276-12-31 23:59:59.999999", "9999-12-31 00:00:00", "1899-12-31 23:59:59", "0044-03-15 00:00:00 BC", "infinity", "-infinity"}},
		{Column{OID: 1184, Typmod: 3}, []string{"2024-02-29 12:00:00.1+00"}, []string{"9999-12-31 00:00:00+00", "infinity"}},
		{Column{OID: 1082, Typmod: -1}, []string{"1900-01-01", "2299-12-31"}, []string{"9999-12-31", "1899-12-31", "5874897-12-31", "4713-01-01 BC", "infinity"}},
		{Column{OID: 1007, Typmod: -1}, []string{"{}", "{1,NULL}"}, []string{"{{1,2},{3,4}}", "[0:1]={1,2}"}},
		{Column{OID: 25, Typmod: -1}, []string{"", "NaN", "infinity"}, nil},
	} {
		codec, err := Lookup(c.column)
		require.NoError(t, err)
		typed, text := Unfit(codec)
		require.Equal(t, codec.Avro, typed.Avro)
		before := []byte("before")
		for _, value := range c.fit {
			want, err := codec.Append(bytes.Clone(before), []byte(value))
			require.NoError(t, err)
			got, err := typed.Append(bytes.Clone(before), []byte(value))
			require.NoError(t, err)
			require.Equal(t, want, got)
			got, err = text.Append(bytes.Clone(before), []byte(value))
			require.ErrorIs(t, err, avro.ErrAbsent)
			require.Equal(t, before, got)
		}
		for _, value := range c.unfit {
			got, err := typed.Append(bytes.Clone(before), []byte(value))
			require.ErrorIs(t, err, avro.ErrAbsent, value)
			require.Equal(t, before, got)
			got, err = text.Append(bytes.Clone(before), []byte(value))
			require.NoError(t, err)
			require.Equal(t, avro.AppendBytes(bytes.Clone(before), value), got)
		}
	}
	codec, err := Lookup(Column{OID: 25, Typmod: -1})
	require.NoError(t, err)
	_, text := Unfit(codec)
	_, err = text.Append(nil, []byte("\xff"))
	require.NotErrorIs(t, err, avro.ErrAbsent, "what no string can hold is in neither, and an error")
	require.Error(t, err)
}
