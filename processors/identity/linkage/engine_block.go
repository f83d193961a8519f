package linkage

// blockKey makes one key of a rule and its key in the rule, 0 for none.
func blockKey(rule int, key uint64) uint64 {
	if key == 0 {
		return 0
	}
	return mix(key + uint64(rule)*0x9e3779b97f4a7c15)
}

// keysOf makes the keys of a record's blocks, by rule.
func (e *Engine) keysOf(buf []uint64, row []cell) []uint64 {
	buf = buf[:0]
	for r := range e.model.rules {
		buf = append(buf, blockKey(r, e.model.rules[r].of(&e.t.texts, row)))
	}
	return buf
}

// list puts a record that is in no block into those of a row, which becomes its
// own.
func (e *Engine) list(i int32, row []cell) {
	copy(e.row(i), row)
	e.keys = e.keysOf(e.keys, row)
	e.touched += e.blocks.touch(e.keys)
	for r, key := range e.keys {
		*e.next(i, r), *e.prev(i, r) = nowhere, nowhere
		if key != 0 {
			e.enlist(i, r, key)
		}
	}
}

// relist moves a record to the blocks of another row. Most corrections leave most
// of its blocks as they were.
func (e *Engine) relist(i int32, row []cell) {
	old := e.row(i)
	e.keys, e.newKeys = e.keysOf(e.keys, old), e.keysOf(e.newKeys, row)
	for r, key := range e.keys {
		switch {
		case key == 0:
		case key != e.newKeys[r]:
			e.strike(i, r, key)
		case !e.alone(i, r):
			e.suspect(old, r, key)
		}
	}
	copy(old, row)
	for r, key := range e.newKeys {
		if key != 0 && key != e.keys[r] {
			e.enlist(i, r, key)
		}
	}
}

// unlist takes a record out of its blocks.
func (e *Engine) unlist(i int32) {
	e.keys = e.keysOf(e.keys, e.row(i))
	for r, key := range e.keys {
		if key != 0 {
			e.strike(i, r, key)
		}
	}
}

// enlist puts a record into a block. One that becomes too large says nothing any
// more: what it alone brought together is compared again.
func (e *Engine) enlist(i int32, r int, key uint64) {
	b := e.blocks.put(key)
	if b.head != nowhere {
		*e.prev(b.head, r) = i
		*e.next(i, r) = b.head
	}
	b.head = i
	b.count++
	for n := range e.model.near {
		if b.count == 1 && e.model.near[n].exact == r {
			e.enter(n, i)
		}
	}
	if int(b.count) == e.model.rules[r].max+1 {
		e.compareBlock(b.head, r)
	}
	if b.count > 1 {
		e.suspect(e.row(i), r, key)
	}
}

// strike takes a record out of a block. One that is small enough again brings
// together what it holds.
func (e *Engine) strike(i int32, r int, key uint64) {
	next, prev := *e.next(i, r), *e.prev(i, r)
	*e.next(i, r), *e.prev(i, r) = nowhere, nowhere
	b := e.blocks.put(key)
	b.count--
	if prev == nowhere {
		b.head = next
	} else {
		*e.next(prev, r) = next
	}
	if next != nowhere {
		*e.prev(next, r) = prev
	}
	for n := range e.model.near {
		switch {
		case e.model.near[n].exact != r || next != nowhere: // the last of the list stands for all
		case prev == nowhere:
			e.leave(n, i)
		default:
			e.replaced(n, i, prev)
		}
	}
	if b.count == 0 {
		e.blocks.remove(key)
		return
	}
	if int(b.count) == e.model.rules[r].max {
		e.compareBlock(b.head, r)
	}
	e.suspect(e.row(i), r, key)
}

// alone tells whether no other record shares a record's key of a rule, without
// looking the block up, which costs more than a comparison: most are alone.
func (e *Engine) alone(i int32, rule int) bool {
	return *e.next(i, rule) == nowhere && *e.prev(i, rule) == nowhere
}

// suspect marks the identifier of a record by which a rule brings it to others,
// as its holders changed.
func (e *Engine) suspect(row []cell, rule int, key uint64) {
	for s := range e.live.shared {
		if shared := &e.live.shared[s]; shared.rule == rule {
			e.suspects = append(e.suspects, suspect{identifier{s, row[shared.column].a}, key})
		}
	}
}

// compareBlock marks a record of a block and all after it.
func (e *Engine) compareBlock(i int32, rule int) {
	for ; i != nowhere; i = *e.next(i, rule) {
		e.compareAgain(i)
	}
}

func (e *Engine) compareAgain(i int32) {
	if n := e.at(i); !n.compare {
		n.compare = true
		e.compare = append(e.compare, i)
	}
}
