package topic

import (
	"slices"

	"github.com/segmentio/kafka-go"
)

// rangeBalancer shares each topic's partitions out in ranges of their numbers,
// to the members in the order of their ids, as Java's range assignor does: the
// same numbers of two topics go to the same member. kafka-go's own takes the
// partitions in whatever order the broker names them.
type rangeBalancer struct{}

func (rangeBalancer) ProtocolName() string { return "range" }

func (rangeBalancer) UserData() ([]byte, error) { return nil, nil }

func (rangeBalancer) AssignGroups(members []kafka.GroupMember, partitions []kafka.Partition) kafka.GroupMemberAssignments {
	ids := make(map[string][]int) // partitions by topic
	for _, p := range partitions {
		ids[p.Topic] = append(ids[p.Topic], p.ID)
	}
	readers := make(map[string][]string) // members by topic
	out := make(kafka.GroupMemberAssignments)
	for _, m := range members {
		out[m.ID] = make(map[string][]int)
		for _, t := range m.Topics {
			readers[t] = append(readers[t], m.ID)
		}
	}
	for topic, parts := range ids {
		slices.Sort(parts)
		of := readers[topic]
		slices.Sort(of)
		for i, member := range of {
			// The first len(parts)%len(of) members have one more.
			share, more := len(parts)/len(of), len(parts)%len(of)
			begin := i*share + min(i, more)
			end := begin + share
			if i < more {
				end++
			}
			if begin < end {
				out[member][topic] = parts[begin:end]
			}
		}
	}
	return out
}
