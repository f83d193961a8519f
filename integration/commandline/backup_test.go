package commandline

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/hopluu/hopluu/integration/harness"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// drill is a world of which parts are destroyed and brought back while
// applications go on writing to the database.
type drill struct {
	*world
	house    *harness.ClickHouseServer
	conn     driver.Conn
	backups  string
	reg      *stage
	conn2    *stage // the connector
	sinks    *stage
	lastWord int
	rows     int // that traffic wrote
}

func (d *drill) newHouse() {
	d.t.Helper()
	d.house = harness.ClickHouse(d.t, harness.WithBackups(d.backups))
	d.set("clickhouse.dsn", "http://default@"+d.house.Addr+"/default")
	var err error
	d.conn, err = clickhouse.Open(d.house.Options())
	require.NoError(d.t, err)
	d.t.Cleanup(func() { require.NoError(d.t, d.conn.Close()) })
}

func (d *drill) newKafka() {
	d.t.Helper()
	d.broker = harness.Kafka(d.t, harness.Own())
	d.set("kafka.brokers", d.broker.Brokers())
}

func (d *drill) startAll() {
	d.t.Helper()
	d.conn2, d.sinks = d.start("connector", "run"), d.start("sink", "run")
}

func (d *drill) stopAll() {
	d.t.Helper()
	d.sinks.stop(syscall.SIGTERM)
	d.conn2.stop(syscall.SIGTERM)
}

// traffic writes to the database until stop.
func (d *drill) traffic() (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	conn := d.connect()
	ended := make(chan error, 1)
	go func() {
		for {
			d.rows++
			i := d.rows
			_, err := conn.PgConn().Exec(ctx, fmt.Sprintf(`
				INSERT INTO room VALUES (1000 + %[1]d, %[1]d);
				UPDATE room SET beds = %[1]d WHERE room_id = %[1]d %% 50;
				UPDATE patient SET full_name = 'n%[1]d' WHERE patient_id = 10 + %[1]d %% 20;`, i)).ReadAll()
			if ctx.Err() != nil {
				err = nil
			}
			if err != nil || ctx.Err() != nil {
				ended <- err
				return
			}
			select {
			case <-ctx.Done():
			case <-time.After(20 * time.Millisecond):
			}
		}
	}()
	stop = sync.OnceFunc(func() {
		cancel()
		assert.NoError(d.t, <-ended)
		_ = conn.Close(context.Background()) // it may be broken off in a statement
	})
	d.t.Cleanup(stop)
	return stop
}

// word writes a row and waits until silver shows it.
func (d *drill) word() {
	d.t.Helper()
	d.lastWord++
	d.exec(fmt.Sprintf("INSERT INTO room VALUES (%d, 7)", 900000+d.lastWord))
	d.expect(fmt.Sprintf("SELECT toString(count()) FROM silver.clinic_room FINAL WHERE room_id = %d", 900000+d.lastWord), "1")
}

func (d *drill) ask(ctx context.Context, sql string) (text string, err error) {
	err = d.conn.QueryRow(ctx, sql).Scan(&text)
	return text, err
}

func (d *drill) expect(sql, want string) {
	d.t.Helper()
	harness.Eventually(d.t, within, func(ctx context.Context) error {
		got, err := d.ask(ctx, sql)
		if err == nil && got != want {
			err = fmt.Errorf("%s gives %q, not %q", sql, got, want)
		}
		return err
	})
}

// agree wants everything to agree, and no event twice in bronze.
func (d *drill) agree() {
	d.t.Helper()
	d.word()
	r := d.run("reconcile", d.source, "--json", "--catch-up", within.String())
	require.Less(d.t, r.code, 2, "%s%s", r.stdout, r.stderr)
	for _, table := range parse[[]struct {
		Table      string
		SourceRows int64 `json:"source_rows"`
		Counts     map[string]int
		Duplicates int
		Topic      struct {
			Offsets struct{ Lost, Doubled, Unknown []string }
		}
	}](d.t, r.stdout) {
		require.Positive(d.t, table.SourceRows)
		require.Equal(d.t, map[string]int{"different": 0, "extra": 0, "missing": 0}, table.Counts, r.stdout)
		require.Zero(d.t, table.Duplicates, r.stdout)
		require.Empty(d.t, table.Topic.Offsets.Doubled, r.stdout)
		require.Empty(d.t, table.Topic.Offsets.Unknown, r.stdout)
		for _, at := range table.Topic.Offsets.Lost {
			partition, offset, _ := strings.Cut(at, ":")
			got, err := d.ask(d.t.Context(), "SELECT toString(count()) FROM ops.erased_offset FINAL WHERE topic = '"+d.source+"."+table.Table+"' AND partition = "+partition+" AND offset = "+offset)
			require.NoError(d.t, err)
			require.NotEqual(d.t, "0", got, "%s offset %s is not in bronze, and is of nobody who is erased: %s", table.Table, at, r.stdout)
		}
	}
	for _, table := range []string{"room", "patient"} {
		got, err := d.ask(d.t.Context(), "SELECT toString(count() - uniqExact(_topic, _partition, _offset)) FROM bronze.clinic_"+table)
		require.NoError(d.t, err)
		require.Equal(d.t, "0", got, "events that are twice in bronze.clinic_%s", table)
	}
}

