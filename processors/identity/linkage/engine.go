package linkage

import (
	"fmt"
	"math"
	"slices"

	"github.com/cespare/xxhash/v2"

	"github.com/hopluu/hopluu/processors/identity"
	"github.com/hopluu/hopluu/schemas/event"
)

// Engine decides records that come, change and go. Upsert, Delete, Forget,
// Truncate, Clear and Decide change what is known; Solve decides the part that
// changed again and gives the links that are other than published.
//
// What the links are depends on the records, the decisions and the model alone
// (P9), and is what a Table of the same records, made Live, gives: events carry
// positions, so that an older event of a record, delivered late or again,
// changes nothing. An Engine is for one goroutine; Solve uses all processors.
//
// It needs about 0.7 KB a record. A text that no record has any more, and where
// a record was deleted, is remembered until the engine is made anew.
type Engine struct {
	// GoOn, which may be nil, is asked in each round of Compare, of about a second
	// at most, whether to go on. Its error ends Compare.
	GoOn func() error

	t     *Table // its texts; it holds no records
	model *compiled
	live  *live
	w     *weights
	shift float32 // of the weight of a pair with a record of the reference
	limit ceiling
	// keep is the weight from which a pair is kept, review that from which its
	// records are solved together, link that from which they are joined.
	keep, review, link float32
	fields             []field // by column
	words              evidenceWords

	chunks []*chunk
	used   int32
	free   []int32
	halves halves
	byID   map[string]int32
	blocks blockIndex
	near   []*nearIndex // by near rule
	// contested are the identifiers that are no evidence.
	contested map[identifier]struct{}

	// graves are the positions at which records were deleted: an older event of
	// a record comes too late. floors are those at which tables were truncated.
	graves map[string]event.Position
	floors map[*identity.Origin]event.Position

	decisions map[[2]string]Decision
	decided   map[string][]string // the others of a record's decisions

	compare  []int32   // to be compared with their blocks again
	suspects []suspect // whose holders changed; some stand twice
	dirty    []int32   // whose component may have changed; some are gone again
	gone     map[string]identity.PersonID
	causes   map[string]struct{} // records that changed since Solve

	log edgeLog

	conflicts map[[2]string]struct{}
	reviews   reviews
	stats     stats
	scratch
}

// node is a record in the engine; its cells and the lists of its blocks are in
// its chunk.
type node struct {
	id        string
	order     uint64 // with the id, the order of a Table's records
	position  event.Position
	origin    *identity.Origin
	halves    int32             // the first of its edges' halves, 0 for none
	person    identity.PersonID // as last solved or restored; zero before
	published uint64            // the digest of the link that is published, 0 when none is
	visited   int32
	place     int32 // in the component being solved
	outcome   outcome
	alive     bool
	solved    bool
	compare   bool // it is in Engine.compare
	had       bool // edges of ours, when it was last to be compared
}

// half is one side of an edge: the other record, the weight before competition,
// contradicted when the two cannot be one, and the share that found it. They are
// lists in one place, as most records have few.
type half struct {
	to     int32
	weight float32
	next   int32
	share  uint8
	stale  bool // not found again yet
}

const contradicted = -math.MaxFloat32

// holders are the records that share a key, a list through them.
type holders struct{ head, count int32 }

// nowhere ends the list of a block; node 0 is never used.
const nowhere = 0

const chunkBits = 12

// chunk keeps nodes where they are while they grow in number.
type chunk struct {
	nodes      [1 << chunkBits]node
	cells      []cell  // of each node
	next, prev []int32 // of each node and rule
}

func (e *Engine) at(i int32) *node { return &e.chunks[i>>chunkBits].nodes[i&(1<<chunkBits-1)] }

func (e *Engine) row(i int32) []cell {
	at := int(i&(1<<chunkBits-1)) * e.t.width
	return e.chunks[i>>chunkBits].cells[at : at+e.t.width]
}

func (e *Engine) next(i int32, rule int) *int32 {
	return &e.chunks[i>>chunkBits].next[int(i&(1<<chunkBits-1))*len(e.model.rules)+rule]
}

func (e *Engine) prev(i int32, rule int) *int32 {
	return &e.chunks[i>>chunkBits].prev[int(i&(1<<chunkBits-1))*len(e.model.rules)+rule]
}

func (e *Engine) add() int32 {
	if len(e.free) > 0 {
		i := e.free[len(e.free)-1]
		e.free = e.free[:len(e.free)-1]
		return i
	}
	if int(e.used)>>chunkBits == len(e.chunks) {
		n := 1 << chunkBits
		e.chunks = append(e.chunks, &chunk{
			cells: make([]cell, n*e.t.width),
			next:  make([]int32, n*len(e.model.rules)), prev: make([]int32, n*len(e.model.rules)),
		})
	}
	e.used++
	return e.used - 1
}

