package matcher

import (
	"github.com/hopluu/hopluu/schemas/event"
	"github.com/hopluu/hopluu/schemas/topic"
)

// marker is the end of a new snapshot, as far as it came.
type marker struct {
	position event.Position
	came     map[int32]bool // by partition
}

// mark takes away what a new snapshot of a table did not find (case 35), once
// the marker came in every partition of the topic: before that, rows that the
// snapshot did find may still be to come from the others, and their persons
// would come apart for a while. A marker that is above another replaces it: its
// snapshot began later, and found all that is still there.
func (m *Matcher) mark(part topic.Partition, l *lane, at event.Position) {
	known, ok := m.markers[part.Topic]
	switch c := at.Compare(known.position); {
	case !ok || c > 0:
		known = marker{position: at, came: map[int32]bool{}}
	case c < 0:
		return
	}
	known.came[part.ID] = true
	m.markers[part.Topic] = known
	for p := range m.positions {
		if p.Topic == part.Topic && !known.came[p.ID] {
			return
		}
	}
	m.state.Truncate(l.origin, at)
}
