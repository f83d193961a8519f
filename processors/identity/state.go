package identity

import (
	"slices"

	"github.com/hopluu/hopluu/schemas/event"
)

// State holds all records and what was last published of them. Upsert, Delete,
// Truncate and Clear change the set of records; Solve decides the part that changed
// again and gives the links that are other than published.
//
// What the links are depends on the records and the model alone (P9): events
// carry positions, so that an older event of a record, delivered late or again,
// changes nothing. A State is for one goroutine.
type State struct {
	model  *Model
	solver solver

	nodes  chunks
	free   []int32
	byID   map[string]int32
	blocks map[BlockKey]int32 // the first holder
	// graves are the positions at which records were deleted: an older event of
	// a record comes too late.
	graves map[string]event.Position
	// floors are the positions at which tables were truncated.
	floors map[*Origin]event.Position

	dirty []int32             // nodes whose component may have changed; some are gone again
	gone  map[string]struct{} // published records that are no more
	stats stats

	// Scratch of Solve.
	visit     int32
	component []int32
	records   []*Record
	crowded   []BlockKey
	best      []int32
	buf       []byte
	reasons   []byte

	lastLeader string
	lastPerson PersonID
}

// node is a record in the state: blocks are lists through their holders.
type node struct {
	record     Record
	next, prev [kinds]int32
	person     PersonID
	published  uint64 // the digest of the link that is published, 0 when none is
	visited    int32
	alive      bool
	solved     bool
	outcome    outcome
}

// outcome is what the statistics count of a node.
type outcome struct {
	decision uint8 // index into decisionNames
	rule     uint8
	linked   bool
}

const (
	decisionSingle = iota
	decisionApart
	decisionReview
	decisionLink
)

var decisionNames = [...]string{decisionSingle: DecisionSingle, decisionApart: DecisionApart, decisionReview: DecisionReview, decisionLink: DecisionLink}

// nowhere ends the list of a block; node 0 is never used, so that 0 in a map
// is no node.
const nowhere = 0

// chunks keeps nodes where they are while they grow in number.
type chunks struct {
	chunks [][]node
	used   int32
}

const chunkBits = 14

func (c *chunks) at(i int32) *node { return &c.chunks[i>>chunkBits][i&(1<<chunkBits-1)] }

func (c *chunks) add() int32 {
	if int(c.used)>>chunkBits == len(c.chunks) {
		c.chunks = append(c.chunks, make([]node, 1<<chunkBits))
	}
	c.used++
	return c.used - 1
}

// NewState makes a state without records.
func NewState(m *Model) *State {
	s := &State{
		model:  m,
		solver: solver{model: m, powerless: map[BlockKey]Level{}},
		byID:   map[string]int32{},
		blocks: map[BlockKey]int32{},
		graves: map[string]event.Position{},
		floors: map[*Origin]event.Position{},
		gone:   map[string]struct{}{},
	}
	s.stats.tables = map[*Origin]*TableStats{}
	s.nodes.add() // nowhere
	return s
}

// Upsert takes what is known of a record now. It returns false, and changes
// nothing, when something newer is known already.
func (s *State) Upsert(r Record) bool {
	if s.stale(r.ID, r.Origin, r.Position) {
		return false
	}
	i, known := s.byID[r.ID]
	if known {
		n := s.nodes.at(i)
		if r.Position.Compare(n.record.Position) < 0 {
			return false
		}
		r.ID = n.record.ID // the memory that the map has
		if sameEvidence(&n.record, &r) {
			n.record = r
			return true
		}
		s.unlist(i)
		n.record = r
		s.list(i)
		return true
	}
	delete(s.graves, r.ID)
	if len(s.free) > 0 {
		i = s.free[len(s.free)-1]
		s.free = s.free[:len(s.free)-1]
	} else {
		i = s.nodes.add()
	}
	*s.nodes.at(i) = node{record: r, alive: true}
	s.byID[r.ID] = i
	s.stats.table(r.Origin).Records++
	s.list(i)
	return true
}

