package checkpoint

import (
	"math"
	"slices"
)

// Blocks are the blocks of a table's heap from From up to, not including, To.
type Blocks struct {
	From uint32 `json:"from"`
	To   uint32 `json:"to"`
}

// End is the To of blocks that go to the end of the table.
const End uint32 = math.MaxUint32

// Read gives the state after the blocks were read, in whatever order ranges are
// (case 12).
func (t Table) Read(b Blocks) Table {
	all := append(slices.Clone(t.Done), b)
	slices.SortFunc(all, func(x, y Blocks) int {
		if x.From < y.From {
			return -1
		}
		return 1
	})
	t.Done = all[:1]
	for _, next := range all[1:] {
		last := &t.Done[len(t.Done)-1]
		if next.From > last.To {
			t.Done = append(t.Done, next)
			continue
		}
		last.To = max(last.To, next.To)
	}
	return t
}

// Left are the blocks that are still to be read of a table that has so many
// blocks now, in ranges of at most size. The last one is open: rows that were
// written behind it since the blocks were counted are newer than the snapshot,
// and their reading costs nothing.
func (t Table) Left(blocks, size uint32) []Blocks {
	var left []Blocks
	add := func(from, to uint32) {
		end := to == End
		if end {
			to = max(blocks, from+1)
		}
		for ; from < to; from += min(size, to-from) {
			left = append(left, Blocks{from, from + min(size, to-from)})
		}
		if end {
			left[len(left)-1].To = End
		}
	}
	from := uint32(0)
	for _, done := range t.Done {
		if done.From > from {
			add(from, done.From)
		}
		from = done.To
	}
	if from != End {
		add(from, End)
	}
	return left
}

// Part is how much of a table that has so many blocks was read, from 0 to 1.
func (t Table) Part() float64 {
	if t.Complete {
		return 1
	}
	if t.Blocks == 0 {
		return 0
	}
	var read uint64
	for _, b := range t.Done {
		read += uint64(min(b.To, t.Blocks) - min(b.From, t.Blocks))
	}
	return float64(read) / float64(t.Blocks)
}
