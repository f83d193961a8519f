package sink

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hopluu/hopluu/cmd/hopluu/operations/replay"
	"github.com/hopluu/hopluu/integration/harness"
	"github.com/hopluu/hopluu/schemas/erasure"
	"github.com/hopluu/hopluu/sinks/clickhouse"
)

// operator works on replays of this world.
func (w *world) operator(options ...func(*clickhouse.Config)) *replay.Operator {
	w.t.Helper()
	o, err := replay.New(replay.Config{Sink: w.config(options...), ClickHouse: w.conn, Log: w.log, Wait: within})
	require.NoError(w.t, err)
	return o
}

// replays runs a command on replays that succeeds, and reads what it tells.
func (w *world) replays(into any, args ...string) {
	w.t.Helper()
	stdout, stderr, code := w.hopluu(append(append([]string{"replay"}, args...), "--json")...)
	require.Zero(w.t, code, stderr)
	require.NoError(w.t, json.Unmarshal([]byte(stdout), into))
}

// traffic writes new rows, from an id on, until it is stopped; it gives the id
// after the last.
type traffic struct {
	f    *feeder
	next int
	end  chan struct{}
	done sync.WaitGroup
}

func (f *feeder) flow(from int) *traffic {
	tr := &traffic{f: f, next: from, end: make(chan struct{})}
	tr.done.Go(func() {
		for {
			select {
			case <-tr.end:
				return
			default:
			}
			f.create(tr.next, "live")
			f.commit()
			tr.next++
		}
	})
	return tr
}

func (tr *traffic) stop() int {
	close(tr.end)
	tr.done.Wait()
	return tr.next
}

// exec changes ClickHouse by hand.
func (w *world) exec(sql string) {
	w.t.Helper()
	require.NoError(w.t, w.conn.Exec(w.t.Context(), sql))
}

// A figure is wrong because somebody changed rows by hand: what was changed, put
// in and taken out is as the source has it after run and swap, and what arrived
// meanwhile is there (P2, P10). Bronze stays as it is, and there is a way back.
func TestReplayMendsWrongRowsWhileTrafficFlows(t *testing.T) {
	set, sector := notes()
	w := newWorld(t, set)
	f := w.feed(harness.Name("his"), sector, "note", 2, shortColumns...)
	other := w.feed(harness.Name("his"), sector, "note", 1, shortColumns...)
	dataset := sector + "_note"
	for i := range 60 {
		f.create(i, "a")
		f.update(i, "b")
	}
	for i := range 10 {
		f.delete(i)
	}
	f.commit()
	other.create(1, "of the other source")
	other.commit()
	w.run()
	w.noDuplicates(dataset, 131)
	f.committed()
	other.committed()

	silver := "silver." + dataset
	mine := " AND _source = '" + f.source + "'"
	w.exec("ALTER TABLE " + silver + " UPDATE body = 'wrong' WHERE id IN (20, 21)" + mine + " SETTINGS mutations_sync = 2")
	w.exec("ALTER TABLE " + silver + " DELETE WHERE id IN (30, 31)" + mine + " SETTINGS mutations_sync = 2")
	w.exec("INSERT INTO " + silver + " (id, body, _record, _op, _version, _source, _topic, _partition, _offset) VALUES (5000, 'wrong', 'x', 'c', 99999999999999999999999999, '" + f.source + "', '" + f.topic + "', 0, 3)")
	bad := "SELECT countIf(body = 'wrong'), countIf(id IN (30, 31)), countIf(body = 'b') FROM " + silver + " FINAL WHERE id < 1000000" + mine
	w.expect("SELECT countIf(body = 'wrong'), countIf(id IN (30, 31)), countIf(body = 'b') FROM "+silver+" FINAL WHERE id < 1000000", "(3,0,46)")

	flow := f.flow(1_000_000)
	var n replay.Note
	w.replays(&n, "run", "--topic", f.topic, "--from", "earliest")
	require.Equal(t, replay.Ready, n.State)
	require.GreaterOrEqual(t, n.Events, int64(130))
	require.Zero(t, n.Dead)
	w.expect(bad, "(3,0,46)") // nobody sees it yet
	stdout, stderr, code := w.hopluu("replay", "diff", dataset, "--json")
	require.Equal(t, 1, code, stderr)
	var d replay.Difference
	require.NoError(t, json.Unmarshal([]byte(stdout), &d))
	require.EqualValues(t, []int64{1, 2, 2}, []int64{d.OnlySilver, d.OnlyReplay, d.Changed}, "%+v", d)
	require.Len(t, d.Samples, 5)
	require.Len(t, d.Ranges, 5)
	require.Equal(t, "('"+f.source+"',20)", d.Ranges[0].From)
	require.Equal(t, replay.KeyRange{From: "('" + f.source + "',5000)", To: "('" + f.source + "',5000)", OnlySilver: 1}, d.Ranges[4])
	// What the sector file does not describe may be of people (P11).
	require.Equal(t, replay.Sample{Kind: "changed", Key: "('" + f.source + "',20)", Columns: []replay.ColumnValue{{Column: "body", Personal: true}}}, d.Samples[0])
	w.replays(&n, "swap", dataset)
	require.Equal(t, replay.Swapped, n.State)
	w.expect(bad, "(0,2,50)")
	w.replays(&n, "swap") // again: it is done
	require.Equal(t, replay.Swapped, n.State)
	stdout, stderr, code = w.hopluu("replay", "diff")
	require.Equal(t, 1, code, stderr)
	require.Contains(t, stdout, "2 rows only in silver, 1 only in the replay, 2 changed")
	require.Contains(t, stdout, "body: (personal)")
	next := flow.stop()
	require.Greater(t, next, 1_000_000)
	f.committed()
	live := "SELECT count(), uniqExact(id), max(id) FROM " + silver + " FINAL WHERE id >= 1000000"
	all := fmt.Sprintf("(%d,%d,%d)", next-1_000_000, next-1_000_000, next-1)
	w.expect(live, all)
	w.expect("SELECT id, body FROM "+silver+" FINAL WHERE _source = '"+other.source+"'", "(1,'of the other source')")
	w.noDuplicates(dataset, 131+next-1_000_000)

	// The way back has the former rows, and what arrived since.
	w.replays(&n, "swap", "--back")
	require.Equal(t, replay.Returned, n.State)
	w.expect(bad, "(3,0,46)")
	w.expect(live, all)
	w.replays(&n, "swap")
	w.expect(bad, "(0,2,50)")
	w.expect(live, all)
	w.replays(&n, "drop")
	w.expect("SELECT count() FROM system.tables WHERE database = 'replay' AND name = '"+dataset+"'", "(0)")
	var left []replay.Note
	w.replays(&left, "list")
	for _, l := range left {
		require.NotEqual(t, dataset, l.Dataset)
	}
	_, err := w.operator().Swap(context.Background(), dataset, false)
	require.ErrorContains(t, err, "there is no replay")
}

