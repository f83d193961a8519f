package capture

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/hopluu/hopluu/cmd/hopluu/config"
	"github.com/hopluu/hopluu/cmd/hopluu/embedded"
	"github.com/hopluu/hopluu/connectors"
	"github.com/hopluu/hopluu/connectors/postgres/checkpoint"
	"github.com/hopluu/hopluu/integration/harness"
	"github.com/hopluu/hopluu/schemas/registry"
	"github.com/hopluu/hopluu/schemas/topic"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

// ward is the sector that is captured: a table with an identifier, so that
// events go to two topics, and a large value (TOAST); one with a compound key
// and REPLICA IDENTITY FULL; a large one; one that is truncated, and one whose
// columns change.
const ward = `
sector: ward
system: 5
name: {vi: Khoa, en: Ward}
owner: {vi: Sở Y tế, en: Department of Health}
tables:
  - name: patient
    meaning: {vi: Người bệnh, en: Patients}
    person: direct
    columns:
      - {name: patient_id, type: bigint, meaning: {vi: Mã, en: Id}, sensitivity: internal}
      - {name: cccd, type: text, meaning: {vi: Số định danh, en: Citizen id}, sensitivity: identifier, identifier: cccd, match: cccd}
      - {name: full_name, type: text, meaning: {vi: Họ tên, en: Name}, sensitivity: personal, match: full_name}
      - {name: notes, type: text, meaning: {vi: Ghi chú, en: Notes}, sensitivity: sensitive}
      - {name: paid, type: "numeric(12,2)", meaning: {vi: Đã trả, en: Paid}, sensitivity: internal}
  - name: visit
    meaning: {vi: Lượt khám, en: Visits}
    columns:
      - {name: patient_id, type: bigint, meaning: {vi: Mã, en: Id}, sensitivity: internal}
      - {name: day, type: date, meaning: {vi: Ngày, en: Day}, sensitivity: internal}
      - {name: cost, type: "numeric(12,2)", meaning: {vi: Chi phí, en: Cost}, sensitivity: internal}
  - name: reading
    meaning: {vi: Số đo, en: Readings}
    columns:
      - {name: reading_id, type: bigint, meaning: {vi: Mã, en: Id}, sensitivity: internal}
      - {name: sensor, type: integer, meaning: {vi: Cảm biến, en: Sensor}, sensitivity: internal}
      - {name: amount, type: "numeric(12,2)", meaning: {vi: Trị số, en: Amount}, sensitivity: internal}
      - {name: note, type: text, meaning: {vi: Ghi chú, en: Note}, sensitivity: internal}
  - name: ticket
    meaning: {vi: Phiếu chờ, en: Tickets}
    columns:
      - {name: ticket_id, type: bigint, meaning: {vi: Mã, en: Id}, sensitivity: internal}
      - {name: state, type: text, meaning: {vi: Trạng thái, en: State}, sensitivity: internal}
  - name: stock
    meaning: {vi: Kho, en: Stock}
    columns:
      - {name: item_id, type: bigint, meaning: {vi: Mã, en: Id}, sensitivity: internal}
      - {name: amount, type: bigint, meaning: {vi: Số lượng, en: Amount}, sensitivity: internal}
`

const wardSQL = `
CREATE TABLE public.patient (patient_id bigint PRIMARY KEY, cccd text, full_name text, notes text, paid numeric(12,2));
ALTER TABLE public.patient ALTER COLUMN notes SET STORAGE EXTERNAL;
CREATE TABLE public.visit (patient_id bigint, day date, cost numeric(12,2), PRIMARY KEY (patient_id, day));
ALTER TABLE public.visit REPLICA IDENTITY FULL;
CREATE TABLE public.reading (reading_id bigint PRIMARY KEY, sensor int, amount numeric(12,2), note text);
CREATE TABLE public.ticket (ticket_id bigint PRIMARY KEY, state text);
CREATE TABLE public.stock (item_id bigint PRIMARY KEY, amount bigint);`

