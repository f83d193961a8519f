package linkage

import "slices"

// nearPasses is in how many parts near blocks are found, each of which needs its
// part of the memory.
const nearPasses = 4

// nearBlocks are what a near rule has beside its blocks.
type nearBlocks struct {
	keys  []uint64 // of each block
	large map[uint64]struct{}
}

// buildNear finds the blocks of a near rule, after those of all others.
func (b *blocks) buildNear(n int) {
	t, rule := b.t, &b.t.model.near[n]
	var all []keyed
	for i := range t.Len() {
		if c := t.row(int32(i))[rule.column]; !c.missing() {
			all = append(all, keyed{mix(c.a), int32(i)})
		}
	}
	all = sortKeyed(all)
	var starts []int32 // of each number in all, and the end
	for i := range all {
		if i == 0 || all[i].key != all[i-1].key {
			starts = append(starts, int32(i))
		}
	}
	starts = append(starts, int32(len(all)))
	out, near := &b.rules[len(t.model.rules)+n], &b.near[n]
	near.large = map[uint64]struct{}{}
	var forms []uint64
	var entries []keyed
	var members []int32
	for pass := range uint64(nearPasses) {
		entries = entries[:0]
		for g := range len(starts) - 1 {
			forms = rule.forms(forms, t.row(all[starts[g]].record)[rule.column].a)
			for _, key := range forms {
				if key%nearPasses == pass {
					entries = append(entries, keyed{key, int32(g)})
				}
			}
		}
		groups(sortKeyed(entries), func(same []keyed) {
			if len(same) < 2 {
				return
			}
			if len(same) > rule.max {
				near.large[same[0].key] = struct{}{}
				return
			}
			members = members[:0]
			numbers := 0
			for _, number := range same {
				g := number.record
				if holders := all[starts[g]:starts[g+1]]; len(holders) <= t.model.rules[rule.exact].max {
					numbers++
					for _, h := range holders {
						members = append(members, h.record)
					}
				}
			}
			if numbers < 2 {
				return
			}
			slices.Sort(members) // the table's order
			out.starts = append(out.starts, int32(len(out.records)))
			out.records = append(out.records, members...)
			near.keys = append(near.keys, same[0].key)
		})
	}
	out.starts = append(out.starts, int32(len(out.records)))
}

// nearKey gives the first block of a near rule that brings two records together,
// 0 without.
func (b *blocks) nearKey(n int, x, y int32) uint64 {
	rule, large, width := &b.t.model.near[n], b.near[n].large, len(b.t.model.rules)
	// A number that too many hold is in no block of its own rule either.
	if b.keys[int(x)*width+rule.exact] == 0 || b.keys[int(y)*width+rule.exact] == 0 {
		return 0
	}
	return rule.first(b.t.row(x)[rule.column].a, b.t.row(y)[rule.column].a, func(key uint64) bool {
		_, ok := large[key]
		return ok
	})
}

// nearFirst tells whether a block of a near rule is the first that brings a pair
// together, of those of near rules.
func (b *blocks) nearFirst(r, g int, x, y int32) bool {
	n := r - len(b.t.model.rules)
	for earlier := range n {
		if b.nearKey(earlier, x, y) != 0 {
			return false
		}
	}
	return b.nearKey(n, x, y) == b.near[n].keys[g]
}
