package replay

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/hopluu/hopluu/schemas/topic"
)

// State is how far a replay is.
type State string

// The states. Swapping and returning are noted before the exchange: whether it
// happened the tables' UUIDs say.
const (
	Copying   State = "copying"
	Running   State = "running"
	Ready     State = "ready"
	Swapping  State = "swapping"
	Swapped   State = "swapped"
	Returning State = "returning"
	Returned  State = "returned"
	Done      State = "done" // in place
	Dropped   State = "dropped"
)

// Ended tells that nothing of the replay is left.
func (s State) Ended() bool { return s == Done || s == Dropped }

// Span is a part of a partition: from offset First to before End. Position is
// where to go on.
type Span struct {
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
	First     int64  `json:"first"`
	End       int64  `json:"end"`
	Position  int64  `json:"position"`
}

func (s Span) of() topic.Partition { return topic.Partition{Topic: s.Topic, ID: s.Partition} }

// Note is what is durably known of a replay.
type Note struct {
	ID      string   `json:"id"`
	Dataset string   `json:"dataset"`
	Topics  []string `json:"topics"`
	From    string   `json:"from"`
	To      string   `json:"to,omitempty"`
	// Bronze: the events are read from bronze, not from their topics.
	Bronze bool `json:"from_bronze"`
	// InPlace: they are written into silver itself.
	InPlace bool `json:"in_place"`
	// Empty: the table begins without any row of the topics.
	Empty   bool      `json:"empty"`
	State   State     `json:"state"`
	Epoch   uint32    `json:"epoch"`
	Started time.Time `json:"started"`
	At      time.Time `json:"at"`
	Spans   []Span    `json:"spans"`
	// Chunks of the records, of a replay from bronze; those below Chunk are done.
	Chunk  int `json:"chunk,omitempty"`
	Chunks int `json:"chunks,omitempty"`
	// Parked are the offsets below which the table beside silver has everything;
	// Leaving, while an exchange is under way, those of the table that goes out.
	Parked  []Position `json:"parked,omitempty"`
	Leaving []Position `json:"leaving,omitempty"`
	// Replayed and Before are the UUIDs of the table that was filled and of the
	// one that was silver's.
	Replayed string  `json:"replayed,omitempty"`
	Before   string  `json:"before,omitempty"`
	Events   int64   `json:"events"`
	Dead     int64   `json:"dead_letters"`
	Seconds  float64 `json:"seconds"`

	seq uint64
}

// Position is an offset of a partition.
type Position struct {
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
	Offset    int64  `json:"offset"`
}

// offsets is where partitions stand.
type offsets map[topic.Partition]int64

func (o offsets) list() []Position {
	var list []Position
	for p, at := range o {
		list = append(list, Position{p.Topic, p.ID, at})
	}
	slices.SortFunc(list, func(a, b Position) int {
		return topic.Partition{Topic: a.Topic, ID: a.Partition}.Compare(topic.Partition{Topic: b.Topic, ID: b.Partition})
	})
	return list
}

func offsetsOf(list []Position) offsets {
	o := offsets{}
	for _, p := range list {
		o[topic.Partition{Topic: p.Topic, ID: p.Partition}] = p.Offset
	}
	return o
}

// noteTable keeps the notes.
const noteTable = `CREATE TABLE IF NOT EXISTS ops.replay
(
    id String COMMENT 'Lần phát lại — Replay',
    seq UInt64 COMMENT 'Số thứ tự ghi chú; lớn nhất có hiệu lực — Number of the note; the greatest counts',
    at DateTime64(6, 'UTC') COMMENT 'Thời điểm — When',
    dataset LowCardinality(String) COMMENT 'Bộ dữ liệu — Data set',
    state LowCardinality(String) COMMENT 'Trạng thái: copying, running, ready, swapping, swapped, returning, returned, done, dropped — State',
    epoch UInt32 COMMENT 'Kỷ nguyên: lệnh nào đang làm — Epoch: which command is at work',
    events UInt64 COMMENT 'Số sự kiện đã ghi lại — Events written again',
    dead_letters UInt64 COMMENT 'Số bản ghi lỗi — Records that went to the dead letters',
    seconds Float64 COMMENT 'Thời gian đã chạy (giây) — Time of running in seconds',
    note String COMMENT 'Ghi chú đầy đủ (JSON) — All of the note (JSON)'
)
ENGINE = ReplacingMergeTree(seq)
ORDER BY id
COMMENT 'Phát lại dữ liệu vào silver — Replays into silver'`

