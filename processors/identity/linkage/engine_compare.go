package linkage

import (
	"cmp"
	"math"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
)

// compared is the edge of two records that were just compared.
type compared struct {
	from, to int32
	weight   float32
	share    uint8
}

// worker is what comparing needs beside the records.
type worker struct {
	comparer *comparer
	// seen has for each record the turn in which it was last compared.
	seen  []uint32
	turn  uint32
	keys  []uint64 // of the record that is compared, by rule
	forms []uint64
	near  []nearby // numbers that are near its own
	found []compared

	touched    uint64 // see blockIndex.touch
	rows       [][]cell
	references []bool
}

const (
	// compareRound bounds what is found before it is kept.
	compareRound = 1 << 16
	// compareShare is how many records a goroutine takes at once.
	compareShare = 32
)

// compareAll finds the edges of the records that changed, or whose blocks did.
// After each round flush, which may be nil, is told.
func (e *Engine) compareAll(flush func() error) error {
	all := e.compare[:0]
	for _, i := range e.compare {
		// It may be gone, and its place another's, which is listed too.
		if n := e.at(i); n.compare {
			n.compare = false
			all = append(all, i)
		}
	}
	for _, i := range all {
		e.at(i).compare = true
	}
	if len(all) == 0 {
		e.compare = all
		return nil
	}
	for _, i := range all {
		e.doubt(i)
	}
	for start := 0; start < len(all); start += compareRound {
		e.compareSome(all[start:min(start+compareRound, len(all))])
		if flush != nil {
			if err := flush(); err != nil {
				return err
			}
		}
	}
	for _, i := range all {
		e.sweep(i)
		e.at(i).compare = false
	}
	e.compare = again(all)
	return nil
}

func (e *Engine) compareSome(some []int32) {
	for _, w := range e.workers {
		w.found = w.found[:0]
	}
	e.divide(len(some), func(w *worker, from, till int) {
		if len(w.seen) < int(e.used) {
			w.seen = append(w.seen, make([]uint32, int(e.used)-len(w.seen))...)
		}
		for _, i := range some[from:till] {
			e.compareOne(w, i)
		}
	})
	for _, w := range e.workers {
		for _, f := range w.found {
			e.keepEdge(&f)
			e.dirty = append(e.dirty, f.from, f.to)
		}
	}
}

// divide has n pieces of work done, a share at a time, by as many workers as
// there are processors, or by one when they are few. Each worker is one goroutine.
func (e *Engine) divide(n int, work func(w *worker, from, till int)) {
	workers := 1
	if n > 2*compareShare {
		workers = runtime.GOMAXPROCS(0)
	}
	for len(e.workers) < workers {
		e.workers = append(e.workers, &worker{comparer: newComparer(e.t)})
	}
	var next atomic.Int64
	run := func(w *worker) {
		for {
			till := int(next.Add(compareShare))
			if till-compareShare >= n {
				return
			}
			work(w, till-compareShare, min(till, n))
		}
	}
	if workers == 1 {
		run(e.workers[0])
		return
	}
	var wait sync.WaitGroup
	for _, w := range e.workers[:workers] {
		wait.Go(func() { run(w) })
	}
	wait.Wait()
}

// compareOne compares a record with all that share a block with it. Of two that
// are both to be compared, the one that was kept first does it. The first block
// that two share, of those that are not too large, tells whose they are to
// compare: so a pair is found once, whoever holds its other blocks. It only
// reads the engine.
func (e *Engine) compareOne(w *worker, i int32) {
	row := e.row(i)
	if w.turn++; w.turn == 0 {
		clear(w.seen)
		w.turn = 1
	}
	w.seen[i] = w.turn
	w.keys = e.keysOf(w.keys, row)
	last := len(w.keys) - 1 // what comes after is not ours
	near := e.nearTo(w, i, row)
	for !near && last >= 0 && (w.keys[last] == 0 || !e.log.isOurs(e.shareOf(last, row))) {
		last--
	}
	for r, key := range w.keys[:last+1] {
		if key == 0 || e.alone(i, r) {
			continue
		}
		b := e.blocks.of(key)
		if int(b.count) > e.model.rules[r].max {
			continue
		}
		share := e.shareOf(r, row)
		ours := e.log.isOurs(share)
		for j := b.head; j != nowhere; j = *e.next(j, r) {
			if w.seen[j] == w.turn {
				continue
			}
			w.seen[j] = w.turn
			if !ours {
				continue
			}
			e.meet(w, i, j, share)
		}
	}
	if !near {
		return
	}
	for k := range w.near {
		near := &w.near[k]
		if e.crowded(near.last, near.exact) {
			continue
		}
		ours := e.log.isOurs(near.share)
		for j := near.last; j != nowhere; j = *e.prev(j, near.exact) {
			if w.seen[j] != w.turn {
				w.seen[j] = w.turn
				if ours {
					e.meet(w, i, j, near.share)
				}
			}
		}
	}
}

