package linkage

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestCompareFromLeavesOutNothing compares pairs from many floors: what is left
// out is below the floor, and what is not is what compare says, to the last bit.
func TestCompareFromLeavesOutNothing(t *testing.T) {
	e := engine(t, cityModel(t))
	load(e, buildCity(t, 300))
	c := newComparer(e.t)
	out, in, named := 0, 0, 0
	for i := int32(1); i < e.used; i += 2 {
		for j := i + 1; j < e.used; j++ {
			x, y := e.row(i), e.row(j)
			p, rarity := c.compare(x, y)
			ratio := e.w.ratio(p, rarity)
			for _, floor := range []float32{float32(math.Inf(-1)), -20, ratio - 3, ratio, ratio + 3, 20} {
				q, r, ok := c.compareFrom(e.w, floor, x, y)
				if !ok {
					require.Less(t, ratio, floor)
					out++
					continue
				}
				require.Equal(t, p, q)
				require.Equal(t, math.Float32bits(rarity), math.Float32bits(r))
				if in++; ratio < floor {
					named++
				}
			}
		}
	}
	require.Greater(t, out, in/4, "most pairs are left out without a look at their names")
	require.Positive(t, named, "a name can still decide")
}
