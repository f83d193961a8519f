package sink

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hopluu/hopluu/integration/harness"
	"github.com/hopluu/hopluu/schemas/topic"
	"github.com/hopluu/hopluu/sinks/clickhouse"
)

var shortColumns = []column{{"id", "bigint", true}, {"body", "text", false}}

// noDuplicates checks that bronze holds every event once.
func (w *world) noDuplicates(dataset string, events int) {
	w.t.Helper()
	w.expect("SELECT count(), uniqExact(_topic, _partition, _offset) FROM bronze."+dataset, fmt.Sprintf("(%d,%d)", events, events))
}

// P2: what is delivered again changes nothing.
func TestCase27RedeliveryChangesNothing(t *testing.T) {
	set, sector := notes()
	w := newWorld(t, set)
	f := w.feed(harness.Name("his"), sector, "note", 2, shortColumns...)
	dataset := sector + "_note"
	for i := range 40 {
		f.create(i, fmt.Sprint("v", i))
	}
	for i := range 20 {
		f.update(i, fmt.Sprint("w", i))
	}
	for i := range 10 {
		f.delete(i)
	}
	f.commit()
	first := w.run()
	w.noDuplicates(dataset, 70)
	silver := "SELECT count(), groupBitXor(cityHash64(id, body, _version)) FROM silver." + dataset + " FINAL"
	rows, err := w.rows(t.Context(), silver)
	require.NoError(t, err)
	want := rows[0]
	require.True(t, strings.HasPrefix(want, "(30,"), want)
	require.NoError(t, first.stop())

	// Another group has committed nothing: bronze says where to go on.
	w.group = harness.Name("sink")
	second := w.run()
	f.create(100, "new")
	f.commit()
	w.noDuplicates(dataset, 71)
	require.NoError(t, second.stop())

	// Bronze lost, and everything read again by another group, whose epoch is
	// another one: silver stays as it is.
	require.NoError(t, w.conn.Exec(t.Context(), "TRUNCATE TABLE bronze."+dataset))
	w.group = harness.Name("sink")
	w.run()
	w.noDuplicates(dataset, 71)
	w.expect(silver+" WHERE id != 100", want)
}

// proxy stands between the sink and ClickHouse, and spoils what a test wants.
type proxy struct {
	mu    sync.Mutex
	spoil func(query string) fault
	seen  int // faults
	next  *httputil.ReverseProxy
	url   string
}

type fault int

const (
	none     fault = iota
	refuse         // the statement does not reach ClickHouse
	forget         // it does, but its answer is lost
	complain       // ClickHouse says that it cannot take it now
)

func (w *world) proxy(spoil func(query string) fault) *proxy {
	target, err := url.Parse(w.clickhouse.URL())
	require.NoError(w.t, err)
	p := &proxy{spoil: spoil, next: httputil.NewSingleHostReverseProxy(target)}
	server := httptest.NewServer(p)
	w.t.Cleanup(server.Close)
	p.url = strings.TrimPrefix(server.URL, "http://")
	return p
}

func (p *proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query().Get("query")
	if query == "" { // a statement without data comes as the body
		body, err := io.ReadAll(r.Body)
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		query, r.Body = string(body), io.NopCloser(bytes.NewReader(body))
	}
	p.mu.Lock()
	f := p.spoil(query)
	if f != none {
		p.seen++
	}
	p.mu.Unlock()
	switch f {
	case refuse:
		panic(http.ErrAbortHandler) // the connection breaks
	case complain:
		w.Header().Set("X-ClickHouse-Exception-Code", "252")
		http.Error(w, "Code: 252. DB::Exception: Too many parts. (TOO_MANY_PARTS)", http.StatusInternalServerError)
		return
	case forget:
		p.next.ServeHTTP(httptest.NewRecorder(), r)
		panic(http.ErrAbortHandler)
	}
	p.next.ServeHTTP(w, r)
}

func (p *proxy) faults() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.seen
}

func through(p *proxy) func(*clickhouse.Config) { return at(p.url) }

// at lets a sink find ClickHouse at an address.
func at(addr string) func(*clickhouse.Config) {
	return func(c *clickhouse.Config) {
		o := *c.ClickHouse
		o.Addr = []string{addr}
		c.ClickHouse = &o
	}
}

