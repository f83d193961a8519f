package pgvalue

import (
	"math/big"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hopluu/hopluu/schemas/avro"
)

const numeric12 = 12<<16 + 2 + 4 // numeric(12,2)

// P3: a text that its type does not print, or that Avro cannot carry, is
// refused with the reason. Case 14 is among them: NaN, the ends of time.
func TestCase14Refused(t *testing.T) {
	for _, c := range []struct {
		oid    uint32
		typmod int32
		text   string
		reason string
	}{
		{16, -1, "true", "neither t nor f"},
		{21, -1, "32768", "range"}, {21, -1, "-32769", "range"}, {23, -1, "2147483648", "range"}, {26, -1, "-1", "range"},
		{26, -1, "4294967296", "range"}, {20, -1, "9223372036854775808", "whole number"}, {20, -1, "-9223372036854775809", "whole number"},
		{20, -1, "", "whole number"}, {20, -1, "-", "whole number"}, {20, -1, "+1", "whole number"}, {20, -1, "1 ", "whole number"}, {20, -1, "12345678901234567890123", "whole number"},
		{700, -1, "1e39", "range"}, {701, -1, "1e309", "range"}, {701, -1, "0x1p-2", "not a number"}, {701, -1, "inf", "not a number"}, {701, -1, "1_0", "not a number"}, {701, -1, "", "not a number"}, {701, -1, "1e", "not a number"},
		{1700, numeric12, "NaN", "no NaN or infinity"}, {1700, numeric12, "Infinity", "no NaN or infinity"},
		{1700, numeric12, "12345678901.00", "more digits than"}, {1700, numeric12, "1.001", "after the point"},
		{1700, numeric12, "", "not a number"}, {1700, numeric12, "-", "not a number"}, {1700, numeric12, ".", "not a number"}, {1700, numeric12, "1.2.3", "not a number"}, {1700, numeric12, "1e5", "not a number"}, {1700, numeric12, "--1", "not a number"},
		{1700, numeric12, "10000000000", "more digits than"}, // the zeros of its scale make it longer
		{25, -1, "\xff", "UTF-8"}, {1700, -1, "\xff", "UTF-8"}, {869, -1, "\xff", "UTF-8"},
		{17, -1, "abc", "bytea_output"}, {17, -1, `\x0`, "hexadecimal"}, {17, -1, `\xzz`, "hexadecimal"}, {17, -1, "", "bytea_output"},
		{1082, -1, "21/07/1984", "DateStyle"}, {1082, -1, "1984-7-21", "DateStyle"}, {1082, -1, "1984-13-01", "DateStyle"}, {1082, -1, "1984-02-30", "DateStyle"}, {1082, -1, "1900-02-29", "DateStyle"},
		{1082, -1, "0000-01-01", "DateStyle"}, {1082, -1, "0004-02-29 BC", "DateStyle"}, {1082, -1, "1984-07-21 ", "DateStyle"}, {1082, -1, "5881581-01-01", "range"}, {1082, -1, "12345678-01-01", "DateStyle"}, {1082, -1, "", "DateStyle"}, {1082, -1, " BC", "DateStyle"},
		{1114, -1, "2024-02-29", "DateStyle"}, {1114, -1, "2024-02-29T00:00:00", "DateStyle"}, {1114, -1, "2024-02-29 25:00:00", "DateStyle"}, {1114, -1, "2024-02-29 00:60:00", "DateStyle"},
		{1114, -1, "2024-02-29 00:00:60", "DateStyle"}, {1114, -1, "2024-02-29 00:00:00.", "DateStyle"}, {1114, -1, "2024-02-29 00:00:00.1234567", "DateStyle"}, {1114, -1, "2024-02-29 24:00:00.1", "DateStyle"}, {1114, -1, "2024-02-29 00:00:00+00", "DateStyle"},
		{1114, -1, "294276-12-31 23:59:59.999999", "do not fit 64 bits"}, {1114, -1, "294247-01-10 04:00:54.775807", "do not fit 64 bits"},
		{1184, -1, "2024-02-29 00:00:00", "DateStyle"}, {1184, -1, "2024-02-29 00:00:00+0", "DateStyle"}, {1184, -1, "2024-02-29 00:00:00+07:", "DateStyle"}, {1184, -1, "2024-02-29 00:00:00+07:60", "DateStyle"}, {1184, -1, "2024-02-29 00:00:00+07:00:00:00", "DateStyle"}, {1184, -1, "2024-02-29 00:00:00 ICT", "DateStyle"},
		{1083, -1, "1:00:00", "DateStyle"}, {1083, -1, "24:00:01", "DateStyle"}, {1083, -1, "00:00:00+07", "DateStyle"}, {1266, -1, "00:00:00", "DateStyle"},
		{1186, -1, "1 year", "IntervalStyle"}, {1186, -1, "01:02:03", "IntervalStyle"}, {1186, -1, "P", "IntervalStyle"},
		{1007, -1, "{{1,2},{3,4}}", "more than one dimension"}, {1007, -1, "[0:1]={1,2}", "bounds"}, {1007, -1, "{1,x}", "int4"}, {1007, -1, "{1,}", "not the text"}, {1007, -1, "{,1}", "not the text"}, {1007, -1, "1,2", "not the text"}, {1007, -1, "{1", "not the text"}, {1007, -1, "", "not the text"},
		{1009, -1, `{"a`, "not the text"}, {1009, -1, `{"a}`, "not the text"}, {1009, -1, `{"a\"}`, "not the text"}, {1009, -1, `{"a"b}`, "not the text"}, {1009, -1, `{a"b}`, "not the text"}, {1009, -1, `{a}b}`, "not the text"}, {1009, -1, `{"a"}}`, "not the text"}, {1009, -1, `{a{}`, "not the text"},
		{1231, numeric12, "{NaN}", "no NaN"},
		{1560, 1, "2", "neither 0 nor 1"}, {1560, 1, "01", "neither 0 nor 1"}, {1560, 4, "012", "as many bits"}, {1560, 4, "", "as many bits"}, {1560, 4, "01x1", "neither 0 nor 1"}, {1560, -1, "\xff", "UTF-8"},
	} {
		codec, err := Lookup(Column{Name: "c", OID: c.oid, Typmod: c.typmod})
		require.NoError(t, err)
		_, err = codec.Append(nil, []byte(c.text))
		var textErr *TextError
		require.ErrorAs(t, err, &textErr, "%s %q", codec.PGType, c.text)
		require.ErrorContains(t, err, c.reason, "%s %q", codec.PGType, c.text)
	}
}

