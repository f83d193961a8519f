package connectors

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/hopluu/hopluu/connectors/postgres"
	"github.com/hopluu/hopluu/connectors/postgres/checkpoint"
	"github.com/hopluu/hopluu/connectors/postgres/pgoutput"
	"github.com/hopluu/hopluu/connectors/postgres/pgvalue"
	"github.com/hopluu/hopluu/schemas/event"
	"github.com/hopluu/hopluu/schemas/sectors"
	"github.com/hopluu/hopluu/schemas/topic"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
)

// world stands in for Kafka and PostgreSQL and writes down what is done to
// them, in order.
type world struct {
	done      []string
	records   []topic.Record // committed
	open      []topic.Record
	bytes     int // of the open ones
	commitErr error
	committed bool  // with commitErr: Kafka has it, and the answer is lost
	addErr    error // from the record on that comes after addAfter open ones
	addAfter  int
	ready     chan struct{}
}

func (w *world) Add(_ context.Context, part topic.Partition, key, value []byte, _ int64, headers ...topic.Header) error {
	if w.addErr != nil && len(w.open) >= w.addAfter {
		return w.addErr
	}
	w.bytes += len(key) + len(value)
	w.open = append(w.open, topic.Record{Partition: part, Key: append([]byte(nil), key...), Value: append([]byte(nil), value...), Headers: headers})
	return nil
}

func (w *world) Pending() (records, bytes int) { return len(w.open), w.bytes }

func (w *world) Commit(context.Context) error {
	if w.commitErr != nil {
		if w.committed {
			w.records = append(w.records, w.open...)
		}
		return w.commitErr
	}
	w.records = append(w.records, w.open...)
	w.open, w.bytes = nil, 0
	w.done = append(w.done, "commit")
	return nil
}

func (w *world) Confirm(_ context.Context, lsn event.LSN) error {
	w.done = append(w.done, "confirm "+lsn.String())
	return nil
}

func (w *world) Ready() <-chan struct{}                          { return w.ready }
func (w *world) Take([]postgres.Frame) ([]postgres.Frame, error) { return nil, nil }

// saved is the checkpoint that was committed last.
func (w *world) saved(t *testing.T) checkpoint.Checkpoint {
	t.Helper()
	for i := len(w.records) - 1; i >= 0; i-- {
		if r := w.records[i]; r.Topic == StateTopic("clinic") && string(r.Key) == checkpointKey {
			c, err := checkpoint.Parse(r.Value)
			require.NoError(t, err)
			return c
		}
	}
	return checkpoint.Checkpoint{}
}

// in are the committed records of a topic.
func (w *world) in(name string) (all []topic.Record) {
	for _, r := range w.records {
		if r.Topic == name {
			all = append(all, r)
		}
	}
	return all
}

const (
	patientOID   = 7
	patientTopic = "clinic.public.patient"
	startLSN     = event.LSN(100)
)

// newTestFollower follows one table (id bigint key, note text) from LSN 100.
func newTestFollower(t testing.TB) (*follower, *world) {
	t.Helper()
	w := &world{}
	text := sectors.Text{Vi: "x", En: "x"}
	sector := sectors.Table{Schema: "public", Name: "patient", Meaning: text}
	c := New(Config{Source: "clinic", Sector: sectors.Sector{Tables: []sectors.Table{sector}}, MaxRowBytes: 1 << 20,
		Log: slog.New(slog.DiscardHandler), Metrics: prometheus.NewRegistry()})
	s := &session{Connector: c, producer: w, checkpoint: checkpoint.Checkpoint{Epoch: 1, SystemID: "1", Confirmed: startLSN, Tables: map[string]checkpoint.Table{"public.patient": {Complete: true}}}}
	f := newFollower(s, w)
	relation := postgres.Relation{OID: patientOID, Schema: "public", Table: "patient", Primary: []string{"id"}, Columns: []pgvalue.Column{
		{Name: "id", OID: pgtype.Int8OID, Typmod: -1, TypeName: "int8"}, {Name: "note", OID: pgtype.TextOID, Typmod: -1, TypeName: "text"}}}
	public, _, key, err := fields(relation, sector, nil, nil)
	require.NoError(t, err)
	table := s.bare(relation)
	table.key = key
	table.public = lane{topic: patientTopic, partitions: 2}
	table.public.encoder, err = s.encoder(relation, "clinic", public, key, "")
	require.NoError(t, err)
	table.order = f.order(table.name())
	f.tables[patientOID] = table
	return f, w
}

