package spool

// xidSet is a set of transaction numbers. A transaction's subtransactions are
// numbered one after another, so that a bitmap of the pages that have any stays
// small: a loop of ten million savepoints that are all rolled back takes 1.3 MB
// (P8).
type xidSet map[uint32]*[pageXids / 64]uint64

const pageXids = 4096

func (s xidSet) add(xid uint32) {
	page := s[xid/pageXids]
	if page == nil {
		page = new([pageXids / 64]uint64)
		s[xid/pageXids] = page
	}
	page[xid%pageXids/64] |= 1 << (xid % 64)
}

func (s xidSet) has(xid uint32) bool {
	page := s[xid/pageXids]
	return page != nil && page[xid%pageXids/64]&(1<<(xid%64)) != 0
}