// Delete takes a record away. It returns false, and changes nothing, when
// something newer is known of it. A record that is not known is remembered as
// deleted: an older event of it may come yet.
func (s *State) Delete(id string, origin *Origin, at event.Position) bool {
	if s.stale(id, origin, at) {
		return false
	}
	if i, known := s.byID[id]; known {
		if at.Compare(s.nodes.at(i).record.Position) < 0 {
			return false
		}
		s.remove(i)
	}
	s.graves[id] = at
	return true
}

// Forget takes a record away whatever is known of it, and reports whether it
// was known: for the tombstone of a record whose deletion was compacted away.
func (s *State) Forget(id string) bool {
	i, known := s.byID[id]
	if known {
		s.remove(i)
	}
	return known
}

// Truncate takes all records of a table away that are older than the position,
// and refuses what is older from then on. It returns how many it took.
func (s *State) Truncate(origin *Origin, at event.Position) (removed int) {
	if floor, ok := s.floors[origin]; ok && at.Compare(floor) <= 0 {
		return 0
	}
	s.floors[origin] = at
	for i := int32(1); i < s.nodes.used; i++ {
		n := s.nodes.at(i)
		if n.alive && n.record.Origin == origin && n.record.Position.Compare(at) < 0 {
			s.remove(i)
			removed++
		}
	}
	return removed
}

// Clear takes those records of a table away that are within and older than the
// position, and refuses what is older of each from then on. It returns how many
// it took.
func (s *State) Clear(origin *Origin, at event.Position, within func(id string) bool) (removed int) {
	for i := int32(1); i < s.nodes.used; i++ {
		n := s.nodes.at(i)
		if n.alive && n.record.Origin == origin && n.record.Position.Compare(at) < 0 && within(n.record.ID) {
			s.graves[n.record.ID] = at
			s.remove(i)
			removed++
		}
	}
	return removed
}

func (s *State) stale(id string, origin *Origin, at event.Position) bool {
	if floor, ok := s.floors[origin]; ok && at.Compare(floor) < 0 {
		return true
	}
	grave, ok := s.graves[id]
	return ok && at.Compare(grave) <= 0
}

func (s *State) remove(i int32) {
	n := s.nodes.at(i)
	s.unlist(i)
	if n.published != 0 {
		s.gone[n.record.ID] = struct{}{}
	}
	if n.solved {
		s.stats.uncount(n.record.Origin, n.outcome)
	}
	s.stats.table(n.record.Origin).Records--
	delete(s.byID, n.record.ID)
	*n = node{}
	s.free = append(s.free, i)
}

// list puts a node into its blocks. Its component is to be solved again; so are
// those of the others in a block that has just lost its power.
func (s *State) list(i int32) {
	n := s.nodes.at(i)
	s.dirty = append(s.dirty, i)
	for k := range kinds {
		key := n.record.key(k)
		n.prev[k], n.next[k] = nowhere, nowhere
		if key == 0 {
			continue
		}
		first := s.blocks[key]
		if first != nowhere {
			s.nodes.at(first).prev[k] = i
			n.next[k] = first
		}
		s.blocks[key] = i
		if s.holders(key, k) == s.model.MaxHolders+1 {
			s.touch(i, k)
		}
	}
}

// unlist takes a node out of its blocks. What it joined may part, so those who
// shared a block with it are to be solved again.
func (s *State) unlist(i int32) {
	n := s.nodes.at(i)
	for k := range kinds {
		key := n.record.key(k)
		if key == 0 {
			continue
		}
		if n.prev[k] == nowhere {
			if n.next[k] == nowhere {
				delete(s.blocks, key)
			} else {
				s.blocks[key] = n.next[k]
			}
		} else {
			s.nodes.at(n.prev[k]).next[k] = n.next[k]
		}
		if n.next[k] != nowhere {
			s.nodes.at(n.next[k]).prev[k] = n.prev[k]
		}
		if s.holders(key, k) <= s.model.MaxHolders {
			s.touch(s.blocks[key], k)
		}
	}
}

