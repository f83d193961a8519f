package linkage

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestLevels(t *testing.T) {
	m := model(t, small)
	for _, c := range []struct {
		name, otherName, born, otherBorn, number, otherNumber string
		want                                                  []string
	}{
		{"Nguyễn Văn Hòa", "nguyễn  văn hoà", "1985-03-20", "20/03/1985", "025123470", "025123470", []string{"equal", "equal", "equal"}},
		{"Nguyễn Văn Hòa", "NGUYEN VAN HOA", "1985-03-20", "1985-01-01", "025123470", "25123470", []string{"unmarked", "year_only", "restored"}},
		{"Nguyễn Văn Hòa", "Nguyễn Văn Hoa", "1985-03-20", "1985", "025123470", "025123740", []string{"toneless", "year_only", "near"}},
		{"Hoàng Thị Lan", "Huỳnh Thị Lan", "1985-03-02", "1985-02-03", "025123470", "025123471", []string{"variant", "day_month", "near"}},
		{"Lê Thị Thanh", "Lê Thị Than", "1985-03-20", "1985-03-21", "025123470", "02512347", []string{"edit", "one_digit", "near"}},
		{"Lê Thị Thanh", "Lê Thanh", "1985-03-31", "1985-04-02", "025123470", "000000000", []string{"partial", "days", "missing"}},
		{"Lê Thị Thanh", "Thị Thanh Lê", "1985-03-20", "1985-03-02", "025123470", "123456789", []string{"reordered", "same_month", "missing"}},
		{"Lê Thị Thanh", "Lê Thị Hương", "1985-03-11", "1985-03-22", "025123470", "291923470", []string{"one_word", "same_month", "differ"}},
		{"Lê Thị Thanh", "Trần Văn Bình", "1985-03-20", "1958-12-01", "025123470", "", []string{"differ", "differ", "missing"}},
		{"", "con bà Lê Thị Hoa", "", "", "", "", []string{"missing", "missing", "missing"}},
	} {
		tab := table(t, m, [5]string{"a", "x", c.name, c.born, c.number}, [5]string{"b", "x", c.otherName, c.otherBorn, c.otherNumber})
		require.Equal(t, c.want, levels(t, tab, "a", "b"), "%+v", c)
	}
}

// What both sides share weighs more when it is rare.
func TestRareAgreementWeighsMore(t *testing.T) {
	rows := [][5]string{{"a", "x", "Nguyễn Văn Hòa", "", ""}, {"b", "x", "Nguyễn Văn Hòa", "", ""}, {"c", "x", "Quách Gia Khôi", "", ""}, {"d", "x", "Quách Gia Khôi", "", ""}}
	for _, id := range []string{"e", "f", "g", "h", "i"} {
		rows = append(rows, [5]string{id, "x", "Nguyễn Văn Hòa", "", ""})
	}
	tab := table(t, model(t, small), rows...)
	weight := func(a, b string) float64 {
		x, err := tab.Find(a)
		require.NoError(t, err)
		y, err := tab.Find(b)
		require.NoError(t, err)
		e, err := tab.Explain(x, y)
		require.NoError(t, err)
		sum := e.Prior
		for _, s := range e.Steps {
			sum += s.Bits
		}
		require.InDelta(t, e.Weight, sum, 0.01, "the steps add up")
		return e.Weight
	}
	// 7 of 9 against 2 of 9.
	require.InDelta(t, 1.81, weight("c", "d")-weight("a", "b"), 0.01)
}

