package reconcile

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"syscall"
	"testing"

	"github.com/hopluu/hopluu/integration/harness"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
)

const (
	permits     = "public.permit"
	inspections = "public.inspection"
	kinds       = "public.work_kind"
)

// The whole of one city, in order, since a stack takes long to start: agreement
// after a load with every kind of change; agreement while rows flow; then each
// way in which ClickHouse may be wrong, found by its very keys.
func TestCase30Reconcile(t *testing.T) {
	c := newCity(t)
	counts, err := c.gen.Load(t.Context(), nil)
	require.NoError(t, err)
	require.Positive(t, counts.Rows())
	results := c.reconcile(0)
	require.Len(t, results, 3)
	for _, r := range results {
		require.True(t, r.OK)
		require.Positive(t, r.SourceRows, r.Table)
		require.Equal(t, r.SourceRows, r.ClickHouseRows, r.Table)
		require.Positive(t, r.Topic.Events)
		require.Empty(t, r.Ranges)
	}
	require.Equal(t, []string{"true"}, c.strings("SELECT DISTINCT toString(ok) FROM ops.reconciliation"))

	t.Run("while rows flow", c.whileRowsFlow)
	t.Run("silver ahead of bronze", c.silverAhead)
	t.Run("a sink that does not run", c.sinkAway)
	t.Run("differences", c.differences)
	t.Run("duplicates in bronze", c.duplicates)
	t.Run("lost in bronze", c.lost)
	t.Run("in the background", c.inTheBackground)
}

// inTheBackground has the program compare until it is stopped: killed in a round
// it goes on, and SIGTERM is a clean end. One round finds what is wrong in bronze
// by now, and a row that was changed by hand.
func (c *city) inTheBackground(t *testing.T) {
	c.t = t
	victim := c.strings("SELECT toString(permit_id) FROM silver.construction_permit FINAL ORDER BY permit_id LIMIT 1")[0]
	c.spoil("ALTER TABLE silver.construction_permit UPDATE floors = 77 WHERE permit_id = '" + victim + "'")
	ctx, cancel := context.WithTimeout(t.Context(), 3*within)
	defer cancel()
	env := []string{"HOPLUU_RECONCILE_SHARE=0.3", "HOPLUU_RECONCILE_EVERY=0s", "HOPLUU_HTTP_LISTEN="}
	noted := func(n int) func(context.Context) error {
		return func(context.Context) error {
			if have := len(c.strings("SELECT toString(round) FROM ops.reconciliation_range")); have < n {
				return fmt.Errorf("%d of %d ranges are noted", have, n)
			}
			return nil
		}
	}
	watch := harness.Hopluu(t).Start(t, "reconcile", []string{"reconcile", "--continuous", "--catch-up", within.String(), "-c", c.stack.ConfigPath}, env...)
	require.NoError(t, harness.Poll(ctx, noted(2)))
	require.NoError(t, watch.Kill())
	before := len(c.strings("SELECT toString(round) FROM ops.reconciliation_range"))
	require.NoError(t, watch.Restart(ctx))
	require.NoError(t, harness.Poll(ctx, noted(before+1)))
	require.NoError(t, watch.Signal(syscall.SIGTERM))
	require.NoError(t, watch.Wait(), "a clean end")
	require.Empty(t, c.strings("SELECT toString(round) FROM ops.reconciliation_range GROUP BY round, source, table, kind, number HAVING count() > 1"), "no range twice")

	// What is left of the round, and then one that sees everything.
	for range 2 {
		stdout, stderr, code, err := harness.Hopluu(t).Run(ctx, []string{"reconcile", "--continuous", "--rounds", "1", "--json", "--catch-up", within.String(), "-c", c.stack.ConfigPath}, env...)
		require.NoError(t, err)
		require.Equal(t, 1, code, "%s\n%s", stdout, stderr)
		var list []result
		require.NoError(t, json.Unmarshal([]byte(stdout), &list), stdout+stderr)
		require.Len(t, list, 3)
		for _, r := range list {
			switch r.Table {
			case permits:
				require.Equal(t, []string{victim}, r.Different)
				require.True(t, r.Topic.OK)
			case inspections:
				require.Zero(t, r.Keys)
				require.Len(t, r.Topic.Offsets.Lost, 1)
				require.Len(t, r.Topic.Offsets.Doubled, 1)
			default:
				require.True(t, r.OK)
			}
		}
	}

	// A person has the row read anew: shown first, done with --yes, and recorded.
	repair := func(code int, args ...string) string {
		stdout, stderr, got, err := harness.Hopluu(t).Run(ctx, append([]string{"reconcile", "repair", sector, "--table", sector + "." + permits, "--catch-up", within.String(), "-c", c.stack.ConfigPath}, args...))
		require.NoError(t, err)
		require.Equal(t, code, got, "%s\n%s", stdout, stderr)
		return stdout
	}
	shown := repair(1)
	require.Contains(t, shown, victim)
	require.Contains(t, shown, "nothing is changed yet")
	require.Contains(t, repair(0, "--yes"), "repaired")
	require.Contains(t, repair(0), "nothing differs")
	require.Empty(t, c.reconcile(1)[permits].Different)
	stdout, stderr, code, err := harness.Hopluu(t).Run(ctx, []string{"audit", "--json", "-c", c.stack.ConfigPath})
	require.NoError(t, err)
	require.Zero(t, code, stderr)
	require.Contains(t, stdout, "table public.permit: 1 keys")
}

