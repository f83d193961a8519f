package linkage

import (
	"fmt"
	"slices"

	"github.com/hopluu/hopluu/processors/identity"
)

// The stages apart. Comparing is shared out by block: each share has some of all
// blocks, and an engine compares within those shares that are its own. What it
// finds is a change of edges, told by Compare; what others find comes by
// TakeEdge. An engine that has the records and the edges of all shares solves
// what one that does it all alone would (P9): whichever events, of records and
// edges, it sees first.

// EdgeChange is an edge between two records as a share now has it, or has it no
// more. It is a function of the two records, of the sizes of their blocks and of
// the model.
type EdgeChange struct {
	Share   int
	A, B    string // in order
	Deleted bool
	// Weight is in bits, before competition. It is nothing when the two
	// contradict one another, and share a number.
	Weight      float32
	Contradicts bool
}

// MaxShares is how many shares there may be.
const MaxShares = 64

// edgeLog is what an engine knows of edges beside those that it keeps.
type edgeLog struct {
	shares uint64
	ours   uint64 // a bit for each share
	noted  bool   // what changes is told
	out    []EdgeChange
	// waiting are edges of which a record is not known, by its name.
	waiting map[string][]EdgeChange
	// strays tells that some of ours wait: they are none.
	strays bool
}

func (l *edgeLog) isOurs(share uint8) bool        { return l.ours>>share&1 != 0 }
func (l *edgeLog) wait(name string, c EdgeChange) { l.waiting[name] = append(l.waiting[name], c) }

// shareOf gives the share that the block of a record by a rule is of.
func (e *Engine) shareOf(rule int, row []cell) uint8 {
	if e.log.shares == 1 {
		return 0
	}
	return uint8(blockKey(rule, e.model.rules[rule].everywhere(&e.t.texts, row)) >> 32 * e.log.shares >> 32)
}

// forget takes an edge away that waits for a record.
func (l *edgeLog) forget(name string, c *EdgeChange) {
	left := slices.DeleteFunc(l.waiting[name], func(x EdgeChange) bool { return x.Share == c.Share && x.A == c.A && x.B == c.B })
	if len(left) == 0 {
		delete(l.waiting, name)
		return
	}
	l.waiting[name] = left
}

// Share begins a turn: of so many shares, the engine compares within ours, and
// tells of it by Compare. The records and decisions are known as before; edges
// and what is published are not, and come by TakeEdge and Restore before the
// next Compare, which tells what they should be and are not.
func (e *Engine) Share(shares int, ours []int) error {
	if shares < 1 || shares > MaxShares {
		return fmt.Errorf("%d shares: 1 to %d work", shares, MaxShares)
	}
	e.log = edgeLog{shares: uint64(shares), noted: true, waiting: map[string][]EdgeChange{}}
	for _, s := range ours {
		e.log.ours |= 1 << s
	}
	e.halves = halves{}
	e.halves.add(half{})
	e.contested, e.conflicts, e.reviews = map[identifier]struct{}{}, map[[2]string]struct{}{}, newReviews()
	e.gone, e.causes = map[string]identity.PersonID{}, map[string]struct{}{}
	e.compare, e.suspects, e.dirty = nil, nil, nil
	e.stats.restart()
	for i := int32(1); i < e.used; i++ {
		n := e.at(i)
		if !n.alive {
			continue
		}
		n.halves, n.published, n.person = 0, 0, identity.PersonID{}
		n.solved, n.compare = false, false
		e.compareAgain(i)
		for s := range e.live.shared {
			row, rule := e.row(i), e.live.shared[s].rule
			if v := row[e.live.shared[s].column].a; v != 0 && !e.alone(i, rule) {
				e.suspects = append(e.suspects, suspect{identifier{s, v}, blockKey(rule, e.model.rules[rule].of(&e.t.texts, row))})
			}
		}
	}
	return nil
}