// P11: an error does not repeat the value, for errors end in logs.
func TestErrorsHoldNoValue(t *testing.T) {
	const secret = "7654321"
	for oid := range builtin {
		codec, err := Lookup(Column{Name: "c", OID: oid, Typmod: numeric12})
		require.NoError(t, err)
		for _, text := range []string{secret + "-\xff", "{" + secret + "\xff"} {
			if _, err := codec.Append(nil, []byte(text)); err != nil {
				require.NotContains(t, err.Error(), secret, codec.PGType)
			}
		}
	}
}

func TestLookup(t *testing.T) {
	for want, c := range map[string]Column{
		"varchar(40)": {OID: 1043, Typmod: 44}, "bpchar(1)": {OID: 1042, Typmod: 5}, "varchar": {OID: 1043, Typmod: -1},
		"numeric(12,2)": {OID: 1700, Typmod: numeric12}, "numeric(3,-2)": {OID: 1700, Typmod: 3<<16 + (-2 & 0x7ff) + 4}, "numeric": {OID: 1700, Typmod: -1},
		"timestamptz(3)": {OID: 1184, Typmod: 3}, "text[]": {OID: 1009, Typmod: -1}, "numeric(12,2)[]": {OID: 1231, Typmod: numeric12},
		"mood": {OID: 90001, TypeName: "mood", Enum: true}, "type_90009": {OID: 90009}, "citext": {OID: 90002, TypeName: "citext"},
		"int4":              {OID: 90003, TypeName: "positive", Base: &Column{OID: 90004, Base: &Column{OID: 23}}},
		"geom[]":            {OID: 90005, TypeName: "_geom", Elem: &Column{OID: 90006, TypeName: "geom"}, Delimiter: ':'},
		"numeric(12,2)[][]": {OID: 1231, Typmod: numeric12, Dims: 2}, "money": {OID: 790, MoneyDigits: 2}, "money[]": {OID: 791}, "box[]": {OID: 1020},
		"int4[][]": {OID: 90007, Elem: &Column{OID: 90008, TypeName: "ints", Base: &Column{OID: 1007}}}, // an array of a domain over an array
	} {
		codec, err := Lookup(c)
		require.NoError(t, err)
		require.Equal(t, want, codec.PGType)
	}
	codec, err := Lookup(Column{OID: 90005, Elem: &Column{OID: 90006, TypeName: "geom"}, Delimiter: ':'})
	require.NoError(t, err)
	b, err := codec.Append(nil, []byte("{a,b:c}"))
	require.NoError(t, err)
	require.Equal(t, "\x04\x02\x06a,b\x02\x02c\x00", string(b))
	endless := Column{OID: 90001}
	endless.Base = &endless
	_, err = Lookup(endless)
	require.ErrorContains(t, err, "nested")
}

