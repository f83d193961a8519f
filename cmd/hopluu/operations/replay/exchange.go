package replay

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/hopluu/hopluu/schemas/topic"
	"github.com/hopluu/hopluu/sinks/clickhouse"
	"github.com/hopluu/hopluu/sinks/clickhouse/tables"
)

// Swap puts the replayed table into silver's place, or with back the former one.
// Given again after a kill it ends what was begun.
func (o *Operator) Swap(ctx context.Context, name string, back bool) (*Note, error) {
	n, err := o.Open(ctx, name)
	if err != nil {
		return nil, err
	}
	switch n.State {
	case Ready, Swapping, Swapped, Returning, Returned:
	default:
		return n, fmt.Errorf("the replay of %s is %s: give 'hopluu replay run' again, which ends it", n.Dataset, n.State)
	}
	if back && n.State == Ready {
		return n, fmt.Errorf("the replay of %s was not swapped in: there is no way to go back", n.Dataset)
	}
	if n.State == Swapping && back || n.State == Returning && !back {
		return n, fmt.Errorf("an exchange of %s the other way is under way: end it first (it is %s)", n.Dataset, n.State)
	}
	if err := o.claim(ctx, n); err != nil {
		return n, err
	}
	again, err := clickhouse.NewAgain(o.Sink, n.Dataset)
	if err != nil {
		return n, err
	}
	err = o.exchange(ctx, n, again, back)
	return n, errors.Join(err, again.Close())
}

func (o *Operator) exchange(ctx context.Context, n *Note, again *clickhouse.Again, back bool) error {
	want, under, after := n.Replayed, Swapping, Swapped
	if back {
		want, under, after = n.Before, Returning, Returned
	}
	if n.State == after {
		return nil
	}
	parts, err := o.partitions(ctx, o.feeding(n.Dataset))
	if err != nil {
		return err
	}
	now, err := o.uuid(ctx, tables.Silver, n.Dataset)
	if err != nil {
		return err
	}
	if now != want {
		if err := o.prepareExchange(ctx, n, again, parts, want, under); err != nil {
			return err
		}
	}
	// Two commands at once may undo each other's exchange: the last one sees it.
	for now != want {
		if err := o.save(ctx, n); err != nil {
			return err
		}
		if err := o.exec(ctx, "EXCHANGE TABLES "+silver(n.Dataset)+" AND "+shadow(n.Dataset)); err != nil {
			return err
		}
		if now, err = o.uuid(ctx, tables.Silver, n.Dataset); err != nil {
			return err
		}
	}
	if err := o.complete(ctx, n, again, parts); err != nil {
		return err
	}
	// A sweep of the sink's may have been between the two tables.
	if err := again.Erase(ctx); err != nil {
		return err
	}
	n.Parked, n.Leaving, n.State = n.Leaving, nil, after
	return o.save(ctx, n)
}

// prepareExchange brings the table that comes in as near as it gets, and notes
// what the one that goes out has for certain.
func (o *Operator) prepareExchange(ctx context.Context, n *Note, again *clickhouse.Again, parts []topic.Partition, want string, under State) error {
	switch parked, err := o.uuid(ctx, tables.Replay, n.Dataset); {
	case err != nil:
		return err
	case parked != want:
		return fmt.Errorf("replay.%s is not the table that the replay %s made: somebody replaced it; give 'hopluu replay drop %s' and run it again", n.Dataset, n.ID, n.Dataset)
	}
	if err := o.catchUp(ctx, n, again, parts); err != nil {
		return err
	}
	// P3: silver has what they say, and would lose it.
	switch open, err := again.Unsettled(ctx, o.feeding(n.Dataset)); {
	case err != nil:
		return err
	case open > 0 && under == Swapping:
		return fmt.Errorf("%d events that the replay could not apply are in the dead letters: see 'hopluu dlq list', mend the reason and give 'hopluu dlq retry', then swap", open)
	}
	// Nobody who was erased since comes back with it (P12).
	if err := again.Erase(ctx); err != nil {
		return err
	}
	at, err := o.standing(ctx, n.Dataset, parts)
	if err != nil {
		return err
	}
	n.Leaving, n.State = at.done.list(), under
	return o.save(ctx, n)
}

