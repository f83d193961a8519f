package generator

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hopluu/hopluu/deploy/local/generator/city"
	"github.com/hopluu/hopluu/deploy/local/systems"
)

func TestNewChecksTheConfiguration(t *testing.T) {
	_, err := New(Config{})
	require.ErrorContains(t, err, "no DSN; give the connection string of at least one sector")
	_, err = New(Config{DSN: map[string]string{"schools": "x"}})
	require.ErrorContains(t, err, `unknown sector "schools"; the sectors are construction, health, population, tax, welfare`)
	_, err = New(Config{DSN: map[string]string{"tax": "x"}, Rate: -1})
	require.ErrorContains(t, err, "give a positive number")

	// 18:00 UTC is the next day in the city.
	g, err := New(Config{DSN: map[string]string{"tax": "x"}, Base: time.Date(2026, time.May, 1, 18, 0, 0, 0, time.UTC)})
	require.NoError(t, err)
	require.Equal(t, time.Date(2026, time.May, 2, 0, 0, 0, 0, time.UTC), g.cfg.Base)
}

// A step is found again by its place and draws by its name: names differ.
func TestStepsAndActionsOfEverySystem(t *testing.T) {
	names, err := systems.Names()
	require.NoError(t, err)
	for _, sector := range names {
		seen := map[string]bool{}
		for _, s := range stepsOf(sector) {
			require.False(t, seen[s.name], "%s: %s", sector, s.name)
			seen[s.name] = true
		}
		require.NotEmpty(t, seen, sector)
		require.NotEmpty(t, actions[sector], sector)
		require.NotZero(t, shareOf[sector], sector)
	}
}

func TestKeyText(t *testing.T) {
	require.Equal(t, "20000001", keyText(int64(20000001)))
	require.Equal(t, "00010203-0405-0607-0809-0a0b0c0d0e0f", keyText([16]byte{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}))
}

func TestInsertOne(t *testing.T) {
	require.Equal(t, "INSERT INTO public.payment (beneficiary_id, period, amount, paid_at, channel) VALUES ($1, $2, $3, $4, $5)", insertOne(city.Payments))
}

func TestCountsMerge(t *testing.T) {
	a := Counts{"tax.taxpayer": {Inserted: 2}, "tax.declaration": {Deleted: 1}}
	sum := a.Merge(Counts{"tax.taxpayer": {Inserted: 3, Updated: 1, Truncated: 4}})
	require.Equal(t, Counts{"tax.taxpayer": {Inserted: 5, Updated: 1, Truncated: 4}, "tax.declaration": {Deleted: 1}}, sum)
	require.EqualValues(t, 11, sum.Rows())
	require.EqualValues(t, 2, a["tax.taxpayer"].Inserted, "a is as it was")
}

func TestSampleAndChunks(t *testing.T) {
	r := city.Rand(1, "sample")
	values := []int{1, 2, 3, 4, 5, 6, 7}
	require.ElementsMatch(t, values, sample(r, values, 100))
	require.Len(t, sample(r, values, 3), 3)
	require.Equal(t, []int{1, 2, 3, 4, 5, 6, 7}, values)
	require.Equal(t, [][]int{{1, 2, 3}, {4, 5, 6}, {7}}, chunks(values, 3))
	require.Empty(t, chunks([]int{}, 3))
}

func TestHappenNow(t *testing.T) {
	now := time.Date(2026, time.May, 2, 9, 0, 0, 0, city.Zone)
	row := make([]any, len(city.Encounters.Columns))
	row[4], row[5], row[6] = now.AddDate(0, 0, -3), now.AddDate(0, 0, -2), "I10"
	happenNow(city.Rows{Table: city.Encounters, Rows: [][]any{row}}, now)
	require.Equal(t, now, row[4])
	require.Nil(t, row[5])
	require.Equal(t, "I10", row[6])
}

func TestLostConnection(t *testing.T) {
	require.True(t, lostConnection(fmt.Errorf("sector tax: %w", &errLost{errors.New("reset by peer")})))
	require.False(t, lostConnection(errors.New("duplicate key")))
}