// The days of the calendar against Go's, whose year 0 is 1 BC too.
func TestDaysAgreeWithGo(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	epoch := time.Date(1970, 1, 1, 0, 0, 0, 0, time.UTC)
	for range 20_000 {
		days := rng.Int64N(200_000_000) - 100_000_000
		d := civilOf(days)
		want := epoch.AddDate(0, 0, int(days))
		require.Equal(t, civil{int64(want.Year()), int(want.Month()), want.Day()}, d)
		require.Equal(t, days, d.days())
	}
}

// Decimals of every length against big.Int.
func TestDecimalsAgreeWithBigInt(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for range 20_000 {
		n := 1 + rng.IntN(maxPrecision)
		digits := make([]byte, n)
		for i := range digits {
			digits[i] = "0123456789999"[rng.IntN(13)]
		}
		scale := rng.IntN(n)
		text := string(digits[:n-scale])
		if scale > 0 {
			text += "." + string(digits[n-scale:])
		}
		if rng.IntN(2) == 0 {
			text = "-" + text
		}
		b, err := appendDecimal(nil, []byte(text), maxPrecision, scale, "numeric")
		require.NoError(t, err)
		want, ok := new(big.Int).SetString(strings.Replace(text, ".", "", 1), 10)
		require.True(t, ok)
		require.Equal(t, twosComplement(want), b[1:], text)
		require.Equal(t, byte(len(b)-1)<<1, b[0])
		rat, ok := new(big.Rat).SetString(string(avro.AppendDecimal(nil, b[1:], scale)))
		require.True(t, ok)
		require.Zero(t, rat.Cmp(new(big.Rat).SetFrac(want, new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(scale)), nil))))
	}
}

// twosComplement is the least number of bytes that hold n with its sign, as
// Java's BigInteger.toByteArray gives it.
func twosComplement(n *big.Int) []byte {
	for size := 1; ; size++ {
		half := new(big.Int).Lsh(big.NewInt(1), uint(8*size-1))
		if n.Cmp(half) < 0 && n.Cmp(new(big.Int).Neg(half)) >= 0 {
			m := new(big.Int).And(n, new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), uint(8*size)), big.NewInt(1)))
			return m.FillBytes(make([]byte, size))
		}
	}
}

