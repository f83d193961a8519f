package linkage

import (
	"fmt"
	"slices"

	"github.com/hopluu/hopluu/processors/identity"
)

// A pattern keeps the level of each comparison in four bits: 0 is missing, the
// levels follow from 1 on.
type pattern uint64

const (
	maxComparisons = 16
	maxLevels      = 14
)

func (p pattern) level(comparison int) int { return int(p >> (4 * comparison) & 15) }

// op is the test of a level.
type op uint8

const (
	opEqual     op = iota // the same value
	opUnmarked            // equal without diacritics, of which one side has none at all
	opToneless            // equal without diacritics
	opVariant             // equal when variants of one word count as one
	opReordered           // the same words in another order
	opPartial             // one side leaves out words of the middle
	opSubset              // one side leaves out words
	opEdit                // at most within letters differ, in a text of that length times three or more
	opSimilar             // Jaro-Winkler at least at_least
	opOneWord             // one word of several is another
	opFirstWord           // the first word is the same
	opLastWord            // the last word is the same
	opSwapped             // the values of two columns are exchanged
	opNear                // a number: one digit other, more or less, or two neighbours exchanged
	opRestored            // a number: equal once lost zeros are put back
	opYearOnly            // a date: the year is the same, and one side knows no more (or wrote 1 January)
	opDayMonth            // a date: day and month exchanged
	opOneDigit            // a date: one of its digits is another
	opDays                // a date: at most within days apart
	opMonth               // a date: the same year and month
	opYear                // a date: the same year
	opYears               // a date: at most within years apart
	opDoubted             // a CCCD: one side's says another sex or year of birth than its own record
	opSaysSex             // a CCCD: one side's says the other's sex, which its own record leaves out
	opSaysYear            // likewise its year of birth
	opSaysPlace           // likewise its province of birth
	opDiffer              // everything else
)

// opSpec is what a level's test takes.
type opSpec struct {
	op    op
	kinds []kind
	// within and atLeast tell which parameter is needed.
	within, atLeast bool
}

var anyKind = []kind{textKind, dateKind, numberKind}

var ops = map[string]opSpec{
	"equal":        {op: opEqual, kinds: anyKind},
	"unmarked":     {op: opUnmarked, kinds: []kind{textKind}},
	"toneless":     {op: opToneless, kinds: []kind{textKind}},
	"variant":      {op: opVariant, kinds: []kind{textKind}},
	"reordered":    {op: opReordered, kinds: []kind{textKind}},
	"partial":      {op: opPartial, kinds: []kind{textKind}},
	"subset":       {op: opSubset, kinds: []kind{textKind}},
	"edit":         {op: opEdit, kinds: []kind{textKind}, within: true},
	"jaro_winkler": {op: opSimilar, kinds: []kind{textKind}, atLeast: true},
	"one_word":     {op: opOneWord, kinds: []kind{textKind}},
	"first_word":   {op: opFirstWord, kinds: []kind{textKind}},
	"last_word":    {op: opLastWord, kinds: []kind{textKind}},
	"swapped":      {op: opSwapped, kinds: []kind{textKind}},
	"near":         {op: opNear, kinds: []kind{numberKind}},
	"restored":     {op: opRestored, kinds: []kind{numberKind}},
	"year_only":    {op: opYearOnly, kinds: []kind{dateKind}},
	"day_month":    {op: opDayMonth, kinds: []kind{dateKind}},
	"one_digit":    {op: opOneDigit, kinds: []kind{dateKind}},
	"days":         {op: opDays, kinds: []kind{dateKind}, within: true},
	"same_month":   {op: opMonth, kinds: []kind{dateKind}},
	"same_year":    {op: opYear, kinds: []kind{dateKind}},
	"years":        {op: opYears, kinds: []kind{dateKind}, within: true},
	"doubted":      {op: opDoubted, kinds: []kind{numberKind}},
	"says_sex":     {op: opSaysSex, kinds: []kind{numberKind}},
	"says_year":    {op: opSaysYear, kinds: []kind{numberKind}},
	"says_place":   {op: opSaysPlace, kinds: []kind{numberKind}},
	levelDiffer:    {op: opDiffer, kinds: anyKind},
}