// Rows go on flowing, and one row changes without end: a comparison is right
// all the same.
func (c *city) whileRowsFlow(t *testing.T) {
	c.t = t
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan error, 2)
	go func() { ended <- c.gen.Run(ctx) }()
	turns := make(chan struct{}, 1)
	go func() { ended <- c.changeWithoutEnd(ctx, turns) }()
	for range 2 {
		<-turns // the comparison begins in the midst of it
		for _, r := range c.reconcile(0) {
			require.True(t, r.OK, "%+v", r)
			// Unlike numbers beside an agreement are told to be of two moments.
			unlike := r.SourceRows != r.ClickHouseRows || r.SourceChecksum != r.ClickHouseChecksum
			require.Equal(t, unlike, r.UnderWay+r.Changed > 0, "%+v", r)
		}
	}
	cancel()
	require.NoError(t, errors.Join(<-ended, <-ended))
	for _, r := range c.reconcile(0) {
		require.Zero(t, r.Changed, "nothing changes any more: everything is compared")
	}
}

// changeWithoutEnd changes one row as fast as it can.
func (c *city) changeWithoutEnd(ctx context.Context, turns chan<- struct{}) error {
	conn, err := pgx.Connect(context.Background(), c.stack.AdminDSN(sector))
	if err != nil {
		return err
	}
	for ctx.Err() == nil {
		if _, err := conn.Exec(context.Background(), "UPDATE work_kind SET max_floors = coalesce(max_floors, 0) % 100 + 1 WHERE code = (SELECT min(code) FROM work_kind)"); err != nil {
			return errors.Join(err, conn.Close(context.Background()))
		}
		select {
		case turns <- struct{}{}:
		default:
		}
	}
	return conn.Close(context.Background())
}

