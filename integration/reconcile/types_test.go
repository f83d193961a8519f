package reconcile

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/stretchr/testify/require"
)

const kindsFile = `
system: 5
name: {vi: Kiểu, en: Types}
owner: {vi: Sở, en: Department}
tables:
  - name: every
    meaning: {vi: Mọi kiểu, en: Every type}
    columns:
      - {name: id, type: bigint, meaning: {vi: Mã, en: Id}, sensitivity: internal}
      - {name: phone, type: text, meaning: {vi: Điện thoại, en: Phone}, sensitivity: identifier, identifier: phone}
      - {name: u_numeric, type: "numeric(12,2)", meaning: {vi: Số, en: Number}, sensitivity: internal, unfit: text}
      - {name: u_date, type: date, meaning: {vi: Ngày, en: Date}, sensitivity: internal, unfit: text}
      - {name: u_timestamp, type: timestamp without time zone, meaning: {vi: Lúc, en: Time}, sensitivity: internal, unfit: text}
      - {name: u_timestamptz, type: timestamp with time zone, meaning: {vi: Lúc, en: Time}, sensitivity: internal, unfit: text}
      - {name: u_ints, type: "integer[]", meaning: {vi: Dãy, en: Array}, sensitivity: internal, unfit: text}
      - {name: u_text, type: text, meaning: {vi: Chữ, en: Text}, sensitivity: internal, unfit: text}
  - name: pair
    meaning: {vi: Khóa ghép, en: A key of several columns}
    columns:
      - {name: a, type: text, meaning: {vi: A, en: A}, sensitivity: internal}
  - name: holder
    meaning: {vi: Khóa là số định danh, en: A key that becomes a token}
    columns:
      - {name: cccd, type: text, meaning: {vi: Số định danh, en: Citizen id}, sensitivity: identifier, identifier: cccd}
`

