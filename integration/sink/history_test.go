package sink

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hopluu/hopluu/integration/harness"
	"github.com/hopluu/hopluu/schemas/avro"
	"github.com/hopluu/hopluu/schemas/erasure"
	"github.com/hopluu/hopluu/schemas/sectors"
	"github.com/hopluu/hopluu/schemas/topic"
)

// members are the records of a person, as identity.event has them.
type members struct {
	Person  string   `json:"person_id"`
	Records []string `json:"records"`
}

// teller writes merges and splits into identity.event as the matcher does.
type teller struct {
	*linker
	key, value     *avro.Flat
	keyID, valueID uint32
}

func (l *linker) teller() *teller {
	w := l.w
	w.t.Helper()
	e := &teller{linker: l}
	var err error
	text := func(names ...string) (fields []avro.FlatField) {
		for _, n := range names {
			fields = append(fields, avro.FlatField{Name: n, Type: "string"})
		}
		return fields
	}
	e.key, err = avro.CompileFlat(topic.IdentityEvent, "Key", text("person_id"))
	require.NoError(w.t, err)
	e.value, err = avro.CompileFlat(topic.IdentityEvent, "Value", text("kind", "before", "after", "causes", "model_version"))
	require.NoError(w.t, err)
	e.keyID, err = w.registry.Register(w.t.Context(), topic.IdentityEvent+"-key", e.key.Schema())
	require.NoError(w.t, err)
	e.valueID, err = w.registry.Register(w.t.Context(), topic.IdentityEvent+"-value", e.value.Schema())
	require.NoError(w.t, err)
	_, err = w.kafka.Ensure(w.t.Context(), topic.Spec{Name: topic.IdentityEvent, Partitions: 1})
	require.NoError(w.t, err)
	return e
}

// tell writes an event into the open transaction, which is that of its links.
func (e *teller) tell(kind string, before, after []members, causes ...string) {
	t := e.w.t
	t.Helper()
	cells := []avro.Cell{{B: []byte(kind)}}
	for _, part := range []any{before, after, causes} {
		written, err := json.Marshal(part)
		require.NoError(t, err)
		cells = append(cells, avro.Cell{B: written})
	}
	key, err := e.key.Append(nil, e.keyID, []avro.Cell{{B: []byte(before[0].Person)}})
	require.NoError(t, err)
	value, err := e.value.Append(nil, e.valueID, append(cells, avro.Cell{B: []byte("m1")}))
	require.NoError(t, err)
	require.NoError(t, e.producer.Add(t.Context(), topic.Partition{Topic: topic.IdentityEvent}, key, value, e.millis))
}

