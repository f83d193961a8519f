package linkage

// halves keeps the halves of all edges, in lists by record. Place 0 ends a list.
type halves struct {
	chunks []*[1 << chunkBits]half
	used   int32
	free   int32 // the first of those that are free, 0 for none
}

func (h *halves) at(i int32) *half { return &h.chunks[i>>chunkBits][i&(1<<chunkBits-1)] }

// add keeps a half and gives its place.
func (h *halves) add(x half) int32 {
	if i := h.free; i != 0 {
		h.free = h.at(i).next
		*h.at(i) = x
		return i
	}
	if int(h.used)>>chunkBits == len(h.chunks) {
		h.chunks = append(h.chunks, new([1 << chunkBits]half))
	}
	h.used++
	*h.at(h.used - 1) = x
	return h.used - 1
}

// drop frees a place.
func (h *halves) drop(i int32) {
	*h.at(i) = half{next: h.free}
	h.free = i
}

// join adds an edge between two records.
func (e *Engine) join(x, y int32, weight float32, share uint8) {
	for _, side := range [2][2]int32{{x, y}, {y, x}} {
		n := e.at(side[0])
		n.halves = e.halves.add(half{to: side[1], weight: weight, next: n.halves, share: share})
	}
}

// half gives the side of a record of its edge to another, nil when a share has
// none.
func (e *Engine) half(i, to int32, share uint8) *half {
	for k := e.at(i).halves; k != 0; {
		h := e.halves.at(k)
		if h.to == to && h.share == share {
			return h
		}
		k = h.next
	}
	return nil
}

// drop takes a record's side of an edge away.
func (e *Engine) drop(i, to int32, share uint8) {
	link := &e.at(i).halves
	for *link != 0 {
		h := e.halves.at(*link)
		if h.to == to && h.share == share {
			k := *link
			*link = h.next
			e.halves.drop(k)
			return
		}
		link = &h.next
	}
}

// doubt marks the edges of a record that are ours: those that are not found
// again are none any more. Whoever is at their other ends is solved again, as
// what speaks for it may be other even where the weight is not.
func (e *Engine) doubt(i int32) {
	n := e.at(i)
	n.had = false
	for k := n.halves; k != 0; {
		h := e.halves.at(k)
		if e.log.isOurs(h.share) {
			h.stale, n.had = true, true
		}
		e.dirty = append(e.dirty, h.to)
		k = h.next
	}
	e.dirty = append(e.dirty, i)
}

// keepEdge keeps an edge that was found, and notes it when it is new or weighs
// other than before.
func (e *Engine) keepEdge(f *compared) {
	if e.at(f.from).had {
		if h := e.half(f.from, f.to, f.share); h != nil {
			other := e.half(f.to, f.from, f.share)
			h.stale, other.stale = false, false
			if h.weight == f.weight {
				return
			}
			h.weight, other.weight = f.weight, f.weight
			e.note(f.share, f.from, f.to, f.weight, false)
			return
		}
	}
	e.join(f.from, f.to, f.weight, f.share)
	e.note(f.share, f.from, f.to, f.weight, false)
}

// sweep takes the edges of a record away that were not found again.
func (e *Engine) sweep(i int32) {
	link := &e.at(i).halves
	for *link != 0 {
		k := *link
		h := e.halves.at(k)
		if !h.stale {
			link = &h.next
			continue
		}
		*link = h.next
		e.drop(h.to, i, h.share)
		e.note(h.share, i, h.to, 0, true)
		e.halves.drop(k)
	}
}

// letGo forgets the edges of a record that goes. Those that another finds stay
// until it is known there too: the record may come again before.
func (e *Engine) letGo(i int32) {
	n := e.at(i)
	for k := n.halves; k != 0; {
		h := *e.halves.at(k)
		e.drop(h.to, i, h.share)
		if e.log.isOurs(h.share) {
			e.note(h.share, i, h.to, 0, true)
		} else {
			e.log.wait(n.id, e.change(h.share, i, h.to, h.weight, false))
		}
		e.halves.drop(k)
		e.dirty = append(e.dirty, h.to)
		k = h.next
	}
	n.halves = 0
	e.dirty = append(e.dirty, i)
}
