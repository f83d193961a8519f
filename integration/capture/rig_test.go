package capture

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hopluu/hopluu/connectors"
	"github.com/hopluu/hopluu/connectors/postgres"
	"github.com/hopluu/hopluu/connectors/postgres/checkpoint"
	"github.com/hopluu/hopluu/integration/harness"
	"github.com/hopluu/hopluu/schemas/event"
	"github.com/hopluu/hopluu/schemas/registry"
	"github.com/hopluu/hopluu/schemas/sectors"
	"github.com/hopluu/hopluu/schemas/token"
	"github.com/hopluu/hopluu/schemas/topic"
	"github.com/jackc/pgx/v5"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"
)

func TestMain(m *testing.M) {
	if os.Getenv(childEnv) != "" {
		os.Exit(child())
	}
	os.Exit(harness.Main(m))
}

// clinic is the sector that these tests capture.
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
      - {name: notes, type: text, meaning: {vi: Ghi chú, en: Notes}, sensitivity: sensitive}
      - {name: paid, type: "numeric(12,2)", meaning: {vi: Đã trả, en: Paid}, sensitivity: internal}
  - name: visit
    meaning: {vi: Lượt khám, en: Visits}
    columns:
      - {name: patient_id, type: bigint, meaning: {vi: Mã, en: Id}, sensitivity: internal}
      - {name: day, type: date, meaning: {vi: Ngày, en: Day}, sensitivity: internal}
      - {name: cost, type: "numeric(12,2)", meaning: {vi: Chi phí, en: Cost}, sensitivity: internal}
