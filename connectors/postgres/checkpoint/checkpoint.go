package checkpoint

import (
	"encoding/json"
	"fmt"

	"github.com/hopluu/hopluu/schemas/event"
)

// Checkpoint is one source's progress. Its zero value is a source that was
// never captured.
type Checkpoint struct {
	// SystemID and Timeline name the history that LSNs belong to
	// (IDENTIFY_SYSTEM); another one makes them meaningless.
	SystemID string `json:"system_id"`
	Timeline int32  `json:"timeline"`
	Slot     string `json:"slot"`
	// Epoch is the source epoch (event.Position).
	Epoch uint32 `json:"epoch"`
	// LSN and Ordinal are those of the last event of the stream in Kafka.
	// Events at or below them were produced: PostgreSQL sends them again after
	// a restart, and they are dropped.
	LSN     event.LSN `json:"lsn"`
	Ordinal uint32    `json:"ordinal"`
	// Message is the LSN of the last logical message of the transaction at LSN
	// that is in Kafka, 0 when there is none. Messages take no ordinal: whether
	// they are captured at all does not move the places of rows (P6).
	Message event.LSN `json:"message,omitempty"`
	// Confirmed is the highest LSN that may have been confirmed to the slot. It
	// is written before it is confirmed, so a slot that stands above it was
	// moved or made anew by someone else: a gap.
	Confirmed event.LSN `json:"confirmed"`
	// At is the time up to which the source's changes are in Kafka: the commit
	// of the last event, or when the source was found at rest; microseconds since
	// 1970 UTC. It is for people only: nothing is decided by it (P6).
	At int64 `json:"at,omitempty"`
	// Erased is how many events of erased people were kept out (P12). It is for
	// people only.
	Erased int64 `json:"erased,omitempty"`
	// Tables by "schema.table".
	Tables map[string]Table `json:"-"`
}

// Table is the state of one table's snapshot.
type Table struct {
	// Complete is true once every row was read.
	Complete bool `json:"complete"`
	// Done are the blocks of the table that are read, in order and apart; Blocks
	// is how many it had when its reading began or went on.
	Done   []Blocks `json:"done,omitempty"`
	Blocks uint32   `json:"blocks,omitempty"`
	// Relfilenode of the heap that Done counts in: another one means that the
	// table was rewritten and its blocks say nothing.
	Relfilenode uint32 `json:"relfilenode,omitempty"`
	// From and To are the lowest and the highest LSN of the snapshots that gave
	// the ranges. Changes that commit before From are superseded by the rows.
	From event.LSN `json:"from,omitempty"`
	To   event.LSN `json:"to,omitempty"`
	// Micros is when the first of these snapshots was taken, by the source's
	// clock, in microseconds since 1970-01-01 UTC.
	Micros int64 `json:"micros,omitempty"`
	// Published is what the table's place in the publication is known by:
	// another one means that it was out of it for a while.
	Published uint32 `json:"published,omitempty"`
	// Columns as the database had them when the topic last said what the table
	// holds (Outdated).
	Columns []Column `json:"columns,omitempty"`
	// Parts are its partitions then.
	Parts []Part `json:"parts,omitempty"`
	// Restart is true when readers may hold rows of earlier snapshots: this one
	// ends with a marker, by which they let go what it did not find (case 35).
	Restart bool `json:"restart,omitempty"`
	// Ranges are those parts of the table that are to be read anew once it is
	// Complete. Each ends with a marker of its own.
	Ranges []event.Range `json:"ranges,omitempty"`
	// Keys are those of single rows that are to be read anew, or told as deleted
	// where they are gone, once it is Complete: the texts of the key's columns.
	Keys [][]string `json:"keys,omitempty"`
	// Rows that the snapshot has read so far.
	Rows int64 `json:"rows,omitempty"`
	// Quarantined is the reason why the table's events go to its dead-letter
	// topic; empty when they flow.
	Quarantined string `json:"quarantined,omitempty"`
}

// Parse reads what Marshal wrote. Unknown fields are kept out, not refused, so
// that an older program can still start after a newer one wrote.
func Parse(data []byte) (Checkpoint, error) {
	var c Checkpoint
	if err := json.Unmarshal(data, &c); err != nil {
		return Checkpoint{}, fmt.Errorf("checkpoint: %w", err)
	}
	return c, nil
}

// Marshal writes the checkpoint without its tables as JSON, the same bytes for
// the same state: it goes into every transaction, so it is small.
func (c Checkpoint) Marshal() ([]byte, error) {
	data, err := json.Marshal(c)
	if err != nil {
		return nil, fmt.Errorf("checkpoint: %w", err)
	}
	return data, nil
}

// ParseTables reads what MarshalTables wrote.
func ParseTables(data []byte) (map[string]Table, error) {
	var tables map[string]Table
	if err := json.Unmarshal(data, &tables); err != nil {
		return nil, fmt.Errorf("checkpoint of the tables: %w", err)
	}
	return tables, nil
}

// MarshalTables writes the state of the tables as JSON.
func MarshalTables(tables map[string]Table) ([]byte, error) {
	data, err := json.Marshal(tables)
	if err != nil {
		return nil, fmt.Errorf("checkpoint of the tables: %w", err)
	}
	return data, nil
}

// Started tells whether the source was ever captured.
func (c Checkpoint) Started() bool { return c.Epoch > 0 }

