package linkage

// blockIndex finds the holders of a key of a rule: a table of open addressing, in
// parts that grow one by one. It is looked up a dozen times for each record, in
// hundreds of megabytes: what that costs is waiting for memory, so that an entry
// is one place, found once to be read and written, and touch asks for all places
// of a record before the first of them is needed.
type blockIndex struct {
	parts [1 << blockPartBits]blockPart
}

const blockPartBits = 8

type blockPart struct {
	entries []blockEntry
	used    int
}

// blockEntry is free when its key is 0.
type blockEntry struct {
	key uint64
	holders
}

func (x *blockIndex) part(key uint64) *blockPart { return &x.parts[key>>(64-blockPartBits)] }

// home is where a key's entry belongs; it is there or after it.
func (p *blockPart) home(key uint64) int {
	return int(key >> (32 - blockPartBits) & (1<<32 - 1) * uint64(len(p.entries)) >> 32)
}

// at gives the place of a key, or the free one where it would be. There must be
// one.
func (p *blockPart) at(key uint64) int {
	at := p.home(key)
	for p.entries[at].key != 0 && p.entries[at].key != key {
		at = placeAfter(p.entries, at)
	}
	return at
}

// touch reads where the keys are at home, and nothing more: the processor fetches
// all at once instead of one after another. The result says nothing; it is there
// so that the reading is done.
func (x *blockIndex) touch(keys []uint64) (sum uint64) {
	for _, key := range keys {
		if p := x.part(key); key != 0 && len(p.entries) > 0 {
			sum += p.entries[p.home(key)].key
		}
	}
	return sum
}

// of gives the holders of a key, none when it has none.
func (x *blockIndex) of(key uint64) holders {
	p := x.part(key)
	if p.used == 0 || key == 0 {
		return holders{}
	}
	return p.entries[p.at(key)].holders
}

// put gives the holders of a key to be changed, until the next put or remove.
func (x *blockIndex) put(key uint64) *holders {
	p := x.part(key)
	if p.used*4 >= len(p.entries)*3 {
		old := p.entries
		p.entries = make([]blockEntry, len(old)+len(old)/4+16)
		for _, e := range old {
			if e.key != 0 {
				p.entries[p.at(e.key)] = e
			}
		}
	}
	e := &p.entries[p.at(key)]
	if e.key == 0 {
		e.key = key
		p.used++
	}
	return &e.holders
}

// remove takes a key out that is there, and moves up what would no longer be
// found behind the gap.
func (x *blockIndex) remove(key uint64) {
	p := x.part(key)
	gap := p.at(key)
	p.used--
	for at := placeAfter(p.entries, gap); p.entries[at].key != 0; at = placeAfter(p.entries, at) {
		if gapBefore(gap, p.home(p.entries[at].key), at) {
			p.entries[gap] = p.entries[at]
			gap = at
		}
	}
	p.entries[gap] = blockEntry{}
}

// placeAfter is the next place of a table of open addressing, whose end is followed by
// its beginning.
func placeAfter[E any](entries []E, at int) int {
	if at++; at == len(entries) {
		return 0
	}
	return at
}

// gapBefore tells whether an entry at a place, which belongs to home, is found no
// more behind a gap in a table of open addressing (Knuth, The Art of Computer
// Programming 3, 6.4, algorithm R).
func gapBefore(gap, home, at int) bool {
	return gap < at && (home <= gap || home > at) || gap > at && home <= gap && home > at
}
