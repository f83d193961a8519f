package capture

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/hopluu/hopluu/connectors/postgres/pgvalue"
	"github.com/hopluu/hopluu/integration/harness"
	"github.com/hopluu/hopluu/schemas/avro"
	"github.com/hopluu/hopluu/schemas/event"
	"github.com/linkedin/goavro/v2"
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

// foreignSettings print every value in another way than ours do.
const foreignSettings = `
	ALTER DATABASE %[1]s SET DateStyle = 'German, DMY';
	ALTER DATABASE %[1]s SET IntervalStyle = '%[2]s';
	ALTER DATABASE %[1]s SET TimeZone = 'Asia/Ho_Chi_Minh';
	ALTER DATABASE %[1]s SET bytea_output = 'escape';
	ALTER DATABASE %[1]s SET extra_float_digits = -15;
	ALTER DATABASE %[1]s SET xmloption = 'document';
	ALTER DATABASE %[1]s SET search_path = 'public'`

// golden are the values of the golden table that can be carried, by type, and
// what the catalogue says of each type.
func golden(t *testing.T) (types []string, columns map[string]pgvalue.Column, values map[string][]string) {
	t.Helper()
	file, err := os.ReadFile("../../connectors/postgres/pgvalue/testdata/golden.jsonl")
	require.NoError(t, err)
	columns, values = map[string]pgvalue.Column{}, map[string][]string{}
	for line := range bytes.Lines(file) {
		var row struct {
			Type, Text, Refused string
			Column              pgvalue.Column
		}
		require.NoError(t, json.Unmarshal(line, &row))
		if row.Refused != "" {
			continue
		}
		if _, ok := values[row.Type]; !ok {
			types = append(types, row.Type)
			columns[row.Type] = row.Column
		}
		values[row.Type] = append(values[row.Type], row.Text)
	}
	require.Greater(t, len(types), 170)
	return types, columns, values
}

func typesSQL(t *testing.T) string {
	t.Helper()
	sql, err := os.ReadFile("../../connectors/postgres/pgvalue/testdata/types.sql")
	require.NoError(t, err)
	return string(sql)
}

// P5: a row of every type with its edge values has, value by value, the bytes
// of the golden table, from a snapshot and from the stream, also when the
// connections that wrote and read it have other settings. The reference reads
// what we write.
func TestGoldenFromSnapshotAndStream(t *testing.T) {
	types, columns, values := golden(t)
	if strings.HasPrefix(t.Name(), oldest+"/") {
		// Before 17 an interval has no infinity.
		infinite := func(text string) bool { return strings.Contains(text, "infinity") }
		values["interval"] = slices.DeleteFunc(values["interval"], infinite)
		values["interval[]"] = nil
	}
	definitions, rows := []string{"id integer PRIMARY KEY"}, 0
	for i, typ := range types {
		definitions = append(definitions, fmt.Sprintf("c%d %s", i, typ))
		rows = max(rows, len(values[typ]))
	}
	// text is the cell of a row; the last row is NULL where it can be.
	text := func(typ string, n int) (string, bool) {
		switch {
		case n < len(values[typ]):
			return values[typ][n], true
		case typ == "required": // a domain that is NOT NULL
			return values[typ][0], true
		}
		return "", false
	}
	var sql strings.Builder
	sql.WriteString(typesSQL(t) + "CREATE TABLE public.value (" + strings.Join(definitions, ", ") + ");")
	for n := range rows + 1 {
		fmt.Fprintf(&sql, "INSERT INTO public.value VALUES (%d", n)
		for _, typ := range types {
			if value, ok := text(typ, n); ok {
				fmt.Fprintf(&sql, ", '%s'", strings.ReplaceAll(value, "'", "''"))
			} else {
				sql.WriteString(", NULL")
			}
		}
		sql.WriteString(");")
	}
	r := newRigOf(t, source(t), harness.Kafka(t), valuesSector, "SET search_path = pg_catalog, public;"+sql.String())
	r.exec(fmt.Sprintf(foreignSettings, r.setup.Database, "postgres_verbose"))
	r.ready(r.start())
	r.exec(`BEGIN; CREATE TABLE public.kept AS TABLE public.value; DELETE FROM public.value; INSERT INTO public.value TABLE public.kept; COMMIT`)
	read, created := r.readAndCreated(rows + 1)
	for n := range rows + 1 {
		want := []byte{0, 2} // no old row, a new one
		want = avro.AppendLong(want, int64(n))
		for _, typ := range types {
			value, ok := text(typ, n)
			if !ok {
				want = append(want, 0)
				continue
			}
			codec, err := pgvalue.Lookup(columns[typ])
			require.NoError(t, err)
			want, err = codec.Append(append(want, 2), []byte(value))
			require.NoError(t, err)
		}
		require.Equal(t, read[n].Key, created[n].Key)
		same(t, want, rowBytes(t, read[n]), n, "snapshot")
		same(t, want, rowBytes(t, created[n]), n, "stream")
	}
	r.referenceReads(append(read, created...))
}

