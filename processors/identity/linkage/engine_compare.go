package linkage

import (
	"cmp"
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
	workers := 1
	if len(all) > 2*compareShare {
		workers = runtime.GOMAXPROCS(0)
	}
	for len(e.workers) < workers {
		e.workers = append(e.workers, &worker{comparer: newComparer(e.t)})
	}
	for start := 0; start < len(all); start += compareRound {
		e.compareSome(all[start:min(start+compareRound, len(all))], e.workers[:workers])
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

func (e *Engine) compareSome(some []int32, workers []*worker) {
	var next atomic.Int64
	run := func(w *worker) {
		w.found = w.found[:0]
		if len(w.seen) < int(e.used) {
			w.seen = append(w.seen, make([]uint32, int(e.used)-len(w.seen))...)
		}
		for {
			till := int(next.Add(compareShare))
			if till-compareShare >= len(some) {
				return
			}
			for _, i := range some[till-compareShare : min(till, len(some))] {
				e.compareOne(w, i)
			}
		}
	}
	if len(workers) == 1 {
		run(workers[0])
	} else {
		var wait sync.WaitGroup
		for _, w := range workers {
			wait.Go(func() { run(w) })
		}
		wait.Wait()
	}
	for _, w := range workers {
		for _, f := range w.found {
			e.keepEdge(&f)
			e.dirty = append(e.dirty, f.from, f.to)
		}
	}
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
	w.keys = w.keys[:0]
	for r := range e.model.rules {
		w.keys = append(w.keys, blockKey(r, e.model.rules[r].of(&e.t.texts, row)))
	}
	last := len(w.keys) - 1 // what comes after is not ours
	near := e.nearTo(w, i, row)
	for !near && last >= 0 && (w.keys[last] == 0 || !e.log.isOurs(e.shareOf(last, row))) {
		last--
	}
	for r, key := range w.keys[:last+1] {
		if key == 0 || e.alone(i, r) {
			continue
		}
		b := e.blocks[key]
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
		if e.holders(near.exact, e.row(near.last)) > e.model.rules[near.exact].max {
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
	p, rarity := w.comparer.compare(row, other)
	prior := e.prior(reference || n.origin.Register)
	// A little lower, so that no rounding keeps what is not exact.
	weight := e.w.ratioFrom(e.keep-prior-0.01, p, rarity) + prior
	shares := e.live.shares(row, other)
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

// detectAll finds out again whether the identifiers whose holders changed are
// evidence.
func (e *Engine) detectAll() {
	if len(e.suspects) > 0 && len(e.workers) == 0 {
		e.workers = append(e.workers, &worker{comparer: newComparer(e.t)})
	}
	slices.SortFunc(e.suspects, func(x, y identifier) int {
		return cmp.Or(cmp.Compare(x.shared, y.shared), cmp.Compare(x.value, y.value))
	})
	e.suspects = slices.Compact(e.suspects)
	for _, id := range e.suspects {
		_, was := e.contested[id]
		b := e.holdersOf(id)
		is := e.isContested(id, b)
		if is == was {
			continue
		}
		if is {
			e.contested[id] = struct{}{}
		} else {
			delete(e.contested, id)
		}
		for j := b.head; j != nowhere; j = *e.next(j, e.live.shared[id.shared].rule) {
			e.dirty = append(e.dirty, j)
		}
	}
	e.suspects = again(e.suspects)
}

func (e *Engine) isContested(id identifier, b holders) bool {
	rule := e.live.shared[id.shared].rule
	if int(b.count) > e.model.rules[rule].max {
		return true
	}
	if b.count < 2 {
		return false
	}
	e.rows, e.references = e.rows[:0], e.references[:0]
	for j := b.head; j != nowhere; j = *e.next(j, rule) {
		e.rows, e.references = append(e.rows, e.row(j)), append(e.references, e.at(j).origin.Register)
	}
	return e.live.contested(e.workers[0].comparer, e.rows, e.references)
}
