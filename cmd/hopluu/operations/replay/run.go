package replay

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/hopluu/hopluu/schemas/topic"
	"github.com/hopluu/hopluu/sinks/clickhouse"
	"github.com/hopluu/hopluu/sinks/clickhouse/tables"
)

// Run begins a replay, or goes on with the one that was begun: the same command
// given again after a kill, or one without From. It ends with the table beside
// silver filled, or in place with silver mended.
func (o *Operator) Run(ctx context.Context, r Request) (*Note, error) {
	if err := o.prepare(ctx); err != nil {
		return nil, err
	}
	n, err := o.begun(ctx, r)
	if err != nil {
		return n, err
	}
	again, err := clickhouse.NewAgain(o.Sink, n.Dataset)
	if err != nil {
		return n, err
	}
	err = o.work(ctx, n, again)
	return n, errors.Join(err, again.Close())
}

// begun gives the open replay of the request's data set, or a new one.
func (o *Operator) begun(ctx context.Context, r Request) (*Note, error) {
	dataset, topics, err := o.dataset(r)
	if err != nil {
		return nil, err
	}
	open, err := o.notes(ctx, "state NOT IN ('done', 'dropped') AND dataset = "+quote(dataset))
	if err != nil {
		return nil, err
	}
	if len(open) > 0 {
		n := open[0]
		same := r.From == "" || r.From == n.From && r.To == n.To && slices.Equal(topics, n.Topics) && r.InPlace == n.InPlace && r.Empty == n.Empty
		switch {
		case n.State != Copying && n.State != Running:
			return n, fmt.Errorf("the replay %s of %s is %s: give 'hopluu replay drop %s' first, which takes the table beside silver away", n.ID, dataset, n.State, dataset)
		case !same:
			return n, fmt.Errorf("the replay %s of %s from %s is under way: leave --from out to go on with it, or give 'hopluu replay drop %s'", n.ID, dataset, n.From, dataset)
		}
		if r.Bronze && !n.Bronze {
			// Its topic no longer has what it was about to read.
			n.Bronze, n.Chunk, n.Chunks = true, 0, 0
		}
		return n, o.claim(ctx, n)
	}
	switch {
	case r.From == "":
		return nil, fmt.Errorf("no replay of %s is under way: begin one with --from", dataset)
	case o.Sink.Cluster != "" && (!r.InPlace || r.Bronze):
		return nil, errors.New("on a ClickHouse cluster tables are not exchanged: replay from the topic into silver itself, with --in-place")
	case r.Empty && r.InPlace:
		return nil, errors.New("--empty is of a table beside silver: leave it or --in-place out")
	case r.Empty && (r.To != "" || r.From != "earliest"):
		return nil, errors.New("a table that begins empty needs every event: give --from earliest, and no --to")
	}
	parts, err := o.partitions(ctx, topics)
	if err != nil {
		return nil, err
	}
	list, _, err := o.places(ctx, dataset, parts)
	if err != nil {
		return nil, err
	}
	spans, err := o.spans(ctx, dataset, r, list)
	if err != nil {
		return nil, err
	}
	if err := available(r, spans, list); err != nil {
		return nil, err
	}
	n := &Note{Dataset: dataset, Topics: topics, From: r.From, To: r.To, Bronze: r.Bronze, InPlace: r.InPlace, Empty: r.Empty, State: Copying, Spans: spans}
	if r.InPlace {
		n.State = Running
	}
	// By the clock of ClickHouse, as the times of dead letters are.
	if err := o.query(ctx, "SELECT now64(6, 'UTC')", func(rows driver.Rows) error { return rows.Scan(&n.Started) }); err != nil {
		return nil, err
	}
	n.ID = dataset + "-" + n.Started.UTC().Format("20060102T150405.000")
	if err := o.claim(ctx, n); err != nil {
		return nil, err
	}
	// Another command may have begun one at the same moment: the first goes on.
	open, err = o.notes(ctx, "state NOT IN ('done', 'dropped') AND dataset = "+quote(dataset))
	if err == nil && len(open) > 0 && open[0].ID != n.ID {
		n.State = Dropped
		return nil, errors.Join(fmt.Errorf("the replay %s of %s was begun at the same time: see 'hopluu replay list'", open[0].ID, dataset), o.save(ctx, n))
	}
	return n, err
}

