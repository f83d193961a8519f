package recordbatch

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"testing"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/snappy/xerial"
	"github.com/stretchr/testify/require"
)

func sample(n int) *Builder {
	b := new(Builder)
	for i := range n {
		var key, value []byte
		if i%3 != 0 {
			key = fmt.Appendf(nil, "key-%d", i)
		}
		if i%5 != 0 {
			value = bytes.Repeat([]byte{byte(i), 'v'}, i%40)
		}
		var headers []Header
		if i%7 == 0 {
			headers = []Header{{"h", []byte{1}}, {"nil", nil}, {"empty", []byte{}}}
		}
		b.Append(int64(1000+i*i%17), key, value, headers)
	}
	return b
}

func collect(t *testing.T, b Batch) []Record {
	t.Helper()
	var out []Record
	require.NoError(t, b.Each(func(r *Record) error { out = append(out, *r); return nil }))
	return out
}

func TestReadBackWhatWasWritten(t *testing.T) {
	for _, c := range []Compression{None, LZ4, Zstd} {
		t.Run(c.String(), func(t *testing.T) {
			const n = 500
			raw, err := sample(n).AppendBatch(nil, c, Origin{ProducerID: 9, ProducerEpoch: 2, Sequence: 70, Transactional: true})
			require.NoError(t, err)
			binary.BigEndian.PutUint64(raw, 12_000) // as the broker sets it: not under the checksum

			batch, rest, err := Next(append(raw, "more"...))
			require.NoError(t, err)
			require.Equal(t, "more", string(rest))
			require.EqualValues(t, 12_000, batch.BaseOffset)
			require.EqualValues(t, 12_000+n-1, batch.LastOffset)
			require.True(t, batch.Transactional)
			require.False(t, batch.Control)
			require.EqualValues(t, 9, batch.ProducerID)
			require.EqualValues(t, 2, batch.ProducerEpoch)
			require.EqualValues(t, 70, batch.BaseSequence)
			records := collect(t, batch)
			require.Len(t, records, n)
			for i, r := range records {
				require.EqualValues(t, 12_000+i, r.Offset)
				require.EqualValues(t, 1000+i*i%17, r.TimestampMs)
				require.Equal(t, i%3 != 0, r.Key != nil, "null key of %d", i)
				require.Equal(t, i%5 != 0, r.Value != nil, "null value of %d", i)
				if i%5 != 0 {
					require.Equal(t, bytes.Repeat([]byte{byte(i), 'v'}, i%40), r.Value)
				}
				if i%7 == 0 {
					require.Equal(t, []Header{{"h", []byte{1}}, {"nil", nil}, {"empty", []byte{}}}, r.Headers)
				} else {
					require.Nil(t, r.Headers)
				}
			}
		})
	}
}

// reseal makes a batch of other compressed records out of a plain one.
func reseal(t *testing.T, raw []byte, c Compression, records []byte) []byte {
	t.Helper()
	out := append(bytes.Clone(raw[:Overhead]), records...)
	binary.BigEndian.PutUint32(out[offLength:], uint32(len(out)-offLeaderEpoch))
	binary.BigEndian.PutUint16(out[offAttributes:], uint16(c))
	binary.BigEndian.PutUint32(out[offCRC:], crc32.Checksum(out[offAttributes:], castagnoli))
	return out
}

// Other producers' codecs: gzip, and snappy both bare and in Java's framing.
func TestReadTheCodecsOfOthers(t *testing.T) {
	plain, err := sample(300).AppendBatch(nil, None, Origin{})
	require.NoError(t, err)
	want, _, err := Next(plain)
	require.NoError(t, err)
	records := plain[Overhead:]

	var zipped bytes.Buffer
	w := gzip.NewWriter(&zipped)
	_, err = w.Write(records)
	require.NoError(t, err)
	require.NoError(t, w.Close())

	for name, raw := range map[string][]byte{
		"gzip":          reseal(t, plain, Gzip, zipped.Bytes()),
		"snappy bare":   reseal(t, plain, Snappy, s2.EncodeSnappy(nil, records)),
		"snappy xerial": reseal(t, plain, Snappy, xerial.Encode(nil, records)),
	} {
		batch, _, err := Next(raw)
		require.NoError(t, err, name)
		require.Equal(t, collect(t, want), collect(t, batch), name)
	}
}

func TestDamageIsSeen(t *testing.T) {
	raw, err := sample(20).AppendBatch(nil, None, Origin{})
	require.NoError(t, err)

	_, _, err = Next(nil)
	require.ErrorIs(t, err, io.EOF)
	for _, n := range []int{1, offMagic, offMagic + 1, Overhead, len(raw) - 1} {
		_, _, err = Next(raw[:n])
		require.ErrorIs(t, err, ErrIncomplete, "%d bytes", n)
	}
	for at := offMagic; at < len(raw); at++ {
		bad := bytes.Clone(raw)
		bad[at] ^= 0x40
		_, _, err = Next(bad)
		require.ErrorIs(t, err, ErrCorrupt, "byte %d", at)
	}
	short := bytes.Clone(raw)
	binary.BigEndian.PutUint32(short[offLength:], 3)
	_, _, err = Next(short)
	require.ErrorIs(t, err, ErrCorrupt)
}

