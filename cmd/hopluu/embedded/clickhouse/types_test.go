package clickhouse_test

import (
	"math/big"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/google/uuid"
	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"github.com/hopluu/hopluu/integration/harness"
)

func open(t *testing.T, server *harness.ClickHouseServer, change func(*clickhouse.Options)) driver.Conn {
	t.Helper()
	options := server.Options()
	if change != nil {
		change(options)
	}
	conn, err := clickhouse.Open(options)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, conn.Close()) })
	return conn
}

// newDatabase makes a database for one test.
func newDatabase(t *testing.T, conn driver.Conn) string {
	t.Helper()
	name := harness.Name("db")
	require.NoError(t, conn.Exec(t.Context(), "CREATE DATABASE "+name))
	return name
}

// Every type that a sink writes goes in as a batch and comes out as it was,
// with each compression of clickhouse-go and with none.
func TestTypesThroughClickHouseGo(t *testing.T) {
	server := harness.ClickHouse(t)
	for name, method := range map[string]clickhouse.CompressionMethod{
		"none": clickhouse.CompressionNone, "lz4": clickhouse.CompressionLZ4, "zstd": clickhouse.CompressionZSTD,
		"gzip": clickhouse.CompressionGZIP, "deflate": clickhouse.CompressionDeflate, "brotli": clickhouse.CompressionBrotli,
	} {
		t.Run(name, func(t *testing.T) {
			conn := open(t, server, func(o *clickhouse.Options) { o.Compression = &clickhouse.Compression{Method: method} })
			table := newDatabase(t, conn) + ".types"
			require.NoError(t, conn.Exec(t.Context(), `CREATE TABLE `+table+` (
				b Bool, i16 Int16, i32 Int32, i64 Int64, u8 UInt8, u64 UInt64, u128 UInt128, f32 Float32, f64 Float64,
				dec Decimal(38, 9), dec76 Decimal(76, 10), s String, id UUID, d32 Date32, ts DateTime64(6, 'UTC'),
				lc LowCardinality(String), lcn LowCardinality(Nullable(String)),
				ns Nullable(String), ni Nullable(Int64), nd Nullable(Decimal(12, 2)), nt Nullable(DateTime64(6, 'UTC')),
				nu Nullable(UUID), nb Nullable(Bool), nd32 Nullable(Date32),
				arr Array(Nullable(String)), arri Array(Nullable(Int64))
			) ENGINE = MergeTree ORDER BY i64`))
			columns := "b, i16, i32, i64, u8, u64, u128, f32, f64, dec, dec76, s, id, d32, ts, lc, lcn, ns, ni, nd, nt, nu, nb, nd32, arr, arri"

			text, integer := "Nguyễn Thị Ánh\n\x00'\\", int64(-7)
			yes, money := true, decimal.RequireFromString("-1234567.89")
			id := uuid.MustParse("0190163d-8694-739b-aea5-966c26f8ad90")
			at := time.Date(2024, 2, 29, 23, 59, 59, 123456000, time.UTC)
			early, late := time.Date(1900, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2299, 12, 31, 0, 0, 0, 0, time.UTC)
			version := new(big.Int).Lsh(big.NewInt(3), 64)
			version.Add(version, big.NewInt(42))
			rows := [][]any{
				{
					true, int16(-32768), int32(-2147483648), int64(-9223372036854775808), uint8(1), uint64(1) << 63, *version, float32(1.5), 2.5,
					decimal.RequireFromString("12345678901234567890123456789.123456789"), decimal.RequireFromString("-999999999999999999999999999999999999999999999999999999999999999999.0123456789"),
					text, id, early, at, "phường Bến Nghé", &text, &text, &integer, &money, &at, &id, &yes, &late,
					[]*string{&text, nil}, []*int64{nil, &integer},
				},
				{
					false, int16(0), int32(0), int64(1), uint8(0), uint64(0), *big.NewInt(0), float32(0), 0.0,
					decimal.Zero, decimal.Zero, "", uuid.Nil, late, time.Unix(0, 0).UTC(), "", (*string)(nil),
					(*string)(nil), (*int64)(nil), (*decimal.Decimal)(nil), (*time.Time)(nil), (*uuid.UUID)(nil), (*bool)(nil), (*time.Time)(nil),
					[]*string{}, []*int64{},
				},
			}
			batch, err := conn.PrepareBatch(t.Context(), "INSERT INTO "+table+" ("+columns+")")
			require.NoError(t, err)
			for _, row := range rows {
				require.NoError(t, batch.Append(row...))
			}
			require.NoError(t, batch.Send())

			got, err := conn.Query(t.Context(), "SELECT "+columns+" FROM "+table+" ORDER BY i64")
			require.NoError(t, err)
			for _, want := range rows {
				require.True(t, got.Next(), "a row is missing: %v", got.Err())
				var (
					b          bool
					i16        int16
					i32        int32
					i64        int64
					u8         uint8
					u64        uint64
					u128       big.Int
					f32        float32
					f64        float64
					dec, dec76 decimal.Decimal
					s, lc      string
					uid        uuid.UUID
					d32, ts    time.Time
					lcn, ns    *string
					ni         *int64
					nd         *decimal.Decimal
					nt, nd32   *time.Time
					nu         *uuid.UUID
					nb         *bool
					arr        []*string
					arri       []*int64
				)
				require.NoError(t, got.Scan(&b, &i16, &i32, &i64, &u8, &u64, &u128, &f32, &f64, &dec, &dec76, &s, &uid, &d32, &ts, &lc, &lcn, &ns, &ni, &nd, &nt, &nu, &nb, &nd32, &arr, &arri))
				have := []any{b, i16, i32, i64, u8, u64, u128, f32, f64, dec, dec76, s, uid, d32, ts, lc, lcn, ns, ni, nd, nt, nu, nb, nd32, arr, arri}
				for i := range want {
					requireSame(t, want[i], have[i])
				}
			}
			require.False(t, got.Next())
			require.NoError(t, got.Err())
			require.NoError(t, got.Close())
		})
	}
}