// wardTables are its tables; those with a vault topic come first.
var wardTables = []string{"patient", "visit", "reading", "ticket", "stock"}

const (
	// source is the database's name as well.
	source     = "ward"
	slot       = "hopluu_ward"
	partitions = 2
	// within bounds what the parts need to react on a busy machine.
	within = 5 * time.Minute
)

// world is a database, a broker, and all that a connector needs.
type world struct {
	t       *testing.T
	server  *harness.PostgresServer
	broker  *harness.KafkaBroker
	client  *topic.Client
	schemas *registry.Client
	dir     string
	config  config.Config
	path    string // of its file
	admin   string // connection string of the database's superuser
	env     []string
}

// newWorld makes it with rows in the large table.
func newWorld(t *testing.T, rows int) *world {
	t.Helper()
	w := &world{t: t, dir: harness.TempDir(t)}
	w.server = harness.Postgres(t, harness.Own(),
		harness.WithSetting("logical_decoding_work_mem", "64kB"), // transactions in progress are streamed
		harness.WithSetting("max_slot_wal_keep_size", "16GB"), harness.WithSetting("max_wal_size", "2GB"))
	w.broker = harness.Kafka(t, harness.Own())
	w.admin = w.server.DSN(source)
	w.execOn(w.server.DSN("postgres"), "CREATE DATABASE "+source)
	w.exec(wardSQL)
	w.exec(`INSERT INTO public.reading SELECT n, n % 50, n / 100.0, repeat(md5(n::text), 3) FROM generate_series(1, ` + strconv.Itoa(rows) + `) n`)
	w.exec(`INSERT INTO public.patient SELECT n, lpad(n::text, 12, '0'), 'Người ' || n, repeat(md5(n::text), 100), n FROM generate_series(1, 500) n`)
	client, err := topic.Dial(t.Context(), topic.Config{Brokers: w.broker.Brokers(), ClientID: "test"})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, client.Close()) })
	w.client = client
	w.configure()
	return w
}

// configure writes the configuration, starts a registry, and prepares the
// database as its administrator does.
func (w *world) configure() {
	w.t.Helper()
	u, err := url.Parse(w.admin)
	require.NoError(w.t, err)
	u.User = url.UserPassword("hopluu_"+source, "a secret")
	c := config.Default()
	c.SingleMachine = true
	c.Kafka.Brokers = w.broker.Brokers()
	c.Registry.Listen = "127.0.0.1:" + strconv.Itoa(harness.FreePort(w.t))
	c.Registry.URL = "http://" + c.Registry.Listen
	c.ClickHouse.DSN = "http://default@127.0.0.1:1/default"
	c.Tokens.Key = strings.Repeat("6b", 32)
	c.Topics = config.Topics{Partitions: partitions, Replication: 1, MinInsyncReplicas: 1}
	c.HTTP.Listen = ""
	c.SectorsDir = filepath.Join(w.dir, "sectors")
	c.Sources = []config.Source{{Name: source, Sector: "ward", DSN: u.String(), Slot: slot, Publication: slot}}
	require.NoError(w.t, os.MkdirAll(c.SectorsDir, 0o755))
	require.NoError(w.t, os.WriteFile(filepath.Join(c.SectorsDir, "ward.yaml"), []byte(ward), 0o600))
	w.config, w.path = c, filepath.Join(w.dir, "hopluu.yaml")
	w.save()
	w.env = []string{"HOPLUU_CONFIG=" + w.path}

	w.good("connector", "enable", source, "--run", "--admin", w.admin)
	process := harness.Hopluu(w.t).Start(w.t, "registry", []string{"registry", "run"}, w.env...)
	ctx, cancel := context.WithTimeout(w.t.Context(), within)
	defer cancel()
	w.schemas = registry.New(c.Registry.URL)
	require.NoError(w.t, process.WaitReady(ctx, w.schemas.Ping))
}