func same(t *testing.T, want, have []byte, n int, from string) {
	t.Helper()
	if bytes.Equal(want, have) {
		return
	}
	at := 0
	for at < min(len(want), len(have)) && want[at] == have[at] {
		at++
	}
	require.Fail(t, "the bytes differ", "row %d from the %s, at byte %d:\nwant %q\nhave %q", n, from, at, want[max(0, at-40):min(len(want), at+80)], have[max(0, at-40):min(len(have), at+80)])
}

// readAndCreated gives the events of rows 0 to count-1 of a table that was read
// whole, emptied and filled again.
func (r *rig) readAndCreated(count int) (read, created []message) {
	r.t.Helper()
	read, created = make([]message, count), make([]message, count)
	for _, m := range r.tail(r.public("value")).events(3 * count) {
		if m.Event == nil {
			continue
		}
		var n int
		_, err := fmt.Sscan(m.Row["id"], &n)
		require.NoError(r.t, err)
		switch m.Event.Op {
		case event.Read:
			read[n] = m
		case event.Create:
			created[n] = m
		}
	}
	for n := range count {
		require.NotNil(r.t, read[n].Event, n)
		require.NotNil(r.t, created[n].Event, n)
	}
	return read, created
}

// referenceReads: goavro decodes every message to its end, and encodes what it
// decoded to the same bytes.
func (r *rig) referenceReads(all []message) {
	r.t.Helper()
	codecs := map[uint32]*goavro.Codec{}
	for _, m := range all {
		id, payload, err := avro.SplitWire(m.Value)
		require.NoError(r.t, err)
		if codecs[id] == nil {
			schema, err := r.registry.Schema(r.t.Context(), id)
			require.NoError(r.t, err)
			codecs[id], err = goavro.NewCodec(schema)
			require.NoError(r.t, err)
		}
		native, rest, err := codecs[id].NativeFromBinary(payload)
		require.NoError(r.t, err)
		require.Empty(r.t, rest)
		again, err := codecs[id].BinaryFromNative(nil, native)
		require.NoError(r.t, err)
		same(r.t, payload, again, 0, "reference")
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

// Case 14, P5: a NULL in a column with a default is NULL, and what no number or
// calendar of Avro's has arrives as itself, from snapshot and stream.
func TestCase14EdgesArriveAsThemselves(t *testing.T) {
	r := newRigOf(t, source(t), harness.Kafka(t), valuesSector, `
		CREATE TABLE public.value (id integer PRIMARY KEY, n integer DEFAULT 7, s text DEFAULT 'x', tags text[] DEFAULT '{a}', at timestamptz DEFAULT now(),
			seen timestamp NOT NULL, day date NOT NULL, free numeric NOT NULL);
		INSERT INTO public.value VALUES (0, NULL, NULL, NULL, NULL, 'infinity', '-infinity', 'NaN'),
			(1, 0, '', '{}', '-infinity', '0044-03-15 12:00 BC', '0001-12-31 BC', '12345678901234567890123456789012345678901234567890.10'),
			(2, DEFAULT, DEFAULT, DEFAULT, 'infinity', '1582-10-14', '1582-10-14', '-Infinity')`)
	r.ready(r.start())
	r.exec(`BEGIN; CREATE TABLE public.kept AS TABLE public.value; DELETE FROM public.value; INSERT INTO public.value TABLE public.kept; COMMIT`)
	read, created := r.readAndCreated(3)
	for n, want := range []map[string]string{
		{"id": "0", "seen": "9223372036825200000", "day": "-2147483648", "free": "NaN"},
		{"id": "1", "n": "0", "s": "", "tags": "0", "at": "-infinity", "seen": "-63517780800000000", "day": "-719163", "free": "12345678901234567890123456789012345678901234567890.10"},
		{"id": "2", "n": "7", "s": "x", "tags": "0", "at": "infinity", "seen": "-12219379200000000", "day": "-141428", "free": "-Infinity"},
	} {
		for from, m := range map[string]message{"snapshot": read[n], "stream": created[n]} {
			got := map[string]string{}
			for i, name := range []string{"id", "n", "s", "tags", "at", "seen", "day", "free"} {
				switch cell := m.Event.After[i]; {
				case cell.Null:
				case cell.B != nil:
					got[name] = string(cell.B)
				default:
					got[name] = fmt.Sprint(cell.N)
				}
			}
			require.Equal(t, want, got, "row %d from the %s", n, from)
		}
	}
}

// randoms are expressions that give a random value of a type, NULL among them
// by their frame. r is random().
var randoms = []struct{ typ, expression string }{
	{"boolean", `random() < 0.5`},
	{"smallint", `(random() * 65535 - 32768)::int2`},
	{"integer", `(random() * 4294967295 - 2147483648)::int8::int4`},
	{"bigint", `('x' || substr(md5(random()::text), 1, 16))::bit(64)::int8`},
	{"oid", `(random() * 4294967295)::int8::oid`},
	{"xid8", `floor(random() * 1e19)::numeric::text::xid8`},
	{"real", `((random() - 0.5) * 10.0 ^ (random() * 70 - 35))::real`},
	{"double precision", `((random() - 0.5) * 10.0 ^ (random() * 600 - 300))`},
	{"numeric", `((random() - 0.5) * 10.0 ^ (random() * 40))::numeric * random()::numeric`},
	{"numeric(5,2)", `((random() - 0.5) * 1998)::numeric`},
	{"numeric(38,12)", `(random() - 0.5)::numeric * 1e25 * random()::numeric`},
	{"numeric(70,30)", `(random() - 0.5)::numeric * 1e39 * random()::numeric`},
	{"numeric(4,-3)", `((random() - 0.5) * 1e6)::numeric`},
	{"money", `((random() - 0.5) * 1e10)::numeric::money`},
	{"text", `convert_from(decode(repeat('c490', (random() * 300)::int), 'hex'), 'UTF8') || chr(1 + (random() * 2000)::int) || md5(random()::text)`},
	{"varchar(20)", `left(md5(random()::text), (random() * 20)::int)`},
	{"char(8)", `left(md5(random()::text), (random() * 8)::int)`},
	{`"char"`, `chr(1 + (random() * 126)::int)::"char"`},
	{"bytea", `decode(repeat(md5(random()::text), (random() * 3)::int), 'hex')`},
	{"uuid", `gen_random_uuid()`},
	{"json", `json_build_object('a', random(), 'b', chr(1 + (random() * 2000)::int), 'c', NULL)`},
	{"jsonb", `jsonb_build_array(random(), chr(1 + (random() * 2000)::int), NULL, md5(random()::text))`},
	{"xml", `xmlelement(name a, xmlattributes(random() AS b), chr(32 + (random() * 2000)::int))`},
	{"date", `date '4714-11-24 BC' + (random() * 2147483493)::int`},
	{"time", `time '00:00' + random() * interval '24 hours'`},
	{"timetz", `((time '00:00' + random() * interval '24 hours')::text || to_char((random() * 30 - 15)::int, 'SG00') || ':30')::timetz`},
	{"timestamp", `timestamp '4714-11-24 00:00:00 BC' + random() * 109000000 * interval '1 day' + random() * interval '1 day'`},
	{"timestamp(2)", `timestamp '1900-01-01' + random() * interval '1 day' * 100000`},
	{"timestamptz", `timestamptz '4714-11-24 00:00:00+00 BC' + random() * 109000000 * interval '1 day' + random() * interval '1 day'`},
	{"interval", `make_interval((random() * 200 - 100)::int, (random() * 20 - 10)::int, 0, (random() * 60 - 30)::int, (random() * 40 - 20)::int, 0, random() * 100 - 50)`},
	{"inet", `inet '0.0.0.0' + (random() * 4294967295)::int8`},
	{"cidr", `network(set_masklen(inet '0.0.0.0' + (random() * 4294967295)::int8, (random() * 32)::int))`},
	{"macaddr", `substr(md5(random()::text), 1, 12)::macaddr`},
	{"bit(13)", `(random() * 8191)::int::bit(13)`},
	{"varbit", `substring(('x' || md5(random()::text))::bit(128) for (random() * 128)::int)`},
	{"point", `point(random() * 10.0 ^ (random() * 20 - 10), -random())`},
	{"box", `box(point(random(), random()), point(random(), random()))`},
	{"circle", `circle(point(random(), random()), random())`},
	{"tsvector", `to_tsvector('simple', md5(random()::text) || ' it''s ' || md5(random()::text))`},
	{"pg_lsn", `'0/0'::pg_lsn + floor(random() * 1e19)::numeric`},
	{"int4range", `int4range((random() * 100)::int, 100 + (random() * 100)::int)`},
	{"numrange", `numrange(-random()::numeric, random()::numeric, '[]')`},
	{"tstzrange", `tstzrange(timestamptz '2020-01-01' + random() * interval '1 day', NULL)`},
	{"datemultirange", `datemultirange(daterange(date '2020-01-01', date '2020-02-01' + (random() * 100)::int))`},
	{"public.mood", `(enum_range(NULL::public.mood))[1 + (random() * 6)::int]`},
	{"public.amount", `(random() * 1000)::numeric`},
	{"public.pair", `ROW((random() * 100)::int, chr(32 + (random() * 90)::int))::public.pair`},
	{"public.hstore", `public.hstore(md5(random()::text), chr(1 + (random() * 200)::int))`},
	{"public.ltree", `text2ltree('a.' || md5(random()::text))`},
}

// P5: what PostgreSQL itself makes up, in columns of every type and of arrays
// of it, has the same bytes from snapshot and stream, and the reference reads
// them and writes them again. The seed is printed.
func TestRandomValuesAgree(t *testing.T) {
	const rows = 200
	seed := float64(os.Getpid()%10_000) / 10_000
	t.Logf("setseed(%v)", seed)
	definitions, expressions := []string{"id integer PRIMARY KEY"}, []string{"n"}
	for i, c := range randoms {
		// n in the conditions keeps an expression from being made once for all rows.
		value := "(" + c.expression + ")::" + c.typ
		definitions = append(definitions, fmt.Sprintf("c%d %s", i, c.typ), fmt.Sprintf("a%d %s[]", i, c.typ))
		expressions = append(expressions, fmt.Sprintf("CASE WHEN random() < 0.9 THEN %s END", value),
			fmt.Sprintf("CASE WHEN random() < 0.9 THEN (ARRAY[%[1]s, NULL, %[1]s, %[1]s])[:(random() * 4 + n * 0)::int] END", value))
	}
	sql := typesSQL(t) + "SET search_path = pg_catalog, public; CREATE TABLE public.value (" + strings.Join(definitions, ", ") + ");" +
		fmt.Sprintf("SELECT setseed(%v); INSERT INTO public.value SELECT %s FROM generate_series(0, %d) n", seed, strings.Join(expressions, ", "), rows-1)
	for _, style := range []string{"postgres", "sql_standard"} {
		r := newRigOf(t, source(t), harness.Kafka(t), valuesSector, sql)
		r.exec(fmt.Sprintf(foreignSettings, r.setup.Database, style))
		r.ready(r.start())
		r.exec(`BEGIN; CREATE TABLE public.kept AS TABLE public.value; DELETE FROM public.value; INSERT INTO public.value TABLE public.kept; COMMIT`)
		read, created := r.readAndCreated(rows)
		for n := range rows {
			require.Equal(t, read[n].Key, created[n].Key)
			same(t, rowBytes(t, read[n]), rowBytes(t, created[n]), n, "stream")
			require.Len(t, read[n].Event.After, 2*len(randoms)+1)
		}
		// The random is random: no column is all NULL or all the same.
		for i := range 2 * len(randoms) {
			values := map[string]bool{}
			for _, m := range read {
				values[fmt.Sprint(m.Event.After[i+1])] = true
			}
			require.Greater(t, len(values), 2, definitions[i+1])
		}
		r.referenceReads(slices.Concat(read, created))
	}
}
