package file

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/hopluu/hopluu/connectors"
	"github.com/hopluu/hopluu/connectors/file"
	"github.com/hopluu/hopluu/integration/harness"
	"github.com/hopluu/hopluu/schemas/avro"
	"github.com/hopluu/hopluu/schemas/registry"
	"github.com/hopluu/hopluu/schemas/sectors"
	"github.com/hopluu/hopluu/schemas/token"
	"github.com/hopluu/hopluu/schemas/topic"
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"
)

func TestMain(m *testing.M) {
	if setting := os.Getenv(processEnv); setting != "" {
		os.Exit(runProcess(setting))
	}
	os.Exit(harness.Main(m))
}

// within is how long a test waits for what must come: long, for a machine that
// is busy with other things.
const within = 3 * time.Minute

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
      - {name: category, type: household_category, meaning: {vi: "Diện: poor là hộ nghèo", en: Category}, sensitivity: sensitive}
      - {name: amount, type: "numeric(12,0)", meaning: {vi: Mức trợ cấp (đồng), en: Amount in dong}, sensitivity: internal}
      - {name: decided_on, type: date, meaning: {vi: Ngày công nhận, en: Day of the decision}, sensitivity: internal}
  - name: member
    meaning: {vi: Thành viên, en: Members}
    person: direct
    key: [cccd]
    columns:
      - {name: cccd, type: text, meaning: {vi: Số định danh, en: Identity number}, sensitivity: identifier, identifier: cccd, match: cccd}
      - {name: full_name, type: text, meaning: {vi: Họ và tên, en: Name}, sensitivity: personal, match: full_name}
      - {name: phone, type: text, meaning: {vi: Điện thoại, en: Telephone}, sensitivity: identifier, identifier: phone, match: phone}
      - {name: notes, type: text, meaning: {vi: Ghi chú, en: Notes}, sensitivity: sensitive}
