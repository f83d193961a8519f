package linkage

// blockKey makes one key of a rule and its key in the rule, 0 for none.
func blockKey(rule int, key uint64) uint64 {
	if key == 0 {
		return 0
	}
	return mix(key + uint64(rule)*0x9e3779b97f4a7c15)
}

// list puts a record into its blocks. One that becomes too large says nothing
// any more: what it alone brought together is compared again.
func (e *Engine) list(i int32) {
	row := e.row(i)
	for r := range e.model.rules {
		next, prev := e.next(i, r), e.prev(i, r)
		*next, *prev = nowhere, nowhere
		key := blockKey(r, e.model.rules[r].of(&e.t.texts, row))
		if key == 0 {
			continue
		}
		b := e.blocks[key]
		if b.head != nowhere {
			*e.prev(b.head, r) = i
			*next = b.head
		}
		b.head = i
		b.count++
		e.blocks[key] = b
		for n := range e.model.near {
			if b.count == 1 && e.model.near[n].exact == r {
				e.enter(n, i)
			}
		}
		if int(b.count) == e.model.rules[r].max+1 {
			e.compareBlock(b.head, r)
		}
		if b.count > 1 {
			e.suspect(row, r)
		}
	}
}

// unlist takes a record out of its blocks. One that is small enough again
// brings together what it holds.
func (e *Engine) unlist(i int32) {
	row := e.row(i)
	for r := range e.model.rules {
		key := blockKey(r, e.model.rules[r].of(&e.t.texts, row))
		if key == 0 {
			continue
		}
		next, prev := *e.next(i, r), *e.prev(i, r)
		b := e.blocks[key]
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
			delete(e.blocks, key)
			continue
		}
		e.blocks[key] = b
		if int(b.count) == e.model.rules[r].max {
			e.compareBlock(b.head, r)
		}
		e.suspect(row, r)
	}
}

// alone tells whether no other record shares a record's key of a rule, without
// looking the block up, which costs more than a comparison: most are alone.
func (e *Engine) alone(i int32, rule int) bool {
	return *e.next(i, rule) == nowhere && *e.prev(i, rule) == nowhere
}

// suspect marks the identifier of a record by which a rule brings it to others,
// as its holders changed.
func (e *Engine) suspect(row []cell, rule int) {
	for s := range e.live.shared {
		if shared := &e.live.shared[s]; shared.rule == rule {
			e.suspects = append(e.suspects, identifier{s, row[shared.column].a})
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

// holdersOf gives the records that hold an identifier.
func (e *Engine) holdersOf(id identifier) holders {
	s := &e.live.shared[id.shared]
	row := make([]cell, e.t.width)
	row[s.column].a = id.value
	return e.blocks[blockKey(s.rule, e.model.rules[s.rule].of(&e.t.texts, row))]
}