const (
	levelDiffer  = "differ"
	levelMissing = "missing"
)

// level is a compiled level.
type level struct {
	op        op
	kind      kind
	column    int
	with      int
	within    int
	atLeast   float64
	frequency bool
	// exact tells that another level is for numbers whose zeros were put back.
	exact bool
}

// comparison is a compiled comparison.
type comparison struct {
	levels  []level
	columns []int // that its levels read
	// memo tells that, once the texts are known to differ without diacritics,
	// the level follows from the two toneless texts alone, and that finding it
	// is work worth keeping.
	memo bool
	// says is what of a CCCD's digits it compares with the other record, nil for
	// none.
	says *saying
}

func (m *Model) compileComparison(s *ComparisonSpec) (comparison, error) {
	var c comparison
	if len(s.Levels) > maxLevels {
		return c, fmt.Errorf("%d levels: give at most %d", len(s.Levels), maxLevels)
	}
	c.memo = true
	for i := range s.Levels {
		l := &s.Levels[i]
		spec, ok := ops[l.Is]
		if !ok {
			return c, fmt.Errorf("level %d is %q: use one of %s", i+1, l.Is, names(ops))
		}
		of := l.Of
		if of == "" {
			of = s.Column
		}
		out := level{op: spec.op, column: m.column(of), within: l.Within, atLeast: l.AtLeast, frequency: l.Frequency, with: -1}
		if out.column < 0 {
			return c, fmt.Errorf("there is no column %q", of)
		}
		out.kind = roles[m.Columns[out.column].Role].kind
		if !slices.Contains(spec.kinds, out.kind) {
			return c, fmt.Errorf("level %s does not fit column %s, whose role is %s", l.Is, of, m.Columns[out.column].Role)
		}
		if spec.within && l.Within < 1 {
			return c, fmt.Errorf("level %s needs within: 1 or more", l.Is)
		}
		if spec.atLeast && (l.AtLeast <= 0 || l.AtLeast >= 1) {
			return c, fmt.Errorf("level %s needs at_least: between 0 and 1", l.Is)
		}
		if !(l.MAtLeast >= 0 && l.MAtLeast <= 0.5) {
			return c, fmt.Errorf("level %s: m_at_least is from 0 to 0.5", l.Is)
		}
		if spec.op == opSwapped {
			if out.with = m.column(l.With); out.with < 0 {
				return c, fmt.Errorf("level swapped needs with: there is no column %q", l.With)
			}
		}
		if spec.op >= opDoubted && spec.op <= opSaysPlace && (m.Columns[out.column].Says == nil || m.Columns[out.column].Role != "cccd") {
			return c, fmt.Errorf("level %s is for a column of role cccd, with the columns of its record that it speaks of: says: {sex: sex, born: birth_date}", l.Is)
		}
		if spec.op == opDiffer && i != len(s.Levels)-1 {
			return c, fmt.Errorf("level %s must be the last", levelDiffer)
		}
		for _, p := range []float64{l.M, l.U, l.Kin, l.Twin} {
			if !(p >= 0 && p <= 1) {
				return c, fmt.Errorf("level %s: m, u, kin and twin are from 0 to 1", l.Is)
			}
		}
		out.exact = slices.ContainsFunc(s.Levels, func(l LevelSpec) bool { return ops[l.Is].op == opRestored })
		c.memo = c.memo && out.kind == textKind && out.column == m.column(s.Column) && spec.op != opSwapped
		for _, column := range []int{out.column, out.with} {
			if column >= 0 && !slices.Contains(c.columns, column) {
				c.columns = append(c.columns, column)
			}
		}
		c.levels = append(c.levels, out)
	}
	return c, m.compileSaid(&c)
}

