package checkpoint

import (
	"slices"

	"github.com/hopluu/hopluu/schemas/event"
)

// Asked gives the state in which a range is to be read anew.
func (t Table) Asked(r event.Range) Table {
	if !t.asks(r) {
		t.Ranges = append(slices.Clone(t.Ranges), r)
	}
	return t
}

// Answered gives the state after a range was read; ok is false when nobody asks
// for it any more, as when all of the table is read anew meanwhile.
func (t Table) Answered(r event.Range) (state Table, ok bool) {
	if !t.asks(r) {
		return t, false
	}
	t.Ranges = slices.DeleteFunc(slices.Clone(t.Ranges), same(r))
	return t, true
}

func (t Table) asks(r event.Range) bool { return slices.ContainsFunc(t.Ranges, same(r)) }

func same(r event.Range) func(event.Range) bool {
	text := r.String()
	return func(other event.Range) bool { return other.String() == text }
}
