package topic

import (
	"context"
	"errors"
	"fmt"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol/offsetfetch"
)

// Noted is what a group keeps of a partition: the offset at which it goes on,
// and a note of the member that committed it (Kafka's metadata of an offset, at
// most 4096 bytes by the broker's default). A tool that sets offsets, such as
// kafka-consumer-groups, leaves the note empty.
type Noted struct {
	Offset int64 // -1: none was committed
	Note   string
}

// Committed gives the offset that group committed for each partition, -1 when
// it committed none.
func (c *Client) Committed(ctx context.Context, group string, parts ...Partition) (map[Partition]int64, error) {
	noted, err := c.CommittedNoted(ctx, group, parts...)
	if err != nil {
		return nil, err
	}
	offsets := make(map[Partition]int64, len(noted))
	for p, n := range noted {
		offsets[p] = n.Offset
	}
	return offsets, nil
}

// CommittedNoted is Committed with the notes beside the offsets.
func (c *Client) CommittedNoted(ctx context.Context, group string, parts ...Partition) (map[Partition]Noted, error) {
	if len(parts) == 0 {
		return map[Partition]Noted{}, nil
	}
	return retry(ctx, c, func(ctx context.Context) (map[Partition]Noted, error) {
		req := &offsetfetch.Request{GroupID: group}
		for topic, ids := range byTopic(parts) {
			req.Topics = append(req.Topics, offsetfetch.RequestTopic{Name: topic, PartitionIndexes: ids})
		}
		res, err := ask[*offsetfetch.Response](ctx, c, req)
		if err == nil {
			err = makeError(res.ErrorCode)
		}
		if err != nil && !errors.Is(err, kafka.GroupIdNotFound) {
			return nil, fmt.Errorf("the offsets of group %s cannot be read: %w", group, err)
		}
		noted := make(map[Partition]Noted, len(parts))
		for _, p := range parts {
			noted[p] = Noted{Offset: -1}
		}
		if err != nil { // nobody of the group was ever here
			return noted, nil
		}
		for _, t := range res.Topics {
			for _, p := range t.Partitions {
				part := Partition{t.Name, p.PartitionIndex}
				if err := makeError(p.ErrorCode); err != nil {
					return nil, fmt.Errorf("the offset of group %s in %s cannot be read: %w", group, part, err)
				}
				noted[part] = Noted{Offset: p.CommittedOffset, Note: p.Metadata}
			}
		}
		return noted, nil
	})
}

// ErrGroupBusy says that a group has members: its offsets are theirs.
var ErrGroupBusy = errors.New("the group has members at work; stop them first (one that was killed counts for ten seconds more)")

// SetOffsets sets the offsets of a group that has no members, and ErrGroupBusy
// is its error when it has some.
func (c *Client) SetOffsets(ctx context.Context, group string, offsets map[Partition]Noted) error {
	// Kafka's way to commit from outside of a group: no generation, no member.
	err := c.commit(ctx, group, -1, "", offsets)
	switch {
	case errors.Is(err, kafka.UnknownMemberId), errors.Is(err, kafka.IllegalGeneration), errors.Is(err, kafka.RebalanceInProgress):
		return fmt.Errorf("group %s: %w", group, ErrGroupBusy)
	case err != nil:
		return fmt.Errorf("the offsets of group %s cannot be set: %w", group, err)
	}
	return nil
}

func (c *Client) commit(ctx context.Context, group string, generation int, member string, offsets map[Partition]Noted) error {
	if len(offsets) == 0 {
		return nil
	}
	topics := make(map[string][]kafka.OffsetCommit)
	for p, n := range offsets {
		topics[p.Topic] = append(topics[p.Topic], kafka.OffsetCommit{Partition: int(p.ID), Offset: n.Offset, Metadata: n.Note})
	}
	_, err := retry(ctx, c, func(ctx context.Context) (struct{}, error) {
		res, err := c.kafka.OffsetCommit(ctx, &kafka.OffsetCommitRequest{
			GroupID: group, GenerationID: generation, MemberID: member, Topics: topics,
		})
		if err != nil {
			return struct{}{}, err
		}
		for topic, parts := range res.Topics {
			for _, p := range parts {
				if p.Error != nil {
					return struct{}{}, fmt.Errorf("offset of %s: %w", Partition{topic, int32(p.Partition)}, p.Error)
				}
			}
		}
		return struct{}{}, nil
	})
	return err
}