// ErrTaken says that another command took the replay over.
var ErrTaken = errors.New("another command works on this replay since; see 'hopluu replay list'")

// notes gives the notes that meet a condition, oldest first.
func (o *Operator) notes(ctx context.Context, where string) (all []*Note, err error) {
	err = o.query(ctx, "SELECT note, seq FROM ops.replay FINAL WHERE "+where+" ORDER BY id", func(rows driver.Rows) error {
		var text string
		n := &Note{}
		if err := rows.Scan(&text, &n.seq); err != nil {
			return err
		}
		seq := n.seq
		if err := json.Unmarshal([]byte(text), n); err != nil {
			return fmt.Errorf("ops.replay: %w", err)
		}
		n.seq = seq
		all = append(all, n)
		return nil
	})
	return all, err
}

// claim makes this command the one that works on a replay.
func (o *Operator) claim(ctx context.Context, n *Note) error {
	n.Epoch++
	return o.write(ctx, n)
}

// save notes a step, unless another command took the replay over.
func (o *Operator) save(ctx context.Context, n *Note) error {
	var epoch uint32
	err := o.query(ctx, "SELECT toUInt32(max(epoch)) FROM ops.replay WHERE id = "+quote(n.ID), func(rows driver.Rows) error { return rows.Scan(&epoch) })
	if err != nil {
		return err
	}
	if epoch > n.Epoch {
		return ErrTaken
	}
	return o.write(ctx, n)
}

func (o *Operator) write(ctx context.Context, n *Note) error {
	n.seq++
	n.At = time.Now().UTC()
	text, err := json.Marshal(n)
	if err != nil {
		return err
	}
	return o.exec(ctx, fmt.Sprintf("INSERT INTO ops.replay (id, seq, at, dataset, state, epoch, events, dead_letters, seconds, note) VALUES (%s, %d, now64(6), %s, %s, %d, %d, %d, %g, %s)",
		quote(n.ID), n.seq, quote(n.Dataset), quote(string(n.State)), n.Epoch, n.Events, n.Dead, n.Seconds, quote(string(text))))
}

// List gives the replays, oldest first: those of which something is left, or all.
func (o *Operator) List(ctx context.Context, all bool) ([]*Note, error) {
	if err := o.prepare(ctx); err != nil {
		return nil, err
	}
	if all {
		return o.notes(ctx, "1")
	}
	return o.notes(ctx, "state NOT IN ('done', 'dropped')")
}

// Open gives the replay of a name, which is its id or its data set's; the only
// one when the name is empty.
func (o *Operator) Open(ctx context.Context, name string) (*Note, error) {
	all, err := o.List(ctx, false)
	if err != nil {
		return nil, err
	}
	var found []*Note
	var known []string
	for _, n := range all {
		known = append(known, n.Dataset)
		if name == "" || n.ID == name || n.Dataset == name {
			found = append(found, n)
		}
	}
	switch {
	case len(found) == 1:
		return found[0], nil
	case len(all) == 0:
		return nil, errors.New("there is no replay: begin one with 'hopluu replay run'")
	case name == "":
		return nil, fmt.Errorf("there are %d replays: name one of %v", len(all), known)
	}
	return nil, fmt.Errorf("there is no replay %s: there are those of %v", name, known)
}
