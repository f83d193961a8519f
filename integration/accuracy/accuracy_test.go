package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/hopluu/hopluu/processors/identity/linkage"
	"github.com/stretchr/testify/require"
)

// A slice of `make accuracy`: trained on one city, without labels, tested on
// others of another seed, at half, once and double the faults. The bounds hold
// for small cities; the figures of a million people are in the command's
// output.
func TestLinksAreRight(t *testing.T) {
	const persons = 5000
	m, err := linkage.Default("city")
	require.NoError(t, err)
	training, err := load(m, cityParams{seed: 11, persons: persons, rate: 1})
	require.NoError(t, err)
	require.NoError(t, training.table.Train(nil))
	for _, c := range []struct {
		rate, recall, review float64
	}{{0.5, 0.995, 0.998}, {1, 0.98, 0.99}, {2, 0.95, 0.975}} {
		test, err := load(m, cityParams{seed: 12, persons: persons, rate: c.rate})
		require.NoError(t, err)
		result, err := test.link()
		require.NoError(t, err)
		e := result.evaluation
		t.Logf("%g times the faults: precision %.5f recall %.5f, with review %.5f", c.rate, e.Pairs.Precision, e.Pairs.Recall, e.Review.Recall)
		require.GreaterOrEqual(t, e.Pairs.Precision, 0.999)
		require.GreaterOrEqual(t, e.Pairs.Recall, c.recall)
		require.GreaterOrEqual(t, e.Review.Recall, c.review)
		require.Less(t, e.ReviewPairs, test.table.Len()/50, "people can look at no more")
	}
}

// The weights that come with the program do as well on a city that they were
// not trained on.
func TestShippedWeightsAreRight(t *testing.T) {
	m, err := linkage.Default("city")
	require.NoError(t, err)
	require.True(t, m.Trained())
	test, err := load(m, cityParams{seed: 13, persons: 5000, rate: 1})
	require.NoError(t, err)
	result, err := test.link()
	require.NoError(t, err)
	require.GreaterOrEqual(t, result.evaluation.Pairs.Precision, 0.999)
	require.GreaterOrEqual(t, result.evaluation.Pairs.Recall, 0.99)
}

func TestProgramPrintsAndExports(t *testing.T) {
	small := options{train: cityParams{seed: 1, persons: 1000, rate: 1}, test: cityParams{seed: 2, persons: 1000, rate: 1}, show: 1}
	var out bytes.Buffer
	require.NoError(t, run(&out, small))
	require.Contains(t, out.String(), "pairs with review")
	require.Contains(t, out.String(), "from 10 bits")
	require.Contains(t, out.String(), "summary (asked at the fixed rates")
	small.export = t.TempDir()
	require.NoError(t, run(&out, small))
	rows, err := os.ReadFile(filepath.Join(small.export, "records.csv"))
	require.NoError(t, err)
	truth, err := os.ReadFile(filepath.Join(small.export, "truth.csv"))
	require.NoError(t, err)
	require.Equal(t, bytes.Count(rows, []byte("\n")), bytes.Count(truth, []byte("\n")))
}
