package linkage

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
)

// Report tells how a model was trained.
type Report struct {
	Records    int          `yaml:"records" json:"records"`
	References int          `yaml:"references,omitempty" json:"references,omitempty"`
	Seed       uint64       `yaml:"seed" json:"seed"`
	Random     int64        `yaml:"random_pairs" json:"random_pairs"`
	Rounds     int          `yaml:"rounds" json:"rounds"`
	Rules      []RuleReport `yaml:"rules" json:"rules"`
	// Untrained are the comparisons that no rule leaves to be trained.
	Untrained []string `yaml:"untrained,omitempty" json:"untrained,omitempty"`
	// Unseen are the comparisons of whose values no pair has both: the weights that
	// the model gave them stand.
	Unseen []string `yaml:"unseen,omitempty" json:"unseen,omitempty"`
	// Advice is what would make the model better.
	Advice []string `yaml:"advice,omitempty" json:"advice,omitempty"`
}

// RuleReport tells of the training in the blocks of one rule.
type RuleReport struct {
	Rule       string `yaml:"rule" json:"rule"`
	Kin        bool   `yaml:"kin,omitempty" json:"kin,omitempty"`
	Pairs      int64  `yaml:"pairs" json:"pairs"`
	Patterns   int    `yaml:"patterns" json:"patterns"`
	Iterations int    `yaml:"iterations" json:"iterations"`
	// Implied are comparisons on which nearly all pairs of the rule agree, and
	// which therefore say nothing in it.
	Implied []string `yaml:"implied,omitempty" json:"implied,omitempty"`
	// Lambda is the share of matches among the pairs, KinShare that of kin, TwinShare that of
	// twins.
	Lambda    float64 `yaml:"lambda" json:"lambda"`
	KinShare  float64 `yaml:"kin_share,omitempty" json:"kin_share,omitempty"`
	TwinShare float64 `yaml:"twin_share,omitempty" json:"twin_share,omitempty"`
}

// Progress is told what is being done and how far it is; total is 0 where it
// is unknown. It is called by one goroutine at a time.
type Progress func(stage string, done, total int64)

func (p Progress) tell(stage string, done, total int64) {
	if p != nil {
		p(stage, done, total)
	}
}

// defaultPairs bounds the pairs drawn at random and those of a rule.
const defaultPairs = 2_000_000

// rounds is how often m, kin and u are found from one another.
const rounds = 4

// Train finds the weights of the table's model, without labels: u among pairs
// drawn at random, m by expectation and maximisation in the blocks of each
// training rule without the columns of the rule, kin likewise in the blocks of
// the rules that bring households together. It writes the weights, the prior
// and the report into the model.
func (t *Table) Train(progress Progress) error {
	if err := t.Close(); err != nil {
		return err
	}
	m := t.model.spec
	x := &training{t: t, limit: m.Training.Pairs, seed: m.Training.Seed}
	if x.limit <= 0 {
		x.limit = defaultPairs
	}
	for i := range t.model.comparisons {
		x.levels = append(x.levels, len(t.model.comparisons[i].levels))
	}
	progress.tell("blocking", 0, 0)
	x.blocks = newBlocks(t)
	m.Report = &Report{Records: t.Len(), References: t.References(), Seed: x.seed, Rounds: rounds}
	progress.tell("random pairs", 0, 0)
	x.random = x.drawRandom()
	for _, c := range x.random {
		m.Report.Random += c.pairs
	}
	if m.Report.Random == 0 {
		return fmt.Errorf("training: no two records may be compared: is every record of the reference?")
	}
	for i, s := range m.Blocking {
		forM, forKin := slices.Contains(m.Training.Rules, s.Name), slices.Contains(m.Training.Kin, s.Name)
		if !forM && !forKin {
			continue
		}
		progress.tell("pairs of "+s.Name, 0, 0)
		x.rules = append(x.rules, x.collect(i, forKin))
	}
	if !slices.ContainsFunc(x.rules, func(r trainingRule) bool { return !r.kin && r.report.Pairs > 0 }) {
		return fmt.Errorf("training: %s bring no two records together: name other rules, or give more records", strings.Join(m.Training.Rules, " and "))
	}
	x.skipImplied()
	x.start()
	for round := range rounds {
		progress.tell("expectation and maximisation", int64(round), rounds)
		x.round(round)
	}
	x.write()
	x.advise()
	x.prior(progress)
	return nil
}

