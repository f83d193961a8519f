package linkage

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/cespare/xxhash/v2"
)

// keyOp makes one part of a block's key of a cell.
type keyOp uint8

const (
	keyValue     keyOp = iota // the value; of a text, without diacritics
	keySorted                 // its words in order
	keyFirst                  // its first word
	keyLast                   // its last word
	keyPrefix                 // its first n letters
	keySuffix                 // the last n digits of a number, or letters of a text
	keySoundex                // its sound in English
	keyYear                   // of a date
	keyMonth                  // year and month of a date
	keySwap                   // a date whose day and month may be exchanged
	keyDeletions              // a number with each of its digits left out: see nearRule
)

var keyOps = map[string]struct {
	op    keyOp
	kinds []kind
	n     bool
}{
	"sorted":  {keySorted, []kind{textKind}, false},
	"first":   {keyFirst, []kind{textKind}, false},
	"last":    {keyLast, []kind{textKind}, false},
	"prefix":  {keyPrefix, []kind{textKind}, true},
	"suffix":  {keySuffix, []kind{textKind, numberKind}, true},
	"soundex": {keySoundex, []kind{textKind}, false},
	"year":    {keyYear, []kind{dateKind}, false},
	"month":   {keyMonth, []kind{dateKind}, false},
	"swap":    {keySwap, []kind{dateKind}, false},

	"deletions": {keyDeletions, []kind{numberKind}, false},
}

type key struct {
	op     keyOp
	kind   kind
	column int
	n      int
}

// rule is a compiled blocking rule.
type rule struct {
	keys []key
	max  int
}

func (r *rule) reads(column int) bool {
	return slices.ContainsFunc(r.keys, func(k key) bool { return k.column == column })
}

// touches tells whether agreeing on the keys makes agreeing on a column more
// likely: the rule reads it, or another that is made of the same columns of the
// files.
func (r *rule) touches(m *Model, column int) bool {
	return slices.ContainsFunc(r.keys, func(k key) bool {
		return k.column == column || slices.ContainsFunc(m.Columns[k.column].sources(), func(source string) bool {
			return slices.Contains(m.Columns[column].sources(), source)
		})
	})
}

// sources are the columns of the files that a column is made of.
func (c *ColumnSpec) sources() []string {
	switch {
	case len(c.Join) > 0:
		return c.Join
	case len(c.From) > 0:
		return c.From
	}
	return []string{c.Name}
}

func (m *Model) compileRule(s *RuleSpec) (rule, error) {
	r := rule{max: s.Max}
	if r.max == 0 {
		r.max = DefaultMax
	}
	if r.max < 2 {
		return r, fmt.Errorf("max is %d: give 2 or more", s.Max)
	}
	if len(s.Keys) == 0 {
		return r, fmt.Errorf("keys is empty: all records would be one block")
	}
	for _, text := range s.Keys {
		k, err := m.compileKey(text)
		if err != nil {
			return r, fmt.Errorf("key %q: %w", text, err)
		}
		r.keys = append(r.keys, k)
	}
	return r, nil
}

// compileKey reads a column's name, or function(column), or function(column, n).
func (m *Model) compileKey(text string) (key, error) {
	name, inner, call := strings.Cut(text, "(")
	var k key
	column := strings.TrimSpace(text)
	kinds, wantsN := anyKind, false
	if call {
		f, ok := keyOps[strings.TrimSpace(name)]
		if !ok {
			return k, fmt.Errorf("there is no function %q: use one of %s", name, names(keyOps))
		}
		inner, ok = strings.CutSuffix(strings.TrimSpace(inner), ")")
		if !ok {
			return k, fmt.Errorf("the bracket is not closed")
		}
		k.op, kinds, wantsN = f.op, f.kinds, f.n
		column, inner, _ = strings.Cut(inner, ",")
		column = strings.TrimSpace(column)
		if inner = strings.TrimSpace(inner); inner != "" || wantsN {
			n, err := strconv.Atoi(inner)
			if err != nil || n < 1 || n > maxDigits || !wantsN {
				return k, fmt.Errorf("%s takes a column%s", name, map[bool]string{true: " and a number from 1 to 15"}[wantsN])
			}
			k.n = n
		}
	}
	if k.column = m.column(column); k.column < 0 {
		return k, fmt.Errorf("there is no column %q", column)
	}
	k.kind = roles[m.Columns[k.column].Role].kind
	if !slices.Contains(kinds, k.kind) {
		return k, fmt.Errorf("%s does not fit column %s, whose role is %s", name, column, m.Columns[k.column].Role)
	}
	return k, nil
}

