package sink

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hopluu/hopluu/integration/harness"
	"github.com/hopluu/hopluu/schemas/topic"
	"github.com/hopluu/hopluu/sinks"
)

// registered makes the registry know the feeder's schema by another id, too.
func (f *feeder) registered(id int) {
	schema, err := json.Marshal(map[string]string{"schema": f.enc.ValueSchema()})
	require.NoError(f.w.t, err)
	answer := answerer(func(path string) (string, bool) {
		return string(schema), path == fmt.Sprintf("/schemas/ids/%d", id)
	})
	f.w.answer.Store(&answer)
}

// P3, case 20: later versions of a key wait behind a poisoned one, over restarts
// and rewinds too; other keys go on. A retry applies them in their order once the
// reason is mended, a discard gives up the poisoned one alone.
func TestCase20LaterVersionsWaitBehindAPoisonedOne(t *testing.T) {
	set, sector := notes()
	w := newWorld(t, set)
	f := w.feed(harness.Name("his"), sector, "note", 1, shortColumns...)
	dataset := sector + "_note"
	// Schemas that the registry does not know, by the ids that stand for them.
	lost := func(id int, body string) {
		t.Helper()
		known := f.id
		f.id = 1<<31 - 1
		f.update(id, body)
		f.id = known
	}
	f.create(1, "first")
	f.create(2, "first")
	f.create(3, "first")
	lost(1, "poisoned")
	f.update(1, "behind")
	f.delete(1)
	f.create(1, "again")
	lost(2, "poisoned")
	f.update(2, "behind")
	f.update(3, "free")
	f.commit()
	sink := w.run()
	letters := "SELECT offset, state, reason LIKE 'waits for the dead letter at offset%', record FROM ops.dead_letter FINAL WHERE dataset = '" + dataset + "' ORDER BY offset"
	letter := func(offset int, state string, waits, id int) string {
		return fmt.Sprintf("(%d,'%s',%d,'%s.note:%d')", offset, state, waits, f.source, id)
	}
	// The tombstone of the delete at 5 has the offset 6.
	open := func(state string) []string {
		return []string{letter(3, state, 0, 1), letter(4, state, 1, 1), letter(5, state, 1, 1), letter(7, state, 1, 1), letter(8, state, 0, 2), letter(9, state, 1, 2)}
	}
	w.expect(letters, open("open")...)
	silver := "SELECT id, body FROM silver." + dataset + " FINAL ORDER BY id"
	w.expect(silver, "(1,'first')", "(2,'first')", "(3,'free')")
	w.noDuplicates(dataset, 4)
	f.committed()
	require.NoError(t, sink.stop())

	// Another sink, and a rewind, know of them.
	require.NoError(t, sinks.Rewind(t.Context(), w.kafka, w.group, map[topic.Partition]int64{{Topic: f.topic}: 0}))
	sink = w.run()
	f.update(2, "behind, too")
	f.update(3, "free, too")
	f.commit()
	w.expect(silver, "(1,'first')", "(2,'first')", "(3,'free, too')")
	w.expect(letters, append(open("open"), letter(12, "open", 1, 2))...)
	w.noDuplicates(dataset, 5)

	stdout, _, code := w.hopluu("dlq", "list", "--topic", f.topic, "--json")
	require.Equal(t, 1, code)
	var list []struct {
		Offset        int64
		State, Reason string
		Key           []byte
	}
	require.NoError(t, json.Unmarshal([]byte(stdout), &list))
	require.Len(t, list, 7)
	require.Contains(t, list[0].Reason, "registry does not know schema 2147483647")
	require.Empty(t, list[0].Key)
	stdout, _, code = w.hopluu("dlq", "show", f.topic, "0", "3", "--json")
	require.Zero(t, code)
	var shown struct {
		Reason string
		Value  []byte
	}
	require.NoError(t, json.Unmarshal([]byte(stdout), &shown))
	require.Equal(t, []byte{0, 0x7f, 0xff, 0xff, 0xff}, shown.Value[:5])

	// Still not mended: they stay, in their order.
	stdout, stderr, code := w.hopluu("dlq", "retry", "--topic", f.topic)
	require.Equal(t, 1, code, stderr)
	require.Contains(t, stdout, "7 of 7 dead letters cannot be applied still")
	w.expect(letters, append(open("open"), letter(12, "open", 1, 2))...)
	w.expect(silver, "(1,'first')", "(2,'first')", "(3,'free, too')")

	// One is given up, and what waits behind it applied.
	_, stderr, code = w.hopluu("dlq", "discard", "--topic", f.topic, "--partition", "0", "--offset", "3")
	require.Equal(t, 2, code)
	require.Contains(t, stderr, "--why")
	stdout, stderr, code = w.hopluu("dlq", "discard", "--topic", f.topic, "--partition", "0", "--offset", "3", "--why", "a test row")
	require.Zero(t, code, stdout+stderr)
	w.expect(silver, "(1,'again')", "(2,'first')", "(3,'free, too')")
	w.noDuplicates(dataset, 8)
	w.expect("SELECT offset, state FROM ops.dead_letter FINAL WHERE dataset = '"+dataset+"' ORDER BY offset",
		"(3,'discarded')", "(4,'retried')", "(5,'retried')", "(7,'retried')", "(8,'open')", "(9,'open')", "(12,'open')")
	w.expect("SELECT reason LIKE '%(discarded: a test row)' FROM ops.dead_letter FINAL WHERE dataset = '"+dataset+"' AND offset = 3", "(1)")

	// Mended: the schema is there after all.
	f.registered(2147483647)
	stdout, stderr, code = w.hopluu("dlq", "retry", "--topic", f.topic, "--json")
	require.Zero(t, code, stdout+stderr)
	require.JSONEq(t, `{"letters": 3, "waiting": 0, "open": 0}`, stdout)
	// Nothing of it waits: a letter that is named and is settled, or was never
	// there, cannot be done, and neither can one of a topic that has none; all that
	// wait may be none.
	stdout, stderr, code = w.hopluu("dlq", "retry", "--topic", f.topic)
	require.Zero(t, code, stderr)
	require.Equal(t, "no dead letter waits to be dealt with", strings.TrimSpace(stdout))
	for want, args := range map[string][]string{
		f.topic + "-0 at 3: it is discarded since":                      {"--topic", f.topic, "--partition", "0", "--offset", "3"},
		f.topic + "-0 at 6: there is none, see 'hopluu dlq list --all'": {"--topic", f.topic, "--partition", "0", "--offset", "6"},
		f.topic + "-7: there is none, see 'hopluu dlq list --all'":      {"--topic", f.topic, "--partition", "7"},
		f.topic + "s: there is none, see 'hopluu dlq list --all'":       {"--topic", f.topic + "s", "--json"},
	} {
		for _, command := range [][]string{{"dlq", "retry"}, {"dlq", "discard", "--why", "a test"}} {
			stdout, stderr, code = w.hopluu(append(command, args...)...)
			require.Equal(t, 2, code, "%s %s", command, args)
			require.Contains(t, stderr, want)
			require.Empty(t, stdout)
		}
	}
	f.update(2, "behind no more")
	f.commit()
	w.expect(silver, "(1,'again')", "(2,'behind no more')", "(3,'free, too')")
	w.noDuplicates(dataset, 12)
	w.expect("SELECT body FROM bronze."+dataset+" WHERE id = 2 ORDER BY _version", "('first')", "('poisoned')", "('behind')", "('behind, too')", "('behind no more')")
	stdout, _, code = w.hopluu("dlq", "list", "--topic", f.topic)
	require.Zero(t, code)
	require.Equal(t, "0 dead letters", strings.TrimSpace(stdout))
	f.committed()
	require.NoError(t, sink.stop())

	// The dead-letter topic has each once.
	n := 0
	require.NoError(t, w.kafka.ReadAll(t.Context(), topic.DeadLetter(f.topic), func(topic.Record) error {
		n++
		return nil
	}))
	require.Equal(t, 7, n)
}

