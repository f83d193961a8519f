package linkage

import (
	"fmt"
	"math"
	"math/bits"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/hopluu/hopluu/processors/identity"
)

// compiled is a model made ready for work.
type compiled struct {
	spec        *Model
	roles       []role
	variants    map[string]string
	comparisons []comparison
	rules       []rule
	near        []nearRule // the rules after those
	// typed is the column of each kind of number, -1 without.
	typed [identity.TaxCode + 1]int
	// name is the column of full names, node that of what a record speaks of, -1
	// without.
	name, node int
	// earliest is the year before which no date is read.
	earliest int
	// says are the columns that a CCCD speaks of, nil without.
	says *says
	// only are the columns that say something in records of some nodes.
	only []onlyNodes
	// personal are ones in the places of the comparisons of a person's numbers:
	// in a record of a firm or a household they are those of whoever answers for it.
	personal pattern
	doubts   []patterns
	live     *live // nil in a model for files only
	own      [maxComparisons]own
}

func (m *Model) compile() (*compiled, error) {
	c := &compiled{spec: m, variants: map[string]string{}, typed: [...]int{-1, -1, -1, -1}, name: -1, node: -1}
	for i, column := range m.Columns {
		r := roles[column.Role]
		c.roles = append(c.roles, r)
		if r.typed {
			c.typed[r.id] = i
		}
		if column.Role == "full_name" && c.name < 0 {
			c.name = i
		}
		if column.Role == "node" {
			if c.node >= 0 {
				return nil, fmt.Errorf("columns: %s: role node is another column's already", column.Name)
			}
			c.node = i
		}
		if len(column.Nodes) > 0 {
			only := onlyNodes{column: i}
			for _, name := range column.Nodes {
				node := identity.ParseNode([]byte(name))
				if node.String() != name {
					return nil, fmt.Errorf("columns: %s: nodes: %q is no kind: use person, household, household_business or organisation", column.Name, name)
				}
				only.nodes |= 1 << node
			}
			c.only = append(c.only, only)
		}
		if column.Says != nil {
			var err error
			if c.says, err = m.compileSays(i); err != nil {
				return nil, err
			}
		}
	}
	for _, group := range m.Variants {
		if len(group) < 2 {
			return nil, fmt.Errorf("variants: %v: a group has two words or more", group)
		}
		for _, word := range group {
			if _, again := c.variants[word]; again {
				return nil, fmt.Errorf("variants: %q stands twice", word)
			}
			c.variants[word] = group[0]
		}
	}
	for i := range m.Comparisons {
		s := &m.Comparisons[i]
		if len(s.Levels) == 0 || s.Levels[len(s.Levels)-1].Is != levelDiffer {
			s.Levels = append(s.Levels, LevelSpec{Is: levelDiffer})
		}
		q, err := m.compileComparison(s)
		if err != nil {
			return nil, fmt.Errorf("comparison %s: %w", s.Name, err)
		}
		if slices.ContainsFunc(m.Comparisons[:i], func(o ComparisonSpec) bool { return o.Name == s.Name }) {
			return nil, fmt.Errorf("comparison %s stands twice", s.Name)
		}
		c.comparisons = append(c.comparisons, q)
		c.own[i] = c.owned(&q)
		if slices.ContainsFunc(q.columns, func(column int) bool { return slices.Contains(c.typed[:identity.TaxCode], column) }) {
			c.personal |= 15 << (4 * i)
		}
	}
	for i := range m.Blocking {
		r, err := m.compileRule(&m.Blocking[i])
		if err != nil {
			return nil, fmt.Errorf("blocking rule %s: %w", m.Blocking[i].Name, err)
		}
		switch {
		case slices.ContainsFunc(r.keys, func(k key) bool { return k.op == keyDeletions }):
			n, err := m.compileNear(c, &m.Blocking[i], &r)
			if err != nil {
				return nil, fmt.Errorf("blocking rule %s: %w", m.Blocking[i].Name, err)
			}
			c.near = append(c.near, n)
			continue
		case len(c.near) > 0:
			return nil, fmt.Errorf("blocking rule %s: rules with deletions come after all others: move it up", m.Blocking[i].Name)
		}
		c.rules = append(c.rules, r)
	}
	var err error
	if c.doubts, err = m.compilePatterns(m.Doubts); err != nil {
		return nil, fmt.Errorf("doubts: %w", err)
	}
	c.earliest = identity.FirstYear
	if m.Live != nil {
		c.earliest = identity.RegisteredYear
		if c.live, err = m.compileLive(c); err != nil {
			return nil, fmt.Errorf("live: %w", err)
		}
	}
	return c, nil
}

// owned tells what of a comparison two people of one household seldom share.
func (c *compiled) owned(q *comparison) (o own) {
	for i := range q.levels {
		l := &q.levels[i]
		switch r := &c.roles[l.column]; {
		case (r.own || r.typed) && (l.op == opEqual || l.op == opRestored || l.op == opNear):
			o.most = ownNumber
		case r.kind == dateKind && (l.op == opEqual || l.op == opDayMonth):
			o.most = ownDate
		default:
			continue
		}
		o.levels |= 1 << (i + 1)
	}
	return o
}

// onlyNodes is a column with a bit for each node of which it says something.
type onlyNodes struct {
	column int
	nodes  uint8
}

// finish writes into a record what follows from its cells together.
func (c *compiled) finish(row []cell) {
	if len(c.only) > 0 {
		node := c.nodeOf(row)
		for _, only := range c.only {
			if only.nodes>>node&1 == 0 {
				row[only.column] = cell{}
			}
		}
	}
	if c.says != nil {
		c.says.mark(row)
	}
}

