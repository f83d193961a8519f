package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/hopluu/hopluu/connectors/postgres"
	"github.com/hopluu/hopluu/connectors/postgres/pgvalue"
	"github.com/hopluu/hopluu/integration/harness"
)

var update = flag.Bool("update", false, "write the golden table's half that PostgreSQL says")

func TestMain(m *testing.M) { os.Exit(harness.Main(m)) }

// userTypes is the first type number that is a database's own.
const userTypes = 16384

// The golden table says what PostgreSQL does: under our sessions' settings it
// prints each text, and its catalogue describes each type, as it stands there
// (P5).
func TestGoldenIsWhatPostgreSQLPrints(t *testing.T) {
	const path = "../../connectors/postgres/pgvalue/testdata/golden.jsonl"
	raw, err := os.ReadFile(path)
	require.NoError(t, err)
	types, err := os.ReadFile("../../connectors/postgres/pgvalue/testdata/types.sql")
	require.NoError(t, err)
	_, dsn := harness.Postgres(t).NewDatabase(t)
	admin, err := pgx.Connect(t.Context(), dsn)
	require.NoError(t, err)
	_, err = admin.PgConn().Exec(t.Context(), string(types)).ReadAll()
	require.NoError(t, err)

	var rows []map[string]json.RawMessage
	var names, texts, columns []string
	numbers := map[string]int{}
	for line := range bytes.Lines(raw) {
		var row map[string]json.RawMessage
		require.NoError(t, json.Unmarshal(line, &row))
		var name, text string
		require.NoError(t, json.Unmarshal(row["type"], &name))
		require.NoError(t, json.Unmarshal(row["text"], &text))
		if _, ok := numbers[name]; !ok {
			numbers[name] = len(numbers)
			columns = append(columns, fmt.Sprintf("c%d %s", len(columns), name))
		}
		rows, names, texts = append(rows, row), append(names, name), append(texts, text)
	}
	_, err = admin.Exec(t.Context(), "CREATE TABLE public.value ("+strings.Join(columns, ", ")+")")
	require.NoError(t, err)
	require.NoError(t, admin.Close(t.Context()))

	conn, err := postgres.Connect(t.Context(), dsn)
	require.NoError(t, err)
	relation, err := postgres.NewCatalog(conn).Relation(t.Context(), "public", "value")
	require.NoError(t, err)
	var out bytes.Buffer
	for i, name := range names {
		results, err := conn.PgConn().Exec(t.Context(), fmt.Sprintf("SET search_path = pg_catalog, public; SELECT '%s'::%s; RESET search_path", strings.ReplaceAll(texts[i], "'", "''"), name)).ReadAll()
		require.NoError(t, err, "%s %q", name, texts[i])
		text := string(results[1].Rows[0][0])
		column := described(t, relation.Columns[numbers[name]])
		if !*update {
			require.Equal(t, texts[i], text, name)
			require.JSONEq(t, string(rows[i]["column"]), string(column), name)
			continue
		}
		enc := json.NewEncoder(&out)
		enc.SetEscapeHTML(false)
		require.NoError(t, enc.Encode(struct {
			Type   string          `json:"type"`
			Text   string          `json:"text"`
			Column json.RawMessage `json:"column"`
		}{name, text, column}))
	}
	require.NoError(t, conn.Close(t.Context()))
	if *update {
		require.NoError(t, os.WriteFile(path, out.Bytes(), 0o644))
	}
}

// described is a column as JSON, without what is zero, what it is called and
// numbers that differ from database to database.
func described(t *testing.T, c pgvalue.Column) json.RawMessage {
	t.Helper()
	var all map[string]any
	raw, err := json.Marshal(c)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(raw, &all))
	strip(all)
	raw, err = json.Marshal(all)
	require.NoError(t, err)
	return raw
}

func strip(all map[string]any) {
	delete(all, "Name")
	for k, v := range all {
		switch v := v.(type) {
		case map[string]any:
			strip(v)
		case float64:
			if v == 0 || k == "OID" && v >= userTypes {
				delete(all, k)
			}
		case nil:
			delete(all, k)
		case string:
			if v == "" {
				delete(all, k)
			}
		case bool:
			if !v {
				delete(all, k)
			}
		}
	}
}