// of gives the part of a key, 0 when it is missing.
func (k *key) of(x *texts, c cell) uint64 {
	if c.missing() {
		return 0
	}
	switch k.kind {
	case numberKind:
		if k.op == keySuffix {
			return c.a%uint64(math.Pow10(k.n)) + 1
		}
		return c.a
	case dateKind:
		d := c.date()
		switch {
		case k.op == keyYear:
			return uint64(d.Year())
		case d.Month() == 0:
			return 0
		case k.op == keyMonth:
			return uint64(d.Year())<<4 | uint64(d.Month())
		case k.op == keySwap:
			return uint64(d.Year())<<10 | uint64(min(d.Month(), d.Day()))<<5 | uint64(max(d.Month(), d.Day()))
		}
		return c.a
	}
	w := &x.words[c.toneless()]
	switch k.op {
	case keySorted:
		return uint64(c.sorted())
	case keyFirst, keyLast:
		if len(w.ids) == 0 {
			return 0
		}
		if k.op == keyFirst {
			return uint64(w.ids[0])
		}
		return uint64(w.ids[len(w.ids)-1])
	case keyPrefix:
		return xxhash.Sum64String(w.text[:min(k.n, len(w.text))])
	case keySuffix:
		return xxhash.Sum64String(w.text[max(0, len(w.text)-k.n):])
	case keySoundex:
		if s := soundex(w.text); s != "" {
			return xxhash.Sum64String(s)
		}
		return 0
	}
	return uint64(c.toneless())
}

// of gives a record's key of a rule, 0 when it has none.
func (r *rule) of(x *texts, row []cell) (sum uint64) {
	for k := range r.keys {
		part := r.keys[k].of(x, row[r.keys[k].column])
		if part == 0 {
			return 0
		}
		sum = mix(sum ^ mix(part+uint64(k)<<56))
	}
	return sum
}

// everywhere gives a record's key of a rule that it has, as one that every
// process gives it: of makes it of numbers that texts have in this one.
func (r *rule) everywhere(x *texts, row []cell) (sum uint64) {
	for k := range r.keys {
		key, c := &r.keys[k], row[r.keys[k].column]
		part := uint64(0)
		if key.kind == textKind && !c.missing() {
			w := &x.words[c.toneless()]
			switch {
			case key.op == keyValue:
				part = xxhash.Sum64String(w.text)
			case key.op == keySorted:
				part = xxhash.Sum64String(x.words[c.sorted()].text)
			case key.op == keyFirst && len(w.ids) > 0:
				part = xxhash.Sum64String(x.words[w.ids[0]].text)
			case key.op == keyLast && len(w.ids) > 0:
				part = xxhash.Sum64String(x.words[w.ids[len(w.ids)-1]].text)
			}
		}
		if part == 0 {
			part = key.of(x, c)
		}
		sum = mix(sum ^ mix(part+uint64(k)<<56))
	}
	return sum
}

// blocks are the blocks of all rules.
type blocks struct {
	t *Table
	// keys has for each record its key of each rule; 0 is none, also where the
	// block was too large.
	keys  []uint64
	rules []block // those of near rules come last
	near  []nearBlocks
}

// block are the blocks of one rule: records in the order of their keys.
type block struct {
	records []int32
	starts  []int32 // of each block of two or more, and the end of the last
}

