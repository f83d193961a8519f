package connectors

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/hopluu/hopluu/schemas/erasure"
	"github.com/hopluu/hopluu/schemas/sectors"
	"github.com/hopluu/hopluu/schemas/token"
	"github.com/stretchr/testify/require"
)

// P11: what names records (keys, and the columns that hold them) has tokens of the
// record key, which a rotation leaves; everything else has those of the key in
// force.
func TestP11WhatNamesRecords(t *testing.T) {
	sector := sectors.Sector{Tables: []sectors.Table{
		{Schema: "public", Name: "card", Columns: []sectors.Column{{Name: "card_no", Identifier: sectors.Insurance}, {Name: "cccd", Identifier: sectors.CCCD}, {Name: "color"}}},
		{Schema: "public", Name: "plate", Key: []string{"plate"}, Columns: []sectors.Column{{Name: "plate", Privacy: sectors.TokenOnly, Domain: "plate"}}},
		{Schema: "public", Name: "visit", Person: &sectors.Person{Via: "card_no", To: "card"}, Columns: []sectors.Column{{Name: "id"}, {Name: "card_no", Identifier: sectors.Insurance}, {Name: "other_no", Identifier: sectors.Insurance}}},
		{Schema: "public", Name: "member", Role: &sectors.Role{Via: "head", To: "card"}, Columns: []sectors.Column{{Name: "id"}, {Name: "head", Identifier: sectors.CCCD}}},
		{Schema: "public", Name: "bill", Columns: []sectors.Column{{Name: "id"}, {Name: "card_no", Identifier: sectors.Insurance, Refers: "card"}}},
		{Schema: "public", Name: "gone", Columns: []sectors.Column{{Name: "cccd", Identifier: sectors.CCCD}}},
	}}
	naming, err := Naming(sector, func(_, table string) ([]string, error) {
		return map[string][]string{"card": {"card_no"}, "visit": {"id"}, "member": {"id"}, "bill": {"id"}}[table], nil
	})
	require.NoError(t, err)
	require.Equal(t, map[string][]string{"public.card": {"card_no"}, "public.plate": {"plate"}, "public.visit": {"card_no"}, "public.member": {"head"}, "public.bill": {"card_no"}}, naming)

	now, records := tokenizerOf(t, 2), recordsOf(t)
	visit := &sector.Tables[2]
	for column, want := range map[string]*token.Tokenizer{"card_no": records, "other_no": now} {
		of, err := TokenizerOf(visit, column, []string{"id"}, now, records)
		require.NoError(t, err)
		require.Same(t, want, of)
	}
	_, err = TokenizerOf(visit, "card_no", []string{"id"}, now, nil)
	require.ErrorContains(t, err, "column card_no of table public.visit")
	require.ErrorContains(t, NeedRecordKey(naming, nil), "openssl rand -hex 32")
	require.ErrorContains(t, NeedRecordKey(naming, nil), "tokens.record_key_file")
	require.NotContains(t, NeedRecordKey(naming, nil).Error(), "\n")
	require.NoError(t, NeedRecordKey(naming, records))
	require.NoError(t, NeedRecordKey(nil, nil))
}

// P11: a key file that was mixed up, and a version that went backwards, are
// refused; the state knows keys by fingerprints and never by their secrets.
func TestP11KeysAreThoseOfBefore(t *testing.T) {
	one, two, records := tokenizerOf(t, 1), tokenizerOf(t, 2), recordsOf(t)
	other := func(version uint8) *token.Tokenizer {
		tok, err := token.New(token.Key{Version: version, Secret: []byte(strings.Repeat("o", 32))})
		require.NoError(t, err)
		return tok
	}
	var none Fingerprints
	require.NoError(t, none.Check("health", one, nil))
	first := none.With(one, nil, nil)
	require.Empty(t, first.Record)
	require.ErrorContains(t, first.Check("health", other(1), nil), "the token key (tokens.key_file) is not the one of version 1 that source health was captured with")
	require.ErrorContains(t, first.Check("health", two, []*token.Tokenizer{other(1)}), "the key of version 1 under tokens.old is not the one")
	require.NoError(t, first.Check("health", two, []*token.Tokenizer{one}))

	second := first.With(two, records, []*token.Tokenizer{one})
	require.ErrorContains(t, second.Check("health", one, []*token.Tokenizer{two}), "tokens.version is 1, but source health has tokens of version 2")
	third := second.With(tokenizerOf(t, 3), records, nil)
	require.ErrorContains(t, third.Check("health", tokenizerOf(t, 3), []*token.Tokenizer{other(1)}), "version 1", "one that was put aside is still known")
	require.True(t, third.Same(third.With(tokenizerOf(t, 3), records, nil)))
	require.False(t, third.Same(second))

	foreign, err := token.NewRecord(token.Key{Version: 1, Secret: []byte(strings.Repeat("f", 32))})
	require.NoError(t, err)
	require.NoError(t, third.CheckRecord("health", records, []string{"public.card"}, "run x"))
	require.ErrorContains(t, third.CheckRecord("health", foreign, []string{"public.card"}, "run x"), "is not the one that records of source health in public.card are named with")
	require.ErrorContains(t, third.CheckRecord("health", foreign, []string{"public.card"}, "run x"), "run x")
	require.NoError(t, third.CheckRecord("health", foreign, nil, ""), "nothing is named with it")
	require.ErrorContains(t, first.CheckRecord("health", records, []string{"public.card"}, "run x"), "from before there was a record key")

	// P12: who is erased by what the record key made must stay known.
	naming := map[string][]string{"public.card": {"card_no"}}
	for _, l := range []*erasure.Ledger{ledgerOf(t, nil, "health.card:k1_x"), ledgerOf(t, []string{"k1_x"}, "health.patient:1")} {
		require.NoError(t, third.CheckErased("health", records, naming, l))
		require.NoError(t, none.CheckErased("health", records, naming, l))
		require.ErrorContains(t, third.CheckErased("health", foreign, naming, l), "who would come back: put that key back")
		require.Error(t, third.CheckErased("health", nil, naming, l))
	}
	require.NoError(t, third.CheckErased("health", foreign, naming, ledgerOf(t, []string{"t1_x"}, "health.cards:k1_x", "tax.card:k1_x")))
	require.NoError(t, third.CheckErased("health", foreign, naming, erasure.New()))

	kept, err := json.Marshal(third)
	require.NoError(t, err)
	require.NotContains(t, string(kept), "0123456789abcdef")
	require.NotContains(t, string(kept), "fedcba9876543210")
	var read Fingerprints
	require.NoError(t, json.Unmarshal(kept, &read))
	require.True(t, read.Same(third))
}
