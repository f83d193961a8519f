package reconcile

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/cespare/xxhash/v2"
	"github.com/hopluu/hopluu/cmd/hopluu/operations/reconcile"
	"github.com/hopluu/hopluu/integration/harness"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
)

// watch compares all sources in the background, in small ranges.
func (r *rig) watch(rangeRows, rounds int, budget reconcile.Budget) (*reconcile.Watch, *prometheus.Registry) {
	r.t.Helper()
	metrics := prometheus.NewRegistry()
	return reconcile.NewWatch(reconcile.WatchConfig{
		Config: r.config, Sources: r.sources, Budget: budget, RangeRows: rangeRows, Rounds: rounds, Log: r.log, Metrics: metrics,
	}), metrics
}

// round wants one round to agree with what one comparison of everything says.
func (r *rig) round(rangeRows int) {
	r.t.Helper()
	w, _ := r.watch(rangeRows, 1, reconcile.Budget{Share: 1})
	found, err := w.Run(r.t.Context())
	require.NoError(r.t, err)
	for _, s := range r.sources {
		whole := r.compare(s)
		for _, result := range found {
			if result.Source != s.Name {
				continue
			}
			want := whole[result.Table]
			require.True(r.t, result.OK, "%+v", result)
			require.Equal(r.t, want.SourceRows, result.SourceRows, result.Table)
			require.Equal(r.t, want.ClickHouseRows, result.ClickHouseRows, result.Table)
			require.Equal(r.t, want.SourceChecksum, result.SourceChecksum, result.Table)
			require.Equal(r.t, want.Topic.Events, result.Topic.Events, result.Table)
			require.Equal(r.t, want.Topic.Checksum, result.Topic.Checksum, result.Table)
			delete(whole, result.Table)
		}
		require.Empty(r.t, whole)
	}
}

const streetFile = `
system: 5
name: {vi: Đường, en: Streets}
owner: {vi: Sở, en: Department}
tables:
  - name: house
    meaning: {vi: Nhà, en: Houses}
    columns:
      - {name: ward, type: integer, meaning: {vi: Phường, en: Ward}, sensitivity: internal}
      - {name: number, type: text, meaning: {vi: Số, en: Number}, sensitivity: internal}
      - {name: floors, type: integer, meaning: {vi: Tầng, en: Floors}, sensitivity: internal}
  - name: plate
    meaning: {vi: Biển, en: Plates}
    key: [plate]
    columns:
      - {name: plate, type: text, meaning: {vi: Biển, en: Plate}, sensitivity: personal, privacy: token, domain: plate}
      - {name: ward, type: integer, meaning: {vi: Phường, en: Ward}, sensitivity: internal}
`

// A comparison in the background is left in the middle of a table, and another
// goes on where it was: no range is compared twice or left out. Then each way in
// which a row may be wrong is found within one round, and told of in the metrics.
func TestReconcileInTheBackground(t *testing.T) {
	r := newRig(t, streetFile, `
		CREATE TABLE public.house (ward int, number text, floors int, PRIMARY KEY (ward, number));
		INSERT INTO public.house SELECT n % 7 - 3, 'số ' || n || ' ''\ |', 2 FROM generate_series(1, 300) n;
		CREATE TABLE public.plate (plate text PRIMARY KEY, ward int);
		INSERT INTO public.plate SELECT '51F-' || n, n FROM generate_series(1, 50) n`, 1)
	r.run()
	r.agree()

	// One that rests long after a range is left there.
	slow, _ := r.watch(40, 1, reconcile.Budget{Share: 1, RowsPerSecond: 1})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		_, err := slow.Run(ctx)
		ended <- err
	}()
	source := "source = '" + r.sources[0].Name + "'"
	ranges := "SELECT toString(count()) FROM ops.reconciliation_range WHERE " + source
	harness.Eventually(t, within, func(context.Context) error {
		if n := texts(t, r.config.ClickHouse, ranges)[0]; n == "0" {
			return fmt.Errorf("no range is noted yet")
		}
		return nil
	})
	cancel()
	require.ErrorIs(t, <-ended, context.Canceled)
	left := texts(t, r.config.ClickHouse, ranges)[0]
	require.NotEqual(t, "0", left)

	r.round(40)
	require.Equal(t, []string{"1"}, texts(t, r.config.ClickHouse, "SELECT toString(uniqExact(round)) FROM ops.reconciliation_range WHERE "+source), "it is the same round")
	require.Equal(t, []string{"8 8 0-7"}, texts(t, r.config.ClickHouse, `SELECT concat(toString(count()), ' ', toString(uniqExact(number)), ' ', toString(min(number)), '-', toString(max(number)))
		FROM ops.reconciliation_range WHERE kind = 'rows' AND table = 'public.house' AND `+source))
	require.Equal(t, []string{"7"}, texts(t, r.config.ClickHouse, `SELECT toString(countIf(after = before)) FROM (SELECT after, lagInFrame(up_to) OVER (ORDER BY number ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS before, number
		FROM ops.reconciliation_range WHERE kind = 'rows' AND table = 'public.house' AND `+source+`) WHERE number > 0`), "each range begins where the last one ended")

	silver, bronze := "silver."+r.dataset("public.house"), "bronze."+r.dataset("public.house")
	r.spoil("ALTER TABLE " + silver + " UPDATE floors = 9 WHERE ward = 0 AND number LIKE 'số 10 %'")
	r.spoil("ALTER TABLE " + silver + " DELETE WHERE ward = 0 AND number LIKE 'số 17 %'")
	r.spoil("INSERT INTO " + silver + " SELECT * REPLACE (toInt32(99) AS ward, _version + 1000000 AS _version) FROM " + silver + " FINAL WHERE number LIKE 'số 24 %'")
	r.spoil("INSERT INTO " + bronze + " SELECT * FROM " + bronze + " WHERE number LIKE 'số 31 %'")
	doubled := texts(t, r.config.ClickHouse, "SELECT DISTINCT concat(toString(_partition), ':', toString(_offset)) FROM "+bronze+" WHERE number LIKE 'số 31 %'")
	lost := texts(t, r.config.ClickHouse, "SELECT concat(toString(_partition), ':', toString(_offset)) FROM "+bronze+" WHERE number LIKE 'số 38 %'")
	r.spoil("ALTER TABLE " + bronze + " DELETE WHERE number LIKE 'số 38 %'")

	w, metrics := r.watch(40, 1, reconcile.Budget{Share: 0.9})
	found, err := w.Run(t.Context())
	require.NoError(t, err)
	require.NoError(t, w.Ready())
	for _, result := range found {
		if result.Table == "public.plate" {
			require.True(t, result.OK)
			require.EqualValues(t, 50, result.SourceRows)
			continue
		}
		require.False(t, result.OK)
		require.Equal(t, []string{`0|số 10 '\\ \|`}, result.Different)
		require.Equal(t, []string{`0|số 17 '\\ \|`}, result.Missing)
		require.Equal(t, []string{`99|số 24 '\\ \|`}, result.Extra)
		require.Equal(t, doubled, result.Topic.Offsets.Doubled)
		require.Equal(t, lost, result.Topic.Offsets.Lost)
		require.Empty(t, result.Topic.Offsets.Unknown)
	}
	require.Equal(t, map[string]float64{"public.house": 3, "public.plate": 0}, gauges(t, metrics, "hopluu_reconcile_differing_keys"))
	require.Equal(t, map[string]float64{"public.house": 2, "public.plate": 0}, gauges(t, metrics, "hopluu_reconcile_bronze_faults"))
	whole := r.compare(r.sources[0])["public.house"]
	require.Equal(t, doubled, whole.Topic.Offsets.Doubled, "one comparison of everything names the same")
	require.Equal(t, lost, whole.Topic.Offsets.Lost)
}