`

// rig is a department's drop with its topics and registry.
type rig struct {
	t        testing.TB
	config   file.Config
	dir      string
	web      string // the registry's address
	client   *topic.Client
	other    *kgo.Client // another library's
	registry *registry.Client
	metrics  *prometheus.Registry
	logged   *log
	clock    time.Time // of the next file
}

// log keeps what was logged.
type log struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

func newRig(t testing.TB) *rig {
	t.Helper()
	sector, err := sectors.Parse("labour.yaml", []byte(labour))
	require.NoError(t, err)
	client, err := topic.Dial(t.Context(), topic.Config{Brokers: harness.Kafka(t).Brokers(), ClientID: "test"})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, client.Close()) })
	other, err := kgo.NewClient(kgo.SeedBrokers(harness.Kafka(t).Brokers()...))
	require.NoError(t, err)
	t.Cleanup(other.Close)
	server, err := registry.NewServer(t.Context(), client, registry.ServerConfig{Topic: harness.Name("_schemas"), Replication: 1})
	require.NoError(t, err)
	web := httptest.NewServer(server)
	t.Cleanup(func() { web.Close(); require.NoError(t, server.Close()) })
	tokens, err := token.New(tokenKey)
	require.NoError(t, err)
	records, err := token.NewRecord(recordKey)
	require.NoError(t, err)
	r := &rig{t: t, dir: t.TempDir(), web: web.URL, client: client, other: other, registry: registry.New(web.URL), logged: &log{}, clock: time.Date(2025, 1, 31, 8, 0, 0, 0, time.UTC)}
	r.config = file.Config{
		Source: harness.Name("labour"), Location: r.dir, Sector: *sector,
		Tables:   []file.Table{{Name: "household", Pattern: "household_*"}, {Name: "member", Pattern: "member_*"}},
		Interval: interval, Scratch: t.TempDir(),
		Kafka: client, Registry: r.registry, Tokens: tokens, Records: records,
		Topics: connectors.Topics{Partitions: 2, Replication: 1, MinISR: 1}, MaxRowBytes: 1 << 20,
		Log: slog.New(slog.NewTextHandler(r.logged, nil)),
	}
	t.Cleanup(func() {
		left, err := os.ReadDir(r.config.Scratch)
		require.NoError(t, err)
		require.Empty(t, left, "temporary files have names")
		if t.Failed() {
			t.Log(r.logged.String())
		}
	})
	return r
}

// full makes every file of a table the full list.
func (r *rig) full(table string) *rig {
	for i := range r.config.Tables {
		if r.config.Tables[i].Name == table {
			r.config.Tables[i].Full = true
		}
	}
	return r
}

// start runs the connector until stop, which gives how it ended.
func (r *rig) start() (stop func() error) {
	r.t.Helper()
	config := r.config
	r.metrics = prometheus.NewRegistry()
	config.Metrics = r.metrics
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- file.New(config).Run(ctx) }()
	stop = sync.OnceValue(func() error { cancel(); return <-ended })
	r.t.Cleanup(func() { _ = stop() }) // a test that cares has asked already
	return stop
}

// drop puts a file that is newer than all before it.
func (r *rig) drop(name string, content string) {
	r.t.Helper()
	r.clock = r.clock.Add(time.Minute)
	r.dropAt(name, []byte(content), r.clock)
}

// dropAt renames, as a careful program would.
func (r *rig) dropAt(name string, content []byte, at time.Time) {
	r.t.Helper()
	temporary := filepath.Join(r.dir, name+".tmp")
	require.NoError(r.t, os.WriteFile(temporary, content, 0o600))
	require.NoError(r.t, os.Chtimes(temporary, at, at))
	require.NoError(r.t, os.Rename(temporary, filepath.Join(r.dir, name)))
}

// done waits until so many files of a table met an outcome since start.
func (r *rig) done(table, outcome string, n int) {
	r.t.Helper()
	harness.Eventually(r.t, within, func(context.Context) error {
		if got := r.metric("hopluu_connector_files_total", "table", "public."+table, "outcome", outcome); got < float64(n) {
			return fmt.Errorf("%v files of %s are %s, not %d", got, table, outcome, n)
		}
		return nil
	})
}

// metric gives a counter or gauge by its labels, 0 when it is not there.
func (r *rig) metric(name string, labels ...string) float64 {
	families, err := r.metrics.Gather()
	require.NoError(r.t, err)
	for _, f := range families {
		if f.GetName() != name {
			continue
		}
		for _, m := range f.GetMetric() {
			if has(m, labels) {
				return m.GetCounter().GetValue() + m.GetGauge().GetValue()
			}
		}
	}
	return 0
}

func has(m *dto.Metric, labels []string) bool {
	for i := 0; i < len(labels); i += 2 {
		found := false
		for _, l := range m.GetLabel() {
			found = found || l.GetName() == labels[i] && l.GetValue() == labels[i+1]
		}
		if !found {
			return false
		}
	}
	return true
}

func (r *rig) report(name string) string {
	r.t.Helper()
	content, err := os.ReadFile(filepath.Join(r.dir, name+".refused.csv"))
	require.NoError(r.t, err)
	return string(content)
}

// message is a decoded event, or a tombstone (Event nil).
type message struct {
	topic.Record
	Event *avro.Decoded
	// Row is After (or Before of a delete) by column, as text; NULLs are absent.
	Row map[string]string
}

func (r *rig) public(table string) string { return topic.Public(r.config.Source, "public", table) }
func (r *rig) vault(table string) string  { return topic.Vault(r.config.Source, "public", table) }

// settled waits until all that was written to a topic can be read: a commit
// shows to readers some time after the producer was told of it.
func (r *rig) settled(name string) {
	r.t.Helper()
	harness.Eventually(r.t, within, func(ctx context.Context) error {
		counts, err := r.client.PartitionCounts(ctx, name)
		if err != nil {
			return err
		}
		written, err := harness.Written(ctx, r.other, name, counts[name])
		if err != nil {
			return err
		}
		var parts []topic.Partition
		for id := range counts[name] {
			parts = append(parts, topic.Partition{Topic: name, ID: id})
		}
		readable, err := r.client.EndOffsets(ctx, parts...)
		if err != nil {
			return err
		}
		for id, end := range written {
			if at := readable[topic.Partition{Topic: name, ID: id}]; at != end {
				return fmt.Errorf("%s-%d was written up to %d and can be read up to %d", name, id, end, at)
			}
		}
		return nil
	})
}

// messages reads all that was written to a topic.
func (r *rig) messages(name string) []message {
	r.t.Helper()
	r.settled(name)
	return r.visible(name)
}

// visible reads what a topic shows now.
func (r *rig) visible(name string) []message {
	r.t.Helper()
	var all []message
	envelopes := map[uint32]*avro.Envelope{}
	err := r.client.ReadAll(context.Background(), name, func(record topic.Record) error {
		m := message{Record: record}
		if record.Value != nil {
			id, payload, err := avro.SplitWire(record.Value)
			if err != nil {
				return err
			}
			if envelopes[id] == nil {
				schema, err := r.registry.Schema(context.Background(), id)
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
	})
	require.NoError(r.t, err)
	return all
}

func text(c avro.Column, cell avro.Cell) string {
	switch {
	case c.Type.Logical == "decimal":
		return string(avro.AppendDecimal(nil, cell.B, c.Type.Scale))
	case c.Type.Kind == avro.String || c.Type.Kind == avro.Bytes:
		return string(cell.B)
	}
	return strconv.FormatInt(cell.N, 10)
}

// wait waits until the topic has n events or more, tombstones not counted.
func (r *rig) wait(name string, n int) {
	r.t.Helper()
	harness.Eventually(r.t, within, func(ctx context.Context) error {
		counts, err := r.client.PartitionCounts(ctx, name)
		if err != nil || counts[name] == 0 {
			return errors.Join(err, errors.New("the topic is not there"))
		}
		got := 0
		for _, m := range r.visible(name) {
			if m.Event != nil {
				got++
			}
		}
		if got < n {
			return fmt.Errorf("%d events of %d", got, n)
		}
		return nil
	})
}

// history gives the operations on each row in their order, '-' for a
// tombstone, by the value of a column.
func history(all []message, column string) map[string]string {
	ops, ids := map[string]string{}, map[string]string{}
	for _, m := range all {
		id := ids[string(m.Key)]
		if m.Event != nil {
			id = m.Row[column]
			ids[string(m.Key)] = id
			ops[id] += m.Event.Op.String()
		} else {
			ops[id] += "-"
		}
	}
	return ops
}

// last gives the last event of the row whose column has a value.
func last(t testing.TB, all []message, column, value string) message {
	t.Helper()
	var found message
	for _, m := range all {
		if m.Event != nil && m.Row[column] == value {
			found = m
		}
	}
	require.NotNil(t, found.Event, "no row with %s = %s", column, value)
	return found
}

// state gives every record of the source's state as text; none before its
// connector ever ran.
func (r *rig) state() []string {
	r.t.Helper()
	name := file.StateTopic(r.config.Source)
	counts, err := r.client.PartitionCounts(context.Background(), name)
	require.NoError(r.t, err)
	if counts[name] == 0 {
		return nil
	}
	var all []string
	require.NoError(r.t, r.client.ReadAll(context.Background(), name, func(record topic.Record) error {
		all = append(all, string(record.Key)+" "+string(record.Value))
		return nil
	}))
	return all
}
