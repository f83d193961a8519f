package linkage

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The model for other countries' data finds its weights without labels, and
// links two files of made-up people with the errors that FEBRL's data sets
// have: typing errors, names exchanged, fields missing, people who moved.
func TestFEBRLLikeFilesAreLinked(t *testing.T) {
	m, err := Default("febrl")
	require.NoError(t, err)
	m.LinkOnly, m.OneEach = true, true
	m.Training.Pairs = 300_000
	tab, err := NewTable(m)
	require.NoError(t, err)
	header := []string{"rec_id", "given_name", "surname", "street_number", "address_1", "suburb", "postcode", "state", "date_of_birth", "soc_sec_id"}
	a, err := tab.File("a", header)
	require.NoError(t, err)
	b, err := tab.File("b", header)
	require.NoError(t, err)
	r := rand.New(rand.NewPCG(7, 7))
	const people = 3000
	for i := range people {
		p := foreigner(r)
		require.NoError(t, a.Add(append([]string{fmt.Sprintf("rec-%d-org", i)}, p...)))
		if i%5 > 0 { // a fifth is in one file only, and so is another
			require.NoError(t, b.Add(append([]string{fmt.Sprintf("rec-%d-dup", i)}, corrupt(r, p)...)))
		} else {
			require.NoError(t, b.Add(append([]string{fmt.Sprintf("rec-%d-dup", people+i)}, foreigner(r)...)))
		}
	}
	require.NoError(t, tab.Close())
	require.NoError(t, tab.Train(nil))
	require.InDelta(t, 0.8, m.Prior.Matches, 0.05, "matches a record has")
	edges, err := tab.Candidates(nil)
	require.NoError(t, err)
	links, err := tab.Resolve(edges)
	require.NoError(t, err)
	entities := make([]int32, tab.Len())
	for i := range entities {
		_, err := fmt.Sscanf(tab.ID(int32(i)), "rec-%d-", &entities[i])
		require.NoError(t, err)
	}
	e := Evaluate(entities, links.Edges)
	t.Logf("precision %.4f recall %.4f, with review %.4f", e.Pairs.Precision, e.Pairs.Recall, e.Review.Recall)
	require.Greater(t, e.Pairs.Precision, 0.995)
	require.Greater(t, e.Pairs.Recall, 0.985)
}

// People of one household, who share surname, address and much else, stay apart,
// though names are common and no label says so; so they do when a rule and a
// comparison read the same columns of the file under other names.
func TestHouseholdsStayApart(t *testing.T) {
	m, err := Default("febrl")
	require.NoError(t, err)
	m.Training.Pairs = 300_000
	tab, err := NewTable(m)
	require.NoError(t, err)
	f, err := tab.File("people", []string{"rec_id", "given_name", "surname", "street_number", "address_1", "suburb", "postcode", "state", "date_of_birth", "soc_sec_id"})
	require.NoError(t, err)
	r := rand.New(rand.NewPCG(8, 8))
	person := int32(0)
	for range 1200 {
		home := foreigner(r)
		for range 1 + r.IntN(4) {
			p := foreigner(r)
			copy(p[1:7], home[1:7])
			for k := range 1 + r.IntN(3) {
				row := p
				if k > 0 {
					row = corrupt(r, p)
				}
				if r.IntN(2) == 0 {
					row = append(append([]string(nil), row[:8]...), "")
				}
				require.NoError(t, f.Add(append([]string{fmt.Sprintf("%d-%d", person, k)}, row...)))
			}
			person++
		}
	}
	require.NoError(t, tab.Train(nil))
	outcome, err := tab.Link(nil)
	require.NoError(t, err)
	entities := make([]int32, tab.Len())
	for i := range entities {
		_, err := fmt.Sscanf(tab.ID(int32(i)), "%d-", &entities[i])
		require.NoError(t, err)
	}
	e := Evaluate(entities, outcome.Links.Edges)
	t.Logf("precision %.4f recall %.4f, with review %.4f", e.Pairs.Precision, e.Pairs.Recall, e.Review.Recall)
	require.Greater(t, e.Pairs.Precision, 0.98)
	require.Greater(t, e.Pairs.Recall, 0.8)
	require.Greater(t, e.Review.Recall, 0.9)
	require.Empty(t, m.Report.Advice)
	for _, rule := range m.Report.Rules {
		if rule.Rule == "names" {
			require.Less(t, rule.Lambda, 0.95, "not all of one name are one person")
		}
	}
}

