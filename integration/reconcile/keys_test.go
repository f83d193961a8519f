package reconcile

import (
	"fmt"
	"strings"
	"testing"
)

// keyTypes are types that a key may have, each with three values: the first is
// updated, the second deleted, and the third becomes the key of the first.
var keyTypes = []struct{ typ, first, second, third string }{
	{"bool", "t", "f", "f"},
	{"int2", "-32768", "0", "32767"},
	{"oid", "0", "1", "4294967295"},
	{"float4", "-0", "NaN", "0.1"},
	{"float8", "-0", "Infinity", "5e-324"},
	{"numeric", "1.0", "NaN", "1.00"},
	{"numeric(40,2)", "-1.50", "0", "99999999999999999999999999999999999999.99"},
	{"money", "$1.00", "-$2.00", "$3.00"},
	{"text", "", "a|b\\", "đ\n"},
	{"citext", "A", "b", "a"},
	{"char(3)", "", "a", "ab"},
	{`"char"`, "", "a", "b"},
	{"name", "x", "y", "z"},
	{"bytea", "", "\\x00", "\\xff7c"},
	{"uuid", "00000000-0000-0000-0000-000000000000", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", "ffffffff-ffff-ffff-ffff-ffffffffffff"},
	{"date", "1900-01-01", "1970-01-01", "2299-12-31"},
	{"time", "00:00", "12:00:00.5", "24:00"},
	{"timetz", "00:00Z", "12:00+07", "24:00-15:59"},
	{"timestamp", "1900-01-01", "1969-12-31 23:59:59.999999", "2200-01-01"},
	{"timestamptz", "1900-01-02", "1969-12-31 23:59:59.999999Z", "2200-01-01"},
	{"interval", "1 day", "24:00:01", "24:00:00"},
	{"inet", "10.0.0.1", "10.0.0.0/8", "::1"},
	{"macaddr", "08:00:2b:01:02:03", "08:00:2b:01:02:04", "08:00:2b:01:02:05"},
	{"bit(3)", "000", "001", "111"},
	{"varbit", "", "0", "00"},
	{"mood", "vui", "buồn", "it''s"},
	{"amount", "1", "2.5", "-3"},
	{"int4range", "empty", "[1,5)", "(,)"},
	{"jsonb", "null", "{}", `{"a": [1, "|"]}`},
	{"int4[]", "{}", "{1,NULL}", "{NULL}"},
	{"text[]", `{""}`, `{"a,b"}`, "{NULL}"},
	{"pg_lsn", "0/0", "1/0", "0/1"},
}

// P2, P6: a row is the same row by a key of any type, through an update, a
// delete and a change of key.
func TestKeysOfEveryType(t *testing.T) {
	var file, tables, before, after, again strings.Builder
	file.WriteString("system: 5\nname: {vi: Khóa, en: Keys}\nowner: {vi: Sở, en: Department}\ntables:\n")
	tables.WriteString("CREATE EXTENSION citext; CREATE TYPE mood AS ENUM ('vui', 'buồn', 'it''s'); CREATE DOMAIN amount AS numeric(12,2);")
	for i, k := range keyTypes {
		name := fmt.Sprintf("k%d", i)
		fmt.Fprintf(&file, "  - name: %s\n    meaning: {vi: Khóa, en: Key}\n    columns:\n      - {name: k, type: text, meaning: {vi: Khóa, en: Key}, sensitivity: internal}\n", name)
		fmt.Fprintf(&tables, "CREATE TABLE %s (k %s, v int, PRIMARY KEY (k));", name, k.typ)
		fmt.Fprintf(&before, "INSERT INTO %[1]s VALUES ('%[2]s', 1), ('%[3]s', 1);", name, k.first, k.second)
		fmt.Fprintf(&again, "INSERT INTO %[1]s VALUES ('%[2]s', 4), ('%[3]s', 4) ON CONFLICT DO NOTHING;", name, k.first, k.second)
		fmt.Fprintf(&after, "UPDATE %[1]s SET v = 2 WHERE k = '%[2]s'; DELETE FROM %[1]s WHERE k = '%[3]s'; UPDATE %[1]s SET k = '%[4]s' WHERE k = '%[2]s'; INSERT INTO %[1]s VALUES ('%[3]s', 3) ON CONFLICT DO NOTHING;", name, k.first, k.second, k.third)
	}
	r := newRig(t, file.String(), tables.String(), 1)
	r.exec(r.sources[0], before.String())
	r.run()
	r.agree()
	r.exec(r.sources[0], after.String())
	r.agree()
	r.exec(r.sources[0], again.String())
	r.agree()
}