// requireSame compares what is equal though it is written differently: 1.50 and 1.5.
func requireSame(t *testing.T, want, have any) {
	t.Helper()
	switch w := want.(type) {
	case decimal.Decimal:
		h, ok := have.(decimal.Decimal)
		require.True(t, ok && w.Equal(h), "%s is not %s", have, w)
	case *decimal.Decimal:
		h, ok := have.(*decimal.Decimal)
		require.True(t, ok && (w == nil) == (h == nil))
		if w != nil {
			require.True(t, w.Equal(*h), "%s is not %s", h, w)
		}
	case big.Int:
		h, ok := have.(big.Int)
		require.True(t, ok && w.Cmp(&h) == 0, "%v is not %s", have, w.String())
	default:
		require.Equal(t, want, have)
	}
}

// A result of many blocks comes whole, and one without rows comes empty.
func TestManyBlocksAndNone(t *testing.T) {
	server := harness.ClickHouse(t)
	for _, compression := range []*clickhouse.Compression{nil, {Method: clickhouse.CompressionLZ4}} {
		conn := open(t, server, func(o *clickhouse.Options) { o.Compression = compression })
		rows, err := conn.Query(t.Context(), "SELECT number, toString(number), toLowCardinality(toString(number % 10)) FROM numbers(500000)")
		require.NoError(t, err)
		var count, n uint64
		var s, lc string
		for rows.Next() {
			require.NoError(t, rows.Scan(&n, &s, &lc))
			require.Equal(t, count, n)
			count++
		}
		require.NoError(t, rows.Err())
		require.EqualValues(t, 500000, count)
		require.NoError(t, rows.Close())

		rows, err = conn.Query(t.Context(), "SELECT toLowCardinality('a') FROM numbers(0)")
		require.NoError(t, err)
		require.False(t, rows.Next())
		require.NoError(t, rows.Err())
		require.NoError(t, rows.Close())
	}
}

