package linkage

import (
	"cmp"
	"math"
	"slices"
)

// patternCount is how many pairs showed a pattern.
type patternCount struct {
	pattern pattern
	pairs   int64
}

func sortedCounts(m map[pattern]int64) []patternCount {
	all := make([]patternCount, 0, len(m))
	for p, n := range m {
		all = append(all, patternCount{p, n})
	}
	slices.SortFunc(all, func(x, y patternCount) int { return cmp.Compare(x.pattern, y.pattern) })
	return all
}

// A pair is a match, of strangers, of kin, or of kin that agree on what the
// model's twins say (a birth date): among those, names are alike too.
const (
	match = iota
	stranger
	kin
	twin
	classes
)

// levelTable are probabilities by comparison and level; level 0, missing, is 1.
type levelTable [maxComparisons][16]float64

// own are the levels, a bit each, at which two records have the same of what
// everybody has of their own, a number or a birth date, and how often at most
// two people of one household do. Without it, where there are no households but
// records with many faults, kin would be those: one number, other names.
type own struct {
	levels uint16
	most   float64
}

const (
	ownNumber = 0.005 // a child with its mother's
	ownDate   = 0.03  // twins
)

// mixture is what EM works on.
type mixture struct {
	levels []int // how many each comparison has
	p      [classes]levelTable
	share  [classes]float64
	// free are the classes whose probabilities are found; the others stand.
	free [classes]bool
	// skip are the comparisons that say nothing, as they are what brought the
	// pairs together.
	skip [maxComparisons]bool
	// hold is the comparison that twins are known by, -1 for none: what it says
	// of twins stands.
	hold int
	// own has for each comparison what two people of one household seldom share.
	own [maxComparisons]own
	// mass is how many pairs of a free class have both values of a comparison.
	mass [classes][maxComparisons]float64
}

const (
	maxIterations = 200
	converged     = 1e-6
	// pseudo is added to every count, so that nothing is impossible.
	pseudo = 0.5
)

// run finds the shares and the free probabilities by expectation and
// maximisation over counts of patterns (Dempster, Laird and Rubin 1977; for
// linkage Winkler 1988), and gives the number of iterations.
func (x *mixture) run(counts []patternCount) int {
	for iteration := 1; ; iteration++ {
		var sums [classes]levelTable
		var total [classes]float64
		for _, c := range counts {
			e := x.expect(c.pattern)
			for k := range classes {
				if e[k] == 0 {
					continue
				}
				weight := e[k] * float64(c.pairs)
				total[k] += weight
				if x.free[k] {
					for q := range x.levels {
						sums[k][q][c.pattern.level(q)] += weight
					}
				}
			}
		}
		var change float64
		all := total[match] + total[stranger] + total[kin] + total[twin]
		if all == 0 {
			return iteration
		}
		for k := range classes {
			change = max(change, math.Abs(x.share[k]-total[k]/all))
			x.share[k] = total[k] / all
			if x.free[k] {
				change = max(change, x.maximise(k, &sums[k]))
			}
		}
		if change < converged || iteration == maxIterations {
			return iteration
		}
	}
}

// matchShares are the shares of matches that EM begins with, one after another:
// where most of a rule's pairs are strangers' (a common name), it ends from too
// large a share at calling all of them matches.
var matchShares = [...]float64{0.5, 0.1, 0.01, 0.001}

// likeliest runs EM from each of some shares of matches, the other classes in
// proportion, and keeps what makes the pairs most likely. It gives the share
// that run began with, and its iterations.
func (x *mixture) likeliest(counts []patternCount, shares []float64) (start float64, iterations int) {
	best := math.Inf(-1)
	var kept mixture
	for _, share := range shares {
		y := *x
		for k := range y.share {
			if k != match {
				y.share[k] *= (1 - share) / (1 - x.share[match])
			}
		}
		y.share[match] = share
		n := y.run(counts)
		if likelihood := y.likelihood(counts); likelihood > best+converged*math.Abs(best) || math.IsInf(best, -1) {
			best, kept, start, iterations = likelihood, y, share, n
		}
	}
	*x = kept
	return start, iterations
}

// likelihood is the logarithm of how likely the pairs are.
func (x *mixture) likelihood(counts []patternCount) (sum float64) {
	for _, c := range counts {
		sum += float64(c.pairs) * math.Log(max(math.SmallestNonzeroFloat64, x.likely(c.pattern)))
	}
	return sum
}

// likely is how likely a pattern is.
func (x *mixture) likely(p pattern) (sum float64) {
	for _, e := range x.joint(p) {
		sum += e
	}
	return sum
}

// expect gives the probabilities of the classes for a pattern.
func (x *mixture) expect(p pattern) (e [classes]float64) {
	e = x.joint(p)
	sum := e[match] + e[stranger] + e[kin] + e[twin]
	if sum > 0 {
		for k := range e {
			e[k] /= sum
		}
	}
	return e
}

// joint gives how likely a pattern is together with each of the classes.
func (x *mixture) joint(p pattern) (e [classes]float64) {
	e = x.share
	for q := range x.levels {
		if x.skip[q] {
			continue
		}
		if l := p.level(q); l > 0 {
			for k := range classes {
				e[k] *= x.p[k][q][l]
			}
		}
	}
	return e
}

func (x *mixture) maximise(k int, sums *levelTable) (change float64) {
	for q, levels := range x.levels {
		if x.skip[q] || k == twin && q == x.hold {
			continue
		}
		sum := pseudo * float64(levels)
		for l := 1; l <= levels; l++ {
			sum += sums[q][l]
		}
		var same float64
		if x.own[q].levels != 0 {
			for l := 1; l <= levels; l++ {
				if x.own[q].levels>>l&1 != 0 {
					same += (sums[q][l] + pseudo) / sum
				}
			}
		}
		for l := 1; l <= levels; l++ {
			p := (sums[q][l] + pseudo) / sum
			if (k == kin || k == twin) && same > x.own[q].most {
				if x.own[q].levels>>l&1 != 0 {
					p *= x.own[q].most / same
				} else {
					p *= (1 - x.own[q].most) / (1 - same)
				}
			}
			change = max(change, math.Abs(p-x.p[k][q][l]))
			x.p[k][q][l] = p
		}
		x.mass[k][q] = sum - pseudo*float64(levels)
	}
	return change
}

// average adds the probabilities of a class, weighted by how many pairs each
// training found them of: a rule in whose blocks nobody states a value says
// nothing of it.
type average struct {
	sums    levelTable
	weights [maxComparisons]float64
}

func (a *average) add(x *mixture, k int) {
	for q, levels := range x.levels {
		if x.skip[q] {
			continue
		}
		a.weights[q] += x.mass[k][q]
		for l := 1; l <= levels; l++ {
			a.sums[q][l] += x.mass[k][q] * x.p[k][q][l]
		}
	}
}

// into writes the averages; comparisons that no training said anything of keep
// what they have.
func (a *average) into(t *levelTable, levels []int) {
	for q, n := range levels {
		if a.weights[q] == 0 {
			continue
		}
		for l := 1; l <= n; l++ {
			t[q][l] = a.sums[q][l] / a.weights[q]
		}
	}
}
