package reconcile

import (
	"strconv"
	"testing"

	"github.com/cespare/xxhash/v2"
	"github.com/stretchr/testify/require"
)

func rowsOf(hashes map[int]uint64, keys ...int) func() (*row, error) {
	i := 0
	return func() (*row, error) {
		if i == len(keys) {
			return nil, nil
		}
		k := keys[i]
		i++
		return &row{key: []string{strconv.Itoa(k)}, hash: hashes[k]}, nil
	}
}

func newMerger() *merger {
	return &merger{integer: []bool{true}, suspects: map[string]suspect{}}
}

func TestMergeFindsEveryKindOfDifference(t *testing.T) {
	left := map[int]uint64{1: 10, 2: 20, 9: 90, 10: 100}
	right := map[int]uint64{1: 10, 3: 30, 9: 91, 10: 100}
	m := newMerger()
	require.NoError(t, m.merge(rowsOf(left, 1, 2, 9, 10), rowsOf(right, 1, 3, 9, 10)))
	kinds := map[string]difference{}
	for key, s := range m.suspects {
		kinds[key] = s.difference
	}
	require.Equal(t, map[string]difference{"2": missing, "3": extra, "9": different}, kinds)
	require.Len(t, m.ranges, 1)
	require.Equal(t, "1", m.ranges[0].From)
	require.Equal(t, "10", m.ranges[0].To)
}

func TestMergeOfEqualSidesHasNoRange(t *testing.T) {
	hashes := map[int]uint64{}
	var keys []int
	for i := range 3 * rangeRows {
		hashes[i] = uint64(i) * 0x9e3779b97f4a7c15
		keys = append(keys, i)
	}
	m := newMerger()
	require.NoError(t, m.merge(rowsOf(hashes, keys...), rowsOf(hashes, keys...)))
	require.Empty(t, m.ranges)
	require.Empty(t, m.suspects)
	require.Equal(t, m.source, m.clickhouse)
	// One row changed: only its range is named.
	changed := map[int]uint64{}
	for k, v := range hashes {
		changed[k] = v
	}
	changed[rangeRows+5]++
	m = newMerger()
	require.NoError(t, m.merge(rowsOf(hashes, keys...), rowsOf(changed, keys...)))
	require.Len(t, m.ranges, 1)
	require.Equal(t, strconv.Itoa(rangeRows), m.ranges[0].From)
}

func TestHashRowKeepsCellsApart(t *testing.T) {
	d := xxhash.New()
	texts := func(cells ...cell) uint64 { return hashRow(d, cells) }
	a, bc := cell{text: []byte("a")}, cell{text: []byte("bc")}
	ab, c := cell{text: []byte("ab")}, cell{text: []byte("c")}
	require.NotEqual(t, texts(a, bc), texts(ab, c))
	require.NotEqual(t, texts(cell{null: true}), texts(cell{}))
	require.Equal(t, texts(a, bc), texts(a, bc))
}

func TestMergeCountsDuplicates(t *testing.T) {
	m := newMerger()
	hashes := map[int]uint64{1: 10}
	require.NoError(t, m.merge(rowsOf(hashes, 1), rowsOf(hashes, 1, 1)))
	require.Equal(t, int64(1), m.duplicates)
	require.Len(t, m.suspects, 1)
}

// Of the keys that differed as the rows were read, those are under way that agree
// when they are looked at again: neither those that still differ, nor those that
// wait behind a dead letter, nor those that never stood still.
func TestConcludeTellsWhatWasUnderWay(t *testing.T) {
	m := newMerger()
	left := map[int]uint64{1: 10, 2: 20, 3: 30, 4: 40, 5: 50}
	right := map[int]uint64{1: 10, 2: 21, 3: 31, 4: 41, 5: 51}
	require.NoError(t, m.merge(rowsOf(left, 1, 2, 3, 4, 5), rowsOf(right, 1, 2, 3, 4, 5)))
	of := &table{suspects: m.suspects, unlike: len(m.suspects), ranges: m.ranges, held: map[string]bool{"3": true}}
	delete(of.suspects, "4") // it agreed
	delete(of.suspects, "5") // it changed without end
	of.result.Changed = 1
	r := of.conclude()
	require.Equal(t, 1, r.UnderWay)
	require.Equal(t, []string{"2"}, r.Different)
	require.Equal(t, []string{"3"}, r.WaitingKeys)
	require.Equal(t, 1, r.Keys)
}
