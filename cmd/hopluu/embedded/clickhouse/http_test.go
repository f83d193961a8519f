package clickhouse_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/hopluu/hopluu/integration/harness"
)

// call makes a request as curl would; params are pairs of names and values.
func call(t *testing.T, method, path, body string, params ...string) (*http.Response, string) {
	t.Helper()
	values := url.Values{}
	for i := 0; i < len(params); i += 2 {
		values.Set(params[i], params[i+1])
	}
	target := harness.ClickHouse(t).URL() + path
	if len(values) > 0 {
		target += "?" + values.Encode()
	}
	req, err := http.NewRequestWithContext(t.Context(), method, target, strings.NewReader(body))
	require.NoError(t, err)
	req.Header.Set("Accept-Encoding", "identity")
	if body != "" {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded") // as curl -d sends it
	}
	res, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	content, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	return res, string(content)
}

// must is a statement that works.
func must(t *testing.T, body string, params ...string) string {
	t.Helper()
	res, content := call(t, http.MethodPost, "/", body, params...)
	require.Equal(t, http.StatusOK, res.StatusCode, content)
	return content
}

func table(t *testing.T, columns string) string {
	t.Helper()
	name := harness.Name("t")
	must(t, "CREATE TABLE "+name+" ("+columns+") ENGINE = MergeTree ORDER BY tuple()")
	return name
}

func TestHealth(t *testing.T) {
	for _, path := range []string{"/ping", "/replicas_status", "/"} {
		res, content := call(t, http.MethodGet, path, "")
		require.Equal(t, http.StatusOK, res.StatusCode)
		require.Equal(t, "Ok.\n", content)
	}
	res, content := call(t, http.MethodGet, "/nowhere", "")
	require.Equal(t, http.StatusNotFound, res.StatusCode)
	require.Contains(t, content, "/nowhere")
}

func TestFormats(t *testing.T) {
	const q = "SELECT number AS n, 'a\"b' AS s FROM numbers(2)"
	for _, c := range []struct{ format, contentType, want string }{
		{"", "text/tab-separated-values; charset=UTF-8", "0\ta\"b\n1\ta\"b\n"},
		{"TSVWithNames", "text/tab-separated-values; charset=UTF-8", "n\ts\n0\ta\"b\n1\ta\"b\n"},
		{"CSV", "text/csv; charset=UTF-8; header=absent", "0,\"a\"\"b\"\n1,\"a\"\"b\"\n"},
		{"CSVWithNames", "text/csv; charset=UTF-8; header=present", "\"n\",\"s\"\n0,\"a\"\"b\"\n1,\"a\"\"b\"\n"},
		{"JSONEachRow", "application/x-ndjson; charset=UTF-8", "{\"n\":0,\"s\":\"a\\\"b\"}\n{\"n\":1,\"s\":\"a\\\"b\"}\n"},
	} {
		// In the statement or as default; by GET or POST; in the URL or the body.
		res, content := call(t, http.MethodGet, "/", "", "query", q, "default_format", c.format)
		require.Equal(t, c.want, content)
		require.Equal(t, c.contentType, res.Header.Get("Content-Type"))
		if c.format == "" {
			continue
		}
		res, content = call(t, http.MethodPost, "/", q+" FORMAT "+c.format)
		require.Equal(t, c.want, content)
		require.Equal(t, c.format, res.Header.Get("X-ClickHouse-Format"))
		require.Equal(t, c.want, must(t, "FORMAT "+c.format, "query", q))
	}

	res, content := call(t, http.MethodPost, "/", q+" FORMAT JSON")
	require.Equal(t, "application/json; charset=UTF-8", res.Header.Get("Content-Type"))
	var document struct {
		Data []struct{ N int }
		Rows int
	}
	require.NoError(t, json.Unmarshal([]byte(content), &document))
	require.Equal(t, 2, document.Rows)
	require.Equal(t, 1, document.Data[1].N)
	var summary map[string]string
	require.NoError(t, json.Unmarshal([]byte(res.Header.Get("X-ClickHouse-Summary")), &summary))
	require.Equal(t, "2", summary["result_rows"])
	require.NotEmpty(t, res.Header.Get("X-ClickHouse-Query-Id"))

	res, _ = call(t, http.MethodPost, "/", "SELECT number FROM numbers(200000) FORMAT RowBinary", "wait_end_of_query", "1")
	require.NoError(t, json.Unmarshal([]byte(res.Header.Get("X-ClickHouse-Summary")), &summary))
	require.Equal(t, "200000", summary["result_rows"])
	// The engine counts what was read as it goes, and may give a result before the
	// last of its threads has counted.
	read, err := strconv.Atoi(summary["read_rows"])
	require.NoError(t, err)
	require.Greater(t, read, 0)
	require.LessOrEqual(t, read, 200000)
}

