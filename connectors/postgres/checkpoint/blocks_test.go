package checkpoint

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// Case 12: whatever ranges are read in whatever order, and however the table
// grows between two tries, each block is read and none is asked for again.
func TestCase12BlocksLeft(t *testing.T) {
	const seed = 20260301
	random := rand.New(rand.NewPCG(seed, 0))
	for range 2000 {
		var table Table
		size := uint32(1 + random.IntN(20))
		read := map[uint32]int{}
		blocks := uint32(random.IntN(100))
		for {
			left := table.Left(blocks, size)
			if len(left) == 0 {
				break
			}
			ends := len(table.Done) > 0 && table.Done[len(table.Done)-1].To == End
			for i, b := range left {
				require.Less(t, b.From, b.To)
				require.Equal(t, i == len(left)-1 && !ends, b.To == End, "only the last is open: %v of %v", left, table.Done)
				if b.To != End {
					require.LessOrEqual(t, b.To-b.From, size)
				}
			}
			// Some of them are done when the connector is killed.
			random.Shuffle(len(left), func(i, j int) { left[i], left[j] = left[j], left[i] })
			for _, b := range left[:1+random.IntN(len(left))] {
				for i := b.From; i < min(b.To, 400); i++ {
					read[i]++
				}
				table = table.Read(b)
			}
			blocks += uint32(random.IntN(10))
		}
		require.Equal(t, []Blocks{{0, End}}, table.Done)
		for i := range uint32(400) {
			require.Equal(t, 1, read[i], "block %d", i)
		}
	}
}

func TestPart(t *testing.T) {
	table := Table{Blocks: 100}
	require.Zero(t, table.Part())
	require.Zero(t, Table{}.Part())
	table = table.Read(Blocks{50, 75})
	require.InDelta(t, 0.25, table.Part(), 1e-9)
	table = table.Read(Blocks{75, End})
	require.InDelta(t, 0.5, table.Part(), 1e-9)
	require.InDelta(t, 1, table.Read(Blocks{0, 50}).Part(), 1e-9)
	require.InDelta(t, 1, Table{Complete: true}.Part(), 1e-9)
}
