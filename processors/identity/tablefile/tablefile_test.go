package tablefile

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/hopluu/hopluu/processors/identity/linkage"
	"github.com/stretchr/testify/require"
)

const model = `
version: names-1
id: [id]
columns: [{name: name, role: full_name}, {name: born, role: date}]
comparisons:
  - {name: name, column: name, levels: [{is: equal, m: 0.9, u: 0.001}, {is: differ, m: 0.1, u: 0.999}]}
  - {name: born, column: born, levels: [{is: equal, m: 0.9, u: 0.0001}, {is: differ, m: 0.1, u: 0.9999}]}
blocking: [{name: name, keys: [name]}]
training: {rules: [name]}
thresholds: {link: 10, review: 0}
prior: {matches: 1}
`

func table(t *testing.T) *linkage.Table {
	t.Helper()
	m, err := linkage.ParseModel([]byte(model))
	require.NoError(t, err)
	tab, err := linkage.NewTable(m)
	require.NoError(t, err)
	return tab
}

func TestReadLinkWriteEvaluate(t *testing.T) {
	tab := table(t)
	var rows int64
	require.NoError(t, Read(tab, "a", strings.NewReader("\ufeffid;name;born\n1;Lê Lan;1990-02-03\n2;\"Trần; Mai\";1991-02-03\n"), func(n int64) { rows = n }))
	require.NoError(t, Read(tab, "b", strings.NewReader("name,born,id\nLÊ LAN,03/02/1990,1\nTrần Mai,1999-09-09,9\n"), nil))
	require.Equal(t, int64(2), rows)
	require.NoError(t, tab.Close())
	edges, err := tab.Candidates(nil)
	require.NoError(t, err)
	links, err := tab.Resolve(edges)
	require.NoError(t, err)
	var out, clusters bytes.Buffer
	require.NoError(t, WriteLinks(&out, tab, links))
	require.NoError(t, WriteClusters(&clusters, tab, links))
	require.Contains(t, out.String(), ",link\n")
	require.Contains(t, out.String(), ",review\n")
	require.Equal(t, 5, strings.Count(clusters.String(), "\n"))
	truth, err := ReadTruth("truth", strings.NewReader("entity,source,id\nlan,a,1\nlan,b,1\nmai,a,2\nother,b,9\n"))
	require.NoError(t, err)
	again, err := truth.ReadLinks("links", strings.NewReader(out.String()))
	require.NoError(t, err)
	e := linkage.Evaluate(truth.Entities, again)
	require.Equal(t, 1.0, e.Pairs.F1)
	require.Equal(t, 1, e.ReviewPairs)
}

// The same rows by every program that writes them.
func TestFilesAsProgramsWriteThem(t *testing.T) {
	for _, text := range []string{
		"id,name,born\n1,Lê Lan,1990-02-03\n2,\"Trần, Mai\",1991-02-03\n",
		"\ufeffid,name,born\r\n1,Lê Lan,1990-02-03\r\n2,\"Trần, Mai\",1991-02-03\r\n", // a spreadsheet's
		"id;name;born\r\n1;Lê Lan;1990-02-03\r\n2;Trần, Mai;1991-02-03",               // where the comma is for decimals
		"\ufeffid\tname\tborn\n1\tLê Lan\t1990-02-03\n2\tTrần, Mai\t1991-02-03\n",
		"id, name , born\n1, Lê Lan , 1990-02-03\n2, Trần Mai ,1991-02-03 \n", // FEBRL's
	} {
		tab := table(t)
		err := Read(tab, "a", strings.NewReader(text), nil)
		require.NoError(t, err, "%q", text)
		require.NoError(t, tab.Close())
		require.Equal(t, 2, tab.Len())
		require.Equal(t, "1", tab.ID(0))
		e, err := tab.Explain(0, 1)
		require.NoError(t, err)
		for _, step := range e.Steps {
			require.NotEqual(t, "missing", step.Level, "%q: %+v", text, step)
		}
	}
}

func TestFilesThatAreRefused(t *testing.T) {
	for _, c := range [][2]string{
		{"", "a is empty"},
		{"  \n", "a is empty"},
		{"id,name,born\n", "a has a header and no row"},
		{"id,name,born\n1,Lan,1990\n2,Mai\n", "line 3 of a has another number of fields than the header: 2, not 3"},
		{"id,name,born\n1,Lan,1990\n2,\"Mai,1990\n", "line 3 of a"},
		{"id,name,born\n1,\"Lan,1990\n2,Mai,1990\n3,\"x\",1990\n", "line 4 of a, in the row that begins on line 2: extraneous or missing"},
		{"\xff\xfei\x00d\x00\n\x00", "a is UTF-16 or no text: save it as CSV UTF-8"},
		{"\xfe\xff\x00i\x00d\x00\n", "a is UTF-16 or no text: save it as CSV UTF-8"},
		{"i\x00d\x00,\x00n\x00\n\x00", "a is UTF-16 or no text: save it as CSV UTF-8"}, // without a byte-order mark
		{"\ufeff", "a is empty"},
		{"\r\n", "a is empty"},
		{"id,name,born\r\n1,Lan,1990\r\n2,Mai\r\n", "line 3 of a has another number of fields"},
		{"id;name;born\n1,Lan,1990\n", "line 2 of a has another number of fields"},
		{"id,name\n1,\x00\n", "no text"},
		{"id,Name,Born\n1,Lan,1990\n", "none of the model's columns is in the file, which has id, Name, Born: write the file's names in the model, as from: [...]"},
		{"id,name,born\n1,Lan,1990\n,Mai,1990\n", "line 3 of a: id is empty"},
		{"number,name\n1,Lan\n", "no column names the record"},
	} {
		require.ErrorContains(t, Read(table(t), "a", strings.NewReader(c[0]), nil), c[1], "%q", c[0])
	}
	broken := errors.New("disk")
	require.ErrorIs(t, Read(table(t), "a", iotest.ErrReader(broken), nil), broken)
	for _, c := range [][2]string{
		{"", "t is empty"}, {"id,person\n1,2\n", "columns id and entity"}, {"id,entity\n", "no row"}, {"id,entity\n1,a\n1,b\n", `line 3 of t: the record "1" stands twice`},
	} {
		_, err := ReadTruth("t", strings.NewReader(c[0]))
		require.ErrorContains(t, err, c[1], "%q", c[0])
	}
	truth, err := ReadTruth("t", strings.NewReader("id,entity\n1,a\n2,a\n"))
	require.NoError(t, err)
	for _, c := range [][2]string{
		{"a,b\n1,2\n", "id_a and id_b"}, {"id_a,id_b\n1,3\n", `line 2 of l: the truth has no record "3"`}, {"id_a,id_b,weight\n1,2,x\n", `weight "x" is no number`},
	} {
		_, err := truth.ReadLinks("l", strings.NewReader(c[0]))
		require.ErrorContains(t, err, c[1], "%q", c[0])
	}
}