// advise says what the model lacks.
func (x *training) advise() {
	m := x.t.model.spec
	m.Report.Unseen = x.unseen()
	m.Report.Untrained = slices.DeleteFunc(m.Report.Untrained, func(name string) bool { return slices.Contains(m.Report.Unseen, name) })
	if len(m.Report.Untrained) > 0 {
		m.Report.Advice = append(m.Report.Advice, fmt.Sprintf("%s could not be trained, as all training rules read what they compare: name a rule under training.rules that does not", strings.Join(m.Report.Untrained, ", ")))
	}
	places := slices.ContainsFunc(m.Columns, func(c ColumnSpec) bool {
		return slices.Contains([]string{"address", "street", "phone", "phone_vn"}, c.Role)
	})
	if places && len(m.Training.Kin) == 0 {
		m.Report.Advice = append(m.Report.Advice, "people of one household share addresses and names: if the files have households, add a blocking rule by the address alone and name it under training.kin, or they may be linked")
	}
}

// training is the state of a training.
type training struct {
	t      *Table
	limit  int
	seed   uint64
	levels []int
	blocks *blocks
	random []patternCount
	rules  []trainingRule

	p         [classes]levelTable
	hasKin    bool
	hasTwins  bool
	kinPairs  float64
	twinPairs float64
}

type trainingRule struct {
	index  int
	name   string
	kin    bool
	skip   [maxComparisons]bool
	counts []patternCount
	// scale is how many pairs of the blocks one of the counts stands for.
	scale  float64
	report RuleReport
	// starts are the shares of matches that EM begins with.
	starts []float64
}

// drawRandom counts the patterns of pairs drawn at random.
func (x *training) drawRandom() []patternCount {
	const parts = 16
	counts := make([]map[pattern]int64, parts)
	each(parts, func(i int) {
		r := rand.New(rand.NewPCG(x.seed, uint64(i)))
		c := newComparer(x.t)
		counts[i] = map[pattern]int64{}
		n := int32(x.t.Len())
		for range x.limit / parts {
			a, b := r.Int32N(n), r.Int32N(n)
			if a == b || !x.t.comparable(a, b) {
				continue
			}
			p, _ := c.compare(x.t.row(a), x.t.row(b))
			counts[i][p]++
		}
	})
	return sortedCounts(merge(counts))
}

func merge(counts []map[pattern]int64) map[pattern]int64 {
	for _, m := range counts[1:] {
		for p, n := range m {
			counts[0][p] += n
		}
	}
	return counts[0]
}

// collect counts the patterns in the blocks of a rule, or of a part of its
// pairs, chosen by a hash of the two records' names.
func (x *training) collect(index int, forKin bool) trainingRule {
	spec := &x.t.model.spec.Blocking[index]
	r := trainingRule{index: index, name: spec.Name, kin: forKin}
	for k := range x.t.model.comparisons {
		r.skip[k] = slices.ContainsFunc(x.t.model.comparisons[k].columns, func(column int) bool {
			return x.t.model.rules[index].touches(x.t.model.spec, column)
		})
	}
	b := &x.blocks.rules[index]
	var total int64
	for g := range len(b.starts) - 1 {
		size := int64(b.starts[g+1] - b.starts[g])
		total += size * (size - 1) / 2
	}
	r.scale = max(1, float64(total)/float64(x.limit))
	keep := uint64(float64(math.MaxUint64) / r.scale)
	if r.scale == 1 {
		keep = math.MaxUint64
	}
	const parts = 32
	counts := make([]map[pattern]int64, parts)
	groups := len(b.starts) - 1
	each(parts, func(i int) {
		counts[i] = map[pattern]int64{}
		c := newComparer(x.t)
		for g := groups * i / parts; g < groups*(i+1)/parts; g++ {
			members := b.records[b.starts[g]:b.starts[g+1]]
			for j, a := range members {
				for _, o := range members[j+1:] {
					if mix(x.t.keys[a]^x.t.keys[o]*3+x.seed) <= keep && x.t.comparable(a, o) {
						p, _ := c.compare(x.t.row(a), x.t.row(o))
						counts[i][p]++
					}
				}
			}
		}
	})
	r.counts = sortedCounts(merge(counts))
	r.report = RuleReport{Rule: spec.Name, Kin: forKin, Patterns: len(r.counts)}
	for _, c := range r.counts {
		r.report.Pairs += c.pairs
	}
	return r
}

// impliedShare is how many of a rule's pairs agree on what the rule implies.
const impliedShare = 0.999

// skipImplied leaves out of a rule the comparisons on which its pairs agree by
// being its pairs, though they read other columns of the files: a column of
// whole names and the names in it. They would make strangers of one name look as
// if they could be none. What all rules imply is left in, as nothing else tells.
func (x *training) skipImplied() {
	for q := range x.levels {
		var implied []int
		others := false
		for i := range x.rules {
			r := &x.rules[i]
			if r.kin || r.skip[q] || r.report.Pairs == 0 {
				continue
			}
			var first, all int64
			for _, c := range r.counts {
				switch c.pattern.level(q) {
				case 0:
				case 1:
					first += c.pairs
					fallthrough
				default:
					all += c.pairs
				}
			}
			switch {
			case all == 0:
			case float64(first) > impliedShare*float64(all):
				implied = append(implied, i)
			default:
				others = true
			}
		}
		if !others {
			continue
		}
		for _, i := range implied {
			x.rules[i].skip[q] = true
			x.rules[i].report.Implied = append(x.rules[i].report.Implied, x.t.model.spec.Comparisons[q].Name)
		}
	}
}

