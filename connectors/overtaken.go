package connectors

import (
	"errors"

	"github.com/hopluu/hopluu/schemas/event"
)

// overtaken is what the stream sent of tables while a snapshot of them is read
// beside it. A row of the snapshot that comes to Kafka after a newer event of
// its key must not go there: versions would put it right, but a topic's order
// would not, and a compacted topic keeps the last (P5). It is left out, and
// nothing is lost: the newer event has the whole row, for what an update of such
// a table does not send is asked for (P4).
type overtaken struct {
	tables map[string]*overtakenTable
	bytes  int
	// forgotten is the LSN of the last event that there was no room for.
	forgotten event.LSN
}

type overtakenTable struct {
	// keys are the message keys of the events with their last LSN.
	keys map[string]event.LSN
	// truncated is the LSN of the last truncate.
	truncated event.LSN
}

const (
	// overtakenBytes bounds what is remembered (P8): some hundred thousand
	// keys. Beyond it the reading goes on with a newer snapshot.
	overtakenBytes = 32 << 20
	// keyOverhead is about what a key takes in a map besides its bytes.
	keyOverhead = 64
)

// errForgotten says that more was changed beside a snapshot than is remembered.
var errForgotten = errors.New("so much is changed beside the snapshot that a newer one is taken")

func newOvertaken(tables []string) *overtaken {
	o := &overtaken{tables: map[string]*overtakenTable{}}
	for _, name := range tables {
		o.tables[name] = &overtakenTable{keys: map[string]event.LSN{}}
	}
	return o
}

// watches tells whether a table's rows may still come.
func (o *overtaken) watches(table string) bool { return o != nil && o.tables[table] != nil }

// note takes down that an event of the stream went to Kafka. key is nil for a
// table without one.
func (o *overtaken) note(table string, op event.Op, key []byte, lsn event.LSN) {
	if !o.watches(table) {
		return
	}
	t := o.tables[table]
	if op == event.Truncate {
		t.truncated = lsn
		return
	}
	if len(key) == 0 {
		return // rows without a key do not replace one another
	}
	if _, known := t.keys[string(key)]; !known {
		if o.bytes += len(key) + keyOverhead; o.bytes > overtakenBytes {
			for _, t := range o.tables {
				clear(t.keys)
			}
			o.bytes, o.forgotten = 0, lsn
			return
		}
	}
	t.keys[string(key)] = lsn
}

// has tells whether a row of the snapshot at lsn comes too late.
func (o *overtaken) has(table string, key []byte, lsn event.LSN) bool {
	t := o.tables[table]
	return t != nil && (t.truncated > lsn || t.keys[string(key)] > lsn)
}

// finish forgets a table whose rows have all come.
func (o *overtaken) finish(table string) {
	if t := o.tables[table]; t != nil {
		for key := range t.keys {
			o.bytes -= len(key) + keyOverhead
		}
		delete(o.tables, table)
	}
}

// holds gives errForgotten when the rows of a snapshot at lsn cannot be judged.
func (o *overtaken) holds(lsn event.LSN) error {
	if o.forgotten > lsn {
		return errForgotten
	}
	return nil
}
