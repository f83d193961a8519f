package connectors

import (
	"testing"

	"github.com/hopluu/hopluu/connectors/postgres"
	"github.com/hopluu/hopluu/connectors/postgres/pgvalue"
	"github.com/hopluu/hopluu/schemas/erasure"
	"github.com/hopluu/hopluu/schemas/event"
	"github.com/hopluu/hopluu/schemas/sectors"
	"github.com/hopluu/hopluu/schemas/token"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/stretchr/testify/require"
)

func ledgerOf(t *testing.T, tokens []string, records ...string) *erasure.Ledger {
	l := erasure.New()
	require.True(t, l.Put(&erasure.Erasure{ID: "a", Version: 1, By: "an", Records: records}))
	key, value, err := erasure.Found{Tokens: tokens}.Message("a", erasure.FoundVault)
	require.NoError(t, err)
	require.NoError(t, l.Take(key, value))
	return l
}

func cells(texts ...string) event.Row {
	var row event.Row
	for _, s := range texts {
		if s == "" {
			row = append(row, event.Value{})
			continue
		}
		row = append(row, event.Value{State: event.Present, Text: []byte(s)})
	}
	return row
}

func guardOf(t *testing.T, l *erasure.Ledger, sector sectors.Table, tokens []*token.Tokenizer, columns ...pgvalue.Column) *Guard {
	relation := postgres.Relation{Schema: "public", Table: sector.Name, Primary: []string{columns[0].Name}, Columns: columns}
	public, _, key, err := fields(relation, sector, tokens[0], recordsOf(t))
	require.NoError(t, err)
	var names []string
	for _, c := range columns {
		names = append(names, c.Name)
	}
	g, err := NewGuard(l, tokens, "health", sector, names, public, key)
	require.NoError(t, err)
	return g
}

func tokenizerOf(t *testing.T, version uint8) *token.Tokenizer {
	tok, err := token.New(token.Key{Version: version, Secret: []byte("0123456789abcdef0123456789abcde" + string(rune('0'+version)))})
	require.NoError(t, err)
	return tok
}

func recordsOf(t *testing.T) *token.Tokenizer {
	tok, err := token.NewRecord(token.Key{Version: 1, Secret: []byte("fedcba9876543210fedcba9876543210")})
	require.NoError(t, err)
	return tok
}

// P12: an erased record's events stay out, those of others leave, and an update
// that makes somebody's row an erased person's leaves as that row's deletion.
func TestP12GuardOfARecord(t *testing.T) {
	old, now := tokenizerOf(t, 1), tokenizerOf(t, 2)
	patient := sectors.Table{Schema: "public", Name: "patient", Person: &sectors.Person{Direct: true}, Columns: []sectors.Column{
		{Name: "cccd", Identifier: sectors.CCCD, Match: sectors.CCCD}, {Name: "phone", Identifier: sectors.Phone, Match: sectors.Phone},
	}}
	id := pgvalue.Column{Name: "id", OID: pgtype.Int8OID, Typmod: -1, TypeName: "int8"}
	text := func(name string) pgvalue.Column {
		return pgvalue.Column{Name: name, OID: pgtype.TextOID, Typmod: -1, TypeName: "text"}
	}
	l := ledgerOf(t, []string{string(old.Append(nil, sectors.CCCD, []byte("079085001234"))), string(old.Append(nil, sectors.Phone, []byte("0901")))}, "health.patient:7")
	g := guardOf(t, l, patient, []*token.Tokenizer{now, old}, id, text("cccd"), text("phone"))

	require.False(t, g.Admit(&event.Event{Op: event.Create, After: cells("7", "", "")}))
	require.False(t, g.Admit(&event.Event{Op: event.Read, After: cells("7", "x", "")}))
	require.False(t, g.Admit(&event.Event{Op: event.Update, After: cells("7", "", "")}))
	require.False(t, g.Admit(&event.Event{Op: event.Delete, Before: cells("7", "", ""), BeforeKeyOnly: true}))
	require.True(t, g.Admit(&event.Event{Op: event.Create, After: cells("8", "", "0901")}), "families share telephones")
	require.False(t, g.Admit(&event.Event{Op: event.Create, After: cells("8", "079 085 001234", "")}), "the number, however it is written, whatever the key's version")

	mistyped := event.Event{Op: event.Update, After: cells("8", "079085001234", "0901")}
	require.True(t, g.Admit(&mistyped))
	require.Equal(t, event.Event{Op: event.Delete, Before: cells("8", "", ""), BeforeKeyOnly: true}, mistyped)

	require.NoError(t, CheckTokens(l, []*token.Tokenizer{now, old}))
	require.ErrorContains(t, CheckTokens(l, []*token.Tokenizer{now}), "version 1 of the key")
}

