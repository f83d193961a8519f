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
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	ch "github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/stretchr/testify/require"

	"github.com/hopluu/hopluu/integration/harness"
	"github.com/hopluu/hopluu/schemas/erasure"
	"github.com/hopluu/hopluu/schemas/sectors"
	"github.com/hopluu/hopluu/sinks/clickhouse"
)

// twoShards is a ClickHouse cluster of two engines, which have no Keeper to speak
// through: what goes ON CLUSTER is parsed as it stands by a real engine, and then
// run on both without what takes a Keeper or a native port. Rows go to the
// engines as they come.
type twoShards struct {
	t       *testing.T
	engines [2]*harness.ClickHouseServer
	conns   [2]driver.Conn
	all     string    // address of "any server"
	shards  [2]string // addresses of the shards
	synced  atomic.Int64
}

const clusterName = "city"

func (w *world) cluster(t *testing.T) *twoShards {
	t.Helper()
	c := &twoShards{t: t, engines: [2]*harness.ClickHouseServer{w.clickhouse, harness.ClickHouse(t, harness.Own())}}
	for i, engine := range c.engines {
		var err error
		c.conns[i], err = ch.Open(engine.Options())
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, c.conns[i].Close()) })
		c.shards[i] = c.front(engine, false)
	}
	c.all = c.front(w.clickhouse, true)
	return c
}

// front stands before an engine and answers for what only a cluster can do.
func (c *twoShards) front(engine *harness.ClickHouseServer, all bool) string {
	target, err := url.Parse(engine.URL())
	require.NoError(c.t, err)
	next := httputil.NewSingleHostReverseProxy(target)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("query") != "" { // an INSERT with its rows
			next.ServeHTTP(w, r)
			return
		}
		body, err := io.ReadAll(r.Body)
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		sql := string(body)
		switch {
		case strings.HasPrefix(sql, "SYSTEM SYNC REPLICA"):
			c.synced.Add(1)
		case strings.Contains(sql, " ON CLUSTER "):
			if !all {
				http.Error(w, "DDL for all servers came to a shard: "+sql, http.StatusInternalServerError)
				return
			}
			if err := c.everywhere(r.Context(), sql); err != nil {
				var exception *ch.Exception
				if errors.As(err, &exception) {
					w.Header().Set("X-ClickHouse-Exception-Code", fmt.Sprint(exception.Code))
				}
				http.Error(w, err.Error(), http.StatusInternalServerError)
			}
		default:
			r.Body = io.NopCloser(bytes.NewReader(body))
			next.ServeHTTP(w, r)
		}
	}))
	c.t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
	})
	return strings.TrimPrefix(server.URL, "http://")
}

var (
	onCluster   = regexp.MustCompile(" ON CLUSTER `" + clusterName + "`")
	replicated  = regexp.MustCompile(`Replicated(\w*MergeTree)\('[^']*', '[^']*'(?:, )?`)
	distributed = regexp.MustCompile("Distributed\\(`" + clusterName + "`, `(\\w+)`, `(\\w+)`\\)")
)

func (c *twoShards) everywhere(ctx context.Context, sql string) error {
	if !strings.HasPrefix(sql, "GRANT") {
		rows, err := c.conns[0].Query(ctx, "EXPLAIN AST "+sql)
		if err != nil {
			return fmt.Errorf("the engine's parser: %w: %s", err, sql)
		}
		if err := rows.Close(); err != nil {
			return err
		}
	}
	sql = onCluster.ReplaceAllString(sql, "")
	sql = replicated.ReplaceAllString(sql, "$1(")
	sql = distributed.ReplaceAllString(sql, "Merge('$1', '^$2$$')")
	sql = strings.ReplaceAll(sql, "replicated_deduplication_window", "non_replicated_deduplication_window")
	for _, conn := range c.conns {
		if err := conn.Exec(ctx, sql); err != nil {
			return err
		}
	}
	return nil
}

func (c *twoShards) configure(config *clickhouse.Config) {
	at := func(addr string) *ch.Options { return &ch.Options{Protocol: ch.HTTP, Addr: []string{addr}} }
	config.ClickHouse, config.Cluster = at(c.all), clusterName
	config.Shards = []*ch.Options{at(c.shards[0]), at(c.shards[1])}
}

// expect waits until the rows of both shards, put together, are those.
func (c *twoShards) expect(w *world, sql string, want ...string) {
	c.t.Helper()
	slices.Sort(want)
	harness.Eventually(c.t, within, func(ctx context.Context) error {
		var got []string
		for _, conn := range c.conns {
			rows, err := rowsOf(ctx, conn, sql)
			if err != nil {
				return err
			}
			got = append(got, rows...)
		}
		slices.Sort(got)
		if !slices.Equal(got, want) {
			return fmt.Errorf("%s\n gives %v\n  want %v", sql, got, want)
		}
		return nil
	})
}

