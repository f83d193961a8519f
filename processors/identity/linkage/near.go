package linkage

import (
	"fmt"
	"slices"
)

// Near numbers. A rule deletions(c) brings together records whose numbers are one
// another but for a digit: each number is in a block for each form of it with one
// digit left out, and two numbers of which one digit was mistyped, or two
// neighbours exchanged, share such a form. What is in these blocks are numbers,
// not records: their holders are listed once, by the rule on the whole number
// that comes before, and a number's many forms cost memory once for all who hold
// it. A block of more numbers than max, or a number with more holders than its
// own rule's max, brings nothing together (P9: both are counts of what is there).

// nearRule is a compiled rule of deletions.
type nearRule struct {
	column int
	exact  int // the rule on the whole number
	digits int // of each number, leading zeros counted; 0 when they differ in length
	max    int // numbers in a block
}

// maxForms is how many forms a number has at most: one for each digit, and
// itself.
const maxForms = maxDigits + 1

// numberDigits are the digits of numbers that have a length of their own.
var numberDigits = map[string]int{"cccd": 12, "cmnd": 9, "social_insurance": 10, "tax_code": 10}

// compileNear reads a rule deletions(c), of a rule that compileRule read.
func (m *Model) compileNear(c *compiled, s *RuleSpec, r *rule) (nearRule, error) {
	if len(r.keys) != 1 {
		return nearRule{}, fmt.Errorf("deletions stands alone: give other keys a rule of their own")
	}
	column := r.keys[0].column
	n := nearRule{column: column, digits: numberDigits[m.Columns[column].Role], max: r.max}
	if n.digits == 0 {
		n.digits = m.Columns[column].Digits
	}
	n.exact = slices.IndexFunc(c.rules, func(e rule) bool {
		return len(e.keys) == 1 && e.keys[0].op == keyValue && e.keys[0].column == column
	})
	if n.exact < 0 {
		return nearRule{}, fmt.Errorf("deletions needs a rule with keys: [%s] before it", m.Columns[column].Name)
	}
	if slices.Contains(m.Training.Rules, s.Name) || slices.Contains(m.Training.Kin, s.Name) {
		return nearRule{}, fmt.Errorf("training cannot use deletions: name other rules under training")
	}
	return n, nil
}

// nearKeyBits are the bits of a key of a near block: every process makes the
// same of a number.
const nearKeyBits = 40

// forms puts the keys of the blocks of a number into buf, in order, each once.
func (n *nearRule) forms(buf []uint64, number uint64) []uint64 {
	buf = buf[:0]
	if number == 0 {
		return buf
	}
	key := func(form uint64) uint64 {
		return mix(form+uint64(n.column+1)*0x9e3779b97f4a7c15)>>(64-nearKeyBits) | 1<<nearKeyBits
	}
	if n.digits == 0 {
		buf = append(buf, key(number)) // a number of a digit more may be it but for that digit
	}
	before := uint64(10) // no digit
	for i, place := 0, uint64(1); i < maxDigits && (i < n.digits || n.digits == 0 && place <= number); i, place = i+1, place*10 {
		// Of a digit repeated, it does not matter which is left out.
		if digit := number / place % 10; digit != before {
			buf = append(buf, key(number/place/10*place+number%place))
			before = digit
		}
	}
	slices.Sort(buf)
	return slices.Compact(buf)
}

// nearIndex finds the numbers of a near block: a table of open addressing, in
// parts that grow one by one, so that growing needs little memory at once. An
// entry is 32 bits of the key and a record that holds the number.
type nearIndex struct {
	parts [1 << (nearKeyBits - 32)]nearPart
}

type nearPart struct {
	entries []uint64
	used    int
}

func (x *nearIndex) part(key uint64) (*nearPart, uint32) {
	return &x.parts[key>>32&(1<<(nearKeyBits-32)-1)], uint32(key)
}

// home is where an entry belongs; it is there or after it.
func (p *nearPart) home(entry uint64) int { return int(entry >> 32 * uint64(len(p.entries)) >> 32) }

// touch is for many keys what blockIndex.touch is.
func (x *nearIndex) touch(keys []uint64) (sum uint64) {
	for _, key := range keys {
		if p, f := x.part(key); len(p.entries) > 0 {
			sum += p.entries[p.home(uint64(f)<<32)]
		}
	}
	return sum
}

// each gives the records of a key's numbers, until fn returns false.
func (x *nearIndex) each(key uint64, fn func(record int32) bool) {
	p, f := x.part(key)
	if p.used == 0 {
		return
	}
	for at := p.home(uint64(f) << 32); p.entries[at] != 0; at = placeAfter(p.entries, at) {
		if e := p.entries[at]; uint32(e>>32) == f && !fn(int32(uint32(e))) {
			return
		}
	}
}

// count is how many numbers are in a block.
func (x *nearIndex) count(key uint64) (n int) {
	x.each(key, func(int32) bool { n++; return true })
	return n
}

func (x *nearIndex) add(key uint64, record int32) {
	p, f := x.part(key)
	if p.used*4 >= len(p.entries)*3 {
		old := p.entries
		p.entries = make([]uint64, len(old)+len(old)/4+16)
		for _, e := range old {
			if e != 0 {
				p.put(e)
			}
		}
	}
	p.put(uint64(f)<<32 | uint64(uint32(record)))
	p.used++
}

func (p *nearPart) put(entry uint64) {
	at := p.home(entry)
	for p.entries[at] != 0 {
		at = placeAfter(p.entries, at)
	}
	p.entries[at] = entry
}

// find gives where the entry of a record is, -1 when it is not there.
func (p *nearPart) find(entry uint64) int {
	if p.used == 0 {
		return -1
	}
	for at := p.home(entry); p.entries[at] != 0; at = placeAfter(p.entries, at) {
		if p.entries[at] == entry {
			return at
		}
	}
	return -1
}

// replace makes another record stand for a number.
func (x *nearIndex) replace(key uint64, old, record int32) {
	p, f := x.part(key)
	if at := p.find(uint64(f)<<32 | uint64(uint32(old))); at >= 0 {
		p.entries[at] = uint64(f)<<32 | uint64(uint32(record))
	}
}

// remove takes a number out, and moves up what would no longer be found behind
// the gap.
func (x *nearIndex) remove(key uint64, record int32) {
	p, f := x.part(key)
	gap := p.find(uint64(f)<<32 | uint64(uint32(record)))
	if gap < 0 {
		return
	}
	p.used--
	for at := placeAfter(p.entries, gap); p.entries[at] != 0; at = placeAfter(p.entries, at) {
		if gapBefore(gap, p.home(p.entries[at]), at) {
			p.entries[gap] = p.entries[at]
			gap = at
		}
	}
	p.entries[gap] = 0
}

// first gives the first block that two numbers share and that is not too large,
// 0 without.
func (n *nearRule) first(a, b uint64, large func(key uint64) bool) uint64 {
	if a == b {
		return 0 // not near: the same
	}
	var bufA, bufB [maxForms]uint64
	x, y := n.forms(bufA[:0], a), n.forms(bufB[:0], b)
	for i, j := 0, 0; i < len(x) && j < len(y); {
		switch {
		case x[i] < y[j]:
			i++
		case x[i] > y[j]:
			j++
		case large(x[i]):
			i, j = i+1, j+1
		default:
			return x[i]
		}
	}
	return 0
}