// P12: an erased person's number leaves rows that are not theirs and name them, old
// images too; the row and its key stay.
func TestP12GuardBlanksWhoIsNamed(t *testing.T) {
	now := tokenizerOf(t, 2)
	text := func(name string) pgvalue.Column {
		return pgvalue.Column{Name: name, OID: pgtype.TextOID, Typmod: -1, TypeName: "text"}
	}
	l := ledgerOf(t, []string{string(recordsOf(t).Append(nil, sectors.CCCD, []byte("079085001234")))}, "health.patient:7")
	cccd := func(name, match string) sectors.Column {
		return sectors.Column{Name: name, Identifier: sectors.CCCD, Match: match}
	}
	tokens := []*token.Tokenizer{now, recordsOf(t)}
	licence := sectors.Table{Schema: "public", Name: "licence", Columns: []sectors.Column{cccd("id", ""), cccd("officer", sectors.CCCD)}}
	birth := sectors.Table{Schema: "public", Name: "birth", Person: &sectors.Person{Direct: true}, Columns: []sectors.Column{cccd("cccd", sectors.CCCD), cccd("mother", "")}}

	ev := event.Event{Op: event.Update, Before: cells("079085001234", "079 085 001234"), After: cells("079085001234", "079085001234")}
	require.True(t, guardOf(t, l, licence, tokens, text("id"), text("officer")).Admit(&ev))
	require.Equal(t, event.Event{Op: event.Update, Before: cells("079085001234", ""), After: cells("079085001234", "")}, ev)

	ev = event.Event{Op: event.Create, After: cells("1", "079085009999", "079085001234")}
	g := guardOf(t, l, birth, tokens, text("id"), text("cccd"), text("mother"))
	require.True(t, g.Admit(&ev))
	require.Equal(t, cells("1", "079085009999", ""), ev.After)
	require.False(t, g.Admit(&event.Event{Op: event.Create, After: cells("1", "079085001234", "079085009999")}), "the person's own row")
	g = nil
	g.Blank(cells("1")) // nobody is erased
}

// P12: a person whose record is named by a number's token is known by it, and by
// what refers to it, whatever key of tokens is in force; a number under the record
// key is known too.
func TestP12GuardOfARecordNamedByANumber(t *testing.T) {
	records := recordsOf(t)
	named := string(records.Append(nil, sectors.Insurance, []byte("DN4010123456789")))
	l := ledgerOf(t, []string{string(records.Append(nil, sectors.CCCD, []byte("079085001234")))}, "health.holder:"+named)
	text := func(name string) pgvalue.Column {
		return pgvalue.Column{Name: name, OID: pgtype.TextOID, Typmod: -1, TypeName: "text"}
	}
	holder := sectors.Table{Schema: "public", Name: "holder", Person: &sectors.Person{Direct: true}, Columns: []sectors.Column{
		{Name: "card", Identifier: sectors.Insurance, Match: sectors.Insurance}, {Name: "cccd", Identifier: sectors.CCCD, Match: sectors.CCCD},
	}}
	visit := sectors.Table{Schema: "public", Name: "visit", Person: &sectors.Person{Via: "card", To: "holder"}, Columns: []sectors.Column{
		{Name: "card", Identifier: sectors.Insurance},
	}}
	for version := range uint8(3) {
		tokens := []*token.Tokenizer{tokenizerOf(t, version+1), records}
		g := guardOf(t, l, holder, tokens, text("card"), text("cccd"))
		require.False(t, g.Admit(&event.Event{Op: event.Create, After: cells("dn 4010123456789", "")}))
		require.False(t, g.Admit(&event.Event{Op: event.Delete, Before: cells("DN4010123456789", ""), BeforeKeyOnly: true}))
		require.False(t, g.Admit(&event.Event{Op: event.Create, After: cells("DN4019999999999", "079 085 001234")}), "another card of theirs")
		require.True(t, g.Admit(&event.Event{Op: event.Create, After: cells("DN4019999999999", "")}))
		g = guardOf(t, l, visit, tokens, text("id"), text("card"))
		require.False(t, g.Admit(&event.Event{Op: event.Create, After: cells("1", "DN4010123456789")}))
		require.True(t, g.Admit(&event.Event{Op: event.Create, After: cells("1", "DN4019999999999")}))
		require.NoError(t, CheckTokens(l, tokens))
		require.ErrorContains(t, CheckTokens(l, tokens[:1]), "tokens.record_key_file")
	}
}

