package connectors

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hopluu/hopluu/connectors/postgres"
	"github.com/hopluu/hopluu/connectors/postgres/checkpoint"
	"github.com/hopluu/hopluu/schemas/event"
	"github.com/hopluu/hopluu/schemas/token"
)

// reading reads tables as one snapshot sees them: readers, each on a connection
// of its own that is pinned to it (case 06), read and encode pieces of them;
// the session gives the tasks and produces what they encoded. But for the
// readers' goroutines everything here is used by the session's alone.
type reading struct {
	*session
	running sync.WaitGroup
	ctx     context.Context // of the readers, until stop
	cancel  context.CancelFunc
	reports chan report
	epoch   uint32
	// held is the snapshot; nil until it is exported.
	held      *postgres.Held
	pace      pace
	chunks    sync.Pool
	works     []*work
	readers   []*reader
	parked    []*reader // without a task
	overtaken *overtaken
}

// work is one table in a reading.
type work struct {
	name   string
	table  *table
	extent postgres.Extent
	// asked: a reader is to enter it; open: one did, and the pieces are known.
	asked, open bool
	// closed: nothing more of it is read in this reading.
	closed bool
	left   []postgres.Piece         // to be handed out
	rows   map[postgres.Piece]int64 // of the pieces that are being read
}

// read begins to read tables. fresh is the snapshot of a slot that was just
// made; without it one is exported at an exact LSN, and the rows are stamped
// with that: changes that commit before it order before the row, changes after
// it after, whatever the order in which they are delivered (P5).
func (s *session) read(ctx context.Context, tables []string, fresh *postgres.Snapshot) (*reading, error) {
	ctx, cancel := context.WithCancel(ctx)
	r := &reading{session: s, ctx: ctx, cancel: cancel, epoch: s.checkpoint.Epoch, reports: make(chan report, reportsAhead),
		pace: pace{perSecond: s.Snapshot.RowsPerSecond}, overtaken: newOvertaken(tables)}
	r.chunks.New = func() any { return &chunk{memory: make([]byte, 0, chunkBytes+chunkBytes/4)} }
	for _, name := range tables {
		r.works = append(r.works, &work{name: name, rows: map[postgres.Piece]int64{}})
	}
	if fresh != nil {
		var err error
		if r.held, err = postgres.Hold(ctx, s.DSN, *fresh); err != nil {
			cancel()
			return nil, err
		}
		r.start(r.held.LSN) // the stream begins here
		return r, nil
	}
	var err error
	var standby bool
	if s.readFrom, err = postgres.WrittenTo(ctx, s.sql); err == nil {
		err = postgres.ReleaseSlot(ctx, s.sql, s.snapshotSlot())
	}
	if err == nil {
		standby, err = postgres.InRecovery(ctx, s.sql)
	}
	if err != nil {
		cancel()
		return nil, err
	}
	r.running.Add(1)
	go func() {
		defer r.running.Done()
		var held *postgres.Held
		err := s.makingOn(ctx, standby, func() (err error) {
			held, err = postgres.Export(ctx, s.DSN, s.snapshotSlot())
			return err
		})
		if r.tell(ctx, report{held: held, failed: err}) != nil && held != nil {
			held.Close()
		}
	}()
	return r, nil
}

// snapshotSlot is the slot that is there while a snapshot is exported.
func (s *session) snapshotSlot() string { return s.Slot + "_snapshot" }

// reportsAhead bounds what readers have encoded and the session did not
// produce yet (P8), together with a chunk that each has in hand.
const reportsAhead = 4

