package identity

import (
	"cmp"
	"slices"
)

// solver decides a component: records of which no other record shares a block.
// It holds the memory between components.
type solver struct {
	model *Model
	keys  []held
	edges []Edge
	// powerless is the level that an identifier's equality has instead of
	// Equal, from the set of all its holders.
	powerless map[BlockKey]Level
}

type held struct {
	key    BlockKey
	record int32
}

// solve takes all records of a component in the order of their IDs, and the
// keys in it that too many records hold. It leaves the edges, sorted from the
// strongest on, and returns the clusters as Cluster does.
func (s *solver) solve(records []*Record, crowded []BlockKey) []int32 {
	clear(s.powerless)
	for _, key := range crowded {
		s.powerless[key] = Shared
	}
	s.compare(records)
	s.detectShared(records)
	s.decideAgain(records)
	return Cluster(records, s.edges)
}

// compare makes an edge for every pair that shares a key with power.
func (s *solver) compare(records []*Record) {
	s.keys, s.edges = s.keys[:0], s.edges[:0]
	for i, r := range records {
		for k := range kinds {
			if key := r.key(k); key != 0 && s.powerless[key] != Shared {
				s.keys = append(s.keys, held{key, int32(i)})
			}
		}
	}
	slices.SortFunc(s.keys, func(x, y held) int {
		return cmp.Or(cmp.Compare(x.key, y.key), cmp.Compare(x.record, y.record))
	})
	for start := 0; start < len(s.keys); {
		end := start + 1
		for end < len(s.keys) && s.keys[end].key == s.keys[start].key {
			end++
		}
		holders := s.keys[start:end]
		for i, a := range holders {
			for _, b := range holders[i+1:] {
				if s.firstShared(records[a.record], records[b.record]) == a.key {
					s.edges = append(s.edges, Edge{A: a.record, B: b.record,
						Decision: s.model.Decide(s.levels(records[a.record], records[b.record]))})
				}
			}
		}
		start = end
	}
}

// firstShared is the first key with power that two records share: a pair that
// shares several is one edge.
func (s *solver) firstShared(a, b *Record) BlockKey {
	for k := range kinds {
		if key := a.key(k); key != 0 && key == b.key(k) && s.powerless[key] != Shared {
			return key
		}
	}
	return 0
}

// levels compares a pair and takes the power from the numbers that have none.
func (s *solver) levels(a, b *Record) Comparison {
	c := s.model.Compare(a, b)
	if len(s.powerless) == 0 {
		return c
	}
	for k, field := range [kinds]Field{CCCD: FieldCCCD, CMND: FieldCMND, Insurance: FieldInsurance} {
		if level, ok := s.powerless[a.key(Kind(k))]; ok && (c[field] == Equal || c[field] == Restored) {
			c[field] = level
		}
	}
	return c
}

// detectShared takes the power from identifiers whose holders contradict one
// another, or that two people of the register bear. It works on the set of all
// holders, never on an edge alone, so no order has any influence (P9).
func (s *solver) detectShared(records []*Record) {
	for i := range s.edges {
		e := &s.edges[i]
		a, b := records[e.A], records[e.B]
		level := Missing
		switch {
		case e.Decision.Why[FieldRegister] == Both && e.Decision.Outcome == OutcomeApart:
			level = Shared
		case s.model.contradicts(e.Decision):
			level = Contested
		default:
			continue
		}
		for k := range kinds {
			key := a.key(k)
			if key == 0 || key != b.key(k) || s.powerless[key] == Shared {
				continue
			}
			// Where the register says whose the number is, a holder must agree
			// with it, not with what others made of the same person's name.
			if level == Contested && e.Decision.Why[FieldRegister] == None && registered(records, key, k) {
				continue
			}
			s.powerless[key] = level
		}
	}
}

// registered tells whether a record of the register holds a key.
func registered(records []*Record, key BlockKey, k Kind) bool {
	for _, r := range records {
		if r.Origin.Register && r.key(k) == key {
			return true
		}
	}
	return false
}

// decideAgain decides the pairs whose numbers lost their power.
func (s *solver) decideAgain(records []*Record) {
	if len(s.powerless) == 0 {
		return
	}
	for i := range s.edges {
		e := &s.edges[i]
		if c := s.levels(records[e.A], records[e.B]); c != e.Decision.Why {
			e.Decision = s.model.Decide(c)
		}
	}
}