// NewEngine makes an engine without records. Without frequencies all values are
// as rare as one another.
func NewEngine(m *Model, f *Frequencies) (*Engine, error) {
	if !m.Trained() {
		return nil, ErrUntrained
	}
	t, err := NewTable(m)
	if err != nil {
		return nil, err
	}
	if err := t.Live(f); err != nil {
		return nil, err
	}
	if m.Prior.Coverage <= 0 {
		return nil, fmt.Errorf("model %s: prior: coverage is missing: train it on tables with a reference", m.Version)
	}
	e := &Engine{
		t: t, model: t.model, live: t.model.live, w: t.weights(),
		byID: map[string]int32{}, contested: map[identifier]struct{}{},
		graves: map[string]event.Position{}, floors: map[*identity.Origin]event.Position{},
		decisions: map[[2]string]Decision{}, decided: map[string][]string{},
		gone: map[string]identity.PersonID{}, causes: map[string]struct{}{},
		log:       edgeLog{shares: 1, ours: 1, waiting: map[string][]EdgeChange{}},
		conflicts: map[[2]string]struct{}{}, reviews: newReviews(),
		words: newEvidenceWords(m),
	}
	if e.fields, err = bind(m); err != nil {
		return nil, err
	}
	e.shift, e.limit = t.shift(e.w, m.Prior.Coverage), t.ceiling(e.w)
	e.review, e.link = float32(m.Thresholds.Review), float32(m.Thresholds.Link)
	e.keep = e.review - keepBelow
	e.stats.tables = map[*identity.Origin]*TableStats{}
	e.rowBuf = make([]cell, t.width)
	for range e.model.near {
		e.near = append(e.near, &nearIndex{})
	}
	e.add() // nowhere
	e.halves.add(half{})
	e.texts = make([]known, textsKnown)
	return e, nil
}

// Model is the model's version.
func (e *Engine) Model() string { return e.model.spec.Version }

// Len is the number of records.
func (e *Engine) Len() int { return len(e.byID) }

// Upsert takes what is known of a record now. It returns false, and changes
// nothing, when something newer is known already. The slices of raw may be
// reused after.
func (e *Engine) Upsert(raw *identity.Raw) bool {
	if e.stale(raw.ID, raw.Origin, raw.Position) {
		return false
	}
	i, known := e.byID[string(raw.ID)]
	if known && raw.Position.Compare(e.at(i).position) < 0 {
		return false
	}
	e.parse(raw, e.rowBuf)
	if known {
		n := e.at(i)
		n.position = raw.Position
		if n.origin == raw.Origin && slices.Equal(e.row(i), e.rowBuf) {
			return true
		}
		e.stats.move(n, raw.Origin)
		n.origin = raw.Origin
		e.relist(i, e.rowBuf)
	} else {
		delete(e.graves, string(raw.ID))
		i = e.add()
		id := string(raw.ID)
		*e.at(i) = node{
			id: id, order: mix(xxhash.Sum64String(id) ^ xxhash.Sum64String(raw.Origin.Sector)),
			position: raw.Position, origin: raw.Origin, alive: true,
		}
		e.byID[id] = i
		e.stats.table(raw.Origin).Records++
		e.list(i, e.rowBuf)
	}
	e.compareAgain(i)
	e.dirty = append(e.dirty, i)
	e.causes[e.at(i).id] = struct{}{}
	if !known {
		e.arrived(e.at(i).id)
	}
	return true
}

// Delete takes a record away. It returns false, and changes nothing, when
// something newer is known of it. A record that is not known is remembered as
// deleted: an older event of it may come yet.
func (e *Engine) Delete(id string, origin *identity.Origin, at event.Position) bool {
	if e.stale([]byte(id), origin, at) {
		return false
	}
	if i, known := e.byID[id]; known {
		if at.Compare(e.at(i).position) < 0 {
			return false
		}
		e.remove(i)
	}
	e.graves[id] = at
	return true
}

// Forget takes a record away whatever is known of it, and reports whether it
// was known: for the tombstone of a record whose deletion was compacted away.
func (e *Engine) Forget(id string) bool {
	i, known := e.byID[id]
	if known {
		e.remove(i)
	}
	return known
}

// Truncate takes all records of a table away that are older than the position,
// and refuses what is older from then on. It returns how many it took.
func (e *Engine) Truncate(origin *identity.Origin, at event.Position) (removed int) {
	if floor, ok := e.floors[origin]; ok && at.Compare(floor) <= 0 {
		return 0
	}
	e.floors[origin] = at
	for i := int32(1); i < e.used; i++ {
		n := e.at(i)
		if n.alive && n.origin == origin && n.position.Compare(at) < 0 {
			e.remove(i)
			removed++
		}
	}
	return removed
}

