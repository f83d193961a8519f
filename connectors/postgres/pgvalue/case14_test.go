package pgvalue

import (
	"encoding/json"
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/linkedin/goavro/v2"
	"github.com/stretchr/testify/require"
)

// reference is what goavro reads of a value that the type carries.
func reference(t *testing.T, c Column, text string) any {
	t.Helper()
	codec, err := Lookup(c)
	require.NoError(t, err)
	b, err := codec.Append(nil, []byte(text))
	require.NoError(t, err, text)
	schema, err := json.Marshal(codec.Avro)
	require.NoError(t, err)
	reader, err := goavro.NewCodec(string(schema))
	require.NoError(t, err)
	value, rest, err := reader.NativeFromBinary(b)
	require.NoError(t, err)
	require.Empty(t, rest)
	return value
}

// Case 14: an infinity is a value of its own: never the value of a finite date
// or time, the first and the last that PostgreSQL has among them.
func TestCase14InfinityTimestamps(t *testing.T) {
	dates, timestamps, zoned := Column{OID: 1082}, Column{OID: 1114, Typmod: -1}, Column{OID: 1184, Typmod: -1}
	require.EqualValues(t, math.MaxInt32, reference(t, dates, "infinity"))
	require.EqualValues(t, math.MinInt32, reference(t, dates, "-infinity"))
	require.EqualValues(t, int64(TimestampInfinity), reference(t, timestamps, "infinity"))
	require.EqualValues(t, int64(TimestampMinusInfinity), reference(t, timestamps, "-infinity"))
	require.Equal(t, "infinity", reference(t, zoned, "infinity"))
	require.Equal(t, "-infinity", reference(t, zoned, "-infinity"))
	for text, c := range map[string]Column{"5874897-12-31": dates, "4714-11-24 BC": dates, "4714-11-24 00:00:00 BC": timestamps} {
		value := fmt.Sprint(reference(t, c, text))
		require.NotContains(t, []string{fmt.Sprint(math.MaxInt32), fmt.Sprint(math.MinInt32), fmt.Sprint(int64(TimestampInfinity)), fmt.Sprint(int64(TimestampMinusInfinity))}, value)
	}
	// The latest finite timestamps: carried below infinity, or refused (P3).
	previous := int64(0)
	for year := 294200; year <= 294276; year++ {
		for _, day := range []string{"01-01 00:00:00", "12-31 23:59:59.999999"} {
			b, err := appendTimestamp(nil, fmt.Appendf(nil, "%d-%s", year, day))
			if err != nil {
				require.ErrorContains(t, err, "do not fit 64 bits")
				require.GreaterOrEqual(t, year, 294246)
				continue
			}
			reader, err := goavro.NewCodec(`"long"`)
			require.NoError(t, err)
			micros, _, err := reader.NativeFromBinary(b)
			require.NoError(t, err)
			require.Greater(t, micros.(int64), previous)
			require.Less(t, micros.(int64), int64(TimestampInfinity))
			previous = micros.(int64)
		}
	}
}

// Case 14: PostgreSQL counts by the Gregorian calendar before it was made too,
// and so do we: no ten days are lost in 1582, and the year after 1 BC is 1.
func TestCase14DatesBeforeTheGregorianCalendar(t *testing.T) {
	date := func(text string) int32 { return reference(t, Column{OID: 1082}, text).(int32) }
	require.EqualValues(t, 1, date("1582-10-15")-date("1582-10-14"))
	require.EqualValues(t, 11, date("1582-10-15")-date("1582-10-04"))
	require.EqualValues(t, 1, date("0001-01-01")-date("0001-12-31 BC"))
	require.EqualValues(t, 366, date("0001-01-01")-date("0001-01-01 BC"), "1 BC is a leap year")
	require.EqualValues(t, -2440588, date("4714-11-24 BC"), "day 0 of the Julian period")
	micros := func(text string) int64 { return reference(t, Column{OID: 1114, Typmod: -1}, text).(int64) }
	require.EqualValues(t, 1, micros("0001-01-01 00:00:00")-micros("0001-12-31 23:59:59.999999 BC"))
	require.Equal(t, int64(date("1066-10-14"))*microsPerDay, micros("1066-10-14 00:00:00"))
	require.Equal(t, "-0043-03-15T01:02:03Z", reference(t, Column{OID: 1184, Typmod: -1}, "0044-03-15 01:02:03+00 BC"))
}

// Case 14: NaN and infinities are carried where the type has a place for them,
// and refused with the reason where it has none; never zero, never null.
func TestCase14NumericNaN(t *testing.T) {
	for _, text := range []string{"NaN", "Infinity", "-Infinity"} {
		require.Equal(t, text, reference(t, Column{OID: 1700, Typmod: -1}, text))
		for _, c := range []Column{{OID: 1700, Typmod: numeric12}, {OID: 1700, Typmod: 3<<16 + (-2 & 0x7ff) + 4}, {OID: 1231, Typmod: numeric12}} {
			codec, err := Lookup(c)
			require.NoError(t, err)
			if c.OID == 1231 {
				text = "{" + text + "}"
			}
			_, err = codec.Append(nil, []byte(text))
			require.ErrorContains(t, err, "no NaN or infinity: correct the row, or declare the column numeric without a precision")
		}
	}
	require.True(t, math.IsNaN(reference(t, Column{OID: 701}, "NaN").(float64)))
	require.True(t, math.IsInf(reference(t, Column{OID: 701}, "-Infinity").(float64), -1))
	require.True(t, math.Signbit(reference(t, Column{OID: 701}, "-0").(float64)))
}

// Case 14: a numeric without a precision keeps every digit that PostgreSQL has,
// up to 131072 before the point and 16383 after it, and its scale.
func TestCase14UnboundedNumeric(t *testing.T) {
	rng := rand.New(rand.NewPCG(14, 0))
	digits := func(n int) string {
		var b strings.Builder
		for range n {
			b.WriteByte(byte('0' + rng.IntN(10)))
		}
		return b.String()
	}
	for _, text := range []string{"0", "1.500", "-0.000", "1" + digits(131071) + "." + digits(16383), "-0." + digits(16383), "9" + digits(76), digits(5) + "." + digits(40)} {
		require.Equal(t, text, reference(t, Column{OID: 1700, Typmod: -1}, text))
	}
	// Declared with more digits than ClickHouse's widest decimal has.
	require.Equal(t, "1.5", reference(t, Column{OID: 1700, Typmod: 77<<16 + 1 + 4}, "1.5"))
	want, ok := new(big.Rat).SetString("12345678.90")
	require.True(t, ok)
	require.Zero(t, want.Cmp(reference(t, Column{OID: 1700, Typmod: numeric12}, "12345678.90").(*big.Rat)))
}
