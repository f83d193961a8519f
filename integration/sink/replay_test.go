package sink

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/hopluu/hopluu/cmd/hopluu/operations/replay"
	"github.com/hopluu/hopluu/integration/harness"
	"github.com/hopluu/hopluu/schemas/erasure"
	"github.com/hopluu/hopluu/schemas/event"
	"github.com/hopluu/hopluu/schemas/registry"
	"github.com/hopluu/hopluu/schemas/topic"
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
		pace := time.NewTicker(100 * time.Millisecond) // so that the machine does other things, too
		defer pace.Stop()
		for {
			select {
			case <-tr.end:
				return
			case <-pace.C:
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
	// What arrives while the figures are computed is no difference of theirs.
	o.Progress = func(p replay.Progress) {
		if p.Step == "computing the figures" {
			w.exec("INSERT INTO silver.welfare_payment SELECT * REPLACE ('later' AS _source, amount + 1 AS amount) FROM silver.welfare_payment FINAL")
		}
	}
	d, err := o.Diff(t.Context(), "")
	require.NoError(t, err)
	o.Progress = nil
	w.exec("DELETE FROM silver.welfare_payment WHERE _source = 'later'")
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

// P2: at the exchange the sink has rows under way that went to the table which goes
// out, and has not committed them. They are in the one that came in when the
// command ends; it waits for the sink before.
func TestReplaySwapWaitsForWhatIsUnderWay(t *testing.T) {
	set, sector := notes()
	w := newWorld(t, set)
	f := w.feed(harness.Name("his"), sector, "note", 1, shortColumns...)
	dataset := sector + "_note"
	for i := range 10 {
		f.create(i, "a")
	}
	f.commit()
	sink := w.run()
	w.noDuplicates(dataset, 10)
	f.committed()
	require.NoError(t, sink.stop())
	o := w.operator()
	_, err := o.Run(t.Context(), replay.Request{Table: dataset, From: "0"})
	require.NoError(t, err)

	h := w.holder("INSERT INTO `bronze`.`" + dataset)
	w.run(at(h.addr))
	f.create(500, "under way")
	f.update(1, "under way")
	f.delete(2)
	f.commit()
	w.await(h.caught, "the sink's insert into bronze")
	rows := "SELECT id, body FROM silver." + dataset + " FINAL WHERE id IN (1, 2, 500) ORDER BY id"
	w.expect(rows, "(1,'under way')", "(500,'under way')") // in the table that goes out
	swapped := make(chan error, 1)
	go func() {
		_, err := o.Swap(t.Context(), dataset, false)
		swapped <- err
	}()
	w.expect(rows, "(1,'a')", "(2,'a')") // exchanged
	select {
	case err := <-swapped:
		t.Fatalf("the exchange does not wait for the sink: %v", err)
	default:
	}
	close(h.release)
	require.NoError(t, <-swapped)
	w.expect(rows, "(1,'under way')", "(500,'under way')")
	w.noDuplicates(dataset, 13)
	_, err = w.operator().Drop(t.Context(), dataset)
	require.NoError(t, err)
}

// cliff stands between a command and ClickHouse: the statement that meets a
// condition never gets an answer. It is carried out or not, as the test wants.
type cliff struct {
	addr   string
	caught chan struct{}
}

func (w *world) cliff(carriedOut bool, meant func(query string) bool) *cliff {
	c := &cliff{caught: make(chan struct{})}
	stop := make(chan struct{})
	w.t.Cleanup(func() { close(stop) })
	p := w.proxy(func(query string) fault { return none })
	target := p.next
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		query := cmp.Or(r.URL.Query().Get("query"), string(body))
		if !meant(query) {
			target.ServeHTTP(rw, r)
			return
		}
		if carriedOut {
			target.ServeHTTP(httptest.NewRecorder(), r)
		}
		close(c.caught)
		<-stop
		panic(http.ErrAbortHandler)
	}))
	w.t.Cleanup(server.CloseClientConnections)
	c.addr = strings.TrimPrefix(server.URL, "http://")
	return c
}

// nth meets the n-th query that begins with a text, and only that.
func nth(n int, prefix string) func(string) bool {
	var seen atomic.Int64
	return func(query string) bool {
		return strings.HasPrefix(query, prefix) && seen.Add(1) == int64(n)
	}
}