// everyColumns are all types of the table between PostgreSQL, Avro and
// ClickHouse, and their edges: each has values that are easily written in
// another way on the other side.
var everyColumns = []struct{ name, typ, values string }{
	{"phone", "text", `'0912 345 678' '' '+84-912'`},
	{"a_bool", "bool", `true false`},
	{"a_int2", "int2", `-32768 32767 0`},
	{"a_int4", "int4", `-2147483648 2147483647 0`},
	{"a_int8", "int8", `-9223372036854775808 9223372036854775807 0`},
	{"a_oid", "oid", `0 4294967295`},
	{"a_xid", "xid", `'0' '4294967295'`},
	{"a_float4", "float4", `'-0' 1e-45 3.4028235e38 0.1 'NaN' 'Infinity' '-Infinity' 16777216`},
	{"a_float8", "float8", `'-0' 0 5e-324 1.7976931348623157e308 0.1 1e20 123456789.123456789 'NaN' 'Infinity' '-Infinity' 1`},
	{"a_numeric", "numeric(12,2)", `-0.01 0 100 100.50 -9999999999.99`},
	{"a_whole", "numeric(12,0)", `-1 0 999999999999`},
	{"a_wide", "numeric(76,10)", `-1 0.0000000001 ` + strings.Repeat("9", 66) + `.9999999999 -` + strings.Repeat("9", 66) + `.9999999999`},
	{"a_round", "numeric(5,-2)", `1234500 -1234500 0 100`},
	{"a_fine", "numeric(2,4)", `0.0012 -0.0099 0`},
	{"a_huge", "numeric(100,2)", `1.50 -0.00 ` + strings.Repeat("8", 90) + `.25`},
	{"a_free", "numeric", `1.500 -0 0.000 'NaN' 'Infinity' '-Infinity' 1e50 1e-50`},
	{"a_text", "text", `'' 'Nguyễn Thị Ánh' E'a\nb\t\\N' 'NULL' E'\x1e\x1f'`},
	{"a_varchar", "varchar(20)", `'' 'đường số 3 '`},
	{"a_char", "char(6)", `'' 'ab' 'ab cd'`},
	{"a_name", "name", `'x' ''`},
	{"a_uuid", "uuid", `'00000000-0000-0000-0000-000000000000' 'FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF'`},
	{"a_json", "json", `'{"b": 1,  "a": [null, "đ"]}' '"\u0111\"\\"' 'null'`},
	{"a_jsonb", "jsonb", `'{"b": 1.0,  "a": [null, "đ"]}' '"\u0111\"\\"' 'null' '1e3'`},
	{"a_date", "date", `'1969-12-31' '1900-01-01' '2299-12-31' '1970-01-01'`},
	{"a_timestamp", "timestamp", `'1969-12-31 23:59:59.999999' '1900-01-01' '2024-02-29 12:00:00.1' '2200-01-01 00:00:00.000001'`},
	{"a_timestamp3", "timestamp(3)", `'1969-12-31 23:59:59.999' '2024-02-29 12:00:00.1'`},
	{"a_timestamptz", "timestamptz", `'1969-12-31 23:59:59.999999+07' '2024-02-29 12:00:00.1-03:30' '1900-01-02 00:00:00+07' '2200-01-01 00:00:00.000001Z'`},
	{"a_time", "time", `'00:00' '23:59:59.999999' '24:00'`},
	{"a_timetz", "timetz", `'00:00Z' '23:59:59.999999+07' '12:00-03:30' '12:00:00.5+15:59:59'`},
	{"a_interval", "interval", `'0' '1 year 2 mons -3 days 04:05:06.789' '-1 mons' '1000000 hours'`},
	{"a_bytea", "bytea", `'' '\x00ff5c27' 'abc'`},
	{"a_mood", "mood", `'vui' 'buồn' 'it''s'`},
	{"a_inet", "inet", `'10.0.0.1' '10.0.0.1/8' '::1' '::ffff:1.2.3.4/96'`},
	{"a_cidr", "cidr", `'10.0.0.0/8' '::/0'`},
	{"a_macaddr", "macaddr", `'08:00:2b:01:02:03'`},
	{"a_bit", "bit(4)", `B'0101' B'0000'`},
	{"a_varbit", "varbit", `B'' B'1'`},
	{"a_money", "money", `'-12.34' '1000000' '0'`},
	{"a_xml", "xml", `'<a b="c">đ</a>' ''`},
	{"a_citext", "public.citext", `'Hà Nội' ''`},
	{"a_hstore", "public.hstore", `'a=>1,b=>NULL' '' '"đ \"q\""=>"\\"'`},
	{"a_ltree", "public.ltree", `'a.b' ''`},
	{"a_vector", "int2vector", `'1 2'`},
	{"a_xid8", "xid8", `'18446744073709551615'`},
	{"a_tid", "tid", `'(1,2)'`},
	{"a_multirange", "datemultirange", `'{[2024-01-01,2024-02-01)}' '{}'`},
	{"a_range", "int4range", `'[1,5]' 'empty' '(,3)'`},
	{"a_point", "point", `'(1.5,-2)' '(0,1e300)'`},
	{"a_tsvector", "tsvector", `'a:1 b:2,3A' ''`},
	{"a_domain", "amount", `-1.10 0`},
	{"a_place", "place", `'(1,)' '(,"a b")' '(2,NULL)' '(,)'`},
	{"bools", "bool[]", `'{}' '{t,f,NULL}'`},
	{"ints", "int4[]", `'{}' '{-1,NULL,2147483647}'`},
	{"float8s", "float8[]", `'{0,-0,NULL,1e20,NaN,5e-324}' '{}'`},
	{"float4s", "float4[]", `'{0.1,NULL,3.4028235e38}'`},
	{"numerics", "numeric(12,2)[]", `'{1.50,NULL,-0.01,100}'`},
	{"frees", "numeric[]", `'{1.500,NULL,NaN}'`},
	{"texts", "text[]", `'{}' '{""}' '{"a,b","NULL",NULL,"c\"d\\e","đ"}' '{"",""}'`},
	{"chars", "char(4)[]", `'{ab,NULL,""}'`},
	{"dates", "date[]", `'{1969-12-31,NULL}'`},
	{"timestamps", "timestamp[]", `'{"1969-12-31 23:59:59.999999",NULL,"2024-02-29 12:00"}'`},
	{"timestamptzs", "timestamptz[]", `'{"1969-12-31 23:59:59.999999+07",NULL}'`},
	{"times", "time[]", `'{24:00,00:00:00.5,NULL}'`},
	{"timetzs", "timetz[]", `'{12:00+07,NULL,00:00Z}'`},
	{"intervals", "interval[]", `'{"1 year -1 day",NULL}'`},
	{"uuids", "uuid[]", `'{00000000-0000-0000-0000-000000000000,NULL}'`},
	{"byteas", "bytea[]", `'{"\\x00ff",NULL,""}'`},
	{"moods", "mood[]", `'{vui,NULL,"it''s"}'`},
	{"hstores", "public.hstore[]", `'{"a=>1",NULL,""}'`},
	{"moneys", "money[]", `'{-12.34,NULL}'`},
	{"boxes", "box[]", `'{(3,4),(1,2);NULL}'`},
	{"grid", "int4[][]", `'{{1,2},{3,NULL}}' '{1}' '[0:1]={1,2}' '{}'`},
	{"cube", "text[2][2][2]", `'{{{a}},{{"b,c"}}}'`},
	{"inets", "inet[]", `'{10.0.0.1,10.0.0.1/8,NULL}'`},
	{"jsonbs", "jsonb[]", `'{"{\"a\": 1.0}",NULL,"null"}'`},
	{"amounts", "amount[]", `'{1.10,NULL}'`},
	// What a type does not hold, where the sector file has a field for it.
	{"u_numeric", "numeric(12,2)", `1.50 'NaN' -0.01`},
	{"u_date", "date", `'2024-02-29' '9999-12-31' '1899-12-31' 'infinity' '4713-01-01 BC'`},
	{"u_timestamp", "timestamp", `'2024-02-29 12:00:00.1' '294276-12-31 23:59:59.999999' '9999-12-31' '-infinity'`},
	{"u_timestamptz", "timestamptz", `'2024-02-29 12:00:00.1+07' '9999-12-31 12:00:00.5+07' 'infinity'`},
	{"u_ints", "int4[]", `'{1,NULL}' '{{1,2},{3,NULL}}' '[0:1]={1,2}' '{}'`},
	{"u_text", "text", `'NaN' ''`},
	// Names that are another's in Avro, or the sink's own.
	{"tên gọi", "text", `'A' ''`},
	{"_offset", "int8", `7 -7`},
}

