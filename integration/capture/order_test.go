package capture

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/hopluu/hopluu/schemas/avro"
	"github.com/hopluu/hopluu/schemas/topic"
	"github.com/linkedin/goavro/v2"
	"github.com/stretchr/testify/require"
)

// native reads a message by the reference library, with its own schema.
func (r *rig) native(wire []byte) map[string]any {
	r.t.Helper()
	id, payload, err := avro.SplitWire(wire)
	require.NoError(r.t, err)
	schema, err := r.registry.Schema(r.t.Context(), id)
	require.NoError(r.t, err)
	codec, err := goavro.NewCodec(schema)
	require.NoError(r.t, err)
	value, rest, err := codec.NativeFromBinary(payload)
	require.NoError(r.t, err)
	require.Empty(r.t, rest)
	return value.(map[string]any)
}

// block is the envelope's transaction block as "id total_order
// data_collection_order"; empty when there is none.
func (r *rig) block(m message) string {
	r.t.Helper()
	b, ok := r.native(m.Value)["transaction"].(map[string]any)
	if !ok {
		return ""
	}
	b = b["event.block"].(map[string]any)
	return fmt.Sprint(b["id"], " ", b["total_order"], " ", b["data_collection_order"])
}

// boundaries reads a source's transactions: their ids, in order, and the counts
// of each.
func (r *rig) boundaries(n int) (ids []string, counts map[string]string) {
	r.t.Helper()
	tail := r.tail(topic.Transactions(r.config.Source))
	tail.raw = true
	counts = map[string]string{}
	began := map[string]bool{}
	for _, m := range tail.records(n) {
		v := r.native(m.Value)
		id := v["id"].(string)
		require.Equal(r.t, map[string]any{"id": id}, r.native(m.Key))
		if v["status"] == "BEGIN" {
			require.False(r.t, began[id], "%s begins twice", id)
			began[id], ids = true, append(ids, id)
			continue
		}
		require.Equal(r.t, "END", v["status"])
		require.True(r.t, began[id], "%s ends before it begins", id)
		require.NotContains(r.t, counts, id, "it ends twice")
		var all []string
		for _, c := range v["data_collections"].(map[string]any)["array"].([]any) {
			c := c.(map[string]any)
			all = append(all, fmt.Sprint(c["data_collection"], "=", c["event_count"]))
		}
		counts[id] = fmt.Sprint(v["event_count"].(map[string]any)["long"], " ", strings.Join(all, " "))
	}
	require.Equal(r.t, slices.Sorted(slices.Values(ids)), slices.Sorted(maps.Keys(counts)))
	return ids, counts
}

// Each event tells its transaction, its place in it and its place among those
// of its table, and the transaction's beginning and end are told with its counts.
func TestTransactionOrder(t *testing.T) {
	r := newRig(t)
	r.config.Transactions = true
	r.exec(`INSERT INTO public.visit VALUES (0, '2026-01-01', 0)`)
	c := r.start()
	r.ready(c)
	r.exec(`BEGIN;
		INSERT INTO public.patient VALUES (1);
		INSERT INTO public.visit VALUES (1, '2026-01-01', 1), (2, '2026-01-01', 1);
		UPDATE public.patient SET paid = 1;
		UPDATE public.visit SET patient_id = 3 WHERE patient_id = 2;
		DELETE FROM public.visit WHERE patient_id = 3; COMMIT`)
	r.exec(`BEGIN; CREATE TABLE public.other (n int); INSERT INTO public.other VALUES (1); COMMIT`)
	r.exec(`DELETE FROM public.patient`)
	ids, counts := r.boundaries(4)
	require.Equal(t, []string{"7 public.patient=2 public.visit=5", "1 public.patient=1"}, []string{counts[ids[0]], counts[ids[1]]})
	patient, visit := r.tail(r.public("patient")).events(3), r.tail(r.public("visit")).events(6)
	var got []string
	for _, m := range events(append(slices.Clone(patient), visit...)) {
		got = append(got, strings.ReplaceAll(strings.ReplaceAll(r.block(m), ids[0], "first"), ids[1], "second")+" "+m.Event.Op.String())
		if b := r.block(m); b != "" {
			require.True(t, strings.HasPrefix(b, fmt.Sprintf("%d:%d ", m.Event.TxID, uint64(m.Event.Position.LSN))), b)
		}
	}
	slices.Sort(got)
	require.Equal(t, []string{" r",
		"first 1 1 c", "first 2 1 c", "first 3 2 c", "first 4 2 u", "first 5 3 d", "first 6 4 c", "first 7 5 d", "second 1 1 d"}, got)
	require.NoError(t, c.stop())
}

// P6: a transaction that is cut by a kill has the same order afterwards, and is
// told to begin and to end once.
func TestTransactionOrderAfterAKill(t *testing.T) {
	r := newRig(t)
	r.config.Transactions = true
	process := r.startProcess()
	r.complete("public.patient")
	r.complete("public.visit")
	arrived, goOn := r.hold("room")
	const rows = 50_000
	r.exec(fmt.Sprintf(`BEGIN; INSERT INTO public.visit SELECT n, '2026-01-01', n FROM generate_series(1, 10) n;
		INSERT INTO public.patient SELECT n, NULL, 'Người ' || n, repeat(md5(n::text), 30), n FROM generate_series(1, %d) n;
		`+stopsHere+`;
		INSERT INTO public.visit SELECT n, '2026-01-01', n FROM generate_series(11, 19) n; COMMIT`, rows))
	arrived()
	require.NoError(t, process.Kill())
	goOn()
	cut := r.checkpoint()
	require.NotZero(t, cut.Ordinal, "the transaction is larger than one of Kafka's")
	require.Less(t, int(cut.Ordinal), rows+10, "it was killed in the middle of the transaction")
	c := r.start()
	r.caughtUp()
	ids, counts := r.boundaries(2)
	require.Equal(t, fmt.Sprintf("%d public.patient=%d public.visit=20", rows+20, rows), counts[ids[0]])
	for _, m := range r.tail(r.public("patient")).events(rows) {
		if o := m.Event.Position.Ordinal; o%997 == 0 {
			require.Equal(t, fmt.Sprintf("%s %d %d", ids[0], o, o-10), r.block(m))
		}
	}
	for _, m := range r.tail(r.public("visit")).events(20) {
		o := m.Event.Position.Ordinal
		n := o
		if o > 10 {
			n = o - rows
		}
		require.Equal(t, fmt.Sprintf("%s %d %d", ids[0], o, n), r.block(m))
	}
	require.NoError(t, c.stop())
}
