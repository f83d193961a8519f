package recordbatch

import (
	"encoding/binary"
	"encoding/hex"
	"math"
	"strings"
	"testing"
	"testing/quick"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// The bytes are laid out by hand from Kafka's description of message format 2
// (https://kafka.apache.org/documentation/#recordbatch).
func TestBatchBytes(t *testing.T) {
	var b Builder
	b.Append(1_600_000_000_000, []byte("k"), []byte("v1"), nil)
	b.Append(1_600_000_000_005, nil, nil, []Header{{Key: "h", Value: []byte("x")}, {Key: "n", Value: nil}})
	require.Equal(t, 2, b.Records())

	got, err := b.AppendBatch(nil, None, Origin{ProducerID: 1000, ProducerEpoch: 3, Sequence: 7, Transactional: true})
	require.NoError(t, err)
	want := strings.Join([]string{
		"0000000000000000",                                     // base offset
		"00000049",                                             // length: 49 of the rest of the header, 24 of records
		"ffffffff",                                             // partition leader epoch
		"02",                                                   // magic
		"cec1c7d0",                                             // CRC-32C of all that follows
		"0010",                                                 // attributes: transactional
		"00000001",                                             // last offset delta
		"00000174876e8000",                                     // base timestamp
		"00000174876e8005",                                     // max timestamp
		"00000000000003e8",                                     // producer id
		"0003",                                                 // producer epoch
		"00000007",                                             // base sequence
		"00000002",                                             // records
		"12", "00", "00", "00", "02", "6b", "04", "7631", "00", // length 9, attributes, +0 ms, +0, "k", "v1", no header
		"1a", "00", "0a", "02", "01", "01", "04", "02", "68", "02", "78", "02", "6e", "01", // +5 ms, +1, null, null, 2 headers
	}, "")
	require.Equal(t, want, hex.EncodeToString(got))
	require.Equal(t, len(got), b.Len())
}

// Another library reads every field as it was meant.
func TestAnotherLibraryReadsTheBatch(t *testing.T) {
	var b Builder
	b.Append(20, []byte("a"), []byte(""), nil)
	b.Append(10, nil, []byte("b"), []Header{{"x", []byte("y")}})
	raw, err := b.AppendBatch([]byte("before"), None, Origin{ProducerID: 5, ProducerEpoch: 6, Sequence: math.MaxInt32, Transactional: false})
	require.NoError(t, err)
	raw = raw[len("before"):]

	var k kmsg.RecordBatch
	require.NoError(t, k.ReadFrom(raw))
	require.EqualValues(t, len(raw)-12, k.Length)
	require.EqualValues(t, 2, k.Magic)
	require.EqualValues(t, 0, k.Attributes)
	require.EqualValues(t, 1, k.LastOffsetDelta)
	require.EqualValues(t, 20, k.FirstTimestamp)
	require.EqualValues(t, 20, k.MaxTimestamp)
	require.EqualValues(t, 5, k.ProducerID)
	require.EqualValues(t, 6, k.ProducerEpoch)
	require.EqualValues(t, math.MaxInt32, k.FirstSequence)
	require.EqualValues(t, 2, k.NumRecords)
	first := kmsg.NewRecord()
	require.NoError(t, first.ReadFrom(k.Records))
	require.Equal(t, "a", string(first.Key))
	require.NotNil(t, first.Value, "empty is not null")
	require.Empty(t, first.Value)
	second := kmsg.NewRecord()
	require.NoError(t, second.ReadFrom(k.Records[1+first.Length:]))
	require.EqualValues(t, -10, second.TimestampDelta64)
	require.EqualValues(t, 1, second.OffsetDelta)
	require.Nil(t, second.Key)
	require.Equal(t, "b", string(second.Value))
	require.Equal(t, "x", second.Headers[0].Key)
}

func TestEmptyBatchIsRefused(t *testing.T) {
	var b Builder
	_, err := b.AppendBatch(nil, None, Origin{})
	require.ErrorIs(t, err, ErrEmpty)
	b.Append(1, nil, nil, nil)
	b.Reset()
	_, err = b.AppendBatch(nil, LZ4, Origin{})
	require.ErrorIs(t, err, ErrEmpty)
}

func TestOnlyOurCodecsAreWritten(t *testing.T) {
	var b Builder
	b.Append(1, nil, nil, nil)
	for _, c := range []Compression{Gzip, Snappy, 5} {
		_, err := b.AppendBatch(nil, c, Origin{})
		require.ErrorContains(t, err, "choose none, lz4 or zstd")
	}
}

func TestSequenceWrapsToZero(t *testing.T) {
	require.EqualValues(t, 10, NextSequence(7, 3))
	require.EqualValues(t, 0, NextSequence(math.MaxInt32, 1))
	require.EqualValues(t, 4, NextSequence(math.MaxInt32-5, 10))
}

func TestSizeVarintIsTheLengthOfAppendVarint(t *testing.T) {
	f := func(v int64) bool { return sizeVarint(v) == len(binary.AppendVarint(nil, v)) }
	require.NoError(t, quick.Check(f, nil))
	for _, v := range []int64{0, 63, 64, -64, -65, math.MaxInt64, math.MinInt64} {
		require.True(t, f(v), v)
	}
}
