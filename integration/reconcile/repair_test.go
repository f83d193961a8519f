package reconcile

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/hopluu/hopluu/cmd/hopluu/operations/reconcile"
	"github.com/hopluu/hopluu/connectors"
	"github.com/hopluu/hopluu/integration/harness"
	"github.com/hopluu/hopluu/schemas/erasure"
	"github.com/hopluu/hopluu/schemas/erasure/feed"
	"github.com/hopluu/hopluu/schemas/topic"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
)

const houses = "public.house"

// newStreet carries streets: 40 houses, whose key is of two columns, and plates,
// whose key is a token.
func newStreet(t *testing.T) *rig {
	r := newRig(t, streetFile, `
		CREATE TABLE public.house (ward int, number text, floors int, PRIMARY KEY (ward, number));
		INSERT INTO public.house SELECT 1, 'số ' || n || ' ''\|', 2 FROM generate_series(1, 40) n;
		CREATE TABLE public.plate (plate text PRIMARY KEY, ward int);
		INSERT INTO public.plate SELECT '51F-' || n, n FROM generate_series(1, 5) n`, 1)
	return r
}

// wrong spoils silver in every way in which a row may be wrong.
func (r *rig) wrong() {
	r.t.Helper()
	silver := "silver." + r.dataset(houses)
	at := func(n int) string { return fmt.Sprintf("number LIKE 'số %d %%'", n) }
	r.spoil("ALTER TABLE " + silver + " UPDATE floors = 9 WHERE " + at(1))
	r.spoil("ALTER TABLE " + silver + " DELETE WHERE " + at(2))
	// A row of a key that the source never had, under a version of its own time.
	r.spoil("INSERT INTO " + silver + " SELECT * REPLACE (concat(number, '!') AS number) FROM " + silver + " FINAL WHERE " + at(3))
	// Rows by hand that claim to be later than anything: a wrong one, one that is
	// deleted, and one that the source never had. Of the next epoch, too.
	for n, replaced := range map[int]string{4: "toInt32(7) AS floors", 5: "toUInt8(1) AS _is_deleted", 6: "concat(number, '!') AS number"} {
		r.spoil("INSERT INTO " + silver + " SELECT * REPLACE (" + replaced + ", _version + bitShiftLeft(toUInt128(1), 96) * " + fmt.Sprint(n%2) + " + bitShiftLeft(toUInt128(1), 70) AS _version) FROM " + silver + " FINAL WHERE " + at(n))
	}
	r.spoil("OPTIMIZE TABLE " + silver + " FINAL")
}

// actions are what a plan does, by key.
func actions(p reconcile.Plan) map[string]string {
	all := map[string]string{}
	for _, m := range p.Keys {
		all[m.Key] = m.Difference + ": " + m.Action
	}
	return all
}

// key is how house n is named in reports.
func key(n int, more string) string { return fmt.Sprintf(`1|số %d '\\\|%s`, n, more) }

