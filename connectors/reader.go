package connectors

import (
	"context"
	"strings"

	"github.com/hopluu/hopluu/connectors/postgres"
	"github.com/hopluu/hopluu/schemas/event"
)

// task is what a session has a reader do: enter a table (enter not empty),
// read a piece of the one that it is in (table not nil), or leave it, which is
// not reported.
type task struct {
	leave  bool
	enter  string
	table  *table // its own, with encoders that no other goroutine uses
	extent postgres.Extent
	piece  postgres.Piece
}

// report is what a reader tells its session: a chunk, or that it awaits an
// task.
type report struct {
	reader *reader
	// entered: the table that was asked for is locked, with this extent.
	entered bool
	extent  postgres.Extent
	// chunk is a part of the piece that is read; nil else.
	chunk *chunk
	// waited: a statement of the application waits for the table that was read.
	waited bool
	// failed is why it could not do what it was told; it has left its table.
	// Without a reader, why there is no snapshot.
	failed error
	// held is the snapshot that the readers are to read, without a reader.
	held *postgres.Held
}

// reader reads on a goroutine and a connection of its own: what it encodes is
// produced by the session, which alone knows the checkpoint.
type reader struct {
	reading *reading
	tasks   chan task        // has room for a leave and what follows it
	conn    *postgres.Reader // nil until it is needed, and after an error
	inside  bool             // in a transaction

	// What the session knows of it: the table that it was told to enter, and
	// once it did, that table with encoders for this reader alone.
	work *work
	twin *table
}

func (d *reader) run(ctx context.Context) {
	defer d.reading.running.Done()
	defer d.close()
	// An error of tell is the context's end, which the loop sees too.
	_ = d.reading.tell(ctx, report{reader: d})
	for {
		select {
		case <-ctx.Done():
			return
		case o := <-d.tasks:
			done, err := d.do(ctx, o)
			if err != nil {
				d.close()
			}
			if done.reader, done.failed = d, err; !o.leave {
				_ = d.reading.tell(ctx, done)
			}
		}
	}
}

func (d *reader) close() {
	if d.conn != nil {
		d.conn.Close()
	}
	d.conn, d.inside = nil, false
}

func (d *reader) do(ctx context.Context, o task) (report, error) {
	if o.table != nil {
		if err := d.read(ctx, o); err != nil {
			return report{}, err
		}
		waited, err := d.conn.Waited(ctx)
		return report{waited: waited}, err
	}
	if d.inside {
		d.inside = false
		if err := d.conn.Leave(ctx); err != nil {
			return report{}, err
		}
	}
	if o.leave {
		return report{}, nil
	}
	if d.conn == nil {
		conn, err := postgres.OpenReader(ctx, d.reading.DSN, d.reading.held)
		if err != nil {
			return report{}, err
		}
		d.conn = conn
	}
	d.inside = true
	schema, table, _ := strings.Cut(o.enter, ".")
	extent, err := d.conn.Enter(ctx, schema, table)
	return report{entered: true, extent: extent}, err
}

// chunkBytes is how much a reader encodes before it hands it on.
const chunkBytes = 512 << 10

// chunk is a part of a piece, encoded.
type chunk struct {
	table  *table
	piece  postgres.Piece
	rows   []encodedRow
	memory []byte // what the rows are slices of
	// erased are rows of erased people, which are not among them (P12).
	erased int
	// last: with it the piece is read.
	last bool
}

// read encodes the rows of a piece. A row that cannot be encoded is a
// *QuarantineError.
func (d *reader) read(ctx context.Context, o task) error {
	r, t := d.reading, o.table
	ev := event.Event{Op: event.Read, Snapshot: true, CommitMicros: r.held.Micros, Position: event.Position{Epoch: r.epoch, LSN: r.held.LSN}}
	c := r.newChunk(t, o.piece)
	n := 0
	take := func(ev *event.Event) error {
		if n++; n%paceRows == 0 {
			if err := r.pace.wait(ctx, paceRows); err != nil {
				return err
			}
		}
		if !t.guard.Admit(ev) {
			c.erased++
			return nil
		}
		var at encodedRow
		var err error
		if c.memory, at, err = t.append(c.memory, ev, r.MaxRowBytes); err != nil {
			return err
		}
		at.op = ev.Op
		c.rows = append(c.rows, at)
		if len(c.memory) < chunkBytes {
			return nil
		}
		full := c
		c = r.newChunk(t, o.piece)
		return r.tell(ctx, report{reader: d, chunk: full})
	}
	err := d.readPiece(ctx, o, func(row event.Row) error {
		ev.Op, ev.Before, ev.BeforeKeyOnly, ev.After = event.Read, nil, false, row
		return take(&ev)
	}, func(key event.Row) error {
		// A row that is not there as of the snapshot: a delete in its place.
		ev.Op, ev.Before, ev.BeforeKeyOnly, ev.After = event.Delete, key, true, nil
		return take(&ev)
	})
	if err != nil {
		return err
	}
	if err := r.pace.wait(ctx, n%paceRows); err != nil { // small ranges, too
		return err
	}
	c.last = true
	return r.tell(ctx, report{reader: d, chunk: c})
}