// Compare tells of each edge of our shares that is other than it was told, or
// was taken, before. When the function or GoOn fails the engine no longer knows
// what is told: Share begins anew.
func (e *Engine) Compare(changed func(*EdgeChange) error) error {
	l := &e.log
	flush := func() error {
		if e.GoOn != nil {
			if err := e.GoOn(); err != nil {
				return err
			}
		}
		for i := range l.out {
			if err := changed(&l.out[i]); err != nil {
				return err
			}
		}
		l.out = again(l.out)
		return nil
	}
	if l.strays {
		l.strays = false
		for name, all := range l.waiting {
			l.waiting[name] = slices.DeleteFunc(all, func(c EdgeChange) bool {
				if !l.isOurs(uint8(c.Share)) {
					return false
				}
				c.Weight, c.Contradicts, c.Deleted = 0, false, true
				l.out = append(l.out, c)
				return true
			})
			if len(l.waiting[name]) == 0 {
				delete(l.waiting, name)
			}
		}
	}
	if err := e.compareAll(flush); err != nil {
		return err
	}
	return flush()
}

// TakeEdge takes what a share told of an edge, whose records need not be there
// yet.
func (e *Engine) TakeEdge(c *EdgeChange) error {
	if c.Share < 0 || c.Share >= int(e.log.shares) {
		return fmt.Errorf("an edge of share %d of %d", c.Share, e.log.shares)
	}
	share, weight := uint8(c.Share), c.Weight
	if c.Contradicts {
		weight = contradicted
	}
	i, a := e.byID[c.A]
	j, b := e.byID[c.B]
	if !a || !b {
		for _, name := range [2]string{c.A, c.B} {
			e.log.forget(name, c)
		}
		if c.Deleted {
			return nil
		}
		missing := c.A
		if a {
			missing = c.B
		}
		e.log.wait(missing, *c)
		e.log.strays = e.log.strays || e.log.isOurs(share)
		return nil
	}
	e.dirty = append(e.dirty, i, j)
	switch h := e.half(i, j, share); {
	case c.Deleted:
		e.drop(i, j, share)
		e.drop(j, i, share)
	case h != nil:
		h.weight, e.half(j, i, share).weight = weight, weight
	default:
		e.join(i, j, weight, share)
	}
	return nil
}

// arrived gives a record that is new the edges that waited for it.
func (e *Engine) arrived(id string) {
	all, ok := e.log.waiting[id]
	if !ok {
		return
	}
	delete(e.log.waiting, id)
	for i := range all {
		c := &all[i]
		_, a := e.byID[c.A]
		_, b := e.byID[c.B]
		switch {
		case !a:
			e.log.wait(c.A, *c)
		case !b:
			e.log.wait(c.B, *c)
		default:
			weight := c.Weight
			if c.Contradicts {
				weight = contradicted
			}
			e.join(e.byID[c.A], e.byID[c.B], weight, uint8(c.Share))
			e.dirty = append(e.dirty, e.byID[c.A], e.byID[c.B])
		}
	}
}

// Rest forgets what changed: for an engine that compares while another solves.
func (e *Engine) Rest() {
	e.dirty, e.suspects = again(e.dirty), again(e.suspects)
	e.causes = emptied(e.causes)
	clear(e.reviews.marked)
}

// note notes that an edge changed.
func (e *Engine) note(share uint8, i, j int32, weight float32, deleted bool) {
	if e.log.noted {
		e.log.out = append(e.log.out, e.change(share, i, j, weight, deleted))
	}
}

func (e *Engine) change(share uint8, i, j int32, weight float32, deleted bool) EdgeChange {
	a, b := e.at(i).id, e.at(j).id
	c := EdgeChange{Share: int(share), A: min(a, b), B: max(a, b), Weight: weight, Deleted: deleted}
	if weight == contradicted {
		c.Weight, c.Contradicts = 0, true
	}
	return c
}
