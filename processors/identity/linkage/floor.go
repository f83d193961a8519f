package linkage

// bounds are the most that a comparison of texts can say for two that differ
// without diacritics, before what is compared is looked at: what its levels
// weigh, in bits, by what their rarity is measured by.
type bounds struct {
	plain, toneless, end float32
}

// boundsOf are those of each comparison that is work.
func (w *weights) boundsOf(c *compiled) (all [maxComparisons]bounds) {
	for k := range c.comparisons {
		q := &c.comparisons[k]
		b := bounds{never, never, never}
		for i := range q.levels {
			weight := w.m[k][i+1] - w.u[k][i+1]
			switch l := &q.levels[i]; {
			case l.op == opEqual || l.op == opToneless || l.op == opUnmarked: // they do not differ
			case !l.frequency:
				b.plain = max(b.plain, weight)
			case l.op == opFirstWord || l.op == opLastWord:
				b.end = max(b.end, weight)
			default:
				b.toneless = max(b.toneless, weight)
			}
		}
		all[k] = b
	}
	return all
}

// never is a weight that nothing makes up for.
const never = -1e6

// of gives the most that two cells of the column can say.
func (b *bounds) of(x *texts, cx, cy cell) float32 {
	return max(b.plain, b.toneless+min(cx.rarityToneless(), cy.rarityToneless()), b.end+float32(x.rarestEnd)/rarityStep)
}

// compareFrom is compare of two that matter only when their ratio is floor or
// more. It does not look at their names, which is most of the work, where the
// most that names can say does not lift what the rest says to the floor; it
// returns false then.
func (c *comparer) compareFrom(w *weights, floor float32, x, y []cell) (p pattern, rarity float32, ok bool) {
	var levels, later [maxComparisons]int8
	var all [maxComparisons]float32 // rarities
	waiting := 0
	without := c.impersonal(x, y)
	most := -w.strangers
	comparisons := c.model.comparisons
	for k := range comparisons {
		if without>>(4*k)&15 != 0 {
			continue
		}
		q := &comparisons[k]
		if q.memo {
			column := q.levels[0].column
			if cx, cy := x[column], y[column]; !cx.missing() && !cy.missing() && cx.toneless() != cy.toneless() {
				later[waiting] = int8(k)
				waiting++
				most += w.bounds[k].of(c.texts, cx, cy)
				continue
			}
		}
		n := c.level(k, q, x, y)
		if n == 0 {
			continue
		}
		levels[k] = int8(n)
		most += w.m[k][n] - w.u[k][n]
		if l := &q.levels[n-1]; l.frequency {
			all[k] = c.rarity(l, x[l.column], y[l.column])
			most += all[k]
		}
	}
	// A little lower, so that no rounding leaves out what counts.
	if most < floor-0.01 {
		return 0, 0, false
	}
	for _, k := range later[:waiting] {
		q := &comparisons[k]
		n := c.level(int(k), q, x, y) // not 0: neither is missing
		levels[k] = int8(n)
		if l := &q.levels[n-1]; l.frequency {
			all[k] = c.rarity(l, x[l.column], y[l.column])
		}
	}
	// In the order of compare, whose sum this must be to the last bit.
	for k := range comparisons {
		p |= pattern(levels[k]) << (4 * k)
		rarity += all[k]
	}
	return p, rarity, true
}
