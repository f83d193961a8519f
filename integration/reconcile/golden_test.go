package reconcile

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
)

const goldenFile = `
system: 5
name: {vi: Giá trị, en: Values}
owner: {vi: Sở, en: Department}
tables:
  - name: value
    meaning: {vi: Giá trị, en: Values}
    columns:
      - {name: id, type: bigint, meaning: {vi: Mã, en: Id}, sensitivity: internal}
`

// goldenValue is a line of the golden table and what docs/types.md says of it:
// dead is why ClickHouse cannot hold it.
type goldenValue struct{ typ, text, dead string }

func goldenValues(t *testing.T) (values []goldenValue) {
	t.Helper()
	file, err := os.ReadFile("../../connectors/postgres/pgvalue/testdata/golden.jsonl")
	require.NoError(t, err)
	page, err := os.ReadFile("../../docs/types.md")
	require.NoError(t, err)
	_, list, found := strings.Cut(string(page), "| PostgreSQL | text | Avro type | Avro value | ClickHouse |\n| --- | --- | --- | --- | --- |\n")
	require.True(t, found)
	lines := strings.Split(strings.TrimSuffix(list, "\n"), "\n")
	for line := range bytes.Lines(file) {
		require.NotEmpty(t, lines, "docs/types.md is shorter than the golden table: make generate")
		told := lines[0]
		lines = lines[1:]
		var row struct{ Type, Text, Refused string }
		require.NoError(t, json.Unmarshal(line, &row))
		if row.Refused != "" {
			continue
		}
		_, dead, _ := strings.Cut(told, "*dead letter: ")
		values = append(values, goldenValue{row.Type, row.Text, strings.TrimSuffix(dead, "* |")})
	}
	require.Empty(t, lines)
	return values
}

// P2, P3: every value of the golden table, from snapshot and from stream, lands
// in ClickHouse as what the source holds, or is in the dead letters with the
// reason that docs/types.md tells; the rest of its batch lands.
func TestGoldenValuesLand(t *testing.T) {
	types, err := os.ReadFile("../../connectors/postgres/pgvalue/testdata/types.sql")
	require.NoError(t, err)
	values := goldenValues(t)
	columns := map[string]string{}
	var definitions []string
	for _, v := range values {
		if columns[v.typ] != "" {
			continue
		}
		columns[v.typ] = fmt.Sprintf("c%d", len(columns))
		definition := columns[v.typ] + " " + v.typ
		if v.typ == "required" { // a domain that is NOT NULL
			definition += " DEFAULT 'x'"
		}
		definitions = append(definitions, definition)
	}
	const streamed = 10_000
	insert := func(from int) string {
		var b strings.Builder
		for i, v := range values {
			fmt.Fprintf(&b, "INSERT INTO public.value (id, %s) VALUES (%d, '%s');\n", columns[v.typ], from+i, strings.ReplaceAll(v.text, "'", "''"))
		}
		return b.String()
	}
	r := newRig(t, goldenFile, string(types)+"SET search_path = pg_catalog, public; CREATE TABLE public.value (id bigint PRIMARY KEY, "+strings.Join(definitions, ", ")+")", 1)
	s := r.sources[0]
	r.exec(s, "SET search_path = pg_catalog, public;"+insert(0))
	r.run()
	r.exec(s, "SET search_path = pg_catalog, public;"+insert(streamed))
	result := r.compare(s)["public.value"]

	var landed, reasons []string
	for _, from := range []int{0, streamed} {
		for i, v := range values {
			if v.dead == "" {
				landed = append(landed, fmt.Sprint(from+i))
				continue
			}
			reasons = append(reasons, r.dataset("value")+": column "+columns[v.typ]+": "+v.dead)
		}
	}
	require.Equal(t, landed, texts(t, r.config.ClickHouse, "SELECT toString(id) FROM silver."+r.dataset("value")+" FINAL ORDER BY id"))
	require.ElementsMatch(t, reasons, texts(t, r.config.ClickHouse, "SELECT reason FROM ops.dead_letter FINAL WHERE dataset = '"+r.dataset("value")+"'"))
	// What landed is what the source holds.
	require.True(t, result.OK, "%+v", result)
	require.Zero(t, result.Keys, "%+v", result)
	require.Equal(t, len(reasons), result.Waiting, "%+v", result)
	conn := r.connect(s)
	var ids []string
	for i, v := range values {
		if v.dead != "" {
			ids = append(ids, fmt.Sprint(i), fmt.Sprint(streamed+i))
		}
	}
	_, err = conn.Exec(t.Context(), "DELETE FROM "+pgx.Identifier{"public", "value"}.Sanitize()+" WHERE id IN ("+strings.Join(ids, ", ")+")")
	require.NoError(t, err)
	r.agree()
}