func TestErrorsThroughClickHouseGo(t *testing.T) {
	server := harness.ClickHouse(t)
	for _, compression := range []*clickhouse.Compression{nil, {Method: clickhouse.CompressionLZ4}} {
		conn := open(t, server, func(o *clickhouse.Options) { o.Compression = compression })
		err := conn.Exec(t.Context(), "SELECT nope")
		var e *clickhouse.Exception
		require.ErrorAs(t, err, &e)
		require.EqualValues(t, 47, e.Code)

		// Behind the first blocks the status is sent already.
		rows, err := conn.Query(t.Context(), "SELECT number, throwIf(number = 900000, 'too far') FROM numbers(1000000)")
		require.NoError(t, err)
		for rows.Next() {
		}
		require.ErrorAs(t, rows.Err(), &e)
		require.EqualValues(t, 395, e.Code)
		require.Contains(t, e.Message, "too far")
		require.ErrorAs(t, rows.Close(), &e)
	}
}

func TestDeduplicationToken(t *testing.T) {
	server := harness.ClickHouse(t)
	conn := open(t, server, nil)
	table := newDatabase(t, conn) + ".t"
	require.NoError(t, conn.Exec(t.Context(), "CREATE TABLE "+table+" (n Int64) ENGINE = MergeTree ORDER BY n SETTINGS non_replicated_deduplication_window = 100"))
	insert := func(token string, n int64) {
		ctx := clickhouse.Context(t.Context(), clickhouse.WithSettings(clickhouse.Settings{"insert_deduplication_token": token}))
		batch, err := conn.PrepareBatch(ctx, "INSERT INTO "+table)
		require.NoError(t, err)
		require.NoError(t, batch.Append(n))
		require.NoError(t, batch.Send())
	}
	insert("sink:1:t-0:0-9", 1)
	insert("sink:1:t-0:0-9", 2) // sent again: nothing happens, whatever is in it
	insert("sink:1:t-0:10-19", 1)
	var count, sum uint64
	require.NoError(t, conn.QueryRow(t.Context(), "SELECT count(), toUInt64(sum(n)) FROM "+table).Scan(&count, &sum))
	require.EqualValues(t, 2, count)
	require.EqualValues(t, 2, sum)
}

// A large batch is one part: all of it is there or nothing (P2).
func TestABatchIsOnePart(t *testing.T) {
	conn := open(t, harness.ClickHouse(t), nil)
	database := newDatabase(t, conn)
	require.NoError(t, conn.Exec(t.Context(), "CREATE TABLE "+database+".t (n Int64) ENGINE = MergeTree ORDER BY n"))
	batch, err := conn.PrepareBatch(t.Context(), "INSERT INTO "+database+".t")
	require.NoError(t, err)
	const rows = 1_300_000 // more than a block of the engine
	for n := range int64(rows) {
		require.NoError(t, batch.Append(n))
	}
	require.NoError(t, batch.Send())
	var parts, count uint64
	require.NoError(t, conn.QueryRow(t.Context(), "SELECT count(), sum(rows) FROM system.parts WHERE level = 0 AND database = '"+database+"'").Scan(&parts, &count))
	require.EqualValues(t, 1, parts)
	require.EqualValues(t, rows, count)
}

func TestParametersThroughClickHouseGo(t *testing.T) {
	conn := open(t, harness.ClickHouse(t), nil)
	text := "it's\ta \\ line\nbreak"
	ctx := clickhouse.Context(t.Context(), clickhouse.WithParameters(clickhouse.Parameters{"n": "41", "s": `it's\ta \\ line\nbreak`}))
	var n uint64
	var s string
	require.NoError(t, conn.QueryRow(ctx, "SELECT {n:UInt64} + 1, {s:String}").Scan(&n, &s))
	require.EqualValues(t, 42, n)
	require.Equal(t, text, s)
}