// work does what a replay still has to do.
func (o *Operator) work(ctx context.Context, n *Note, again *clickhouse.Again) error {
	if n.State == Copying {
		if err := o.copy(ctx, n); err != nil {
			return err
		}
	}
	var parts []topic.Partition
	for _, s := range n.Spans {
		parts = append(parts, s.of())
	}
	into := ""
	if !n.InPlace {
		into = shadow(n.Dataset)
	}
	if err := again.Into(ctx, into, parts); err != nil {
		return err
	}
	began, seconds := time.Now(), n.Seconds
	step := func(ctx context.Context) error {
		n.Seconds = seconds + time.Since(began).Seconds()
		return o.save(ctx, n)
	}
	var err error
	if n.Bronze {
		err = o.fromBronze(ctx, n, again, step)
	} else {
		err = o.fromTopic(ctx, n, again, step)
	}
	if err != nil {
		return err
	}
	if err := again.Erase(ctx); err != nil {
		return err
	}
	n.State = Ready
	if n.InPlace {
		n.State = Done
	}
	return step(ctx)
}

// copy makes the table beside silver: a copy of it, without the rows whose last
// event the replay writes. Links of silver's parts cost no room. It begins anew
// when it was broken off.
func (o *Operator) copy(ctx context.Context, n *Note) error {
	o.tell(Progress{Dataset: n.Dataset, Step: "copying silver"})
	parts, err := o.partitions(ctx, o.feeding(n.Dataset))
	if err != nil {
		return err
	}
	// Below it everything is in silver before the copy is taken.
	at, err := o.standing(ctx, n.Dataset, parts)
	if err != nil {
		return err
	}
	if n.Before, err = o.uuid(ctx, tables.Silver, n.Dataset); err != nil {
		return err
	}
	if n.Before == "" {
		return fmt.Errorf("silver.%s is not there: restore it from a backup, or %s", n.Dataset, resnapshot)
	}
	from, to := silver(n.Dataset), shadow(n.Dataset)
	statements := []string{"DROP TABLE IF EXISTS " + to, "CREATE TABLE " + to + " AS " + from}
	switch {
	case n.Empty && slices.Equal(n.Topics, o.feeding(n.Dataset)):
	default:
		var written []string
		for _, s := range n.Spans {
			switch {
			case n.Empty:
				written = append(written, "_topic = "+quote(s.Topic))
			case s.First < s.End:
				written = append(written, clickhouse.Span(s.of(), s.First, s.End))
			}
		}
		statements = append(statements, "ALTER TABLE "+to+" REPLACE PARTITION ID 'all' FROM "+from)
		if len(written) > 0 {
			statements = append(statements, "ALTER TABLE "+to+" DELETE WHERE "+clickhouse.Any(written...)+" SETTINGS mutations_sync = 0")
		}
	}
	for _, sql := range statements {
		if err := o.exec(ctx, sql); err != nil {
			return err
		}
	}
	if err := o.mutated(ctx, tables.Replay, n.Dataset); err != nil {
		return err
	}
	if n.Replayed, err = o.uuid(ctx, tables.Replay, n.Dataset); err != nil {
		return err
	}
	if n.Empty {
		// What is not read again was never in it.
		for _, s := range n.Spans {
			at.done[s.of()] = s.End
		}
	}
	n.Parked, n.State = at.done.list(), Running
	return o.save(ctx, n)
}

// mutated waits until a table's mutations are done.
func (o *Operator) mutated(ctx context.Context, database, table string) error {
	for {
		var left uint64
		var reason string
		err := o.query(ctx, fmt.Sprintf("SELECT count(), any(latest_fail_reason) FROM system.mutations WHERE database = %s AND table = %s AND NOT is_done", quote(database), quote(table)),
			func(rows driver.Rows) error { return rows.Scan(&left, &reason) })
		switch {
		case err != nil:
			return err
		case left == 0:
			return nil
		case reason != "":
			return fmt.Errorf("clickhouse cannot delete rows of %s.%s: %s", database, table, reason)
		}
		if err := pause(ctx, 50*time.Millisecond); err != nil {
			return err
		}
	}
}

func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-t.C:
		return nil
	}
}

func (o *Operator) tell(p Progress) {
	if o.Progress != nil {
		o.Progress(p)
	}
}

