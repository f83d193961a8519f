package linkage

import (
	"math/rand/v2"
	"testing"
)

// A pair costs well under a microsecond, and allocates nothing.
func BenchmarkCompare(b *testing.B) {
	m, err := ParseModel([]byte(small))
	if err != nil {
		b.Fatal(err)
	}
	tab, err := NewTable(m)
	if err != nil {
		b.Fatal(err)
	}
	r := rand.New(rand.NewPCG(1, 2))
	for _, row := range people(r, 20_000) {
		f, err := tab.File(row[1], []string{"id", "name", "born", "number"})
		if err != nil {
			b.Fatal(err)
		}
		if err := f.Add([]string{row[0], row[2], row[3], row[4]}); err != nil {
			b.Fatal(err)
		}
	}
	if err := tab.Close(); err != nil {
		b.Fatal(err)
	}
	c, w := newComparer(tab), tab.weights()
	n := int32(tab.Len())
	b.ReportAllocs()
	for b.Loop() {
		p, rarity := c.compare(tab.row(r.Int32N(n)), tab.row(r.Int32N(n)))
		w.ratio(p, rarity)
	}
}