// The bytes of messages (https://www.postgresql.org/docs/current/protocol-logicalrep-message-formats.html).

func begin(lsn event.LSN) []byte {
	b := binary.BigEndian.AppendUint64([]byte{'B'}, uint64(lsn))
	return binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint64(b, 0), 42)
}

// commit is of the transaction that begins with begin(lsn) and ends behind it.
func commit(lsn event.LSN) []byte {
	b := binary.BigEndian.AppendUint64([]byte{'C', 0}, uint64(lsn))
	return binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(b, uint64(lsn)+5), 0)
}

func row(b []byte, cells ...string) []byte {
	b = binary.BigEndian.AppendUint16(b, uint16(len(cells)))
	for _, c := range cells {
		b = append(binary.BigEndian.AppendUint32(append(b, 't'), uint32(len(c))), c...)
	}
	return b
}

func change(kind byte, relation uint32) []byte {
	return binary.BigEndian.AppendUint32([]byte{kind}, relation)
}

func insert(relation uint32, cells ...string) []byte {
	return row(append(change('I', relation), 'N'), cells...)
}

// logical is a message "app" at an LSN; flags 1 for one of a transaction.
func logical(flags byte, lsn event.LSN) []byte {
	b := binary.BigEndian.AppendUint64([]byte{'M', flags}, uint64(lsn))
	return append(binary.BigEndian.AppendUint32(append(b, "app\x00"...), 2), "hi"...)
}

// rekey is an update whose old image is the key.
func rekey(old, new []string) []byte {
	b := row(append(change('U', patientOID), 'K'), old[0])
	b[7] = 2 // two columns, the second null
	return row(append(append(b, 'n'), 'N'), new...)
}

func frames(all ...[]byte) []postgres.Frame {
	var out []postgres.Frame
	for _, b := range all {
		out = append(out, postgres.Frame{Data: b})
	}
	return out
}

// P3, case 19: what cannot be read or placed stops the stream with an error that says
// where, and nothing from it on is confirmed or produced.
func TestCase19BrokenStreamConfirmsNothing(t *testing.T) {
	stray := append(binary.BigEndian.AppendUint32([]byte{'S'}, 9), 0)
	for name, c := range map[string]struct {
		frames []postgres.Frame
		says   string
	}{
		"unknown relation":       {frames(begin(300), insert(99, "5", "x"), commit(300)), "relation 99 was never described"},
		"unknown kind":           {frames(begin(300), []byte("?")), "a message of an unknown kind"},
		"cut short":              {frames(begin(300), insert(patientOID, "5", "x")[:12]), "ends too early"},
		"change outside":         {frames(insert(patientOID, "5", "x")), "a change outside a transaction"},
		"begin within":           {frames(begin(300), begin(400)), "a transaction begins within another"},
		"commit of another":      {frames(begin(300), commit(400)), "is of no transaction that began"},
		"commit of nothing":      {frames(commit(400)), "is of no transaction that began"},
		"message outside":        {frames(logical(1, 290)), "cannot stand here"},
		"message within":         {frames(begin(300), logical(0, 290)), "cannot stand here"},
		"segment of the unknown": {frames(stray), "no such transaction is in progress"},
	} {
		t.Run(name, func(t *testing.T) {
			f, w := newTestFollower(t)
			require.NoError(t, f.frames(t.Context(), frames(begin(200), insert(patientOID, "1", "a"), commit(200))))
			require.Equal(t, []string{"commit", "confirm 0/CD"}, w.done)
			// A good transaction and the broken one in one read.
			err := f.frames(t.Context(), append(frames(begin(250), insert(patientOID, "2", "b"), commit(250)), c.frames...))
			require.ErrorContains(t, err, c.says)
			require.ErrorContains(t, err, "replication stream, after 1:0/")
			require.NotContains(t, err.Error(), "\n")
			require.Equal(t, []string{"commit", "confirm 0/CD"}, w.done)
			require.Len(t, w.in(patientTopic), 1)
		})
	}
}