// A row that is wrong in silver in any way is as the source has it after a
// repair, also under a version that no event of the source reaches; a repair that
// is stopped, or done twice, harms nothing; and what the source says later wins
// (P2, P5, P6).
func TestRepair(t *testing.T) {
	r := newStreet(t)
	s := r.sources[0]
	c := r.connector(s, connectors.Load{})
	harness.Eventually(t, within, func(context.Context) error { return c.Ready() })
	r.sink()
	r.agree()
	plans, err := reconcile.PlanRepair(t.Context(), r.config, s, 100)
	require.NoError(t, err)
	require.Empty(t, plans, "there is nothing to repair")

	r.wrong()
	plans, err = reconcile.PlanRepair(t.Context(), r.config, s, 100)
	require.NoError(t, err)
	require.Len(t, plans, 1)
	plan := plans[0]
	require.Equal(t, map[string]string{
		key(1, ""):  "different: " + reconcile.ReadAgain,
		key(2, ""):  "missing: " + reconcile.ReadAgain,
		key(3, "!"): "extra: " + reconcile.ReadAgain,
		key(4, ""):  "different: " + reconcile.RemoveAndReadAgain,
		key(5, ""):  "missing: " + reconcile.RemoveAndReadAgain,
		key(6, "!"): "extra: " + reconcile.RemoveAndReadAgain,
	}, actions(plan))
	require.Nil(t, plan.Bronze)

	// The connector is away, and the repair is asked for twice: it is done once
	// the connector comes back.
	c.stop()
	require.NoError(t, plan.Apply(t.Context(), r.config))
	require.NoError(t, plan.Apply(t.Context(), r.config))
	checkpoint, err := connectors.Checkpoint(t.Context(), r.config.Kafka, s.Name)
	require.NoError(t, err)
	require.Len(t, checkpoint.Tables[houses].Keys, 6)
	r.exec(s, "UPDATE public.house SET floors = 3 WHERE number LIKE 'số 4 %'")
	c = r.connector(s, connectors.Load{})
	left, err := plan.Landed(t.Context(), r.config, s)
	require.NoError(t, err)
	require.Empty(t, left)
	r.agree()
	require.Equal(t, []string{"3"}, texts(t, r.config.ClickHouse, "SELECT toString(floors) FROM silver."+r.dataset(houses)+" FINAL WHERE number LIKE 'số 4 %'"))

	// What the topic says of the keys: read events, and deletes of those that the
	// source never had, each with its tombstone.
	require.Equal(t, map[string]int{"r": 4, "d": 2, "tombstone": 2}, r.since(plan.LSN))

	// Each key still takes what comes.
	r.exec(s, "UPDATE public.house SET floors = floors + 1; DELETE FROM public.house WHERE number LIKE 'số 5 %'; INSERT INTO public.house SELECT 1, number || '!', 1 FROM public.house WHERE number LIKE 'số 3 %' OR number LIKE 'số 6 %'")
	r.agree()
	checkpoint, err = connectors.Checkpoint(t.Context(), r.config.Kafka, s.Name)
	require.NoError(t, err)
	require.Empty(t, checkpoint.Tables[houses].Keys)
	c.stop()
}

// since counts the snapshot's events in the topic of houses, and their
// tombstones, above an LSN.
func (r *rig) since(lsn string) map[string]int {
	r.t.Helper()
	counts := map[string]int{}
	for _, op := range texts(r.t, r.config.ClickHouse, "SELECT _op FROM bronze."+r.dataset(houses)+" WHERE _op IN ('r', 'd') AND _lsn >= (SELECT max(_lsn) FROM bronze."+r.dataset(houses)+" WHERE _op = 'r') AND _lsn > reinterpretAsUInt64(reverse(unhex('"+padded(lsn)+"')))") {
		counts[op]++
	}
	err := r.config.Kafka.ReadAll(r.t.Context(), topic.Public(r.sources[0].Name, "public", "house"), func(m topic.Record) error {
		if m.Value == nil {
			counts["tombstone"]++
		}
		return nil
	})
	require.NoError(r.t, err)
	return counts
}

// padded writes an LSN as 16 hexadecimal digits.
func padded(lsn string) string {
	var hi, lo uint32
	if _, err := fmt.Sscanf(lsn, "%X/%X", &hi, &lo); err != nil {
		return err.Error()
	}
	return fmt.Sprintf("%08X%08X", hi, lo)
}

// Rows go on changing while they are read anew: neither the repair nor a change
// is lost.
func TestRepairWhileRowsChange(t *testing.T) {
	r := newStreet(t)
	s := r.sources[0]
	r.run()
	r.agree()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	conn := r.connect(s)
	ended := make(chan error, 1)
	turns := make(chan struct{}, 1)
	go func() {
		for ctx.Err() == nil {
			if _, err := conn.Exec(context.Background(), "UPDATE public.house SET floors = floors + 1 WHERE number LIKE 'số 1%'"); err != nil {
				ended <- err
				return
			}
			select {
			case turns <- struct{}{}:
			default:
			}
		}
		ended <- nil
	}()
	<-turns
	r.wrong()
	plans, err := reconcile.PlanRepair(t.Context(), r.config, s, 100, houses)
	require.NoError(t, err)
	require.Len(t, plans, 1)
	require.NoError(t, plans[0].Apply(t.Context(), r.config))
	<-turns
	left, err := plans[0].Landed(t.Context(), r.config, s)
	require.NoError(t, err)
	require.Empty(t, left)
	cancel()
	require.NoError(t, <-ended)
	r.agree()
}