func (w *world) save() {
	w.t.Helper()
	data, err := yaml.Marshal(w.config)
	require.NoError(w.t, err)
	require.NoError(w.t, os.WriteFile(w.path, data, 0o600))
}

// land starts ClickHouse and a sink.
func (w *world) land() {
	w.t.Helper()
	house := harness.ClickHouse(w.t)
	w.config.ClickHouse.DSN = "http://" + url.UserPassword(house.User, house.Password).String() + "@" + house.Addr + "/default"
	if house.User == "" {
		w.config.ClickHouse.DSN = "http://default@" + house.Addr + "/default"
	}
	w.save()
	harness.Hopluu(w.t).Start(w.t, "sink", []string{"sink", "run"}, w.env...)
}

// good runs a command that must succeed, and gives its standard output.
func (w *world) good(args ...string) string {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), 5*within)
	defer cancel()
	stdout, stderr, code, err := harness.Hopluu(w.t).Run(ctx, args, w.env...)
	require.NoError(w.t, err, "hopluu %v\n%s%s", args, stdout, stderr)
	require.Zero(w.t, code, "hopluu %v\n%s%s", args, stdout, stderr)
	return stdout
}

func (w *world) connect() *pgx.Conn {
	w.t.Helper()
	conn, err := pgx.Connect(w.t.Context(), w.admin)
	require.NoError(w.t, err)
	return conn
}

func (w *world) exec(sql string) { w.t.Helper(); w.execOn(w.admin, sql) }

func (w *world) execOn(dsn, sql string) {
	w.t.Helper()
	conn, err := pgx.Connect(w.t.Context(), dsn)
	require.NoError(w.t, err)
	_, err = conn.PgConn().Exec(w.t.Context(), sql).ReadAll()
	require.NoError(w.t, err)
	require.NoError(w.t, conn.Close(w.t.Context()))
}

func (w *world) checkpoint() checkpoint.Checkpoint {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), within)
	defer cancel()
	c, err := connectors.Checkpoint(ctx, w.client, source)
	require.NoError(w.t, err)
	return c
}

// reading tells whether a table is not read whole yet.
func reading(c checkpoint.Checkpoint) bool {
	for _, table := range c.Tables {
		if !table.Complete {
			return true
		}
	}
	return len(c.Tables) == 0
}

// connector is a connector process, one life after another.
type connector struct {
	w    *world
	http string
	p    *embedded.Process // nil before its first start
}

func (w *world) newConnector() *connector {
	return &connector{w: w, http: "127.0.0.1:" + strconv.Itoa(harness.FreePort(w.t))}
}

func (c *connector) start() {
	c.w.t.Helper()
	if c.p == nil {
		c.p = harness.Hopluu(c.w.t).Start(c.w.t, "connector", []string{"connector", "run", source, "--http", c.http}, c.w.env...)
		return
	}
	require.NoError(c.w.t, c.p.Restart(c.w.t.Context()))
}

func (c *connector) running() bool { return c.p != nil && c.p.Running() }

// phase is what the connector does: starting, snapshot or stream.
func (c *connector) phase() string {
	client := http.Client{Timeout: 10 * time.Second}
	res, err := client.Get("http://" + c.http + "/readyz")
	if err != nil {
		return starting
	}
	body, err := io.ReadAll(res.Body)
	_ = res.Body.Close() // it was read to its end, or is given up
	switch {
	case err != nil:
		return starting
	case res.StatusCode == http.StatusOK:
		return streaming
	case strings.Contains(string(body), "snapshot"):
		return snapshot
	}
	return starting
}

const (
	starting  = "start"
	snapshot  = "snapshot"
	streaming = "stream"
	// inside is the stream with a part of a transaction in Kafka.
	inside = "inside a transaction"
)

// log is the end of what it wrote, for a failure.
func (c *connector) log() string {
	data, err := os.ReadFile(c.p.Log)
	if err != nil {
		return err.Error()
	}
	return string(data[max(0, len(data)-6000):])
}