// Case 4: PostgreSQL 18 may send a Stream Abort though streaming was not asked
// for, for a transaction of which it sent nothing.
func TestCase04StrayStreamAbort(t *testing.T) {
	f, w := newTestFollower(t)
	abort := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32([]byte{'A'}, 9), 9)
	require.NoError(t, f.frames(t.Context(), frames(abort, begin(200), abort, insert(patientOID, "1", "a"), commit(200), abort)))
	require.Len(t, w.in(patientTopic), 1)
}

// P1: Kafka has the events and the checkpoint before PostgreSQL hears of it.
func TestConfirmsAfterCommit(t *testing.T) {
	f, w := newTestFollower(t)
	w.commitErr = errors.New("broker away")
	require.ErrorIs(t, f.frames(t.Context(), frames(begin(200), insert(patientOID, "1", "a"), commit(200))), w.commitErr)
	require.Empty(t, w.done, "nothing is confirmed")

	f, w = newTestFollower(t)
	require.NoError(t, f.frames(t.Context(), frames(begin(200), insert(patientOID, "1", "a"), commit(200))))
	require.Equal(t, []string{"commit", "confirm 0/CD"}, w.done)
	require.Equal(t, event.LSN(205), w.saved(t).Confirmed, "the checkpoint says it before it is confirmed")
}

// Behind what is whole, but not before all that has come is taken in: a commit a
// transaction would cost more than its rows.
func TestGathersWhatHasCome(t *testing.T) {
	f, w := newTestFollower(t)
	ready := make(chan struct{}, 1)
	w.ready = ready
	ready <- struct{}{}
	take := func(lsn event.LSN, id string) {
		require.NoError(t, f.frames(t.Context(), frames(begin(lsn), insert(patientOID, id, "x"), commit(lsn))))
	}
	take(200, "1")
	require.Empty(t, w.done, "more has come")
	f.opened = f.opened.Add(-gatherWait)
	take(210, "2")
	require.Equal(t, []string{"commit", "confirm 0/D7"}, w.done, "but not for ever")
	take(220, "3")
	<-ready
	take(230, "4")
	require.Equal(t, []string{"commit", "confirm 0/D7", "commit", "confirm 0/EB"}, w.done)
	require.Len(t, w.in(patientTopic), 4)
}

// P1, cases 10 and 11: a keepalive moves what may be confirmed only when
// nothing before it is open, and a status that the server asks for says only
// what Kafka has.
func TestKeepalives(t *testing.T) {
	f, w := newTestFollower(t)
	asked := postgres.Frame{WALEnd: 5000, Reply: true}
	require.NoError(t, f.frames(t.Context(), append(frames(begin(200), insert(patientOID, "1", "a")), asked)))
	require.Equal(t, []string{"confirm 0/64"}, w.done, "in the middle of a transaction")
	require.Zero(t, f.idle)
	require.NoError(t, f.frames(t.Context(), frames(commit(200))))
	require.NoError(t, f.rest(t.Context()))
	require.Equal(t, event.LSN(205), f.checkpoint.Confirmed)

	require.NoError(t, f.frames(t.Context(), []postgres.Frame{asked}))
	require.Equal(t, "confirm 0/CD", w.done[len(w.done)-1])
	require.NoError(t, f.rest(t.Context()))
	require.Equal(t, []string{"commit", "confirm 0/1388"}, w.done[len(w.done)-2:])
	require.Equal(t, event.LSN(5000), w.saved(t).Confirmed)
	before := len(w.done)
	require.NoError(t, f.rest(t.Context()))
	require.Len(t, w.done, before, "nothing new, nothing written")
}