// The comparison in the background repairs by itself what its policy lets it,
// and leaves to a person what is more, or cannot be read by its key.
func TestRepairByPolicy(t *testing.T) {
	r := newStreet(t)
	s := r.sources[0]
	r.run()
	r.agree()
	r.wrong()
	r.spoil("ALTER TABLE silver." + r.dataset("public.plate") + " UPDATE ward = 99 WHERE ward = 2")
	watch := func(policy string, limit int) (acted int, w *reconcile.Watch) {
		w = reconcile.NewWatch(reconcile.WatchConfig{
			Config: r.config, Sources: r.sources, Budget: reconcile.Budget{Share: 1}, RangeRows: 100, Rounds: 1, Log: r.log, Metrics: prometheus.NewRegistry(),
			Repair: policy, RepairKeys: limit,
			Repaired: func(_ context.Context, p *reconcile.Plan, _ time.Time, err error) {
				require.NoError(t, err)
				require.Equal(t, houses, p.Table)
				acted++
			},
		})
		_, err := w.Run(t.Context())
		require.NoError(t, err)
		return acted, w
	}
	for policy, limit := range map[string]int{reconcile.RepairNever: 100, reconcile.RepairAsk: 100, reconcile.RepairAuto: 5} {
		acted, _ := watch(policy, limit)
		require.Zero(t, acted, policy)
		require.Equal(t, 6, r.compare(s)[houses].Keys, policy)
	}
	acted, _ := watch(reconcile.RepairAuto, 6)
	require.Equal(t, 1, acted)
	harness.Eventually(t, within, func(context.Context) error {
		if result := r.compare(s)[houses]; !result.OK {
			return fmt.Errorf("%d keys differ", result.Keys)
		}
		return nil
	})
	_, err := reconcile.PlanRepair(t.Context(), r.config, s, 0, "public.plate")
	var many *reconcile.ErrTooMany
	require.ErrorAs(t, err, &many)
	plans, err := reconcile.PlanRepair(t.Context(), r.config, s, 10)
	require.NoError(t, err)
	require.Len(t, plans, 1)
	require.Contains(t, plans[0].Whole, "token")
	require.ErrorContains(t, plans[0].Apply(t.Context(), r.config), "read the whole table")
}

// erase writes to the ledger, which it makes.
func (r *rig) erase(m feed.Message) {
	r.t.Helper()
	_, err := r.config.Kafka.Ensure(r.t.Context(), topic.Spec{Name: topic.IdentityErasure, Partitions: 1, Config: map[string]string{"cleanup.policy": "compact"}})
	require.NoError(r.t, err)
	require.NoError(r.t, feed.Write(r.t.Context(), r.config.Kafka, harness.Name("erases"), 1, m))
}

// P12: a row of an erased person that the source still has, and ClickHouse does
// not, is no difference, and no repair brings it back.
func TestErasedRowsAreNoDifference(t *testing.T) {
	r := newStreet(t)
	s := r.sources[0]
	r.run()
	r.agree()
	record := s.Name + ".house:" + key(8, "")
	says := erasure.Erasure{ID: harness.Name("erasure"), Version: 1, Records: []string{record}, Reason: "asked", By: "test", At: 1}
	message, value, err := says.Message()
	require.NoError(t, err)
	r.erase(feed.Message{Key: message, Value: value})
	r.spoil("ALTER TABLE silver." + r.dataset(houses) + " DELETE WHERE number LIKE 'số 8 %'")
	harness.Eventually(t, within, func(context.Context) error {
		result := r.compare(s)[houses]
		if result.SourceRows != 39 || result.Keys > 0 {
			return errors.New("the erased row is compared")
		}
		if !result.Topic.OK || result.Topic.Bronze != 39 {
			return errors.New("the sink has not erased its event yet")
		}
		return nil
	})
	w, _ := r.watch(7, 1, reconcile.Budget{Share: 1})
	found, err := w.Run(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, 39, found[0].SourceRows)
	require.Zero(t, found[0].Keys)
	require.True(t, found[0].Topic.OK, "its event is known to be erased: %+v", found[0].Topic)
	require.Equal(t, found[0].Topic.Events, found[0].Topic.Bronze)
	require.NoError(t, connectors.ReadAgain(t.Context(), r.config.Kafka, s.Name, houses, []string{"1", `số 8 '\|`}))
	harness.Eventually(t, within, func(ctx context.Context) error {
		checkpoint, err := connectors.Checkpoint(ctx, r.config.Kafka, s.Name)
		if err == nil && len(checkpoint.Tables[houses].Keys) > 0 {
			err = errors.New("the key is still to be read")
		}
		return err
	})
	require.Zero(t, r.compare(s)[houses].Keys)
	require.Equal(t, []string{"0"}, texts(t, r.config.ClickHouse, "SELECT toString(count()) FROM silver."+r.dataset(houses)+" FINAL WHERE number LIKE 'số 8 %'"))
}
