package capture

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/hopluu/hopluu/integration/harness"
	"github.com/hopluu/hopluu/schemas/avro"
	"github.com/hopluu/hopluu/schemas/event"
	"github.com/stretchr/testify/require"
)

const valuesSector = `
sector: clinic
system: 5
name: {vi: Phòng khám, en: Clinic}
owner: {vi: Sở Y tế, en: Department of Health}
tables:
  - name: value
    meaning: {vi: Giá trị, en: Values}
    columns:
      - {name: id, type: integer, meaning: {vi: Mã, en: Id}, sensitivity: internal}
`

// makeTypes makes the types of the golden table that are not built in. Those of
// extensions stand as domains of what their text is.
const makeTypes = `
CREATE TYPE public.mood AS ENUM ('vui vẻ', 'buồn');
CREATE DOMAIN public.positive AS integer CHECK (VALUE > 0);
CREATE DOMAIN public.amount AS numeric(8,2);
CREATE DOMAIN public.tags AS text[];
CREATE TYPE public.pair AS (n integer, s text);
CREATE DOMAIN public.hstore AS text;
CREATE DOMAIN public.citext AS text;
`

// golden are the edge values of every type, by type, as the type table's own
// test has them.
func golden(t *testing.T) (types []string, values map[string][]string) {
	t.Helper()
	file, err := os.ReadFile("../../connectors/postgres/pgvalue/testdata/golden.jsonl")
	require.NoError(t, err)
	values = map[string][]string{}
	for line := range bytes.Lines(file) {
		var row struct{ Type, Text string }
		require.NoError(t, json.Unmarshal(line, &row))
		if _, ok := values[row.Type]; !ok {
			types = append(types, row.Type)
		}
		values[row.Type] = append(values[row.Type], row.Text)
	}
	require.Greater(t, len(types), 70)
	return types, values
}

// P5: a row of every type with its edge values has, value by value, the same
// bytes from a snapshot and from the stream, also when the connections that
// wrote and read it had other settings.
func TestSameBytesFromSnapshotAndStream(t *testing.T) {
	types, values := golden(t)
	columns, rows := []string{"id integer PRIMARY KEY"}, 0
	for i, typ := range types {
		name := typ
		if slices.Contains([]string{"mood", "mood[]", "positive", "amount", "tags", "pair", "hstore", "citext"}, typ) {
			name = "public." + typ
		}
		columns = append(columns, fmt.Sprintf("c%d %s", i, name))
		rows = max(rows, len(values[typ]))
	}
	var sql strings.Builder
	sql.WriteString(makeTypes + "CREATE TABLE public.value (" + strings.Join(columns, ", ") + ");")
	for n := range rows + 1 { // the last is all NULL
		fmt.Fprintf(&sql, "INSERT INTO public.value VALUES (%d", n)
		for _, typ := range types {
			if n >= len(values[typ]) {
				sql.WriteString(", NULL")
				continue
			}
			fmt.Fprintf(&sql, ", '%s'", strings.ReplaceAll(values[typ][n], "'", "''"))
		}
		sql.WriteString(");")
	}
	r := newRigOf(t, source(t), harness.Kafka(t), valuesSector, sql.String())
	r.exec(`ALTER DATABASE ` + r.setup.Database + ` SET DateStyle = 'German, DMY'; ALTER DATABASE ` + r.setup.Database + ` SET IntervalStyle = 'postgres_verbose';
		ALTER DATABASE ` + r.setup.Database + ` SET TimeZone = 'Asia/Ho_Chi_Minh'; ALTER DATABASE ` + r.setup.Database + ` SET bytea_output = 'escape'; ALTER DATABASE ` + r.setup.Database + ` SET extra_float_digits = -15`)
	r.ready(r.start())
	r.exec(`BEGIN; CREATE TABLE public.kept AS TABLE public.value; DELETE FROM public.value; INSERT INTO public.value TABLE public.kept; COMMIT`)
	all := r.tail(r.public("value")).events(3 * (rows + 1))
	for n := range rows + 1 {
		var read, created message
		for _, m := range all {
			if m.Event == nil || m.Row["id"] != fmt.Sprint(n) {
				continue
			}
			switch m.Event.Op {
			case event.Read:
				read = m
			case event.Create:
				created = m
			}
		}
		require.NotNil(t, read.Event, n)
		require.NotNil(t, created.Event, n)
		require.Equal(t, read.Key, created.Key)
		require.Equal(t, rowBytes(t, read), rowBytes(t, created), "row %d", n)
		require.Len(t, read.Event.After, len(types)+1)
		for i, typ := range types {
			require.Equal(t, n >= len(values[typ]), read.Event.After[i+1].Null, "row %d, %s", n, typ)
		}
	}
}

// rowBytes are the bytes of the new row in an event without an old one: they
// end where the block begins that says where it comes from.
func rowBytes(t *testing.T, m message) []byte {
	t.Helper()
	row, _, found := bytes.Cut(m.Value[len("\x00 id "):], avro.AppendBytes(avro.AppendBytes(nil, "1"), "postgresql"))
	require.True(t, found)
	return row
}