// Produced tells whether the stream's event at p is already in Kafka.
func (c Checkpoint) Produced(p event.Position) bool {
	return p.Compare(event.Position{Epoch: c.Epoch, LSN: c.LSN, Ordinal: c.Ordinal}) <= 0
}

// MessageProduced tells whether a logical message is already in Kafka: one at
// the LSN message, of the transaction that commits at commit, or of none when
// both are the same.
func (c Checkpoint) MessageProduced(commit, message event.LSN) bool {
	return commit < c.LSN || commit == c.LSN && message <= c.Message
}

// Torn tells whether a change that commits at lsn may belong to a row that no
// range gives: when ranges are read in snapshots of different LSNs, a row may
// move meanwhile from one that is still to be read into one that was, and the
// stream alone has it. Until the table is complete a later snapshot may follow.
func (t Table) Torn(lsn event.LSN) bool {
	return t.From > 0 && lsn >= t.From && (!t.Complete || lsn < t.To)
}

// Superseded tells whether every row was read after a change that commits at
// lsn.
func (t Table) Superseded(lsn event.LSN) bool { return t.Complete && lsn < t.From }

// Pending lists, of the given tables and in their order, those whose snapshot
// is not complete, or that have ranges or keys to be read anew.
func (c Checkpoint) Pending(tables []string) []string {
	var pending []string
	for _, t := range tables {
		if state := c.Tables[t]; !state.Complete || len(state.Ranges) > 0 || len(state.Keys) > 0 {
			pending = append(pending, t)
		}
	}
	return pending
}

// Restarted gives the checkpoint from which a source is captured anew under
// the next epoch: every known table will be read again.
func (c Checkpoint) Restarted() Checkpoint {
	next := Checkpoint{Epoch: c.Epoch, Erased: c.Erased, Tables: make(map[string]Table, len(c.Tables))}
	for name := range c.Tables {
		next.Tables[name] = Table{Restart: true}
	}
	return next
}

// Server is what a database says of itself and of our slot.
type Server struct {
	SystemID string
	Timeline int32
	// Switched is where the server's history left the checkpoint's timeline for
	// another: what is before it is common to both. It is 0 when the timelines
	// are the same, or the server's does not come from the checkpoint's.
	Switched event.LSN
	// SlotExists and the slot's confirmed_flush_lsn.
	SlotExists    bool
	SlotActive    bool // another connection reads it
	SlotConfirmed event.LSN
	// SlotLost is true when the server has invalidated the slot.
	SlotLost   bool
	LostReason string
}

// GapError says that changes between the checkpoint and what the server can
// still send are lost: going on in silence would leave a hole.
type GapError struct {
	Reason string
	// SlotGone is true when the database is the one that was captured, and only
	// the slot was dropped or given up by the server: a new snapshot mends it
	// without a person's judgement.
	SlotGone bool
}

func (e *GapError) Error() string { return e.Reason }

// Check compares the checkpoint with the server; a *GapError tells why the
// stream cannot be continued without a hole.
func (c Checkpoint) Check(s Server) error {
	gap := func(format string, args ...any) error {
		return &GapError{Reason: fmt.Sprintf(format, args...)}
	}
	switch {
	case s.SystemID != c.SystemID:
		return gap("the database has system id %s, the one captured so far had %s: it is another cluster or a restored copy", s.SystemID, c.SystemID)
	case s.Timeline != c.Timeline && s.Switched == 0:
		return gap("the database is on timeline %d, which does not come from timeline %d that was captured so far: it was restored, or another server was promoted", s.Timeline, c.Timeline)
	case s.Timeline != c.Timeline && c.beyond(s.Switched) > 0:
		return gap("the database was promoted to timeline %d at %s, but what its predecessor wrote up to %s was captured: some of that never reached this server", s.Timeline, s.Switched, c.beyond(s.Switched))
	case !s.SlotExists:
		return &GapError{Reason: fmt.Sprintf("replication slot %s is gone: changes after %s are lost", c.Slot, c.Confirmed), SlotGone: true}
	case s.SlotLost:
		return &GapError{Reason: fmt.Sprintf("replication slot %s was invalidated by the server (%s): changes after %s are lost", c.Slot, s.LostReason, c.Confirmed), SlotGone: true}
	case s.SlotConfirmed > c.Continued(s).Confirmed:
		return gap("replication slot %s stands at %s, but only %s was ever confirmed: it was made anew or moved by someone else", c.Slot, s.SlotConfirmed, c.Continued(s).Confirmed)
	}
	return nil
}

// beyond gives the position of something that was captured from behind the end
// of a timeline, 0 when there is nothing. Progress without an event does not
// count: nothing came of it.
func (c Checkpoint) beyond(end event.LSN) event.LSN {
	var last event.LSN
	if c.LSN >= end { // a commit record begins there, which the successor does not have
		last = c.LSN
	}
	for _, t := range c.Tables {
		if t.To > end {
			last = max(last, t.To)
		}
	}
	return last
}

// Continued gives the checkpoint from which a server is captured further in
// which Check found no gap. A standby that was promoted has all that was
// captured and a new timeline; the epoch stays, since its positions go on above
// those that were given (P6), and what was confirmed of the old timeline beyond
// its end is not confirmed of the new one.
func (c Checkpoint) Continued(s Server) Checkpoint {
	if s.Timeline != c.Timeline {
		c.Timeline, c.Confirmed = s.Timeline, min(c.Confirmed, s.Switched)
	}
	return c
}