// P2, P3: a sink dies after bronze has a retried letter and before that is noted:
// its successor does not apply it again.
func TestARetryIsAppliedOnce(t *testing.T) {
	set, sector := notes()
	w := newWorld(t, set)
	f := w.feed(harness.Name("his"), sector, "note", 1, shortColumns...)
	dataset := sector + "_note"
	known := f.id
	f.id = 1<<31 - 2
	f.create(1, "a")
	f.id = known
	f.create(2, "a")
	f.commit()
	p := w.proxy(func(query string) fault {
		if strings.Contains(query, "INSERT INTO ops.dead_letter") && strings.Contains(query, "'retried'") {
			return refuse
		}
		return none
	})
	first := w.run(through(p))
	w.noDuplicates(dataset, 1)
	f.registered(2147483646)
	_, _, code := w.hopluu("dlq", "retry", "--topic", f.topic, "--wait", "1s")
	require.Equal(t, 1, code)
	w.noDuplicates(dataset, 2)
	require.NoError(t, first.stop())
	require.Positive(t, p.faults())
	w.run()
	w.expect("SELECT state FROM ops.dead_letter FINAL WHERE dataset = '"+dataset+"'", "('retried')")
	w.noDuplicates(dataset, 2)
	w.expect("SELECT id FROM silver."+dataset+" FINAL ORDER BY id", "(1)", "(2)")
}

// P2: a row that is applied late does not outlive what took all rows meanwhile.
func TestARetryBringsNothingBack(t *testing.T) {
	set, sector := notes()
	w := newWorld(t, set)
	f := w.feed(harness.Name("his"), sector, "note", 1, shortColumns...)
	dataset := sector + "_note"
	poisoned := func(id int) {
		known := f.id
		f.id = 1<<31 - 3
		f.create(id, "poisoned")
		f.id = known
	}
	poisoned(1)
	f.truncate()
	poisoned(2)
	f.create(3, "a")
	f.commit()
	w.run()
	w.noDuplicates(dataset, 2)
	f.registered(1<<31 - 3)
	stdout, stderr, code := w.hopluu("dlq", "retry", "--topic", f.topic)
	require.Zero(t, code, stdout+stderr)
	w.noDuplicates(dataset, 4)
	w.expect("SELECT id FROM silver."+dataset+" FINAL ORDER BY id", "(2)", "(3)")
}