// touch marks a node of a block and all after it.
func (s *State) touch(i int32, k Kind) {
	for ; i != nowhere; i = s.nodes.at(i).next[k] {
		s.dirty = append(s.dirty, i)
	}
}

// holders counts a block's holders, up to two more than still have power.
func (s *State) holders(key BlockKey, k Kind) int {
	count := 0
	for i := s.blocks[key]; i != nowhere && count <= s.model.MaxHolders+1; i = s.nodes.at(i).next[k] {
		count++
	}
	return count
}

// Known tells whether there is such a record.
func (s *State) Known(id string) bool {
	_, known := s.byID[id]
	return known
}

// Restore takes note of a link that is published already, so that Solve gives
// only what differs. The link of a record that is not known will be withdrawn.
func (s *State) Restore(l *Link) {
	i, known := s.byID[l.Record]
	if !known {
		s.gone[l.Record] = struct{}{}
		return
	}
	s.nodes.at(i).published, s.buf = l.Digest(s.buf)
}

// RestoreWithdrawn takes note that no link of a record is published any more.
func (s *State) RestoreWithdrawn(id string) {
	if i, known := s.byID[id]; known {
		s.nodes.at(i).published = 0
	}
	delete(s.gone, id)
}

// Pending tells whether there is anything for Solve to do.
func (s *State) Pending() bool { return len(s.dirty) > 0 || len(s.gone) > 0 }

// Change is a link that is to be published, or withdrawn when Deleted.
type Change struct {
	Record  string
	Deleted bool
	Link    Link
}

// Solve decides every component that changed since the last call and hands over
// each link that is other than published. The change is valid during the call
// only. When emit fails Solve stops with its error, and the state no longer
// knows what is published: make another.
func (s *State) Solve(emit func(*Change) error) error {
	if err := s.withdraw(emit); err != nil {
		return err
	}
	s.visit++
	for _, i := range s.dirty {
		n := s.nodes.at(i)
		if !n.alive || n.visited == s.visit {
			continue
		}
		s.collect(i)
		if err := s.solveComponent(emit); err != nil {
			return err
		}
	}
	s.dirty = s.dirty[:0]
	return nil
}

// withdraw hands over the records that are gone, but for those that came again.
func (s *State) withdraw(emit func(*Change) error) error {
	for id := range s.gone {
		if s.Known(id) {
			// A node knows of no published link until it is told, so it
			// publishes its own, which replaces the old one.
			continue
		}
		if err := emit(&Change{Record: id, Deleted: true}); err != nil {
			return err
		}
	}
	clear(s.gone)
	return nil
}

// collect gathers the component of a node: all that is reached over blocks
// that still have power.
func (s *State) collect(start int32) {
	s.component, s.crowded = s.component[:0], s.crowded[:0]
	s.nodes.at(start).visited = s.visit
	s.component = append(s.component, start)
	for at := 0; at < len(s.component); at++ {
		n := s.nodes.at(s.component[at])
		for k := range kinds {
			key := n.record.key(k)
			if key == 0 {
				continue
			}
			if s.holders(key, k) > s.model.MaxHolders {
				s.crowded = append(s.crowded, key)
				continue
			}
			for j := s.blocks[key]; j != nowhere; {
				other := s.nodes.at(j)
				if other.visited != s.visit {
					other.visited = s.visit
					s.component = append(s.component, j)
				}
				j = other.next[k]
			}
		}
	}
	slices.SortFunc(s.component, func(a, b int32) int {
		x, y := s.nodes.at(a).record.ID, s.nodes.at(b).record.ID
		if x < y {
			return -1
		} else if x > y {
			return 1
		}
		return 0
	})
}
