package tables

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hopluu/hopluu/schemas/avro"
	"github.com/hopluu/hopluu/schemas/event"
)

func TestWithin(t *testing.T) {
	tab, err := New(Description{Sector: "s", Name: "t"}, []avro.Column{
		col("body", aString), key("id", aInt), key("day", aDate), key("code", aString), key("_lsn", aLong), key("uid", aUUID), key("price", aDecimal(5, 2)),
	})
	require.NoError(t, err)
	at := func(text string) *string { return &text }
	for want, r := range map[string]event.Range{
		"`id` >= toInt64('-5') AND `id` <= toInt64('10')": {Column: "id", From: at("-5"), To: at("10")},
		"`id` >= toInt64('3000000000')":                   {Column: "id", From: at("3000000000")},
		"toString(`day`) <= '2026-01-31'":                 {Column: "day", To: at("2026-01-31")},
		"`code` >= 'it\\'s \\\\'":                         {Column: "code", From: at(`it's \`)},
		"`_lsn_` <= toInt64('1')":                         {Column: "_lsn", To: at("1")},
		"1":                                               {Column: "id"},
	} {
		got, err := tab.Within(r)
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	for reason, r := range map[string]event.Range{
		"not in the key":       {Column: "body", From: at("1")},
		"column nobody":        {Column: "nobody", From: at("1")},
		"of type UUID":         {Column: "uid", From: at("1")},
		"of type Decimal":      {Column: "price", From: at("1")},
		"an end that is no In": {Column: "id", From: at("1 OR 1")},
		"an end that is no Da": {Column: "day", To: at("' OR '1'='1")},
	} {
		_, err := tab.Within(r)
		var bad *RowError
		require.ErrorAs(t, err, &bad)
		require.ErrorContains(t, err, reason)
		if r.From != nil && len(*r.From) > 1 {
			require.NotContains(t, err.Error(), *r.From, "P11: it names no value")
		}
	}
}

func TestRangesAreReadBack(t *testing.T) {
	text := func(s string) *string { return &s }
	require.Nil(t, RangeOf(nil))
	for _, r := range []event.Range{{Column: "id"}, {Column: "id", From: text("")}, {Column: "id", From: text("=1"), To: text("9")}} {
		require.Equal(t, &r, RangeOf(rangeParts(&r)))
	}
}