// P9: the result does not know the order of the rows or of the files.
func TestOrderOfArrivalIsWithoutInfluence(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	rows := people(r, 300)
	var want map[string]string
	var wantModel []byte
	for range 4 {
		m := model(t, small)
		m.Prior = nil
		m.Training.Pairs = 20_000
		tab := table(t, m, rows...)
		require.NoError(t, tab.Train(nil))
		text, err := m.Marshal()
		require.NoError(t, err)
		edges, err := tab.Candidates(nil)
		require.NoError(t, err)
		links, err := tab.Resolve(edges)
		require.NoError(t, err)
		got := map[string]string{}
		for i, c := range links.Cluster {
			got[tab.ID(int32(i))] = tab.ID(c)
		}
		if want == nil {
			want, wantModel = got, text
		}
		require.Equal(t, want, got)
		require.Equal(t, string(wantModel), string(text))
		r.Shuffle(len(rows), func(i, j int) { rows[i], rows[j] = rows[j], rows[i] })
	}
	clusters := map[string]bool{}
	for _, c := range want {
		clusters[c] = true
	}
	require.InDelta(t, 300, len(clusters), 15, "a cluster a person")
}

// people makes records of n people: one in the register, two elsewhere.
func people(r *rand.Rand, n int) [][5]string {
	pick := func(s ...string) string { return s[r.IntN(len(s))] }
	digits := func(n int) string {
		b := make([]byte, n)
		for i := range b {
			b[i] = byte('0' + r.IntN(10))
		}
		return string(b)
	}
	var rows [][5]string
	for range n {
		name := pick("Nguyễn", "Trần", "Lê", "Phạm", "Huỳnh") + " " + pick("Văn", "Thị", "Gia") + " " + pick("An", "Bình", "Cúc", "Dũng", "Hà", "Khôi", "Lan", "Mai", "Nga", "Oanh", "Phú", "Sơn")
		born := "19" + digits(2) + "-0" + pick("2", "4", "6", "8") + "-1" + digits(1)
		number := "1" + digits(8)
		for _, source := range []string{"register", "tax", "health"} {
			row := [5]string{digits(12), source, name, born, number}
			if source != "register" && r.IntN(4) == 0 {
				row[4] = ""
			}
			if source != "register" && r.IntN(10) == 0 {
				row[3] = born[:4] + "-01-01"
			}
			rows = append(rows, row)
		}
	}
	return rows
}

// Of two candidates that are equally like a record, neither is believed; the
// only one is.
func TestCandidatesCompete(t *testing.T) {
	m := model(t, small)
	only := table(t, m, [5]string{"r1", "register", "Lê Gia Khôi", "1985-03-20", "111111112"}, [5]string{"x", "tax", "Lê Gia Khôi", "1985-03-20", ""})
	two := table(t, m, [5]string{"r1", "register", "Lê Gia Khôi", "1985-03-20", "111111112"}, [5]string{"r2", "register", "Lê Gia Khôi", "1985-03-20", "311111112"}, [5]string{"x", "tax", "Lê Gia Khôi", "1985-03-20", ""})
	edges, err := only.Candidates(nil)
	require.NoError(t, err)
	require.Len(t, edges, 1)
	require.Greater(t, edges[0].Weight, float32(m.Thresholds.Link))
	edges, err = two.Candidates(nil)
	require.NoError(t, err)
	for _, e := range edges {
		require.Less(t, e.Weight, float32(0.01), "one of two is at most as likely as not")
	}
}

// Two records of the register are never one person, whatever joins them.
func TestReferenceRecordsStayApart(t *testing.T) {
	m := model(t, small)
	tab := table(t, m,
		[5]string{"r1", "register", "Lê Gia Khôi", "1985-03-20", "111111112"}, [5]string{"r2", "register", "Lê Gia Khôi", "1985-03-21", "311111112"},
		[5]string{"x", "tax", "Lê Gia Khôi", "1985-03-20", "111111112"}, [5]string{"y", "health", "Lê Gia Khôi", "1985-03-21", "311111112"})
	find := func(id string) int32 {
		i, err := tab.Find(id)
		require.NoError(t, err)
		return i
	}
	edge := func(a, b string, w float32) Edge {
		x, y := find(a), find(b)
		return Edge{min(x, y), max(x, y), w}
	}
	links, err := tab.Resolve([]Edge{edge("x", "y", 20), edge("r1", "x", 30), edge("r2", "y", 25)})
	require.NoError(t, err)
	require.Len(t, links.Edges, 2)
	require.Equal(t, links.Cluster[find("r1")], links.Cluster[find("x")])
	require.Equal(t, links.Cluster[find("r2")], links.Cluster[find("y")])
	require.NotEqual(t, links.Cluster[find("r1")], links.Cluster[find("r2")])
	m.OneEach = true
	links, err = tab.Resolve([]Edge{edge("x", "y", 20)})
	require.NoError(t, err)
	require.Len(t, links.Edges, 1, "two sources may join under one_each")
}