// Every instant is the same whichever offset the session printed it with.
func TestTimestamptzOffsetsAgree(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	for range 20_000 {
		offset := time.Duration(rng.IntN(2*57_599)-57_599) * time.Second
		at := time.UnixMicro(rng.Int64N(4e17) - 6e16).UTC()
		local := at.Add(offset)
		text := pgTimestamp(local) + pgOffset(offset)
		bc := local.Year() < 1
		if bc {
			text += " BC"
		}
		b, err := appendTimestamptz(nil, []byte(text))
		require.NoError(t, err, text)
		plain, err := appendTimestamptz(nil, []byte(pgTimestamp(at)+"+00"+map[bool]string{true: " BC"}[at.Year() < 1]))
		require.NoError(t, err)
		require.Equal(t, string(plain), string(b), text)
		require.Equal(t, len(b)-1, int(b[0])/2)
	}
}

func pgTimestamp(at time.Time) string {
	year := at.Year()
	if year < 1 {
		year = 1 - year
	}
	s := strconv.Itoa(year)
	s = strings.Repeat("0", max(0, 4-len(s))) + s
	return s + strings.TrimSuffix(strings.TrimRight(at.Format("-01-02 15:04:05.000000"), "0"), ".")
}

func pgOffset(d time.Duration) string {
	sign := "+"
	if d < 0 {
		sign, d = "-", -d
	}
	return sign + time.Unix(0, 0).UTC().Add(d).Format("15:04:05")
}

// A session that is not in UTC prints the same instants in another way.
func TestTimestamptzOfOtherZones(t *testing.T) {
	for text, want := range map[string]string{
		"2020-01-31 23:59:59.5+07":         "2020-01-31T16:59:59.5Z",
		"0001-01-01 03:00:00+07":           "0000-12-31T20:00:00Z",
		"10000-01-01 03:00:00.25+07:06:40": "9999-12-31T19:53:20.25Z",
		"2020-12-31 20:00:00-05:30":        "2021-01-01T01:30:00Z",
		"0001-12-31 23:59:59-01 BC":        "0001-01-01T00:59:59Z",
	} {
		b, err := appendTimestamptz(nil, []byte(text))
		require.NoError(t, err, text)
		require.Equal(t, want, string(b[1:]), text)
	}
}

// Money of currencies without a hundredth, and what is no money.
func TestMoney(t *testing.T) {
	for _, c := range []struct {
		text   string
		digits int
		want   string
	}{
		{"$0.00", 2, "0.00"}, {"-$1,234.56", 2, "-1234.56"}, {"$12.34", 0, "1234"}, {"-$0.05", 3, "-0.005"},
		{"-$92,233,720,368,547,758.08", 2, "-92233720368547758.08"},
	} {
		codec, err := Lookup(Column{OID: money, MoneyDigits: c.digits})
		require.NoError(t, err)
		b, err := codec.Append(nil, []byte(c.text))
		require.NoError(t, err, c.text)
		want, ok := new(big.Rat).SetString(c.want)
		require.True(t, ok)
		have, ok := new(big.Rat).SetString(string(avro.AppendDecimal(nil, b[1:], c.digits)))
		require.True(t, ok)
		require.Zero(t, want.Cmp(have), "%s: %s", c.text, have)
		array, err := Lookup(Column{OID: 791, MoneyDigits: c.digits})
		require.NoError(t, err)
		list, err := array.Append(nil, []byte(`{"`+c.text+`"}`))
		require.NoError(t, err)
		require.Equal(t, string(b), string(list[2:len(list)-1]))
	}
	for _, text := range []string{"", "$", "-", "1.00", "1.234 ₫", "$.00", "$1", "$1.0", "$1.000", "$1,23.00", "$12,34.56", "$,123.00x", "$92,233,720,368,547,758.08", "$1e5.00", "$999,999,999,999,999,999,999.00", "--$1.00", "$-1.00"} {
		_, err := appendMoney(nil, []byte(text))
		var textErr *TextError
		require.ErrorAs(t, err, &textErr, text)
	}
}