// A table that cannot be compared is told of, and the others are compared.
func TestReconcileGoesOnBesideATableThatFails(t *testing.T) {
	r := newRig(t, streetFile, `
		CREATE TABLE public.house (ward int, number text, floors int, PRIMARY KEY (ward, number));
		CREATE TABLE public.plate (plate text PRIMARY KEY, ward int);
		INSERT INTO public.plate SELECT '51F-' || n, n FROM generate_series(1, 50) n`, 1)
	r.run()
	harness.Eventually(t, within, func(context.Context) error {
		if result := r.compare(r.sources[0])["public.plate"]; !result.OK {
			return fmt.Errorf("%+v", result)
		}
		return nil
	})
	r.exec(r.sources[0], "DROP TABLE public.house")
	w, _ := r.watch(40, 1, reconcile.Budget{Share: 1})
	found, err := w.Run(t.Context())
	require.NoError(t, err)
	require.Len(t, found, 2)
	require.False(t, found[0].OK)
	require.Contains(t, found[0].Error, "house")
	require.True(t, found[1].OK)
	require.Equal(t, []string{"false 1"}, texts(t, r.config.ClickHouse, "SELECT concat(toString(ok), ' ', toString(error != '')) FROM ops.reconciliation WHERE source = '"+r.sources[0].Name+"' AND table LIKE '%house' ORDER BY at DESC LIMIT 1"))
}

// Shares of a table are made by a hash that both sides have.
func TestXXHash64IsClickHouses(t *testing.T) {
	r := newRig(t, roomFile, "CREATE TABLE public.room (room_id bigint PRIMARY KEY, beds int, note text)", 0)
	for _, text := range []string{"", "t1_abc", "số|7"} {
		require.Equal(t, []string{fmt.Sprint(xxhash.Sum64String(text))}, texts(t, r.config.ClickHouse, "SELECT toString(xxHash64('"+text+"'))"))
	}
}

// gauges gives a gauge by table.
func gauges(t *testing.T, metrics *prometheus.Registry, name string) map[string]float64 {
	t.Helper()
	families, err := metrics.Gather()
	require.NoError(t, err)
	values := map[string]float64{}
	for _, family := range families {
		if family.GetName() != name {
			continue
		}
		for _, m := range family.GetMetric() {
			for _, label := range m.GetLabel() {
				if label.GetName() == "table" {
					values[label.GetValue()] = m.GetGauge().GetValue()
				}
			}
		}
	}
	return values
}

// spoil changes ClickHouse by hand.
func (r *rig) spoil(sql string) {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), time.Minute)
	defer cancel()
	require.NoError(r.t, r.config.ClickHouse.Exec(synchronous(ctx), sql))
}
