package review

import (
	"cmp"
	"slices"

	"github.com/hopluu/hopluu/processors/identity/linkage"
)

// Book holds what was said of all pairs. It is the same whatever the order and
// repetition of what it took (P9).
type Book struct {
	entries map[[2]string]*Entry
}

// NewBook makes a book in which nothing is said.
func NewBook() *Book { return &Book{entries: map[[2]string]*Entry{}} }

// Pair is a pair of records in order.
func Pair(a, b string) [2]string { return [2]string{min(a, b), max(a, b)} }

// Take takes an entry. It returns false, and changes nothing, when one is known
// that replaces it: whoever keeps the entries in a compacted topic writes that
// one again, as the last of a pair is all that stays there.
func (b *Book) Take(e Entry) bool {
	pair := Pair(e.A, e.B)
	old := b.entries[pair]
	if old != nil && old.text() == e.text() {
		return true
	}
	if old != nil && !e.replaces(old) {
		return false
	}
	b.entries[pair] = &e
	return true
}

// Forget takes back what was said of a pair whose entry was deleted, and gives
// the entry that says so; ok is false when nothing was said.
func (b *Book) Forget(pair [2]string) (e Entry, ok bool) {
	old := b.entries[pair]
	if old == nil {
		return e, false
	}
	e = Entry{A: pair[0], B: pair[1], Version: old.Version + 1}
	b.entries[pair] = &e
	return e, true
}

// About gives the pairs of which something was said, and of which a record is
// one that is asked for.
func (b *Book) About(asked func(record string) bool) (pairs [][2]string) {
	for pair, e := range b.entries {
		if e.By == "" && e.Reason == "" && e.Proposed == nil {
			continue // it was forgotten
		}
		if asked(pair[0]) || asked(pair[1]) {
			pairs = append(pairs, pair)
		}
	}
	slices.SortFunc(pairs, func(x, y [2]string) int { return slices.Compare(x[:], y[:]) })
	return pairs
}

// Of gives what was said of a pair; the zero Entry but for its pair when nothing
// was.
func (b *Book) Of(x, y string) Entry {
	pair := Pair(x, y)
	if e := b.entries[pair]; e != nil {
		return *e
	}
	return Entry{A: pair[0], B: pair[1]}
}

// Empty tells that nothing was ever said.
func (b *Book) Empty() bool { return len(b.entries) == 0 }

// All gives the entries in which something is in force or waits, the latest
// first.
func (b *Book) All() []Entry {
	var all []Entry
	for _, e := range b.entries {
		if e.Verdict != linkage.Unsaid || e.Proposed != nil {
			all = append(all, *e)
		}
	}
	slices.SortFunc(all, func(x, y Entry) int {
		return cmp.Or(-cmp.Compare(x.last(), y.last()), cmp.Compare(x.A, y.A), cmp.Compare(x.B, y.B))
	})
	return all
}

// last is when somebody last spoke.
func (e *Entry) last() int64 {
	last := max(e.At, e.ApprovedAt)
	if e.Proposed != nil {
		last = max(last, e.Proposed.At)
	}
	return last
}