func TestInserts(t *testing.T) {
	name := table(t, "n Int64, s String")
	must(t, "INSERT INTO "+name+" VALUES (1, 'a'), (2, 'x\n\ny')") // two line breaks end no data
	must(t, "INSERT INTO "+name+" (s, n) FORMAT CSV\nb,3\n\"c\nd\",4\n")
	must(t, "{\"n\":5,\"s\":\"e\"}\n{\"n\":6}", "query", "INSERT INTO "+name+" FORMAT JSONEachRow")
	must(t, "7\tf\n", "query", "INSERT INTO "+name+" SETTINGS max_insert_threads=1 FORMAT TSV")
	must(t, "", "query", "INSERT INTO "+name+" VALUES (8, 'g')")
	must(t, "(9, 'h')", "query", "INSERT INTO "+name+" VALUES")
	res, content := call(t, http.MethodPost, "/", "INSERT INTO "+name+" SELECT number, 'i' FROM numbers(10, 2)")
	require.Equal(t, http.StatusOK, res.StatusCode, content)
	require.Contains(t, res.Header.Get("X-ClickHouse-Summary"), `"written_rows":"2"`)
	require.Equal(t, "[1,2,3,4,5,6,7,8,9,10,11]\n", must(t, "SELECT arraySort(groupArray(n)) FROM "+name))
	require.Equal(t, "x\\n\\ny\n", must(t, "SELECT s FROM "+name+" WHERE n = 2"))
	require.Equal(t, "c\\nd\n", must(t, "SELECT s FROM "+name+" WHERE n = 4"))

	// Half a row is an error and inserts nothing of its block.
	res, content = call(t, http.MethodPost, "/", "12\tj\n13", "query", "INSERT INTO "+name+" FORMAT TSV")
	require.Equal(t, http.StatusBadRequest, res.StatusCode, content)
	require.Equal(t, "0\n", must(t, "SELECT count() FROM "+name+" WHERE n >= 12"))
}

func TestCompressedBodyAndResult(t *testing.T) {
	name := table(t, "n Int64")
	var body bytes.Buffer
	z := gzip.NewWriter(&body)
	_, err := io.WriteString(z, "INSERT INTO "+name+" FORMAT TSV\n1\n2\n3\n")
	require.NoError(t, err)
	require.NoError(t, z.Close())
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, harness.ClickHouse(t).URL(), &body)
	require.NoError(t, err)
	req.Header.Set("Content-Encoding", "gzip")
	res, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	require.Equal(t, http.StatusOK, res.StatusCode)

	req, err = http.NewRequestWithContext(t.Context(), http.MethodPost, harness.ClickHouse(t).URL(), strings.NewReader("SELECT n FROM "+name+" ORDER BY n"))
	require.NoError(t, err)
	req.Header.Set("Accept-Encoding", "gzip")
	res, err = http.DefaultClient.Do(req)
	require.NoError(t, err)
	require.Equal(t, "gzip", res.Header.Get("Content-Encoding"))
	unzipped, err := gzip.NewReader(res.Body)
	require.NoError(t, err)
	content, err := io.ReadAll(unzipped)
	require.NoError(t, err)
	require.Equal(t, "1\n2\n3\n", string(content))
	require.NoError(t, res.Body.Close())
}

func TestSettingsDatabaseAndParameters(t *testing.T) {
	const show = "SELECT getSetting('max_threads'), getSetting('max_execution_time'), currentDatabase()"
	before := must(t, show)
	database := harness.Name("db")
	must(t, "CREATE DATABASE "+database)
	require.Equal(t, "1\t7\t"+database+"\n", must(t, show, "max_threads", "1", "max_execution_time", "7", "database", database))
	// Nothing of a query reaches another one, on none of the sessions.
	must(t, "SET max_threads = 1")
	must(t, "USE "+database)
	must(t, "CREATE TEMPORARY TABLE gone (n Int8)")
	for range 8 {
		require.Equal(t, before, must(t, show))
	}
	res, content := call(t, http.MethodPost, "/", "SELECT * FROM gone")
	require.Equal(t, http.StatusNotFound, res.StatusCode, content)

	require.Equal(t, "5\tx'y\n", must(t, "SELECT {a:UInt32} + 1, {b:String} FORMAT TSVRaw", "param_a", "4", "param_b", "x'y"))

	name := table(t, "n Int64, s String")
	must(t, "INSERT INTO "+name+" VALUES (1, 'a')")
	must(t, "ALTER TABLE "+name+" UPDATE s = 'b' WHERE n = 1", "mutations_sync", "1")
	require.Equal(t, "b\n", must(t, "SELECT s FROM "+name))
}

