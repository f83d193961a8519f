package matcher

import (
	"github.com/hopluu/hopluu/schemas/avro"
	"github.com/hopluu/hopluu/schemas/event"
	"github.com/hopluu/hopluu/schemas/topic"
)

// marked is what a new snapshot was taken of: a topic's table, or the range of
// it that is not empty.
type marked struct{ topic, part string }

// marker is the end of a new snapshot, as far as it came.
type marker struct {
	position event.Position
	came     map[int32]bool // by partition
}

// mark takes away what a new snapshot of a table, or of the range of it that
// within tells when it is not nil, did not find (case 35), once
// the marker came in every partition of the topic: before that, rows that the
// snapshot did find may still be to come from the others, and their persons
// would come apart for a while. A marker that is above another replaces it: its
// snapshot began later, and found all that is still there.
func (m *Matcher) mark(part topic.Partition, l *lane, at event.Position, of string, within *avro.Span) {
	what := marked{part.Topic, of}
	known, ok := m.markers[what]
	switch c := at.Compare(known.position); {
	case !ok || c > 0:
		known = marker{position: at, came: map[int32]bool{}}
	case c < 0:
		return
	}
	known.came[part.ID] = true
	m.markers[what] = known
	for p := range m.positions {
		if p.Topic == part.Topic && !known.came[p.ID] {
			return
		}
	}
	if within != nil {
		m.engine.Clear(l.origin, at, within.Has)
		return
	}
	m.engine.Truncate(l.origin, at)
}