// Merges and splits, what reviewers did, and who a record was at a time.
func TestIdentityLogsLand(t *testing.T) {
	// identity.event has one name: a broker of its own.
	w := newWorldOn(t, &sectors.Set{}, harness.Kafka(t, harness.Own()), harness.Own())
	w.ledger()
	links := w.linker()
	events := links.teller()
	audit, err := avro.CompileFlat(topic.IdentityAudit, "Value", []avro.FlatField{
		{Name: "at", Type: "long"}, {Name: "who", Type: "string"}, {Name: "action", Type: "string"}, {Name: "outcome", Type: "string"},
		{Name: "record_a", Type: "string", Nullable: true}, {Name: "record_b", Type: "string", Nullable: true}, {Name: "personal", Type: "boolean"},
	})
	require.NoError(t, err)
	auditID, err := w.registry.Register(t.Context(), topic.IdentityAudit+"-value", audit.Schema())
	require.NoError(t, err)
	_, err = w.kafka.Ensure(t.Context(), topic.Spec{Name: topic.IdentityAudit, Partitions: 1})
	require.NoError(t, err)

	links.link("health.patient:1", "p1", "")
	links.link("health.patient:2", "p2", "")
	require.NoError(t, links.producer.Commit(t.Context()))
	at := time.Date(2025, 10, 20, 3, 0, 0, 0, time.UTC)
	links.millis = at.UnixMilli()
	links.link("health.patient:2", "p1", "")
	one, two := members{"p1", []string{"health.patient:1"}}, members{"p2", []string{"health.patient:2"}}
	both := members{"p1", []string{"health.patient:1", "health.patient:2"}}
	events.tell("merge", []members{one, two}, []members{both}, "health.patient:2")
	look := func(a, b avro.Cell) {
		value, err := audit.Append(nil, auditID, []avro.Cell{{N: at.UnixMilli()}, {B: []byte("an")}, {B: []byte("show")}, {B: []byte("shown")}, a, b, {N: 1}})
		require.NoError(t, err)
		require.NoError(t, links.producer.Add(t.Context(), topic.Partition{Topic: topic.IdentityAudit}, nil, value, at.UnixMilli()))
	}
	look(avro.Cell{Null: true}, avro.Cell{Null: true})
	require.NoError(t, links.producer.Commit(t.Context()))

	// The next commit is earlier by the clock of its source: nobody is two
	// people at a time, by none of the views.
	links.millis = at.Add(-time.Hour).UnixMilli()
	links.link("health.patient:2", "p2", "")
	events.tell("split", []members{both}, []members{one, two})
	require.NoError(t, links.producer.Commit(t.Context()))

	r := w.run()
	w.expect("SELECT kind, persons_before, persons_after, before, causes, model_version, toString(at) FROM silver.identity_event ORDER BY _offset",
		"('merge',['p1','p2'],['p1'],[('p1',['health.patient:1']),('p2',['health.patient:2'])],['health.patient:2'],'m1','2025-10-20 10:00:00.000000')",
		"('split',['p1'],['p1','p2'],[('p1',['health.patient:1','health.patient:2'])],[],'m1','2025-10-20 09:00:00.000000')")
	w.expect("SELECT toString(at), who, action, outcome, record_a, personal FROM ops.identity_audit", "('2025-10-20 10:00:00.000000','an','show','shown',NULL,true)")
	w.expect("SELECT count() FROM bronze.identity_link", "(4)")
	for when, want := range map[string]string{"2025-10-01 00:00:00": "", "2025-10-20 08:59:59": "('p2')", "2025-10-20 09:00:00": "('p2')", "2025-10-20 10:00:00": "('p2')"} {
		rows := []string{}
		if want != "" {
			rows = append(rows, want)
		}
		w.expect("SELECT person_id FROM silver.identity_link_at(at = '"+when+"') WHERE record = 'health.patient:2'", rows...)
		w.expect(fmt.Sprintf("SELECT person_id FROM silver.identity_link_history WHERE record = 'health.patient:2' AND _valid_from <= '%[1]s' AND (_valid_to IS NULL OR _valid_to > '%[1]s') AND NOT _deleted", when), rows...)
		w.expect(fmt.Sprintf("SELECT person_id FROM gold.person_history WHERE record = 'health.patient:2' AND valid_from <= '%[1]s' AND (valid_to IS NULL OR valid_to > '%[1]s')", when), rows...)
	}
	require.NoError(t, r.stop())

	// A log is read again from its beginning: nothing is there twice.
	w.group = harness.Name("again")
	w.run()
	links.millis = at.Add(time.Hour).UnixMilli()
	links.link("health.patient:2", "p1", "")
	events.tell("merge", []members{one, two}, []members{both}, "health.patient:1")
	require.NoError(t, links.producer.Commit(t.Context()))
	w.expect("SELECT count(), uniqExact(_offset) FROM silver.identity_event", "(3,3)")
	w.expect("SELECT person_id FROM silver.identity_link_at(at = '2025-10-20 11:00:00') WHERE record = 'health.patient:2'", "('p1')")

	// P12: who is erased is in none of the logs any more, in rows that are there
	// and in what is read later; what the others lived stays.
	three := members{"p3", []string{"health.patient:3"}}
	all := members{"p1", []string{"health.patient:1", "health.patient:2", "health.patient:3"}}
	events.tell("merge", []members{one, two, three}, []members{all}, "health.patient:2", "health.patient:3")
	look(avro.Cell{B: []byte("health.patient:2")}, avro.Cell{B: []byte("health.patient:3")})
	require.NoError(t, links.producer.Commit(t.Context()))
	w.expect("SELECT count() FROM silver.identity_event", "(4)")
	w.expect("SELECT count() FROM ops.identity_audit", "(2)")
	id := harness.Name("e")
	w.say(erasure.Erasure{ID: id, Version: 1, Person: "p2", Records: []string{"health.patient:2"}, By: "an", Reason: "asked"})
	w.swept(id)
	const left = "('merge','p1',['p1','p3'],['p1'],[('p1',['health.patient:1','health.patient:3'])],['health.patient:3'])"
	history := "SELECT kind, e._record, persons_before, persons_after, after, causes FROM silver.identity_event AS v INNER JOIN bronze.identity_event AS e USING (_topic, _partition, _offset) ORDER BY _offset"
	w.expect(history, left)
	shown := []string{"(NULL,NULL)", "('erased:" + id + "','health.patient:3')"}
	w.expect("SELECT record_a, record_b FROM ops.identity_audit ORDER BY _offset", shown...)

	links.millis = at.Add(2 * time.Hour).UnixMilli()
	links.link("health.patient:2", "p2", "") // its key is not that of the audit's next message, which has none
	look(avro.Cell{B: []byte("health.patient:3")}, avro.Cell{B: []byte("p2")})
	events.tell("split", []members{{"p1", []string{"health.patient:1", "health.patient:2"}}}, []members{one, two}, "health.patient:2")
	events.tell("split", []members{all}, []members{one, {"p2", []string{"health.patient:2", "health.patient:3"}}}, "health.patient:2")
	require.NoError(t, links.producer.Commit(t.Context()))
	w.expect("SELECT record_a, record_b FROM ops.identity_audit ORDER BY _offset", append(shown, "('health.patient:3','erased:"+id+"')")...)
	w.expect(history, left, "('split','p1',['p1'],['p1','p2'],[('p1',['health.patient:1']),('p2',['health.patient:3'])],[])")
	for _, table := range []string{"identity_event", "identity_audit", "identity_link"} {
		w.expect("SELECT count() FROM bronze."+table+" WHERE toString(tuple(*)) LIKE '%health.patient:2%'", "(0)")
	}
	w.expect("SELECT uniqExact(offset) FROM ops.erased_offset WHERE topic = 'identity.event'", "(4)")
}