// Rows of a partition are on one shard, where versions, unchanged values and
// truncations meet them (P2, P4); every table and view is on both.
func TestClusterOfTwoShards(t *testing.T) {
	set, sector := notes()
	// Tables of two shards stay in no engine that other tests use.
	w := newWorld(t, set, harness.Own())
	c := w.cluster(t)
	f := w.feed(harness.Name("his"), sector, "note", 4, shortColumns...)
	silver, bronze := "silver."+sector+"_note", "bronze."+sector+"_note"
	var want []string
	for i := range 24 {
		f.create(i, fmt.Sprint("v", i))
		if i < 12 {
			f.update(i, fmt.Sprint("w", i))
		}
		if i < 6 {
			f.delete(i)
			continue
		}
		want = append(want, fmt.Sprintf("(%d,'%s%d')", i, map[bool]string{true: "w", false: "v"}[i < 12], i))
	}
	f.commit()
	first := w.run(c.configure)
	current := "SELECT id, body FROM " + silver + " FINAL"
	c.expect(w, current, want...)
	c.expect(w, "SELECT uniqExact(_partition) FROM "+bronze, "(2)", "(2)")
	require.Positive(t, c.synced.Load(), "a replica is asked before it knows what the others have")

	// A column comes, and an update does not send the old one.
	f.shape(append(slices.Clone(shortColumns), column{"note", "text", false})...)
	f.update(6, unchanged, "new")
	f.commit()
	c.expect(w, "SELECT id, body, note FROM "+silver+" FINAL WHERE note IS NOT NULL", "(6,'w6','new')")
	c.expect(w, "SELECT count() FROM system.tables WHERE database = 'silver' AND name = 'v_"+sector+"_note'", "(1)", "(1)")
	require.NoError(t, first.stop())

	// Another group reads where bronze ends, on both shards.
	w.group = harness.Name("sink")
	second := w.run(c.configure)
	f.create(100, "late", nil)
	f.commit()
	c.expect(w, current+" WHERE id = 100", "(100,'late')")
	c.expect(w, "SELECT count() - uniqExact(_topic, _partition, _offset) FROM "+bronze, "(0)", "(0)")
	f.truncate()
	f.commit()
	c.expect(w, current)
	require.NoError(t, second.stop())

	// Shards in another order are refused, before a row is in two places.
	third := w.run(c.configure, func(config *clickhouse.Config) { slices.Reverse(config.Shards) })
	require.ErrorContains(t, third.ended(), "put clickhouse.shards back as they were")
}

// P12: an erased person's rows leave every shard, whichever has them, also the
// offsets that tell why they lack; nobody else's go.
func TestP12ErasedFromEveryShard(t *testing.T) {
	sector := harness.Name("clinic")
	parsed, err := sectors.Parse(sector+".yaml", []byte("sector: "+sector+clinic))
	require.NoError(t, err)
	w := newWorld(t, &sectors.Set{Sectors: []sectors.Sector{*parsed}}, harness.Own())
	w.ledger()
	c := w.cluster(t)
	source := harness.Name("his")
	patients := w.feed(source, sector, "patient", 4, column{"id", "bigint", true}, column{"name", "text", false})
	encounters := w.feed(source, sector, "encounter", 4, column{"id", "bigint", true}, column{"patient", "bigint", false}, column{"note", "text", false})
	var records []string
	ids := func(from, to int) (all []string) {
		for i := from; i < to; i++ {
			all = append(all, fmt.Sprintf("(%d)", i))
		}
		return all
	}
	// So many that no shard has all, wherever their keys lead.
	const erased, people = 24, 30
	for i := range people {
		patients.create(i, fmt.Sprint("name ", i))
		encounters.create(i+100, i, fmt.Sprint("note of ", i))
		if i < erased {
			records = append(records, fmt.Sprintf("%s.patient:%d", source, i))
		}
	}
	patients.commit()
	encounters.commit()
	sink := w.run(c.configure)
	patient, encounter := sector+"_patient", sector+"_encounter"
	both := func(sql string) (n []string) {
		for _, conn := range c.conns {
			rows, err := rowsOf(t.Context(), conn, sql)
			require.NoError(t, err)
			n = append(n, rows...)
		}
		return n
	}
	c.expect(w, "SELECT id FROM bronze."+patient, ids(0, people)...)
	c.expect(w, "SELECT id FROM bronze."+encounter, ids(100, 100+people)...)
	require.NotContains(t, both(fmt.Sprintf("SELECT countIf(id < %d) FROM bronze.%s", erased, patient)), "(0)", "each shard has somebody who is erased")

	id := harness.Name("e")
	w.say(erasure.Erasure{ID: id, Version: 1, Records: records, By: "an", Reason: "asked"})
	ledger := w.swept(id)
	names, _ := ledger.Names(id)
	require.Len(t, names, 2*erased, "their encounters are found on every shard")
	for _, database := range []string{"bronze", "silver"} {
		c.expect(w, "SELECT id FROM "+database+"."+patient, ids(erased, people)...)
		c.expect(w, "SELECT id FROM "+database+"."+encounter, ids(100+erased, 100+people)...)
	}
	c.expect(w, "SELECT topic, partition, offset FROM ops.erased_offset WHERE topic NOT IN ('"+patients.topic+"', '"+encounters.topic+"')")
	n := both("SELECT arrayJoin(range(uniqExact(topic, partition, offset))) FROM ops.erased_offset")
	require.Len(t, n, 2*erased, "the offsets of what bronze lacks are known")
	require.NoError(t, sink.stop())
}
