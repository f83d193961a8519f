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
	acts map[string]*act
	// In force.
	records, tokens, marks set
}

type set map[string]struct{}

func (s set) add(all ...string) {
	for _, name := range all {
		s[name] = struct{}{}
	}
}

// act is all that is known of an erasure; said is nil until it is known itself.
type act struct {
	said            *Erasure
	found           map[string]Found
	steps           map[string]Step
	records, tokens set
	marks           set // not of tokens
}

// New makes an empty ledger.
func New() *Ledger {
	return &Ledger{acts: map[string]*act{}, records: set{}, tokens: set{}, marks: set{}}
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
	switch {
	case p.erasure != nil:
		l.Put(p.erasure)
	case p.found != nil:
		a := l.act(p.id)
		a.found[p.of] = *p.found
		a.records.add(p.found.Records...)
		a.tokens.add(p.found.Tokens...)
		a.marks.add(p.found.Marks...)
		if a.said != nil && a.said.Holds() {
			l.records.add(p.found.Records...)
			l.tokens.add(p.found.Tokens...)
			l.marks.add(p.found.Marks...)
		}
	default:
		a := l.act(p.id)
		if old, ok := a.steps[p.of]; !ok || cmp.Or(cmp.Compare(p.done.Names, old.Names), cmp.Compare(p.done.At, old.At)) > 0 {
			a.steps[p.of] = *p.done
		}
	}
	return nil
}

func (l *Ledger) act(id string) *act {
	a := l.acts[id]
	if a == nil {
		a = &act{found: map[string]Found{}, steps: map[string]Step{}, records: set{}, tokens: set{}, marks: set{}}
		l.acts[id] = a
	}
	return a
}

// Put takes an erasure. It returns false, and changes nothing, when something
// later is known of it.
func (l *Ledger) Put(e *Erasure) bool {
	a := l.act(e.ID)
	if a.said != nil && a.said.Version >= e.Version {
		return false
	}
	said := *e
	a.said = &said
	a.records.add(e.Records...)
	// Anew, for a lift takes names away that no other erasure has.
	clear(l.records)
	clear(l.tokens)
	clear(l.marks)
	for _, a := range l.acts {
		if a.said != nil && a.said.Holds() {
			maps.Copy(l.records, a.records)
			maps.Copy(l.tokens, a.tokens)
			maps.Copy(l.marks, a.marks)
		}
	}
	return true
}

// Empty tells that nothing is erased: no row need be looked at.
func (l *Ledger) Empty() bool { return len(l.records) == 0 && len(l.tokens) == 0 }

// Record tells whether a record of this name is erased.
func (l *Ledger) Record(name []byte) bool {
	_, ok := l.records[string(name)]
	return ok
}

// ErasureOf gives the id of an erasure in force of this record or person_id, the
// first by id when there are several, "" when there is none.
func (l *Ledger) ErasureOf(name string) (id string) {
	for key, a := range l.acts {
		if a.said == nil || !a.said.Holds() || id != "" && id < key {
			continue
		}
		if _, ok := a.records[name]; ok || name != "" && a.said.Person == name {
			id = key
		}
	}
	return id
}

// Persons are the person_ids of the erasures in force, sorted.
func (l *Ledger) Persons() (all []string) {
	for _, a := range l.acts {
		if a.said != nil && a.said.Holds() && a.said.Person != "" {
			all = append(all, a.said.Person)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// Token tells whether a number with this token is erased.
func (l *Ledger) Token(token []byte) bool {
	_, ok := l.tokens[string(token)]
	return ok
}

// Marked tells whether a number with this token is erased, by which other people's
// rows may name the person: the row stays, the number goes.
func (l *Ledger) Marked(token []byte) bool {
	if _, ok := l.marks[string(token)]; ok {
		return true
	}
	return l.Token(token)
}

// Marks are all tokens that Marked knows, sorted.
func (l *Ledger) Marks() []string {
	all := slices.AppendSeq(slices.Collect(maps.Keys(l.tokens)), maps.Keys(l.marks))
	slices.Sort(all)
	return slices.Compact(all)
}

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
	for _, a := range l.acts {
		if a.said != nil {
			all = append(all, *a.said)
		}
	}
	slices.SortFunc(all, func(a, b Erasure) int { return cmp.Or(-cmp.Compare(a.At, b.At), cmp.Compare(a.ID, b.ID)) })
	return all
}

// Of gives an erasure by its id; ok is false when there is none.
func (l *Ledger) Of(id string) (e Erasure, ok bool) {
	if a := l.acts[id]; a != nil && a.said != nil {
		return *a.said, true
	}
	return e, false
}

// Names are the records and tokens of an erasure, those that were found among
// them, sorted.
func (l *Ledger) Names(id string) (records, tokens []string) {
	if a := l.acts[id]; a != nil {
		return slices.Sorted(maps.Keys(a.records)), slices.Sorted(maps.Keys(a.tokens))
	}
	return nil, nil
}

// More gives what one who looks for more of an erasure's person has to say: what
// was found before, and what is found now. changed is false when that was said.
func (l *Ledger) More(id, by string, at int64, records, tokens []string, marks ...string) (f Found, changed bool) {
	var old Found
	looked := false
	if a := l.acts[id]; a != nil {
		old, looked = a.found[by]
	}
	join := func(a, b []string) []string {
		all := slices.Concat(a, b)
		slices.Sort(all)
		return slices.Compact(all)
	}
	f = Found{At: at, Records: join(old.Records, records), Tokens: join(old.Tokens, tokens), Marks: join(old.Marks, marks)}
	return f, !looked || len(f.Records) > len(old.Records) || len(f.Tokens) > len(old.Tokens) || len(f.Marks) > len(old.Marks)
}

// Messages gives the messages that say all that the ledger has, in the order of
// their keys.
func (l *Ledger) Messages() (all [][2][]byte, err error) {
	add := func(key, value []byte, failed error) {
		all = append(all, [2][]byte{key, value})
		if err == nil {
			err = failed
		}
	}
	for _, id := range slices.Sorted(maps.Keys(l.acts)) {
		a := l.acts[id]
		if a.said != nil {
			add(a.said.Message())
		}
		for _, by := range slices.Sorted(maps.Keys(a.found)) {
			add(a.found[by].Message(id, by))
		}
		for _, step := range slices.Sorted(maps.Keys(a.steps)) {
			add(a.steps[step].Message(id, step))
		}
	}
	return all, err
}

// Did gives a step of an erasure that was done once, also before more was found.
func (l *Ledger) Did(id, step string) (s Step, did bool) {
	if a := l.acts[id]; a != nil {
		s, did = a.steps[step]
	}
	return s, did
}

// Done gives the steps of an erasure that are done for all that is known of it,
// by their names.
func (l *Ledger) Done(id string) map[string]Step {
	done := map[string]Step{}
	if a := l.acts[id]; a != nil {
		for name, s := range a.steps {
			if s.Names >= len(a.records)+len(a.tokens) {
				done[name] = s
			}
		}
	}
	return done
}

// Step makes the step that is done at a time for all that is known of an erasure.
func (l *Ledger) Step(id string, at, count int64) Step {
	records, tokens := l.Names(id)
	return Step{At: at, Count: count, Names: len(records) + len(tokens)}
}