// A batch whose records do not add up is an error, also with a checksum that
// fits.
func TestRecordsThatDoNotAddUp(t *testing.T) {
	raw, err := sample(3).AppendBatch(nil, None, Origin{})
	require.NoError(t, err)
	for name, records := range map[string][]byte{
		"too short":      raw[Overhead : len(raw)-1],
		"bytes left":     append(bytes.Clone(raw[Overhead:]), 0),
		"huge length":    {0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1},
		"many headers":   {14, 0, 0, 0, 1, 1, 0xfe, 0x07},
		"outside offset": {14, 0, 0, 0x40, 1, 1, 0, 0},
	} {
		batch, _, err := Next(reseal(t, raw, None, records))
		require.NoError(t, err, name)
		require.ErrorIs(t, batch.Each(func(*Record) error { return nil }), ErrCorrupt, name)
	}
	batch, _, err := Next(reseal(t, raw, 6, raw[Overhead:]))
	require.NoError(t, err)
	require.ErrorContains(t, batch.Each(func(*Record) error { return nil }), "unknown codec")
}

// P8: a batch that unfolds beyond all measure is refused, with each codec.
func TestABombIsRefused(t *testing.T) {
	plain, err := sample(1).AppendBatch(nil, None, Origin{})
	require.NoError(t, err)
	huge := make([]byte, MaxDecompressed+1)
	var zipped bytes.Buffer
	w, err := gzip.NewWriterLevel(&zipped, gzip.BestSpeed)
	require.NoError(t, err)
	_, err = w.Write(huge)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	bombs := map[Compression][]byte{Gzip: zipped.Bytes(), Snappy: s2.EncodeSnappy(nil, huge)}
	for _, c := range []Compression{LZ4, Zstd} {
		bombs[c], err = compress(nil, c, huge)
		require.NoError(t, err)
	}
	huge = nil
	for c, bomb := range bombs {
		batch, _, err := Next(reseal(t, plain, c, bomb))
		require.NoError(t, err)
		err = batch.Each(func(*Record) error { return nil })
		require.ErrorIs(t, err, ErrTooLarge, c)
		require.ErrorIs(t, err, ErrCorrupt, c)
	}
}

// Compaction takes records out and leaves the batch's last offset.
func TestLastOffsetOfACompactedBatch(t *testing.T) {
	raw, err := sample(10).AppendBatch(nil, None, Origin{})
	require.NoError(t, err)
	empty := reseal(t, raw, None, nil)
	binary.BigEndian.PutUint32(empty[offCount:], 0)
	binary.BigEndian.PutUint32(empty[offCRC:], crc32.Checksum(empty[offAttributes:], castagnoli))
	batch, _, err := Next(empty)
	require.NoError(t, err)
	require.EqualValues(t, 9, batch.LastOffset)
	require.Empty(t, collect(t, batch))
}

func TestVisitorsErrorEndsTheBatch(t *testing.T) {
	raw, err := sample(5).AppendBatch(nil, LZ4, Origin{})
	require.NoError(t, err)
	batch, _, err := Next(raw)
	require.NoError(t, err)
	enough := errors.New("enough")
	n := 0
	require.Equal(t, enough, batch.Each(func(*Record) error {
		if n++; n == 2 {
			return enough
		}
		return nil
	}))
	require.Equal(t, 2, n)
}

// Whatever the bytes, reading ends with records or an error; and what it reads
// it writes again so that it reads the same.
func FuzzNext(f *testing.F) {
	for _, c := range []Compression{None, LZ4, Zstd} {
		raw, err := sample(8).AppendBatch(nil, c, Origin{ProducerID: 1, Transactional: true})
		require.NoError(f, err)
		f.Add(raw, true)
	}
	f.Add([]byte("\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x31\x00\x00\x00\x00\x02"), false)
	f.Fuzz(func(t *testing.T, b []byte, fix bool) {
		if fix && len(b) >= Overhead { // past the checksum, or nothing is tried
			b = bytes.Clone(b)
			binary.BigEndian.PutUint32(b[offLength:], uint32(len(b)-offLeaderEpoch))
			b[offMagic] = magic
			binary.BigEndian.PutUint32(b[offCRC:], crc32.Checksum(b[offAttributes:], castagnoli))
		}
		batch, rest, err := Next(b)
		if err != nil {
			return
		}
		if len(rest) >= len(b) {
			t.Fatal("no progress")
		}
		var again Builder
		var first []Record
		err = batch.Each(func(r *Record) error {
			first = append(first, *r)
			again.Append(r.TimestampMs, r.Key, r.Value, r.Headers)
			return nil
		})
		if err != nil || len(first) == 0 {
			return
		}
		raw, err := again.AppendBatch(nil, None, Origin{})
		require.NoError(t, err)
		copied, _, err := Next(raw)
		require.NoError(t, err)
		i := 0
		require.NoError(t, copied.Each(func(r *Record) error {
			want := first[i]
			want.Offset = int64(i) // sparse offsets become dense
			require.Equal(t, want, *r)
			i++
			return nil
		}))
		require.Len(t, first, i)
	})
}
