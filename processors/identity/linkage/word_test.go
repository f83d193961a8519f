package linkage

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hopluu/hopluu/schemas/event"
)

// TestGivenNameRareOrCommon: names that differ but for the given name say more
// when it is rare, by the records of a table and by the frequencies of a city.
func TestGivenNameRareOrCommon(t *testing.T) {
	text := replaceOnce(t, small, "{is: one_word, m: 0.01, u: 0.05}", "{is: last_word, m: 0.01, u: 0.05, frequency: true}")
	names := []string{"Lê Văn Khôi", "Trần Gia Khôi"}
	names = append(names, "Lê Văn An", "Trần Gia An", "Phạm Bá An", "Võ Quốc An", "Đỗ Thế An", "Lý Thái An")
	var rows [][5]string
	for i, name := range names {
		rows = append(rows, [5]string{string(rune('a' + i)), "x", name, "", ""})
	}
	tab := table(t, model(t, text), rows...)
	require.Equal(t, []string{"last_word", "missing", "missing"}, levels(t, tab, "a", "b"))
	rarity := func(a, b string) float64 {
		x, err := tab.Find(a)
		require.NoError(t, err)
		y, err := tab.Find(b)
		require.NoError(t, err)
		e, err := tab.Explain(x, y)
		require.NoError(t, err)
		return e.Steps[0].Rarity
	}
	// 2 of 8 against 6 of 8; the share of pairs that agree is (4 + 36) / 64.
	require.InDelta(t, 1.32, rarity("a", "b"), 0.01)
	require.InDelta(t, -0.26, rarity("c", "d"), 0.01)

	listed, err := tab.Frequencies(3)
	require.NoError(t, err)
	require.Contains(t, string(listed), "last(name)\tan\t-0.26\n")
	require.Contains(t, string(listed), "last(name)\t\t1.32\n")
	require.NotContains(t, string(listed), "khoi\t1.32")
	require.Equal(t, 2, strings.Count(string(listed), "last(name)"))

	// A live engine and table take them from the city's frequencies.
	e := engine(t, cityModel(t))
	bits := func(a, b string) float64 {
		for i, name := range []string{a, b} {
			p := person{id: []string{"health.patient:1", "tax.taxpayer:1"}[i], in: health, name: name, birth: "1985-03-20", at: uint64(e.Len() + 1)}
			raw := p.raw()
			raw.Position = event.Position{Epoch: uint32(len(a)), LSN: 1}
			require.True(t, e.Upsert(raw))
		}
		x, err := e.Explain("health.patient:1", "tax.taxpayer:1")
		require.NoError(t, err)
		for _, s := range x.Steps {
			if s.Name == "full_name" {
				require.Equal(t, "last_word", s.Level)
				return s.Rarity
			}
		}
		require.Fail(t, "full_name is not compared")
		return 0
	}
	common := bits("Lê Bá Anh", "Đỗ Thị Thu Anh")
	rare := bits("Lê Bá Quỳ Hiếm", "Đỗ Thị Thu Hiếm")
	require.Negative(t, common)
	require.Greater(t, rare, common+3)
}
