package sink

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hopluu/hopluu/integration/harness"
	"github.com/hopluu/hopluu/sinks/clickhouse"
)

// Bronze lets old events go, and nothing that is asked of it later is wrong: the
// value that an update did not send (P4), the rows as of now, what a rewind writes
// again (P2), and where the sink goes on.
func TestBronzeKeepsWhatIsNeeded(t *testing.T) {
	set, sector := notes()
	w := newWorld(t, set)
	f := w.feed(harness.Name("his"), sector, "note", 1, column{"id", "bigint", true}, column{"n", "integer", false}, column{"body", "text", false}, column{"tags", "text[]", false})
	dataset := sector + "_note"
	bronze := "SELECT id, n, body, tags, has(_unchanged, 'body'), _op FROM bronze." + dataset + " ORDER BY id, _version"
	first := w.run()
	f.create(1, 1, "a", "{x}")
	f.update(1, 2, "b", "{y}")
	f.update(1, nil, nil, nil) // the newest of it: NULLs are values
	f.create(2, 1, "kept", "{k}")
	f.update(2, 2, "kept", "{l}")
	f.update(2, 3, unchanged, unchanged) // says nothing of body: what says it stays
	f.create(3, 1, "gone", "{}")
	f.delete(3)
	f.create(4, 1, "quiet", "{q}")
	f.commit()
	w.noDuplicates(dataset, 9)
	f.committed()
	require.NoError(t, first.stop())
	since, ok, err := clickhouse.WholeSince(t.Context(), w.conn, dataset)
	require.NoError(t, err)
	require.False(t, ok, "all is there, not only since %s", since)

	// Of rows that are too young when it begins, ClickHouse knows when they will not be.
	aged := "SELECT count() > 0, min(group_by_ttl_info.min[1]) > now() FROM system.parts WHERE active AND database = 'bronze' AND table = '" + dataset + "'"
	young := w.run(func(c *clickhouse.Config) { c.BronzeRetention = time.Hour })
	w.expect(aged, "(1,1)")
	require.NoError(t, w.conn.Exec(t.Context(), "OPTIMIZE TABLE bronze."+dataset+" FINAL"))
	w.expect(aged, "(1,1)")
	require.NoError(t, young.stop())

	second := w.run(func(c *clickhouse.Config) { c.BronzeRetention = time.Second })
	// A merge applies it; the server makes one by itself now and then.
	harness.Eventually(t, within, func(ctx context.Context) error {
		if err := w.conn.Exec(ctx, "OPTIMIZE TABLE bronze."+dataset+" FINAL SETTINGS optimize_throw_if_noop = 1"); err != nil {
			return err
		}
		got, err := w.rows(ctx, bronze)
		want := []string{
			"(1,NULL,NULL,[],0,'u')",
			"(2,2,'kept',['l'],0,'u')", "(2,3,NULL,[],1,'u')",
			"(3,NULL,NULL,[],0,'d')",
			"(4,1,'quiet',['q'],0,'c')",
		}
		if err == nil && fmt.Sprint(got) != fmt.Sprint(want) {
			err = fmt.Errorf("bronze has %q, wanted %q", got, want)
		}
		return err
	})
	since, ok, err = clickhouse.WholeSince(t.Context(), w.conn, dataset)
	require.NoError(t, err)
	require.True(t, ok)
	require.WithinDuration(t, time.Now().Add(-time.Second), since, within)

	// A new column is kept, too.
	f.shape(column{"id", "bigint", true}, column{"n", "integer", false}, column{"body", "text", false}, column{"tags", "text[]", false}, column{"more", "text", false})
	f.update(2, 4, unchanged, unchanged, "m")
	f.update(4, 2, unchanged, unchanged, "m")
	f.update(1, 7, "c", "{z}", "old")
	f.update(1, 8, "d", "{z}", "new")
	f.commit()
	silver := "SELECT id, n, body, tags, more FROM silver." + dataset + " FINAL ORDER BY id"
	rows := []string{"(1,8,'d',['z'],'new')", "(2,4,'kept',['l'],'m')", "(4,2,'quiet',['q'],'m')"}
	w.expect(silver, rows...)
	w.expect("SELECT id, n, body, tags, more FROM silver."+dataset+"_history WHERE _valid_to IS NULL AND NOT _deleted ORDER BY id", rows...)
	harness.Eventually(t, within, func(ctx context.Context) error {
		if err := w.conn.Exec(ctx, "OPTIMIZE TABLE bronze."+dataset+" FINAL SETTINGS optimize_throw_if_noop = 1"); err != nil {
			return err
		}
		got, err := w.rows(ctx, "SELECT n, more FROM bronze."+dataset+" WHERE id = 1")
		if err == nil && fmt.Sprint(got) != "[(8,'new')]" {
			err = fmt.Errorf("bronze has %q of the record", got)
		}
		return err
	})
	f.committed()
	require.NoError(t, second.stop())

	// What is let go has a price, and the plan of a replay tells it.
	plan := func(args ...string) (p struct {
		Partitions []struct {
			First       int64
			BronzeStart int64 `json:"bronze_start"`
			BronzeWhole int64 `json:"bronze_whole"`
			Held        string
		}
		Bronze struct {
			WholeSince *time.Time `json:"whole_since"`
		}
		Advice []string
	}) {
		stdout, stderr, code := w.hopluu(append([]string{"replay", "plan", "--topic", f.topic, "--from", "earliest", "--json"}, args...)...)
		require.Zero(t, code, stderr)
		require.NoError(t, json.Unmarshal([]byte(stdout), &p))
		return p
	}
	of := plan("--from-bronze")
	require.NotNil(t, of.Bronze.WholeSince)
	require.Len(t, of.Partitions, 1)
	require.Equal(t, "thinned", of.Partitions[0].Held)
	require.Greater(t, of.Partitions[0].BronzeWhole, of.Partitions[0].BronzeStart)
	require.Contains(t, strings.Join(of.Advice, "\n"), "of older ones the last of each record")
	require.NotContains(t, strings.Join(of.Advice, "\n"), "cannot be made from bronze")
	cut := plan("--from-bronze", "--to", fmt.Sprint(of.Partitions[0].First+1))
	require.Contains(t, strings.Join(cut.Advice, "\n"), "cannot be made from bronze")
	whole := plan()
	require.Equal(t, "topic", whole.Partitions[0].Held, "Kafka still has them")
	require.NotContains(t, strings.Join(whole.Advice, "\n"), "of older ones")

	// Silver is written again of what Kafka has; bronze stays as it is.
	require.NoError(t, w.conn.Exec(t.Context(), "TRUNCATE TABLE silver."+dataset))
	before, err := w.rows(t.Context(), bronze)
	require.NoError(t, err)
	_, stderr, code := w.hopluu("sink", "rewind", "--topic", f.topic, "--to", "earliest")
	require.Zero(t, code, stderr)
	third := w.run(func(c *clickhouse.Config) { c.BronzeRetention = time.Second })
	w.expect(silver, rows...)
	f.committed()
	require.NoError(t, third.stop())
	w.expect(bronze, before...)

	// Once all is kept again, what is gone is not forgotten.
	fourth := w.run()
	w.expect("SELECT engine_full LIKE '%TTL%' FROM system.tables WHERE database = 'bronze' AND name = '"+dataset+"'", "(0)")
	require.NoError(t, fourth.stop())
	later, ok, err := clickhouse.WholeSince(t.Context(), w.conn, dataset)
	require.NoError(t, err)
	require.True(t, ok)
	require.True(t, later.After(since))
}