// killed starts a command of replays, and kills it where it falls.
func (w *world) killed(c *cliff, args ...string) {
	w.t.Helper()
	process := harness.Hopluu(w.t).Start(w.t, "replay", append(append([]string{"replay"}, args...), "--config", w.configure(c.addr)), "HOPLUU_SINK_BATCH_ROWS=20")
	w.await(c.caught, "the statement at which the command is killed")
	require.NoError(w.t, process.Kill())
}

// P2: the operator's command is killed in the middle of the run, before the
// exchange, and between the exchange and its note; given again it ends what it
// began, and nothing that arrived is missing.
func TestReplayGoesOnAfterAKill(t *testing.T) {
	set, sector := notes()
	w := newWorld(t, set)
	f := w.feed(harness.Name("his"), sector, "note", 2, shortColumns...)
	dataset := sector + "_note"
	for i := range 100 {
		f.create(i, "a")
	}
	f.commit()
	w.run()
	w.noDuplicates(dataset, 100)
	f.committed()
	w.exec("ALTER TABLE silver." + dataset + " UPDATE body = 'wrong' WHERE id % 2 = 0 SETTINGS mutations_sync = 2")
	bad := "SELECT countIf(body = 'wrong'), count() FROM silver." + dataset + " FINAL WHERE id < 1000000"
	flow := f.flow(1_000_000)
	var n replay.Note

	w.killed(w.cliff(true, nth(2, "INSERT INTO `replay`.`"+dataset)), "run", "--topic", f.topic, "--from", "0", "--to", "60")
	var list []replay.Note
	w.replays(&list, "list")
	at := slices.IndexFunc(list, func(l replay.Note) bool { return l.Dataset == dataset })
	require.Equal(t, replay.Running, list[at].State)
	require.Positive(t, list[at].Events)
	_, stderr, code := w.hopluu("replay", "swap", dataset)
	require.Equal(t, 2, code)
	require.Contains(t, stderr, "is running: give 'hopluu replay run' again")
	_, stderr, code = w.hopluu("replay", "run", "--topic", f.topic, "--from", "5")
	require.Equal(t, 2, code)
	require.Contains(t, stderr, "leave --from out to go on with it")
	w.replays(&n, "run", "--topic", f.topic)
	require.Equal(t, replay.Ready, n.State)
	require.Equal(t, list[at].ID, n.ID)
	require.Greater(t, n.Epoch, list[at].Epoch)

	exchange := "EXCHANGE TABLES `silver`.`" + dataset
	w.killed(w.cliff(false, nth(1, exchange)), "swap", dataset)
	w.expect(bad, "(50,100)")
	w.replays(&n, "swap", dataset)
	require.Equal(t, replay.Swapped, n.State)
	w.expect(bad, "(0,100)")
	w.killed(w.cliff(true, nth(1, exchange)), "swap", dataset, "--back")
	w.expect(bad, "(50,100)")
	_, stderr, code = w.hopluu("replay", "drop", dataset)
	require.Equal(t, 2, code)
	require.Contains(t, stderr, "an exchange of "+dataset+" is under way")
	w.replays(&n, "swap", dataset, "--back")
	require.Equal(t, replay.Returned, n.State)
	w.killed(w.cliff(true, nth(1, exchange)), "swap", dataset)
	w.replays(&n, "swap", dataset)
	w.expect(bad, "(0,100)")

	next := flow.stop() - 1_000_000
	f.committed()
	w.expect("SELECT count(), uniqExact(id) FROM silver."+dataset+" FINAL WHERE id >= 1000000", fmt.Sprintf("(%d,%d)", next, next))
	w.noDuplicates(dataset, 100+next)
	// The table that was put aside lacks nothing either, once it returns.
	w.replays(&n, "swap", dataset, "--back")
	w.expect("SELECT count(), uniqExact(id) FROM silver."+dataset+" FINAL WHERE id >= 1000000", fmt.Sprintf("(%d,%d)", next, next))
	w.replays(&n, "drop")
}