// catchUp writes into the table beside silver what arrived since.
func (o *Operator) catchUp(ctx context.Context, n *Note, again *clickhouse.Again, parts []topic.Partition) error {
	o.tell(Progress{Dataset: n.Dataset, Step: "catching up with silver"})
	at, err := o.standing(ctx, n.Dataset, parts)
	if err != nil {
		return err
	}
	if err := again.Into(ctx, shadow(n.Dataset), parts); err != nil {
		return err
	}
	return o.follow(ctx, n, again, parts, at.done)
}

// complete writes into silver, after the exchange, what may have gone to the
// table that went out: a sink notes what it is about to write before it does, so
// that all of it is below the notes that are there now. It waits until bronze has
// that, for values that updates did not send are found there.
func (o *Operator) complete(ctx context.Context, n *Note, again *clickhouse.Again, parts []topic.Partition) error {
	at, err := o.standing(ctx, n.Dataset, parts)
	if err != nil {
		return err
	}
	sent := at.sent
	topics := o.feeding(n.Dataset)
	for deadline := time.Now().Add(o.Wait); ; {
		asked, err := again.Asked(ctx, topics)
		if err != nil {
			return err
		}
		if !asked && !behind(at.done, sent) {
			break
		}
		o.tell(Progress{Dataset: n.Dataset, Step: "waiting for the sink to commit what it had under way"})
		if time.Now().After(deadline) {
			return fmt.Errorf("silver.%s is exchanged, but the sink has not committed what it had under way within %s: start the sink, and give the command again", n.Dataset, o.Wait)
		}
		if err := pause(ctx, 100*time.Millisecond); err != nil {
			return err
		}
		if at, err = o.standing(ctx, n.Dataset, parts); err != nil {
			return err
		}
	}
	// The sink may have added a column to the table that went out.
	if err := again.Into(ctx, silver(n.Dataset), parts); err != nil {
		return err
	}
	return o.follow(ctx, n, again, parts, at.done)
}

func behind(at, target offsets) bool {
	for p, t := range target {
		if at[p] < t {
			return true
		}
	}
	return false
}

// follow brings the table that again writes to from the offsets that n.Parked says
// to ends: from the topic, or where its retention took them from bronze. Dead
// letters that were applied since the replay began are taken from bronze, too.
func (o *Operator) follow(ctx context.Context, n *Note, again *clickhouse.Again, parts []topic.Partition, ends offsets) error {
	from := offsetsOf(n.Parked)
	starts, err := o.Sink.Kafka.StartOffsets(ctx, parts...)
	if err != nil {
		return err
	}
	held, err := o.held(ctx, n.Dataset)
	if err != nil {
		return err
	}
	read := offsets{}
	var missed, below []string
	for _, p := range parts {
		below = append(below, clickhouse.Span(p, 0, ends[p]))
		switch {
		case from[p] >= ends[p]:
		case from[p] >= starts[p]:
			read[p] = from[p]
		case held[p].rows > 0 && held[p].first <= from[p]:
			missed = append(missed, clickhouse.Span(p, from[p], ends[p]))
		default:
			return fmt.Errorf("replay.%s has %s up to offset %d, the topic begins at %d and bronze at %d: what lies between is gone for it; give 'hopluu replay drop %s'", n.Dataset, p, from[p], starts[p], held[p].first, n.Dataset)
		}
	}
	topics := o.feeding(n.Dataset)
	late, err := again.Retried(ctx, topics, fmt.Sprintf("fromUnixTimestamp64Micro(toInt64(%d), 'UTC')", n.Started.Add(-time.Minute).UnixMicro()))
	if err != nil {
		return err
	}
	cut := len(missed) > 0 || len(late) > 0
	for p, offsets := range late {
		missed = append(missed, clickhouse.At(p, offsets))
	}
	if len(missed) > 0 {
		if err := again.FromBronze(ctx, clickhouse.Any(missed...), clickhouse.Any(below...)); err != nil {
			return err
		}
	}
	err = o.stream(ctx, again, read, ends, func(w written) error {
		maps.Copy(from, w.next)
		n.Dead += int64(w.dead)
		n.Parked = from.list()
		return o.save(ctx, n)
	})
	if err != nil {
		return err
	}
	if cut {
		if err := again.Cut(ctx, topics, clickhouse.Any(below...)); err != nil {
			return err
		}
	}
	for _, p := range parts {
		from[p] = max(from[p], ends[p])
	}
	n.Parked = from.list()
	return o.save(ctx, n)
}
