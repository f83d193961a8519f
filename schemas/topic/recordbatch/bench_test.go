package recordbatch

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// rows are values as change events have them: some fixed text, some numbers.
func rows(n int) (keys, values [][]byte) {
	r := rand.New(rand.NewPCG(1, 2))
	for i := range n {
		keys = append(keys, fmt.Appendf(nil, "\x00\x00\x00\x00\x01%08d", i))
		values = append(values, fmt.Appendf(nil, "\x00\x00\x00\x00\x02%08d|Phường %02d|%d|A%02d.%d|%d|io.hopluu.health.public.encounter.Value|%016x", i, r.IntN(90), r.IntN(1e9), r.IntN(99), r.IntN(9), r.IntN(1e7), r.Uint64()))
	}
	return keys, values
}

// BenchmarkEncode gives bytes of records a second into sealed batches of
// 512 KiB, on one core.
func BenchmarkEncode(b *testing.B) {
	keys, values := rows(4096)
	for _, c := range []Compression{None, LZ4, Zstd} {
		b.Run(c.String(), func(b *testing.B) {
			var batch Builder
			var out []byte
			var plain, packed, records int64
			for i := 0; b.Loop(); i++ {
				batch.Append(int64(i), keys[i%4096], values[i%4096], nil)
				records++
				if batch.Len() >= 512<<10 {
					var err error
					out, err = batch.AppendBatch(out[:0], c, Origin{Transactional: true})
					require.NoError(b, err)
					plain += int64(batch.Len())
					packed += int64(len(out))
					batch.Reset()
				}
			}
			b.ReportMetric(float64(records)/b.Elapsed().Seconds(), "records/s")
			if packed > 0 {
				b.ReportMetric(float64(plain)/float64(packed), "ratio")
			}
		})
	}
}

// BenchmarkDecode gives records a second out of batches of 512 KiB.
func BenchmarkDecode(b *testing.B) {
	keys, values := rows(4096)
	for _, c := range []Compression{None, LZ4, Zstd} {
		b.Run(c.String(), func(b *testing.B) {
			var batch Builder
			for i := range keys {
				batch.Append(int64(i), keys[i], values[i], nil)
			}
			raw, err := batch.AppendBatch(nil, c, Origin{})
			require.NoError(b, err)
			records := 0
			for b.Loop() {
				one, _, err := Next(raw)
				require.NoError(b, err)
				require.NoError(b, one.Each(func(*Record) error { records++; return nil }))
			}
			b.ReportMetric(float64(records)/b.Elapsed().Seconds(), "records/s")
		})
	}
}
