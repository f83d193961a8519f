package commandline

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/stretchr/testify/require"

	"github.com/hopluu/hopluu/integration/harness"
)

const housePeople = `
version: house-1
id: [id]
columns:
  - {name: name, role: full_name}
  - {name: born, role: date}
  - {name: token, role: identifier}
comparisons:
  - {name: name, column: name, levels: [{is: equal, frequency: true}, {is: toneless}]}
  - {name: born, column: born, levels: [{is: equal}, {is: same_year}]}
  - {name: token, column: token, levels: [{is: equal}]}
blocking: [{name: name, keys: [name]}, {name: token, keys: [token]}]
training: {rules: [name, token]}
thresholds: {link: 3, review: 0}
`

// Tables and queries of ClickHouse are linked and trained on as files are.
func TestIdentityReadsClickHouse(t *testing.T) {
	house := harness.ClickHouse(t)
	conn, err := clickhouse.Open(house.Options())
	require.NoError(t, err)
	defer func() { require.NoError(t, conn.Close()) }()
	database := harness.Name("identity")
	require.NoError(t, conn.Exec(t.Context(), "CREATE DATABASE "+database))
	for _, table := range []string{"health", "tax"} {
		require.NoError(t, conn.Exec(t.Context(), fmt.Sprintf("CREATE TABLE %s.%s (id UInt64, name Nullable(String), born Nullable(Date32), token Nullable(String), `odd``name` Array(Nullable(String))) ENGINE = MergeTree ORDER BY id", database, table)))
		// The same people have the same tokens; the tax office writes no tones.
		require.NoError(t, conn.Exec(t.Context(), fmt.Sprintf(`INSERT INTO %s.%s SELECT number,
			concat(%s, ' ', ['An', 'Bo', 'Cam', 'Du', 'Hai', 'Lan', 'Mai', 'Nga', 'Oai', 'Phi'][number %% 10 + 1]),
			toDate32('1950-01-01') + number * 61, if(number %% 7 = 0, NULL, concat('t', toString(number))), [NULL]
			FROM numbers(300)`, database, table, map[string]string{"health": "'Trần'", "tax": "'TRAN'"}[table])))
	}
	dir := harness.TempDir(t)
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		return path
	}
	model, links, trained := write("model.yaml", housePeople), filepath.Join(dir, "links.csv"), filepath.Join(dir, "trained.yaml")
	config := write("hopluu.yaml", `{kafka: {brokers: ["127.0.0.1:1"]}, clickhouse: {dsn: "http://default@`+house.Addr+`/default"}}`)
	run := func(args ...string) done {
		stdout, stderr, code, err := harness.Hopluu(t).Run(t.Context(), append([]string{"identity"}, args...), "HOPLUU_CONFIG="+config)
		require.NoError(t, err)
		return done{stdout, stderr, code}
	}
	whole, query := "clickhouse:"+database+".health", "clickhouse:SELECT * FROM "+database+".tax -- the rest"
	d := run("link", "--model", model, "--input", whole, "--input", query, "--train", "--save-model", trained, "--output", links, "--json")
	require.Zero(t, d.code, d.stderr)
	var linked struct {
		Records, Clusters int
	}
	require.NoError(t, json.Unmarshal([]byte(d.stdout), &linked))
	require.Equal(t, 600, linked.Records)
	require.Equal(t, 300, linked.Clusters)
	written, err := os.ReadFile(links)
	require.NoError(t, err)
	require.Contains(t, string(written), "health,")
	require.Contains(t, string(written), "query,")

	d = run("diff", trained, trained, "--input", whole, "--input", query, "--json")
	require.Zero(t, d.code, d.stderr)
	require.Contains(t, d.stdout, `"moved": 0`)
	for input, want := range map[string]string{
		"clickhouse:" + database + ".nothing":                                   "nothing",
		"clickhouse:SELECT 1 AS id":                                             "none of the model's columns",
		"clickhouse:SELECT":                                                     "clickhouse:SELECT",
		"clickhouse:SELECT * FROM " + database + ".tax WHERE id > 1000":         "it has no row",
		"clickhouse:SELECT NULL AS id, 'a' AS name, 'b' AS born, 'c' AS token":  "row 1",
		"clickhouse:SELECT throwIf(number > 1) AS id, 'a' AS name FROM numbers": "clickhouse:SELECT throwIf",
	} {
		d := run("link", "--model", trained, "--input", input, "--output", links)
		require.Equal(t, 2, d.code, "%s\n%s", input, d.stderr)
		require.Contains(t, d.stderr, want)
	}
}
