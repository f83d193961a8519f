package sinks

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/hopluu/hopluu/schemas/topic"
)

// Standing is where a group stands in one partition.
type Standing struct {
	topic.Partition
	Committed  int64 // where it goes on, -1 when nothing was committed
	Start, End int64 // what the partition holds
	Pending    int64 // the offset after a range that may be under way, 0 when none is
}

// Standings tells where a group stands in partitions, in their order.
func Standings(ctx context.Context, kafka *topic.Client, group string, parts []topic.Partition) ([]Standing, error) {
	noted, err := kafka.CommittedNoted(ctx, group, parts...)
	if err != nil {
		return nil, err
	}
	starts, err := kafka.StartOffsets(ctx, parts...)
	if err != nil {
		return nil, err
	}
	ends, err := kafka.EndOffsets(ctx, parts...)
	if err != nil {
		return nil, err
	}
	var all []Standing
	for _, p := range slices.SortedFunc(slices.Values(parts), topic.Partition.Compare) {
		n, _, err := parseNote(noted[p].Note)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", p, err)
		}
		all = append(all, Standing{p, noted[p].Offset, starts[p], ends[p], n.Next})
	}
	return all, nil
}

// Rewind makes a group, which has no member at work, read partitions again from
// given offsets (case 26). A range that is still pending stays so, since
// whoever sent it may only be paused. An offset that its partition does not hold
// is an *topic.OutOfRangeError, one ahead of the group is refused: what lies
// between would be lost. Nothing is changed then.
func Rewind(ctx context.Context, kafka *topic.Client, group string, to map[topic.Partition]int64) error {
	parts := slices.Collect(maps.Keys(to))
	standings, err := Standings(ctx, kafka, group, parts)
	if err != nil {
		return err
	}
	var all []error
	for _, s := range standings {
		switch at := to[s.Partition]; {
		case at < s.Start || at > s.End:
			all = append(all, &topic.OutOfRangeError{Partition: s.Partition, Offset: at, Start: s.Start, End: s.End})
		case s.Committed < 0:
			all = append(all, fmt.Errorf("%s: group %s has read nothing of it yet", s.Partition, group))
		case at > s.Committed:
			all = append(all, fmt.Errorf("%s: offset %d is ahead of the group, which goes on at %d: what lies between would be lost", s.Partition, at, s.Committed))
		}
	}
	if err := errors.Join(all...); err != nil {
		return err
	}
	noted, err := kafka.CommittedNoted(ctx, group, parts...)
	if err != nil {
		return err
	}
	for p, old := range noted {
		n, _, err := parseNote(old.Note)
		if err != nil {
			return fmt.Errorf("%s: %w", p, err)
		}
		n.Rewound = true
		noted[p] = topic.Noted{Offset: to[p], Note: n.String()}
	}
	return kafka.SetOffsets(ctx, group, noted)
}

// Restored makes a group, which has no member at work, go on where a store that
// was restored from a backup ends. What a member had under way to the store that
// was lost is forgotten with it. What is written from there is so under a new
// epoch, above the given one. An offset that its partition holds no more is an
// *topic.OutOfRangeError; nothing is changed then.
func Restored(ctx context.Context, kafka *topic.Client, group string, to map[topic.Partition]int64, epoch uint32) error {
	parts := slices.Collect(maps.Keys(to))
	standings, err := Standings(ctx, kafka, group, parts)
	if err != nil {
		return err
	}
	noted, err := kafka.CommittedNoted(ctx, group, parts...)
	if err != nil {
		return err
	}
	var all []error
	for _, s := range standings {
		at := to[s.Partition]
		if at < s.Start || at > s.End {
			all = append(all, &topic.OutOfRangeError{Partition: s.Partition, Offset: at, Start: s.Start, End: s.End})
		}
		n, _, err := parseNote(noted[s.Partition].Note)
		if err != nil {
			return fmt.Errorf("%s: %w", s.Partition, err)
		}
		noted[s.Partition] = topic.Noted{Offset: at, Note: note{Epoch: max(n.Epoch, epoch), Rewound: true}.String()}
	}
	if err := errors.Join(all...); err != nil {
		return err
	}
	return kafka.SetOffsets(ctx, group, noted)
}