// tell gives the session a report, or the context's end.
func (r *reading) tell(ctx context.Context, rep report) error {
	select {
	case r.reports <- rep:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// start starts the readers once the stream has reached the snapshot: what
// commits below it is in Kafka then, and a topic has the events of a key in the
// order of their versions (P5).
func (r *reading) start(reached event.LSN) {
	if r == nil || r.held == nil || r.readers != nil || reached < r.held.LSN {
		return
	}
	r.Log.Info("tables are read", "lsn", r.held.LSN.String(), "tables", len(r.works), "connections", r.Snapshot.connections())
	for range r.Snapshot.connections() {
		d := &reader{reading: r, tasks: make(chan task, 2)}
		r.readers = append(r.readers, d)
		r.running.Add(1)
		go d.run(r.ctx)
	}
}

// stop ends the readers, whatever they do. What they did not finish is read
// again in another reading.
func (r *reading) stop() {
	if r == nil {
		return
	}
	r.cancel()
	r.running.Wait()
	for len(r.reports) > 0 {
		if rep := <-r.reports; rep.held != nil {
			rep.held.Close()
		}
	}
	if r.held != nil {
		r.held.Close()
	}
}

// noSnapshotError says that no snapshot could be exported, as when all slots of
// the server are in use.
type noSnapshotError struct{ err error }

func (e *noSnapshotError) Error() string { return "no snapshot could be taken: " + e.err.Error() }
func (e *noSnapshotError) Unwrap() error { return e.err }

// over tells whether there is nothing left to do.
func (r *reading) over() bool { return r.readers != nil && len(r.parked) == len(r.readers) }

// take does what a report asks for. After errForgotten the reading can only be
// stopped.
func (r *reading) take(ctx context.Context, rep report) error {
	switch {
	case rep.held != nil:
		r.held = rep.held
		return nil
	case rep.reader == nil:
		return &noSnapshotError{rep.failed}
	case rep.chunk != nil:
		return r.produce(ctx, rep.chunk)
	}
	d := rep.reader
	var err error
	switch {
	case rep.failed != nil:
		err = r.failed(d, rep.failed)
	case rep.entered:
		err = r.entered(ctx, d, rep.extent)
	case rep.waited && !d.work.closed:
		// It waits for one range, not for the table, and with it wait all that
		// came after it (P7).
		d.work.closed = true
		r.Log.Info("the rest of a table is read later: a statement of the application waits for it", "table", d.work.name)
	}
	if err != nil {
		return err
	}
	r.parked = append(r.parked, d)
	// A table that was entered may have work for readers that had none.
	for _, d := range slices.Clone(r.parked) {
		if err := r.next(d); err != nil {
			return err
		}
	}
	return nil
}

// next gives a parked reader a task, if there is one.
func (r *reading) next(d *reader) error {
	o := task{}
	if w := d.work; w != nil && d.twin != nil && r.wanted(w) && len(w.left) > 0 {
		o = task{table: d.twin, extent: w.extent, piece: w.left[0]}
		w.left = w.left[1:]
		w.rows[o.piece] = 0
	} else {
		d.twin = nil
		for _, w := range r.works {
			if r.wanted(w) && (!w.asked || len(w.left) > 0) {
				w.asked, d.work = true, w
				o.enter = w.name
				break
			}
		}
	}
	if o.table == nil && o.enter == "" {
		if d.work != nil {
			d.work = nil
			d.tasks <- task{leave: true} // its lock is not held for nothing (P7)
		}
		return nil
	}
	r.parked = slices.DeleteFunc(r.parked, func(p *reader) bool { return p == d })
	d.tasks <- o
	return nil
}

// wanted tells whether a table is still to be read here. It is not once it was
// quarantined.
func (r *reading) wanted(w *work) bool {
	return !w.closed && r.checkpoint.Tables[w.name].Quarantined == ""
}

// failed judges why a reader could not do what it was told.
func (r *reading) failed(d *reader, err error) error {
	w := d.work
	d.work, d.twin = nil, nil
	var bad *QuarantineError
	switch {
	case errors.As(err, &bad):
		// The rows read so far stay; they are right.
		w.closed = true
		r.quarantine(w.name, err)
		return nil
	case errors.Is(err, postgres.ErrRewritten), errors.Is(err, postgres.ErrBusy):
		r.Log.Info("a table is read later", "table", w.name, "why", err)
		// Another reader that is inside reads on, and none waits for the table
		// behind the statement that waits for that one.
		w.closed = w.closed || !w.open
		w.asked = true
		return nil
	case errors.Is(err, postgres.ErrNoTable) && r.captured(w.name):
		w.closed = true
		r.quarantine(w.name, r.gone(w.name))
		return nil
	case errors.Is(err, postgres.ErrNoTable):
		return &postgres.ConfigError{Reason: fmt.Sprintf("sector %s describes table %s, which database %s does not have: create it, or take it out of the sector file", r.Sector.Sector, w.name, r.database)}
	}
	return err
}

// captured tells whether a table was read before: then its loss concerns it
// alone.
func (r *reading) captured(table string) bool {
	state := r.checkpoint.Tables[table]
	return state.Restart || state.Complete
}

// entered takes in that a reader has locked a table: its columns and its heap
// stay as they are while one is inside, and while ranges are left one is.
func (r *reading) entered(ctx context.Context, d *reader, extent postgres.Extent) error {
	w := d.work
	if !r.wanted(w) {
		return nil
	}
	if !w.open {
		err := r.prepare(ctx, w, extent)
		var bad *QuarantineError
		if errors.As(err, &bad) {
			w.closed = true
			r.quarantine(w.name, err)
			return nil
		}
		if err != nil {
			return err
		}
	}
	var err error
	d.twin, err = r.twin(w.table)
	return err
}

// prepare makes the table's encoders and finds out which pieces are to be read.
func (r *reading) prepare(ctx context.Context, w *work, extent postgres.Extent) error {
	schema, name, _ := strings.Cut(w.name, ".")
	relation, err := r.catalog.Relation(ctx, schema, name)
	if err != nil {
		return err
	}
	shapes, err := r.catalog.Shapes(ctx, r.Publication, w.name)
	if err != nil {
		return err
	}
	shape := shapes[w.name]
	if shape.Published == 0 && r.captured(w.name) {
		return r.unpublished(w.name)
	}
	if shape.Published == 0 {
		return &postgres.ConfigError{Reason: fmt.Sprintf("table %s is not in publication %s, so its changes would not be sent: run 'hopluu connector enable %s'", w.name, r.Publication, r.Source)}
	}
	if shape.Unlogged {
		return r.unlogged(w.name)
	}
	if relation, err = r.narrow(ctx, relation); err != nil {
		return err
	}
	if w.table, err = r.compile(ctx, relation); err != nil {
		return err
	}
	w.open, w.extent = true, extent
	if r.checkpoint.Tables[w.name].Complete {
		if err := r.prepareRanges(w); err != nil || w.closed {
			return err
		}
		r.prepareKeys(w)
		return nil
	}
	shape.Parts = extent.Parts // not one that was attached since
	state := begun(r.checkpoint.Tables[w.name], extent, shape, r.held)
	left := state.Left(extent.Blocks, r.Snapshot.rangeBlocks())
	if extent.Whole {
		left = []checkpoint.Blocks{{From: 0, To: checkpoint.End}}
	}
	for _, blocks := range left {
		w.left = append(w.left, postgres.Piece{Blocks: blocks})
	}
	r.setTable(w.name, state)
	r.Log.Info("snapshot of a table", "table", w.name, "lsn", r.held.LSN.String(), "blocks", extent.Blocks, "ranges", len(w.left))
	return nil
}

// begun is where the reading of a table stands: where it was left, or at its
// beginning when the blocks that were read are no longer these blocks, or their
// rows no longer these rows.
func begun(state checkpoint.Table, extent postgres.Extent, shape checkpoint.Shape, held *postgres.Held) checkpoint.Table {
	if len(state.Done) == 0 || state.Relfilenode != extent.Relfilenode || state.Outdated(shape) != "" {
		state = checkpoint.Table{Restart: state.Restart, Ranges: state.Ranges, Keys: state.Keys, From: held.LSN, Micros: held.Micros}
	}
	state = state.Seen(shape)
	state.Relfilenode, state.Blocks, state.To = extent.Relfilenode, extent.Blocks, held.LSN
	return state
}

// twin is the table with encoders of its own, for another goroutine.
func (s *session) twin(t *table) (*table, error) {
	twin := *t
	twin.tokens, twin.records = s.Tokens.Clone(), s.Records.Clone()
	public, vault, _, err := fields(t.relation, t.sector, twin.tokens, twin.records)
	if err != nil {
		return nil, err
	}
	if twin.public.encoder, err = s.encoder(t.relation, s.Source, public, t.key, ""); err != nil {
		return nil, err
	}
	var tokenizers []*token.Tokenizer
	for _, t := range s.tokenizers() {
		tokenizers = append(tokenizers, t.Clone())
	}
	if twin.guard, err = s.guardOf(&twin, public, tokenizers); err != nil {
		return nil, err
	}
	if t.vault.topic != "" {
		twin.vault.encoder, err = s.encoder(t.relation, "vault."+s.Source, vault, t.key, "")
	}
	return &twin, err
}

// produce adds a chunk to the open transaction. When it is a piece's last one,
// the piece is done with that transaction: before it, and after a crash, its
// rows are read again with a later LSN (case 12).
func (r *reading) produce(ctx context.Context, c *chunk) error {
	defer r.recycle(c)
	w := r.works[slices.IndexFunc(r.works, func(w *work) bool { return w.name == c.table.name() })]
	if r.checkpoint.Tables[w.name].Quarantined != "" {
		return nil
	}
	if err := r.overtaken.holds(r.held.LSN); err != nil {
		return err
	}
	if c.erased > 0 {
		r.keptOut(w.name, c.erased)
	}
	for _, at := range c.rows {
		if r.overtaken.has(w.name, c.memory[at.key:at.value], r.held.LSN) {
			continue
		}
		if err := r.add(ctx, w.table, c.memory, at, at.op, r.held.Micros); err != nil {
			return err
		}
	}
	if r.waiting.IsZero() {
		r.waiting = time.Now()
	}
	w.rows[c.piece] += int64(len(c.rows))
	if !c.last {
		return nil
	}
	rows := w.rows[c.piece]
	delete(w.rows, c.piece)
	last := len(w.left) == 0 && len(w.rows) == 0
	if last {
		w.closed = true
		r.overtaken.finish(w.name)
	}
	if c.piece.Range != nil {
		return r.endRange(ctx, w, *c.piece.Range, rows)
	}
	if c.piece.Keys != nil {
		r.endKeys(w, *c.piece.Keys, rows)
		return nil
	}
	state := r.checkpoint.Tables[w.name].Read(c.piece.Blocks)
	state.Rows += rows
	if last {
		state.Complete = true
		r.Log.Info("snapshot of a table complete", "table", w.name, "rows", state.Rows)
	}
	r.setTable(w.name, state)
	return nil
}

func (r *reading) newChunk(t *table, piece postgres.Piece) *chunk {
	c := r.chunks.Get().(*chunk)
	c.table, c.piece, c.last = t, piece, false
	c.rows, c.memory, c.erased = c.rows[:0], c.memory[:0], 0
	return c
}

// recycle keeps a chunk's memory for the next one, unless a large row made it
// large.
func (r *reading) recycle(c *chunk) {
	if cap(c.memory) <= 2*chunkBytes {
		r.chunks.Put(c)
	}
}

// note takes down that the stream sent an event of a table.
func (r *reading) note(table string, op event.Op, key []byte, lsn event.LSN) {
	if r.beside(table, lsn) {
		r.overtaken.note(table, op, key, lsn)
	}
}

// beside tells whether an event of the stream may be newer than a row of the
// table that is still to come.
func (r *reading) beside(table string, lsn event.LSN) bool {
	if r == nil || !r.overtaken.watches(table) || lsn < r.readFrom {
		return false
	}
	return r.held == nil || lsn > r.held.LSN
}