// P12: a log's message that an erasure replaced, under the same key, is no second
// row beside that of the first, on its way or landed; it is the row where the first
// was never read. A tombstone is no row.
func TestP12ReplacedMessagesOfLogsLandOnce(t *testing.T) {
	w := newWorldOn(t, &sectors.Set{}, harness.Kafka(t, harness.Own()), harness.Own())
	w.ledger()
	events := w.linker().teller()
	key, err := avro.CompileFlat(topic.IdentityEvent, "Key", []avro.FlatField{{Name: "event", Type: "string", Nullable: true}})
	require.NoError(t, err)
	keyID, err := w.registry.Register(t.Context(), topic.IdentityEvent+"-key", key.Schema())
	require.NoError(t, err)
	one, two, three := members{"p1", []string{"h.patient:1"}}, members{"p2", []string{"h.patient:2"}}, members{"p3", []string{"h.patient:3"}}
	all := members{"p1", []string{"h.patient:1", "h.patient:2", "h.patient:3"}}
	part := topic.Partition{Topic: topic.IdentityEvent}
	send := func(id string, value []byte, headers ...topic.Header) {
		wire, err := key.Append(nil, keyID, []avro.Cell{{B: []byte(id)}})
		require.NoError(t, err)
		require.NoError(t, events.producer.Add(t.Context(), part, wire, value, time.Now().UnixMilli(), headers...))
	}
	value := func(before, after []members) []byte {
		cells := []avro.Cell{{B: []byte("merge")}}
		for _, side := range []any{before, after, []string{}} {
			written, err := json.Marshal(side)
			require.NoError(t, err)
			cells = append(cells, avro.Cell{B: written})
		}
		wire, err := events.value.Append(nil, events.valueID, append(cells, avro.Cell{B: []byte("m1")}))
		require.NoError(t, err)
		return wire
	}
	thinned := topic.Header{Key: erasure.HeaderThinned, Value: []byte("1")}
	whole, left := value([]members{one, two, three}, []members{all}), value([]members{one, three}, []members{{"p1", []string{"h.patient:1", "h.patient:3"}}})
	send("landed", whole) // 0
	send("under way", whole)
	send("under way", left, thinned) // 2
	send("never read", left, thinned)
	send("gone", whole) // 4
	send("gone", nil, thinned)
	require.NoError(t, events.producer.Commit(t.Context()))
	r := w.run()
	w.expect("SELECT _record, _offset FROM bronze.identity_event ORDER BY _offset", "('landed',0)", "('under way',1)", "('never read',3)", "('gone',4)")
	send("landed", left, thinned)
	send("never read", left, thinned)
	send("last", whole)
	require.NoError(t, events.producer.Commit(t.Context()))
	want := []string{"('landed',0)", "('under way',1)", "('never read',3)", "('gone',4)", "('last',9)"}
	w.expect("SELECT _record, _offset FROM bronze.identity_event ORDER BY _offset", want...)
	require.NoError(t, r.stop())

	// Read again from the beginning, by another group.
	w.group = harness.Name("again")
	w.run()
	send("end", whole)
	require.NoError(t, events.producer.Commit(t.Context()))
	w.expect("SELECT _record, _offset FROM bronze.identity_event ORDER BY _offset", append(want, "('end',11)")...)
}