// Clear takes those records of a table away that are within and older than the
// position, and refuses what is older of each from then on. It returns how many
// it took.
func (e *Engine) Clear(origin *identity.Origin, at event.Position, within func(id string) bool) (removed int) {
	for i := int32(1); i < e.used; i++ {
		n := e.at(i)
		if n.alive && n.origin == origin && n.position.Compare(at) < 0 && within(n.id) {
			e.graves[n.id] = at
			e.remove(i)
			removed++
		}
	}
	return removed
}

func (e *Engine) stale(id []byte, origin *identity.Origin, at event.Position) bool {
	if floor, ok := e.floors[origin]; ok && at.Compare(floor) < 0 {
		return true
	}
	grave, ok := e.graves[string(id)]
	return ok && at.Compare(grave) <= 0
}

func (e *Engine) remove(i int32) {
	n := e.at(i)
	e.unlist(i)
	e.letGo(i)
	if n.published != 0 || n.person != (identity.PersonID{}) {
		e.gone[n.id] = n.person
	}
	if n.solved {
		e.stats.uncount(n.origin, n.outcome)
	}
	e.stats.table(n.origin).Records--
	e.causes[n.id] = struct{}{}
	for _, other := range e.decided[n.id] {
		e.touch(other)
		delete(e.conflicts, (&Decision{A: n.id, B: other}).pair())
	}
	e.reviews.forget(n.id)
	delete(e.byID, n.id)
	*n = node{}
	e.free = append(e.free, i)
}

// touch marks a record by its name.
func (e *Engine) touch(id string) {
	if i, ok := e.byID[id]; ok {
		e.dirty = append(e.dirty, i)
	}
}

// Decide takes what a person said of two records, which need not be there yet.
// It returns false, and changes nothing, when a decision is known that replaces
// it.
func (e *Engine) Decide(d Decision) bool {
	pair := d.pair()
	if old, ok := e.decisions[pair]; ok && !d.replaces(&old) {
		return false
	}
	if _, ok := e.decisions[pair]; !ok && pair[0] != pair[1] {
		e.decided[pair[0]] = append(e.decided[pair[0]], pair[1])
		e.decided[pair[1]] = append(e.decided[pair[1]], pair[0])
	}
	e.decisions[pair] = d
	for _, id := range pair {
		e.touch(id)
		e.causes[id] = struct{}{}
	}
	return true
}

// Conflicts gives the decisions Same that something forbids, as Solve last
// found, in the order of their names.
func (e *Engine) Conflicts() []Conflict {
	var all []Conflict
	for pair := range e.conflicts {
		all = append(all, Conflict{pair[0], pair[1]})
	}
	slices.SortFunc(all, func(x, y Conflict) int { return slices.Compare([]string{x.A, x.B}, []string{y.A, y.B}) })
	return all
}

// Known tells whether there is such a record.
func (e *Engine) Known(id string) bool {
	_, known := e.byID[id]
	return known
}

// Members gives the records of a person as last solved, in the order of their
// names.
func (e *Engine) Members(person identity.PersonID) (records []string) {
	for i := int32(1); i < e.used; i++ {
		if n := e.at(i); n.alive && n.solved && n.person == person {
			records = append(records, n.id)
		}
	}
	slices.Sort(records)
	return records
}

// Restore takes note of a link that is published already, so that Solve gives
// only what differs. The link of a record that is not known will be withdrawn.
func (e *Engine) Restore(l *identity.Link) {
	i, known := e.byID[l.Record]
	if !known {
		e.gone[l.Record] = l.Person
		return
	}
	n := e.at(i)
	n.published, e.buf = l.Digest(e.buf)
	n.person = l.Person
}

// RestoreWithdrawn takes note that no link of a record is published any more.
func (e *Engine) RestoreWithdrawn(id string) {
	if i, known := e.byID[id]; known {
		e.at(i).published, e.at(i).person = 0, identity.PersonID{}
	}
	delete(e.gone, id)
}

// Pending tells whether there is anything for Solve to do.
func (e *Engine) Pending() bool { return len(e.dirty) > 0 || len(e.gone) > 0 || len(e.suspects) > 0 }

// PartitionHash hashes the partition as Solve last decided it.
func (e *Engine) PartitionHash() identity.Partition {
	var h identity.PartitionHasher
	for i := int32(1); i < e.used; i++ {
		if n := e.at(i); n.alive && n.solved {
			h.Add(n.person, n.id)
		}
	}
	return h.Sum()
}
