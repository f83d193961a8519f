package restate

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func side(persons ...string) (all []Members) {
	for _, p := range persons {
		name, records, _ := strings.Cut(p, "=")
		all = append(all, Members{name, strings.Split(records, ",")})
	}
	return all
}

// Links of a merge, a split and a move that came together, one after another
// and all at once.
func TestSidesOfEvents(t *testing.T) {
	events := []Event{
		// c came with it: it is p1's on both sides.
		{Offset: 1, Before: side("p1=a", "p2=b,d"), After: side("p1=a,b,c,d")},
		// d went with it.
		{Offset: 3, Before: side("p1=a,b,c,d"), After: side("p1=a,c", "p2=b")},
		{Offset: 4, Before: side("p2=b", "p7=e,f"), After: side("p2=b,e", "p6=f")},
	}
	citizens := map[Pair]string{{"a", "p1"}: "a", {"c", "p1"}: "a", {"b", "p2"}: ""}
	write := func(links []Link) string {
		var out []string
		for _, l := range links {
			out = append(out, l.Record+":"+l.Person+":"+l.Citizen)
		}
		return strings.Join(out, " ")
	}
	for _, c := range []struct {
		i, j          int
		before, after string
	}{
		{0, 1, "a:p1:a b:p2: c:p1:a d:p2: e:p7: f:p7:", "a:p1:a b:p1:a c:p1:a d:p1:a e:p7: f:p7:"},
		{1, 2, "a:p1:a b:p1:a c:p1:a d:p1:a e:p7: f:p7:", "a:p1:a b:p2: c:p1:a d:p1:a e:p7: f:p7:"},
		{2, 3, "a:p1:a b:p2: c:p1:a e:p7: f:p7:", "a:p1:a b:p2: c:p1:a e:p2: f:p6:"},
		{0, 3, "a:p1:a b:p2: c:p1:a d:p2: e:p7: f:p7:", "a:p1:a b:p2: c:p1:a d:p2: e:p2: f:p6:"},
	} {
		before, after := Sides(events, c.i, c.j, citizens)
		require.Equal(t, c.before, write(before), "%d to %d", c.i, c.j)
		require.Equal(t, c.after, write(after), "%d to %d", c.i, c.j)
	}
}

func TestReadRefusesWhatIsNoEvent(t *testing.T) {
	e, err := Read(5, `[{"person_id":"p1","records":["a"]}]`, `[]`)
	require.NoError(t, err)
	require.Equal(t, Event{5, side("p1=a"), []Members{}}, e)
	_, err = Read(5, `{`, `[]`)
	require.ErrorContains(t, err, "offset 5: before")
	_, err = Read(5, `[]`, ``)
	require.ErrorContains(t, err, "offset 5: after")
}

// The views that links are in are put in place of their names; others are read
// as they are.
func TestCompareReadsTheSameViews(t *testing.T) {
	defined := Definitions{
		"silver.v_a": "CREATE OR REPLACE VIEW `silver`.`v_a`\n(\n    `x` String\n)\nAS SELECT\n    t.x AS x\nFROM `silver`.`a` AS t FINAL\nLEFT ANY JOIN (SELECT record FROM `silver`.`identity_link` FINAL) AS l ON l.record = t._record\nCOMMENT 'A'",
		"silver.v_b": "CREATE OR REPLACE VIEW `silver`.`v_b`\n(\n    `x` String\n)\nAS SELECT\n    t.x AS x\nFROM `silver`.`b` AS t FINAL\nCOMMENT 'B'",
		"gold.inner": "CREATE OR REPLACE VIEW gold.inner\n(\n    x String\n)\nAS\nSELECT x FROM silver.v_a\nCOMMENT 'inner'",
	}
	m := ReadMart("outer", "-- figures: n, m by x, y\nCREATE OR REPLACE VIEW gold.outer\n(\n    n UInt64\n)\nAS\nSELECT count() AS n FROM gold.inner AS i INNER JOIN silver.v_b AS b ON b.x = i.x\nCOMMENT 'outer'")
	require.Equal(t, []string{"n", "m"}, m.Figures)
	require.Equal(t, []string{"x", "y"}, m.Dimensions)
	views, ok := defined.Reads(m.SQL)
	require.True(t, ok)
	require.Equal(t, []string{"silver.v_a", "silver.v_b"}, views)
	_, ok = defined.Reads("SELECT 1 FROM silver.v_c")
	require.False(t, ok)

	sql := defined.Compare(m, []Link{{"r'1", "p1", ""}}, []Link{{"r'1", "p2", "c"}})
	require.Contains(t, sql, `arrayZip(['r\'1'], ['p2'], ['c'])`)
	for _, links := range []string{"hopluu_links_before", "hopluu_links_after"} {
		require.Contains(t, sql, "(SELECT record FROM "+links+") AS l")
	}
	require.Equal(t, 2, strings.Count(sql, "silver.v_b AS b"))
	require.NotContains(t, sql, "gold.inner AS")
	// Each side reads the links that are now once, beneath its own.
	require.Equal(t, 2, strings.Count(sql, "`identity_link` FINAL"))
	require.Empty(t, ReadMart("plain", "CREATE OR REPLACE VIEW gold.plain").Figures)
}
