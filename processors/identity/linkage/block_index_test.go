package linkage

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestBlockIndex compares the table with a map, on few parts and with keys that
// belong to the same places, so that they are found behind one another, over the
// end of a part too, and moved up when one goes.
func TestBlockIndex(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 5))
	var x blockIndex
	want := map[uint64]holders{}
	home := func(n int) uint64 { return uint64(n)<<24 | 1 } // entries of one place, when n are close
	most := 0
	for step := range 100_000 {
		n := r.IntN(300)
		if n >= 200 {
			n += 0x7fff_fe00 + r.IntN(256)
		}
		key := home(n) | uint64(r.IntN(2))<<56
		_, known := want[key]
		switch {
		case !known && step/5000%2 == 0:
			require.Equal(t, holders{}, x.of(key))
			*x.put(key) = holders{int32(step), 1}
			want[key] = holders{int32(step), 1}
		case !known:
			require.Equal(t, holders{}, x.of(key))
		case r.IntN(3) == 0:
			x.put(key).count++
			h := want[key]
			h.count++
			want[key] = h
		default:
			x.remove(key)
			delete(want, key)
		}
		require.Equal(t, want[key], x.of(key))
		if step%500 == 0 {
			for key, h := range want {
				require.Equal(t, h, x.of(key))
			}
		}
		most = max(most, len(want))
	}
	used := 0
	for i := range x.parts {
		used += x.parts[i].used
	}
	require.Equal(t, len(want), used)
	require.Greater(t, most, 300)
	require.Equal(t, holders{}, x.of(0), "no key")
}
