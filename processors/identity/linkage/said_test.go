package linkage

import (
	"testing"

	"github.com/stretchr/testify/require"
)

const saying4 = `
version: says-1
id: [id]
columns:
  - {name: cccd, role: cccd, says: {sex: sex, born: born, place: place}}
  - {name: born, role: date}
  - {name: sex, role: sex}
  - {name: place, role: province}
comparisons:
  - {name: cccd, column: cccd, levels: [{is: equal}, {is: near}, {is: doubted}]}
  - {name: of-sex, column: cccd, levels: [{is: says_sex}]}
  - {name: of-year, column: cccd, levels: [{is: says_year}]}
  - {name: of-place, column: cccd, levels: [{is: says_place}]}
blocking: [{name: cccd, keys: [cccd]}]
training: {rules: [cccd]}
thresholds: {link: 5, review: 0}
`

// What a CCCD says beyond its own record is held against the other record: what
// agrees is for the two, what does not is against them, and what nobody says is
// nothing.
func TestWhatACCCDSays(t *testing.T) {
	const (
		d = levelDiffer
		m = "missing"
	)
	for _, c := range []struct {
		about string
		a, b  [4]string // cccd, born, sex, place
		want  []string
	}{
		{"a record with a CCCD only, and one without", [4]string{"079085001234", "", "", ""}, [4]string{"", "1985-03-20", "male", "TP HCM"}, []string{m, "says_sex", "says_year", "says_place"}},
		{"of somebody else", [4]string{"079085001234", "", "", ""}, [4]string{"", "1986-03-20", "female", "Hà Nội"}, []string{m, d, d, d}},
		{"of a year alone, and of a province that is part of another now", [4]string{"079085001234", "", "", ""}, [4]string{"", "1985", "", "Bình Dương"}, []string{m, m, "says_year", "says_place"}},
		{"what the record says itself counts there", [4]string{"079085001234", "1985-03-20", "male", "79"}, [4]string{"", "1985-03-20", "male", "79"}, []string{m, m, m, m}},
		{"one number: that is the evidence", [4]string{"079085001234", "", "", ""}, [4]string{"079085001234", "1985-03-20", "male", "79"}, []string{"equal", m, m, m}},
		{"a digit mistyped: what is alike follows from it", [4]string{"079085001234", "", "", ""}, [4]string{"079085001235", "", "", ""}, []string{"near", m, m, m}},
		{"also of what the other record says", [4]string{"079085001234", "", "", ""}, [4]string{"079086001234", "1986-03-20", "male", "TP HCM"}, []string{"near", m, m, m}},
		{"two numbers say what neither record does", [4]string{"079085001234", "", "", ""}, [4]string{"079185999999", "", "", ""}, []string{d, d, "says_year", "says_place"}},
		{"nothing on the other side", [4]string{"079085001234", "", "", ""}, [4]string{"", "", "", ""}, []string{m, m, m, m}},
		{"a number that is somebody else's speaks less against another (case11)", [4]string{"079085001234", "2016-07-08", "male", "79"}, [4]string{"079216263131", "2016-07-08", "male", "79"}, []string{"doubted", m, m, m}},
		{"and what it says is not relied on", [4]string{"079085001234", "2016-07-08", "", ""}, [4]string{"", "2016-07-08", "male", "79"}, []string{m, m, m, m}},
		{"two numbers that nobody doubts", [4]string{"079085001234", "1985-03-20", "male", "79"}, [4]string{"079216263131", "2016-07-08", "male", "79"}, []string{d, m, m, m}},
	} {
		tab, err := NewTable(model(t, saying4))
		require.NoError(t, err)
		f, err := tab.File("a", []string{"id", "cccd", "born", "sex", "place"})
		require.NoError(t, err)
		require.NoError(t, f.Add(append([]string{"1"}, c.a[:]...)))
		require.NoError(t, f.Add(append([]string{"2"}, c.b[:]...)))
		require.NoError(t, tab.Close())
		require.Equal(t, c.want, levels(t, tab, "1", "2"), c.about)
	}
}

func TestDoubtedNumbersAreCounted(t *testing.T) {
	tab, err := NewTable(model(t, saying4))
	require.NoError(t, err)
	f, err := tab.File("a", []string{"id", "cccd", "born", "sex", "place"})
	require.NoError(t, err)
	require.NoError(t, f.Add([]string{"1", "079085001234", "1985-03-20", "female", ""}))
	require.NoError(t, f.Add([]string{"2", "079085001235", "1985-03-20", "male", ""}))
	require.NoError(t, tab.Close())
	require.Equal(t, ColumnIntake{Column: "cccd", Values: 2, Doubted: 1}, tab.Intake()[0])
}

func TestSaysThatAreRefused(t *testing.T) {
	for _, c := range [][3]string{
		{"role: cccd, says: {sex: sex, born: born, place: place}", "role: cccd", "with the columns of its record that it speaks of"},
		{"says: {sex: sex, born", "says: {sex: born, born", `says names "born", which is no column of role sex`},
		{", place: place}", "}", "does not name under says"},
		{"[{is: says_sex}]", "[{is: equal}, {is: says_sex}]", "a comparison of its own"},
		{"{name: born, role: date}", "{name: born, role: date, says: {sex: sex}}", "says is for role cccd"},
		{"{name: place, role: province}", "{name: place, role: province, nodes: [firm]}", `"firm" is no kind`},
	} {
		_, err := ParseModel([]byte(replaceOnce(t, saying4, c[0], c[1])))
		require.ErrorContains(t, err, c[2], c[1])
	}
}

// A model is what it is without any column and without any level: it can be
// trained and links.
func TestModelsWithoutAColumnOrALevel(t *testing.T) {
	whole, err := Described("city")
	require.NoError(t, err)
	before, err := whole.Marshal()
	require.NoError(t, err)
	for _, column := range whole.ColumnNames() {
		m := whole.Without(column)
		require.NoError(t, m.check(), column)
		require.Negative(t, m.column(column))
	}
	sex := whole.Without("sex")
	require.Negative(t, sex.comparison("cccd_sex"), "nothing is left to hold it against")
	require.NotNil(t, sex.Columns[sex.column("cccd")].Says)
	levels, names := whole.EachLevel()
	require.Contains(t, names, "cccd doubted")
	for i, at := range levels {
		m := whole.WithoutLevel(at)
		require.NoError(t, m.check(), names[i])
	}
	after, err := whole.Marshal()
	require.NoError(t, err)
	require.Equal(t, string(before), string(after), "the whole model stays as it is")
}