func TestTextsAndNumbers(t *testing.T) {
	require.InDelta(t, 0.9611, jaroWinkler("martha", "marhta"), 0.0001)
	require.InDelta(t, 0.8400, jaroWinkler("dwayne", "duane"), 0.0001)
	require.InDelta(t, 0.8133, jaroWinkler("dixon", "dicksonx"), 0.0001)
	require.Equal(t, jaroWinkler("aabc", "bbac"), jaroWinkler("bbac", "aabc"))
	require.Equal(t, 1, edits("thanh", "thnah", 2))
	require.Equal(t, 2, edits("kitten", "sittin", 2))
	require.Equal(t, 3, edits("abcdef", "ghijkl", 2), "more than the limit")
	for word, code := range map[string]string{"robert": "r163", "rupert": "r163", "ashcraft": "a261", "tymczak": "t522", "pfister": "p236", "honeyman": "h555", "": ""} {
		require.Equal(t, code, soundex(word), word)
	}
	for _, c := range []struct {
		a, b uint64
		near bool
	}{{79185012345, 79185012346, true}, {79185012345, 79185021345, true}, {79185012345, 7918501234, true}, {79185012345, 7985012345, true}, {79185012345, 9185012345, true}, {79185012345, 79158013245, false}, {12, 1234, false}} {
		require.Equal(t, c.near, nearNumbers(c.a, c.b), "%d %d", c.a, c.b)
		require.Equal(t, c.near, nearNumbers(c.b, c.a), "%d %d", c.b, c.a)
	}
}

func TestModelsThatAreRefused(t *testing.T) {
	for _, c := range [][3]string{
		{"version: small-1", "version: ''", "version is missing"},
		{"role: date}", "role: day}", `born has role "day"`},
		{"{is: unmarked, m", "{is: unmarkt, m", `level 2 is "unmarkt"`},
		{"within: 3, ", "", "level days needs within"},
		{"keys: [swap(born)]", "keys: [swop(born)]", `no function "swop"`},
		{"keys: [swap(born)]", "keys: [swap(name)]", "does not fit column name"},
		{"keys: [number]", "keys: [nummer]", `no column "nummer"`},
		{"rules: [number, name-year]", "rules: [phone]", `no blocking rule "phone"`},
		{"m: 0.9, ", "m: 1.9, ", "from 0 to 1"},
		{"coverage: 0.9", "coverage: 1", "prior"},
		{"thresholds: {link: 4,", "thresholds: {link: -4,", "above link"},
		{"thresholds:", "treshold: 1\nthresholds:", "treshold"},
		{"version: small-1", "version: !!binary x", "tags"},
	} {
		text := replaceOnce(t, small, c[0], c[1])
		_, err := ParseModel([]byte(text))
		require.ErrorContains(t, err, c[2], "%v", c)
	}
}

func TestWrittenModelIsTheSame(t *testing.T) {
	for _, name := range Defaults() {
		m, err := Default(name)
		require.NoError(t, err)
		text, err := m.Marshal()
		require.NoError(t, err)
		again, err := ParseModel(text)
		require.NoError(t, err)
		require.Equal(t, m, again)
	}
	city, err := Default("city")
	require.NoError(t, err)
	require.True(t, city.Trained(), "the city's model comes with weights")
	text, err := DefaultText("city")
	require.NoError(t, err)
	described, err := ParseModel(text)
	require.NoError(t, err)
	require.Equal(t, described.Blocking, city.Blocking, "train it anew after a change: go run ./integration/accuracy -save")
	require.Equal(t, described.Columns, city.Columns)
}

