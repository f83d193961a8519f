package matcher

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hopluu/hopluu/schemas/topic"
)

// What is read beyond a target is held, and nothing is lost or taken twice.
func TestSplit(t *testing.T) {
	part := topic.Partition{Topic: "v", ID: 1}
	batch := topic.Batch{Partition: part, Records: []topic.Record{{Offset: 3}, {Offset: 4}, {Offset: 7}}, Next: 9, Stable: 20}
	for at := int64(2); at < 12; at++ {
		below, rest := split(batch, at)
		require.Equal(t, batch.Records, append(append([]topic.Record(nil), below.Records...), rest.Records...))
		for _, r := range below.Records {
			require.Less(t, r.Offset, at)
		}
		for _, r := range rest.Records {
			require.GreaterOrEqual(t, r.Offset, at)
		}
		require.Equal(t, min(at, 9), below.Next, "no further than it was read, and no further than asked")
		require.Equal(t, int64(9), rest.Next)
		require.Equal(t, part, rest.Partition)
	}
}

// Of several others, whoever is furthest says how far we read on; a partition
// that we do not read yet says nothing.
func TestAhead(t *testing.T) {
	p := func(id int32) topic.Partition { return topic.Partition{Topic: "v", ID: id} }
	turn := &turn{others: map[int]*other{
		1: {progress: offsets{"v": {0: 5, 1: 9, 7: 3}}},
		2: {progress: offsets{"v": {0: 6, 1: 2}}},
	}}
	require.Equal(t, map[topic.Partition]int64{p(0): 6}, turn.ahead(map[topic.Partition]int64{p(0): 4, p(1): 9}))
	require.Empty(t, turn.ahead(map[topic.Partition]int64{p(0): 6, p(1): 10}))
}