// A row that was deleted, one that was changed and one that was added by hand:
// each is named.
func (c *city) differences(t *testing.T) {
	c.t = t
	victims := c.strings("SELECT toString(permit_id) FROM silver.construction_permit FINAL ORDER BY permit_id LIMIT 3")
	c.spoil("ALTER TABLE silver.construction_permit DELETE WHERE permit_id = '" + victims[0] + "'")
	c.spoil("ALTER TABLE silver.construction_permit UPDATE floors = 99 WHERE permit_id = '" + victims[1] + "'")
	// A copy of a row under another key, later than everything: it is in no topic.
	const added = "ffffffff-0000-4000-8000-00000000abcd"
	c.spoil(`INSERT INTO silver.construction_permit SELECT * REPLACE (toUUID('` + added + `') AS permit_id, _version + 1000000 AS _version, 18446744073709551615 AS _lsn)
		FROM (SELECT * FROM silver.construction_permit FINAL WHERE permit_id = '` + victims[2] + `')`)
	require.Equal(t, []string{added}, c.strings("SELECT toString(permit_id) FROM silver.construction_permit FINAL WHERE permit_id = '"+added+"'"))

	results := c.reconcile(1)
	r := results[permits]
	require.False(t, r.OK)
	require.Equal(t, []string{victims[0]}, r.Missing)
	require.Equal(t, []string{victims[1]}, r.Different)
	require.Equal(t, []string{added}, r.Extra)
	require.Equal(t, 3, r.Keys)
	require.Len(t, r.Ranges, 1)
	for _, key := range append(victims[:2], added) {
		between(t, key, r.Ranges)
	}
	require.True(t, r.Topic.OK, "bronze is as it was")
	require.True(t, results[inspections].OK)
	require.True(t, results[kinds].OK)
	text := c.text(1)
	for _, part := range []string{"DIFFER", "1 keys only in the source: " + victims[0], "1 keys different: " + victims[1], "1 keys only in ClickHouse: " + added} {
		require.Contains(t, text, part)
	}
	require.NotContains(t, text, "they lie between", "each key is named")
	require.Equal(t, []string{"1 1 1"}, c.strings("SELECT concat(toString(missing), ' ', toString(extra), ' ', toString(different)) FROM ops.reconciliation WHERE NOT ok ORDER BY at DESC LIMIT 1"))

	// An event of the source heals what it touches, and no more.
	c.exec("UPDATE permit SET address = address || '.' WHERE permit_id = $1", victims[1])
	r = c.reconcile(1)[permits]
	require.Empty(t, r.Different)
	require.Equal(t, 2, r.Keys)
	c.spoil("ALTER TABLE silver.construction_permit DELETE WHERE permit_id = '" + added + "'")
	c.exec("UPDATE permit SET address = address || '.' WHERE permit_id = $1", victims[0])
	c.reconcile(0)
}

// An event that landed twice: silver hides it, the comparison with the topic
// does not.
func (c *city) duplicates(t *testing.T) {
	c.t = t
	c.spoil("INSERT INTO bronze.construction_inspection SELECT * FROM bronze.construction_inspection ORDER BY _partition, _offset LIMIT 1")
	r := c.reconcile(1)[inspections]
	require.False(t, r.OK)
	require.EqualValues(t, 1, r.Topic.Duplicates)
	require.Equal(t, r.Topic.Events+1, r.Topic.Bronze)
	require.Zero(t, r.Keys)
	require.Empty(t, r.Ranges)
}

// An event that bronze lost, while the number of rows is right.
func (c *city) lost(t *testing.T) {
	c.t = t
	c.spoil("ALTER TABLE bronze.construction_inspection DELETE WHERE (_partition, _offset) IN (SELECT _partition, max(_offset) FROM bronze.construction_inspection GROUP BY _partition ORDER BY _partition LIMIT 1)")
	r := c.reconcile(1)[inspections]
	require.Equal(t, r.Topic.Events, r.Topic.Bronze)
	require.False(t, r.Topic.OK)
}

// A sink that does not run is told from a difference.
func (c *city) sinkAway(t *testing.T) {
	c.t = t
	sink, ok := c.stack.Process("sink")
	require.True(t, ok)
	ctx, cancel := context.WithTimeout(t.Context(), 2*within)
	defer cancel()
	require.NoError(t, sink.Stop(ctx))
	c.exec("INSERT INTO work_kind (code, name) VALUES ('zz', 'Thử')")
	// The connector may be late, too, on a busy machine.
	require.NoError(t, harness.Poll(ctx, func(ctx context.Context) error {
		stdout, stderr, code, err := harness.Hopluu(t).Run(ctx, []string{"reconcile", "--catch-up", "2s", "-c", c.stack.ConfigPath})
		require.NoError(t, err)
		require.Equal(t, 2, code, stdout+stderr)
		require.Contains(t, stderr, "--catch-up")
		if !strings.Contains(stderr, "the sink did not catch up within 2s") {
			return errors.New(stderr)
		}
		return nil
	}))
	require.NoError(t, sink.Restart(ctx))
	c.reconcile(0)
}
