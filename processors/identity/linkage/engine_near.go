package linkage

// enter puts a number that nobody held until now into its near blocks. A block
// that becomes too large says nothing any more.
func (e *Engine) enter(n int, i int32) {
	rule, index := &e.model.near[n], e.near[n]
	e.forms = rule.forms(e.forms, e.row(i)[rule.column].a)
	e.touched += index.touch(e.forms)
	for _, key := range e.forms {
		index.add(key, i)
		if index.count(key) == rule.max+1 {
			e.compareNear(n, key)
		}
	}
}

// leave takes a number out that nobody holds any more. A block that is small
// enough again brings together what it holds.
func (e *Engine) leave(n int, i int32) {
	rule, index := &e.model.near[n], e.near[n]
	e.forms = rule.forms(e.forms, e.row(i)[rule.column].a)
	for _, key := range e.forms {
		index.remove(key, i)
		if index.count(key) == rule.max {
			e.compareNear(n, key)
		}
	}
}

// replaced makes another holder stand for a number.
func (e *Engine) replaced(n int, i, by int32) {
	rule := &e.model.near[n]
	e.forms = rule.forms(e.forms, e.row(i)[rule.column].a)
	for _, key := range e.forms {
		e.near[n].replace(key, i, by)
	}
}

// compareNear marks all holders of the numbers of a near block.
func (e *Engine) compareNear(n int, key uint64) {
	exact := e.model.near[n].exact
	e.near[n].each(key, func(last int32) bool {
		for j := last; j != nowhere; j = *e.prev(j, exact) {
			e.compareAgain(j)
		}
		return true
	})
}

// nearby is a number in a near block of the record that is compared.
type nearby struct {
	last  int32 // the last of its holders
	exact int   // the rule that lists them
	share uint8
}

// nearTo finds the numbers that are near those of a record, in the order of
// their blocks, and tells whether any of the blocks is ours. It only reads the
// engine.
func (e *Engine) nearTo(w *worker, i int32, row []cell) (ours bool) {
	w.near = w.near[:0]
	for n := range e.model.near {
		rule, index := &e.model.near[n], e.near[n]
		number := row[rule.column].a
		if number == 0 || e.crowded(i, rule.exact) {
			continue
		}
		w.forms = rule.forms(w.forms, number)
		w.touched += index.touch(w.forms)
		for _, key := range w.forms {
			start, count := len(w.near), 0
			share := e.nearShare(key)
			index.each(key, func(last int32) bool {
				if count++; e.row(last)[rule.column].a != number {
					w.near = append(w.near, nearby{last, rule.exact, share})
				}
				return count <= rule.max
			})
			if count > rule.max {
				w.near = w.near[:start]
			}
			ours = ours || len(w.near) > start && e.log.isOurs(share)
		}
	}
	return ours
}

// crowded tells whether more hold a record's key of a rule than say anything.
func (e *Engine) crowded(i int32, rule int) bool {
	return !e.alone(i, rule) && e.holders(rule, e.row(i)) > e.model.rules[rule].max
}

// holders is how many records have a record's key of a rule.
func (e *Engine) holders(rule int, row []cell) int {
	return int(e.blocks.of(blockKey(rule, e.model.rules[rule].of(&e.t.texts, row))).count)
}

// nearShare gives the share that a near block is of.
func (e *Engine) nearShare(key uint64) uint8 {
	return uint8(mix(key) >> 32 * e.log.shares >> 32)
}

// sharesNear tells whether a near rule brings two records together.
func (e *Engine) sharesNear(n int, x, y []cell) bool {
	rule := &e.model.near[n]
	a, b := x[rule.column].a, y[rule.column].a
	if a == 0 || b == 0 || max(e.holders(rule.exact, x), e.holders(rule.exact, y)) > e.model.rules[rule.exact].max {
		return false
	}
	return rule.first(a, b, func(key uint64) bool { return e.near[n].count(key) > rule.max }) != 0
}