// retain takes the first records out of a topic's partitions, as its retention
// does.
func (f *feeder) retain(from int64) {
	f.w.t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(f.w.brokers...))
	require.NoError(f.w.t, err)
	defer client.Close()
	ask := kmsg.NewPtrDeleteRecordsRequest()
	ask.TimeoutMillis = 60_000
	asked := kmsg.NewDeleteRecordsRequestTopic()
	asked.Topic = f.topic
	for id := range f.partitions {
		p := kmsg.NewDeleteRecordsRequestTopicPartition()
		p.Partition, p.Offset = id, from
		asked.Partitions = append(asked.Partitions, p)
	}
	ask.Topics = append(ask.Topics, asked)
	answer, err := ask.RequestWith(f.w.t.Context(), client)
	require.NoError(f.w.t, err)
	for _, t := range answer.Topics {
		for _, p := range t.Partitions {
			require.NoError(f.w.t, kerr.ErrorForCode(p.ErrorCode))
		}
	}
}

// P2, P4, P10, cases 13, 16, 22, 24 and 26: whatever is in the range - a
// truncate, deletes, values that updates did not send, a column that goes on in a
// new version, a dead letter that was retried - the replay gives the same rows
// again, from the topic, from an offset, a time or an LSN of it, from bronze, and
// in place. What retention took is an error that says so.
func TestReplayGivesTheSameRowsAgain(t *testing.T) {
	set, sector := notes()
	w := newWorld(t, set)
	id := column{"id", "bigint", true}
	f := w.feed(harness.Name("his"), sector, "note", 1, id, column{"body", "text", false}, column{"tags", "text[]", false}, column{"n", "integer", false})
	dataset := sector + "_note"
	require.NoError(t, w.registry.SetCompatibility(t.Context(), f.topic+"-value", "NONE"))
	for i := range 10 {
		f.create(i, "before", "{x}", i)
	}
	f.truncate()
	for i := range 10 {
		f.create(i, "long", "{a,NULL}", i)
	}
	f.update(1, unchanged, unchanged, 100)
	f.update(2, unchanged, unchanged, 200)
	f.delete(3)
	f.delete(4)
	f.create(4, "anew", nil, 4)
	f.commit()
	sink := w.run()
	w.noDuplicates(dataset, 26)
	known := f.id
	f.id = 1<<31 - 1
	f.update(5, "poisoned for a while", "{}", 5)
	f.update(6, "given up", "{}", 6)
	f.id = known
	f.update(5, unchanged, "{behind}", 55)
	f.commit()
	w.expect("SELECT count() FROM ops.dead_letter FINAL WHERE dataset = '"+dataset+"'", "(3)")
	f.committed()
	middle := f.lsn
	o := w.operator()
	_, err := o.Run(t.Context(), replay.Request{Table: dataset, From: "0"})
	require.NoError(t, err) // with an open letter, which is settled while it stands

	f.registered(1<<31 - 1)
	_, stderr, code := w.hopluu("dlq", "discard", "--topic", f.topic, "--partition", "0", "--offset", "30", "--why", "a test row")
	require.Zero(t, code, stderr)
	stdout, stderr, code := w.hopluu("dlq", "retry", "--topic", f.topic)
	require.Zero(t, code, stdout+stderr)
	f.shape(id, column{"body", "text", false}, column{"tags", "text[]", false}, column{"n", "numeric(12,2)", false})
	f.update(1, unchanged, unchanged, "1.25")
	f.create(11, "new", "{}", "11.50")
	f.delete(9)
	f.commit()
	harness.Eventually(t, within, func(ctx context.Context) error {
		_, err := w.rows(ctx, "SELECT n__v2 FROM silver."+dataset)
		return err
	})
	f.committed()
	all := "SELECT * FROM silver." + dataset + " FINAL ORDER BY id"
	want, err := w.rows(t.Context(), all)
	require.NoError(t, err)
	require.Len(t, want, 9)
	_, err = o.Swap(t.Context(), dataset, false)
	require.NoError(t, err)
	w.expect(all, want...) // also the letter that was retried behind the replay's back
	_, err = o.Drop(t.Context(), dataset)
	require.NoError(t, err)

	replayed := func(r replay.Request) {
		t.Helper()
		r.Table = dataset
		w.exec("ALTER TABLE silver." + dataset + " UPDATE body = 'wrong', tags = ['wrong'] WHERE id IN (1, 11) SETTINGS mutations_sync = 2")
		if !r.InPlace {
			w.exec("INSERT INTO silver." + dataset + " (id, body, _record, _op, _version, _source, _topic, _partition, _offset) VALUES (5000, 'wrong', 'x', 'c', 99999999999999999999999999, '" + f.source + "', '" + f.topic + "', 0, 33)")
		}
		n, err := o.Run(t.Context(), r)
		require.NoError(t, err, "%+v", r)
		require.Positive(t, n.Events)
		require.Zero(t, n.Dead)
		if !r.InPlace {
			_, err = o.Swap(t.Context(), dataset, false)
			require.NoError(t, err)
			_, err = o.Drop(t.Context(), dataset)
			require.NoError(t, err)
		}
		w.expect(all, want...)
	}
	for _, r := range []replay.Request{
		{From: "earliest", Empty: true}, {From: "15"}, {From: event.LSN(middle).String()}, {From: "earliest", InPlace: true},
		{From: "earliest", Empty: true, Bronze: true}, {From: "2025-10-09T08:53:00Z", Bronze: true}, {From: "15", InPlace: true, Bronze: true},
	} {
		replayed(r)
	}

	// Retention took the first records of the topic.
	f.retain(12)
	var plan replay.Plan
	stdout, stderr, code = w.hopluu("replay", "plan", "--topic", f.topic, "--from", "0", "--json")
	require.Equal(t, 1, code, stderr)
	require.NoError(t, json.Unmarshal([]byte(stdout), &plan))
	require.False(t, plan.Available)
	require.Equal(t, "bronze", plan.Partitions[0].Held)
	require.Contains(t, plan.Advice[0], "--from-bronze")
	for from, why := range map[string]string{"0": "from offset 0 to 11 are gone", "2025-01-01T00:00:00Z": "are gone", "99999": "past its end", "-3": "are gone", "soon": "neither earliest"} {
		_, stderr, code := w.hopluu("replay", "run", "--topic", f.topic, "--from="+from)
		require.Equal(t, 2, code, from)
		require.Contains(t, stderr, why)
		require.Len(t, strings.Split(strings.TrimSpace(stderr), "\n"), 1, stderr)
	}
	_, err = o.Run(t.Context(), replay.Request{Table: dataset, From: "earliest", Empty: true})
	require.ErrorContains(t, err, "begins empty needs every event")
	replayed(replay.Request{From: "0", Bronze: true})
	replayed(replay.Request{From: "12"})

	// And the TTL of bronze what it had of them, and more.
	w.exec("ALTER TABLE bronze." + dataset + " DELETE WHERE _offset < 15 SETTINGS mutations_sync = 2")
	_, err = o.Run(t.Context(), replay.Request{Table: dataset, From: "0", Bronze: true})
	require.ErrorContains(t, err, "bronze holds it from offset 15, not from 0")
	require.ErrorContains(t, err, "hopluu connector resnapshot")
	for _, from := range []string{"2025-01-01T00:00:00Z", "0/1"} {
		_, err = o.Run(t.Context(), replay.Request{Table: dataset, From: from})
		require.ErrorContains(t, err, "may be gone: bronze holds the partition from offset 15, the topic from 12")
	}
	// Of the LSN bronze knows that it has all; but not what an update of a row did
	// not send, which the plan tells and the diff shows before anybody reads it.
	lsn := event.LSN(middle).String()
	w.replays(&plan, "plan", "--table", dataset, "--from", lsn)
	require.EqualValues(t, 1, plan.Bronze.Incomplete)
	require.Contains(t, plan.Advice[len(plan.Advice)-1], "1 records have values that their updates did not send")
	_, err = o.Run(t.Context(), replay.Request{Table: dataset, From: lsn})
	require.NoError(t, err)
	w.expect("SELECT id, body, _incomplete FROM replay."+dataset+" FINAL WHERE notEmpty(_incomplete)", "(1,NULL,['body','tags'])")
	d, err := o.Diff(t.Context(), dataset)
	require.NoError(t, err)
	require.EqualValues(t, []int64{0, 0, 1}, []int64{d.OnlySilver, d.OnlyReplay, d.Changed})
	_, err = o.Drop(t.Context(), dataset)
	require.NoError(t, err)
	w.replays(&plan, "plan", "--topic", f.topic, "--from", "20")
	require.True(t, plan.Available)
	require.EqualValues(t, 1, plan.Bronze.Unbuildable) // of those created below 15 one was not touched since
	require.Positive(t, plan.Rate)
	require.Positive(t, plan.Bytes)
	require.Contains(t, plan.Views, "silver.v_"+dataset)
	require.NoError(t, sink.stop())
}

