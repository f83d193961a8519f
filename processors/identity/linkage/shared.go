package linkage

// identifier is a value of an identifier that the detector watches.
type identifier struct {
	shared int // place in live.shared
	value  uint64
}

// contested tells whether an identifier is no evidence any more, from all its
// holders: two records of the reference hold it, or two people do. Where the
// reference says whose it is, the others must agree with that record, not with
// what others made of the same person's name.
func (l *live) contested(c *comparer, holders [][]cell, reference []bool) bool {
	owner := -1
	for i := range holders {
		if !reference[i] {
			continue
		}
		if owner >= 0 {
			return true
		}
		owner = i
	}
	for i := range holders {
		if owner >= 0 && i != owner {
			continue
		}
		for j := range holders {
			if owner < 0 && j <= i || j == i {
				continue
			}
			if c.model.otherKinds(holders[i], holders[j]) {
				continue // a role
			}
			if p, _ := c.compare(holders[i], holders[j]); l.contradicts(p) > 0 {
				return true
			}
		}
	}
	return false
}

// detect finds the identifiers that are no evidence.
func (t *Table) detect() map[identifier]struct{} {
	l := t.model.live
	found := map[identifier]struct{}{}
	c := newComparer(t)
	for s, shared := range l.shared {
		var all []keyed
		for i := range t.Len() {
			if x := t.cells[i*t.width+shared.column]; !x.missing() {
				all = append(all, keyed{mix(x.a), int32(i)})
			}
		}
		var holders [][]cell
		var reference []bool
		groups(sortKeyed(all), func(same []keyed) {
			if len(same) < 2 {
				return
			}
			holders, reference = holders[:0], reference[:0]
			for _, k := range same {
				holders, reference = append(holders, t.row(k.record)), append(reference, t.isReference(k.record))
			}
			if len(same) > t.model.rules[shared.rule].max || l.contested(c, holders, reference) {
				found[identifier{s, holders[0][shared.column].a}] = struct{}{}
			}
		})
	}
	return found
}

// without gives the comparisons of a pair that have no power, as both records
// hold an identifier that is no evidence.
func (l *live) without(contested map[identifier]struct{}, x, y []cell) (p pattern) {
	for i := range l.shared {
		s := &l.shared[i]
		if v := x[s.column].a; v != 0 && v == y[s.column].a {
			if _, ok := contested[identifier{i, v}]; ok {
				p |= s.comparisons
			}
		}
	}
	return p
}

// withoutShared leaves out the pairs that contradict one another, weighs those again
// that share an identifier that is no evidence, and leaves what is in doubt below
// the threshold.
func (t *Table) withoutShared(edges []Edge, w *weights) []Edge {
	contested := t.detect()
	limit := t.ceiling(w)
	c := newComparer(t)
	kept := edges[:0]
	for _, e := range edges {
		x, y := t.row(e.A), t.row(e.B)
		p, _ := c.compare(x, y)
		if t.model.live.contradicts(p) > 0 {
			continue
		}
		if without := t.model.live.without(contested, x, y); without != 0 {
			var rarity float32
			p, rarity = c.compareWithout(x, y, without)
			e.Weight = w.ratio(p, rarity) + t.priorOf(w, e.A, e.B)
		}
		e.Weight = limit.of(p, e.Weight, t.isReference(e.A) || t.isReference(e.B))
		kept = append(kept, e)
	}
	return kept
}

// borrowed tells whether nobody need look at a pair that is not sure enough to
// be linked: the two contradict one another, and nothing but an identifier that
// both hold speaks for them (the household head's number on a member). In a live
// table withoutShared was before.
func (t *Table) borrowed(c *comparer, e Edge, w *weights) bool {
	l := t.model.live
	if l == nil || t.live || e.Weight >= float32(t.model.spec.Thresholds.Link) {
		return false
	}
	x, y := t.row(e.A), t.row(e.B)
	if !l.shares(x, y) {
		return false
	}
	if p, _ := c.compare(x, y); l.contradicts(p) == 0 {
		return false
	}
	var without pattern
	for i := range l.shared {
		if s := &l.shared[i]; x[s.column].a != 0 && x[s.column].a == y[s.column].a {
			without |= s.comparisons
		}
	}
	p, rarity := c.compareWithout(x, y, without)
	return w.ratio(p, rarity)+t.priorOf(w, e.A, e.B) < float32(t.model.spec.Thresholds.Review)
}
