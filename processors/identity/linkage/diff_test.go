package linkage

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

// outcomeOf resolves edges under a model, by the names of records.
func outcomeOf(t *testing.T, m *Model, rows [][5]string, weights map[[2]string]float32) Outcome {
	t.Helper()
	tab := table(t, m, rows...)
	o := Outcome{Table: tab}
	for a := range int32(tab.Len()) {
		for b := a + 1; b < int32(tab.Len()); b++ {
			for _, pair := range [][2]string{{tab.ID(a), tab.ID(b)}, {tab.ID(b), tab.ID(a)}} {
				if w, ok := weights[pair]; ok {
					o.Edges = append(o.Edges, Edge{a, b, w})
				}
			}
		}
	}
	var err error
	o.Links, err = tab.Resolve(o.Edges)
	require.NoError(t, err)
	return o
}

func TestDiff(t *testing.T) {
	m := model(t, small)
	var rows [][5]string
	for i := range 10 {
		rows = append(rows, [5]string{fmt.Sprint(i), "x", "Lê Lan", "1985-03-20", ""})
	}
	// Old: {0 1} {2 3 4} {5} {6 7} {8 9}; new: {0 1 5} {2 3} {4} {6 8} {7 9}.
	before := outcomeOf(t, m, rows, map[[2]string]float32{{"0", "1"}: 9, {"2", "3"}: 9, {"3", "4"}: 7, {"6", "7"}: 8, {"8", "9"}: 6, {"0", "5"}: 1, {"2", "9"}: 2})
	after := outcomeOf(t, m, rows, map[[2]string]float32{{"0", "1"}: 9, {"2", "3"}: 9, {"3", "4"}: 3, {"6", "8"}: 8, {"7", "9"}: 6, {"0", "5"}: 5, {"2", "9"}: 2})
	d, err := Diff(before, after, 10)
	require.NoError(t, err)
	require.Equal(t, Difference{
		Records: 10, OldClusters: 5, NewClusters: 5, OldLinks: 6, NewLinks: 6, LinksGained: 4, LinksLost: 4,
		ReviewGained: 1, ReviewLost: 1, Merged: 1, Split: 1, Regrouped: 1, Moved: 10, Samples: d.Samples,
	}, *d)
	kinds := map[string]Move{}
	for _, s := range d.Samples {
		kinds[s.Kind] = s
	}
	require.Len(t, kinds[MoveMerged].Old, 2)
	require.Len(t, kinds[MoveMerged].New, 1)
	require.Equal(t, []float32{1, 5}, []float32{*kinds[MoveMerged].Deciding.Old, *kinds[MoveMerged].Deciding.New})
	require.Len(t, kinds[MoveSplit].New, 2)
	require.Equal(t, []float32{7, 3}, []float32{*kinds[MoveSplit].Deciding.Old, *kinds[MoveSplit].Deciding.New})
	require.Nil(t, kinds[MoveRegrouped].Deciding.Old)
	require.Len(t, d.Samples, 3)

	same, err := Diff(before, before, 10)
	require.NoError(t, err)
	require.Zero(t, same.Moved+same.Merged+same.Split+same.Regrouped+len(same.Samples)+int(same.LinksGained+same.LinksLost)+same.ReviewGained+same.ReviewLost)
	few, err := Diff(before, after, 1)
	require.NoError(t, err)
	require.Len(t, few.Samples, 1)
	_, err = Diff(before, outcomeOf(t, m, rows[1:], nil), 1)
	require.ErrorIs(t, err, errOtherRecords)
}