// P3: what a replay cannot apply is in the dead letters, as the sink's are. The
// tables are not exchanged while it is, for silver would lose it; once the reason
// is mended and the letters are retried, nothing is missing.
func TestReplayPutsWhatItCannotApplyIntoTheDeadLetters(t *testing.T) {
	set, sector := notes()
	w := newWorld(t, set)
	f := w.feed(harness.Name("his"), sector, "note", 2, shortColumns...)
	dataset := sector + "_note"
	for i := range 20 {
		f.create(i, "a")
	}
	f.commit()
	w.run()
	w.noDuplicates(dataset, 20)
	f.committed()
	lost := answerer(func(path string) (string, bool) {
		return `{"schema": "\"string\""}`, path == fmt.Sprintf("/schemas/ids/%d", f.id)
	})
	w.answer.Store(&lost)
	fresh := func(c *clickhouse.Config) { c.Registry = registry.New(w.registryURL) } // knows no schema yet
	o := w.operator(fresh)
	n, err := o.Run(t.Context(), replay.Request{Topics: []string{f.topic}, From: "earliest"})
	require.NoError(t, err)
	require.EqualValues(t, 20, n.Dead)
	require.Zero(t, n.Events)
	w.expect("SELECT count() FROM ops.dead_letter FINAL WHERE state = 'open' AND topic = '"+f.topic+"'", "(20)")
	letters := 0
	require.NoError(t, w.kafka.ReadAll(t.Context(), topic.DeadLetter(f.topic), func(topic.Record) error { letters++; return nil }))
	require.Equal(t, 20, letters)
	_, err = o.Swap(t.Context(), dataset, false)
	require.ErrorContains(t, err, "20 events that the replay could not apply are in the dead letters")
	w.expect("SELECT count() FROM silver."+dataset+" FINAL", "(20)")

	w.answer.Store(nil)
	stdout, stderr, code := w.hopluu("dlq", "retry", "--topic", f.topic)
	require.Zero(t, code, stdout+stderr)
	_, err = w.operator(fresh).Swap(t.Context(), dataset, false)
	require.NoError(t, err)
	w.expect("SELECT count(), countIf(body = 'a') FROM silver."+dataset+" FINAL", "(20,20)")
	w.noDuplicates(dataset, 20)
	_, err = o.Drop(t.Context(), dataset)
	require.NoError(t, err)
}

