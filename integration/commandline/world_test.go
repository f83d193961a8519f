package commandline

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hopluu/hopluu/cmd/hopluu/embedded"
	"github.com/hopluu/hopluu/integration/harness"
	"github.com/hopluu/hopluu/schemas/topic"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

func TestMain(m *testing.M) { os.Exit(harness.Main(m)) }

// within bounds what the parts need to react: long, for a machine that is busy
// with other things.
const within = 3 * time.Minute

// clinic is the sector of these tests.
const clinic = `
sector: clinic
system: 5
name: {vi: Phòng khám, en: Clinic}
owner: {vi: Sở Y tế, en: Department of Health}
tables:
  - name: patient
    meaning: {vi: Người bệnh, en: Patients}
    person: direct
    columns:
      - {name: patient_id, type: bigint, meaning: {vi: Mã, en: Id}, sensitivity: internal}
      - {name: cccd, type: text, meaning: {vi: Số định danh, en: Citizen id}, sensitivity: identifier, identifier: cccd, match: cccd}
      - {name: full_name, type: text, meaning: {vi: Họ tên, en: Name}, sensitivity: personal, match: full_name}
  - name: room
    meaning: {vi: Phòng, en: Rooms}
    columns:
      - {name: room_id, type: bigint, meaning: {vi: Mã, en: Id}, sensitivity: internal}
      - {name: beds, type: integer, meaning: {vi: Số giường, en: Beds}, sensitivity: internal}
`

const clinicSQL = `
CREATE TABLE public.patient (patient_id bigint PRIMARY KEY, cccd text, full_name text);
CREATE TABLE public.room (room_id bigint PRIMARY KEY, beds int);`

// password of the connectors' roles: with what a connection string and a script
// must quote.
const password = `it's $$ a /secret`

type tree = map[string]any

// world is a database, a broker, and a configuration that an operator could
// have written.
type world struct {
	t       testing.TB
	program *harness.Program
	broker  *harness.KafkaBroker
	source  string
	admin   string // connection string of the database's superuser
	dir     string
	config  tree
	env     []string
}

// newWorld makes a database for the test on a server, and what belongs to it.
func newWorld(t testing.TB, server *harness.PostgresServer, broker *harness.KafkaBroker) *world {
	t.Helper()
	w := &world{t: t, program: harness.Hopluu(t), broker: broker, dir: harness.TempDir(t)}
	w.source, w.admin = server.NewDatabase(t)
	w.exec(clinicSQL)
	w.write("sectors/clinic.yaml", clinic)
	w.write("token.key", strings.Repeat("6b", 32))
	w.write("record.key", strings.Repeat("72", 32))
	u, err := url.Parse(w.admin)
	require.NoError(t, err)
	u.User = url.UserPassword("hopluu_"+w.source, password)
	w.config = tree{
		"single_machine": true,
		"kafka":          tree{"brokers": broker.Brokers()},
		"registry":       tree{"url": "http://127.0.0.1:1", "listen": "127.0.0.1:0"},
		"clickhouse":     tree{"dsn": "http://default@127.0.0.1:1/default"},
		"tokens":         tree{"key_file": filepath.Join(w.dir, "token.key"), "record_key_file": filepath.Join(w.dir, "record.key")},
		"topics":         tree{"partitions": 2, "replication": 1, "min_insync_replicas": 1},
		"sectors_dir":    filepath.Join(w.dir, "sectors"),
		"http":           tree{"listen": ""},
		"sink":           tree{"group": "sink_" + w.source},
		"sources":        []any{tree{"name": w.source, "sector": "clinic", "dsn": u.String()}},
	}
	return w
}

// shared is a world on the parts that all tests share.
func shared(t testing.TB) *world { return newWorld(t, harness.Postgres(t), harness.Kafka(t)) }

