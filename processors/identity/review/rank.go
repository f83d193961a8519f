package review

import (
	"math"
	"slices"

	"github.com/hopluu/hopluu/processors/identity/linkage"
)

// Figures that a pair may change, as the views of gold count them.
const (
	FigureDeaths  = "deaths"  // who died, and what the dead are paid
	FigureWelfare = "welfare" // who receives assistance
	FigureInsured = "insured" // who is known to the health system, and insured
)

// Sectors whose records are counted in a figure.
const (
	sectorWelfare = "welfare"
	sectorHealth  = "health"
)

// Ranked is how much a pair matters.
type Ranked struct {
	// Rank is the expected effect of a decision, without a unit: greater is to
	// be looked at first.
	Rank float64
	// Figures that it may change, sorted.
	Figures []string
}

// Weights of the parts of a rank. Moved records count by their logarithm, so
// that a person with many records does not hide all others.
const (
	pointsDeaths   = 4 // a death that another system does not know of
	pointsFigure   = 2 // each other figure
	pointsTwice    = 2 // each sector that counts one person twice
	pointsJoined   = 1 // each sector that comes to those of the greater side
	pointsRegister = 1 // records are linked to a citizen
	// A decision that cannot be kept is wrong now: it comes first.
	pointsConflict = 1000
)

// What is believed of pairs whose weight does not say how likely they are one.
const (
	chanceForbidden = 0.5
	chanceShared    = 0.25
)

// Rank says how much a pair matters: what one person instead of two would
// change, times how likely that is. So of two pairs of one effect, the one that
// is nearer to the link threshold comes first.
func Rank(r *linkage.Review) Ranked {
	a, b := r.Effect.Sectors[0], r.Effect.Sectors[1]
	var twice, all int
	for _, sector := range a {
		if slices.Contains(b, sector) {
			twice++
		}
	}
	all = len(a) + len(b) - twice
	either := func(sector string) bool { return slices.Contains(a, sector) || slices.Contains(b, sector) }

	var out Ranked
	points := math.Log2(1 + float64(min(r.Effect.Records[0], r.Effect.Records[1])))
	points += pointsTwice*float64(twice) + pointsJoined*float64(all-max(len(a), len(b)))
	if r.Effect.Register {
		points += pointsRegister
	}
	for _, f := range []struct {
		figure  string
		touched bool
		points  float64
	}{
		{FigureDeaths, r.Effect.Died, pointsDeaths},
		{FigureInsured, either(sectorHealth), pointsFigure},
		{FigureWelfare, either(sectorWelfare), pointsFigure},
	} {
		if f.touched {
			out.Figures = append(out.Figures, f.figure)
			points += f.points
		}
	}
	switch r.Rule {
	case linkage.RuleConflict:
		out.Rank = pointsConflict + points
	case linkage.RuleWeights:
		out.Rank = points / (1 + math.Exp2(-r.Weight))
	case linkage.RuleForbidden:
		out.Rank = points * chanceForbidden
	default:
		out.Rank = points * chanceShared
	}
	return out
}
