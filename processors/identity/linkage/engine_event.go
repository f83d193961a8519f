package linkage

import (
	"cmp"
	"slices"
	"strings"

	"github.com/hopluu/hopluu/processors/identity"
)

// What happens to persons.
const (
	EventMerge = "merge" // several became one
	EventSplit = "split" // one became several
	EventMove  = "move"  // several became several others
)

// Event is a merge or split of persons that were published: what records they
// had, and what records those persons have whom the records are now. A record
// that is new, or is gone, is on one side only, and makes no event alone.
type Event struct {
	Kind          string
	Before, After []Members // in the order of the persons
	// Causes are the records whose change, or a decision on which, brought it
	// about, as far as they are among the members; none when it was a record
	// elsewhere, as of the shared holders of a number, or another model.
	Causes []string
	Model  string
	// Node is what the records speak of when that is no person, else AnyNode.
	Node identity.Node
}

// Members are the records of a person, in the order of their names.
type Members struct {
	Person  identity.PersonID
	Records []string
}

// move is a record that was solved: its person before and after, zero for none.
type move struct {
	record        string
	before, after identity.PersonID
}

// tell hands over the events of what Solve moved.
func (e *Engine) tell(happened func(*Event) error) error {
	var none identity.PersonID
	moved := map[identity.PersonID]struct{}{}
	for _, m := range e.moves {
		if m.before != none && m.after != none && m.before != m.after {
			moved[m.before], moved[m.after] = struct{}{}, struct{}{}
		}
	}
	if len(moved) == 0 {
		return nil
	}
	// Persons that a record has before and after belong to one event.
	var list []move
	parent := map[identity.PersonID]identity.PersonID{}
	root := func(p identity.PersonID) identity.PersonID {
		for parent[p] != none && parent[p] != p {
			p = parent[p]
		}
		return p
	}
	for _, m := range e.moves {
		_, a := moved[m.before]
		_, b := moved[m.after]
		if !a && !b {
			continue
		}
		list = append(list, m)
		if m.before != none && m.after != none {
			if x, y := root(m.before), root(m.after); x != y {
				if slices.Compare(x[:], y[:]) > 0 {
					x, y = y, x
				}
				parent[y] = x
			}
		}
	}
	type sides struct {
		before, after map[identity.PersonID][]string
	}
	events := map[identity.PersonID]*sides{}
	for _, m := range list {
		of := m.before
		if of == none {
			of = m.after
		}
		s := events[root(of)]
		if s == nil {
			s = &sides{map[identity.PersonID][]string{}, map[identity.PersonID][]string{}}
			events[root(of)] = s
		}
		if m.before != none {
			s.before[m.before] = append(s.before[m.before], m.record)
		}
		if m.after != none {
			s.after[m.after] = append(s.after[m.after], m.record)
		}
	}
	var all []Event
	for _, s := range events {
		if ev := (Event{Before: members(s.before), After: members(s.after), Model: e.Model()}); e.kind(&ev) {
			all = append(all, ev)
		}
	}
	slices.SortFunc(all, func(x, y Event) int { return slices.Compare(x.Before[0].Person[:], y.Before[0].Person[:]) })
	for i := range all {
		if err := happened(&all[i]); err != nil {
			return err
		}
	}
	return nil
}

// kind finds what an event is, and its causes; it is none where one person
// became one.
func (e *Engine) kind(ev *Event) bool {
	switch before, after := len(ev.Before), len(ev.After); {
	case before > 1 && after == 1:
		ev.Kind = EventMerge
	case before == 1 && after > 1:
		ev.Kind = EventSplit
	case before > 1 && after > 1:
		ev.Kind = EventMove
	default:
		return false
	}
	for _, side := range [2][]Members{ev.Before, ev.After} {
		for _, m := range side {
			for _, r := range m.Records {
				if i, known := e.byID[r]; known && e.nodeOf(i) > identity.PersonNode {
					ev.Node = e.nodeOf(i)
				}
				if _, ok := e.causes[r]; ok {
					ev.Causes = append(ev.Causes, r)
				}
			}
		}
	}
	slices.Sort(ev.Causes)
	ev.Causes = slices.Compact(ev.Causes)
	return true
}

func members(of map[identity.PersonID][]string) []Members {
	var all []Members
	for person, records := range of {
		slices.SortFunc(records, strings.Compare)
		all = append(all, Members{person, records})
	}
	slices.SortFunc(all, func(x, y Members) int { return cmp.Or(slices.Compare(x.Person[:], y.Person[:])) })
	return all
}
