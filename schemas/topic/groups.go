package topic

import (
	"context"
	"fmt"
	"slices"

	"github.com/segmentio/kafka-go"
)

// GroupState is a consumer group as its coordinator sees it.
type GroupState struct {
	ID      string
	State   string // Stable, PreparingRebalance, CompletingRebalance, Empty, Dead
	Members int
	// Assigned are the partitions that its members read, in their order.
	Assigned []Partition
}

// Groups gives the consumer groups that this user may see, in the order of their
// names.
func (c *Client) Groups(ctx context.Context) ([]GroupState, error) {
	return retry(ctx, c, func(ctx context.Context) ([]GroupState, error) {
		list, err := c.kafka.ListGroups(ctx, &kafka.ListGroupsRequest{})
		if err == nil {
			err = list.Error
		}
		if err != nil {
			return nil, fmt.Errorf("consumer groups cannot be listed: %w", err)
		}
		var ids []string
		for _, g := range list.Groups {
			if g.ProtocolType == "consumer" {
				ids = append(ids, g.GroupID)
			}
		}
		slices.Sort(ids)
		var all []GroupState
		for _, id := range slices.Compact(ids) {
			described, err := c.kafka.DescribeGroups(ctx, &kafka.DescribeGroupsRequest{GroupIDs: []string{id}})
			if err != nil {
				return nil, fmt.Errorf("group %s cannot be described: %w", id, err)
			}
			for _, g := range described.Groups {
				if g.Error != nil {
					continue // it went meanwhile, or is not for this user to see
				}
				s := GroupState{ID: g.GroupID, State: g.GroupState, Members: len(g.Members)}
				for _, m := range g.Members {
					for _, t := range m.MemberAssignments.Topics {
						for _, p := range t.Partitions {
							s.Assigned = append(s.Assigned, Partition{t.Topic, int32(p)})
						}
					}
				}
				slices.SortFunc(s.Assigned, Partition.Compare)
				all = append(all, s)
			}
		}
		return all, nil
	})
}