// The engine's time zone is UTC wherever the machine stands.
func TestTimeZone(t *testing.T) {
	t.Setenv("TZ", "Asia/Ho_Chi_Minh")
	server := harness.ClickHouse(t, harness.Own())
	res, err := http.Post(server.URL(), "", strings.NewReader("SELECT timezone(), toDateTime(0)"))
	require.NoError(t, err)
	content, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	require.Equal(t, "UTC\t1970-01-01 00:00:00\n", string(content))
}

func TestErrors(t *testing.T) {
	for _, c := range []struct {
		name, body   string
		params       []string
		status, code int
	}{
		{"syntax", "SELEC 1", nil, 400, 62},
		{"two statements", "SELECT 1; SELECT 2", nil, 400, 62},
		{"unknown column", "SELECT nope", nil, 404, 47},
		{"unknown table", "SELECT * FROM nope", nil, 404, 60},
		{"unknown database", "SELECT 1", []string{"database", "nope"}, 404, 81},
		{"unknown setting", "SELECT 1", []string{"nope", "1"}, 404, 115},
		{"setting that is no name", "SELECT 1", []string{"a = 1, b", "1"}, 404, 115},
		{"too slow", "SELECT sleepEachRow(0.1) FROM numbers(30) SETTINGS max_block_size = 1", []string{"max_execution_time", "0.2"}, 408, 159},
		{"a file of the machine", "SELECT * FROM file('/etc/passwd', 'LineAsString')", nil, 403, 291},
		{"out of memory", "SELECT length(groupArray(number)) FROM numbers(300000000)", nil, 500, 241},
	} {
		t.Run(c.name, func(t *testing.T) {
			res, content := call(t, http.MethodPost, "/", c.body, c.params...)
			require.Equal(t, c.status, res.StatusCode, content)
			require.Equal(t, fmt.Sprint(c.code), res.Header.Get("X-ClickHouse-Exception-Code"))
			require.True(t, strings.HasPrefix(content, fmt.Sprintf("Code: %d. DB::Exception: ", c.code)), content)
			require.Regexp(t, `\(version [\d.]+\)\n$`, content)
		})
	}
	// A GET changes nothing, as on a server.
	res, content := call(t, http.MethodGet, "/", "", "query", "CREATE TABLE "+harness.Name("t")+" (n Int8) ENGINE = Memory")
	require.Equal(t, "164", res.Header.Get("X-ClickHouse-Exception-Code"), content)
}

// Four statements run at the same time: one sees three others at work.
func TestConcurrency(t *testing.T) {
	harness.ClickHouse(t)
	ctx, cancel := context.WithCancel(t.Context())
	var group errgroup.Group
	for range 3 {
		group.Go(func() error {
			for ctx.Err() == nil {
				if got := must(t, "SELECT sleep(1)"); got != "0\n" {
					return fmt.Errorf("got %q", got)
				}
			}
			return nil
		})
	}
	harness.Eventually(t, 3*time.Minute, func(context.Context) error {
		if got := must(t, "SELECT count() FROM system.processes WHERE query LIKE 'SELECT sleep%'"); got != "3\n" {
			return fmt.Errorf("%s statements are at work beside this one", strings.TrimSpace(got))
		}
		return nil
	})
	cancel()
	require.NoError(t, group.Wait())
}

func TestConcurrentInsertsAndSelects(t *testing.T) {
	name := table(t, "n Int64, s String")
	var group errgroup.Group
	const writers, inserts, rows = 4, 20, 500
	for w := range writers {
		group.Go(func() error {
			for i := range inserts {
				var b strings.Builder
				for r := range rows {
					fmt.Fprintf(&b, "%d\tx\n", (w*inserts+i)*rows+r)
				}
				must(t, b.String(), "query", "INSERT INTO "+name+" FORMAT TSV")
				must(t, "SELECT count(), uniqExact(n) FROM "+name)
			}
			return nil
		})
	}
	require.NoError(t, group.Wait())
	require.Equal(t, fmt.Sprintf("%d\t%d\n", writers*inserts*rows, writers*inserts*rows), must(t, "SELECT count(), uniqExact(n) FROM "+name))
}
