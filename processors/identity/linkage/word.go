package linkage

import "math"

// How rare a first or last word is: full names that differ but for the given
// name say more when it is rare. It is kept by word, as there are few, not in the
// cells.

// wordEnd is a column's first or last word that a level weighs by its frequency.
type wordEnd struct {
	column int
	last   bool
}

func (w wordEnd) place() int {
	if w.last {
		return 2*w.column + 1
	}
	return 2 * w.column
}

// wordEnds are those of a model.
func (c *compiled) wordEnds() (all []wordEnd) {
	seen := map[wordEnd]bool{}
	for _, q := range c.comparisons {
		for _, l := range q.levels {
			if w := (wordEnd{l.column, l.op == opLastWord}); l.frequency && (w.last || l.op == opFirstWord) && !seen[w] {
				seen[w] = true
				all = append(all, w)
			}
		}
	}
	return all
}

// name is how Frequencies call the column of such words.
func (w wordEnd) name(m *Model) string {
	if w.last {
		return "last(" + m.Columns[w.column].Name + ")"
	}
	return "first(" + m.Columns[w.column].Name + ")"
}

// endOf gives the word of a text, 0 when it has none.
func (x *texts) endOf(w wordEnd, c cell) uint32 {
	ids := x.words[c.toneless()].ids
	switch {
	case len(ids) == 0:
		return 0
	case w.last:
		return ids[len(ids)-1]
	}
	return ids[0]
}

// setEnd writes how rare a word is.
func (x *texts) setEnd(w wordEnd, word uint32, rarity int16) {
	known := &x.ends[w.place()]
	if grow := int(word) + 1 - len(*known); grow > 0 {
		*known = append(*known, make([]int16, grow)...)
	}
	(*known)[word] = rarity
	x.rarestEnd = max(x.rarestEnd, rarity)
}

// endRarity gives how rare the word is that two texts share, in bits.
func (x *texts) endRarity(w wordEnd, c cell) float32 {
	known := x.ends[w.place()]
	if word := int(x.endOf(w, c)); word > 0 && word < len(known) {
		return float32(known[word]) / rarityStep
	}
	return 0
}

// noteEnds finds how rare the words of a text are that is new, in a live table.
func (t *Table) noteEnds(column int, c cell) {
	for i, w := range t.wordEnds {
		if w.column != column || t.endFrequencies[i] == nil {
			continue
		}
		if word := t.texts.endOf(w, c); word > 0 {
			t.texts.setEnd(w, word, t.endFrequencies[i].word(t.texts.words[word].text))
		}
	}
}

// countEnds finds how rare the words are in a table that is not live.
func (t *Table) countEnds(column int) {
	for _, w := range t.wordEnds {
		if w.column != column {
			continue
		}
		counts := map[uint32]float64{}
		n, squares := 0.0, 0.0
		for i := range t.Len() {
			if c := t.cells[i*t.width+column]; !c.missing() {
				if word := t.texts.endOf(w, c); word > 0 {
					counts[word]++
					n++
				}
			}
		}
		for _, count := range counts {
			squares += count * count // whole numbers: their order does not matter
		}
		for word, count := range counts {
			t.texts.setEnd(w, word, step(math.Log2(squares/n/count)))
		}
	}
}
