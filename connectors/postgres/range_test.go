package postgres

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hopluu/hopluu/connectors/postgres/checkpoint"
	"github.com/hopluu/hopluu/connectors/postgres/pgvalue"
	"github.com/hopluu/hopluu/schemas/event"
)

func rangeRelation() Relation {
	return Relation{Schema: "public", Table: "t", Columns: []pgvalue.Column{
		{Name: "big", OID: int8Type}, {Name: "small", OID: int2Type}, {Name: "day", OID: dateType}, {Name: `the "text"`, OID: varcharType},
		{Name: "domain", OID: 70000, TypeName: "code", Base: &pgvalue.Column{OID: textType}}, {Name: "uid", OID: 2950, TypeName: "uuid"}, {Name: "padded", OID: 1042, TypeName: "bpchar"},
	}}
}

func at(text string) *string { return &text }

func TestCheckRange(t *testing.T) {
	for _, good := range []event.Range{
		{Column: "big", From: at("-9223372036854775808"), To: at("9223372036854775807")},
		{Column: "big", From: at("9"), To: at("10")},
		{Column: "small", To: at("0")},
		{Column: "day", From: at("0001-01-01"), To: at("9999-12-31")},
		{Column: `the "text"`, From: at(""), To: at("đ")},
		{Column: "domain", From: at("x"), To: at("x")},
	} {
		require.NoError(t, rangeRelation().CheckRange(good, "UTF8"), good)
	}
	for reason, bad := range map[string]event.Range{
		"has no column gone":                      {Column: "gone", From: at("1")},
		`"32768" is no value`:                     {Column: "small", From: at("32768")},
		`"1.5" is no value`:                       {Column: "big", To: at("1.5")},
		`"007" is no value`:                       {Column: "big", To: at("007")},
		`"infinity" is no value`:                  {Column: "day", To: at("infinity")},
		`"2026-02-30" is no`:                      {Column: "day", From: at("2026-02-30")},
		"no text in UTF-8":                        {Column: "domain", From: at("\xff")},
		`begins at "10", after its end "9"`:       {Column: "big", From: at("10"), To: at("9")},
		`begins at "b", after its end "B"`:        {Column: "domain", From: at("b"), To: at("B")},
		"uid of type uuid: only integers":         {Column: "uid", From: at("1")},
		"padded of type bpchar: only integers, t": {Column: "padded", From: at("1")},
	} {
		require.ErrorContains(t, rangeRelation().CheckRange(bad, "UTF8"), reason)
	}
	require.ErrorContains(t, rangeRelation().CheckRange(event.Range{Column: "domain"}, "LATIN1"), "LATIN1")
	require.NoError(t, rangeRelation().CheckRange(event.Range{Column: "big"}, "LATIN1"))
}

func TestConditionsOfAPiece(t *testing.T) {
	for _, c := range []struct {
		piece Piece
		whole bool
		want  []string
	}{
		{Piece{Blocks: checkpoint.Blocks{From: 3, To: 9}}, false, []string{"ctid >= '(3,0)'", "ctid < '(9,0)'"}},
		{Piece{Blocks: checkpoint.Blocks{From: 3, To: checkpoint.End}}, false, []string{"ctid >= '(3,0)'"}},
		{Piece{Blocks: checkpoint.Blocks{To: checkpoint.End}}, true, nil},
		{Piece{Range: &event.Range{Column: "big", From: at("-1"), To: at("5")}}, true, []string{`"big" >= '-1'`, `"big" <= '5'`}},
		{Piece{Range: &event.Range{Column: `the "text"`, To: at("it's")}}, false, []string{`"the ""text""" COLLATE "C" <= 'it''s'`}},
		{Piece{Range: &event.Range{Column: "domain", From: at(`\`)}}, false, []string{`"domain" COLLATE "C" >= '\'`}},
	} {
		got, err := c.piece.conditions(rangeRelation(), Extent{Whole: c.whole})
		require.NoError(t, err)
		require.Equal(t, c.want, got)
	}
	_, err := Piece{Range: &event.Range{Column: "gone"}}.conditions(rangeRelation(), Extent{})
	require.ErrorContains(t, err, "gone")
}