func kindsSQL() string {
	var b strings.Builder
	b.WriteString(`
		CREATE EXTENSION hstore;
		CREATE EXTENSION ltree;
		CREATE EXTENSION citext;
		CREATE TYPE mood AS ENUM ('vui', 'buồn', 'it''s');
		CREATE TYPE place AS (x int, y text);
		CREATE DOMAIN amount AS numeric(12,2);
		CREATE TABLE every (id bigint PRIMARY KEY`)
	for _, c := range everyColumns {
		fmt.Fprintf(&b, ", %q %s", c.name, c.typ)
	}
	b.WriteString(`, made int GENERATED ALWAYS AS (a_int2 + 1) STORED);
		CREATE TABLE pair (a text, b int, c date, d char(3), e numeric(6,2), f timestamptz, v text, PRIMARY KEY (a, b, c, d, e, f));
		CREATE TABLE holder (cccd text PRIMARY KEY, v text);`)
	return b.String()
}

// edges are INSERTs of every value of every column, each in a row of its own
// from the given id, and a row of NULLs.
func edges(id int) (sql string, next int) {
	var b strings.Builder
	fmt.Fprintf(&b, "INSERT INTO every (id) VALUES (%d);\n", id)
	for _, c := range everyColumns {
		for _, value := range splitValues(c.values) {
			id++
			fmt.Fprintf(&b, "INSERT INTO every (id, %q) VALUES (%d, %s);\n", c.name, id, value)
		}
	}
	return b.String(), id + 1
}

// splitValues divides at spaces outside of quotes.
func splitValues(s string) (values []string) {
	start, quoted := 0, false
	for i, c := range s {
		switch {
		case c == '\'':
			quoted = !quoted
		case c == ' ' && !quoted:
			values = append(values, s[start:i])
			start = i + 1
		}
	}
	return append(values, s[start:])
}

const otherRows = `
	INSERT INTO pair SELECT a, b, c, d, e, f, 'v' FROM unnest(ARRAY['', 'a', 'A', 'a|b', E'a\\', 'đ', 'Z', '_']) a, unnest(ARRAY[-1, 2, 10]) b,
		unnest(ARRAY[date '1969-12-31', '2024-01-01']) c, unnest(ARRAY['', 'x']) d, unnest(ARRAY[-1.5, 10, 2]) e, unnest(ARRAY[timestamptz '2024-01-01', '2024-01-01 00:00:00.5+07']) f;
	INSERT INTO holder SELECT '0790850' || lpad(n::text, 5, '0'), 'v' || n FROM generate_series(1, 500) n;`

