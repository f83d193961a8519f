package reconcile

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/hopluu/hopluu/schemas/sectors"
	"github.com/hopluu/hopluu/schemas/topic"
)

// caughtUp waits until silver has applied the snapshot's LSN, and gives the end
// offsets of the source's topics that it has, those of the named tables or all.
func caughtUp(ctx context.Context, config Config, source Source, snapshot *sourceSnapshot, tables ...sectors.Table) (map[topic.Partition]int64, error) {
	ctx, cancel := context.WithTimeout(ctx, config.CatchUp)
	defer cancel()
	err := waitUntil(ctx, config.CatchUp, "the connector did not reach LSN "+snapshot.lsn.String(), func(ctx context.Context) (bool, string, error) {
		var reached *bool
		var confirmed *string
		err := snapshot.conn.QueryRow(ctx, "SELECT max(confirmed_flush_lsn) >= $2::pg_lsn, max(confirmed_flush_lsn)::text FROM pg_replication_slots WHERE slot_name = $1", source.Slot, snapshot.lsn.String()).Scan(&reached, &confirmed)
		if err != nil {
			return false, "", err
		}
		if confirmed == nil {
			return false, "", fmt.Errorf("replication slot %s is not there: was the source ever captured?", source.Slot)
		}
		return *reached, "it is at " + *confirmed, nil
	})
	if err != nil {
		return nil, err
	}
	var parts []topic.Partition
	for _, name := range topicsOf(source, tables...) {
		counts, err := config.Kafka.PartitionCounts(ctx, name)
		if err != nil {
			return nil, err
		}
		for id := range counts[name] {
			parts = append(parts, topic.Partition{Topic: name, ID: id})
		}
	}
	// What the connector has confirmed is written, though its commit may not
	// show in every partition yet.
	ends, err := config.Kafka.WrittenOffsets(ctx, parts...)
	if err != nil {
		return nil, err
	}
	return ends, waitUntil(ctx, config.CatchUp, sinkBehind, sinkReached(config, ends))
}

const sinkBehind = "the sink did not catch up"

// sinkReached tells whether the sink has committed everything below the offsets.
func sinkReached(config Config, ends map[topic.Partition]int64) func(context.Context) (bool, string, error) {
	parts := slices.Collect(maps.Keys(ends))
	return func(ctx context.Context) (bool, string, error) {
		committed, err := config.Kafka.Committed(ctx, config.Group, parts...)
		if err != nil {
			return false, "", err
		}
		behind := int64(0)
		for p, end := range ends {
			behind += max(0, end-max(0, committed[p]))
		}
		return behind == 0, fmt.Sprintf("%d offsets behind", behind), nil
	}
}

// waitUntil asks again and again until it is reached, as long as it may take.
// The error says what did not happen and the last state.
func waitUntil(ctx context.Context, limit time.Duration, what string, reached func(context.Context) (bool, string, error)) error {
	caller := ctx
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	state := ""
	for {
		ok, now, err := reached(ctx)
		if err == nil && ok {
			return nil
		}
		if ctx.Err() == nil && err != nil {
			return err
		}
		if now != "" {
			state = now
		}
		select {
		case <-ctx.Done():
			if errors.Is(caller.Err(), context.Canceled) {
				return caller.Err()
			}
			return fmt.Errorf("%s within %s (%s): is it running? raise --catch-up if it is only slow", what, limit, state)
		case <-tick.C:
		}
	}
}