func TestInputsThatAreRefused(t *testing.T) {
	m := model(t, small)
	tab, err := NewTable(m)
	require.NoError(t, err)
	_, err = tab.File("a", []string{"name", "born"})
	require.ErrorContains(t, err, "no column names the record: the model wants id")
	_, err = tab.File("a", []string{"id", "x"})
	require.ErrorContains(t, err, "none of the model's columns")
	_, err = tab.File("a", []string{"id", "name", "name"})
	require.ErrorContains(t, err, `"name" stands twice`)
	f, err := tab.File("a", []string{"id", "name", "born"})
	require.NoError(t, err)
	require.ErrorContains(t, f.Add([]string{"1", "x"}), "2 fields")
	require.ErrorContains(t, f.Add([]string{"", "x", ""}), "id is empty")
	require.NoError(t, f.Add([]string{"1", "Lan", ""}))
	require.ErrorContains(t, tab.Close(), "nothing to compare")
	require.NoError(t, f.Add([]string{"2", "Lan", ""}))
	require.ErrorContains(t, tab.Close(), "column number is in no file")
	rows := [][5]string{{"1", "a", "Lan", "1990", "025123470"}, {"2", "a", "Lan", "1990", "025123470"}, {"1", "a", "Mai", "1990", "025123470"}}
	tab, err = NewTable(m)
	require.NoError(t, err)
	for _, r := range rows {
		f, err := tab.File(r[1], []string{"id", "name", "born", "number"})
		require.NoError(t, err)
		require.NoError(t, f.Add([]string{r[0], r[2], r[3], r[4]}))
	}
	require.ErrorContains(t, tab.Close(), `a has the id "1" twice: records 1 and 3`)
	m.Prior = nil
	_, err = table(t, m, rows[0], rows[1]).Candidates(nil)
	require.ErrorIs(t, err, ErrUntrained)
	require.ErrorContains(t, table(t, m, rows[0], [5]string{"3", "a", "Mai", "1950", "325123470"}).Train(nil), "number and name-year bring no two records together")
	tab, err = NewTable(m)
	require.NoError(t, err)
	f, err = tab.File("a", []string{"id", "name", "born", "number"})
	require.NoError(t, err)
	require.NoError(t, f.Add([]string{"1", "Lan", "", ""}))
	require.NoError(t, f.Add([]string{"2", "Lan", "", ""}))
	require.NoError(t, tab.Close())
	require.ErrorContains(t, f.Add([]string{"3", "Lan", "", ""}), "closed")
}

func TestEvaluate(t *testing.T) {
	// Persons: 0,0,0 and 1,1 and 2.
	entities := []int32{0, 0, 0, 1, 1, 2}
	e := Evaluate(entities, []Link{
		{Edge: Edge{A: 0, B: 1, Weight: 10}}, {Edge: Edge{A: 3, B: 5, Weight: 8}},
		{Edge: Edge{A: 1, B: 2, Weight: 3}, Review: true}, {Edge: Edge{A: 2, B: 3, Weight: 1}, Review: true},
	})
	require.Equal(t, newScore(1, 2, 4), e.Pairs)
	require.Equal(t, newScore(0, 2, 2), e.Clusters)
	require.Equal(t, newScore(3, 4, 4), e.Review)
	require.Equal(t, 2, e.ReviewPairs)
	require.Equal(t, 1, e.ReviewRight)
	require.Equal(t, []CurvePoint{{10, newScore(1, 1, 4)}, {8, newScore(1, 2, 4)}, {2, newScore(3, 4, 4)}, {0, newScore(3, 10, 4)}}, e.Curve)
}
