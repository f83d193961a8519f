package capture

import (
	"context"
	"errors"
	"log/slog"
	"math/big"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hopluu/hopluu/connectors"
	"github.com/hopluu/hopluu/connectors/postgres"
	"github.com/hopluu/hopluu/integration/harness"
	"github.com/hopluu/hopluu/schemas/avro"
	"github.com/hopluu/hopluu/schemas/registry"
	"github.com/hopluu/hopluu/schemas/sectors"
	"github.com/hopluu/hopluu/schemas/token"
	"github.com/hopluu/hopluu/schemas/topic"
	"github.com/jackc/pgx/v5"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
)

func TestMain(m *testing.M) { os.Exit(harness.Main(m)) }

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

// rig is a source with its database, topics and registry.
type rig struct {
	t        *testing.T
	config   connectors.Config
	admin    string // connection string of the superuser
	client   *topic.Client
	registry *registry.Client
	setup    postgres.Setup
}

func newRig(t *testing.T, options ...harness.Option) *rig {
	t.Helper()
	return newRigOn(t, harness.Postgres(t, options...), harness.Kafka(t))
}

func newRigOn(t *testing.T, server *harness.PostgresServer, broker *harness.KafkaBroker) *rig {
	t.Helper()
	database, admin := server.NewDatabase(t)
	sector, err := sectors.Parse("clinic.yaml", []byte(clinic))
	require.NoError(t, err)
	client, err := topic.Dial(t.Context(), topic.Config{Brokers: broker.Brokers(), ClientID: "test"})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, client.Close()) })
	server2, err := registry.NewServer(t.Context(), client, registry.ServerConfig{Topic: harness.Name("_schemas"), Replication: 1})
	require.NoError(t, err)
	web := httptest.NewServer(server2)
	t.Cleanup(func() { web.Close(); require.NoError(t, server2.Close()) })
	tokens, err := token.New(token.Key{Version: 1, Secret: []byte(strings.Repeat("k", 32))})
	require.NoError(t, err)
	source := database
	r := &rig{t: t, admin: admin, client: client, registry: registry.New(web.URL)}
	r.config = connectors.Config{
		Source: source, DSN: admin, Slot: "slot_" + source, Publication: "pub_" + source, Sector: *sector,
		Kafka: client, Registry: r.registry, Tokens: tokens,
		Topics: connectors.Topics{Partitions: 2, Replication: 1, MinISR: 1}, MaxRowBytes: 8 << 20,
		Log: slog.New(slog.NewTextHandler(t.Output(), nil)),
	}
	r.exec(clinicSQL)
	r.setup = postgres.Setup{Database: database, Role: "role_" + source, Password: "it's a secret", Slot: r.config.Slot, Publication: r.config.Publication, Tables: sector.Tables}
	conn := r.connect()
	require.NoError(t, postgres.Apply(t.Context(), conn, r.setup.EnableScript()))
	// The connector itself runs under the least-privilege role.
	config, err := pgx.ParseConfig(admin)
	require.NoError(t, err)
	r.config.DSN = "user=" + r.setup.Role + " password='it\\'s a secret' host=" + config.Host + " port=" + portOf(config) + " dbname=" + database + " sslmode=disable"
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
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

// start runs the connector until stop, which gives how it ended.
func (r *rig) start() (stop func() error) {
	r.t.Helper()
	config := r.config
	config.Metrics = prometheus.NewRegistry()
	ctx, cancel := context.WithCancel(r.t.Context())
	ended := make(chan error, 1)
	go func() { ended <- connectors.New(config).Run(ctx) }()
	stop = sync.OnceValue(func() error { cancel(); return <-ended })
	r.t.Cleanup(func() { _ = stop() }) // a test that cares has asked already
	return stop
}

// ended gives how a connector ends by itself.
func (r *rig) ended() error {
	r.t.Helper()
	config := r.config
	config.Metrics = prometheus.NewRegistry()
	ctx, cancel := context.WithTimeout(r.t.Context(), 30*time.Second)
	defer cancel()
	err := connectors.New(config).Run(ctx)
	require.NoError(r.t, ctx.Err(), "the connector did not end by itself")
	return err
}

// message is a decoded event, or a tombstone (Event nil).
type message struct {
	topic.Record
	Event *avro.Decoded
	// Row is After (or Before of a delete) by column, as text.
	Row map[string]string
}

// messages reads a topic from its beginning to its end.
func (r *rig) messages(name string) []message {
	r.t.Helper()
	var all []message
	envelopes := map[uint32]*avro.Envelope{}
	require.NoError(r.t, r.client.ReadAll(r.t.Context(), name, func(record topic.Record) error {
		m := message{Record: record}
		if record.Value != nil {
			id, payload, err := avro.SplitWire(record.Value)
			if err != nil {
				return err
			}
			if envelopes[id] == nil {
				schema, err := r.registry.Schema(r.t.Context(), id)
				if err != nil {
					return err
				}
				if envelopes[id], err = avro.ParseEnvelope(schema); err != nil {
					return err
				}
			}
			m.Event = &avro.Decoded{}
			if err := envelopes[id].Decode(payload, m.Event); err != nil {
				return err
			}
			m.Row = map[string]string{}
			cells := m.Event.After
			if !m.Event.HasAfter {
				cells = m.Event.Before
			}
			for i, c := range envelopes[id].Columns() {
				if i < len(cells) && !cells[i].Null {
					m.Row[c.Name] = text(c, cells[i])
				}
			}
		}
		all = append(all, m)
		return nil
	}))
	return all
}

func text(c avro.Column, cell avro.Cell) string {
	switch {
	case c.Type.Kind == avro.String:
		return string(cell.B)
	case c.Type.Kind == avro.Bytes && c.Type.Scale > 0:
		return "decimal " + string(cell.B)
	case c.Type.Kind == avro.Bytes:
		return string(cell.B)
	}
	return big.NewInt(cell.N).String()
}

func (r *rig) public(table string) string { return topic.Public(r.config.Source, "public", table) }
func (r *rig) vault(table string) string  { return topic.Vault(r.config.Source, "public", table) }

// await waits until the topic has n events (without tombstones) and gives all
// of its messages.
func (r *rig) await(name string, n int) []message {
	r.t.Helper()
	var all []message
	harness.Eventually(r.t, 60*time.Second, func(ctx context.Context) error {
		counts, err := r.client.PartitionCounts(ctx, name)
		if err != nil || counts[name] == 0 {
			return errors.Join(err, errors.New("the topic is not there"))
		}
		all = r.messages(name)
		if got := len(events(all)); got < n {
			return errors.New("too few events: " + big.NewInt(int64(got)).String())
		}
		return nil
	})
	return all
}

func events(all []message) []message {
	var out []message
	for _, m := range all {
		if m.Event != nil {
			out = append(out, m)
		}
	}
	return out
}

func ops(all []message) string {
	var b strings.Builder
	for _, m := range all {
		if m.Event == nil {
			b.WriteByte('-')
		} else {
			b.WriteString(m.Event.Op.String())
		}
	}
	return b.String()
}

// byKey gives the messages of one patient.
func byID(all []message, id string) []message {
	var out []message
	last := ""
	for _, m := range all {
		if m.Event != nil && m.Row["patient_id"] == id {
			out = append(out, m)
			last = string(m.Key)
		} else if m.Event == nil && last != "" && string(m.Key) == last {
			out = append(out, m)
		}
	}
	return out
}