// P2: the sink dies after silver was written and before bronze was.
func TestCase28DeathBetweenSilverAndBronze(t *testing.T) {
	set, sector := notes()
	w := newWorld(t, set)
	f := w.feed(harness.Name("his"), sector, "note", 2, shortColumns...)
	dataset := sector + "_note"
	p := w.proxy(func(query string) fault {
		if strings.HasPrefix(query, "INSERT INTO `bronze`.`"+dataset) {
			return refuse
		}
		return none
	})
	for i := range 50 {
		f.create(i, "a")
		f.update(i, "b")
	}
	for i := range 5 {
		f.delete(i)
	}
	f.commit()
	first := w.run(through(p))
	w.expect("SELECT count() FROM silver."+dataset+" FINAL", "(45)")
	harness.Eventually(t, within, func(context.Context) error {
		if p.faults() == 0 || first.Ready() == nil {
			return errors.New("the sink does not wait for bronze")
		}
		return nil
	})
	w.expect("SELECT count() FROM bronze."+dataset, "(0)")
	require.NoError(t, first.stop())

	w.run()
	w.noDuplicates(dataset, 105)
	w.expect("SELECT count(), countIf(body = 'b') FROM silver."+dataset+" FINAL", "(45,45)")
}

// P2: the sink dies after bronze was written and before the offset was committed,
// and nothing more comes. Its successor writes nothing twice, and the group
// is at the end all the same: whoever waits for it (reconcile) would wait for
// ever.
func TestCase28DeathBetweenBronzeAndTheOffset(t *testing.T) {
	set, sector := notes()
	w := newWorld(t, set)
	f := w.feed(harness.Name("his"), sector, "note", 1, shortColumns...)
	dataset := sector + "_note"
	for i := range 50 {
		f.create(i, "a")
	}
	f.commit()
	h := w.holder("INSERT INTO `bronze`.`" + dataset)
	first := w.run(at(h.addr))
	w.await(h.caught, "the first sink's insert")
	require.NoError(t, first.stop())
	close(h.release)
	w.await(h.arrived, "the insert of the sink that is gone")
	w.noDuplicates(dataset, 50)

	w.run()
	f.committed()
	w.noDuplicates(dataset, 50)
	w.expect("SELECT count() FROM silver."+dataset+" FINAL", "(50)")
}

// P2: an insert is carried out, but its answer is lost: the same block with the
// same token is sent again and dropped.
func TestALostAnswerDoublesNothing(t *testing.T) {
	set, sector := notes()
	w := newWorld(t, set)
	f := w.feed(harness.Name("his"), sector, "note", 2, shortColumns...)
	dataset := sector + "_note"
	lost := map[string]bool{}
	p := w.proxy(func(query string) fault {
		if strings.HasPrefix(query, "INSERT INTO") && strings.Contains(query, dataset) && !lost[query] {
			lost[query] = true
			return forget
		}
		return none
	})
	for i := range 50 {
		f.create(i, "a")
	}
	f.commit()
	w.run(through(p))
	w.noDuplicates(dataset, 50)
	require.GreaterOrEqual(t, p.faults(), 2, "one insert of silver and one of bronze lost their answers")
	harness.Eventually(t, within, func(ctx context.Context) error {
		done, err := w.kafka.Committed(ctx, w.group, topic.Partition{Topic: f.topic}, topic.Partition{Topic: f.topic, ID: 1})
		for _, offset := range done {
			if offset < 0 {
				return errors.New("not committed")
			}
		}
		return err
	})
	w.noDuplicates(dataset, 50)
	w.expect("SELECT count() FROM silver."+dataset+" FINAL", "(50)")
}

// P2: several sinks of a group share the partitions, and survive each other's
// coming and going.
func TestCase23SinksShareAGroup(t *testing.T) {
	set, sector := notes()
	w := newWorld(t, set)
	f := w.feed(harness.Name("his"), sector, "note", 4, shortColumns...)
	dataset := sector + "_note"
	n := 0
	some := func() {
		for range 200 {
			f.create(n, "a")
			n++
		}
		f.commit()
	}
	some()
	first := w.run()
	w.noDuplicates(dataset, n)
	second := w.run()
	some()
	harness.Eventually(t, within, func(context.Context) error { return errors.Join(first.Ready(), second.Ready()) })
	some()
	w.noDuplicates(dataset, n)
	require.NoError(t, first.stop())
	some()
	w.noDuplicates(dataset, n)
	w.expect("SELECT count() FROM silver."+dataset+" FINAL", fmt.Sprintf("(%d)", n))
}

// ClickHouse is killed under load and comes back: nothing is lost, nothing
// doubled, and the sink says meanwhile that it waits.
func TestCase29ClickHouseGoesAway(t *testing.T) {
	set, sector := notes()
	w := newWorld(t, set, harness.Own())
	f := w.feed(harness.Name("his"), sector, "note", 2, shortColumns...)
	dataset := sector + "_note"
	sink := w.run(func(c *clickhouse.Config) { c.BatchRows = 100 })
	n := 0
	some := func() {
		for range 1000 {
			f.create(n, "a")
			n++
		}
		f.commit()
	}
	some()
	w.expect("SELECT count() > 0 FROM bronze."+dataset, "(1)")
	require.NoError(t, w.clickhouse.Kill())
	some()
	harness.Eventually(t, within, func(context.Context) error {
		if sink.Ready() == nil {
			return errors.New("the sink is ready without ClickHouse")
		}
		return nil
	})
	require.NoError(t, w.clickhouse.Restart(t.Context()))
	w.noDuplicates(dataset, n)
	w.expect("SELECT count() FROM silver."+dataset+" FINAL", fmt.Sprintf("(%d)", n))
	harness.Eventually(t, within, func(context.Context) error { return sink.Ready() })
}