// Where nobody shares an address but with oneself, records with many faults are
// no household: one number and birth date tell.
func TestFaultyRecordsAreNoHousehold(t *testing.T) {
	m, err := Default("febrl")
	require.NoError(t, err)
	m.Training.Pairs = 300_000
	tab, err := NewTable(m)
	require.NoError(t, err)
	f, err := tab.File("people", []string{"rec_id", "given_name", "surname", "street_number", "address_1", "suburb", "postcode", "state", "date_of_birth", "soc_sec_id"})
	require.NoError(t, err)
	r := rand.New(rand.NewPCG(9, 9))
	for i := range 2000 {
		p := foreigner(r)
		require.NoError(t, f.Add(append([]string{fmt.Sprintf("%d-0", i)}, p...)))
		for k := range max(0, r.IntN(8)-5) {
			row := corrupt(r, p)
			if r.IntN(2) == 0 { // the names exchanged, and each mistyped
				row[0], row[1] = p[1]+"x", p[0][1:]
			}
			require.NoError(t, f.Add(append([]string{fmt.Sprintf("%d-%d", i, k+1)}, row...)))
		}
	}
	require.NoError(t, tab.Train(nil))
	for _, name := range []string{"soc_sec_id", "date_of_birth"} {
		require.LessOrEqual(t, m.Comparisons[m.comparison(name)].Levels[0].Kin, ownDate, name)
	}
	outcome, err := tab.Link(nil)
	require.NoError(t, err)
	entities := make([]int32, tab.Len())
	for i := range entities {
		_, err := fmt.Sscanf(tab.ID(int32(i)), "%d-", &entities[i])
		require.NoError(t, err)
	}
	e := Evaluate(entities, outcome.Links.Edges)
	t.Logf("precision %.4f recall %.4f", e.Pairs.Precision, e.Pairs.Recall)
	require.Greater(t, e.Pairs.Precision, 0.99)
	require.Greater(t, e.Pairs.Recall, 0.97)
}

// syllables of names that nobody need bear.
func invent(r *rand.Rand, n int) string {
	starts := []string{"ba", "cor", "del", "fen", "gar", "hal", "jo", "kin", "lor", "mar", "nel", "os", "pet", "rob", "sam", "tor", "wil", "zan"}
	ends := []string{"ton", "ley", "son", "ie", "a", "ard", "en", "is", "man", "wood", "er", "ina"}
	var b strings.Builder
	for range n {
		b.WriteString(starts[min(r.IntN(len(starts)), r.IntN(len(starts)))])
	}
	return b.String() + ends[r.IntN(len(ends))]
}

func foreigner(r *rand.Rand) []string {
	postcode := 2000 + r.IntN(400)
	return []string{
		invent(r, 1), invent(r, 2), fmt.Sprint(1 + r.IntN(200)), invent(r, 2) + " street", fmt.Sprintf("suburb %c%c", 'a'+postcode%26, 'a'+postcode/26%26),
		fmt.Sprint(postcode), []string{"nsw", "vic", "qld"}[r.IntN(3)], fmt.Sprintf("19%02d%02d%02d", r.IntN(100), 1+r.IntN(12), 1+r.IntN(28)), fmt.Sprint(1_000_000 + r.IntN(9_000_000)),
	}
}

// corrupt makes one to four errors, most in names and places.
func corrupt(r *rand.Rand, p []string) []string {
	out := append([]string(nil), p...)
	for range 1 + r.IntN(4) {
		field := r.IntN(len(out))
		switch s := []byte(out[field]); r.IntN(6) {
		case 0:
			out[field] = ""
		case 1:
			out[0], out[1] = out[1], out[0]
		case 2:
			moved := foreigner(r)
			copy(out[2:6], moved[2:6])
		default:
			if len(s) > 3 {
				i := r.IntN(len(s) - 1)
				if r.IntN(2) == 0 {
					s[i], s[i+1] = s[i+1], s[i]
				} else if s[i] >= 'a' {
					s[i] = byte('a' + r.IntN(26))
				}
				out[field] = string(s)
			}
		}
	}
	return out
}