// P12: what speaks of an erased person through their record stays out too.
func TestP12GuardThroughARecord(t *testing.T) {
	encounter := sectors.Table{Schema: "public", Name: "encounter", Person: &sectors.Person{Via: "patient", To: "patient"}}
	column := func(name string) pgvalue.Column {
		return pgvalue.Column{Name: name, OID: pgtype.Int8OID, Typmod: -1, TypeName: "int8"}
	}
	l := ledgerOf(t, nil, "health.patient:7", "health.encounter:3")
	g := guardOf(t, l, encounter, []*token.Tokenizer{tokenizerOf(t, 1)}, column("id"), column("patient"))
	require.False(t, g.Admit(&event.Event{Op: event.Create, After: cells("1", "7")}))
	require.False(t, g.Admit(&event.Event{Op: event.Delete, Before: cells("3", ""), BeforeKeyOnly: true}))
	require.True(t, g.Admit(&event.Event{Op: event.Create, After: cells("1", "3")}), "an encounter's key is no patient's")
	require.True(t, g.Admit(&event.Event{Op: event.Create, After: cells("7", "")}))
	moved := event.Event{Op: event.Update, After: cells("1", "7")}
	require.True(t, g.Admit(&moved))
	require.Equal(t, event.Delete, moved.Op)
}

// With nobody erased there is nothing to look at.
func TestNoGuardWithoutErasures(t *testing.T) {
	encounter := sectors.Table{Schema: "public", Name: "encounter"}
	require.Nil(t, guardOf(t, erasure.New(), encounter, []*token.Tokenizer{tokenizerOf(t, 1)}, pgvalue.Column{Name: "id", OID: pgtype.Int8OID, Typmod: -1, TypeName: "int8"}))
	var none *Guard
	require.True(t, none.Admit(&event.Event{Op: event.Create, After: cells("1")}))
}

// P12: in the stream an erased row is counted, its place in its transaction
// stays, and it is in no topic, also not in the dead letters of a table that is
// set aside.
func TestP12StreamKeepsErasedRowsOut(t *testing.T) {
	for _, reason := range []string{"", "set aside"} {
		f, w := newTestFollower(t)
		table := f.tables[patientOID]
		table.reason = reason
		public, _, _, err := fields(table.relation, table.sector, nil, nil)
		require.NoError(t, err)
		f.ledger = ledgerOf(t, nil, "clinic.patient:7")
		table.guard, err = f.guardOf(table, public, nil)
		require.NoError(t, err)
		for _, m := range [][]byte{begin(200), insert(patientOID, "7", "erased"), insert(patientOID, "8", "stays"), commit(200)} {
			require.NoError(t, f.message(t.Context(), m))
		}
		require.NoError(t, f.commit(t.Context()))
		all := append(w.in(patientTopic), w.in(DeadLetters("clinic", table.sector))...)
		require.Len(t, all, 1)
		require.NotContains(t, string(all[0].Value), "erased")
		require.Equal(t, int64(1), w.saved(t).Erased)
		require.Equal(t, uint32(2), w.saved(t).Ordinal, "P6: the row that is kept out has its place")
	}
}
