package linkage

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hopluu/hopluu/schemas/event"
)

// TestFormsOfNumbers: two numbers share a near block when leaving out one digit
// of each makes them equal.
func TestFormsOfNumbers(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 3))
	shorter := func(s string) map[string]bool {
		all := map[string]bool{}
		for i := range s {
			all[s[:i]+s[i+1:]] = true
		}
		return all
	}
	share := func(a, b map[string]bool) bool {
		for s := range a {
			if b[s] {
				return true
			}
		}
		return false
	}
	none := func(uint64) bool { return false }
	rule := nearRule{column: 1, digits: 6}
	near := 0
	for range 20_000 {
		a, b := r.Uint64N(999_999)+1, r.Uint64N(999_999)+1
		if r.IntN(2) == 0 { // mostly near
			b = a/1000*1000 + r.Uint64N(1000)
		}
		if a == b || b == 0 {
			continue
		}
		x, y := fmt.Sprintf("%06d", a), fmt.Sprintf("%06d", b)
		want := share(shorter(x), shorter(y))
		require.Equal(t, want, rule.first(a, b, none) != 0, "%s %s", x, y)
		require.Equal(t, rule.first(a, b, none), rule.first(b, a, none))
		require.Len(t, rule.forms(nil, a), len(shorter(x)), x)
		if want {
			near++
		}
	}
	require.Greater(t, near, 500)
	for _, c := range []struct {
		a, b   uint64
		digits int
		near   bool
	}{
		{79_085_000_123, 79_085_000_124, 12, true},         // a digit other
		{79_085_000_123, 79_085_000_213, 12, true},         // two exchanged
		{79_085_000_123, 970_085_000_123, 12, false},       // two others
		{79_085_000_123, 79_085_000_123, 12, false},        // the same is not near
		{25_123_478, 25_123_578, 0, true},                  // of any length
		{25_123_478, 2_512_348, 0, true},                   // a digit less
		{25_123_478, 251_234_789, 0, true},                 // a digit more
		{25_123_478, 2_512_34, 0, false},                   // two less
		{999_999_999_999_999, 99_999_999_999_999, 0, true}, // the longest there is
	} {
		rule := nearRule{digits: c.digits}
		require.Equal(t, c.near, rule.first(c.a, c.b, none) != 0, "%+v", c)
	}
}

// TestNearIndex does to an index what it does to a list, with keys that crowd one
// part.
func TestNearIndex(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 4))
	var x nearIndex
	want := map[uint64][]int32{}
	n := 0
	for step := range 60_000 {
		key := 1<<nearKeyBits | uint64(r.IntN(3))<<32 | uint64(r.IntN(40))*0x0690_0000 + uint64(r.IntN(8))
		record := int32(1 + r.IntN(30))
		at := slices.Index(want[key], record)
		switch {
		case at < 0 && (step/6000%2 == 0 || r.IntN(3) == 0):
			x.add(key, record)
			want[key] = append(want[key], record)
			n++
		case at < 0:
			x.remove(key, record) // not there: nothing
		case r.IntN(4) == 0 && !slices.Contains(want[key], record+100):
			x.replace(key, record, record+100)
			want[key][at] = record + 100
		default:
			x.remove(key, record)
			want[key] = slices.Delete(want[key], at, at+1)
			n--
		}
		var got []int32
		x.each(key, func(record int32) bool { got = append(got, record); return true })
		slices.Sort(got)
		require.Equal(t, slices.Sorted(slices.Values(want[key])), got)
	}
	used := 0
	for i := range x.parts {
		used += x.parts[i].used
	}
	require.Equal(t, n, used)
	require.Greater(t, n, 100)
	for key, records := range want {
		require.Equal(t, len(records), x.count(key))
	}
}

// mistyped are records of which only a digit of the number tells that they may
// be one: no other rule brings them together.
func mistyped(a, b string) []person {
	return []person{
		{id: "health.patient:1", in: health, cccd: a, name: "Đặng Gia Khôi", birth: "1985-03-20", ward: "26734", address: "7 Pasteur"},
		{id: "tax.taxpayer:1", in: tax, cccd: b, name: "Đặng Gia Khoi Nguyên", birth: "1985-04-07", ward: "27460", address: "12 Lê Lợi"},
	}
}

// TestMistypedNumberBringsTogether: a rule of deletions compares what no other
// rule does, in an engine and in a table.
func TestMistypedNumberBringsTogether(t *testing.T) {
	for _, c := range []struct {
		other string
		want  []string
	}{
		{"079085004567", []string{}},
		{"079085001243", []string{"cccd-digit"}}, // 1234: exchanged
		{"079085001834", []string{"cccd-digit"}}, // mistyped
		{"079085091834", []string{}},             // twice
	} {
		people := mistyped("079085001234", c.other)
		e := engine(t, cityModel(t))
		for _, p := range people {
			e.Upsert(p.raw())
		}
		solve(t, e)
		got, err := e.Explain(people[0].id, people[1].id)
		require.NoError(t, err)
		require.ElementsMatch(t, c.want, got.Blocks, c.other)

		tab := tableOf(t, cityModel(t), people)
		a, err := tab.Find(people[0].id)
		require.NoError(t, err)
		b, err := tab.Find(people[1].id)
		require.NoError(t, err)
		got, err = tab.Explain(a, b)
		require.NoError(t, err)
		require.ElementsMatch(t, c.want, got.Blocks, c.other)
		pairs := 0
		blocks := newBlocks(tab)
		for r := range blocks.rules {
			for g := range len(blocks.rules[r].starts) - 1 {
				blocks.pairs(r, g, func(int32, int32) { pairs++ })
			}
		}
		require.Equal(t, len(c.want), pairs, "each pair once")
	}
}