// start sets what EM begins with: u as random pairs have it, and m with most on
// the first levels.
func (x *training) start() {
	for q, levels := range x.levels {
		var seen [16]float64
		sum := pseudo * float64(levels)
		for _, c := range x.random {
			if l := c.pattern.level(q); l > 0 {
				seen[l] += float64(c.pairs)
				sum += float64(c.pairs)
			}
		}
		share := 0.8
		for l := 1; l <= levels; l++ {
			x.p[stranger][q][l] = (seen[l] + pseudo) / sum
			x.p[match][q][l] = share
			share = (1 - 0.8) / float64(max(1, levels-1))
		}
	}
	x.p[kin] = x.p[stranger]
	x.p[twin] = x.p[stranger]
}

func (x *training) mixture() mixture {
	return mixture{levels: x.levels, p: x.p, own: x.t.model.own, hold: x.t.model.spec.comparison(x.t.model.spec.Training.Twins)}
}

// round finds m, then kin, then u, each with the others as they stand.
func (x *training) round(round int) {
	var m average
	for i := range x.rules {
		r := &x.rules[i]
		if r.kin || r.report.Pairs == 0 {
			continue
		}
		e := x.mixture()
		e.skip, e.free[match] = r.skip, true
		e.share = [classes]float64{match: 0.5, stranger: 0.5}
		if x.hasKin {
			e.share = [classes]float64{match: 0.5, stranger: 0.4, kin: 0.1}
			if x.hasTwins {
				e.share[twin] = 0.01
			}
		}
		if round == 0 {
			r.starts = matchShares[:]
		}
		var start float64
		start, r.report.Iterations = e.likeliest(r.counts, r.starts)
		r.starts = []float64{start}
		r.report.Lambda, r.report.KinShare, r.report.TwinShare = e.share[match], e.share[kin], e.share[twin]
		m.add(&e, match)
	}
	m.into(&x.p[match], x.levels)
	x.atLeast()
	if round == 0 {
		for q := range x.levels {
			if m.weights[q] == 0 {
				x.t.model.spec.Report.Untrained = append(x.t.model.spec.Report.Untrained, x.t.model.spec.Comparisons[q].Name)
			}
		}
	}
	var relatives, twins average
	x.kinPairs, x.twinPairs = 0, 0
	for i := range x.rules {
		r := &x.rules[i]
		if !r.kin || r.report.Pairs == 0 {
			continue
		}
		e := x.mixture()
		e.skip, e.free[kin] = r.skip, true
		e.share = [classes]float64{match: 0.4, stranger: 0.1, kin: 0.5}
		if e.hold >= 0 && !r.skip[e.hold] {
			e.free[twin], e.share[twin] = true, 0.02
			if !x.hasTwins {
				x.likeTwins(&e, e.hold)
			}
		}
		r.report.Iterations = e.run(r.counts)
		r.report.Lambda, r.report.KinShare, r.report.TwinShare = e.share[match], e.share[kin], e.share[twin]
		relatives.add(&e, kin)
		twins.add(&e, twin)
		x.kinPairs = max(x.kinPairs, e.share[kin]*float64(r.report.Pairs)*r.scale)
		x.twinPairs = max(x.twinPairs, e.share[twin]*float64(r.report.Pairs)*r.scale)
	}
	if x.kinPairs >= 1 {
		relatives.into(&x.p[kin], x.levels)
		x.shared(kin, &relatives)
		x.hasKin = true
		if x.twinPairs >= 1 {
			twins.into(&x.p[twin], x.levels)
			x.shared(twin, &twins)
			x.hasTwins = true
		}
	}
	// Some of the pairs drawn at random match: in a small table they would pass
	// for agreement by chance.
	e := x.mixture()
	e.free[stranger] = true
	e.share = [classes]float64{match: 1e-6, stranger: 1 - 2e-6, kin: 1e-6}
	if !x.hasKin {
		e.share[kin] = 0
	}
	if x.hasTwins {
		e.share[twin] = 1e-7
	}
	e.run(x.random)
	x.p[stranger] = e.p[stranger]
}

