package event

// Op is what happened to a row, in Debezium's letters.
type Op byte

// The operations, as Debezium's envelope field "op" writes them.
const (
	Create   Op = 'c'
	Update   Op = 'u'
	Delete   Op = 'd'
	Read     Op = 'r' // a row that a snapshot read
	Truncate Op = 't'
	// Marker ends a new snapshot of a table that was captured before, or of the
	// Range of it that was read: a row with a lower position is not there any
	// more, for the snapshot would have given it. 'm' is the letter of Debezium's messages, which say nothing of
	// rows: a consumer that knows of no markers keeps all it has. It must not be
	// 't', which would make such a consumer drop the rows that were just read.
	Marker Op = 'm'
)

func (o Op) String() string { return string(rune(o)) }

// Valid tells whether o is one of the six operations.
func (o Op) Valid() bool {
	switch o {
	case Create, Update, Delete, Read, Truncate, Marker:
		return true
	}
	return false
}

// State says whether a value was sent, and if so whether it is NULL.
type State uint8

const (
	// Null is SQL NULL.
	Null State = iota
	// Present is a value; its text is in Value.Text.
	Present
	// Unchanged is a TOAST value that the update did not send: neither NULL
	// nor missing (P4).
	Unchanged
)

// Value is one cell. Text is the source's own text output format (for
// PostgreSQL what the type's output function prints), the same from a
// snapshot and from the stream (P5). Text is only valid until the producer of
// the event reads its next message: whoever keeps it copies it.
type Value struct {
	State State
	Text  []byte
}

// Row is the cells of a row in the order of its relation's columns.
type Row []Value

// Event is one change of one row, or of a whole table (Truncate and Marker,
// which have neither Before nor After).
//
// Before is nil when the source did not send an old image. With PostgreSQL's
// default replica identity an old image holds the key columns only, the others
// being Null; BeforeKeyOnly then is true.
type Event struct {
	Op            Op
	Before        Row
	BeforeKeyOnly bool
	After         Row
	Position      Position
	// TxID is the source's transaction number, 0 in a snapshot.
	TxID uint32
	// TableOrder is the event's place among those of its table in its
	// transaction, from 1, counted as Position.Ordinal is; 0 in a snapshot.
	TableOrder uint32
	// CommitMicros is the commit time of the transaction at the source, in
	// microseconds since 1970-01-01 UTC; for a snapshot row, the time at which
	// the snapshot began.
	CommitMicros int64
	// Snapshot is true for rows that a snapshot read.
	Snapshot bool
	// Range is what a Marker speaks of; nil for the whole table, and of every
	// other event.
	Range *Range
}