// Every type with its edges, read by snapshot and by stream, from two sources
// of one sector whose names are not the sector's: both sides write the same
// text (P5).
func TestTypes(t *testing.T) {
	r := newRig(t, kindsFile, kindsSQL(), 2)
	byID := ""
	next := 1
	for i, s := range r.sources {
		byID, next = edges(next)
		r.exec(s, byID+otherRows)
		if i == 1 {
			r.exec(s, "DELETE FROM holder WHERE cccd LIKE '%7'; DELETE FROM pair WHERE b = 2")
		}
	}
	r.run()
	r.agree()

	for _, s := range r.sources {
		byID, next = edges(next)
		r.exec(s, byID+"UPDATE holder SET v = v || '!' WHERE cccd LIKE '%3'; DELETE FROM holder WHERE cccd LIKE '%4'; UPDATE pair SET v = a, b = b + 100 WHERE b < 0")
	}
	r.agree()
	r.unfit()
	r.everyColumnCounts(next)
	r.twoSources()
}

// unfit looks at what the columns' types cannot hold: each of two sources wrote
// it twice, before the snapshot and into the stream (P3, P5).
func (r *rig) unfit() {
	r.t.Helper()
	for column, want := range map[string][]string{
		"u_numeric":     {"NaN"},
		"u_date":        {"1899-12-31", "4713-01-01 BC", "9999-12-31", "infinity"},
		"u_timestamp":   {"-infinity", "294276-12-31 23:59:59.999999", "9999-12-31 00:00:00"},
		"u_timestamptz": {"9999-12-31 05:00:00.5+00", "infinity"},
		"u_ints":        {"[0:1]={1,2}", "{{1,2},{3,NULL}}"},
		"u_text":        nil,
	} {
		got := texts(r.t, r.config.ClickHouse, fmt.Sprintf("SELECT concat(%[1]s_unfit, ' ', toString(count())) FROM silver.%[2]s FINAL WHERE %[1]s_unfit IS NOT NULL GROUP BY %[1]s_unfit ORDER BY %[1]s_unfit", column, r.dataset("every")))
		for i := range want {
			want[i] += " 4"
		}
		require.Equal(r.t, want, got, column)
	}
}

// everyColumnCounts spoils each column in a row of its own: each must be found.
func (r *rig) everyColumnCounts(id int) {
	r.t.Helper()
	s := r.sources[0]
	var columns, values, spoilt []string
	for _, c := range everyColumns {
		value := splitValues(c.values)
		columns = append(columns, fmt.Sprintf("%q", c.name))
		// One that is neither NULL nor, in arrays, empty.
		values = append(values, value[slices.IndexFunc(value, func(v string) bool { return v != "'{}'" })])
	}
	r.exec(s, fmt.Sprintf("INSERT INTO every (id, %s) SELECT n, %s FROM generate_series(%d, %d) n", strings.Join(columns, ", "), strings.Join(values, ", "), id, id+len(columns)-1))
	r.agree()
	types := map[string]string{}
	for _, pair := range texts(r.t, r.config.ClickHouse, "SELECT concat(name, ' ', type) FROM system.columns WHERE database = 'silver' AND table = '"+r.dataset("every")+"'") {
		name, typ, _ := strings.Cut(pair, " ")
		types[name] = typ
	}
	for i, c := range everyColumns {
		name := strings.NewReplacer("tên gọi", "t_n_g_i", "_offset", "_offset_").Replace(c.name)
		nothing := "NULL"
		require.NotEmpty(r.t, types[name], name)
		if strings.HasPrefix(types[name], "Array") {
			nothing = "[]"
		}
		spoilt = append(spoilt, fmt.Sprintf("`%s` = if(id = %d, %s, `%s`)", name, id+i, nothing, name))
	}
	ctx := clickhouse.Context(r.t.Context(), clickhouse.WithSettings(clickhouse.Settings{"mutations_sync": 2}))
	require.NoError(r.t, r.config.ClickHouse.Exec(ctx, fmt.Sprintf("ALTER TABLE silver.%s UPDATE %s WHERE id >= %d", r.dataset("every"), strings.Join(spoilt, ", "), id)))
	result := r.compare(s)["public.every"]
	require.Equal(r.t, len(everyColumns), result.Keys, "%+v", result)
	require.Equal(r.t, len(everyColumns), result.Counts["different"])
	require.Equal(r.t, fmt.Sprint(id), result.Different[0])
	require.Len(r.t, result.Different, 20, "no more are named")
}

// twoSources: what is wrong with one source's rows is not the other's.
func (r *rig) twoSources() {
	r.t.Helper()
	require.False(r.t, r.compare(r.sources[0])["public.every"].OK)
	require.True(r.t, r.compare(r.sources[1])["public.every"].OK)
	require.True(r.t, r.compare(r.sources[0])["public.holder"].OK)
}
