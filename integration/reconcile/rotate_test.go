package reconcile

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hopluu/hopluu/cmd/hopluu/operations/rotate"
	"github.com/hopluu/hopluu/connectors"
	"github.com/hopluu/hopluu/integration/harness"
	"github.com/hopluu/hopluu/schemas/erasure"
	"github.com/hopluu/hopluu/schemas/erasure/feed"
	"github.com/hopluu/hopluu/schemas/token"
)

// P11, P12: under a new key of tokens every row comes to have its tokens, what is
// compared agrees, and who was erased under the old key stays out under the new
// one; without the old key capture does not begin.
func TestP11RotatedKeyMovesEveryRow(t *testing.T) {
	r := newRig(t, clinicFile, `
		CREATE TABLE public.patient (id bigint PRIMARY KEY, cccd text, name text);
		CREATE TABLE public.encounter (id bigint PRIMARY KEY, patient bigint, note text);
		INSERT INTO public.patient SELECT n, '07908500' || (1000 + n), 'Name of ' || n FROM generate_series(1, 30) n;
		INSERT INTO public.encounter SELECT n, n % 30 + 1, 'x' FROM generate_series(1, 30) n`, 1)
	s := r.sources[0]
	ready := func(c running) running {
		harness.Eventually(t, within, func(context.Context) error { return c.Ready() })
		return c
	}
	c := ready(r.connector(s, connectors.Load{}))
	r.sink()
	r.agree()
	sources := []rotate.Source{{Name: s.Name, Sector: r.sector}}
	look := func(version uint8) rotate.Report {
		t.Helper()
		ledger, _, err := feed.Read(t.Context(), r.config.Kafka)
		require.NoError(t, err)
		report, err := rotate.Look(t.Context(), r.config.ClickHouse, version, sources, ledger)
		require.NoError(t, err)
		return report
	}
	require.NoError(t, rotate.Check(sources))
	require.Equal(t, []rotate.Table{{Source: s.Name, Table: "public.patient", Rows: map[string]uint64{"1": 30}}}, look(1).Tables)

	// Somebody is erased under the first key.
	id := harness.Name("e")
	key, value, err := (&erasure.Erasure{ID: id, Version: 1, Records: []string{s.Name + ".patient:7"}, By: "an", Reason: "asked"}).Message()
	require.NoError(t, err)
	tokens := []string{string(r.config.Tokens.Append(nil, "cccd", []byte("079085001007")))}
	foundKey, found, err := erasure.Found{Tokens: tokens}.Message(id, erasure.FoundVault)
	require.NoError(t, err)
	require.NoError(t, feed.Write(t.Context(), r.config.Kafka, harness.Name("says"), 1, feed.Message{Key: key, Value: value}, feed.Message{Key: foundKey, Value: found}))
	c.stop()

	old := r.config.Tokens
	r.config.Tokens = tokenizer(t, 2, s.Name+" anew")
	require.ErrorContains(t, r.newConnector(s, connectors.Load{}).Run(t.Context()), "add that key to tokens.old")

	r.config.OldTokens = []*token.Tokenizer{old}
	c = ready(r.connector(s, connectors.Load{}))
	harness.Eventually(t, within, func(context.Context) error {
		if rows := look(2).Tables[0].Rows; rows["1"] != 29 {
			return fmt.Errorf("%v", rows)
		}
		return nil
	})
	report := look(2)
	require.True(t, report.Tables[0].Behind)
	require.Len(t, report.Needed["1"], 2, "the rows, and who is erased")
	require.NoError(t, connectors.Resnapshot(t.Context(), r.config.Kafka, s.Name, "public.patient"))
	r.exec(s, `INSERT INTO public.patient VALUES (700, '079085001007', 'Again 7'), (701, '079085009999', 'Another')`)
	harness.Eventually(t, within, func(context.Context) error {
		if rows := look(2).Tables[0].Rows; rows["1"] != 0 || rows["2"] != 30 {
			return fmt.Errorf("%v", rows)
		}
		return nil
	})
	result := r.compare(s)["public.patient"]
	require.True(t, result.OK, "%+v", result)
	require.Equal(t, int64(2), result.Erased)
	require.Equal(t, map[string][]string{"1": {"erased people, who are known by tokens of it alone"}}, look(2).Needed)
	c.stop()

	tokenKey := r.sector
	tokenKey.Tables = append(tokenKey.Tables[:0:0], tokenKey.Tables...)
	tokenKey.Tables[0].Key = []string{"cccd"}
	var refused *rotate.KeyError
	require.ErrorAs(t, rotate.Check([]rotate.Source{{Name: s.Name, Sector: tokenKey}}), &refused)
}