// P10: a figure that was published wrong is computed over the replayed table
// before anybody reads it, and is right again once that is swapped in. The indicators
// that a table touches are found by the views' own texts.
func replayMendsAFigure(t *testing.T, w *world) {
	paid := "SELECT value FROM gold.indicators WHERE code = 'welfare.paid_this_month'"
	w.expect(paid, "(2000000)")
	w.exec("ALTER TABLE silver.welfare_payment UPDATE amount = 9000000 WHERE beneficiary_id = 2 SETTINGS mutations_sync = 2")
	w.expect(paid, "(9500000)")
	o := w.operator()
	_, err := o.Run(t.Context(), replay.Request{Table: "welfare_payment", From: "earliest", Empty: true})
	require.NoError(t, err)
	d, err := o.Diff(t.Context(), "")
	require.NoError(t, err)
	require.EqualValues(t, 1, d.Changed)
	require.EqualValues(t, 1, d.Rows())
	require.Len(t, d.Samples, 1)
	figures := map[string][]float64{}
	for _, i := range d.Indicators {
		figures[i.Code] = []float64{*i.Now, *i.Then}
	}
	require.Equal(t, map[string][]float64{"welfare.paid_this_month": {9500000, 2000000}, "citizens.welfare_paid_to_dead": {1000000, 1000000}, "welfare.beneficiaries": {2, 2}}, figures)
	require.Contains(t, d.Marts, replay.Mart{Name: "gold.welfare_by_programme", Gone: 1, New: 1})
	w.expect("SELECT count() FROM system.tables WHERE database = 'replay'", "(1)")
	_, err = o.Swap(t.Context(), "welfare_payment", false)
	require.NoError(t, err)
	w.expect(paid, "(2000000)")
	_, err = o.Drop(t.Context(), "")
	require.NoError(t, err)
}

// P12: who was erased comes back neither from the topic, which has the events
// still, nor with a copy of silver, nor with a table that was put aside before.
func TestReplayBringsNobodyBack(t *testing.T) {
	set, sector := notes()
	w := newWorld(t, set)
	w.ledger()
	f := w.feed(harness.Name("his"), sector, "note", 1, shortColumns...)
	dataset := sector + "_note"
	for i := range 10 {
		f.create(i, "a")
	}
	f.commit()
	sink := w.run()
	w.noDuplicates(dataset, 10)
	f.committed()
	o := w.operator()
	_, err := o.Run(t.Context(), replay.Request{Topics: []string{f.topic}, From: "5"})
	require.NoError(t, err)
	_, err = o.Swap(t.Context(), dataset, false)
	require.NoError(t, err)
	require.NoError(t, sink.stop()) // so that nobody sweeps but the replay

	gone := []string{f.source + ".note:2", f.source + ".note:7"}
	w.say(erasure.Erasure{ID: harness.Name("e"), Version: 1, Records: gone, By: "an", Reason: "asked"})
	rows := "SELECT id FROM silver." + dataset + " FINAL WHERE id IN (2, 7)"
	w.expect(rows, "(2)", "(7)")
	_, err = o.Swap(t.Context(), dataset, true)
	require.NoError(t, err)
	w.expect(rows)
	w.expect("SELECT count() FROM silver."+dataset+" FINAL", "(8)")
	_, err = o.Swap(t.Context(), dataset, false)
	require.NoError(t, err)
	w.expect(rows)
	_, err = o.Drop(t.Context(), dataset)
	require.NoError(t, err)

	for _, r := range []replay.Request{{From: "0"}, {From: "earliest", Empty: true}, {From: "0", Bronze: true}, {From: "0", InPlace: true}} {
		r.Topics = []string{f.topic}
		n, err := o.Run(t.Context(), r)
		require.NoError(t, err)
		if !r.InPlace {
			_, err = o.Swap(t.Context(), dataset, false)
			require.NoError(t, err)
			_, err = o.Drop(t.Context(), n.ID)
			require.NoError(t, err)
		}
		w.expect(rows)
		w.expect("SELECT count() FROM silver."+dataset+" FINAL", "(8)")
	}
}
