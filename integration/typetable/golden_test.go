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

// noInput are the types that a column can have but no statement can give a
// value: their text is what the server prints, as for any type that the table
// does not name.
var noInput = []string{"pg_node_tree", "pg_ndistinct", "pg_dependencies", "pg_mcv_list", "pg_brin_bloom_summary", "pg_brin_minmax_multi_summary", "gtsvector"}

// Every type that PostgreSQL 18 has, and every array of one that is carried in
// a way of its own, stands in the golden table: one that a later version brings
// fails here before it surprises.
func TestEveryBuiltInTypeIsGolden(t *testing.T) {
	raw, err := os.ReadFile("../../connectors/postgres/pgvalue/testdata/golden.jsonl")
	require.NoError(t, err)
	golden := map[uint32]bool{}
	for line := range bytes.Lines(raw) {
		var row struct{ Column pgvalue.Column }
		require.NoError(t, json.Unmarshal(line, &row))
		golden[row.Column.OID] = true
		if row.Column.Elem != nil {
			golden[row.Column.Elem.OID] = true
		}
	}
	_, dsn := harness.Postgres(t).NewDatabase(t)
	conn, err := postgres.Connect(t.Context(), dsn)
	require.NoError(t, err)
	var columns []pgvalue.Column
	rows, err := conn.Query(t.Context(), `
		SELECT t.oid, t.typname::text FROM pg_type t
		WHERE t.oid < 16384 AND t.typtype IN ('b', 'r', 'm') AND t.typname <> ALL ($1)
		  AND (t.typelem = 0 OR t.typsubscript <> 'array_subscript_handler'::regproc OR t.oid IN (22, 30) OR
		       (SELECT e.typtype IN ('b', 'r', 'm') AND e.typname <> ALL ($1) FROM pg_type e WHERE e.oid = t.typelem))
		ORDER BY t.oid`, noInput)
	require.NoError(t, err)
	columns, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (c pgvalue.Column, err error) {
		return c, row.Scan(&c.OID, &c.TypeName)
	})
	require.NoError(t, err)
	require.Greater(t, len(columns), 120)
	for _, c := range columns {
		c.Typmod = -1
		described := c
		described.TypeName = "" // a type that is known needs no name
		codec, err := pgvalue.Lookup(described)
		require.NoError(t, err)
		require.NotContains(t, codec.PGType, "type_", c.TypeName)
		if !strings.HasPrefix(c.TypeName, "_") {
			require.True(t, golden[c.OID], "%s (%d) is not in the golden table", c.TypeName, c.OID)
		}
	}
	require.NoError(t, conn.Close(t.Context()))
}