type backupResult struct {
	Name   string
	Topics []struct {
		Name    string
		Records int64
	}
	Offsets []struct{ Next int64 }
}

// The restore drill: ClickHouse is destroyed, then Kafka and ClickHouse, then
// Kafka alone, while applications write; each time all goes on from a backup that
// was taken while everything ran (P2), and who was erased stays erased (P12).
func TestRestoreDrill(t *testing.T) {
	d := &drill{world: newWorld(t, harness.Postgres(t), harness.Kafka(t, harness.Own()))}
	d.backups = filepath.Join(harness.TempDir(t), "backups")
	d.newHouse()
	d.reg = d.registry()
	d.enable()
	d.exec("INSERT INTO room SELECT n, n FROM generate_series(0, 200) n; INSERT INTO patient SELECT n, '0790850' || 10000 + n, 'Nguyễn ' || n FROM generate_series(1, 60) n")
	d.startAll()
	stop := d.traffic()
	d.word()

	// The vault is not written in the clear unless that is allowed (P11).
	d.refused([]string{"backup", "--to", d.backups}, "backup.key_file is not set")
	d.set("backup", tree{"to": d.backups, "key_file": d.write("backup.key", strings.Repeat("5c", 32))})
	// What a backup left that was cut off goes with the next one.
	cut := filepath.Join(d.backups, "20200101T000000Z")
	require.NoError(t, os.MkdirAll(filepath.Join(cut, "topics"), 0o755))
	require.Contains(t, d.good("backup", "list"), "not complete")
	d.refused([]string{"restore", cut}, "did not come to its end")
	first := parse[backupResult](t, d.good("backup", "--json"))
	require.NoDirExists(t, cut)
	dir := filepath.Join(d.backups, first.Name)
	require.Contains(t, d.good("backup", "verify", dir), "could be read")
	saved := map[string]int64{}
	for _, s := range first.Topics {
		saved[s.Name] = s.Records
		text, err := os.ReadFile(filepath.Join(dir, "topics", s.Name))
		require.NoError(t, err)
		require.True(t, strings.HasPrefix(string(text), "hopluu sealed 1\n"))
	}
	require.Positive(t, saved["vault."+d.source+".public.patient"])
	require.Positive(t, saved["hopluu.state.connector."+d.source])
	d.damaged(dir, first.Topics[0].Name)

	// After the backup: rows go, a person is erased, more is written.
	d.exec("DELETE FROM room WHERE room_id BETWEEN 100 AND 120; DELETE FROM patient WHERE patient_id = 5")
	d.erase("patient:5")
	d.word()
	d.expect("SELECT toString(count()) FROM bronze.clinic_patient WHERE _record = '"+d.source+".patient:5'", "0")

	// ClickHouse is gone. The sink still runs.
	require.NoError(t, d.house.Kill())
	old := d.sinks
	d.newHouse()
	d.refused([]string{"restore", dir}, "stop them first")
	old.stop(syscall.SIGTERM)
	// A restore that was cut off: the sink does not begin, and it is run again.
	require.NoError(t, d.conn.Exec(t.Context(), "CREATE DATABASE bronze"))
	require.NoError(t, d.conn.Exec(t.Context(), "CREATE TABLE bronze.clinic_room (a Int8) ENGINE = MergeTree ORDER BY a AS SELECT 1"))
	d.refused([]string{"sink", "run"}, "is not restored in full")
	d.good("restore", dir)
	d.expect("SELECT toString(count()) FROM bronze.clinic_patient WHERE _record = '"+d.source+".patient:5'", "0")
	d.expect("SELECT toString(count()) FROM silver.clinic_patient WHERE patient_id = 5", "0")
	d.expect("SELECT toString(count() > 30) FROM bronze.clinic_patient", "1")
	d.refused([]string{"restore", dir}, "--replace")
	d.sinks = d.start("sink", "run")
	stop()
	d.agree()

	// Kafka and ClickHouse are gone.
	stop = d.traffic()
	second := parse[backupResult](t, d.good("backup", "--incremental", dir, "--json"))
	d.exec("DELETE FROM room WHERE room_id BETWEEN 121 AND 130")
	d.word()
	d.stopAll()
	require.NoError(t, d.house.Kill())
	d.reg.stop(syscall.SIGTERM)
	require.NoError(t, d.broker.Kill())
	d.newHouse()
	d.newKafka()
	d.reg = d.registry()
	d.good("restore", filepath.Join(d.backups, second.Name))
	for _, table := range []string{"room", "patient"} {
		d.expect("SELECT toString(countIf(_topic LIKE '%@%') = count()) FROM bronze.clinic_"+table, "1")
	}
	d.startAll()
	stop()
	d.agree()
	d.expect("SELECT toString(count()) FROM bronze.clinic_patient WHERE _record = '"+d.source+".patient:5'", "0")

	// Kafka alone is gone. Somebody starts the stages as if nothing were.
	stop = d.traffic()
	third := parse[backupResult](t, d.good("backup", "--json"))
	d.word()
	d.exec("DELETE FROM room WHERE room_id BETWEEN 131 AND 140")
	d.stopAll()
	d.reg.stop(syscall.SIGTERM)
	require.NoError(t, d.broker.Kill())
	d.newKafka()
	d.reg = d.registry()
	d.conn2 = d.start("connector", "run")
	d.conn2.ready()
	d.refused([]string{"sink", "run"}, "recover kafka")
	d.conn2.stop(syscall.SIGTERM)
	d.refused([]string{"recover", "kafka"}, "--from")
	// What was begun may have given the schemas other ids: from an empty one again.
	d.reg.stop(syscall.SIGTERM)
	require.NoError(t, d.broker.Kill())
	d.newKafka()
	d.reg = d.registry()
	d.good("recover", "kafka", "--from", filepath.Join(d.backups, third.Name))
	d.refused([]string{"recover", "kafka", "--without-backup"}, "no topic is lost")
	d.startAll()
	stop()
	d.agree()
	require.NotContains(t, d.sinks.log(), "level=ERROR")
	d.stopAll()
	d.reg.stop(syscall.SIGTERM)
}

