package commandline

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/hopluu/hopluu/integration/harness"
	"github.com/hopluu/hopluu/schemas/topic"
	"github.com/stretchr/testify/require"
)

// labour is a department that has no database.
const labour = `
sector: labour
system: 9
name: {vi: Lao động, en: Labour}
owner: {vi: Sở Lao động, en: Department of Labour}
tables:
  - name: household
    meaning: {vi: Hộ nghèo, en: Poor households}
    key: [code]
    columns:
      - {name: code, type: text, meaning: {vi: Mã số hộ, en: Code}, sensitivity: internal}
      - {name: amount, type: "numeric(12,0)", meaning: {vi: Mức trợ cấp (đồng), en: Amount in dong}, sensitivity: internal}
      - {name: decided_on, type: date, meaning: {vi: Ngày công nhận, en: Day of the decision}, sensitivity: internal}
  - name: member
    meaning: {vi: Thành viên, en: Members}
    person: direct
    columns:
      - {name: cccd, type: text, meaning: {vi: Số định danh, en: Identity number}, sensitivity: identifier, identifier: cccd, match: cccd}
      - {name: full_name, type: text, meaning: {vi: Họ và tên, en: Name}, sensitivity: personal, match: full_name}
`

// drops is a world with a department's folder beside its database.
type drops struct {
	*world
	source string // of files
	dir    string
	clock  time.Time // of the next file
	house  driver.Conn
}

func newDrops(t *testing.T) *drops {
	t.Helper()
	w := shared(t)
	w.write("sectors/labour.yaml", labour)
	d := &drops{world: w, source: harness.Name("labour"), dir: filepath.Join(w.dir, "drops"), clock: time.Date(2025, 1, 31, 8, 0, 0, 0, time.UTC)}
	house := harness.ClickHouse(t)
	w.set("clickhouse.dsn", "http://default@"+house.Addr+"/default")
	var err error
	d.house, err = clickhouse.Open(house.Options())
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, d.house.Close()) })
	w.set("sources", append(w.config["sources"].([]any), tree{
		"name": d.source, "kind": "file", "sector": "labour", "location": d.dir, "interval": "100ms",
		"tables": []any{
			tree{"name": "household", "pattern": "household_*"},
			tree{"name": "member", "pattern": "member_*", "key": []string{"cccd"}, "full": true},
		},
	}))
	return d
}

// put drops a file that is newer than all before it, whole and with its time: a
// test that is held up in between would drop two.
func (d *drops) put(name, content string) {
	d.t.Helper()
	d.clock = d.clock.Add(time.Minute)
	path := filepath.Join(d.dir, name)
	require.NoError(d.t, os.WriteFile(path+".tmp", []byte(content), 0o600))
	require.NoError(d.t, os.Chtimes(path+".tmp", d.clock, d.clock))
	require.NoError(d.t, os.Rename(path+".tmp", path))
}

func (d *drops) report(name string) string {
	d.t.Helper()
	content, err := os.ReadFile(filepath.Join(d.dir, name+".refused.csv"))
	require.NoError(d.t, err)
	return string(content)
}

// silver waits until a query of ClickHouse gives a text.
func (d *drops) silver(query, want string) {
	d.t.Helper()
	harness.Eventually(d.t, 2*within, func(ctx context.Context) error {
		var got string
		if err := d.house.QueryRow(ctx, "SELECT toString(("+query+"))").Scan(&got); err != nil {
			return err
		}
		if got != want {
			return fmt.Errorf("%s gives %s, not %s", query, got, want)
		}
		return nil
	})
}

// events counts the events of a topic by key, tombstones left out.
func (d *drops) events(table string) (all int, most int) {
	d.t.Helper()
	byKey := map[string]int{}
	require.NoError(d.t, d.kafka().ReadAll(d.t.Context(), topic.Public(d.source, "public", table), func(r topic.Record) error {
		if r.Value != nil {
			all++
			byKey[string(r.Key)]++
			most = max(most, byKey[string(r.Key)])
		}
		return nil
	}))
	return all, most
}

type dropStatus struct {
	Kind, Source, State string
	Files               int
	FilesRefused        int `json:"files_refused"`
	Current             *struct {
		File string
		Line int
	}
	Tables []struct {
		Table string
		Last  *struct {
			Name   string
			Reason string
			Taken  time.Time
			Rows   struct{ Created, Updated, Removed, Same, Refused int }
		} `json:"last_file"`
	}
	Quarantined []string
	Reasons     map[string]string
}

// dropped gives the status of the files, and the exit code.
func (d *drops) dropped() (dropStatus, int) {
	d.t.Helper()
	run := d.run("connector", "status", d.source, "--json")
	require.Empty(d.t, run.stderr)
	all := parse[[]dropStatus](d.t, run.stdout)
	require.Len(d.t, all, 1)
	require.Equal(d.t, "file", all[0].Kind)
	return all[0], run.code
}