// comparer compares the records of a table. It has a memory of its own: one
// goroutine at a time.
type comparer struct {
	model *compiled
	texts *texts
	memo  []memo
}

// memo remembers what comparing two toneless texts gave.
type memo struct {
	pair  uint64
	level uint16
	of    uint16
}

const memoSize = 1 << 16

func newComparer(t *Table) *comparer {
	return &comparer{model: t.model, texts: &t.texts, memo: make([]memo, memoSize)}
}

// compare gives the levels of a pair, and the bits that the rarity of what
// agrees adds. It is the same for (a, b) and (b, a).
func (c *comparer) compare(x, y []cell) (pattern, float32) { return c.compareWithout(x, y, 0) }

// compareWithout is compare, as if what the comparisons with ones in without
// compare were missing.
func (c *comparer) compareWithout(x, y []cell, without pattern) (pattern, float32) {
	var p pattern
	var rarity float32
	comparisons := c.model.comparisons
	without |= c.impersonal(x, y)
	for k := range comparisons {
		if without>>(4*k)&15 != 0 {
			continue
		}
		n := c.level(k, &comparisons[k], x, y)
		if n == 0 {
			continue
		}
		p |= pattern(n) << (4 * k)
		if l := &comparisons[k].levels[n-1]; l.frequency {
			rarity += c.rarity(l, x[l.column], y[l.column])
		}
	}
	return p, rarity
}

// impersonal are the comparisons that say nothing of two that are no persons: those
// of a person's numbers.
func (c *comparer) impersonal(x, y []cell) pattern {
	if c.model.personal != 0 && c.model.nodeOf(x) > identity.PersonNode && c.model.nodeOf(y) > identity.PersonNode {
		return c.model.personal
	}
	return 0
}

// rarity gives the bits that the rarity of what agrees adds.
func (c *comparer) rarity(l *level, x, y cell) float32 {
	if l.op == opLastWord || l.op == opFirstWord {
		return c.texts.endRarity(wordEnd{l.column, l.op == opLastWord}, x)
	}
	if l.op == opEqual || l.kind != textKind {
		return min(x.rarity(), y.rarity())
	}
	return min(x.rarityToneless(), y.rarityToneless())
}

// level gives the first level that holds, from 1; 0 when all that the levels
// read is missing on a side.
func (c *comparer) level(k int, q *comparison, x, y []cell) int {
	if q.says != nil {
		return q.says.level(x, y)
	}
	if q.memo {
		column := q.levels[0].column
		cx, cy := x[column], y[column]
		if cx.missing() || cy.missing() {
			return 0
		}
		if f, g := cx.toneless(), cy.toneless(); f != g {
			if f > g {
				f, g = g, f
			}
			pair := uint64(f)<<32 | uint64(g)
			slot := &c.memo[(mix(pair)+uint64(k))%memoSize]
			if slot.pair == pair && int(slot.of) == k {
				return int(slot.level)
			}
			n := c.first(q, x, y)
			*slot = memo{pair, uint16(n), uint16(k)}
			return n
		}
	}
	return c.first(q, x, y)
}

func (c *comparer) first(q *comparison, x, y []cell) int {
	known := false
	for i := range q.levels {
		l := &q.levels[i]
		cx, cy := x[l.column], y[l.column]
		if cx.missing() || cy.missing() {
			// What is left stands for a difference only if something was compared.
			continue
		}
		known = true
		if c.holds(l, cx, cy, x, y) {
			return i + 1
		}
	}
	if known {
		return len(q.levels)
	}
	return 0
}