// nodeOf tells what a record speaks of: what it says itself, unless its name is
// one that no person bears.
func (c *compiled) nodeOf(row []cell) identity.Node {
	node, named := identity.AnyNode, identity.AnyNode
	if c.node >= 0 {
		node = identity.Node(row[c.node].a)
	}
	if c.name >= 0 {
		named = row[c.name].node()
	}
	if node <= identity.PersonNode && named != identity.AnyNode {
		return named
	}
	return node
}

// otherKinds tells two records that do not speak of one kind: a person, a
// household, a household business, an organisation. One may answer for the other
// and share its numbers: that is a role, not one entity.
func (c *compiled) otherKinds(x, y []cell) bool {
	if c.name < 0 && c.node < 0 {
		return false
	}
	a, b := c.nodeOf(x), c.nodeOf(y)
	return a != b && a != identity.AnyNode && b != identity.AnyNode
}

// weights are the logarithms of a model's probabilities, by comparison and
// level; level 0, missing, is 0 everywhere.
type weights struct {
	m, u, kin, twin [maxComparisons][16]float32
	bounds          [maxComparisons]bounds
	// hasKin and hasTwins tell what the model knows.
	hasKin, hasTwins bool
	// The logarithms of their shares among pairs that do not match.
	strangers, relatives, twins float32
	prior                       float32 // of two records outside the reference
	priorReference              float32
}

// smallest is the least probability of a level: nothing is impossible.
const smallest = 1e-9

func log2(p float64) float32 { return float32(math.Log2(max(p, smallest))) }

// weights makes the weights for a table.
func (t *Table) weights() *weights {
	m := t.model.spec
	w := &weights{hasKin: m.Prior != nil && m.Prior.Kin > 0, hasTwins: m.Prior != nil && m.Prior.Twins > 0}
	for k, q := range m.Comparisons {
		for i, l := range q.Levels {
			w.m[k][i+1], w.u[k][i+1] = log2(l.M), log2(l.U)
			if t.live && t.model.byChance(k, i) {
				w.u[k][i+1] = min(w.u[k][i+1], log2(t.model.live.spec.Chance))
			}
			w.kin[k][i+1] = w.u[k][i+1]
			if l.Kin > 0 {
				w.kin[k][i+1] = log2(l.Kin)
			}
			w.twin[k][i+1] = w.kin[k][i+1]
			if l.Twin > 0 {
				w.twin[k][i+1] = log2(l.Twin)
			}
		}
	}
	w.bounds = w.boundsOf(t.model)
	if m.Prior == nil {
		return w
	}
	records, references := t.sizes()
	others := float64(records - 1)
	if w.hasKin {
		kin := min(0.5, m.Prior.Kin/others)
		w.strangers, w.relatives = log2(1-kin), log2(kin)
		w.twins = log2(min(0.1, m.Prior.Twins/others))
	}
	w.prior = odds(min(0.5, m.Prior.Matches/others))
	w.priorReference = w.prior
	if references > 0 && m.Prior.Coverage > 0 {
		w.priorReference = odds(min(0.5, m.Prior.Coverage/float64(references)))
	}
	return w
}

// byChance tells the levels on which two strangers agree by chance alone: equal
// identifiers that are watched.
func (c *compiled) byChance(comparison, level int) bool {
	l := &c.comparisons[comparison].levels[level]
	return c.live.spec.Chance > 0 && (l.op == opEqual || l.op == opRestored) &&
		slices.ContainsFunc(c.live.shared, func(s sharedRule) bool { return s.column == l.column })
}

// sizes are the numbers of records, and of those of the reference.
func (t *Table) sizes() (records, references int) {
	if t.live {
		return t.model.spec.Live.Records, t.model.spec.Live.People
	}
	return t.Len(), t.References()
}

func odds(p float64) float32 { return log2(p) - log2(1-p) }

// ratio gives log2 of how much likelier a pattern is in a match than in a pair
// that does not match.
func (w *weights) ratio(p pattern, rarity float32) float32 {
	return w.ratioFrom(float32(math.Inf(-1)), p, rarity)
}

// ratioFrom is ratio where that is floor or more, and something below floor
// where it is not: strangers alone tell that of most pairs, without logarithms.
func (w *weights) ratioFrom(floor float32, p pattern, rarity float32) float32 {
	var m, u, kin, twin float32
	for p != 0 {
		// The first comparison that is not missing: missing adds nothing.
		k := bits.TrailingZeros64(uint64(p)) / 4
		l := p >> (4 * k) & 15
		p &^= 15 << (4 * k)
		m += w.m[k][l]
		u += w.u[k][l]
		kin += w.kin[k][l]
		twin += w.twin[k][l]
	}
	u -= rarity
	if !w.hasKin {
		return m - u
	}
	if most := m - (u + w.strangers); most < floor {
		return most
	}
	others := logSum(u+w.strangers, kin+w.relatives)
	if w.hasTwins {
		others = logSum(others, twin+w.twins)
	}
	return m - others
}

// logSum is log2(2^x + 2^y).
func logSum(x, y float32) float32 {
	if x < y {
		x, y = y, x
	}
	if x-y > 24 {
		return x
	}
	return x + float32(math.Log2(1+math.Exp2(float64(y-x))))
}

// priorOf gives the prior of a pair, in bits.
func (t *Table) priorOf(w *weights, a, b int32) float32 {
	if t.isReference(a) || t.isReference(b) {
		return w.priorReference
	}
	return w.prior
}

// each runs fn for 0 to n-1 on all processors. What fn does must not depend on
// the order.
func each(n int, fn func(int)) {
	var next atomic.Int64
	var wait sync.WaitGroup
	for range min(n, runtime.GOMAXPROCS(0)) {
		wait.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= n {
					return
				}
				fn(i)
			}
		})
	}
	wait.Wait()
}
