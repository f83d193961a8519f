package clickhouse

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestParseInsert(t *testing.T) {
	for _, c := range []struct {
		in, sql, data string /* sql: head|settings|format */
	}{
		{
			"INSERT INTO d.t (a, b) FORMAT Native\n\x01\x02", "INSERT INTO d.t (a, b)||Native", "\x01\x02",
		},
		{
			"insert into t format CSV 1,2\n3,4", "insert into t||CSV", "1,2\n3,4",
		},
		{
			"INSERT INTO t VALUES (1, 'a;b'), (2, '')", "INSERT INTO t||Values", " (1, 'a;b'), (2, '')",
		},
		{
			"INSERT INTO `a``b`.\"c\" (`x)`, y) SETTINGS async_insert=0, max_insert_threads=1 FORMAT JSONEachRow\r\n{}",
			"INSERT INTO `a``b`.\"c\" (`x)`, y)|SETTINGS async_insert=0, max_insert_threads=1|JSONEachRow", "{}",
		},
		{
			"INSERT INTO t FORMAT TSV SETTINGS a=1, b='x y', c=0.5\n1\t2", "INSERT INTO t|SETTINGS a=1, b='x y', c=0.5|TSV", "1\t2",
		},
		{
			"INSERT INTO t SETTINGS z=1 FORMAT TSV SETTINGS a=1\n1", "INSERT INTO t|SETTINGS z=1 , a=1|TSV", "1",
		},
		{
			"/* c */ INSERT INTO TABLE format (values) -- FORMAT CSV\n FORMAT RowBinary\n\n\n", "/* c */ INSERT INTO TABLE format (values) -- FORMAT CSV||RowBinary", "\n\n",
		},
	} {
		st, err := parseStatement(c.in)
		require.NoError(t, err, c.in)
		require.Equal(t, insertData, st.kind, c.in)
		// Line breaks, since a comment would swallow what follows.
		part := strings.Split(c.sql, "|")
		require.Equal(t, part[0]+"\nFROM INFILE '/f' COMPRESSION 'none'\n"+part[1]+"\nFORMAT "+part[2], st.insert.sql("/f"), c.in)
		require.Equal(t, c.data, c.in[st.insert.data:], c.in)
	}
}

func TestParseOther(t *testing.T) {
	for _, c := range []struct {
		in     string
		kind   statementKind
		format string
	}{
		{"SELECT 1", query, ""},
		{"  -- x\n/* y */ SELECT 1 FORMAT JSON", query, "JSON"},
		{"SELECT 1 FORMAT JSON;", query, "JSON"},
		{"SELECT 1 FORMAT JSON SETTINGS max_threads=1", query, "JSON"},
		{"SELECT 1 SETTINGS max_threads=1 FORMAT CSV -- end", query, "CSV"},
		{"SELECT format FROM t", query, ""},
		{"SELECT 'FORMAT JSON'", query, ""},
		{"SELECT * FROM (SELECT 1 AS format x)", query, ""},
		{"(SELECT 1)", query, ""},
		{"WITH 1 AS x SELECT x", query, ""},
		{"SHOW TABLES FORMAT TSV", show, "TSV"},
		{"CREATE TABLE t (format String) ENGINE=Memory", other, ""},
		{"ALTER TABLE t ADD COLUMN format String", other, ""},
		{"INSERT INTO t SELECT 1", other, ""},
		{"INSERT INTO t (a) (SELECT 1)", other, ""},
		{"INSERT INTO t (a) WITH 1 AS x SELECT x", other, ""},
		{"CREATE TABLE file (a UInt8) ENGINE=Memory", other, ""},
		{"SELECT $$;$$, $t$ ; $t$", query, ""},
	} {
		st, err := parseStatement(c.in)
		require.NoError(t, err, c.in)
		require.Equal(t, c.kind, st.kind, c.in)
		require.Equal(t, c.format, st.format, c.in)
	}
}

func TestParseRefuses(t *testing.T) {
	for in, code := range map[string]int{
		"":                                  codeSyntax,
		" -- nothing":                       codeSyntax,
		"SELECT 1; SELECT 2":                codeSyntax,
		"INSERT INTO t FORMAT":              codeSyntax,
		"SELECT * FROM file('/etc/passwd')": codeAccessDenied,
		"SELECT file ('/etc/passwd')":       codeAccessDenied,
		"SELECT 1 INTO OUTFILE '/tmp/x'":    codeAccessDenied,
		"INSERT INTO t FROM INFILE '/etc/passwd' FORMAT CSV":       codeAccessDenied,
		"INSERT INTO FUNCTION file('/tmp/x', 'CSV') VALUES (1)":    codeAccessDenied,
		"INSERT INTO t SELECT * FROM file('/etc/passwd', 'CSV')":   codeAccessDenied,
		"CREATE TABLE t (a String) ENGINE = `File`(CSV, '/etc/x')": codeAccessDenied,
		"SELECT * FROM executable('x', 'TSV', 'a String')":         codeAccessDenied,
	} {
		_, err := parseStatement(in)
		var e *Exception
		require.ErrorAs(t, err, &e, in)
		require.Equal(t, code, e.Code, in)
	}
}

// Whatever comes in, the front's own reading of it neither panics nor points
// outside of it.
func FuzzParseStatement(f *testing.F) {
	for _, seed := range []string{
		"INSERT INTO t FORMAT CSV SETTINGS a=-1.5,b='", "INSERT INTO FUNCTION x.", "SELECT `a\\", "$a$ $a", "/*", "--", "INSERT INTO t VALUES", "((((",
		"INSERT INTO t SETTINGS a=1 FORMAT x SETTINGS b", "SELECT 1 FORMAT", ";",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		st, err := parseStatement(s)
		if err != nil {
			require.IsType(t, &Exception{}, err)
			return
		}
		if st.kind == insertData {
			require.LessOrEqual(t, st.insert.data, len(s))
			require.NotEmpty(t, st.insert.sql("/f"))
		}
	})
}
