package linkage

import (
	"cmp"
	"fmt"
	"slices"
)

// Verdict is what a person said of two records.
type Verdict uint8

// The verdicts.
const (
	// Unsaid takes back what was said.
	Unsaid Verdict = iota
	// Same: the two are one entity. It joins them unless two records of the
	// reference, a death before a birth or a Different forbids, which makes it a
	// conflict.
	Same
	// Different: the two are never in one cluster, whatever else says so.
	Different
)

var verdictNames = [...]string{"unsaid", "same", "different"}

func (v Verdict) String() string { return verdictNames[v] }

// ParseVerdict reads what String writes.
func ParseVerdict(s string) (Verdict, error) {
	i := slices.Index(verdictNames[:], s)
	if i < 0 {
		return 0, fmt.Errorf("there is no verdict %q: write same, different or unsaid", s)
	}
	return Verdict(i), nil
}

// Decision is what a person said of two records, by their names. Of several on
// one pair, in either order, that of the greatest version counts; of one
// version, the last verdict of the list above.
type Decision struct {
	A, B    string
	Verdict Verdict
	Version uint64
}

// pair are the two records in order.
func (d *Decision) pair() [2]string { return [2]string{min(d.A, d.B), max(d.A, d.B)} }

// replaces tells whether a decision counts instead of another on the same pair.
func (d *Decision) replaces(e *Decision) bool {
	return cmp.Or(cmp.Compare(d.Version, e.Version), cmp.Compare(d.Verdict, e.Verdict)) > 0
}

// Conflict is a Same that something forbids.
type Conflict struct{ A, B string }

// places finds the pairs that the decisions are on, by their records' places;
// those on records that are not there are left out.
func (t *Table) places(decisions []Decision) (same, different [][2]int32, err error) {
	counting := map[[2]string]*Decision{}
	for i := range decisions {
		d := &decisions[i]
		if old := counting[d.pair()]; old == nil || d.replaces(old) {
			counting[d.pair()] = d
		}
	}
	if len(counting) == 0 {
		return nil, nil, nil
	}
	at := map[string]int32{}
	for i := range int32(t.Len()) {
		if _, twice := at[t.ID(i)]; twice {
			return nil, nil, fmt.Errorf("record %q is in two sources, so a decision on it says nothing", t.ID(i))
		}
		at[t.ID(i)] = i
	}
	for pair, d := range counting {
		a, ok := at[pair[0]]
		b, has := at[pair[1]]
		if !ok || !has || a == b {
			continue
		}
		switch place := [2]int32{min(a, b), max(a, b)}; d.Verdict {
		case Same:
			same = append(same, place)
		case Different:
			different = append(different, place)
		}
	}
	slices.SortFunc(same, comparePairs)
	return same, different, nil
}

func comparePairs(x, y [2]int32) int {
	return cmp.Or(cmp.Compare(x[0], y[0]), cmp.Compare(x[1], y[1]))
}