// Case 2, P8: a large transaction goes in several of Kafka's. What is confirmed
// stays before it until it is whole, and after a restart its first events are
// known.
func TestCase02LargeTransaction(t *testing.T) {
	f, w := newTestFollower(t)
	all := frames(begin(200))
	const rows = transactionRows + 10
	for n := range rows {
		all = append(all, frames(insert(patientOID, fmt.Sprint(n), "a"))...)
	}
	require.NoError(t, f.frames(t.Context(), all))
	require.Equal(t, []string{"commit", "confirm 0/64"}, w.done)
	cut := w.saved(t)
	require.Equal(t, event.LSN(200), cut.LSN)
	require.Equal(t, uint32(transactionRows), cut.Ordinal)
	require.Equal(t, startLSN, cut.Confirmed)

	// Killed here: the next session gets the whole transaction again.
	again, v := newTestFollower(t)
	again.checkpoint.LSN, again.checkpoint.Ordinal = cut.LSN, cut.Ordinal
	all = frames(begin(200))
	for n := range rows {
		all = append(all, frames(insert(patientOID, fmt.Sprint(n), "a"))...)
	}
	require.NoError(t, again.frames(t.Context(), append(all, frames(commit(200))...)))
	require.Equal(t, rows, len(w.in(patientTopic))+len(v.in(patientTopic)))
	require.Equal(t, event.LSN(205), v.saved(t).Confirmed)
}

// P8: and also when its rows are few but large: what is not durable yet is
// bounded in bytes.
func TestCase18TransactionsAreCutByBytes(t *testing.T) {
	f, w := newTestFollower(t)
	note := strings.Repeat("x", 512<<10)
	all := frames(begin(200))
	const rows = 2*transactionBytes/(512<<10) + 1
	for n := range rows {
		all = append(all, frames(insert(patientOID, fmt.Sprint(n), note))...)
	}
	require.NoError(t, f.frames(t.Context(), all))
	require.Equal(t, []string{"commit", "confirm 0/64", "commit", "confirm 0/64"}, w.done, "cut twice, and nothing confirmed")
	require.Less(t, w.bytes, transactionBytes)
	require.NoError(t, f.frames(t.Context(), frames(commit(200))))
	require.Len(t, w.in(patientTopic), rows)
	require.Equal(t, event.LSN(205), w.saved(t).Confirmed)
}

// P6: the places of a transaction's events do not depend on what its table is
// to us: a quarantine between two deliveries moves none.
func TestOrdinalsDependOnTheStreamAlone(t *testing.T) {
	all := func() []postgres.Frame {
		return frames(begin(200), insert(patientOID, "1", "a"), rekey([]string{"1"}, []string{"2", "b"}), insert(patientOID, "3", "c"))
	}
	f, _ := newTestFollower(t)
	require.NoError(t, f.frames(t.Context(), all()))
	known := f.position

	f, w := newTestFollower(t)
	f.tables[patientOID].reason = "set aside"
	f.tables[patientOID].key = nil
	require.NoError(t, f.frames(t.Context(), append(all(), frames(commit(200))...)))
	require.Equal(t, known, event.Position{Epoch: 1, LSN: 200, Ordinal: 4})
	require.Equal(t, known.Ordinal, w.saved(t).Ordinal)
	require.Len(t, w.in("vault.clinic.public.patient.dlq"), 3, "one letter a message")
}

// P4: the key's old value fills in what was not sent; a key that did not change
// is no change of key.
func TestKeyChanged(t *testing.T) {
	f, _ := newTestFollower(t)
	table := f.tables[patientOID]
	present := func(s string) event.Value { return event.Value{State: event.Present, Text: []byte(s)} }
	require.True(t, keyChanged(table, event.Row{present("1"), {}}, event.Row{present("2"), {}}))
	require.False(t, keyChanged(table, event.Row{present("1"), {}}, event.Row{present("1"), {}}))
	require.False(t, keyChanged(table, event.Row{{}, {}}, event.Row{present("1"), {}}), "the old image does not hold the key")
	require.False(t, keyChanged(table, event.Row{present("1"), {}}, event.Row{{State: event.Unchanged}, {}}))
	require.False(t, keyChanged(table, nil, event.Row{present("1"), {}}))
}

// A replica identity that lacks the key cannot tell deletes.
func TestIdentityHoldsKey(t *testing.T) {
	f, _ := newTestFollower(t)
	table := f.tables[patientOID]
	m := &pgoutput.Relation{ReplicaIdentity: 'i', Columns: []pgoutput.RelationColumn{{Name: "id"}, {Name: "note", Key: true}}}
	err := identityHoldsKey(table, m)
	require.ErrorContains(t, err, "does not hold the key column id")
	m.ReplicaIdentity = 'f'
	require.NoError(t, identityHoldsKey(table, m))
	m.ReplicaIdentity, m.Columns[0].Key = 'i', true
	require.NoError(t, identityHoldsKey(table, m))
}