// atLeast gives levels the m that the model says they have at the least, and
// takes it from the others in proportion.
func (x *training) atLeast() {
	for q, levels := range x.levels {
		p := &x.p[match][q]
		given, rest := 0.0, 0.0
		for l := 1; l <= levels; l++ {
			if least := x.t.model.spec.Comparisons[q].Levels[l-1].MAtLeast; p[l] < least {
				given += least
			} else {
				rest += p[l]
			}
		}
		if given == 0 {
			continue
		}
		for l := 1; l <= levels; l++ {
			if least := x.t.model.spec.Comparisons[q].Levels[l-1].MAtLeast; p[l] < least {
				p[l] = least
			} else {
				p[l] *= (1 - given) / rest
			}
		}
	}
}

// shared gives a class what matches have on the comparisons by which alone its
// pairs were brought together: agreeing on a household's address does not tell a
// person from the household.
func (x *training) shared(class int, trained *average) {
	for q := range x.levels {
		if trained.weights[q] == 0 {
			x.p[class][q] = x.p[match][q]
		}
	}
}

// twinsAgree is how often records of twins agree on the birth date.
const twinsAgree = 0.9

// likeTwins begins twins as kin that agree on the birth date.
func (x *training) likeTwins(e *mixture, birth int) {
	e.p[twin] = e.p[kin]
	for l := 1; l <= x.levels[birth]; l++ {
		e.p[twin][birth][l] = (1 - twinsAgree) / float64(x.levels[birth])
	}
	e.p[twin][birth][1] += twinsAgree
}

func (x *training) write() {
	m := x.t.model.spec
	seen := x.seen()
	for q := range m.Comparisons {
		if !seen[q] && slices.ContainsFunc(m.Comparisons[q].Levels, func(l LevelSpec) bool { return l.M > 0 }) {
			continue // no pair has both values: what the model says stands
		}
		for i := range m.Comparisons[q].Levels {
			l := &m.Comparisons[q].Levels[i]
			l.M, l.U, l.Kin = round6(x.p[match][q][i+1]), round6(x.p[stranger][q][i+1]), 0
			if x.hasKin {
				l.Kin = round6(x.p[kin][q][i+1])
			}
			if l.Twin = 0; x.hasTwins {
				l.Twin = round6(x.p[twin][q][i+1])
			}
		}
	}
	m.Report.Rules = nil
	for _, r := range x.rules {
		r.report.Lambda, r.report.KinShare, r.report.TwinShare = round6(r.report.Lambda), round6(r.report.KinShare), round6(r.report.TwinShare)
		m.Report.Rules = append(m.Report.Rules, r.report)
	}
}

// unseen are the names of the comparisons that are not seen.
func (x *training) unseen() (names []string) {
	seen := x.seen()
	for q := range x.levels {
		if !seen[q] {
			names = append(names, x.t.model.spec.Comparisons[q].Name)
		}
	}
	return names
}

// seen are the comparisons of which any pair of the training has both values.
func (x *training) seen() (seen [maxComparisons]bool) {
	all := [][]patternCount{x.random}
	for i := range x.rules {
		all = append(all, x.rules[i].counts)
	}
	for _, counts := range all {
		for _, c := range counts {
			for q := range x.levels {
				seen[q] = seen[q] || c.pattern.level(q) > 0
			}
		}
	}
	return seen
}

// round6 keeps six digits, which are plenty for a weight and can be read.
func round6(p float64) float64 {
	if p == 0 {
		return 0
	}
	scale := math.Pow(10, 5-math.Floor(math.Log10(p)))
	return math.Round(p*scale) / scale
}

// prior finds how many matches a record has, and how much of the other records
// the reference covers, from the ratios of all pairs that share a block.
func (x *training) prior(progress Progress) {
	m, t := x.t.model.spec, x.t
	n := float64(t.Len())
	m.Prior = &Prior{Matches: 1}
	if x.hasKin {
		m.Prior.Kin = round6(2 * x.kinPairs / n)
		m.Prior.Twins = round6(2 * x.twinPairs / n)
	}
	if t.referenced {
		m.Prior.Coverage = 0.5
	}
	// Candidates so improbable that no prior makes anything of them are left
	// out.
	w := t.weights()
	scored := t.score(x.blocks, w, -20, progress)
	outside := n - float64(t.References())
	for range 50 {
		p := float64(odds(min(0.5, m.Prior.Matches/(n-1))))
		var matches float64
		for _, e := range scored {
			if !t.isReference(e.A) && !t.isReference(e.B) {
				matches += 1 / (1 + math.Exp2(-float64(e.Weight-w.prior)-p))
			}
		}
		m.Prior.Matches = max(1e-6, 2*matches/outside)
	}
	m.Prior.Matches = round6(m.Prior.Matches)
	if t.referenced {
		m.Prior.Coverage = round6(t.coverage(scored, w))
	}
}
