package erasure

import (
	"cmp"
	"errors"
	"maps"
	"slices"
)

// Ledger is what the topic says, read so far. It is the same whatever the order
// and repetition of what it took. One that is not written to any more may be
// asked by many goroutines.
type Ledger struct {
	erasures map[string]*Erasure
	steps    map[string]map[string]Step
	records  map[string]int // by how many erasures in force
	tokens   map[string]int
}

// New makes an empty ledger.
func New() *Ledger {
	return &Ledger{erasures: map[string]*Erasure{}, steps: map[string]map[string]Step{}, records: map[string]int{}, tokens: map[string]int{}}
}

// ErrTombstone is the error of a message that takes something out of the ledger,
// which nobody does: what is lifted stays in it.
var ErrTombstone = errors.New("a message without a value: the ledger forgets nothing, restore the topic from a backup")

// Take takes a message of the topic. An error means that the ledger cannot be
// trusted: nobody may go on as if less were erased (P12).
func (l *Ledger) Take(key, value []byte) error {
	if value == nil {
		return ErrTombstone
	}
	p, err := parse(key, value)
	if err != nil {
		return err
	}
	if p.erasure != nil {
		l.Put(p.erasure)
		return nil
	}
	of := l.steps[p.id]
	if of == nil {
		of = map[string]Step{}
		l.steps[p.id] = of
	}
	if old, ok := of[p.step]; !ok || cmp.Or(cmp.Compare(p.done.Version, old.Version), cmp.Compare(p.done.At, old.At)) > 0 {
		of[p.step] = p.done
	}
	return nil
}

// Put takes an erasure. It returns false, and changes nothing, when something
// later is known of it.
func (l *Ledger) Put(e *Erasure) bool {
	old := l.erasures[e.ID]
	if old != nil && old.Version >= e.Version {
		return false
	}
	if old != nil {
		l.count(old, -1)
	}
	taken := *e
	l.erasures[e.ID] = &taken
	l.count(&taken, 1)
	return true
}

func (l *Ledger) count(e *Erasure, by int) {
	if !e.Holds() {
		return
	}
	for of, names := range map[*map[string]int][]string{&l.records: e.Records, &l.tokens: e.Tokens} {
		for _, name := range names {
			if (*of)[name] += by; (*of)[name] == 0 {
				delete(*of, name)
			}
		}
	}
}

// Empty tells that nothing is erased: no row need be looked at.
func (l *Ledger) Empty() bool { return len(l.records) == 0 && len(l.tokens) == 0 }

// Record tells whether a record of this name is erased.
func (l *Ledger) Record(name []byte) bool { return l.records[string(name)] > 0 }

// Token tells whether a number with this token is erased.
func (l *Ledger) Token(token []byte) bool { return l.tokens[string(token)] > 0 }

// Records are the names of all erased records, sorted.
func (l *Ledger) Records() []string { return slices.Sorted(maps.Keys(l.records)) }

// TokenVersions are the versions of the keys that erased numbers have tokens of,
// sorted: such a key cannot be retired, for nobody has the numbers any more to
// make tokens of another from.
func (l *Ledger) TokenVersions() []string {
	versions := map[string]struct{}{}
	for t := range l.tokens {
		versions[versionOf(t)] = struct{}{}
	}
	return slices.Sorted(maps.Keys(versions))
}

// versionOf is "t1" of "t1_…".
func versionOf(token string) string {
	for i := range len(token) {
		if token[i] == '_' {
			return token[:i]
		}
	}
	return ""
}

// Row is what the ledger has to know of a row. Any of it may be missing.
type Row struct {
	// Record is the row's own name.
	Record []byte
	// Through is the name of the record through which the row speaks of its
	// person: that of the patient, for an encounter.
	Through []byte
	// Tokens are those of the row's own person's numbers.
	Tokens [][]byte
}

// Covers tells whether a row is of an erased person (P12).
func (l *Ledger) Covers(r Row) bool {
	if len(r.Record) > 0 && l.Record(r.Record) || len(r.Through) > 0 && l.Record(r.Through) {
		return true
	}
	for _, t := range r.Tokens {
		if len(t) > 0 && l.Token(t) {
			return true
		}
	}
	return false
}

// Erasures are all that were ever said, the latest first, lifted ones among them.
func (l *Ledger) Erasures() []Erasure {
	var all []Erasure
	for _, e := range l.erasures {
		all = append(all, *e)
	}
	slices.SortFunc(all, func(a, b Erasure) int { return cmp.Or(-cmp.Compare(a.At, b.At), cmp.Compare(a.ID, b.ID)) })
	return all
}

// Of gives an erasure by its id; ok is false when there is none.
func (l *Ledger) Of(id string) (e Erasure, ok bool) {
	if known := l.erasures[id]; known != nil {
		return *known, true
	}
	return e, false
}

// Done gives the steps of an erasure that are done for what it says now, by
// their names.
func (l *Ledger) Done(id string) map[string]Step {
	done := map[string]Step{}
	e := l.erasures[id]
	for name, s := range l.steps[id] {
		if e != nil && s.Version >= e.Version {
			done[name] = s
		}
	}
	return done
}
