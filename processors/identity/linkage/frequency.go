package linkage

import (
	"bufio"
	"bytes"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/hopluu/hopluu/processors/identity"
)

// Frequencies says how rare the values of a city are. It comes with a model and
// does not move, so that the weight of a pair depends on nothing else (P9).
type Frequencies struct {
	columns map[string]*columnFrequencies
}

// columnFrequencies are the rarities of a column's values, in steps of
// 1/rarityStep bits.
type columnFrequencies struct {
	values, toneless map[string]int16
	// others and othersToneless are those of the values that are not listed.
	others, othersToneless int16
}

const tonelessMark = "~"

// Common is how often a value comes that the frequencies of a model list.
const Common = 20

// FrequenciesBeside is the file of the frequencies of a model's file.
func FrequenciesBeside(model string) string {
	return strings.TrimSuffix(model, ".yaml") + ".frequencies.tsv"
}

func step(bits float64) int16 { return int16(max(-30, min(30, bits)) * rarityStep) }

// Frequencies lists the values of the columns that a level weighs by their
// frequency: those that come at least so often, and what the others come to.
// Numbers are left out, as none of them is common for a good reason. It is
// written as ParseFrequencies reads it.
func (t *Table) Frequencies(least int) ([]byte, error) {
	if err := t.Close(); err != nil {
		return nil, err
	}
	var out bytes.Buffer
	weighed := make([]bool, t.width)
	for _, q := range t.model.comparisons {
		for _, l := range q.levels {
			weighed[l.column] = weighed[l.column] || l.frequency
		}
	}
	for i, c := range t.model.spec.Columns {
		switch kind := t.model.roles[i].kind; {
		case !weighed[i] || kind == numberKind:
		case kind == dateKind:
			t.listed(&out, c.Name, least, i, func(c cell) string { return dateText(c.date()) })
		default:
			t.listed(&out, c.Name, least, i, func(c cell) string { return t.texts.words[c.id()].text })
			t.listed(&out, c.Name+tonelessMark, least, i, func(c cell) string { return t.texts.words[c.toneless()].text })
			for _, w := range t.wordEnds {
				if w.column == i {
					t.listed(&out, w.name(t.model.spec), least, i, func(c cell) string { return t.texts.words[t.texts.endOf(w, c)].text })
				}
			}
		}
	}
	return out.Bytes(), nil
}

func dateText(d identity.Date) string {
	return fmt.Sprintf("%04d-%02d-%02d", d.Year(), d.Month(), d.Day())
}

func (t *Table) listed(out *bytes.Buffer, name string, least, column int, text func(cell) string) {
	counts := map[string]int{}
	n, squares := 0.0, 0.0
	for i := range t.Len() {
		if c := t.cells[i*t.width+column]; !c.missing() {
			counts[text(c)]++
			n++
		}
	}
	var common []string
	rest, restSquares := 0.0, 0.0
	for v, c := range counts {
		squares += float64(c) * float64(c)
		if c >= least {
			common = append(common, v)
		} else {
			rest += float64(c)
			restSquares += float64(c) * float64(c)
		}
	}
	if n == 0 {
		return
	}
	slices.Sort(common)
	bits := func(count float64) string { return strconv.FormatFloat(math.Log2(squares/n/count), 'f', 2, 64) }
	others := squares / n
	if rest > 0 {
		others = restSquares / rest
	}
	fmt.Fprintf(out, "%s\t\t%s\n", name, bits(others))
	for _, v := range common {
		fmt.Fprintf(out, "%s\t%s\t%s\n", name, v, bits(float64(counts[v])))
	}
}

// word gives how rare a word is.
func (c *columnFrequencies) word(text string) int16 {
	if r, ok := c.values[text]; ok {
		return r
	}
	return c.others
}

// ParseFrequencies reads lines of a column, or first(column) or last(column) (with ~ after it for values without
// diacritics), a value in its canonical form, and its rarity in bits: log2 of
// the share of pairs that agree by chance by the value's share. An empty value
// stands for all that are not listed. Tabs part them.
func ParseFrequencies(text []byte) (*Frequencies, error) {
	f := &Frequencies{columns: map[string]*columnFrequencies{}}
	lines := bufio.NewScanner(bytes.NewReader(text))
	for n := 1; lines.Scan(); n++ {
		parts := strings.Split(lines.Text(), "\t")
		if len(parts) != 3 {
			return nil, fmt.Errorf("frequencies: line %d: want column, value and bits, with tabs between", n)
		}
		bits, err := strconv.ParseFloat(parts[2], 64)
		if err != nil || math.IsNaN(bits) {
			return nil, fmt.Errorf("frequencies: line %d: %q is no number", n, parts[2])
		}
		name, toneless := strings.CutSuffix(parts[0], tonelessMark)
		c := f.columns[name]
		if c == nil {
			c = &columnFrequencies{values: map[string]int16{}, toneless: map[string]int16{}}
			f.columns[name] = c
		}
		switch {
		case parts[1] == "" && toneless:
			c.othersToneless = step(bits)
		case parts[1] == "":
			c.others = step(bits)
		case toneless:
			c.toneless[strings.Clone(parts[1])] = step(bits)
		default:
			c.values[strings.Clone(parts[1])] = step(bits)
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("frequencies: %w", err)
	}
	return f, nil
}

// of gives the bits of a cell's b that tell how rare its value is.
func (c *columnFrequencies) of(kind kind, texts *texts, x cell) uint64 {
	if c == nil || x.missing() {
		return 0
	}
	find := func(m map[string]int16, v string, others int16) uint64 {
		if r, ok := m[v]; ok {
			return uint64(uint16(r))
		}
		return uint64(uint16(others))
	}
	switch kind {
	case textKind:
		return find(c.values, texts.words[x.id()].text, c.others)<<32 | find(c.toneless, texts.words[x.toneless()].text, c.othersToneless)<<48
	case dateKind:
		if len(c.values) == 0 {
			return uint64(uint16(c.others)) << 32
		}
		return find(c.values, dateText(x.date()), c.others) << 32
	}
	return uint64(uint16(c.others)) << 32
}

// bind gives those of each column of a model, nil where there are none.
func (f *Frequencies) bind(m *Model) []*columnFrequencies {
	all := make([]*columnFrequencies, len(m.Columns))
	if f != nil {
		for i := range m.Columns {
			all[i] = f.columns[m.Columns[i].Name]
		}
	}
	return all
}
