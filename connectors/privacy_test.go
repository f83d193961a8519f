package connectors

import (
	"testing"

	"github.com/hopluu/hopluu/connectors/postgres/pgvalue"
	"github.com/stretchr/testify/require"
)

// The mask of a date or a time is its year's first moment, and one that its
// type reads.
func TestYearOf(t *testing.T) {
	for _, c := range []struct {
		oid        uint32
		text, want string
	}{
		{1082, "1984-05-06", "1984-01-01"},
		{1082, "12026-12-31", "12026-01-01"},
		{1082, "0044-03-15 BC", "0044-01-01 BC"},
		{1082, "infinity", "infinity"},
		{1082, "-infinity", "-infinity"},
		{1114, "1984-05-06 07:08:09.5", "1984-01-01 00:00:00"},
		{1114, "0044-03-15 12:00:00 BC", "0044-01-01 00:00:00 BC"},
		{1184, "1984-05-06 07:08:09.123456+00", "1984-01-01 00:00:00+00"},
		{1184, "1984-05-06 07:08:09+05:30", "1984-01-01 00:00:00+00"},
		{1184, "0044-03-15 12:00:00-07 BC", "0044-01-01 00:00:00+00 BC"},
		{1184, "infinity", "infinity"},
	} {
		require.Equal(t, c.want, string(yearOf([]byte(c.text))))
		codec, err := pgvalue.Lookup(pgvalue.Column{OID: c.oid, Typmod: -1})
		require.NoError(t, err)
		_, errPlain := codec.Append(nil, []byte(c.text))
		_, errMasked := codec.Append(nil, []byte(c.want))
		require.Equal(t, errPlain == nil, errMasked == nil, "%s: %v, %v", c.text, errPlain, errMasked)
		require.True(t, isDate(codec))
		codec, err = pgvalue.Lookup(pgvalue.Column{OID: 99999, Base: &pgvalue.Column{OID: c.oid, Typmod: 3}})
		require.NoError(t, err)
		require.True(t, isDate(codec), "a domain over it")
	}
	for _, oid := range []uint32{25, 1182, 3912, 1083} { // text, date[], daterange, time
		codec, err := pgvalue.Lookup(pgvalue.Column{OID: oid, Typmod: -1})
		require.NoError(t, err)
		require.False(t, isDate(codec))
	}
}