// awaitDropped waits until so many files are dealt with and no one is being
// taken in, and gives the status then: rows are in ClickHouse before their file
// is at its end.
func (d *drops) awaitDropped(files int) (s dropStatus, code int) {
	d.t.Helper()
	harness.Eventually(d.t, within, func(context.Context) error {
		if s, code = d.dropped(); s.Files != files || s.Current != nil {
			return fmt.Errorf("%+v", s)
		}
		return nil
	})
	return s, code
}

// A department's files, from the folder to silver: first, corrected, repeated,
// refused, removed from a full list; the connector is killed in between and
// another source's goes on in the same process.
func TestFilesFromFolderToSilver(t *testing.T) {
	d := newDrops(t)
	d.registry()
	d.enable()
	d.exec("INSERT INTO room SELECT n, n FROM generate_series(1, 100) n")

	// Before the folder is there.
	run := d.run("connector", "check", d.source)
	require.Equal(t, 1, run.code, run.stdout+run.stderr)
	require.Contains(t, run.stdout, "folder "+d.dir+" cannot be opened")
	d.refused([]string{"connector", "run"}, d.source, "cannot be opened", "mend: make or mount the folder")
	require.NoError(t, os.Mkdir(d.dir, 0o700))
	require.Contains(t, d.good("connector", "check", d.source), "no file matches household_* yet")
	s, code := d.dropped()
	require.Zero(t, code)
	require.Equal(t, "never captured", s.State)
	require.Contains(t, d.good("config", "check"), "2 sources")

	// What is for databases says what applies.
	d.refused([]string{"connector", "enable", d.source}, "is of files", "read "+d.dir)
	d.refused([]string{"connector", "disable", d.source}, "is of files", "hopluu.state.file."+d.source)
	d.refused([]string{"connector", "resnapshot", d.source}, "is of files", "drop a corrected file")
	d.refused([]string{"reconcile", d.source}, "nothing can be compared", d.source)

	first := "Mã số hộ;Mức trợ cấp;Ngày công nhận\nH-01;450.000;31/01/2025\nH-02;một;\nH-03;;28/02/2025\n"
	d.put("household_1.csv", first)
	d.put("member_1.csv", "Số định danh,Họ và tên\n079201001234,Nguyễn Thị Bưởi\n079301005678,Trần Văn Đạt\n")
	report := parse[checkReport](t, d.good("connector", "check", d.source, "--json"))
	require.Empty(t, report.Sources[0].Findings)
	require.Equal(t, 2, report.Sources[0].Tables)

	connector := d.start("connector", "run")
	d.start("processor", "run")
	d.start("sink", "run")
	households := "SELECT arrayStringConcat(arraySort(groupArray(concat(code, ' ', ifNull(toString(amount), '-'), ' ', ifNull(toString(decided_on), '-')))), ', ') FROM silver.labour_household FINAL WHERE _source = '" + d.source + "'"
	members := "SELECT count() FROM silver.labour_member FINAL WHERE _source = '" + d.source + "'"
	d.silver(households, "H-01 450000 2025-01-31, H-03 - 2025-02-28")
	d.silver(members, "2")
	d.silver("SELECT count() FROM silver.labour_member FINAL WHERE _source = '"+d.source+"' AND startsWith(cccd, 'k1_')", "2")
	d.silver("SELECT count() FROM silver.identity_link FINAL WHERE startsWith(record, '"+d.source+".member:')", "2")
	d.silver("SELECT count() FROM silver.clinic_room FINAL WHERE _source = '"+d.world.source+"'", "100")
	connector.ready()
	s, code = d.awaitDropped(2)
	require.Contains(t, d.report("household_1.csv"), "\n3,amount,amount: not a number,amount: không phải số")
	require.Equal(t, 1, code, "rows were refused")
	require.Equal(t, "waiting for files", s.State)
	require.Equal(t, 2, s.Files)
	require.Equal(t, "household_1.csv", s.Tables[0].Last.Name)
	require.Equal(t, 1, s.Tables[0].Last.Rows.Refused)
	require.Equal(t, 2, s.Tables[0].Last.Rows.Created)
	require.WithinDuration(t, time.Now(), s.Tables[0].Last.Taken, time.Hour)
	text := d.run("connector", "status").stdout
	require.Contains(t, text, "1 rows of household_1.csv were refused: correct the lines that household_1.csv.refused.csv names")
	require.Contains(t, text, "streaming", "the database beside it")

	// Killed; meanwhile the file is corrected, the first one comes again under
	// another name, and a person leaves the full list.
	require.NoError(t, connector.Kill())
	d.put("household_1.csv", strings.Replace(first, "một", "1", 1))
	d.put("household_again.csv", first)
	d.put("member_2.csv", "Số định danh,Họ và tên\n079301005678,Trần Văn Đạt\n")
	connector = d.start("connector", "run")
	d.silver(households, "H-01 450000 2025-01-31, H-02 1 -, H-03 - 2025-02-28")
	d.silver(members, "1")
	d.silver("SELECT count() FROM silver.identity_link FINAL WHERE startsWith(record, '"+d.source+".member:')", "1")
	harness.Eventually(t, within, func(context.Context) error {
		if len(connector.metric(`hopluu_connector_files_total{outcome="repeated",source="`+d.source+`",table="public.household"} 1`)) == 0 {
			return fmt.Errorf("the repeated file was not noticed")
		}
		return nil
	})
	s, code = d.dropped()
	require.Zero(t, code, "nothing refused is open: %+v", s)
	all, _ := d.events("household")
	require.Equal(t, 3, all, "a repeated file makes no event")

	// Killed in the middle of a large file; again with another one when the file
	// was in before the kill.
	const rows = 60_000
	kafka := d.kafka()
	part := topic.Partition{Topic: topic.Public(d.source, "public", "household"), ID: 0}
	files := 0
	for caught := false; !caught; {
		require.Less(t, files, 10, "no kill came before the end of its file")
		files++
		prefix := fmt.Sprintf("L%d-", files)
		var large strings.Builder
		large.WriteString("code,amount,decided_on\n")
		for i := range rows {
			fmt.Fprintf(&large, "%s%05d,%d,2025-03-31\n", prefix, i, i)
		}
		before, err := kafka.EndOffsets(t.Context(), part)
		require.NoError(t, err)
		name := fmt.Sprintf("household_large%d.csv", files)
		d.put(name, large.String())
		harness.Eventually(t, within, func(ctx context.Context) error {
			ends, err := kafka.EndOffsets(ctx, part)
			if err == nil && ends[part] == before[part] {
				err = fmt.Errorf("nothing of %s is in Kafka", name)
			}
			return err
		})
		require.NoError(t, connector.Kill())
		s, _ = d.dropped()
		if caught = s.Current != nil; caught {
			require.Equal(t, "taking in", s.State)
			require.Equal(t, name, s.Current.File)
			require.Positive(t, s.Current.Line)
		}
		connector = d.start("connector", "run")
		d.silver("SELECT count(), uniqExact(code), sum(amount) FROM silver.labour_household FINAL WHERE _source = '"+d.source+"' AND startsWith(code, '"+prefix+"')",
			fmt.Sprintf("(%d,%d,%d)", rows, rows, rows*(rows-1)/2))
	}
	all, most := d.events("household")
	require.Equal(t, 3+files*rows, all)
	require.Equal(t, 1, most, "no event comes twice")

	// Databases are compared, files are said to be left out.
	compared := d.run("reconcile")
	require.Zero(t, compared.code, compared.stdout+compared.stderr)
	require.Contains(t, compared.stderr, "not compared: "+d.source+", of files")
	require.True(t, parse[struct{ OK bool }](t, d.good("topics", "check", "--json")).OK)

	// P11: a key file that was mixed up is found, whatever the source's kind.
	connector.stop(syscall.SIGTERM)
	d.write("token.key", strings.Repeat("6d", 32))
	checked := d.run("connector", "check")
	require.Equal(t, 1, checked.code)
	for _, source := range []string{d.source, d.world.source} {
		require.Contains(t, checked.stdout, "is not the one of version 1 that source "+source+" was captured with")
	}
	d.refused([]string{"connector", "run"}, "is not the one of version 1", "put that key back")
	d.write("token.key", strings.Repeat("6b", 32))
	require.Zero(t, d.run("identity", "rotate").code, "no other key was ever in force")

	// A table whose key is changed waits, and says so.
	tables := d.config["sources"].([]any)[1].(tree)["tables"].([]any)
	tables[1].(tree)["key"] = []string{"cccd", "full_name"}
	connector = d.start("connector", "run")
	harness.Eventually(t, within, func(context.Context) error {
		s, code := d.dropped()
		if code != 1 || len(s.Quarantined) != 1 || !strings.Contains(s.Reasons["public.member"], "its key is cccd, full_name now") {
			return fmt.Errorf("%d %+v", code, s)
		}
		return nil
	})
	connector.stop(syscall.SIGTERM)

	d.set("kafka.brokers", []string{"127.0.0.1:1"})
	s, code = d.dropped()
	require.Equal(t, 1, code)
	require.Equal(t, "unknown", s.State)
	require.Contains(t, d.run("connector", "status", d.source).stdout, d.source+": kafka.brokers")
}

// What is wrong with a source of files is told in one line that names the key.
func TestWrongFileConfigurations(t *testing.T) {
	d := newDrops(t)
	source := d.config["sources"].([]any)[1].(tree)
	for key, c := range map[string]struct {
		value any
		texts []string
	}{
		"kind":     {"folder", []string{"sources[1].kind", "use postgres"}},
		"location": {"ftp://host/x", []string{"location", "s3://host"}},
		"reports":  {"ftp://host/x", []string{"reports", "s3://host"}},
		"sector":   {"school", []string{"school", "labour"}},
		"tables":   {[]any{tree{"name": "house", "pattern": "x"}}, []string{"does not describe table house", "household, member"}},
	} {
		before := source[key]
		source[key] = c.value
		d.refused([]string{"config", "check"}, c.texts...)
		source[key] = before
	}
	delete(source, "tables")
	d.refused([]string{"connector", "run"}, "sources[1].tables", "is empty")
	source["tables"] = []any{tree{"name": "member", "pattern": "x"}}
	d.refused([]string{"connector", "run"}, "table member has no key", "`key`")
}