func (o *Operator) fromTopic(ctx context.Context, n *Note, again *clickhouse.Again, step func(context.Context) error) error {
	var total int64
	for _, s := range n.Spans {
		total += s.End - s.First
	}
	show, began, events := Progress{Dataset: n.Dataset, Step: "writing", Total: total}, time.Now(), n.Events
	tell := func() {
		show.Done = total
		for _, s := range n.Spans {
			show.Done -= s.End - s.Position
		}
		show.Events, show.Rate = n.Events, float64(n.Events-events)/max(time.Since(began).Seconds(), 1e-3)
		o.tell(show)
	}
	tell()
	positions, ends := offsets{}, offsets{}
	for _, s := range n.Spans {
		positions[s.of()], ends[s.of()] = s.Position, s.End
	}
	err := o.stream(ctx, again, positions, ends, func(w written) error {
		for i := range n.Spans {
			if next, ok := w.next[n.Spans[i].of()]; ok {
				n.Spans[i].Position = next
			}
		}
		n.Events, n.Dead = n.Events+int64(w.events), n.Dead+int64(w.dead)
		tell()
		return step(ctx)
	})
	var gone *topic.OutOfRangeError
	if errors.As(err, &gone) {
		return fmt.Errorf("%w; go on from bronze with --from-bronze", err)
	}
	return err
}

// chunkRecords is about how many records one statement writes anew from bronze.
const chunkRecords = 500_000

func (o *Operator) fromBronze(ctx context.Context, n *Note, again *clickhouse.Again, step func(context.Context) error) error {
	var of, below []string
	for _, s := range n.Spans {
		below = append(below, clickhouse.Span(s.of(), 0, s.End))
		if s.Position < s.End {
			of = append(of, clickhouse.Span(s.of(), s.Position, s.End))
		}
	}
	if len(of) == 0 {
		return nil
	}
	bronze := tables.Qualified(tables.Bronze, n.Dataset)
	if n.Chunks == 0 {
		var records uint64
		if err := o.query(ctx, "SELECT uniq(_source, _record) FROM "+bronze+" WHERE "+clickhouse.Any(of...), func(rows driver.Rows) error { return rows.Scan(&records) }); err != nil {
			return err
		}
		n.Chunks = int(records/chunkRecords) + 1
	}
	var events uint64
	began := time.Now()
	for n.Chunk < n.Chunks {
		o.tell(Progress{Dataset: n.Dataset, Step: "writing from bronze", Done: int64(n.Chunk), Total: int64(n.Chunks), Events: n.Events, Rate: float64(events) / max(time.Since(began).Seconds(), 1e-3)})
		mine := fmt.Sprintf("cityHash64(_source, _record) %% %d = %d", n.Chunks, n.Chunk)
		if err := again.FromBronze(ctx, clickhouse.Any(of...)+" AND "+mine, clickhouse.Any(below...)); err != nil {
			return err
		}
		var some uint64
		if err := o.query(ctx, "SELECT count() FROM "+bronze+" WHERE "+clickhouse.Any(of...)+" AND "+mine, func(rows driver.Rows) error { return rows.Scan(&some) }); err != nil {
			return err
		}
		events += some
		n.Events += int64(some)
		n.Chunk++
		if err := step(ctx); err != nil {
			return err
		}
	}
	if err := again.Cut(ctx, n.Topics, clickhouse.Any(below...)); err != nil {
		return err
	}
	for i := range n.Spans {
		n.Spans[i].Position = n.Spans[i].End
	}
	return nil
}

// Drop takes the table beside silver away, and with it the way back.
func (o *Operator) Drop(ctx context.Context, name string) (*Note, error) {
	n, err := o.Open(ctx, name)
	if err != nil {
		return nil, err
	}
	if n.State == Swapping || n.State == Returning {
		return n, fmt.Errorf("an exchange of %s is under way: give 'hopluu replay swap' again, which ends it", n.Dataset)
	}
	if err := o.claim(ctx, n); err != nil {
		return n, err
	}
	if !n.InPlace {
		if err := o.exec(ctx, "DROP TABLE IF EXISTS "+shadow(n.Dataset)); err != nil {
			return n, err
		}
	}
	n.State = Dropped
	return n, o.save(ctx, n)
}
