package linkage

// A number that is one digit from another may be mistyped, and may be the next
// person's: numbers are given out one after the other, to a family at one desk. The
// weights take the one digit for an accident that strangers seldom have, so where
// nothing but a name that is not equal either agrees with it, the pair is in doubt:
// above the threshold a person looks at it.

// doubtBelow is how far below the threshold what is in doubt is left, in bits: more
// than rounding adds.
const doubtBelow = 0.01

// ceiling is the greatest weight before competition of a pair that is in doubt: it
// is a function of the model (P9), for competition only takes from it.
type ceiling struct {
	doubts             []patterns
	outside, reference float32 // the latter of a pair with a record of the reference
}

func (t *Table) ceiling(w *weights) ceiling {
	c := ceiling{doubts: t.model.doubts}
	c.outside = float32(t.model.spec.Thresholds.Link) - doubtBelow
	c.reference = c.outside
	if t.competes() {
		c.reference -= t.shift(w, t.model.spec.Prior.Coverage)
	}
	return c
}

// of gives what is left of the weight of a pair.
func (c *ceiling) of(p pattern, weight float32, reference bool) float32 {
	most := c.outside
	if reference {
		most = c.reference
	}
	if weight <= most || firstOf(c.doubts, p) == 0 {
		return weight
	}
	return most
}

// doubt leaves what is in doubt below the threshold. Of a live table withoutShared
// does.
func (t *Table) doubt(edges []Edge, w *weights) {
	limit := t.ceiling(w)
	if len(limit.doubts) == 0 {
		return
	}
	c := newComparer(t)
	for i := range edges {
		e := &edges[i]
		if e.Weight > min(limit.outside, limit.reference) {
			p, _ := c.compare(t.row(e.A), t.row(e.B))
			e.Weight = limit.of(p, e.Weight, t.isReference(e.A) || t.isReference(e.B))
		}
	}
}