type keyed struct {
	key    uint64
	record int32
}

func newBlocks(t *Table) *blocks {
	rules := t.model.rules
	b := &blocks{t: t, keys: make([]uint64, t.Len()*len(rules)), rules: make([]block, len(rules)+len(t.model.near)), near: make([]nearBlocks, len(t.model.near))}
	for i := range t.Len() {
		row := t.row(int32(i))
		for r := range rules {
			b.keys[i*len(rules)+r] = rules[r].of(&t.texts, row)
		}
	}
	each(len(rules), func(r int) { b.build(r) })
	each(len(b.near), func(n int) { b.buildNear(n) })
	return b
}

func (b *blocks) build(r int) {
	n, width := b.t.Len(), len(b.t.model.rules)
	all := make([]keyed, 0, n)
	for i := range n {
		if k := b.keys[i*width+r]; k != 0 {
			all = append(all, keyed{k, int32(i)})
		}
	}
	all = sortKeyed(all)
	out := &b.rules[r]
	limit := b.t.model.rules[r].max
	for i := 0; i < len(all); {
		j := i + 1
		for j < len(all) && all[j].key == all[i].key {
			j++
		}
		switch size := j - i; {
		case size > limit:
			for _, k := range all[i:j] {
				b.keys[int(k.record)*width+r] = 0
			}
		case size > 1:
			out.starts = append(out.starts, int32(len(out.records)))
			for _, k := range all[i:j] {
				out.records = append(out.records, k.record)
			}
		}
		i = j
	}
	out.starts = append(out.starts, int32(len(out.records)))
}

// sortKeyed brings equal keys together, records in order among them: a radix
// sort of the lower 33 bits, which are as good as random, then of the rest.
func sortKeyed(all []keyed) []keyed {
	const bits = 11
	to := make([]keyed, len(all))
	for shift := 0; shift < 33; shift += bits {
		var count [1 << bits]int32
		for _, k := range all {
			count[k.key>>shift&(1<<bits-1)]++
		}
		var sum int32
		for i, c := range count {
			count[i] = sum
			sum += c
		}
		for _, k := range all {
			d := k.key >> shift & (1<<bits - 1)
			to[count[d]] = k
			count[d]++
		}
		all, to = to, all
	}
	for i := 0; i < len(all); {
		j, same := i+1, true
		for j < len(all) && (all[j].key^all[i].key)<<31 == 0 {
			same = same && all[j].key == all[i].key
			j++
		}
		if !same {
			slices.SortStableFunc(all[i:j], func(x, y keyed) int {
				switch {
				case x.key < y.key:
					return -1
				case x.key > y.key:
					return 1
				}
				return 0
			})
		}
		i = j
	}
	return all
}

// pairs calls fn with every pair of block number g of rule r that no earlier
// rule brings together. a comes before b in the table's order.
func (b *blocks) pairs(r, g int, fn func(a, b int32)) {
	t, width := b.t, len(b.t.model.rules)
	members := b.rules[r].records[b.rules[r].starts[g]:b.rules[r].starts[g+1]]
	for i, x := range members[:len(members)-1] {
		keys := b.keys[int(x)*width : int(x)*width+min(r, width)]
	next:
		for _, y := range members[i+1:] {
			if !t.comparable(x, y) {
				continue
			}
			others := b.keys[int(y)*width:]
			for k, v := range keys {
				if v != 0 && v == others[k] {
					continue next
				}
			}
			if r >= width && !b.nearFirst(r, g, x, y) {
				continue
			}
			fn(x, y)
		}
	}
}

// comparable tells whether two records may be one entity at all.
func (t *Table) comparable(a, b int32) bool {
	s, q := t.source[a], t.source[b]
	if t.model.otherKinds(t.row(a), t.row(b)) {
		return false
	}
	if s == q {
		return !t.reference[s] && !t.model.spec.LinkOnly
	}
	return !t.reference[s] || !t.reference[q]
}
