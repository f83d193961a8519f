package matcher

import (
	"context"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/hopluu/hopluu/integration/harness"
	"github.com/hopluu/hopluu/processors/identity"
	"github.com/hopluu/hopluu/processors/identity/linkage"
	"github.com/hopluu/hopluu/processors/matcher"
	"github.com/hopluu/hopluu/schemas/avro"
	"github.com/hopluu/hopluu/schemas/event"
	"github.com/hopluu/hopluu/schemas/registry"
	"github.com/hopluu/hopluu/schemas/sectors"
	"github.com/hopluu/hopluu/schemas/topic"
)

// childEnv makes the test program a matcher, to be killed: it holds the broker
// and the registry's URL, divided by a space.
const childEnv = "HOPLUU_TEST_MATCHER"

func TestMain(m *testing.M) {
	if where := os.Getenv(childEnv); where != "" {
		if err := child(where); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(harness.Main(m))
}

func child(where string) error {
	broker, url, _ := strings.Cut(where, " ")
	kafka, err := topic.Dial(context.Background(), topic.Config{Brokers: []string{broker}, ClientID: "matcher"})
	if err != nil {
		return err
	}
	set, err := sectors.Load()
	if err != nil {
		return err
	}
	m, err := matcher.New(config(kafka, registry.New(url), set, slog.New(slog.NewTextHandler(os.Stderr, nil))))
	if err != nil {
		return err
	}
	return m.Run(context.Background())
}

func config(kafka *topic.Client, schemas *registry.Client, set *sectors.Set, log *slog.Logger) matcher.Config {
	return matcher.Config{
		Kafka: kafka, Registry: schemas, Sectors: set,
		Sources:         []matcher.SourceRef{{Name: "population", Sector: "population"}, {Name: "health", Sector: "health"}, {Name: "health_bv115", Sector: "health"}},
		TransactionalID: "matcher", Log: log, Metrics: prometheus.NewRegistry(),
	}
}

// within is how long a test waits for what must come: long, for a machine that
// is busy with other things.
const within = 3 * time.Minute

// rig is a broker with a registry, vault topics, and a connector's half that
// writes into them.
type rig struct {
	t        testing.TB
	broker   *harness.KafkaBroker
	kafka    *topic.Client
	schemas  *registry.Client
	url      string
	set      *sectors.Set
	producer *topic.Producer
	tables   map[string]*vaultTable
	registry *prometheus.Registry
	model    *linkage.Model // of the links that are expected; nil for the city's
}

// vaultTable writes the messages of one vault topic as a connector does.
type vaultTable struct {
	source, name   string
	columns        []string
	encoder        *avro.Encoder
	keyID, valueID uint32
}

func newRig(t testing.TB) *rig {
	r := &rig{t: t, broker: harness.Kafka(t, harness.Own()), tables: map[string]*vaultTable{}}
	var err error
	r.kafka, err = topic.Dial(t.Context(), topic.Config{Brokers: r.broker.Brokers(), ClientID: "test"})
	require.NoError(t, err)
	server, err := registry.NewServer(t.Context(), r.kafka, registry.ServerConfig{Replication: 1})
	require.NoError(t, err)
	web := httptest.NewServer(server)
	r.url, r.schemas = web.URL, registry.New(web.URL)
	r.set, err = sectors.Load()
	require.NoError(t, err)
	r.producer, err = r.kafka.NewProducer(t.Context(), topic.ProducerConfig{TransactionalID: "connector"})
	require.NoError(t, err)
	r.topics(topic.IdentityEdge, topic.IdentityLink, topic.IdentityReview)
	// One partition, as it has everywhere: keys that only differ in the schema
	// that they were written with have one order.
	_, err = r.kafka.Ensure(t.Context(), topic.Spec{Name: topic.IdentityDecision, Partitions: 1, Replication: 1, Config: map[string]string{"cleanup.policy": "compact"}})
	require.NoError(t, err)
	for _, name := range []string{topic.IdentityEvent, topic.IdentityAudit, topic.Audit, topic.IdentityErasure} {
		_, err = r.kafka.Ensure(t.Context(), topic.Spec{Name: name, Partitions: 1, Replication: 1})
		require.NoError(t, err)
	}
	t.Cleanup(func() {
		require.NoError(t, r.producer.Close())
		web.Close()
		require.NoError(t, server.Close())
		require.NoError(t, r.kafka.Close())
	})
	return r
}

// topics makes compacted topics of 3 partitions.
func (r *rig) topics(names ...string) {
	for _, name := range names {
		_, err := r.kafka.Ensure(r.t.Context(), topic.Spec{Name: name, Partitions: 3, Replication: 1, Config: map[string]string{"cleanup.policy": "compact"}})
		require.NoError(r.t, err)
	}
}

// table makes a vault topic and what writes into it. The first column is the
// key, a bigint.
func (r *rig) table(source, name string, columns ...string) {
	t := &vaultTable{source: source, name: name, columns: columns}
	r.topics(topic.Vault(source, "public", name))
	var fields []avro.Field
	for i, column := range columns {
		f := avro.Field{Name: column, Column: i, Type: "string", Nullable: i > 0, Append: func(dst, text []byte) ([]byte, error) { return avro.AppendBytes(dst, text), nil }}
		switch {
		case i == 0:
			f.Type = "long"
			f.Append = func(dst, text []byte) ([]byte, error) {
				n, err := strconv.ParseInt(string(text), 10, 64)
				return avro.AppendLong(dst, n), err
			}
		case column == "birth_date":
			f.Type = map[string]any{"type": "int", "connect.name": "io.debezium.time.Date"}
			f.Append = func(dst, text []byte) ([]byte, error) {
				day, err := time.Parse(time.DateOnly, string(text))
				return avro.AppendLong(dst, day.Unix()/86400), err
			}
		}
		fields = append(fields, f)
	}
	var err error
	t.encoder, err = avro.Compile(avro.Table{Source: "vault." + source, Database: source, Schema: "public", Name: name, Fields: fields, Key: []int{0}})
	require.NoError(r.t, err)
	vault := topic.Vault(source, "public", name)
	t.keyID, err = r.schemas.Register(r.t.Context(), vault+"-key", t.encoder.KeySchema())
	require.NoError(r.t, err)
	t.valueID, err = r.schemas.Register(r.t.Context(), vault+"-value", t.encoder.ValueSchema())
	require.NoError(r.t, err)
	r.tables[source+"."+name] = t
}

// citizens and patients make the tables that the tests use.
func (r *rig) citizens() {
	r.table("population", "citizen", "citizen_id", "cccd", "cmnd", "full_name", "birth_date")
}

func (r *rig) patients(source string) {
	r.table(source, "patient", "patient_id", "cccd", "cmnd", "insurance_no", "full_name", "birth_date")
}

// add puts an event into the open transaction: its cells in the order of the
// table's columns, "" for NULL.
func (r *rig) add(table string, op event.Op, lsn uint64, cells ...string) {
	r.addOf(table, op, nil, lsn, cells...)
}

// addOf is add, of a marker that speaks of a range.
func (r *rig) addOf(table string, op event.Op, of *event.Range, lsn uint64, cells ...string) {
	t := r.tables[table]
	values := make(event.Row, len(t.columns))
	for i, cell := range cells {
		if cell != "" {
			values[i] = event.Value{State: event.Present, Text: []byte(cell)}
		}
	}
	ev := &event.Event{Op: op, Position: event.Position{Epoch: 1, LSN: event.LSN(lsn), Ordinal: 1}, CommitMicros: int64(lsn) * 1_000_000, Range: of}
	if op == event.Delete {
		ev.Before, ev.BeforeKeyOnly = values, true
	} else if op != event.Truncate && op != event.Marker {
		ev.After = values
	}
	value, err := t.encoder.AppendValue(nil, t.valueID, ev)
	require.NoError(r.t, err)
	vault := topic.Vault(t.source, "public", t.name)
	if op == event.Truncate || op == event.Marker {
		for id := range int32(3) {
			// Compacted topics take no record without a key.
			require.NoError(r.t, r.producer.Add(r.t.Context(), topic.Partition{Topic: vault, ID: id}, []byte("table"+op.String()), value, int64(lsn)))
		}
		return
	}
	key, err := t.encoder.AppendKey(nil, t.keyID, values)
	require.NoError(r.t, err)
	r.raw(vault, key, value)
	if op == event.Delete {
		r.raw(vault, key, nil)
	}
}

func (r *rig) raw(name string, key, value []byte) {
	part := topic.Partition{Topic: name}
	if name != topic.IdentityDecision {
		part.ID = topic.PartitionFor(key, 3)
	}
	require.NoError(r.t, r.producer.Add(r.t.Context(), part, key, value, 1))
}

func (r *rig) commit() { require.NoError(r.t, r.producer.Commit(r.t.Context())) }

// start runs a matcher until stop, which gives how it ended.
func (r *rig) start(change ...func(*matcher.Config)) (m *matcher.Matcher, stop func() error) {
	c := config(r.kafka, r.schemas, r.set, slog.New(slog.NewTextHandler(r.t.Output(), nil)))
	r.registry = prometheus.NewRegistry()
	c.Metrics = r.registry
	for _, f := range change {
		f(&c)
	}
	m, err := matcher.New(c)
	require.NoError(r.t, err)
	require.Error(r.t, m.Ready())
	ctx, cancel := context.WithCancel(r.t.Context())
	done := make(chan error, 1)
	go func() { done <- m.Run(ctx) }()
	ended := false
	stop = func() error {
		if ended {
			return nil
		}
		ended = true
		cancel()
		return <-done
	}
	r.t.Cleanup(func() { require.NoError(r.t, stop()) })
	return m, stop
}

func (r *rig) ready(m *matcher.Matcher) {
	harness.Eventually(r.t, within, func(context.Context) error { return m.Ready() })
}

// links reads identity.link as a compacted view, and how many messages there are.
func (r *rig) links(ctx context.Context) (map[string]map[string]string, int, error) {
	links := map[string]map[string]string{}
	messages := 0
	err := r.kafka.ReadAll(ctx, topic.IdentityLink, func(rec topic.Record) error {
		messages++
		key, err := r.flat(ctx, rec.Key)
		if err != nil {
			return err
		}
		if rec.Value == nil {
			delete(links, key["record"])
			return nil
		}
		value, err := r.flat(ctx, rec.Value)
		links[key["record"]] = value
		return err
	})
	return links, messages, err
}

// messages counts those of identity.link once all that was written to it can be
// read.
func (r *rig) messages() int { return r.count(topic.IdentityLink) }

// count counts the messages of a topic once all that was written to it can be
// read: a transaction shows partition by partition, a moment after its commit.
func (r *rig) count(name string) (n int) {
	client, err := kgo.NewClient(kgo.SeedBrokers(r.broker.Addr))
	require.NoError(r.t, err)
	defer client.Close()
	harness.Eventually(r.t, within, func(ctx context.Context) error {
		counts, err := r.kafka.PartitionCounts(ctx, name)
		if err != nil {
			return err
		}
		written, err := harness.Written(ctx, client, name, counts[name])
		if err != nil {
			return err
		}
		for id, end := range written {
			part := topic.Partition{Topic: name, ID: id}
			if ends, err := r.kafka.EndOffsets(ctx, part); err != nil {
				return err
			} else if ends[part] < end {
				return fmt.Errorf("%s was written up to %d and can be read up to %d", part, end, ends[part])
			}
		}
		return nil
	})
	require.NoError(r.t, r.kafka.ReadAll(r.t.Context(), name, func(topic.Record) error { n++; return nil }))
	return n
}

func (r *rig) flat(ctx context.Context, wire []byte) (map[string]string, error) {
	id, payload, err := avro.SplitWire(wire)
	if err != nil {
		return nil, err
	}
	schema, err := r.schemas.Schema(ctx, id)
	if err != nil {
		return nil, err
	}
	record, err := avro.ParseRecord(schema)
	if err != nil {
		return nil, err
	}
	cells, err := record.Decode(payload, nil)
	fields := map[string]string{}
	for i, c := range record.Columns() {
		fields[c.Name] = string(cells[i].B)
		if c.Type.Kind == avro.Double && !cells[i].Null {
			fields[c.Name] = strconv.FormatFloat(cells[i].F, 'f', 1, 64)
		}
	}
	return fields, err
}

// eventually waits until the links hold a condition.
func (r *rig) eventually(condition func(links map[string]map[string]string) error) {
	harness.Eventually(r.t, within, func(ctx context.Context) error {
		links, _, err := r.links(ctx)
		if err != nil {
			return err
		}
		return condition(links)
	})
}

// isPerson waits until a record's person begins with the record leader.
func (r *rig) isPerson(record, leader string) {
	r.eventually(func(links map[string]map[string]string) error {
		if got, want := links[record]["person_id"], identity.PersonOf(leader).String(); got != want {
			return fmt.Errorf("%s is %s, not %s (%s): %v", record, got, want, leader, links[record])
		}
		return nil
	})
}

// happened waits until identity.event has an event under a person that holds.
func (r *rig) happened(person string, holds func(map[string]string) bool) {
	harness.Eventually(r.t, within, func(ctx context.Context) error {
		var seen []map[string]string
		found := false
		err := r.kafka.ReadAll(ctx, topic.IdentityEvent, func(rec topic.Record) error {
			value, err := r.flat(ctx, rec.Value)
			seen = append(seen, value)
			found = found || strings.Contains(value["before"], `"`+person+`"`) && err == nil && holds(value)
			return err
		})
		if err == nil && !found {
			err = fmt.Errorf("no such event of %s among %v", person, seen)
		}
		return err
	})
}

// noPlaintext is P11: no identifier and no name leaves the vault.
func (r *rig) noPlaintext() {
	for _, name := range []string{topic.IdentityEdge, topic.IdentityLink, topic.IdentityEvent, topic.IdentityReview, topic.IdentityDecision, topic.IdentityAudit} {
		require.NoError(r.t, r.kafka.ReadAll(r.t.Context(), name, func(rec topic.Record) error {
			for _, secret := range []string{"079085001234", "79085001234", "024517348", "7912345670", "Nguy", "NGUYEN"} {
				require.NotContains(r.t, string(rec.Key)+string(rec.Value), secret)
			}
			return nil
		}))
	}
}

func (r *rig) isGone(record string) {
	r.eventually(func(links map[string]map[string]string) error {
		if link, ok := links[record]; ok {
			return fmt.Errorf("%s still has a link: %v", record, link)
		}
		return nil
	})
}

// barrier sends a record of no one else's and waits for its link: all that was
// sent to its table's partition before is handled then.
func (r *rig) barrier(lsn uint64) {
	id := func(n int) int { return 900_000 + int(lsn)*100 + n } // none was there before
	for n := range 12 {                                         // some fall into each of the three partitions
		r.add("health.patient", event.Create, lsn, strconv.Itoa(id(n)), "", "", "", fmt.Sprintf("Barrier %d", lsn))
	}
	r.commit()
	harness.Eventually(r.t, within, func(ctx context.Context) error {
		families, err := r.registry.Gather()
		if err != nil {
			return err
		}
		for _, f := range families {
			if f.GetName() == "hopluu_matcher_lag_messages" && f.Metric[0].Gauge.GetValue() == 0 {
				links, _, err := r.links(ctx)
				if err != nil {
					return err
				}
				for n := range 12 {
					if _, ok := links[fmt.Sprintf("health.patient:%d", id(n))]; !ok {
						return fmt.Errorf("barrier record %d has no link yet", n)
					}
				}
				return nil
			}
		}
		return fmt.Errorf("the matcher is behind")
	})
}