`

const clinicSQL = `
CREATE TABLE public.patient (patient_id bigint PRIMARY KEY, cccd text, full_name text, notes text, paid numeric(12,2));
ALTER TABLE public.patient ALTER COLUMN notes SET STORAGE EXTERNAL;
CREATE TABLE public.visit (patient_id bigint, day date, cost numeric(12,2), PRIMARY KEY (patient_id, day));`

// within is how long a test waits for what must come: long, for a machine that
// is busy with other things. What comes at once is not waited for.
const within = 3 * time.Minute

// rig is a source with its database, topics and registry.
type rig struct {
	t        *testing.T
	config   connectors.Config
	admin    string // connection string of the superuser
	client   *topic.Client
	registry *registry.Client
	setup    postgres.Setup
	brokers  []string
	other    *kgo.Client // another library's, which tells what a reader does not see yet
	web      string      // the registry's address
	// gate is called before the registry answers a request, when it is set.
	gate   *atomic.Pointer[func(*http.Request)]
	sector string // its file's text
}

// newRig is a clinic on the servers that all tests share.
func newRig(t *testing.T) *rig {
	t.Helper()
	return newRigOn(t, source(t), harness.Kafka(t))
}

func newRigOn(t *testing.T, server *harness.PostgresServer, broker *harness.KafkaBroker) *rig {
	t.Helper()
	return newRigOf(t, server, broker, clinic, clinicSQL)
}

// newRigOf makes a source of the tables that a sector file describes and SQL
// makes, ready for a connector.
func newRigOf(t *testing.T, server *harness.PostgresServer, broker *harness.KafkaBroker, sectorFile, sql string) *rig {
	t.Helper()
	r := newBareRig(t, server, broker, sectorFile, sql)
	conn := r.connect()
	require.NoError(t, postgres.Apply(t.Context(), conn, r.setup.EnableScript()))
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), within)
		defer cancel()
		admin, err := postgres.Connect(ctx, r.admin)
		if err != nil {
			return // the test killed its server
		}
		require.NoError(t, postgres.Apply(ctx, admin, r.setup.DisableScript()))
		left, err := r.setup.Leftovers(ctx, admin)
		require.NoError(t, err)
		require.Empty(t, left)
		require.NoError(t, admin.Close(ctx))
	})
	return r
}

// newBareRig is a source whose database was not prepared.
func newBareRig(t *testing.T, server *harness.PostgresServer, broker *harness.KafkaBroker, sectorFile, sql string) *rig {
	t.Helper()
	database, admin := server.NewDatabase(t)
	sector, err := sectors.Parse("clinic.yaml", []byte(sectorFile))
	require.NoError(t, err)
	client, err := topic.Dial(t.Context(), topic.Config{Brokers: broker.Brokers(), ClientID: "test"})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, client.Close()) })
	other, err := kgo.NewClient(kgo.SeedBrokers(broker.Brokers()...))
	require.NoError(t, err)
	t.Cleanup(other.Close)
	schemas, err := registry.NewServer(t.Context(), client, registry.ServerConfig{Topic: harness.Name("_schemas"), Replication: 1})
	require.NoError(t, err)
	r := &rig{t: t, admin: admin, client: client, brokers: broker.Brokers(), other: other, sector: sectorFile, gate: &atomic.Pointer[func(*http.Request)]{}}
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		if gate := r.gate.Load(); gate != nil {
			(*gate)(request)
		}
		schemas.ServeHTTP(w, request)
	}))
	t.Cleanup(func() { web.Close(); require.NoError(t, schemas.Close()) })
	r.web, r.registry = web.URL, registry.New(web.URL)
	r.config = connectors.Config{
		Source: database, DSN: admin, Slot: "slot_" + database, Publication: "pub_" + database, Sector: *sector,
		Kafka: client, Registry: r.registry, Tokens: newTokens(), Records: newRecords(),
		Topics: connectors.Topics{Partitions: 2, Replication: 1, MinISR: 1}, MaxRowBytes: 1 << 20,
		Log: slog.New(slog.NewTextHandler(t.Output(), nil)),
	}
	r.exec(sql)
	r.setup = postgres.Setup{Database: database, Role: "role_" + database, Password: "it's a secret", Slot: r.config.Slot, Publication: r.config.Publication, Tables: sector.Tables}
	// The connector itself runs under the least-privilege role.
	config, err := pgx.ParseConfig(admin)
	require.NoError(t, err)
	r.config.DSN = "user=" + r.setup.Role + " password='it\\'s a secret' host=" + config.Host + " port=" + portOf(config) + " dbname=" + database + " sslmode=disable"
	return r
}

func newTokens() *token.Tokenizer {
	tokens, err := token.New(token.Key{Version: 1, Secret: []byte(strings.Repeat("k", 32))})
	if err != nil {
		panic(err) // the key is a constant
	}
	return tokens
}

func newRecords() *token.Tokenizer {
	records, err := token.NewRecord(token.Key{Version: 1, Secret: []byte(strings.Repeat("r", 32))})
	if err != nil {
		panic(err) // the key is a constant
	}
	return records
}

func portOf(c *pgx.ConnConfig) string { return big.NewInt(int64(c.Port)).String() }

func (r *rig) connect() *pgx.Conn {
	r.t.Helper()
	conn, err := pgx.Connect(r.t.Context(), r.admin)
	require.NoError(r.t, err)
	r.t.Cleanup(func() { _ = conn.Close(context.Background()) }) // the server may be gone by then
	return conn
}

// exec runs statements, one transaction a call unless they say otherwise.
func (r *rig) exec(sql string) {
	r.t.Helper()
	conn := r.connect()
	_, err := conn.PgConn().Exec(r.t.Context(), sql).ReadAll()
	require.NoError(r.t, err)
	require.NoError(r.t, conn.Close(r.t.Context()))
}

// running is a connector in this process.
type running struct {
	*connectors.Connector
	metrics *prometheus.Registry
	cancel  context.CancelFunc
	done    chan struct{} // closed when it has ended
	err     error         // how, after done
}

// stop asks it to end and tells how it did.
func (c *running) stop() error {
	c.cancel()
	<-c.done
	return c.err
}

// start runs the connector until stop, which gives how it ended.
func (r *rig) start() *running {
	r.t.Helper()
	config := r.config
	metrics := prometheus.NewRegistry()
	config.Metrics = metrics
	ctx, cancel := context.WithCancel(r.t.Context())
	c := &running{Connector: connectors.New(config), metrics: metrics, cancel: cancel, done: make(chan struct{})}
	go func() {
		defer close(c.done)
		c.err = c.Run(ctx)
	}()
	r.t.Cleanup(func() { _ = c.stop() }) // a test that cares has asked already
	return c
}

// ends gives how a connector ends by itself.
func (r *rig) ends() error {
	r.t.Helper()
	return r.endOf(r.start())
}

func (r *rig) endOf(c *running) error {
	r.t.Helper()
	select {
	case <-c.done:
		return c.err
	case <-time.After(within):
		require.Fail(r.t, "the connector did not end by itself", "%v", c.Ready())
		return nil
	}
}

// eventually waits for a condition.
func (r *rig) eventually(condition func() error) {
	r.t.Helper()
	harness.Eventually(r.t, within, func(context.Context) error { return condition() })
}

// ready waits until the connector streams.
func (r *rig) ready(c *running) { r.t.Helper(); r.eventually(c.Ready) }

// checkpoint is what the connector last saved. A commit is answered before its
// end is in every partition, so what a test saw in a topic, or of the slot, may
// not show in the state topic yet: that is waited for.
func (r *rig) checkpoint() checkpoint.Checkpoint {
	r.t.Helper()
	r.settle(connectors.StateTopic(r.config.Source))
	return r.readable()
}

// killedWithin is how long a transaction is waited for that may stay open: the
// one of a connector that was killed.
const killedWithin = 10 * time.Second

// settle waits until what was written to a topic so far can be read.
func (r *rig) settle(name string) {
	r.t.Helper()
	var written map[int32]int64
	r.eventually(func() error { // the topic may just be made
		counts, err := r.client.PartitionCounts(r.t.Context(), name)
		if err != nil {
			return err
		}
		written, err = harness.Written(r.t.Context(), r.other, name, counts[name])
		return err
	})
	ctx, cancel := context.WithTimeout(r.t.Context(), killedWithin)
	defer cancel()
	err := harness.Poll(ctx, func(context.Context) error {
		for id, end := range written {
			part := topic.Partition{Topic: name, ID: id}
			if ends, err := r.client.EndOffsets(r.t.Context(), part); err != nil {
				return err
			} else if ends[part] < end {
				return fmt.Errorf("%s-%d was written up to %d and can be read up to %d", name, id, end, ends[part])
			}
		}
		return nil
	})
	if err != nil {
		r.t.Log("a transaction stays open:", err)
	}
}

// readable is the checkpoint that a reader sees now.
func (r *rig) readable() checkpoint.Checkpoint {
	r.t.Helper()
	c, err := connectors.Checkpoint(r.t.Context(), r.client, r.config.Source)
	require.NoError(r.t, err)
	return c
}

// complete waits until a table's snapshot is, with its marker if it needs one.
func (r *rig) complete(table string) {
	r.t.Helper()
	r.eventually(func() error {
		if c := r.checkpoint(); !c.Tables[table].Complete || c.Tables[table].Restart {
			return fmt.Errorf("the snapshot of %s is not complete: %+v", table, c.Tables[table])
		}
		return nil
	})
}

// caughtUp waits until the connector has confirmed all that was written so far.
func (r *rig) caughtUp() {
	r.t.Helper()
	var text string
	require.NoError(r.t, r.query(`SELECT pg_current_wal_lsn()::text`).Scan(&text))
	now, err := event.ParseLSN(text)
	require.NoError(r.t, err)
	r.eventually(func() error {
		if got := r.confirmed(); got < now {
			return fmt.Errorf("the slot stands at %s of %s", got, now)
		}
		return nil
	})
}

// confirmed is the slot's confirmed_flush_lsn.
func (r *rig) confirmed() (lsn event.LSN) {
	r.t.Helper()
	var text string
	require.NoError(r.t, r.query(`SELECT confirmed_flush_lsn::text FROM pg_replication_slots WHERE slot_name = $1`, r.config.Slot).Scan(&text))
	lsn, err := event.ParseLSN(text)
	require.NoError(r.t, err)
	return lsn
}

// oneRow closes its connection when it is scanned.
type oneRow struct {
	pgx.Row
	conn *pgx.Conn
}

func (o oneRow) Scan(into ...any) error {
	return errors.Join(o.Row.Scan(into...), o.conn.Close(context.Background()))
}

func (r *rig) query(sql string, args ...any) oneRow {
	r.t.Helper()
	conn := r.connect()
	return oneRow{conn.QueryRow(r.t.Context(), sql, args...), conn}
}

// dropSlot drops the source's slot, which the server may still be letting go.
func (r *rig) dropSlot() {
	r.t.Helper()
	r.eventually(func() error {
		conn := r.connect()
		return errors.Join(postgres.DropSlot(r.t.Context(), conn, r.config.Slot), conn.Close(r.t.Context()))
	})
}

// hold makes the registry wait with its answer about schemas that name
// something, until goOn: who asks stops there. arrived waits until someone does.
func (r *rig) hold(name string) (arrived, goOn func()) {
	r.t.Helper()
	came, free := make(chan struct{}), make(chan struct{})
	stop := sync.OnceFunc(func() { close(came) })
	goOn = sync.OnceFunc(func() { close(free) })
	gate := func(request *http.Request) {
		body, err := io.ReadAll(request.Body)
		if err != nil {
			return // it went away
		}
		request.Body = io.NopCloser(bytes.NewReader(body))
		if bytes.Contains(body, []byte(name)) {
			stop()
			<-free
		}
	}
	r.gate.Store(&gate)
	r.t.Cleanup(goOn) // else the registry could not be closed
	return func() {
		r.t.Helper()
		select {
		case <-came:
		case <-time.After(within):
			require.FailNow(r.t, "nobody asked the registry for "+name)
		}
	}, goOn
}

// resnapshot asks for tables to be read anew.
func (r *rig) resnapshot(tables ...string) {
	r.t.Helper()
	require.NoError(r.t, connectors.Resnapshot(r.t.Context(), r.client, r.config.Source, tables...))
}
