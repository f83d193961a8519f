package topic

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/segmentio/kafka-go"
	"github.com/stretchr/testify/require"
)

func TestRangesGoTogetherWhateverTheOrder(t *testing.T) {
	members := []kafka.GroupMember{{ID: "m2", Topics: []string{"a", "b"}}, {ID: "m3", Topics: []string{"a", "b"}}, {ID: "m1", Topics: []string{"a", "b", "c"}}}
	var partitions []kafka.Partition
	for _, topic := range []string{"a", "b", "c", "nobody"} {
		for i := range 7 {
			partitions = append(partitions, kafka.Partition{Topic: topic, ID: i})
		}
	}
	for seed := range uint64(20) {
		r := rand.New(rand.NewPCG(seed, 0))
		r.Shuffle(len(members), func(i, j int) { members[i], members[j] = members[j], members[i] })
		r.Shuffle(len(partitions), func(i, j int) { partitions[i], partitions[j] = partitions[j], partitions[i] })
		got := rangeBalancer{}.AssignGroups(members, partitions)
		require.Equal(t, kafka.GroupMemberAssignments{
			"m1": {"a": {0, 1, 2}, "b": {0, 1, 2}, "c": {0, 1, 2, 3, 4, 5, 6}},
			"m2": {"a": {3, 4}, "b": {3, 4}},
			"m3": {"a": {5, 6}, "b": {5, 6}},
		}, got, fmt.Sprint(seed))
	}
	few := rangeBalancer{}.AssignGroups(members, []kafka.Partition{{Topic: "a", ID: 0}})
	require.Equal(t, kafka.GroupMemberAssignments{"m1": {"a": {0}}, "m2": {}, "m3": {}}, few)
}
