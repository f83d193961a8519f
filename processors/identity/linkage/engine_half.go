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
func (e *Engine) join(x, y int32, weight float32) {
	for _, side := range [2][2]int32{{x, y}, {y, x}} {
		n := e.at(side[0])
		n.halves = e.halves.add(half{side[1], weight, n.halves})
	}
}

// dropHalves forgets the edges of a record, whose other ends are to be solved
// again.
func (e *Engine) dropHalves(i int32) {
	n := e.at(i)
	for k := n.halves; k != 0; {
		h := *e.halves.at(k)
		link := &e.at(h.to).halves
		for e.halves.at(*link).to != i {
			link = &e.halves.at(*link).next
		}
		back := *link
		*link = e.halves.at(back).next
		e.halves.drop(back)
		e.halves.drop(k)
		e.dirty = append(e.dirty, h.to)
		k = h.next
	}
	n.halves = 0
	e.dirty = append(e.dirty, i)
}