// Case 21: a refused password is not waited for.
func TestCase21ARefusedPasswordEndsTheSink(t *testing.T) {
	set, _ := notes()
	w := newWorld(t, set)
	w.feed(harness.Name("his"), set.Sectors[0].Sector, "note", 1, shortColumns...)
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("X-ClickHouse-Exception-Code", "516")
		http.Error(rw, "Code: 516. DB::Exception: default: Authentication failed: password is incorrect. (AUTHENTICATION_FAILED)", http.StatusForbidden)
	}))
	defer server.Close()
	sink := w.run(func(c *clickhouse.Config) { c.ClickHouse.Addr = []string{strings.TrimPrefix(server.URL, "http://")} })
	err := sink.ended()
	require.ErrorContains(t, err, "clickhouse.dsn")
}

// Offsets that the topic does not hold are an error that says so, never a jump
// (case 24).
func TestCase24OffsetsThatAreGoneEndTheSink(t *testing.T) {
	set, sector := notes()
	w := newWorld(t, set)
	f := w.feed(harness.Name("his"), sector, "note", 1, shortColumns...)
	f.create(1, "a")
	f.commit()
	first := w.run()
	w.noDuplicates(sector+"_note", 1)
	require.NoError(t, first.stop())
	// As if the topic had been made anew after bronze had read more of it.
	require.NoError(t, w.conn.Exec(t.Context(), "INSERT INTO bronze."+sector+"_note (id, _topic, _partition, _offset) VALUES (2, '"+f.topic+"', 0, 5000)"))
	err := w.run().ended()
	var gone *topic.OutOfRangeError
	require.ErrorAs(t, err, &gone)
	require.EqualValues(t, 5001, gone.Offset)
}

// A table that ClickHouse does not take holds no other table back, and loses
// nothing itself.
func TestAStuckTableHoldsNoOtherBack(t *testing.T) {
	set, sector := notes()
	two := set.Sectors[0].Tables[0]
	two.Name = "other"
	set.Sectors[0].Tables = append(set.Sectors[0].Tables, two)
	w := newWorld(t, set)
	source := harness.Name("his")
	stuck := w.feed(source, sector, "note", 2, shortColumns...)
	free := w.feed(source, sector, "other", 2, shortColumns...)
	var open atomic.Bool
	p := w.proxy(func(query string) fault {
		if !open.Load() && strings.HasPrefix(query, "INSERT INTO `bronze`.`"+sector+"_note") {
			return complain
		}
		return none
	})
	sink := w.run(through(p), func(c *clickhouse.Config) { c.BatchRows, c.BatchBytes = 100, 20_000 })
	n := 0
	for range 5 {
		for range 200 {
			stuck.create(n, "a")
			free.create(n, "a")
			n++
		}
		stuck.commit()
		free.commit()
		w.noDuplicates(sector+"_other", n)
	}
	harness.Eventually(t, within, func(context.Context) error {
		if sink.Ready() == nil {
			return errors.New("the sink does not say that a table is stuck")
		}
		return nil
	})
	w.expect("SELECT count() FROM bronze."+sector+"_note", "(0)")
	open.Store(true)
	w.noDuplicates(sector+"_note", n)
	w.expect("SELECT count() FROM silver."+sector+"_note FINAL", fmt.Sprintf("(%d)", n))
	harness.Eventually(t, within, func(context.Context) error { return sink.Ready() })
}

// A topic that is made after the sink has started is found.
func TestATopicThatComesLater(t *testing.T) {
	set, sector := notes()
	two := set.Sectors[0].Tables[0]
	two.Name = "other"
	set.Sectors[0].Tables = append(set.Sectors[0].Tables, two)
	w := newWorld(t, set)
	source := harness.Name("his")
	f := w.feed(source, sector, "note", 2, shortColumns...)
	f.create(1, "a")
	f.commit()
	w.run()
	w.noDuplicates(sector+"_note", 1)
	late := w.feed(source, sector, "other", 2, shortColumns...)
	late.create(1, "a")
	late.commit()
	w.noDuplicates(sector+"_other", 1)
	f.create(2, "a")
	f.commit()
	w.noDuplicates(sector+"_note", 2)
}