func (w *world) write(name, text string) string {
	w.t.Helper()
	path := filepath.Join(w.dir, name)
	require.NoError(w.t, os.MkdirAll(filepath.Dir(path), 0o755))
	require.NoError(w.t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

// set changes a key of the configuration, "topics.partitions"; nil removes it.
func (w *world) set(key string, value any) *world {
	node := w.config
	parts := strings.Split(key, ".")
	for _, p := range parts[:len(parts)-1] {
		node = node[p].(tree)
	}
	if value == nil {
		delete(node, parts[len(parts)-1])
	} else {
		node[parts[len(parts)-1]] = value
	}
	return w
}

// setSource changes a key of the one source.
func (w *world) setSource(key string, value any) *world {
	w.config["sources"].([]any)[0].(tree)[key] = value
	return w
}

// save writes the configuration and gives its path.
func (w *world) save() string {
	data, err := yaml.Marshal(w.config)
	require.NoError(w.t, err)
	return w.write("hopluu.yaml", string(data))
}

// done is how a command ended.
type done struct {
	stdout, stderr string
	code           int
}

// run runs a command to its end under the configuration.
func (w *world) run(args ...string) done {
	w.t.Helper()
	w.save()
	ctx, cancel := context.WithTimeout(w.t.Context(), 2*within)
	defer cancel()
	stdout, stderr, code, err := w.program.Run(ctx, args, append([]string{"HOPLUU_CONFIG=" + filepath.Join(w.dir, "hopluu.yaml")}, w.env...)...)
	require.NoError(w.t, err, "hopluu %v\n%s%s", args, stdout, stderr)
	require.NotContains(w.t, stdout+stderr, "panic")
	return done{stdout, stderr, code}
}

// good runs a command that must succeed, and gives its standard output.
func (w *world) good(args ...string) string {
	w.t.Helper()
	d := w.run(args...)
	require.Zero(w.t, d.code, "hopluu %v\n%s%s", args, d.stdout, d.stderr)
	return d.stdout
}

// refused runs a command that must end with exit code 2 and one line on
// standard error that has all of the texts.
func (w *world) refused(args []string, texts ...string) {
	w.t.Helper()
	d := w.run(args...)
	require.Equal(w.t, 2, d.code, "hopluu %v\n%s%s", args, d.stdout, d.stderr)
	w.oneLine(d, texts...)
}

func (w *world) oneLine(d done, texts ...string) {
	w.t.Helper()
	var lines []string
	for line := range strings.Lines(d.stderr) {
		if strings.HasPrefix(line, "hopluu: ") {
			lines = append(lines, line)
		} else {
			require.Contains(w.t, line, "level=", "neither a log line nor the error")
		}
	}
	require.Len(w.t, lines, 1, d.stderr)
	for _, text := range texts {
		require.Contains(w.t, lines[0], text)
	}
	require.NotContains(w.t, d.stdout+d.stderr, "secret", "a password in the output")
}

// stage is a running subcommand with its HTTP side.
type stage struct {
	*embedded.Process
	w    *world
	http string
}

// start starts a long-running subcommand and waits until it works.
func (w *world) start(args ...string) *stage { return w.startUntil("/startz", args...) }

// startUntil starts a long-running subcommand and waits until a path answers.
func (w *world) startUntil(path string, args ...string) *stage {
	w.t.Helper()
	config := w.save()
	address := "127.0.0.1:" + strconv.Itoa(harness.FreePort(w.t))
	name := args[0]
	p := w.program.Start(w.t, name, append(args, "--http", address), append([]string{"HOPLUU_CONFIG=" + config}, w.env...)...)
	s := &stage{p, w, "http://" + address}
	ctx, cancel := context.WithTimeout(w.t.Context(), within)
	defer cancel()
	require.NoError(w.t, p.WaitReady(ctx, embedded.ProbeHTTP(s.http+path)))
	return s
}

// registry starts a schema registry and sets registry.url to it.
func (w *world) registry() *stage {
	w.t.Helper()
	listen := "127.0.0.1:" + strconv.Itoa(harness.FreePort(w.t))
	w.set("registry.url", "http://"+listen)
	s := w.start("registry", "run", "--listen", listen)
	s.ready()
	return s
}

func (s *stage) ready() {
	s.w.t.Helper()
	harness.Eventually(s.w.t, within, func(ctx context.Context) error {
		if status, text := s.get("/readyz"); status != 200 {
			return fmt.Errorf("%d %s", status, text)
		}
		return nil
	})
}

// stop sends a signal, and wants a clean end.
func (s *stage) stop(signal syscall.Signal) {
	s.w.t.Helper()
	require.NoError(s.w.t, s.Signal(signal))
	select {
	case <-s.Done():
	case <-time.After(within):
		s.w.t.Fatalf("%s does not end", s.Name)
	}
	require.NoError(s.w.t, s.Wait(), "an end that was asked for has exit code 0")
}

func (s *stage) log() string {
	data, err := os.ReadFile(s.Log)
	require.NoError(s.w.t, err)
	return string(data)
}

// exec runs SQL as the superuser.
func (w *world) exec(sql string) {
	w.t.Helper()
	conn := w.connect()
	_, err := conn.PgConn().Exec(w.t.Context(), sql).ReadAll()
	require.NoError(w.t, err)
	require.NoError(w.t, conn.Close(w.t.Context()))
}

func (w *world) connect() *pgx.Conn {
	w.t.Helper()
	conn, err := pgx.Connect(w.t.Context(), w.admin)
	require.NoError(w.t, err)
	return conn
}

// value gives the one value of a query, as text.
func (w *world) value(sql string) string {
	w.t.Helper()
	conn := w.connect()
	var text string
	require.NoError(w.t, conn.QueryRow(w.t.Context(), "SELECT ("+sql+")::text").Scan(&text))
	require.NoError(w.t, conn.Close(w.t.Context()))
	return text
}

// enable makes role and publication as a DBA does, and cleans up after the
// test.
func (w *world) enable() {
	w.t.Helper()
	w.good("connector", "enable", w.source, "--run", "--admin", w.admin)
	w.t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), within)
		defer cancel()
		stdout, stderr, code, err := w.program.Run(ctx, []string{"connector", "disable", w.source, "--run", "--admin", w.admin, "-c", filepath.Join(w.dir, "hopluu.yaml")})
		require.NoError(w.t, err)
		require.Zero(w.t, code, stdout+stderr)
	})
}

func (w *world) kafka() *topic.Client {
	w.t.Helper()
	client, err := topic.Dial(w.t.Context(), topic.Config{Brokers: w.broker.Brokers(), ClientID: "test"})
	require.NoError(w.t, err)
	w.t.Cleanup(func() { require.NoError(w.t, client.Close()) })
	return client
}

func parse[T any](t testing.TB, text string) (v T) {
	t.Helper()
	require.NoError(t, json.Unmarshal([]byte(text), &v), text)
	return v
}