// The runbook for a wrong figure is tried as it is written, with another table's
// names.
func TestRunbookWrongFigure(t *testing.T) {
	text, err := os.ReadFile("../../deploy/runbooks/wrong-figure.md")
	require.NoError(t, err)
	set, sector := notes()
	w := newWorld(t, set)
	f := w.feed(harness.Name("his"), sector, "note", 1, shortColumns...)
	dataset := sector + "_note"
	for i := range 20 {
		f.create(i, "a")
	}
	f.commit()
	w.run()
	w.noDuplicates(dataset, 20)
	f.committed()
	w.exec("ALTER TABLE silver." + dataset + " UPDATE body = 'wrong' WHERE id = 7 SETTINGS mutations_sync = 2")
	wrong := "SELECT countIf(body = 'wrong') FROM silver." + dataset + " FINAL"
	after := map[string]string{"run": "(1)", "diff": "(1)", "swap": "(0)", "swap --back": "(1)", "drop": "(1)"}
	tried := 0
	for line := range strings.Lines(string(text)) {
		command, ok := strings.CutPrefix(strings.TrimSpace(line), "hopluu ")
		if !ok {
			continue
		}
		args := strings.Fields(strings.NewReplacer("health.public.encounter", f.topic, "health_encounter", dataset).Replace(command))
		stdout, stderr, code := w.hopluu(args...)
		name := args[1]
		if slices.Contains(args, "--back") {
			name += " --back"
		}
		want := 0
		if name == "diff" {
			want = 1
		}
		require.Equal(t, want, code, "%s: %s%s", command, stdout, stderr)
		if rows, ok := after[name]; ok {
			w.expect(wrong, rows)
		}
		tried++
	}
	require.Equal(t, 6, tried)
}