// tableOf makes a table of people, of the columns that are in these tests.
func tableOf(t *testing.T, m *Model, people []person) *Table {
	tab, err := NewTable(m)
	require.NoError(t, err)
	f, err := tab.File("city", []string{"record_id", "source", "cccd", "full_name", "birth_date", "ward", "address", "cmnd", "insurance", "sex", "phone"})
	require.NoError(t, err)
	for _, p := range people {
		require.NoError(t, f.Add([]string{p.id, p.in.Sector, p.cccd, p.name, p.birth, p.ward, p.address, p.cmnd, p.insurance, p.sex, p.phone}))
	}
	require.NoError(t, tab.Close())
	return tab
}

// TestCrowdedNeighbourhood crosses the number of numbers from which a near block
// brings nothing together, up and down, with numbers that several hold, of whom
// any may leave first (P9).
func TestCrowdedNeighbourhood(t *testing.T) {
	m := cityModel(t)
	near := slices.IndexFunc(m.Blocking, func(r RuleSpec) bool { return r.Name == "cccd-digit" })
	m.Blocking[near].Max = 3
	pair := mistyped("079085001234", "079085001235")
	together := func(e *Engine) bool {
		solve(t, e)
		x, err := e.Explain(pair[0].id, pair[1].id)
		require.NoError(t, err)
		return slices.Contains(x.Blocks, "cccd-digit")
	}
	var others []person
	for i := range 4 { // 079085001236 is the third number, 7 the fourth
		others = append(others, person{id: fmt.Sprintf("welfare.beneficiary:%d", i), in: welfare, cccd: fmt.Sprintf("07908500123%d", 6+i/2)})
	}
	for n, want := range map[int]bool{2: true, 4: false} { // records of others: a number, two
		tab := tableOf(t, m, append(slices.Clone(pair), others[:n]...))
		a, err := tab.Find(pair[0].id)
		require.NoError(t, err)
		b, err := tab.Find(pair[1].id)
		require.NoError(t, err)
		x, err := tab.Explain(a, b)
		require.NoError(t, err)
		require.Equal(t, want, slices.Contains(x.Blocks, "cccd-digit"))
	}
	for seed := range uint64(20) {
		r := rand.New(rand.NewPCG(seed, 9))
		e := engine(t, m)
		there := map[int]bool{}
		for _, i := range r.Perm(2) {
			e.Upsert(pair[i].raw())
		}
		for at := range uint64(30) {
			i := r.IntN(len(others))
			p := others[i]
			p.at = at + 2
			if there[i] = !there[i]; there[i] {
				require.True(t, e.Upsert(p.raw()))
			} else {
				require.True(t, e.Delete(p.id, welfare, event.Position{Epoch: 1, LSN: event.LSN(p.at)}))
			}
			crowded := (there[0] || there[1]) && (there[2] || there[3])
			require.Equal(t, !crowded, together(e), "seed %d: %v", seed, there)
			// What came and went leaves the edges of those who are there.
			left := slices.Clone(pair)
			for i, p := range others {
				if there[i] {
					left = append(left, p)
				}
			}
			want, _ := batchHash(t, m, left, nil)
			require.Equal(t, want, e.PartitionHash(), "seed %d: %v", seed, there)
			fresh := engine(t, m)
			for _, p := range left {
				fresh.Upsert(p.raw())
			}
			solve(t, fresh)
			require.Equal(t, edgesOf(fresh), edgesOf(e), "seed %d: %v", seed, there)
		}
	}
}

// edgesOf are the edges that an engine keeps, by the names of their records.
func edgesOf(e *Engine) map[[2]string]float32 {
	all := map[[2]string]float32{}
	for i := int32(1); i < e.used; i++ {
		for h := e.at(i).halves; e.at(i).alive && h != 0; h = e.halves.at(h).next {
			all[[2]string{e.at(i).id, e.at(e.halves.at(h).to).id}] = e.halves.at(h).weight
		}
	}
	return all
}

func TestNearRulesThatAreRefused(t *testing.T) {
	for _, c := range [][3]string{
		{"keys: [number]}", "keys: [deletions(number)]}", "deletions needs a rule with keys: [number] before it"},
		{"keys: [number]}", "keys: [number]}\n  - {name: near, keys: [deletions(number)]}", "rules with deletions come after all others"},
		{"keys: [swap(born)], max: 50}", "keys: [deletions(number), year(born)]}", "deletions stands alone"},
		{"keys: [swap(born)], max: 50}", "keys: [deletions(born)]}", "does not fit column born"},
		{"{name: born, keys: [swap(born)], max: 50}\ntraining: {rules: [number, name-year]}", "{name: near, keys: [deletions(number)]}\ntraining: {rules: [number, near]}", "training cannot use deletions"},
	} {
		_, err := ParseModel([]byte(replaceOnce(t, small, c[0], c[1])))
		require.ErrorContains(t, err, c[2], "%v", c)
	}
	m := cityModel(t)
	m.Live.Shared = []string{"cccd-digit"}
	_, err := NewTable(m)
	require.ErrorContains(t, err, "is no blocking rule on one number")
}