// damaged wants a clear word about files that were changed, cut off, taken away
// or sealed with another key, and nothing done.
func (d *drill) damaged(dir, name string) {
	d.t.Helper()
	path := filepath.Join(dir, "topics", name)
	good, err := os.ReadFile(path)
	require.NoError(d.t, err)
	bad := append([]byte(nil), good...)
	bad[len(bad)/2] ^= 1
	for _, data := range [][]byte{bad, good[:len(good)/2]} {
		require.NoError(d.t, os.WriteFile(path, data, 0o600))
		r := d.run("backup", "verify", dir)
		require.Equal(d.t, 1, r.code)
		require.Contains(d.t, r.stderr, "is damaged: topics/"+name)
		d.refused([]string{"restore", dir, "--replace"}, "is damaged: topics/"+name)
	}
	require.NoError(d.t, os.WriteFile(path, good, 0o600))
	key := d.config["backup"].(tree)["key_file"]
	d.set("backup.key_file", d.write("other.key", strings.Repeat("7e", 32)))
	r := d.run("backup", "verify", dir)
	require.Equal(d.t, 1, r.code)
	require.Contains(d.t, r.stderr, "another key")
	d.refused([]string{"restore", dir, "--replace"}, "another key")
	d.set("backup.key_file", key)
	d.refused([]string{"restore", d.backups}, "is a folder of backups")
	d.refused([]string{"backup", "--to", "/dev/null/x"}, "name a folder that hopluu may write to")
	d.refused([]string{"backup", "--to", filepath.Join(d.dir, "elsewhere")}, "backups.allowed_path")
}

// erase has a record erased.
func (d *drill) erase(record string) {
	d.t.Helper()
	eraseRecord(d.t, d.kafka(), d.source+"."+record)
}

// The registry's schemas are gone, and come back under the ids that events bear.
func TestRegistryLost(t *testing.T) {
	w := newWorld(t, harness.Postgres(t), harness.Kafka(t, harness.Own()))
	house := harness.ClickHouse(t)
	w.set("clickhouse.dsn", "http://default@"+house.Addr+"/default")
	w.set("backup", tree{"to": filepath.Join(w.dir, "backups"), "key_file": w.write("backup.key", strings.Repeat("5c", 32))})
	reg := w.registry()
	var ids [2]string
	for i, schema := range []string{`"string"`, `{"type":"record","name":"R","fields":[{"name":"a","type":"long"}]}`} {
		body, err := json.Marshal(map[string]string{"schema": schema})
		require.NoError(t, err)
		ids[i] = post(t, w.config["registry"].(tree)["url"].(string)+"/subjects/s"+fmt.Sprint(i)+"-value/versions", string(body))
	}
	saved := parse[backupResult](t, w.good("backup", "--without-clickhouse", "--json"))
	reg.stop(syscall.SIGTERM)
	w.broker = harness.Kafka(t, harness.Own())
	w.set("kafka.brokers", w.broker.Brokers())
	w.registry()
	dir := filepath.Join(w.dir, "backups", saved.Name)
	require.Contains(t, w.good("restore", dir, "--without-clickhouse"), "2 schemas")
	require.Contains(t, w.good("restore", dir, "--without-clickhouse"), "0 schemas")
	for i, id := range ids {
		res, err := http.Get(w.config["registry"].(tree)["url"].(string) + "/subjects/s" + fmt.Sprint(i) + "-value/versions/1")
		require.NoError(t, err)
		text, err := io.ReadAll(res.Body)
		require.NoError(t, err)
		require.NoError(t, res.Body.Close())
		require.Contains(t, string(text), strings.Trim(id, "{}\n"))
	}
}

func post(t *testing.T, url, body string) string {
	t.Helper()
	res, err := http.Post(url, "application/json", strings.NewReader(body))
	require.NoError(t, err)
	text, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	require.Equal(t, 200, res.StatusCode, string(text))
	return string(text)
}