// meet compares a record with another that it shares a block with.
func (e *Engine) meet(w *worker, i, j int32, share uint8) {
	row, reference := e.row(i), e.at(i).origin.Register
	n := e.at(j)
	if n.compare && j < i || reference && n.origin.Register {
		return
	}
	other := e.row(j)
	if e.model.otherKinds(row, other) {
		if e.live.shares(row, other) { // the one answers for the other
			w.found = append(w.found, compared{i, j, contradicted, share})
		}
		return
	}
	prior := e.prior(reference || n.origin.Register)
	// A little lower, so that no rounding keeps what is not exact.
	floor := e.keep - prior - 0.01
	shares := e.live.shares(row, other)
	least := floor
	if shares {
		least = float32(math.Inf(-1))
	}
	p, rarity, ok := w.comparer.compareFrom(e.w, least, row, other)
	if !ok {
		return
	}
	weight := e.w.ratioFrom(floor, p, rarity) + prior
	if weight < e.keep && !shares {
		return
	}
	if e.live.contradicts(p) > 0 {
		if !shares {
			return
		}
		weight = contradicted
	}
	weight = e.limit.of(p, weight, reference || n.origin.Register)
	w.found = append(w.found, compared{i, j, weight, share})
}

func (e *Engine) prior(reference bool) float32 {
	if reference {
		return e.w.priorReference
	}
	return e.w.prior
}

// suspect is an identifier whose holders changed, and the key of their block.
type suspect struct {
	identifier
	key uint64
}

// detectAll finds out again whether the identifiers whose holders changed are
// evidence.
func (e *Engine) detectAll() {
	slices.SortFunc(e.suspects, func(x, y suspect) int {
		return cmp.Or(cmp.Compare(x.shared, y.shared), cmp.Compare(x.value, y.value))
	})
	e.suspects = slices.Compact(e.suspects)
	e.verdicts = append(e.verdicts[:0], make([]bool, len(e.suspects))...)
	e.divide(len(e.suspects), func(w *worker, from, till int) {
		for k, s := range e.suspects[from:till] {
			e.verdicts[from+k] = e.isContested(w, s.identifier, e.blocks.of(s.key))
		}
	})
	for k, s := range e.suspects {
		is := e.verdicts[k]
		if _, was := e.contested[s.identifier]; is == was {
			continue
		}
		if is {
			e.contested[s.identifier] = struct{}{}
		} else {
			delete(e.contested, s.identifier)
		}
		rule := e.live.shared[s.shared].rule
		for j := e.blocks.of(s.key).head; j != nowhere; j = *e.next(j, rule) {
			e.dirty = append(e.dirty, j)
		}
	}
	e.suspects = again(e.suspects)
}

// isContested only reads the engine.
func (e *Engine) isContested(w *worker, id identifier, b holders) bool {
	rule := e.live.shared[id.shared].rule
	if int(b.count) > e.model.rules[rule].max {
		return true
	}
	if b.count < 2 {
		return false
	}
	w.rows, w.references = w.rows[:0], w.references[:0]
	for j := b.head; j != nowhere; j = *e.next(j, rule) {
		w.rows, w.references = append(w.rows, e.row(j)), append(w.references, e.at(j).origin.Register)
	}
	return e.live.contested(w.comparer, w.rows, w.references)
}
