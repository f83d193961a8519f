package reconcile

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestBudget(t *testing.T) {
	for _, c := range []struct {
		budget Budget
		took   time.Duration
		rows   int64
		want   time.Duration
	}{
		{Budget{Share: 0.2}, time.Second, 1e9, 4 * time.Second},
		{Budget{Share: 0.5}, 10 * time.Millisecond, 0, 10 * time.Millisecond},
		{Budget{Share: 1}, time.Hour, 1, 0},
		{Budget{Share: 1, RowsPerSecond: 1000}, 2 * time.Second, 10_000, 8 * time.Second},
		{Budget{Share: 0.1, RowsPerSecond: 1000}, 2 * time.Second, 1000, 18 * time.Second},
		{Budget{Share: 1, RowsPerSecond: 1000}, 20 * time.Second, 10_000, 0},
	} {
		require.Equal(t, c.want, max(0, c.budget.rest(c.took, c.rows)), "%+v", c)
	}
}

// What a journal says of a table gives the place at which its round goes on.
func TestStandingGoesOnWhereItWas(t *testing.T) {
	r := newRound()
	at := r.of("s", "public.t")
	require.Equal(t, bounds{limit: 7}, at.begin(7))
	require.NoError(t, at.pass(&entry{kind: rowsKind, number: 0, upTo: []string{"10", "b"}}))
	require.Equal(t, bounds{limit: 7, after: []string{"10", "b"}}, at.begin(7))
	require.False(t, at.finished[rowsKind])
	require.NoError(t, at.pass(&entry{kind: rowsKind, number: 1, after: []string{"10", "b"}, last: true}))
	require.True(t, at.finished[rowsKind])
	require.EqualValues(t, 2, at.number[rowsKind])

	require.NoError(t, at.pass(&entry{kind: topicKind, number: 4, upTo: []string{"1", "500"}}))
	require.Equal(t, map[int32]int64{1: 500}, at.offsets)
	require.Error(t, at.pass(&entry{kind: topicKind, upTo: []string{"x", "500"}}))
	require.Error(t, at.pass(&entry{kind: topicKind, upTo: []string{"1", "y"}}))

	shares := r.of("s", "public.u")
	require.NoError(t, shares.pass(&entry{kind: rowsKind, after: []string{sharesMark}, upTo: []string{"2", "8"}}))
	require.Equal(t, bounds{limit: 7, bucket: 3, buckets: 8}, shares.begin(7))
	// Two columns of a key may look the same.
	key := r.of("s", "public.v")
	require.NoError(t, key.pass(&entry{kind: rowsKind, after: []string{sharesMark, "x"}, upTo: []string{"2", "8"}}))
	require.Equal(t, bounds{limit: 7, after: []string{"2", "8"}}, key.begin(7))
}

func TestBoundsInSQL(t *testing.T) {
	l := layout{table: "t", key: []int{0, 1}, integer: []bool{true, false}, columns: []column{
		{name: "a", landed: "a", landedType: "Int64", clickhouse: "toString(`a`)"},
		{name: `b"`, landed: "b", landedType: "String", postgres: `"b"""::text`, clickhouse: "toString(`b`)"},
	}}
	b := bounds{after: []string{"-5", `it's`}, upTo: []string{"7", `\`}}
	require.Equal(t, []string{
		`("t"."a", ("b"""::text) COLLATE "C") > ('-5', 'it''s')`,
		`("t"."a", ("b"""::text) COLLATE "C") <= ('7', '\')`,
	}, l.sourceWithin(b))
	require.Equal(t, []string{
		"`a` >= toInt64('-5')", "(`a`, `b`) > (toInt64('-5'), 'it\\'s')",
		"`a` <= toInt64('7')", "(`a`, `b`) <= (toInt64('7'), '\\\\')",
	}, l.landedWithin(b))
	require.Empty(t, l.sourceWithin(bounds{}))
	require.Empty(t, l.landedWithin(bounds{buckets: 1}))
	require.Equal(t, []string{"xxHash64(concat(toString(`a`), '|', toString(`b`), '')) % 4 = 3"}, l.landedWithin(bounds{bucket: 3, buckets: 4}))
}