func (c *comparer) holds(l *level, x, y cell, rowX, rowY []cell) bool {
	switch l.kind {
	case numberKind:
		switch l.op {
		case opEqual:
			return x.a == y.a && !(l.exact && (x.restored() || y.restored()))
		case opRestored:
			return x.a == y.a
		case opNear:
			return x.a == y.a || nearNumbers(x.a, y.a)
		case opDoubted:
			return x.doubted() || y.doubted()
		}
		return true
	case dateKind:
		return l.dates(x.date(), y.date())
	}
	switch l.op {
	case opEqual:
		return x.id() == y.id()
	case opToneless:
		return x.toneless() == y.toneless()
	case opUnmarked:
		return x.toneless() == y.toneless() && (x.id() == x.toneless() || y.id() == y.toneless())
	case opReordered:
		return x.sorted() == y.sorted()
	case opSwapped:
		wx, wy := rowX[l.with], rowY[l.with]
		return x.toneless() == wy.toneless() && y.toneless() == wx.toneless()
	case opDiffer:
		return true
	}
	return l.words(&c.texts.words[x.toneless()], &c.texts.words[y.toneless()])
}

func (l *level) words(x, y *words) bool {
	switch l.op {
	case opVariant:
		return slices.Equal(x.ids, y.ids)
	case opPartial:
		return partial(x.ids, y.ids) || partial(y.ids, x.ids)
	case opSubset:
		return subset(x.ids, y.ids) || subset(y.ids, x.ids)
	case opEdit:
		return min(len(x.text), len(y.text)) >= 3*l.within && edits(x.text, y.text, l.within) <= l.within
	case opSimilar:
		return jaroWinkler(x.text, y.text) >= l.atLeast
	case opOneWord:
		if len(x.ids) != len(y.ids) || len(x.ids) < 2 {
			return false
		}
		differing := 0
		for i := range x.ids {
			if x.ids[i] != y.ids[i] {
				differing++
			}
		}
		return differing == 1
	case opFirstWord:
		return len(x.ids) > 0 && len(y.ids) > 0 && x.ids[0] == y.ids[0]
	case opLastWord:
		return len(x.ids) > 0 && len(y.ids) > 0 && x.ids[len(x.ids)-1] == y.ids[len(y.ids)-1]
	}
	return false
}

// partial tells whether short is long without words of its middle.
func partial(long, short []uint32) bool {
	return len(short) >= 2 && len(short) < len(long) && long[0] == short[0] && long[len(long)-1] == short[len(short)-1] && subset(long, short)
}

// subset tells whether short is long without some words, in their order.
func subset(long, short []uint32) bool {
	i := 0
	for _, w := range long {
		if i < len(short) && w == short[i] {
			i++
		}
	}
	return len(short) > 0 && i == len(short)
}

func (l *level) dates(x, y identity.Date) bool {
	switch l.op {
	case opEqual:
		return x == y && x.Month() != 0
	case opYearOnly:
		return x.Year() == y.Year() && (x.YearOnly() || y.YearOnly())
	case opDayMonth:
		return x.Year() == y.Year() && x.Day() == y.Month() && x.Month() == y.Day()
	case opOneDigit:
		return x.Month() != 0 && y.Month() != 0 && oneDigit(x, y)
	case opDays:
		d := dayNumber(x) - dayNumber(y)
		return x.Month() != 0 && y.Month() != 0 && -l.within <= d && d <= l.within
	case opMonth:
		return x.Year() == y.Year() && x.Month() == y.Month()
	case opYear:
		return x.Year() == y.Year()
	case opYears:
		d := x.Year() - y.Year()
		return -l.within <= d && d <= l.within
	}
	return true
}

// oneDigit tells dates that differ in one of the eight digits.
func oneDigit(x, y identity.Date) bool {
	a := x.Year()*10000 + x.Month()*100 + x.Day()
	b := y.Year()*10000 + y.Month()*100 + y.Day()
	differing := 0
	for a > 0 || b > 0 {
		if a%10 != b%10 {
			differing++
		}
		a, b = a/10, b/10
	}
	return differing == 1
}

// dayNumber counts days from an arbitrary one (Howard Hinnant, "chrono-Compatible
// Low-Level Date Algorithms", days_from_civil).
func dayNumber(d identity.Date) int {
	y, m := d.Year(), d.Month()
	if m <= 2 {
		y--
		m += 12
	}
	return 365*y + y/4 - y/100 + y/400 + (153*(m-3)+2)/5 + d.Day()
}
